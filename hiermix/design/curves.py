"""Smooths: a curve of a column is a straight line and what bends it, in columns of one sd.

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
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix.design import column_checks
from hiermix.design.batches import slices
from hiermix.design.encoding import Encoding
from hiermix.design.specs import BROUGHT, brought
from hiermix.errors import DataError, count, quoted
from hiermix.formula.equations import MU, qualified
from hiermix.formula.formula import Formula
from hiermix.formula.names import alias, in_results
from hiermix.formula.terms.smooths import LEAST_SIZE, Smooth
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from scipy.interpolate import BSpline


_OF_ROWS = "center", "origin", "width", "line", "turn"
"""Fields of a curve that are of the rows it was fitted to, beside its spline."""


@dataclass(frozen=True, eq=False)
class Part:
    """Which rows a curve is for, and how much of it they have."""

    column: str | None = None
    """None: all rows have it."""
    level: object = None
    """None: as much as the column says."""

    def of(self, part: pd.DataFrame) -> FloatArray:
        """(n,) share of some rows, of an encoded frame."""
        if self.column is None:
            return np.ones(len(part))
        values = part[alias(self.column)]
        if self.level is None:
            return values.to_numpy(dtype=np.float64)
        return np.asarray(values == self.level, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve, with all that puts new rows through it."""

    label: str
    """In its equation."""
    equation: str
    column: str
    part: Part
    center: float
    """Mean of the column, over the rows of the curve: what the straight line counts from."""
    origin: float
    """What the spline's argument counts from."""
    width: float
    """Half the way between the outermost knots: of a unit of the spline's argument."""
    spline: BSpline
    """What bends, K functions."""
    line: FloatArray
    """(2, K) what is taken off them: a constant, and a slope."""
    turn: FloatArray
    """(K, K) orthogonal: turned by it, columns share next to nothing over the rows of the fit."""

    @property
    def name(self) -> str:
        """Its label among those of all equations."""
        return qualified(self.label, self.equation)

    @property
    def lines(self) -> tuple[str, ...]:
        """Labels of the columns of the straight line."""
        also = ("intercept",) if self.part.column is not None and self.part.level is None else ()
        return tuple(f"{self.label}[{each}]" for each in (*also, "linear"))

    @property
    def bends(self) -> tuple[str, ...]:
        """Labels of the columns of one sd."""
        return tuple(f"{self.name}[{place}]" for place in range(1, self.line.shape[1] + 1))

    def straight(self, part: pd.DataFrame) -> FloatArray:
        """(n, 1) the column less its mean, of some rows; with the share of each in front."""
        share = self.part.of(part)
        slope = share * (_numbers(part, self.column) - self.center)
        return np.column_stack([share, slope] if len(self.lines) > 1 else [slope])

    def bent(self, part: pd.DataFrame) -> FloatArray:
        """(n, K) columns of one sd, of some rows."""
        if BROUGHT in part and self.equation == MU:
            return brought(part, self.bends)
        t = self.argument(part)
        return self.part.of(part)[:, None] * (_extended(self.spline, t) - _line(t) @ self.line)

    def along(self, x: FloatArray) -> FloatArray:
        """(n, lines and bends) all columns at some values, for a row that has the whole of it."""
        whole = replace(self, part=Part())
        part = pd.DataFrame({alias(self.column): x})
        constant = np.ones((len(x), len(self.lines) - 1))
        return np.hstack([constant, whole.straight(part), whole.bent(part)])

    @property
    def state(self) -> dict[str, Any]:
        """What it knows of all rows."""
        numbers = {name: getattr(self, name) for name in _OF_ROWS}
        return numbers | {"knots": self.spline.t, "hats": self.spline.c, "degree": self.spline.k}

    def argument(self, part: pd.DataFrame) -> FloatArray:
        """(n,) argument of the spline."""
        return (_numbers(part, self.column) - self.origin) / self.width


def curves_of(
    formula: Formula,
    encodings: Mapping[str, Encoding],
    encoded: pd.DataFrame,
    states: Mapping[str, Any] | None = None,
) -> tuple[Curve, ...]:
    """Return the curves of a formula, fitted to the rows of an encoded frame.

    With `states`, those of curves that were fitted before are taken as they are.
    """
    found: list[Curve] = []
    for smooth in formula.specials:
        if isinstance(smooth, Smooth):
            known = states is not None
            found += (
                _known(smooth, encodings, states) if known else _fitted(smooth, encodings, encoded)
            )
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{name} stands in the formula twice: keep one")
    return tuple(found)


