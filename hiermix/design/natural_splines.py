"""``s(x)``: a curve of a column is a straight line and what bends it, in columns of one sd.

A natural cubic spline with knots at quantiles, linear beyond the outermost: what the data say of
its bends, its second derivative, is shrunk towards none by the penalty of smoothing splines, the
integral of its square (Wahba, 1990; Wood, 2017, section 5.3). In coordinates in which that is a sum
of squares, coefficients are normal with one sd. They are counted from the line that fits the rows
best, so that the line alone says where the curve goes on the whole; and their size is such that the
sd is that of a row's deviation from the line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, override

import numpy as np
import pandas as pd

from hiermix.design.batches import slices
from hiermix.design.curves import Curve, distinct_values, known_state, numbers, parts_of
from hiermix.design.encoding import Encoding
from hiermix.errors import DataError, count
from hiermix.formula.equations import qualified
from hiermix.formula.names import in_results
from hiermix.formula.terms.smooths import LEAST_SIZE, FactorSmooth, Smooth
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from scipy.interpolate import BSpline


_OF_ROWS = "center", "origin", "width", "line", "turn"
"""Fields of a curve that are of the rows it was fitted to, beside its spline."""


@dataclass(frozen=True, eq=False)
class NaturalSpline(Curve):
    """A natural cubic spline, less the line that fits the rows best."""

    center: float
    """Mean of the column, over the rows of the curve: what the straight line counts from."""
    origin: float
    """What the spline's argument counts from."""
    width: float
    """Half the way between the outermost knots: of a unit of the spline's argument."""
    spline: BSpline
    """What bends, K functions."""
    line: FloatArray
    """(2, K) what of `unpenalised` is taken off them."""
    turn: FloatArray
    """(K, K) orthogonal: turned by it, columns share next to nothing over the rows of the fit."""

    @property
    @override
    def size(self) -> int:
        return len(self.turn)

    @property
    @override
    def lines(self) -> tuple[str, ...]:
        also = ("intercept",) if self.part.column is not None and self.part.level is None else ()
        return tuple(f"{self.label}[{each}]" for each in (*also, "linear"))

    @override
    def straight(self, part: pd.DataFrame) -> FloatArray:
        """(n, 1) the column less its mean, of some rows; with the share of each in front."""
        share = self.part.of(part)
        slope = share * (numbers(part, self.column) - self.center)
        return np.column_stack([share, slope] if len(self.lines) > 1 else [slope])

    @property
    @override
    def state(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in _OF_ROWS}
        return own | {"knots": self.spline.t, "hats": self.spline.c, "degree": self.spline.k}

    @override
    def functions(self, part: pd.DataFrame) -> FloatArray:
        return self.values(part) - self.unpenalised(part) @ self.line

    def values(self, part: pd.DataFrame) -> FloatArray:
        """(n, K) of the spline."""
        return _extended(self.spline, self.argument(part))

    def unpenalised(self, part: pd.DataFrame) -> FloatArray:
        """(n, 2) curves that don't bend: a constant and a line."""
        return _line(self.argument(part))

    def argument(self, part: pd.DataFrame) -> FloatArray:
        """(n,) argument of the spline."""
        return (numbers(part, self.column) - self.origin) / self.width


def of_levels(
    smooth: FactorSmooth, encoded: pd.DataFrame, states: Mapping[str, Any] | None = None
) -> NaturalSpline:
    """Return the curve that each level of a factor has, counted from the line of all rows.

    With `states` as it was fitted before.
    """
    alone = Smooth(smooth.column, smooth.size, equation=smooth.equation)
    if states is None:
        found = next(fitted(alone, {}, encoded))
    else:
        state = known_state(smooth, smooth.label, states)
        found = next(known(alone, {}, {qualified(alone.label, smooth.equation): state}))
    return replace(found, label=in_results(smooth.label))


def known(
    smooth: Smooth,
    encodings: Mapping[str, Encoding],
    states: Mapping[str, Any],
    kind: type[NaturalSpline] = NaturalSpline,
) -> Iterator[NaturalSpline]:
    """Yield the curves of a smooth, of this kind, as they were fitted before."""
    from scipy.interpolate import BSpline

    for label, part in parts_of(smooth, encodings):
        state = known_state(smooth, label, states)
        own = {each: state[each] for each in _OF_ROWS}
        spline = BSpline(state["knots"], state["hats"], state["degree"])
        yield kind(in_results(label), smooth.equation, smooth.column, part, spline=spline, **own)


