"""What a fit will take, from a few gradients where chains start: seconds, memory, what costs most.

Chains sample standardised coordinates, in which posteriors look alike: how long a leapfrog step may
be depends on little but their number, and on the acceptance rate that is aimed at; and how many a
draw takes on how long they are.
"""

import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape

import numpy as np

from hiermix.chain_starts import Started
from hiermix.design.design import Design
from hiermix.engines import Settings, embedded, progress
from hiermix.errors import count
from hiermix.stan import programs
from hiermix.stan.chart import Chart
from hiermix.stan.variables import EFFECTS

_BUDGET, _LEAST = 0.1, 5
"""Seconds to take gradients for, and how many at least."""
_CALL = 6e-6
"""Seconds that asking for a gradient takes beside it."""
_START, _END, _FIRST = 0.05, 0.05, 0.4
"""Seconds before the first iteration, and behind the last; and of imports, behind the first fit."""
_STEP, _LONGEST = 1.45, 0.65
"""Size of leapfrog steps, times the fourth root of coordinates, that accepts 0.8; and the longest:
of 28 fits of 4 to 1,205 coordinates, within a fifth but where the posterior is far from normal."""
_CARE = 0.45
"""How steps shrink with rejections: somewhat less than their root, since trajectories average."""
_EIGHT, _TURN = 0.47, 0.25
"""Size of steps of which seven or eight go once around; octaves in which trees grow by a level."""
_WARMUP = 1.3
"""Gradients of an iteration of warmup, which tries steps of all sizes, over those of a draw."""
_RANGE = 2.0
_LONG = 60.0
"""Seconds from which on a fit says beforehand what it takes."""
_COPIES = 2
"""Times that draws stand in memory: labelled, and laid out for arithmetic."""


