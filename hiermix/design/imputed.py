"""Predictors with missing values: which rows lack one, and what X has in its place.

Each column of X is a number times the value, or has nothing to do with it, so that a value stands
wherever X is read, and what another value would change is told apart; see `Design.slopes`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design.encoding import Encoding
from hiermix.design.plan import Plan
from hiermix.errors import ArgumentError, DataError, FormulaError, count
from hiermix.formula.formula import Formula
from hiermix.formula.imputations import in_order
from hiermix.formula.names import alias
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Imputed:
    """One predictor that has an equation for its missing values."""

    name: str
    """Of its column, and of its equation."""
    filled: FloatArray
    """(rows,) of the column, with what X has in the place of missing ones."""
    lacking: IntArray
    """(n,) rows without a value."""
    places: IntArray | None
    """(n,) of these among the missing values of the fit; None: the rows are new."""
    location: float
    spread: float
    """Mean and sd of the values that the fit has."""

    def counted(self) -> Imputed:
        """Return the predictor of rows that are fitted themselves."""
        return replace(self, places=np.arange(len(self.lacking)))

    def unseen(self) -> Imputed:
        """Return the predictor of rows that are new to a fit."""
        return replace(self, places=None)

    def take(self, rows: NDArray[np.intp]) -> Imputed:
        """Return the predictor in some of the rows, by position."""
        at = np.full(len(self.filled), -1)
        at[self.lacking] = np.arange(len(self.lacking))
        picked = at[rows]
        lacking, which = np.flatnonzero(picked >= 0), picked[picked >= 0]
        places = None if self.places is None else self.places[which]
        return replace(self, filled=self.filled[rows], lacking=lacking, places=places)

    def on(self, encoded: pd.DataFrame) -> Imputed:
        """Return the predictor in new rows, which have its mean in the place of missing values."""
        values = encoded[alias(self.name)].to_numpy(dtype=np.float64)
        lacking = np.flatnonzero(np.isnan(values))
        return replace(
            self, filled=np.where(np.isnan(values), self.location, values),
            lacking=lacking, places=None,
        )  # fmt: skip


def standing_in(imputed: tuple[Imputed, ...], encoded: pd.DataFrame) -> pd.DataFrame:
    """Return encoded rows with a value everywhere."""
    return encoded.assign(**{alias(each.name): each.filled for each in imputed})


def first(
    formula: Formula, encodings: Mapping[str, Encoding], encoded: pd.DataFrame
) -> tuple[Imputed, ...]:
    """Return the predictors of a fit, with their means in the place of missing values.

    Each stands behind those that its equation needs.

    Raises
    ------
    DataError
        A column is no measurement, or has too few values.
    """
    found = []
    for name in in_order(formula.equations):
        column = encoded[alias(name)]
        if encodings[name].levels is not None or column.dtype.kind != "f":
            raise DataError(
                f"mi({name}): missing values are those of a normal variable, and {name!r} holds "
                "no measurements"
            )
        values = column.to_numpy(dtype=np.float64)
        known = values[~np.isnan(values)]
        if len(known) < 2 or not np.ptp(known) > 0:
            what = "is constant" if len(known) > 1 else f"has {count(len(known), 'value')}"
            raise DataError(f"column {name!r} {what}: there is nothing to learn {name} | mi() from")
        whole = Imputed(name, values, np.zeros(0, dtype=np.int64), None, float(known.mean()),
                        float(known.std()))  # fmt: skip
        found.append(whole.on(encoded).counted())
    return tuple(found)


def refined(imputed: tuple[Imputed, ...], plan: Plan, encoded: pd.DataFrame) -> tuple[Imputed, ...]:
    """Return the predictors with what the columns of their equations make of missing values.

    Programs start from there, and sample how far off it is.

    Raises
    ------
    DataError
        There are fewer values than coefficients.
    """
    _once_in_each(plan)
    found: list[Imputed] = []
    for each in imputed:
        X = plan.populations[each.name].matrix(standing_in(tuple(found), encoded))
        known = np.setdiff1d(np.arange(len(X)), each.lacking)
        if len(known) <= X.shape[1]:
            raise DataError(
                f"column {each.name!r} has {count(len(known), 'value')} and its equation "
                f"{count(X.shape[1], 'coefficient')}: that leaves no residual to learn"
            )
        x = each.filled - each.location
        size = np.maximum(np.abs(X).max(axis=0), 1e-300)
        b = np.linalg.lstsq(X[known] / size, x[known], rcond=1e-10)[0]
        within = np.clip(X[each.lacking] / size @ b, x[known].min(), x[known].max())
        values = each.filled.copy()
        values[each.lacking] = each.location + within
        found.append(replace(each, filled=values))
    return tuple(found)


def _once_in_each(plan: Plan) -> None:
    """Raise for products of predictors with missing values, which are normal given no response."""
    for spec in plan.populations.values():
        for label in spec.labels:
            if len(re.findall(r"\bmi\(", label)) > 1:
                raise FormulaError(
                    f"{label}: a product has one predictor with missing values at most"
                )


def without_gaps(imputed: tuple[Imputed, ...], what: str) -> None:
    """Raise where rows lack a predictor, for what takes the columns of rows as they are.

    Raises
    ------
    ArgumentError
        Some do.
    """
    for each in imputed:
        if len(each.lacking):
            raise ArgumentError(
                f"{what} takes predictors as they are, and {each.name!r} is missing in "
                f"{count(len(each.lacking), 'row')}: mi({each.name}) has no such answer yet"
            )
