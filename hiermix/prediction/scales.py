"""On which scale an answer is, and how two numbers are compared on it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from hiermix import options
from hiermix.errors import ArgumentError
from hiermix.families import circular
from hiermix.families.family import Family
from hiermix.families.links import unchanged
from hiermix.typing import FloatArray

type Contrast = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class Scale:
    """One row of the table."""

    name: str
    of: str
    """What is averaged: the response, its mean, or the linear predictor."""
    contrast: Contrast
    """Compares two averages."""
    between: Contrast
    """Compares two such comparisons."""
    null: float
    """A comparison that says: no difference."""
    written: str
    compares: bool = False
    """Whether it is a scale of comparisons alone."""
    numbers: Callable[[FloatArray], FloatArray] = unchanged
    """Draws (n, S, ...) as numbers that have quantiles."""


def _difference(high: FloatArray, low: FloatArray) -> FloatArray:
    return high - low


def _ratio(high: FloatArray, low: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(high / low)


def _lift(high: FloatArray, low: FloatArray) -> FloatArray:
    return _ratio(high - low, low)


def _odds_ratio(high: FloatArray, low: FloatArray) -> FloatArray:
    return _ratio(_ratio(high, 1 - high), _ratio(low, 1 - low))


def _of_differences(name: str, of: str) -> Scale:
    return Scale(name, of, _difference, _difference, 0.0, "{high} - {low}")


def _of_ratios(name: str) -> Scale:
    return Scale(name, "response", _ratio, _ratio, 1.0, "{high} / {low}", True)


_ROWS = (
    _of_differences("response", "response"),
    _of_differences("linear", "linear"),
    _of_differences("mean", "mean"),
    _of_ratios("ratio"),
    _of_ratios("rate ratio"),
    _of_ratios("risk ratio"),
    Scale("odds ratio", "response", _odds_ratio, _ratio, 1.0, "odds({high}) / odds({low})", True),
    Scale("lift", "response", _lift, _difference, 0.0, "{high} / {low} - 1", True),
)
SCALES = {row.name: row for row in _ROWS}

_OF_SHARES = ("logit", "probit", "cloglog")


def scale_of(scale: str, family: Family, *, comparing: bool) -> Scale:
    """Return a row of the table.

    Raises
    ------
    ArgumentError
        No such scale; odds of what is no probability; a ratio of one number.
    """
    name = scale.replace("_", " ") if isinstance(scale, str) else scale
    options.one_of("scale", name, tuple(SCALES))
    found = SCALES[name]
    if found.compares and not comparing:
        raise ArgumentError(
            f"scale={scale!r} compares two numbers: ask for comparisons(), or for a hypothesis "
            "such as 'pairwise'"
        )
    if found.compares and family.circular:
        raise ArgumentError(
            f"scale={scale!r} is for numbers: angles of family {family.name!r} have "
            "scale='response', the shorter way from one to the other"
        )
    if name == "odds ratio" and family.link not in _OF_SHARES:
        raise ArgumentError(
            f"scale='odds ratio' is for probabilities: family {family.name!r} has scale='ratio'"
        )
    if name == "mean" and family.unordered:
        raise ArgumentError("scale='mean' is for numbers: categories have scale='response'")
    if family.circular and found.of != "linear":
        around = partial(circular.around, axis=1)
        return replace(
            found, contrast=circular.difference, between=circular.difference, numbers=around
        )
    return found


def kind_of(scale: Scale, family: Family) -> str:
    """Return what is averaged over rows, by the name that predictions have for it."""
    if scale.of == "linear":
        return "linear"
    by_category = family.categories != "none"
    return "probability" if by_category and scale.of == "response" else "mean"