@dataclass(frozen=True)
class Cost:
    """What a fit is expected to take.

    Attributes
    ----------
    seconds : float
        Expected seconds on the clock, from now on: what was prepared to know this is not
        prepared again.
    range : tuple of float
        Seconds within which nearly all fits lie.
    memory : int
        Bytes of the draws.
    parts : dict
        Seconds of warmup, draws and effects that are integrated out, and those that preparing took.
    gradient : float
        Seconds of one gradient.
    steps : float
        Expected gradients a draw.
    coordinates : int
        How many are sampled.
    advice : tuple of str
        What costs most, and what would lower it.
    """

    seconds: float
    range: tuple[float, float]
    memory: int
    parts: Mapping[str, float]
    gradient: float
    steps: float
    coordinates: int
    advice: tuple[str, ...]

    def __repr__(self) -> str:
        """Say it in sentences."""
        low, high = map(_seconds, self.range)
        return "\n".join([
            f"about {_seconds(self.seconds)} ({low} to {high}), {self.memory / 1e6:,.0f} MB of "
            "draws",
            f"{self.steps:.0f} gradients a draw, {_seconds(self.gradient)} each, in "
            f"{count(self.coordinates, 'coordinate')}",
            *(f"- {each}" for each in self.advice),
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        return "<br>".join(map(escape, repr(self).splitlines()))


def expected(started: Started, design: Design, settings: Settings, prepared: float) -> Cost:
    """Return what sampling takes from where chains start.

    Parameters
    ----------
    started : Started
        The program and its modes.
    design : Design
        Rows and groups.
    settings : Settings
        Chains, iterations, the acceptance rate.
    prepared : float
        Seconds that finding the modes took.
    """
    ready = started.ready
    size = Chart(ready.data).size
    density = embedded.density(ready.program, ready.data)
    at = started.modes[0].at if started.modes else np.zeros(size)
    gradient = _timed(lambda: density(at))
    steps = _steps(size, settings.adapt_delta)
    waves = math.ceil(settings.chains / min(settings.cores or _cores(), settings.chains))
    each = waves * steps * gradient
    effects = sum(each.total for each in ready.groupings)
    integrated = max(effects - int(ready.data.get(EFFECTS, 0)), 0)
    draws = settings.chains * settings.draws
    parts = {
        "prepared": prepared, "warmup": _START + settings.warmup * _WARMUP * each,
        "draws": settings.draws * each, "effects": 3e-8 * draws * integrated
        + (_END if "arviz_stats" in sys.modules else _FIRST),
    }  # fmt: skip
    seconds = sum(parts.values()) - prepared
    memory = 8 * _COPIES * draws * (size + integrated + 10)
    paired = ready.program.name == programs.CROSSED
    advice = tuple(_advice(design, settings, integrated, waves, paired=paired))
    return Cost(
        seconds, (seconds / _RANGE, seconds * _RANGE), memory, parts, gradient, steps, size, advice
    )


def tell_if_long(started: Started, design: Design, settings: Settings) -> None:
    """Say what a fit is expected to take, if that is more than a minute."""
    density = embedded.density(started.ready.program, started.ready.data)
    at = started.modes[0].at if started.modes else np.zeros(Chart(started.ready.data).size)
    start = time.perf_counter()
    density(at)
    one = time.perf_counter() - start
    if one * (settings.warmup + settings.draws) * _steps(1, 0.8) < _LONG / 4:
        return  # surely not
    cost = expected(started, design, settings, 0.0)
    if cost.seconds > _LONG:
        progress.tell("; ".join(repr(cost).splitlines()))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _timed(call: Callable[[], object]) -> float:
    """Seconds of a call on the clock: what else the machine does meanwhile counts."""
    call()
    calls, start = 0, time.perf_counter()
    while calls < _LEAST or time.perf_counter() - start < _BUDGET:
        call()
        calls += 1
    found = (time.perf_counter() - start) / calls
    return found - min(_CALL, found / 2)


def _steps(size: int, adapt_delta: float) -> float:
    """Gradients a draw: as many as go once around a standard normal, in trees that double.

    Errors of energy grow with the square of steps and the root of the number of coordinates.
    Posteriors with long tails, as of lengthscales and of slopes that are shrunk, take twice that.
    """
    step = _STEP * max(size, 1) ** -0.25 * ((1 - adapt_delta) / 0.2) ** _CARE
    octaves = math.log2(_EIGHT / min(step, _LONGEST))
    whole = math.floor(octaves)
    return float(2 ** (3 + whole + min((octaves - whole) / _TURN, 1.0)) - 1)


def _advice(
    design: Design, settings: Settings, integrated: int, waves: int, *, paired: bool
) -> list[str]:
    """Say what most of the time goes into, and what would lower it."""
    found = []
    effects = {each.name: each.total for each in design.groupings}
    if integrated:
        what = "pairs of levels cost, not rows" if paired else "the number of rows costs nothing"
        found.append(f"{count(integrated, 'effect')} are integrated out: {what}")
    elif effects and max(effects.values()) > design.rows / 4:
        most = max(effects, key=lambda name: effects[name])
        found.append(
            f"most of it are the {effects[most]:,} effects of {most!r}: fewer slopes that vary, or "
            "|| for |, cost less"
        )
    elif design.rows > 200:
        found.append(
            f"most of it are {count(design.rows, 'row')}: rows that are equal are merged, so that "
            "predictors with fewer different values (rounded), or counts out of trials, cost less"
        )
    if settings.adapt_delta > 0.9:
        found.append("adapt_delta takes smaller steps, for factors of few levels: 0.8 is faster")
    if waves > 1:
        found.append(f"{settings.chains} chains wait for each other: more cores would help")
    if settings.draws * settings.chains > 4000:
        found.append("4,000 draws are enough for means, sds and 95 % intervals")
    return found


def _seconds(value: float) -> str:
    if value < 1e-3:
        return f"{1e6 * value:.0f} µs"
    if value < 1:
        return f"{1e3 * value:.0f} ms"
    return f"{value:.1f} s" if value < 90 else f"{value / 60:.1f} min"
