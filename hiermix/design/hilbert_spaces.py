"""``hsgp(x)``: a Gaussian process as columns of sines (Riutort-Mayol et al., 2022).

A process of squared-exponential covariance, ``sd² exp(-(x - x')² / 2 lengthscale²)``, on a range of
half width S: the K first eigenfunctions of the Laplacian on a range c times as wide, where they are
zero at the ends. Their coefficients are independent and normal; the variance of each is the
spectral density of the process at its frequency.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, override

import numpy as np
import pandas as pd

from hiermix.design.curves import Curve, Part, distinct_values, known_state, numbers, parts_of
from hiermix.design.encoding import Encoding
from hiermix.errors import DataError, at_rows, count, first_three
from hiermix.formula.names import in_results
from hiermix.formula.terms.gaussian_processes import Process
from hiermix.typing import FloatArray

_LEAST = 2
"""Distinct values that a curve takes."""
_SLACK = 0.01
"""Of the range: what is asked for so near to it, as slopes at its ends are, is answered."""
_RESOLVED = 1.75
"""Lengthscales that K columns tell are at least this times c / K half widths: their equation 20."""


@dataclass(frozen=True, eq=False)
class ProcessCurve(Curve):
    """A process, with the range that it is for."""

    low: float
    high: float
    factor: float
    """c"""
    number: int
    """K"""

    @property
    @override
    def size(self) -> int:
        return self.number

    @property
    def half(self) -> float:
        """Half the width of the range of the columns: c S."""
        return self.factor * (self.high - self.low) / 2

    @property
    def frequency(self) -> FloatArray:
        """(K,) of each column, in radians a unit of x."""
        return np.asarray(np.pi * np.arange(1, self.number + 1) / (2 * self.half))

    @property
    def told(self) -> tuple[float, float]:
        """Shortest lengthscale that the columns can follow, and the width of the range."""
        return _RESOLVED * self.half / self.number, self.high - self.low

    @property
    @override
    def described(self) -> str:
        return f"{count(self.size, 'column')}, for values from {self.low:.6g} to {self.high:.6g}"

    @property
    @override
    def state(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high}

    @override
    def functions(self, part: pd.DataFrame) -> FloatArray:
        share, x = self.part.of(part), numbers(part, self.column)
        slack = _SLACK * (self.high - self.low)
        outside = (x < self.low - slack) | (x > self.high + slack)
        away = np.flatnonzero((share != 0) & outside)
        if len(away):
            raise DataError(
                f"{self.label}: {self.column!r} lies outside of the range of the process, "
                f"{self.low:.6g} to {self.high:.6g} {at_rows(away)}: "
                f"{first_three(x[away].tolist())}. Say lower= and upper= in the formula, "
                f"hsgp({self.column}, ..., lower=a, upper=b), to have it fitted on a wider one"
            )
        start = (self.low + self.high) / 2 - self.half
        waves = np.sin((x - start)[:, None] * self.frequency)
        return np.asarray(waves / np.sqrt(self.half))


def known(
    term: Process, encodings: Mapping[str, Encoding], states: Mapping[str, Any]
) -> Iterator[ProcessCurve]:
    """Yield the curves of a term as they were fitted before."""
    for label, part in parts_of(term, encodings):
        state = known_state(term, label, states)
        yield _curve(term, label, part, float(state["low"]), float(state["high"]))


def fitted(
    term: Process, encodings: Mapping[str, Encoding], encoded: pd.DataFrame
) -> Iterator[ProcessCurve]:
    """Yield the curves of a term: one, or one for each level, all on the range of all rows."""
    x = numbers(encoded, term.column)
    low, high = _range(term, x)
    for label, part in parts_of(term, encodings):
        if part.level is not None:
            distinct_values(label, term.column, part, x[part.of(encoded) > 0], _LEAST)
        yield _curve(term, label, part, low, high)


def _curve(term: Process, label: str, part: Part, low: float, high: float) -> ProcessCurve:
    return ProcessCurve(
        in_results(label), term.equation, term.column, part, low, high, term.factor, term.size
    )


def _range(term: Process, x: FloatArray) -> tuple[float, float]:
    distinct = len(np.unique(x))
    if distinct < _LEAST:
        raise DataError(
            f"{term}: {term.column!r} has {count(distinct, 'distinct value')}, and a curve takes "
            f"{_LEAST} or more: leave it out"
        )
    low = x.min() if term.lower is None else term.lower
    high = x.max() if term.upper is None else term.upper
    away = np.flatnonzero((x < low) | (x > high))
    if len(away):
        raise DataError(
            f"{term}: {count(len(away), 'value')} of {term.column!r} outside of {low:g} to "
            f"{high:g} {at_rows(away)}: {first_three(x[away].tolist())}. The range has to hold "
            "all rows"
        )
    return float(low), float(high)