def fitted(
    smooth: Smooth, encodings: Mapping[str, Encoding], encoded: pd.DataFrame
) -> Iterator[NaturalSpline]:
    """Yield the curves of a smooth: one, or one for each level."""
    x = numbers(encoded, smooth.column)
    distinct = np.unique(x)
    enough(smooth, distinct)
    origin, width = float(x.mean()), float(distinct[-1] - distinct[0]) / 2
    places = np.linspace(0, len(distinct) - 1, smooth.size)
    knots = np.interp(places, np.arange(len(distinct)), distinct)
    spline = _whitened((knots - origin) / width)
    K = smooth.size - 2
    for label, part in parts_of(smooth, encodings):
        mine = x if part.level is None else x[part.of(encoded) > 0]
        distinct_values(label, smooth.column, part, mine, LEAST_SIZE)
        curve = NaturalSpline(
            in_results(label), smooth.equation, smooth.column, part, float(mine.mean()), origin,
            width, spline, np.zeros((2, K)), np.eye(K),
        )  # fmt: skip
        yield sized(curve, encoded)


def enough(smooth: Smooth, distinct: FloatArray) -> None:
    """Raise where a column has too few values for a curve."""
    if len(distinct) < LEAST_SIZE:
        raise DataError(
            f"{smooth}: {smooth.column!r} has {count(len(distinct), 'distinct value')}, and a "
            f"curve takes {LEAST_SIZE} or more: write {smooth.column}, a straight line, instead"
        )
    if len(distinct) < smooth.size:
        raise DataError(
            f"{smooth}: k is {smooth.size}, but {smooth.column!r} has "
            f"{count(len(distinct), 'distinct value')}: write k={len(distinct)} or less"
        )


def _whitened(knots: FloatArray) -> BSpline:
    """Return natural splines whose penalty is the sum of the squares of their coefficients.

    The second derivative of each is a sum of hats over the inner knots.
    """
    from scipy.interpolate import BSpline

    gaps = np.diff(knots)
    near = np.diag(gaps[1:-1] / 6, 1)
    penalty = np.diag((gaps[:-1] + gaps[1:]) / 3) + near + near.T
    inner = np.eye(len(knots))[:, 1:-1]
    ends = np.concatenate([knots[:1], knots, knots[-1:]])
    hats = np.linalg.solve(np.linalg.cholesky(penalty), inner.T).T
    return BSpline(ends, hats, 1).antiderivative(2)


def sized(curve: NaturalSpline, encoded: pd.DataFrame) -> NaturalSpline:
    """Take off what doesn't bend, over rows that have the curve, and give splines their size."""
    from scipy.interpolate import BSpline

    share = curve.part.of(encoded)
    XtX, XtZ = np.zeros((len(curve.line),) * 2), np.zeros_like(curve.line)
    for rows in slices(len(encoded)):
        part = encoded.iloc[rows]
        X = share[rows, None] * curve.unpenalised(part)
        XtX += X.T @ X
        XtZ += X.T @ curve.bent(part)
    left = replace(curve, line=np.linalg.lstsq(XtX, XtZ, rcond=None)[0])
    square = sum(Z.T @ Z for Z in (left.bent(encoded.iloc[rows]) for rows in slices(len(encoded))))
    size = np.sqrt(np.trace(square) / np.sum(share**2))
    spline = BSpline(curve.spline.t, curve.spline.c / size, curve.spline.k)
    return replace(left, spline=spline, line=left.line / size, turn=np.linalg.eigh(square)[1])


def _line(t: FloatArray) -> FloatArray:
    return np.column_stack([np.ones(len(t)), t])


def _extended(spline: BSpline, t: FloatArray) -> FloatArray:
    """Values (n, K), along the tangents beyond the outermost knots."""
    ends = spline.t[[0, -1]]
    inside = np.clip(t, *ends)
    slope = spline.derivative()(ends)
    beyond = (t - inside)[:, None]
    return np.asarray(spline(inside) + beyond * np.where(beyond < 0, slope[0], slope[1]))
