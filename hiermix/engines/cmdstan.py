"""The CmdStan engine: runs its executables, one process a chain, and reads their CSV once."""

import logging
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from hiermix.engines import draw_columns, executables, processes, progress
from hiermix.engines.protocol import STAT_NAMES, Samples, Settings, last_lines, named_stats, trouble
from hiermix.errors import EngineError, count, ignored_warnings
from hiermix.stan.programs import Program
from hiermix.stan.variables import parameters
from hiermix.typing import FloatArray, StanData

_EXACT = 17
"""Significant digits with which a double reads back unchanged."""
_REPORTS = 50
"""Times that each chain says how far it is."""
_OFTEN = 0.01
"""Share of iterations that are rejected with one complaint, from which on it is told."""

_VALUE = re.compile(r"[-+]?\b(?:\d[\d.]*(?:e[-+]?\d+)?|nan|inf)\b")
"""A number in a complaint, such as the 0 and the 2 in ``Random variable[2] is 0``."""

_log = logging.getLogger("hiermix")


def is_usable(program: Program | None = None) -> bool:
    """Return whether a CmdStan is here that is new enough, and has built the program.

    What stands in the way is logged: who has set CMDSTAN wants to know that it isn't taken.
    """
    try:
        found = executables.installation()
    except EngineError as error:
        _once(logging.WARNING, str(error))
        return False
    if found is None:
        return False
    if found.trouble:
        _once(logging.WARNING, found.trouble)
        return False
    if program is None or executables.cache_path(program, found).exists():
        return True
    _once(
        logging.INFO,
        f"CmdStan {found.version} has not built program {program.name!r}: the embedded engine "
        "samples. engine='cmdstan' builds it, `python -m hiermix compile` builds all.",
    )
    return False


@cache
def _once(level: int, text: str) -> None:
    _log.log(level, "%s", text)


