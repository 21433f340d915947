"""Tables of the groups: effects, and coefficients, per level with intervals."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix import table_files
from hiermix.posterior.intervals import names, tails
from hiermix.posterior.posterior import Posterior
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr


def group_effects(
    posterior: Posterior, group: str, *, prob: float = 0.95, into: str | Path | None = None
) -> pd.DataFrame | Path:
    """Deviations of each level from the population, with intervals.

    Parameters
    ----------
    group : str
        Grouping factor.
    prob : float
        Probability of the equal-tailed interval.
    into : path, optional
        Write the table to this Parquet file, some levels after the other, and return its path.

    Returns
    -------
    DataFrame
        One row a level and effect, of each category if there are any: mean, sd, interval.
    """
    return _table(posterior, group, "effects", prob, into)


def coefficients(
    posterior: Posterior, group: str, *, prob: float = 0.95, into: str | Path | None = None
) -> pd.DataFrame | Path:
    """Coefficients of each level, population plus group effect, with intervals.

    Parameters and returns are those of `group_effects`.
    """
    return _table(posterior, group, "coefficients", prob, into)


def _table(
    posterior: Posterior, group: str, kind: str, prob: float, into: str | Path | None
) -> pd.DataFrame | Path:
    group, probs = posterior.grouping(group).name, np.array(tails(prob))
    columns = ["mean", "sd", *names(prob)]
    if into is not None:
        pieces = (
            _frame(part, group, columns, _figures(part, probs)).reset_index()
            for part in posterior.level_blocks(group, kind)
        )
        return table_files.write(pieces, table_files.table_path(into))
    found = posterior.by_level(group, kind, lambda part: _figures(part, probs))
    return _frame(posterior.effects(group), group, columns, found)


def _figures(draws: "xr.DataArray", probs: FloatArray) -> FloatArray:
    """Return mean, sd and quantiles (4, ..., level, effect)."""
    flat = draws.to_numpy().reshape(draws.sizes["chain"] * draws.sizes["draw"], *draws.shape[2:])
    last = np.ascontiguousarray(np.moveaxis(flat, 0, -1))  # draws of a level beside each other
    figures = last.mean(axis=-1), last.std(axis=-1, ddof=1), *np.quantile(last, probs, axis=-1)
    return np.stack(figures)


def _frame(
    draws: "xr.DataArray", group: str, columns: list[str], found: FloatArray
) -> pd.DataFrame:
    dims = draws.dims[2:]
    index = pd.MultiIndex.from_product(
        [draws[dim].to_numpy() for dim in dims], names=[*dims[:-2], group, "effect"]
    )
    return pd.DataFrame(dict(zip(columns, found.reshape(len(columns), -1), strict=True)),
                        index=index)  # fmt: skip
