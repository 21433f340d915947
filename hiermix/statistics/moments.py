"""Moments: sums over rows, which add up over any pieces of them; a vector space.

They are counted from a pilot fit, so that nothing large is subtracted from something equally large
when they are moved to the least-squares fit; see `gram`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hiermix.design.batches import slices
from hiermix.design.design import Design
from hiermix.design.factor import Factor
from hiermix.typing import FloatArray

_PILOT = 20_000
"""Rows of the frame from which a pilot is fitted."""


@dataclass(frozen=True, eq=False)
class Pilot:
    """What moments are counted from: any fit will do, one near least squares keeps the digits."""

    center: FloatArray
    """(P,) subtracted from the columns of X."""
    b: FloatArray
    """(P,) coefficients of the centred columns."""

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Pilot)
            and np.array_equal(self.center, other.center)
            and np.array_equal(self.b, other.b)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, eq=False)
class Moments:
    """Weighted sums over rows, with e = y - X b of the pilot; J levels.

    ``a + b`` are those of the rows of both, ``a - b`` of those of a without those of b, ``2 * a``
    of rows that count twice.
    """

    pilot: Pilot
    n: float
    """Rows, or the sum of their weights."""
    XtX: FloatArray
    """(P, P)"""
    Xte: FloatArray
    """(P,)"""
    ete: float
    ZtZ: FloatArray
    """(J, Q, Q)"""
    ZtX: FloatArray
    """(J, Q, P)"""
    Zte: FloatArray
    """(J, Q)"""

    def __add__(self, other: Moments) -> Moments:
        return self._with(other, operator.add)

    def __sub__(self, other: Moments) -> Moments:
        return self._with(other, operator.sub)

    def __mul__(self, times: float) -> Moments:
        return Moments(self.pilot, *(times * each for each in self._sums()))

    __rmul__ = __mul__

    def _sums(self) -> tuple[Any, ...]:
        return self.n, self.XtX, self.Xte, self.ete, self.ZtZ, self.ZtX, self.Zte

    def _with(self, other: Moments, combine: Callable[[Any, Any], Any]) -> Moments:
        if self.pilot != other.pilot:
            raise ValueError("moments around two pilots can't be added")
        pairs = zip(self._sums(), other._sums(), strict=True)
        return Moments(self.pilot, *(combine(mine, theirs) for mine, theirs in pairs))


def none(pilot: Pilot, J: int, Q: int) -> Moments:
    """Return the moments of no rows: zero of the vector space."""
    P = len(pilot.b)
    return Moments(
        pilot, 0.0, np.zeros((P, P)), np.zeros(P), 0.0,
        np.zeros((J, Q, Q)), np.zeros((J, Q, P)), np.zeros((J, Q)),
    )  # fmt: skip


def pilot_of(design: Design, response: FloatArray) -> Pilot:
    """Means of X and a least-squares fit from rows spread over the frame."""
    rows = slice(None, None, max(1, design.rows // _PILOT))
    X, y = design.X(rows), response[rows]
    center = np.zeros(X.shape[1])
    if "Intercept" in design.terms:
        center[1:] = X[:, 1:].mean(axis=0)
    return fitted_pilot(X, y, center)


def fitted_pilot(X: FloatArray, y: FloatArray, center: FloatArray) -> Pilot:
    """Return the least-squares fit to some rows, with these means subtracted from the columns."""
    X = X - center
    size = np.sqrt(np.mean(X**2, axis=0))
    size[size == 0] = 1.0
    return Pilot(center, np.linalg.lstsq(X / size, y, rcond=None)[0] / size)


def moments(
    design: Design,
    name: str | None,
    response: FloatArray,
    weights: FloatArray | None,
    pilot: Pilot,
) -> Moments:
    """Add up the moments of a design, slice by slice, for one grouping factor or none."""
    grouping = None if name is None else design.grouping(name)
    J, Q = (len(grouping.levels), len(grouping.effects)) if grouping else (0, 0)
    total = none(pilot, J, Q)
    for rows in slices(design.rows):
        w = None if weights is None else weights[rows]
        Z = np.empty((0, 0)) if grouping is None else design.Z(grouping.name, rows)
        part = grouping.factor.on(rows) if grouping else None
        total = total + of_rows(pilot, design.X(rows), response[rows], w, Z, part)
    return total


def of_rows(
    pilot: Pilot,
    X: FloatArray,
    y: FloatArray,
    w: FloatArray | None,
    Z: FloatArray,
    factor: Factor | None,
) -> Moments:
    """Return the moments of some rows: X (n, P), y (n,), weights (n,) or None, Z (n, Q), levels."""
    X = X - pilot.center
    e = y - X @ pilot.b
    WX = X if w is None else X * w[:, None]
    population = (
        len(e) if w is None else float(w.sum()),
        WX.T @ X,
        WX.T @ e,
        float(e @ e if w is None else e @ (w * e)),
    )
    if factor is None:
        empty = none(pilot, 0, 0)
        return Moments(pilot, *population, empty.ZtZ, empty.ZtX, empty.Zte)
    WZ = Z if w is None else Z * w[:, None]
    return Moments(
        pilot,
        *population,
        factor.squares(WZ, Z),
        factor.products(WZ, X),
        factor.scatter(WZ * e[:, None]),
    )
