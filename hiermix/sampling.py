"""Draws of a posterior: by an engine's chains, or without a chain from around the modes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from hiermix import chain_starts, mode_draws
from hiermix.chain_starts import Started
from hiermix.design.design import Design
from hiermix.engines import Engine, Samples, Settings, choose, gradients, progress
from hiermix.engines.embedded import Embedded
from hiermix.errors import ArgumentError, EngineError, count
from hiermix.families.correlations import block_cholesky
from hiermix.families.family import Family
from hiermix.families.own_parameter import by_parameter
from hiermix.stan import shrinkage_data, stan_data, variables
from hiermix.stan.chart import Chart
from hiermix.statistics.pareto_weights import RELIABLE
from hiermix.statistics.row_sums import Sums
from hiermix.tuning.points import Point
from hiermix.tuning.slope_shrinkage import Shrinkage
from hiermix.typing import Algorithm, Drawn, FloatArray, Shrunk

ALGORITHMS: tuple[Algorithm, ...] = ("nuts", "importance", "laplace", "auto")
_FEW_LEVELS, _CAREFUL = 5, 0.95
"""Levels up to which the tails of the sds ask for small steps, and the `adapt_delta` for them."""
_MOST_CAREFUL = 0.99
"""The one with which chains are drawn once more where draws diverged."""

_EFFECTS, _ROWS = 2_000, 10_000
"""Effects, and rows of programs that sample them, from which weighed draws cost much less."""
_ENOUGH = 100
"""Effective draws in the place of a chain."""


class Sampled(NamedTuple):
    """What was drawn, and how."""

    samples: Samples
    drawn: Drawn
    said: Mapping[str, str | float]
    """Of the algorithm: its name, and where there are weights what they are worth."""


def sample(
    started: Started,
    settings: Settings,
    design: Design,
    family: Family,
    *,
    engine: str | Engine,
    algorithm: Algorithm,
    again: bool = False,
) -> Sampled:
    """Draw from the posterior of a program, by the algorithm asked for.

    With `again`, chains are drawn once more, in smaller steps, where draws diverge.
    """
    found = _drawn(started, settings, design, family, engine, algorithm)
    if again and settings.adapt_delta < _MOST_CAREFUL and _diverged(found.samples):
        found = _in_small_steps(started, settings, design, family, engine, found.samples)
    complete = started.ready.complete
    return found if complete is None else found._replace(
        drawn=complete(found.drawn, settings.seed))  # fmt: skip


def _drawn(
    started: Started,
    settings: Settings,
    design: Design,
    family: Family,
    engine: str | Engine,
    algorithm: Algorithm,
) -> Sampled:
    """Return what is sampled; effects of a factor may have been integrated out beside it."""
    if algorithm == "auto" and not design.imputed and is_large(started, design):
        found = _if_safe(started, settings, design, family)
        if found is not None:
            return found
    if algorithm in ("nuts", "auto"):
        return _by_chains(started, settings, engine, design, family)
    if design.imputed:
        raise ArgumentError(
            f"algorithm={algorithm!r} knows nothing of missing values, mi(): use algorithm='nuts'"
        )
    return _around_modes(started, settings, algorithm, design, family)


def is_large(started: Started, design: Design) -> bool:
    """Tell whether weighed draws cost much less than chains: by size, not by a clock."""
    effects = sum(each.total for each in design.groupings)
    if started.ready.gram is not None:
        return effects >= _EFFECTS
    return effects >= _EFFECTS or design.rows >= _ROWS


def _if_safe(
    started: Started, settings: Settings, design: Design, family: Family
) -> Sampled | None:
    """Return weighed draws if their weights can be trusted, and say so either way."""
    aloud = settings.progress is not False
    try:
        found = _around_modes(started, settings, "importance", design, family)
    except EngineError:
        return None
    k, effective = (float(found.said[name]) for name in ("pareto_k", "effective_draws"))
    if k <= RELIABLE and effective >= _ENOUGH * settings.chains:
        progress.tell(
            f"algorithm='auto' took draws by importance (Pareto k {k:.2f}, {effective:,.0f} "
            "effective draws) instead of chains", aloud=aloud,
        )  # fmt: skip
        return found
    progress.tell(
        f"algorithm='auto' takes chains: importance weights can't be trusted (Pareto k {k:.2f}, "
        f"{effective:,.0f} effective draws)", aloud=aloud,
    )  # fmt: skip
    return None


def acceptance(adapt_delta: float | None, sums: Sums, design: Design) -> float:
    """Return what is aimed at: smaller steps where an sd has a long tail."""
    if adapt_delta is not None:
        return adapt_delta
    few = any(np.count_nonzero(each) <= _FEW_LEVELS for each in sums.level_counts(design))
    return _CAREFUL if few else Settings.adapt_delta


def _diverged(samples: Samples) -> int:
    return int(samples.stats["diverging"].sum())


def _in_small_steps(
    started: Started, settings: Settings, design: Design, family: Family, engine: str | Engine,
    first: Samples,
) -> Sampled:  # fmt: skip
    """Draw chains again whose steps left out a part of the posterior."""
    progress.tell(
        f"{count(_diverged(first), 'draw')} of {settings.chains * settings.draws:,} diverged: "
        f"chains are drawn again, in smaller steps (adapt_delta={_MOST_CAREFUL})",
        aloud=settings.progress is not False,
    )
    smaller = replace(settings, adapt_delta=_MOST_CAREFUL)
    found = _by_chains(started, smaller, engine, design, family)
    seconds = {name: each + first.seconds.get(name, 0.0)
               for name, each in found.samples.seconds.items()}  # fmt: skip
    return found._replace(samples=replace(found.samples, seconds=seconds))


def _by_chains(
    started: Started, settings: Settings, engine: str | Engine, design: Design, family: Family
) -> Sampled:
    """Sample by NUTS, from starts in the modes."""
    ready = started.ready
    inits = gradients.where_they_work(
        partial(chain_starts.inits, started, settings.chains, settings.seed)
    )
    runner = choose(engine, ready.program)
    samples = runner.sample(ready.program, ready.data, settings, keep=ready.keep, inits=inits)
    imputed = [each.name for each in family.imputed]
    own = {each.name: each.single for each in family.scalars(design) if each.name not in imputed}
    drawn = variables.drawn(samples.draws, own, shrinkage_data.of(ready.data), imputed)
    return Sampled(samples, drawn, {"algorithm": "nuts", "adapt_delta": settings.adapt_delta})


def _around_modes(
    started: Started, settings: Settings, algorithm: Algorithm, design: Design, family: Family
) -> Sampled:
    """Draw from around the modes, with weights or as they come."""
    start = time.perf_counter()
    shape = settings.chains, settings.draws
    found = mode_draws.draw(started, int(np.prod(shape)), settings.seed, algorithm)
    stats = {"lp": found.log_density.reshape(shape), "diverging": np.zeros(shape, dtype=np.bool_)}
    samples = Samples(
        draws={}, stats=stats, engine=Embedded.name,
        version=f"{algorithm}, Pareto k {found.pareto_k:.2f}, {Embedded().version}",
        seconds={"compile": 0.0, "sampling": time.perf_counter() - start}, messages=(),
    )  # fmt: skip
    said: dict[str, str | float] = {
        "algorithm": algorithm,
        "pareto_k": found.pareto_k,
        "effective_draws": found.effective,
    }
    drawn = _of_points(found.points, started, design, family)
    return Sampled(samples, _by_chain(drawn, shape), said)


def _of_points(points: Sequence[Point], started: Started, design: Design, family: Family) -> Drawn:
    """Values of a program's parameters (S, ...) at points."""
    ready = started.ready
    chart = Chart(ready.data)
    b = np.array([point.b for point in points])
    theta, own = np.array([point.own for point in points]), {}
    for each, part in by_parameter(family.scalars(design), theta, design):
        if each.of_thresholds:  # thresholds count from the intercept, with its sign turned
            own[each.name] = np.array([each.value(row, design) for row in part]) - b[:, :1]
        else:
            own[each.name] = (
                each.value(part[:, 0], design)
                if each.single
                else np.array([each.value(row, design) for row in part])
            )
    roots = [block_cholesky(point.cor, chart.blocks) for point in points]
    r = None if ready.gram is not None else np.array([point.r for point in points])
    shrunk = _shrunk(points, shrinkage_data.of(ready.data))
    df = 1 + np.exp([point.cor[len(point.cor) - chart.tails :] for point in points])
    log_spread, sizes = np.array([point.log_sd for point in points]), stan_data.sizes(ready.data)
    spread = np.exp(log_spread) if sizes.lengths else None
    sd = np.exp(sizes.log_sds(log_spread))
    return Drawn(b, sd, np.array(roots), own, r, shrunk, df, spread)


def _shrunk(points: Sequence[Point], shrinkage: Shrinkage | None) -> Shrunk | None:
    if shrinkage is None:
        return None
    sds = np.array([shrinkage.sds(point.own, point.local) for point in points])
    return shrinkage.drawn(sds, np.array([point.local for point in points]))


def _by_chain(drawn: Drawn, shape: tuple[int, int]) -> Drawn:
    def split(values: FloatArray) -> FloatArray:
        return values.reshape(*shape, *values.shape[1:])

    own = {name: split(values) for name, values in drawn.own.items()}
    r = None if drawn.r is None else split(drawn.r)
    shrunk, df = drawn.shrunk, None if drawn.df is None else split(drawn.df)
    if shrunk is not None:
        shrunk = shrunk._replace(sds=split(shrunk.sds), overall=split(shrunk.overall))
    spread = None if drawn.spread is None else split(drawn.spread)
    return Drawn(split(drawn.b), split(drawn.sd), split(drawn.L), own, r, shrunk, df, spread)
