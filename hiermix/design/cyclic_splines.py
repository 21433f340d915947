"""``s(hour, bs="cc", lower=0, upper=24)``: a curve that meets its beginning.

Periodic cubic splines with evenly spaced knots, shrunk by the integral of the squared second
derivative over a period (Wood, 2017, section 5.3.2). A line is no such curve, so that there is a
constant alone to take off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, override

import numpy as np
import pandas as pd

from hiermix.design.curves import distinct_values, numbers, parts_of
from hiermix.design.encoding import Encoding
from hiermix.design.natural_splines import NaturalSpline, enough, sized
from hiermix.errors import count
from hiermix.formula.names import in_results
from hiermix.formula.terms.smooths import LEAST_SIZE, Smooth
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from scipy.interpolate import BSpline


@dataclass(frozen=True, eq=False)
class CyclicSpline(NaturalSpline):
    """A periodic cubic spline, less its mean over the rows; its argument is a share of a period."""

    @property
    @override
    def lines(self) -> tuple[str, ...]:
        times = self.part.column is not None and self.part.level is None
        return (f"{self.label}[intercept]",) if times else ()

    @property
    @override
    def described(self) -> str:
        return f"{count(self.size, 'column')}, with a period of {self.width:.6g}"

    @override
    def straight(self, part: pd.DataFrame) -> FloatArray:
        return self.part.of(part)[:, None][:, : len(self.lines)]

    @override
    def argument(self, part: pd.DataFrame) -> FloatArray:
        return (numbers(part, self.column) - self.origin) / self.width % 1.0

    @override
    def values(self, part: pd.DataFrame) -> FloatArray:
        return np.asarray(self.spline(self.argument(part)))

    @override
    def unpenalised(self, part: pd.DataFrame) -> FloatArray:
        return np.ones((len(part), 1))


def fitted(
    smooth: Smooth, encodings: Mapping[str, Encoding], encoded: pd.DataFrame
) -> Iterator[NaturalSpline]:
    """Yield the curves of a smooth: one, or one for each level."""
    assert smooth.period is not None
    lower, upper = smooth.period
    place = (numbers(encoded, smooth.column) - lower) / (upper - lower) % 1.0
    enough(smooth, np.unique(place))
    spline, K = _whitened(smooth.size - 1), smooth.size - 2
    for label, part in parts_of(smooth, encodings):
        mine = place if part.level is None else place[part.of(encoded) > 0]
        distinct_values(label, smooth.column, part, mine, LEAST_SIZE)
        curve = CyclicSpline(
            in_results(label), smooth.equation, smooth.column, part, 0.0, lower, upper - lower,
            spline, np.zeros((1, K)), np.eye(K),
        )  # fmt: skip
        yield sized(curve, encoded)


def _whitened(knots: int) -> BSpline:
    """Return periodic splines whose penalty is the sum of the squares of their coefficients."""
    from scipy.interpolate import BSpline, make_interp_spline

    at = np.linspace(0.0, 1.0, knots + 1)
    values = np.eye(knots)[np.arange(knots + 1) % knots]
    cardinal = make_interp_spline(at, values, 3, bc_type="periodic")
    # Second derivatives are straight between knots: Simpson's rule is exact.
    second = cardinal.derivative(2)
    ends, middle = second(at[:-1]), second((at[:-1] + at[1:]) / 2)
    penalty = (2 * ends.T @ ends + 4 * middle.T @ middle) / (6 * knots)
    differences = np.eye(knots)[:, :-1] - np.eye(knots)[:, 1:]  # a constant has no penalty
    root = np.linalg.cholesky(differences.T @ penalty @ differences)
    return BSpline(cardinal.t, np.linalg.solve(root, (cardinal.c @ differences).T).T, 3)
