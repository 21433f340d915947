"""Errors of point forecasts beside scores of draws: MASE, WAPE, bias, by series or by anything."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hiermix import options
from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.typing import FloatArray

POINTS = ("mase", "wape", "bias")


def naive_scale(so_far: pd.DataFrame, season: int) -> "pd.Series[float]":
    """Return the mean absolute error of the value a season before, by series (Hyndman, 2006).

    Not a number where a series has too few values to tell, or never moved.
    """
    ordered = so_far.sort_values("time", kind="stable")
    steps = ordered.groupby("series")["value"].diff(season).abs()
    scale = steps.groupby(ordered["series"]).mean()
    return scale.where(scale > 0)


def points(
    actual: FloatArray, mean: FloatArray, median: FloatArray, scale: ArrayLike
) -> pd.DataFrame:
    """Return what means are taken of: scaled and absolute errors of the median, errors of means."""
    off = np.abs(actual - median)
    scaled, size = off / np.asarray(scale), np.abs(actual)
    return pd.DataFrame({"mase": scaled, "off": off, "error": mean - actual, "size": size})


def means(each: pd.DataFrame, keys: list[str], losses: list[str]) -> pd.DataFrame:
    """Return mean scores, errors of points, and the number of rows, by some columns or of all."""
    whole = each if keys else each.assign(**{"": "all"})
    groups = whole.groupby(keys or [""], sort=False)
    found = groups[[*losses, "mase"]].mean()
    sums = groups[["off", "error", "size"]].sum()
    size = sums["size"].where(sums["size"] > 0)
    found = found.assign(wape=sums["off"] / size, bias=sums["error"] / size, rows=groups.size())
    return found if keys else found.rename_axis(None)


def grouped_by(by: str | Sequence[str], series: Sequence[str], known: list[str]) -> list[str]:
    """Return the columns that means are taken by; ``"series"`` stands for those that name one."""
    names = options.names("by", by)
    if names == ("series",) and "series" not in known:
        return list(series)
    for name in names:
        if name not in known:
            near = did_you_mean(str(name), known)
            raise ArgumentError(
                f"by names {quoted(name)}, not a column of the forecast's rows.{near} Columns: "
                f"{', '.join(map(repr, known)) or 'none'}"
            )
    return list(names)
