"""What an engine is asked and what it answers: settings, samples, the protocol itself."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hiermix import options
from hiermix.errors import ArgumentError, count, quoted
from hiermix.stan.programs import Program
from hiermix.typing import FloatArray, StanData

LARGEST_SEED = 2**32 - 1
_LARGEST_COUNT = 2**31 - 1

STAT_NAMES = {
    "lp__": "lp",
    "accept_stat__": "acceptance_rate",
    "stepsize__": "step_size",
    "treedepth__": "tree_depth",
    "n_leapfrog__": "n_steps",
    "divergent__": "diverging",
    "energy__": "energy",
}
"""Stan's names of the sampler's own columns, and ArviZ's."""

_STAT_TYPES: dict[str, type] = {"tree_depth": np.int64, "n_steps": np.int64, "diverging": np.bool_}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to sample. Values outside their range raise `ArgumentError`."""

    seed: int
    chains: int = 4
    warmup: int = 500
    """From standardised coordinates 300 gave the effective sizes of 1,000 on every data set tried;
    500 leaves a margin for models that start less well."""
    draws: int = 1000
    adapt_delta: float = 0.8
    max_treedepth: int = 10
    cores: int | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        """Check every value, so that no engine has to."""
        options.whole("seed", self.seed, 0, LARGEST_SEED)
        options.whole("chains", self.chains, 1)
        options.whole("warmup", self.warmup, 1)
        options.whole("draws", self.draws, 1)
        options.whole("max_treedepth", self.max_treedepth, 1)
        if self.cores is not None:
            options.whole("cores", self.cores, 1)
        _check_adapt_delta(self.adapt_delta)
        if self.progress not in (None, True, False):
            raise ArgumentError(
                f"progress must be None (a bar where someone watches), True or False, "
                f"not {quoted(self.progress)}."
            )


@dataclass(frozen=True)
class Samples:
    """Draws of the variables asked for, as an engine returns them."""

    draws: dict[str, FloatArray]
    """Variable -> (chain, draw, *shape)."""
    stats: dict[str, NDArray[Any]]
    """ArviZ's name -> (chain, draw)."""
    engine: str
    version: str
    seconds: dict[str, float]
    """Wall time of "compile" and "sampling"."""
    messages: tuple[str, ...]


class Engine(Protocol):
    """Something that samples a Stan program."""

    name: str

    @property
    def version(self) -> str:
        """Name and version of what runs, such as ``"CmdStan 2.39.0"``."""
        ...

    def sample(
        self,
        program: Program,
        data: StanData,
        settings: Settings,
        *,
        keep: Sequence[str],
        inits: FloatArray | None = None,
    ) -> Samples:
        """Draw from the program's posterior and return the variables in ``keep``.

        ``inits`` has one row a chain, on the unconstrained scale.
        """
        ...

    def log_density(
        self, program: Program, data: StanData, points: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return log density and gradient at unconstrained points, one a row.

        The Jacobian is included. Where Stan rejects a point: -inf, and a gradient of NaN.
        """
        ...


def named_stats(columns: dict[str, FloatArray]) -> dict[str, NDArray[Any]]:
    """Return the sampler's columns under ArviZ's names and in ArviZ's types."""
    return {
        name: columns[stan].astype(_STAT_TYPES.get(name, np.float64))
        for stan, name in STAT_NAMES.items()
        if stan in columns
    }


def trouble(stats: dict[str, NDArray[Any]], settings: Settings) -> tuple[str, ...]:
    """Return one line for each chain that diverged or ran into its longest trajectory."""
    kinds = {
        "diverged": stats["diverging"],
        f"reached max_treedepth={settings.max_treedepth}": (
            stats["tree_depth"] >= settings.max_treedepth
        ),
    }
    return tuple(
        f"chain {chain}: {number:,} of {count(settings.draws, 'draw')} {what}."
        for what, found in kinds.items()
        for chain, number in enumerate(found.sum(axis=1), start=1)
        if number
    )


_NOISE = re.compile(
    r"file an? (issue|bug)|bug report|/issues\b|^make(\[\d+\])?: |compilation terminated",
    re.IGNORECASE,
)
"""Lines of a compiler that blame somebody, and say nothing of what is wrong."""
_WRONG = re.compile(
    r"\b(error|exception|fatal|no space left|not found|denied|killed)\b", re.IGNORECASE
)


def last_lines(text: str, most: int = 10, width: int = 300) -> str:
    """Return the end of an engine's output, without empty lines and without dumps in one line."""
    return "\n".join(_short(_lines(text)[-most:], width))


def first_error(text: str, most: int = 10, width: int = 300) -> str:
    """Return a compiler's output from the first line on that says what is wrong, else its end.

    What follows the first error is often its echo. A full disk comes first: it has many echoes.
    """
    lines = [line for line in _lines(text) if not _NOISE.search(line)]
    full = [line for line in lines if "no space left" in line.lower()]
    wrong = [place for place, line in enumerate(lines) if _WRONG.search(line)]
    chosen = full[:1] or (lines[wrong[0] :][:most] if wrong else lines[-most:])
    return "\n".join(_short(chosen, width))


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _short(lines: list[str], width: int) -> list[str]:
    return [line if len(line) <= width else f"{line[:width]} ..." for line in lines]


def _check_adapt_delta(value: object) -> None:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not 0 < float(value) < 1:  # type: ignore[arg-type]
        raise ArgumentError(f"adapt_delta must be a number between 0 and 1, not {quoted(value)}.")
