"""Strata of rows: those of one residual variance, by an equation of log sigma."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hiermix.design.design import Design
from hiermix.design.factor import Factor
from hiermix.families import linear_scale
from hiermix.statistics.patterns import Mixed, Pairs
from hiermix.typing import FloatArray, IntArray

SIGMA = "sigma"


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

    @property
    def patterns(self) -> int:
        """R, their number."""
        return len(self.rows)

    def without_rows(self) -> Strata:
        """Return the same strata of no rows."""
        none = np.zeros(0, dtype=np.int64)
        return replace(self, stratum=none, weight=np.zeros(0), rows=0 * self.rows)

    def pairs(self) -> list[Pairs]:
        """Return the rows of each."""
        every = np.arange(len(self.stratum))
        return [Pairs(every, every, self.weight, self.stratum)]

    def mixed(self, further: FloatArray, own: Mapping[str, FloatArray]) -> Mixed:
        """Return their precisions."""
        log_sigma = further @ self.X.T + self.known
        return Mixed(np.exp(-2 * log_sigma), 2 * log_sigma @ self.rows)

    def start(self, sigma: float) -> tuple[FloatArray, FloatArray]:
        """Return coefficients and own coordinates at which every sd is about this one."""
        found = np.linalg.lstsq(self.X, np.log(sigma) - self.known, rcond=None)[0]
        return found, np.zeros(0)

    def guess(self) -> FloatArray:
        """Rough posterior sds of the same."""
        information = (self.X * self.rows[:, None] * 2).T @ self.X
        return np.asarray(1 / np.sqrt(np.diag(information) + 1))


def strata(design: Design) -> Strata:
    """Find the rows of one sigma in a design whose sigma has an equation."""
    equation = design.equation(SIGMA)
    X, known = design.X(equation=equation.columns), equation.known(design.rows)
    weight = linear_scale.weights(design)
    x_mean = np.zeros(X.shape[1])
    if "Intercept" in equation.terms:
        x_mean[1:] = np.average(X[:, 1:], axis=0, weights=weight)
    stratum, first = kinds_of([*X.T, known])
    rows = Factor(stratum, len(first)).scatter(weight)
    return Strata(stratum, weight, rows, X[first] - x_mean, x_mean, known[first])


def kinds_of(columns: Iterable[FloatArray]) -> tuple[IntArray, IntArray]:
    """Return which rows are equal in all columns: the kind of each, and a row of each kind."""
    kind: IntArray = np.zeros(1, dtype=np.int64)
    for column in columns:
        codes, values = pd.factorize(column)
        kind = pd.factorize(kind * len(values) + codes)[0]
    return kind, np.unique(kind, return_index=True)[1]
