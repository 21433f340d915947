"""Responses beside a curve: as they were seen, or averaged where single ones say little."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hiermix.design import kinds
from hiermix.design.design import Design
from hiermix.plots import style
from hiermix.posterior.posterior import Posterior
from hiermix.prediction.estimates import CATEGORY

_MANY = 1_500
"""Rows that would hide each other, and the curve."""
_BINS = 12
X, Y, SERIES, AVERAGED = "x", "y", "series", "averaged"


def observed(
    posterior: Posterior, x: str, by: str | None, values: Sequence[Any], scale: str
) -> pd.DataFrame | None:
    """Return rows along a column, with the curve that each is beside; None off their scale.

    Parameters
    ----------
    values
        Values of `by` that have a curve.
    """
    design, family = posterior.design, posterior.family
    if scale == "linear" or design.response is None:
        return None
    frame = pd.DataFrame({
        X: style.drawable(kinds.stored(design.column(x))).to_numpy(),
        SERIES: nearest(kinds.stored(design.column(by)), values) if by else 0,
    })  # fmt: skip
    if family.categories != "none" and scale == "response":
        parts = []
        if design.counts is not None:
            frame["weight_"] = design.counts.sum(axis=1)
        for place, label in enumerate(design.categories):
            frame[CATEGORY], frame[Y] = str(label), _share(design, place)
            parts.append(_averages(frame, [SERIES, CATEGORY]))
        return pd.concat(parts)
    assert design.observed is not None
    trials = 1.0 if design.trials is None else design.trials
    frame = frame.assign(**{Y: design.observed / trials, "weight_": trials})
    if family.binary or family.trials or len(frame) > _MANY:
        return _averages(frame, [SERIES])
    return frame.assign(**{AVERAGED: False})


def _share(design: Design, place: int) -> np.ndarray:
    """Return which rows are of a category; of counts the part of each row's that is."""
    if design.counts is None:
        return np.asarray(design.response == place + 1)
    total = np.maximum(design.counts.sum(axis=1), 1.0)
    return np.asarray(design.counts[:, place] / total)


def nearest(column: pd.Series, values: Sequence[Any]) -> np.ndarray:
    """Return the position of the value that each row has, or is next to; -1 where it has none."""
    if kinds.what(column) == "numeric" and not column.dropna().isin(list(values)).all():
        known = column.to_numpy(np.float64, na_value=np.nan)
        distance = np.abs(known[:, None] - np.array(values, dtype=float))
        return np.where(np.isnan(known), -1, np.argmin(distance, axis=1))
    place = {kinds.spelled(value): k for k, value in enumerate(values)}
    return column.astype(object).map(kinds.spelled).map(place).fillna(-1).to_numpy(dtype=int)


def _averages(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return weighted averages of rows: at each of few values, or in bins of as many rows."""
    x = frame[X]
    key: Any = x
    if pd.api.types.is_numeric_dtype(x.dtype) and len(x.unique()) > _BINS:
        edges = np.unique(np.quantile(x, np.linspace(0, 1, _BINS + 1))[1:-1])
        key = pd.Series(np.searchsorted(edges, x, side="right"), index=frame.index)
    elif x.dtype.kind == "M" and len(x.unique()) > 3 * _BINS:
        key = pd.qcut(x.rank(method="first"), 3 * _BINS, labels=False)
    weight = frame["weight_"] if "weight_" in frame else pd.Series(1.0, index=frame.index)
    sums = frame.assign(weight_=weight, weighed_=weight * frame[Y].astype(float), key_=key)
    groups = sums.groupby([*names, "key_"], observed=True, sort=True)
    found = groups.agg(weight_=("weight_", "sum"), weighed_=("weighed_", "sum"))
    middle = groups[X].mean() if pd.api.types.is_numeric_dtype(x.dtype) or (
        x.dtype.kind == "M") else groups[X].first()  # fmt: skip
    found[X], found[Y], found[AVERAGED] = middle, found["weighed_"] / found["weight_"], True
    return found.reset_index()[[*names, X, Y, AVERAGED]]


def has_levels(design: Design, name: str) -> bool:
    """Tell whether a column has places along an axis instead of numbers."""
    return bool(design.levels_of(name)) or kinds.what(kinds.stored(design.column(name))) in (
        "categories", "truth values",
    )  # fmt: skip