def _known(
    smooth: Smooth, encodings: Mapping[str, Encoding], states: Mapping[str, Any] | None
) -> Iterator[Curve]:
    """Yield the curves of a smooth as they were fitted before."""
    from scipy.interpolate import BSpline

    for label, part in _parts(smooth, encodings):
        name = in_results(label)
        state = (states or {}).get(qualified(name, smooth.equation))
        if state is None:
            raise column_checks.no_state(str(smooth))
        numbers = {each: state[each] for each in _OF_ROWS}
        spline = BSpline(state["knots"], state["hats"], state["degree"])
        yield Curve(name, smooth.equation, smooth.column, part, spline=spline, **numbers)


def _fitted(
    smooth: Smooth, encodings: Mapping[str, Encoding], encoded: pd.DataFrame
) -> Iterator[Curve]:
    """Yield the curves of a smooth: one, or one for each level."""
    x = _numbers(encoded, smooth.column)
    distinct = np.unique(x)
    _enough(smooth, distinct)
    origin, width = float(x.mean()), float(distinct[-1] - distinct[0]) / 2
    places = np.linspace(0, len(distinct) - 1, smooth.size)
    knots = np.interp(places, np.arange(len(distinct)), distinct)
    spline = _whitened((knots - origin) / width)
    K = smooth.size - 2
    for label, part in _parts(smooth, encodings):
        mine = x if part.level is None else x[part.of(encoded) > 0]
        _enough_of(label, smooth.column, part, mine)
        curve = Curve(
            in_results(label), smooth.equation, smooth.column, part, float(mine.mean()), origin,
            width, spline, np.zeros((2, K)), np.eye(K),
        )  # fmt: skip
        yield _sized(curve, encoded)


def _parts(smooth: Smooth, encodings: Mapping[str, Encoding]) -> Iterator[tuple[str, Part]]:
    if smooth.by is None:
        yield smooth.label, Part()
        return
    levels = encodings[smooth.by].levels
    if levels is None:
        yield smooth.label, Part(smooth.by)
        return
    for level in levels:
        yield f"{smooth.label}[{level}]", Part(smooth.by, level)


def _enough(smooth: Smooth, distinct: FloatArray) -> None:
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


def _enough_of(label: str, column: str, part: Part, x: FloatArray) -> None:
    distinct = len(np.unique(x))
    if distinct < LEAST_SIZE:
        raise DataError(
            f"{label}: where {part.column!r} is {quoted(part.level)}, {column!r} has "
            f"{count(distinct, 'distinct value')}, and a curve takes {LEAST_SIZE} or more"
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


def _sized(curve: Curve, encoded: pd.DataFrame) -> Curve:
    """Take off the line, over the rows that have the curve, and give the splines their size."""
    from scipy.interpolate import BSpline

    share = curve.part.of(encoded)
    XtX, XtZ = np.zeros((2, 2)), np.zeros_like(curve.line)
    for rows in slices(len(encoded)):
        part = encoded.iloc[rows]
        X = share[rows, None] * _line(curve.argument(part))
        XtX += X.T @ X
        XtZ += X.T @ curve.bent(part)
    left = replace(curve, line=np.linalg.lstsq(XtX, XtZ, rcond=None)[0])
    square = sum(Z.T @ Z for Z in (left.bent(encoded.iloc[rows]) for rows in slices(len(encoded))))
    size = np.sqrt(np.trace(square) / np.sum(share**2))
    spline = BSpline(curve.spline.t, curve.spline.c / size, curve.spline.k)
    return replace(left, spline=spline, line=left.line / size, turn=np.linalg.eigh(square)[1])


def _numbers(part: pd.DataFrame, column: str) -> FloatArray:
    return np.asarray(part[alias(column)].to_numpy(dtype=np.float64))


def _line(t: FloatArray) -> FloatArray:
    return np.column_stack([np.ones(len(t)), t])


def _extended(spline: BSpline, t: FloatArray) -> FloatArray:
    """Values (n, K), along the tangents beyond the outermost knots."""
    ends = spline.t[[0, -1]]
    inside = np.clip(t, *ends)
    slope = spline.derivative()(ends)
    beyond = (t - inside)[:, None]
    return np.asarray(spline(inside) + beyond * np.where(beyond < 0, slope[0], slope[1]))
