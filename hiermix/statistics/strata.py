"""Strata of rows: those of one residual variance, by an equation of log sigma."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hiermix.design.design import Design
from hiermix.design.factor import Factor
from hiermix.design.groupings import Grouping
from hiermix.families import linear_scale
from hiermix.statistics.patterns import Mixed, Pairs
from hiermix.typing import FloatArray, IntArray

SIGMA = "sigma"
_NOTHING = -300.0
"""Log sigma of none."""


@dataclass(frozen=True, eq=False)
class Strata:
    """Rows whose residuals are independent, with the variance of their stratum."""

    stratum: IntArray
    """(rows,)"""
    weight: FloatArray
    """(rows,)"""
    rows: FloatArray
    """(R,) sums of their weights."""
    X: FloatArray
    """(R, P') columns of the equation of log sigma; none where it has no equation."""
    x_mean: FloatArray
    """(P',) what was subtracted from them."""
    known: FloatArray
    """(R,) offsets of that equation."""
    variance: FloatArray
    """(R,) squares of standard errors that are known."""
    Z: FloatArray
    """(R, E) columns of the effects of log sigma; none where it has none."""
    at: IntArray
    """(R, E) places of the effects, among all that are sampled."""
    one_sigma: bool = False
    """Whether sigma is one number beside these."""
    constant: float = 0.0
    """What is known of the log density beside it."""

    @property
    def patterns(self) -> int:
        """R, their number."""
        return len(self.rows)

    def without_rows(self) -> Strata:
        """Return the same strata of no rows."""
        none = np.zeros(0, dtype=np.int64)
        return replace(self, stratum=none, weight=np.zeros(0), rows=0 * self.rows, constant=0.0)

    def pairs(self) -> list[Pairs]:
        """Return the rows of each."""
        every = np.arange(len(self.stratum))
        return [Pairs(every, every, self.weight, self.stratum)]

    def mixed(self, further: FloatArray, own: Mapping[str, FloatArray]) -> Mixed:
        """Return their precisions; behind coefficients stand the effects that are sampled."""
        variance = np.tile(self.variance, (len(further), 1))
        if self.one_sigma:
            variance += own["sigma"][:, None] ** 2
        else:
            b, r = np.split(further, [self.X.shape[1]], axis=1)
            log_sigma = b @ self.X.T + self.known
            for Z, at in zip(self.Z.T, self.at.T, strict=True):
                log_sigma += Z * r[:, at]
            variance += np.exp(2 * log_sigma)
        return Mixed(1 / variance, np.log(variance) @ self.rows)

    def start(self, sigma: float) -> tuple[FloatArray, FloatArray]:
        """Return coefficients and own coordinates at which every sd is about this one."""
        found = np.linalg.lstsq(self.X, np.log(sigma) - self.known, rcond=None)[0]
        return found, np.full(int(self.one_sigma), np.log(sigma))

    def guess(self) -> FloatArray:
        """Rough posterior sds of the same."""
        information = (self.X * self.rows[:, None] * 2).T @ self.X
        one = np.full(int(self.one_sigma), 1 / np.sqrt(2 * self.rows.sum() + 1))
        return np.concatenate([1 / np.sqrt(np.diag(information) + 1), one])


def strata(design: Design) -> Strata:
    """Find the rows of one residual variance in a design."""
    weight, se = linear_scale.weights(design), design.limits.se
    if design.formula.beside.known_errors:
        assert se is not None
        return _known(weight, se**2)
    equations = [each for each in design.equations if each.name == SIGMA]
    X, known, x_mean = np.zeros((design.rows, 0)), np.zeros(design.rows), np.zeros(0)
    for each in equations:
        X, known = design.X(equation=each.columns), each.known(design.rows)
        x_mean = np.zeros(X.shape[1])
        if "Intercept" in each.terms:
            x_mean[1:] = np.average(X[:, 1:], axis=0, weights=weight)
    variance = np.zeros(design.rows) if se is None else se**2
    Z, at = _effects(design, [each for each in design.groupings if SIGMA in each.equations])
    stratum, first = kinds_of([*X.T, known, variance, *Z.T, *at.T])
    rows = Factor(stratum, len(first)).scatter(weight)
    return Strata(
        stratum, weight, rows, X[first] - x_mean, x_mean, known[first], variance[first],
        Z[first], at[first], one_sigma=not equations,
    )  # fmt: skip


def _effects(design: Design, groupings: Sequence[Grouping]) -> tuple[FloatArray, IntArray]:
    """Return columns and places (rows, E) of the effects of some factors, which all enter sigma."""
    Z, at, start = [np.zeros((design.rows, 0))], [np.zeros((design.rows, 0), dtype=np.int64)], 0
    for each in groupings:
        J, Q = len(each.levels), len(each.effects)
        Z.append(design.Z(each.name))
        of_level = start + np.arange(J)[:, None] + J * np.arange(Q)
        at.append(each.factor.gather(of_level, slice(None)))
        start += J * Q
    return np.hstack(Z), np.hstack(at)


def _known(weight: FloatArray, variance: FloatArray) -> Strata:
    """Return the one stratum of rows whose variances are known, each counted by its own.

    Beside that variance, of one, sigma is next to nothing.
    """
    none, rows = np.zeros(0), weight.sum(keepdims=True)
    return Strata(
        np.zeros(len(weight), dtype=np.int64), weight / variance, rows, np.zeros((1, 0)), none,
        np.full(1, _NOTHING), np.ones(1), np.zeros((1, 0)), np.zeros((1, 0), dtype=np.int64),
        constant=-0.5 * float(weight @ np.log(variance)),
    )  # fmt: skip


def kinds_of(columns: Iterable[FloatArray | pd.Series]) -> tuple[IntArray, IntArray]:
    """Return which rows are equal in all columns: the kind of each, and a row of each kind."""
    kind: IntArray = np.zeros(1, dtype=np.int64)
    for column in columns:
        codes, values = pd.factorize(column)
        kind = pd.factorize(kind * len(values) + codes)[0]
    return kind, np.unique(kind, return_index=True)[1]
