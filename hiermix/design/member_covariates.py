"""``mmc(x1, x2)``: slopes on numbers that each membership of a row has of its own.

A row adds up ``w_k (r_j + x_k s_j)`` over its memberships k, each of a level j. So what it has of a
level differs from effect to effect: columns of Z are ones there, and the levels have the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, override

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design.batches import Rows
from hiermix.design.factor import ALL, Mixture
from hiermix.design.specs import Beside
from hiermix.errors import ArgumentError, DataError
from hiermix.formula.equations import MU
from hiermix.formula.terms import GroupTerm
from hiermix.formula.terms.memberships import MemberCovariates
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

type Covariates = Mapping[int, FloatArray]
"""Columns of Z that are of numbers of memberships, and these (rows, m)."""


def of_term(term: GroupTerm) -> list[MemberCovariates]:
    """Return those of one bar."""
    return [each for each in term.specials if isinstance(each, MemberCovariates)]


def member_columns(term: GroupTerm) -> list[Beside]:
    """Return the columns of ones that stand for them in Z."""
    return [
        Beside((each.label,), lambda part: np.ones((len(part), 1)), ones=True)
        for each in of_term(term)
    ]


def of_rows(terms: Sequence[GroupTerm], labels: Sequence[str], frame: pd.DataFrame) -> Covariates:
    """Return the numbers of rows; `labels` are those of the columns of Z.

    Raises
    ------
    DataError
        They enter another equation than that of the location, or are one number throughout.
    """
    found = {}
    for each in (one for term in terms for one in of_term(term)):
        if any(term.equation != MU for term in terms):
            raise DataError(
                f"{each} is a slope of the response's location: leave out what else varies over "
                "these levels in another equation"
            )
        columns = [frame[name].to_numpy(dtype=np.float64) for name in each.columns]
        found[labels.index(each.label)] = np.column_stack(columns)
    return found


def check_varying(covariates: Covariates, labels: Sequence[str]) -> None:
    """Raise where all memberships have one number."""
    for place, values in covariates.items():
        if values.size and values.min() == values.max():
            raise DataError(
                f"{labels[place]} is {values.min():g} in all memberships: it says nothing that an "
                "intercept does not"
            )


@dataclass(frozen=True, eq=False)
class OwnMixture(Mixture):
    """Levels of which rows have more or less, effect by effect.

    What goes in or out has a column for each effect. How much rows have of a level where all of its
    effects count alike is the matrix of a `Mixture`.
    """

    matrices: Callable[[Rows], list[Any]]
    """How much some rows have of each level, (n, size), effect by effect."""

    @override
    def on(self, rows: Rows) -> OwnMixture:
        part, each = self.matrix(rows), self.matrices(rows)
        return OwnMixture(
            self.codes[rows], self.size, lambda inside: part[inside],
            lambda inside: [one[inside] for one in each],
        )  # fmt: skip

    @override
    def gather(self, effects: NDArray[Any], rows: Rows = ALL) -> NDArray[Any]:
        flat = effects.reshape(self.size, effects.shape[1], -1)
        each = [M @ flat[:, q] for q, M in enumerate(self.matrices(rows))]
        return np.stack(each, axis=1).reshape(-1, *effects.shape[1:])

    @override
    def scatter(self, values: FloatArray, rows: Rows = ALL) -> FloatArray:
        pairs = zip(self.matrices(rows), values.T, strict=True)
        return np.stack([M.T @ column for M, column in pairs], axis=1)

    @override
    def scatter_by(
        self, cell: NDArray[np.intp], cells: int, values: FloatArray, rows: Rows = ALL,
        effect: int = 0,
    ) -> csr_array:  # fmt: skip
        mine = self.matrices(rows)[effect]
        return Mixture(self.codes[rows], self.size, lambda _: mine).scatter_by(cell, cells, values)

    @override
    def squares(self, A: FloatArray, B: FloatArray, rows: Rows = ALL) -> FloatArray:
        """As for a `Mixture`: of a row, ``sum_j v_j v_j' / t_j`` times the sum of its parts t_j."""
        M, each = self.matrix(rows), self.matrices(rows)
        whole = np.asarray(abs(M).sum(axis=1)).ravel()
        inverse = abs(M)
        inverse.data = 1 / np.where(inverse.data > 0, inverse.data, 1.0)
        found = np.zeros((self.size, len(each), len(each)))
        for q, k in np.ndindex(found.shape[1:]):
            shared = each[q].multiply(each[k]).multiply(inverse).T
            found[:, q, k] = shared @ (whole * A[:, q] * B[:, k])
        return found

    @override
    def gather_squared(self, values: NDArray[Any], rows: Rows = ALL) -> NDArray[Any]:
        each = self.matrices(rows)
        found = np.zeros((each[0].shape[0], len(each), len(each)))
        for q, k in np.ndindex(found.shape[1:]):
            found[:, q, k] = each[q].multiply(each[k]) @ values[:, q, k]
        return found

    @override
    def products(
        self, A: FloatArray, B: FloatArray, rows: Rows = ALL, *, symmetric: bool = False
    ) -> FloatArray:
        pairs = zip(self.matrices(rows), A.T, strict=True)
        return np.stack([M.T @ (column[:, None] * B) for M, column in pairs], axis=1)

    @override
    def columns(self, Z: FloatArray, rows: Rows = ALL) -> list[csr_array]:
        return [M.multiply(z[:, None]) for M, z in zip(self.matrices(rows), Z.T, strict=True)]

    @override
    def sized(self, Z: FloatArray, rows: Rows = ALL) -> FloatArray:
        raise ArgumentError(
            "each membership has a number of its own, mmc(): the spread of a row is none of its "
            "predictors, and there is no average over all groups, nor a partition of variance. "
            "over='these groups', 'new group' and 'typical group' have answers"
        )

    @override
    def marks(self) -> NDArray[Any]:
        numbers = np.random.default_rng(0).standard_normal((self.size, 2))
        return np.concatenate([(M @ numbers).T for M in self.matrices(ALL)])
