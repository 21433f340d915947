"""Names the draws of a program, with the effects that it integrated out, as results have them."""

from typing import TYPE_CHECKING

from hiermix.design.design import Design
from hiermix.families import category_equations
from hiermix.families.family import Family
from hiermix.posterior import draws as trees
from hiermix.stan.assemble import Assembled
from hiermix.statistics import conditional_effects
from hiermix.tuning import bar_origins
from hiermix.tuning.bar_origins import Origins
from hiermix.typing import Drawn

if TYPE_CHECKING:
    import xarray as xr


def labelled(
    ready: Assembled,
    drawn: Drawn,
    seed: int,
    design: Design,
    family: Family,
    origins: Origins,
) -> "xr.Dataset":
    """Name the draws and draw the effects that were integrated out."""
    r = conditional_effects.all_factors(ready.gram, drawn, ready.groupings, seed)
    unordered = family.unordered
    parts = (category_equations.take_apart(drawn, r, design) if unordered
             else [(drawn, r)])  # fmt: skip
    each = []
    for part in parts:
        moved = bar_origins.at_zero(*part, design.groupings, origins)
        each.append(trees.posterior(*moved, design, ready.x_mean))
    return category_equations.join(each, design) if unordered else each[0]
