"""Tables of the groups: effects, and coefficients, per level with intervals."""

from typing import TYPE_CHECKING

import pandas as pd

from hiermix.design.design import Design
from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.posterior.intervals import ends

if TYPE_CHECKING:
    import xarray as xr


def group_effects(tree: "xr.DataTree", design: Design, group: str, prob: float) -> pd.DataFrame:
    """Mean, sd and interval of the effects, one row a level and effect (of each category)."""
    return _table(effect_draws(tree, design, group), group, prob)


def coefficients(tree: "xr.DataTree", design: Design, group: str, prob: float) -> pd.DataFrame:
    """Mean, sd and interval of population coefficient plus effect."""
    return _table(coefficient_draws(tree, design, group), group, prob)


def effect_draws(tree: "xr.DataTree", design: Design, group: str) -> "xr.DataArray":
    """Draws of the effects (chain, draw, level, effect); categories come before the level."""
    names = [each.name for each in design.groupings]
    if group not in names:
        near = did_you_mean(str(group), names)
        known = ", ".join(map(repr, names)) or "none"
        raise ArgumentError(
            f"{quoted(group)} is no grouping factor of this fit.{near} Known: {known}"
        )
    effects: xr.DataArray = tree.posterior[f"r_{group}"]
    return effects


def coefficient_draws(
    tree: "xr.DataTree", design: Design, group: str, level: object = None
) -> "xr.DataArray":
    """Draws of population coefficient plus effect; effects of no population term stand alone.

    Of all levels, or only of one.
    """
    effects = effect_draws(tree, design, group)
    effects = (effects if level is None else effects.sel({effects.dims[-2]: [level]})).copy()
    posterior = tree.posterior
    for effect in design.grouping(group).effects:
        where = {f"{group}_effect": effect}
        if effect == "Intercept" and "Intercept" in posterior:
            effects.loc[where] = effects.loc[where] + posterior["Intercept"]
        elif effect != "Intercept" and effect in design.terms:
            population = posterior["b"].sel(term=effect, drop=True)
            effects.loc[where] = effects.loc[where] + population
    return effects


def _table(draws: "xr.DataArray", group: str, prob: float) -> pd.DataFrame:
    dims = draws.dims[2:]
    values = draws.to_numpy().reshape(draws.sizes["chain"] * draws.sizes["draw"], -1)
    index = pd.MultiIndex.from_product(
        [draws[dim].to_numpy() for dim in dims], names=[*dims[:-2], group, "effect"]
    )
    columns = {"mean": values.mean(axis=0), "sd": values.std(axis=0, ddof=1)}
    return pd.DataFrame({**columns, **ends(values, prob)}, index=index)
