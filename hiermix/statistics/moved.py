"""Moments moved: around another pilot, for some of their columns, with more levels or others.

X has an intercept as its first column here, so that columns may have anything subtracted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hiermix.statistics.gram import solve_symmetric
from hiermix.statistics.moments import Moments, Pilot
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Centre:
    """What moments are counted from: a pilot, and what the columns of Z have subtracted."""

    pilot: Pilot
    z: FloatArray
    """(Q,) zero where no intercept varies."""
    constant: int | None
    """The column of Z that is one, which takes up what the others have subtracted."""

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Centre)
            and self.pilot == other.pilot
            and np.array_equal(self.z, other.z)
            and self.constant == other.constant
        )

    __hash__ = None  # type: ignore[assignment]


def around(sums: Moments, here: Centre, there: Centre) -> Moments:
    """Return moments counted from another centre."""
    if here == there:
        return sums
    T = _shift(there.pilot.center - here.pilot.center, 0)
    S = _shift(there.z - here.z, here.constant)
    # e there is e here plus X d.
    d = here.pilot.b - T @ there.pilot.b
    XtX, ZtX = sums.XtX @ T, S.T @ sums.ZtX
    Xte = sums.Xte + sums.XtX @ d
    return Moments(
        there.pilot,
        sums.n,
        T.T @ XtX,
        T.T @ Xte,
        max(float(sums.ete + d @ (sums.Xte + Xte)), 0.0),
        S.T @ sums.ZtZ @ S,
        ZtX @ T,
        sums.Zte @ S + ZtX @ d,
    )


def _shift(by: FloatArray, constant: int | None) -> FloatArray:
    """Return what subtracts numbers from columns, by the one that is constant."""
    T = np.eye(len(by))
    if constant is not None:
        T[constant] -= by
        T[constant, constant] = 1.0
    return T


def least_squares(sums: Moments, here: Centre) -> Centre:
    """Return the means and the least-squares fit as a centre."""
    mean = sums.XtX[0] / sums.n
    mean[0] = 0.0
    step = np.concatenate([[0.0], solve_symmetric(
        sums.XtX[1:, 1:] - sums.n * np.outer(mean, mean)[1:, 1:],
        sums.Xte[1:] - mean[1:] * sums.Xte[0],
    )])  # fmt: skip
    slopes = here.pilot.b + step
    center = here.pilot.center + mean
    level = (sums.Xte[0] - sums.XtX[0] @ step) / sums.n + slopes @ mean - here.pilot.b[0] * mean[0]
    b = np.concatenate([[here.pilot.b[0] + level], slopes[1:]])
    z = here.z
    if here.constant is not None:
        z = here.z + z_mean(sums)
        z[here.constant] = 0.0
    return Centre(Pilot(center, b), z, here.constant)


def z_mean(sums: Moments) -> FloatArray:
    """Means (Q,) of the columns of Z, counted from where they are."""
    return np.asarray(sums.ZtX[:, :, 0].sum(axis=0) / sums.n)


def some_columns(sums: Moments, x: Sequence[int], z: Sequence[int]) -> Moments:
    """Return the moments of some columns of X and Z; the pilot of the others must be zero."""
    X, Z = np.array(x, dtype=int), np.array(z, dtype=int)
    return Moments(
        Pilot(sums.pilot.center[X], sums.pilot.b[X]),
        sums.n,
        sums.XtX[np.ix_(X, X)],
        sums.Xte[X],
        sums.ete,
        sums.ZtZ[:, Z[:, None], Z],
        sums.ZtX[:, Z[:, None], X],
        sums.Zte[:, Z],
    )


def without_levels(sums: Moments) -> Moments:
    """Return the moments of no factor."""
    return replace(sums, ZtZ=sums.ZtZ[:0], ZtX=sums.ZtX[:0], Zte=sums.Zte[:0])


def placed(sums: Moments, places: IntArray, J: int) -> Moments:
    """Return the moments of J levels, of which those at `places` are the ones that there were."""

    def spread(values: FloatArray) -> FloatArray:
        found = np.zeros((J, *values.shape[1:]))
        found[places] = values
        return found

    return replace(sums, ZtZ=spread(sums.ZtZ), ZtX=spread(sums.ZtX), Zte=spread(sums.Zte))
