"""Errors of point forecasts beside scores of draws: MASE, WAPE, bias, by series or by anything."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hiermix import options
from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.typing import FloatArray

type Less = Callable[[FloatArray, FloatArray], FloatArray]
"""Values less others; of angles the shorter way around."""


def naive_scale(so_far: pd.DataFrame, season: int, off: Less = np.subtract) -> "pd.Series[float]":
    """Return the mean absolute error of the value a season before, by series (Hyndman, 2006).

    Not a number where a series has too few values to tell, or never moved.
    """
    ordered = so_far.sort_values("time", kind="stable")
    steps = changes(ordered, season, off).abs()
    scale = steps.groupby(ordered["series"]).mean()
    return pd.Series(scale.where(scale > 0))


def changes(ordered: pd.DataFrame, season: int, off: Less = np.subtract) -> "pd.Series[float]":
    """Return by how much values differ from those of their series a season before."""
    own, at = ordered["series"], places(ordered, season)
    known = ordered.set_index([own, at])["value"]
    before = known.reindex(pd.MultiIndex.from_arrays([own, at - season]))
    away = off(ordered["value"].to_numpy(np.float64), before.to_numpy(np.float64))
    return pd.Series(away, index=ordered.index)


def places(ordered: pd.DataFrame, season: int) -> "pd.Series[int]":
    """Return which of the times of a panel rows have, the last of all being 0.

    Where no series has all of these times from its first to its last row, as where each has times
    of its own, and without a season: which row of their series they are, its last being 0.
    """
    own = ordered.groupby("series")["time"]
    by_row = own.cumcount() - own.transform("size") + 1
    times = ordered["time"].rank(method="dense").astype(int)
    long = by_row <= -season
    first, last = (times.groupby(ordered["series"]).transform(end) for end in ("min", "max"))
    without_gaps = (last - first + 1 == own.transform("size"))[long].any()
    again = ordered.duplicated(["series", "time"]).any()
    return times - times.max() if season > 1 and without_gaps and not again else by_row


def points(
    actual: FloatArray,
    mean: FloatArray,
    median: FloatArray,
    scale: ArrayLike,
    less: Less = np.subtract,
) -> pd.DataFrame:
    """Return what means are taken of: scaled and absolute errors of the median, errors of means."""
    off = np.abs(less(actual, median))
    scaled, size = off / np.asarray(scale), np.abs(actual)
    return pd.DataFrame({"mase": scaled, "off": off, "error": -less(actual, mean), "size": size})


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
