"""Tables of the groups: effects, and coefficients, per level with intervals."""

from typing import TYPE_CHECKING

import pandas as pd

from hiermix.posterior.intervals import ends
from hiermix.posterior.posterior import Posterior

if TYPE_CHECKING:
    import xarray as xr


def group_effects(posterior: Posterior, group: str, *, prob: float = 0.95) -> pd.DataFrame:
    """Deviations of each level from the population, with intervals.

    Parameters
    ----------
    group : str
        Grouping factor.
    prob : float
        Probability of the equal-tailed interval.

    Returns
    -------
    DataFrame
        One row a level and effect, of each category if there are any: mean, sd, interval.
    """
    return _table(posterior.effects(group), posterior.grouping(group).name, prob)


def coefficients(posterior: Posterior, group: str, *, prob: float = 0.95) -> pd.DataFrame:
    """Coefficients of each level, population plus group effect, with intervals.

    Parameters and returns are those of `group_effects`.
    """
    return _table(posterior.group_coefficients(group), posterior.grouping(group).name, prob)


def _table(draws: "xr.DataArray", group: str, prob: float) -> pd.DataFrame:
    dims = draws.dims[2:]
    values = draws.to_numpy().reshape(draws.sizes["chain"] * draws.sizes["draw"], -1)
    index = pd.MultiIndex.from_product(
        [draws[dim].to_numpy() for dim in dims], names=[*dims[:-2], group, "effect"]
    )
    columns = {"mean": values.mean(axis=0), "sd": values.std(axis=0, ddof=1)}
    return pd.DataFrame({**columns, **ends(values, prob)}, index=index)