class CmdStan:
    """Samples in processes of its own, one a chain."""

    name = "cmdstan"

    @property
    def version(self) -> str:
        """Name and version of the engine."""
        return f"CmdStan {executables.required_installation().version}"

    def sample(
        self,
        program: Program,
        data: StanData,
        settings: Settings,
        *,
        keep: Sequence[str],
        inits: FloatArray | None = None,
    ) -> Samples:
        """Draw from the program's posterior and return the variables in ``keep``."""
        start = time.perf_counter()
        executable = executables.build(program)
        compiled = time.perf_counter()
        with _scratch(program) as folder:
            chains = _chains(executable, data, settings, inits, folder)
            _run(chains, settings, program)
            names, flat = read_chains([each.csv for each in chains], settings.draws)
            said = _notable(chains, settings)
        sampled = time.perf_counter()
        stats = named_stats(_stat_columns(names, flat))
        return Samples(
            draws=draw_columns.take(flat, names, keep, program),
            stats=stats,
            engine=self.name,
            version=self.version,
            seconds={"compile": compiled - start, "sampling": sampled - compiled},
            messages=trouble(stats, settings) + said,
        )

    def log_density(
        self, program: Program, data: StanData, points: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return log density and gradient at unconstrained points, one a row."""
        executable = executables.build(program)
        values = np.full(len(points), -np.inf)
        gradients = np.full(points.shape, np.nan)
        with _scratch(program) as folder, _quiet():
            model, file = _model(executable), _write(data, folder / "data.json")
            for row, start in enumerate(parameters(data, points)):
                try:
                    answer = model.log_prob(start, data=file, jacobian=True, sig_figs=_EXACT)
                except RuntimeError:
                    continue  # the program rejects this point
                values[row], *gradients[row] = answer.to_numpy(dtype=np.float64)[0]
        return values, gradients


# Running chains ----------------------------------------------------------------------------------


class Chain:
    """One chain: its command, its files, and how far it is."""

    def __init__(self, number: int, folder: Path, words: Sequence[str]) -> None:
        self.number = number
        self.csv = folder / f"chain-{number}.csv"
        self.command = processes.Command(words, folder / f"chain-{number}.txt")
        self._read = 0

    @property
    def said(self) -> str:
        """Everything that it has said."""
        return self.command.said.read_text(errors="replace")

    def iteration(self) -> int | None:
        """Return how far it is, if it has said so since it was asked last."""
        if not self.command.said.exists():
            return None  # it waits for its turn
        with self.command.said.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        found = re.findall(rb"Iteration:\s*(\d+) /", whole)
        return int(found[-1]) if found else None


def _chains(
    executable: Path, data: StanData, settings: Settings, inits: FloatArray | None, folder: Path
) -> list[Chain]:
    file = _write(data, folder / "data.json")
    starts: list[Any] = [None] * settings.chains
    if inits is not None:
        starts = [
            _write(start, folder / f"init-{chain}.json")
            for chain, start in enumerate(parameters(data, inits), start=1)
        ]
    return [
        Chain(number, folder, words(executable, number, file, start, folder, settings))
        for number, start in enumerate(starts, start=1)
    ]


def words(
    executable: Path, chain: int, data: str, start: str | None, folder: Path, settings: Settings
) -> list[str]:
    """Return the command line of a chain, in the order of CmdStan's guide."""
    iterations = settings.warmup + settings.draws
    return [
        str(executable), f"id={chain}", "random", f"seed={settings.seed}", "data", f"file={data}",
        *([] if start is None else [f"init={start}"]),
        "output", f"file={folder / f'chain-{chain}.csv'}",
        f"refresh={max(1, iterations // _REPORTS)}",
        f"sig_figs={_EXACT}",
        "method=sample", f"num_samples={settings.draws}", f"num_warmup={settings.warmup}",
        "algorithm=hmc", "engine=nuts", f"max_depth={settings.max_treedepth}",
        "adapt", "engaged=1", f"delta={settings.adapt_delta}",
    ]  # fmt: skip


def _run(chains: Sequence[Chain], settings: Settings, program: Program) -> None:
    with progress.shown(settings) as report:

        def watch() -> None:
            for chain in chains:
                iteration = chain.iteration()
                if iteration is not None:
                    report(chain.number, iteration)

        at_once = min(settings.cores or os.cpu_count() or 1, settings.chains)
        commands = [chain.command for chain in chains]
        codes = processes.run(commands, at_once=at_once, watch=watch)
    for chain, code in zip(chains, codes, strict=True):
        if code:
            lines = (last_lines(chain.said), f"chain {chain.number} {processes.outcome(code)}.")
            raise _failed(program, "\n".join(filter(None, lines)))


def _failed(program: Program, text: str) -> EngineError:
    return EngineError(f"CmdStan failed on program {program.name!r}:\n{text}")


@contextmanager
def _scratch(program: Program) -> Iterator[Path]:
    """Lend a folder for the run, of which nothing is left."""
    try:
        scratch = tempfile.TemporaryDirectory(prefix="hiermix-", ignore_cleanup_errors=True)
    except OSError as error:
        raise EngineError(f"CmdStan needs a temporary folder to write to: {error}") from error
    with scratch as name:
        try:
            yield Path(name)
        except (RuntimeError, ValueError, OSError) as error:
            raise _failed(program, last_lines(str(error))) from error


def _notable(chains: Sequence[Chain], settings: Settings) -> tuple[str, ...]:
    """Return complaints that come often; those that differ in values are one.

    A proposal that is rejected now and then is how the sampler works, and no message.
    """
    found: dict[str, list[str]] = {}
    for chain in chains:
        for line in re.findall(r"^E(?:xception|rror).*$", chain.said, re.MULTILINE):
            what, _, where = line.partition(" (in '")
            found.setdefault(_VALUE.sub("", what) + where, []).append(line)
    few = _OFTEN * settings.chains * (settings.warmup + settings.draws)
    return tuple(
        f"{lines[0]} ({len(lines):,} times)" for lines in found.values() if len(lines) > few
    )


# What they wrote ---------------------------------------------------------------------------------


def read_chains(files: Sequence[Path], draws: int) -> tuple[list[str], FloatArray]:
    """Return the columns' names and (chain, draw, column), parsed once."""
    names, first = read_csv(files[0])
    flat = np.empty((len(files), draws, len(names)))
    for chain, file in enumerate(files):
        values = first if chain == 0 else read_csv(file)[1]
        if len(values) != draws:
            raise ValueError(
                f"chain {chain + 1} wrote {count(len(values), 'draw')} of {draws:,}: is there "
                f"space left in {file.parent.parent}?"
            )
        flat[chain] = values
    return names, flat


def read_csv(path: Path) -> tuple[list[str], FloatArray]:
    """Return the names in the header and the draws; numpy reads each number exactly."""
    with path.open(encoding="utf-8") as file:
        lines = (line for line in file if not line.startswith("#"))
        names = next(lines, "").strip().split(",")
        rows = [line for line in lines if line.strip()]
        if not rows:
            return names, np.empty((0, len(names)))
        return names, np.loadtxt(rows, delimiter=",", ndmin=2)


def _stat_columns(names: list[str], flat: FloatArray) -> dict[str, FloatArray]:
    return {name: flat[:, :, names.index(name)] for name in STAT_NAMES}


# cmdstanpy ---------------------------------------------------------------------------------------


def _cmdstanpy() -> Any:
    with ignored_warnings():  # tqdm's, about widgets of notebooks
        return import_module("cmdstanpy")


def _model(executable: Path) -> Any:
    return _cmdstanpy().CmdStanModel(exe_file=str(executable))


def _write(data: Mapping[str, Any], path: Path) -> str:
    _cmdstanpy().write_stan_json(str(path), data)
    return str(path)


class _Silence(logging.Filter):
    """Drops what cmdstanpy logs while somebody wants quiet: its own switch isn't for threads."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted = 0
        self.lock = threading.Lock()

    def filter(self, _record: logging.LogRecord) -> bool:
        return not self.wanted


_silence = _Silence()


@contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("cmdstanpy")
    with _silence.lock:
        logger.addFilter(_silence)
        _silence.wanted += 1
    try:
        yield
    finally:
        with _silence.lock:
            _silence.wanted -= 1
            if not _silence.wanted:
                logger.removeFilter(_silence)
