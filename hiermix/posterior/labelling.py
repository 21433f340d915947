"""Names the draws of a program, with the effects that it integrated out, as results have them."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from hiermix.design.curve_factors import as_factors
from hiermix.design.design import Design
from hiermix.families import category_equations
from hiermix.posterior import draws as trees
from hiermix.posterior import effects_on_demand, level_step_draws, smooth_draws
from hiermix.posterior.effects_on_demand import HYPERDRAWS
from hiermix.posterior.on_demand import is_kept
from hiermix.statistics.conditional_effects import Hyperdraws
from hiermix.statistics.integrated_effects import (
    IntegratedEffects,
    hyperdraws,
    integrated_effects,
    split,
)
from hiermix.tuning import bar_origins
from hiermix.tuning.bar_origins import Origins
from hiermix.typing import Drawn, FloatArray, IntArray

if TYPE_CHECKING:
    import xarray as xr

    from hiermix.stan.assemble import Assembled


def labelled(
    ready: "Assembled",
    drawn: Drawn,
    seed: int,
    design: Design,
    origins: Origins,
    memory: int,
) -> "tuple[xr.Dataset, dict[str, xr.Dataset]]":
    """Name the draws, and draw the effects that were integrated out if `memory` holds them.

    Returns
    -------
    Dataset
        The posterior.
    dict of Dataset
        What effects that are not kept are drawn from.
    """
    if ready.gram is None:
        found = _sampled(ready, drawn, design, origins)
        return level_step_draws.expanded(found, design), {}
    whole = as_factors(design)
    moved = bar_origins.at_zero(drawn, whole.groupings, origins)
    posterior = trees.posterior(moved, {}, whole, ready.x_mean)
    if not whole.groupings:
        return posterior, {}
    draws = hyperdraws(drawn)
    effects = integrated(ready, draws, drawn.b.shape[:2], seed, design, origins)
    posterior = posterior.assign(smooth_draws.bends(whole, effects.of_levels))
    if not design.groupings:
        return posterior, {}
    found = effects_on_demand.with_effects(posterior, effects, design, memory)
    kept = is_kept(found)
    return found, {} if kept else {HYPERDRAWS: effects_on_demand.stored(draws, posterior)}


def _sampled(ready: "Assembled", drawn: Drawn, design: Design, origins: Origins) -> "xr.Dataset":
    """Name the draws of a program that samples the effects."""
    assert drawn.r is not None
    design = as_factors(design)
    in_order = tuple(design.grouping(each.name) for each in ready.groupings)
    design = replace(design, groupings=in_order)
    r = split(drawn.r, ready.groupings)
    each = []
    for part, effects in category_equations.take_apart(drawn, r, design):
        moved = bar_origins.at_zero(part, design.groupings, origins)
        at_zero = bar_origins.effects_at_zero(effects, design.groupings, origins)
        posterior = trees.posterior(moved, at_zero, design, ready.x_mean)
        each.append(posterior.assign(smooth_draws.bends(design, partial(_all, at_zero))))
    return category_equations.join(each, design)


def _all(effects: Mapping[str, FloatArray], name: str, _: IntArray) -> FloatArray:
    return effects[name]


def integrated(
    ready: "Assembled",
    draws: Hyperdraws,
    shape: tuple[int, ...],
    seed: int,
    design: Design,
    origins: Origins,
) -> IntegratedEffects:
    """Return what draws the effects that a program integrated out."""
    assert ready.gram is not None
    design = as_factors(design)
    shears = {each.name: bar_origins.shear(each, origins[each.name]) for each in design.groupings}
    chains, length = shape
    return integrated_effects(ready.gram, draws, design.groupings, shears, seed, (chains, length))
