"""The CmdStan engine: runs the executables through cmdstanpy, reads their CSV once."""

import logging
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hiermix.engines import columns, executables, progress
from hiermix.engines.children import ended_on_interrupt
from hiermix.engines.protocol import (
    STAT_NAMES,
    Samples,
    Settings,
    last_lines,
    named_stats,
    trouble,
)
from hiermix.errors import EngineError
from hiermix.programs import Program
from hiermix.typing import FloatArray, StanData

_EXACT = 17
"""Significant digits with which a double reads back unchanged."""

_VALUE = re.compile(r"[-+]?\b(?:\d[\d.]*(?:e[-+]?\d+)?|nan|inf)\b")
"""A number in a complaint, such as the 0 and the 2 in ``Random variable[2] is 0``."""

_log = logging.getLogger("hiermix")


def is_usable() -> bool:
    """Return whether a CmdStan is installed that is new enough, and log one that is not."""
    found = executables.installation()
    if found is None:
        return False
    if not found.is_new_enough:
        least = ".".join(map(str, executables.MINIMUM))
        _log.warning("CmdStan %s in %s is older than %s", found.version, found.path, least)
    return found.is_new_enough


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
            fit = _run(executable, data, settings, inits, folder)
            names, flat = read_chains(fit.runset.csv_files)
            said = _notable(folder)
        sampled = time.perf_counter()
        stats = named_stats(_stat_columns(names, flat))
        return Samples(
            draws=columns.take(flat, names, keep, program),
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
        with _scratch(program) as folder:
            model, file = _model(executable), _write(data, folder)
            for row, start in enumerate(parameters(data, points)):
                try:
                    answer = model.log_prob(start, data=file, jacobian=True, sig_figs=_EXACT)
                except RuntimeError:
                    continue  # the program rejects this point
                values[row], *gradients[row] = answer.to_numpy(dtype=np.float64)[0]
        return values, gradients


def parameters(data: StanData, points: FloatArray) -> list[dict[str, FloatArray]]:
    """Return unconstrained points as our programs declare them: ``raw``, and ``z`` if any."""
    if "K" not in data:
        return [{"raw": point} for point in points]
    size = int(data["D"])
    return [{"raw": point[:size], "z": point[size:]} for point in points]


def read_chains(files: Sequence[str]) -> tuple[list[str], FloatArray]:
    """Return the columns' names and (chain, draw, column), parsed once."""
    names, first = read_csv(Path(files[0]))
    flat = np.empty((len(files), *first.shape))
    flat[0] = first
    for chain, file in enumerate(files[1:], start=1):
        flat[chain] = read_csv(Path(file))[1]
    return names, flat


def read_csv(path: Path) -> tuple[list[str], FloatArray]:
    """Return the names in the header and the draws; numpy reads each number exactly."""
    with path.open(encoding="utf-8") as file:
        lines = (line for line in file if not line.startswith("#"))
        names = next(lines).strip().split(",")
        return names, np.loadtxt(lines, delimiter=",", ndmin=2)


@contextmanager
def _scratch(program: Program) -> Iterator[Path]:
    """Lend a folder for the run; on the way out nothing is left of it, and nothing runs in it."""
    import cmdstanpy

    try:
        scratch = tempfile.TemporaryDirectory(prefix="hiermix-", ignore_cleanup_errors=True)
    except OSError as error:
        raise EngineError(f"CmdStan needs a temporary folder to write to: {error}") from error
    with (
        scratch as name,
        cmdstanpy.disable_logging(),
        ended_on_interrupt(Path(name)),
    ):
        try:
            yield Path(name)
        except (RuntimeError, ValueError, OSError) as error:
            said = _console(Path(name)) + _killed(str(error)) or str(error)
            raise EngineError(
                f"CmdStan failed on program {program.name!r}:\n{last_lines(said)}"
            ) from error


def _run(
    executable: Path, data: StanData, settings: Settings, inits: FloatArray | None, folder: Path
) -> Any:
    return _model(executable).sample(
        data=_write(data, folder),
        chains=settings.chains,
        parallel_chains=settings.cores,
        seed=settings.seed,
        inits=None if inits is None else parameters(data, inits),
        iter_warmup=settings.warmup,
        iter_sampling=settings.draws,
        adapt_delta=settings.adapt_delta,
        max_treedepth=settings.max_treedepth,
        sig_figs=_EXACT,
        output_dir=str(folder),
        show_progress=progress.wanted(settings.progress),
        show_console=False,
    )


def _model(executable: Path) -> Any:
    import cmdstanpy

    return cmdstanpy.CmdStanModel(exe_file=str(executable))


def _write(data: StanData, folder: Path) -> str:
    import cmdstanpy

    path = str(folder / "data.json")
    cmdstanpy.write_stan_json(path, data)
    return path


def _stat_columns(names: list[str], flat: FloatArray) -> dict[str, FloatArray]:
    return {name: flat[:, :, names.index(name)] for name in STAT_NAMES}


def _console(folder: Path) -> str:
    """Return what the first chain that did not finish wrote."""
    for path in sorted(folder.glob("*-stdout*.txt")):
        text = path.read_text(errors="replace")
        if "seconds (Total)" not in text:
            return text
    return ""


def _killed(error: str) -> str:
    """Return a line for each chain that a signal ended: its own output can't say so.

    cmdstanpy lists the chains' exit codes; -1 is that of a chain that it did not start.
    """
    found = re.search(r"retcodes=\[(.*)\]", error)
    codes = [int(code) for code in found[1].split(",")] if found else []
    return "".join(
        f"\nchain {chain} was ended by signal {-code}."
        for chain, code in enumerate(codes, start=1)
        if code < -1
    )


def _notable(folder: Path) -> tuple[str, ...]:
    """Return what the chains complained about: complaints that differ in values are one."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*-stdout*.txt")):
        for line in re.findall(r"^E(?:xception|rror).*$", path.read_text(errors="replace"), re.M):
            what, _, where = line.partition(" (in '")
            found.setdefault(_VALUE.sub("", what) + where, []).append(line)
    return tuple(f"{lines[0]} ({len(lines):,} times)" for lines in found.values())
