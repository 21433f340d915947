"""Sums over rows whose residuals have a precision that mixes fixed matrices: (27).

``R^-1 = sum_r mix_r(theta) K_r``: one K for each stratum of rows, say, or three for an
autoregression of the first order. Every product ``A'R^-1 B`` is a mix of the sums ``A'K_r B``, so
that rows vanish. Numbers in brackets are equations of docs/how-it-samples.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np

from hiermix.design.batches import slices
from hiermix.design.design import Design
from hiermix.design.factor import Factor
from hiermix.statistics.gram import Gram
from hiermix.statistics.wide_design import Block
from hiermix.statistics.within_between import Within, by_group
from hiermix.typing import FloatArray, IntArray

_NOTHING = 1e-14
"""Share of the largest direction of a sum below which there is rounding alone."""
_DIGITS = 11
"""To which sums over groups of one design are equal, whatever the order of their rows."""


class Mixed(NamedTuple):
    """The precision of the residuals under S draws of the parameters."""

    weights: FloatArray
    """(S, R) of each pattern."""
    log_det: FloatArray
    """(S,) of the covariance."""


class Pairs(NamedTuple):
    """Entries of the matrices K_r: ``weight (a_i b_k' + a_k b_i') / 2`` is added for each."""

    first: IntArray
    second: IntArray
    """The row itself for entries on the diagonal."""
    weight: FloatArray
    pattern: IntArray
    """Which matrix, from 0."""

    def take(self, part: slice) -> Pairs:
        """Return some of the pairs."""
        first = self.first[part]
        second = first if self.first is self.second else self.second[part]
        return Pairs(first, second, self.weight[part], self.pattern[part])


class Precision(Protocol):
    """How the precision of the residuals of some rows mixes patterns."""

    @property
    def patterns(self) -> int:
        """R, how many there are."""
        ...

    @property
    def x_mean(self) -> FloatArray:
        """What was subtracted from the columns of further equations (P',)."""
        ...

    @property
    def constant(self) -> float:
        """What is known of the log density beside it."""
        ...

    def without_rows(self) -> Precision:
        """Return the same patterns of no rows."""
        ...

    def pairs(self) -> list[Pairs]:
        """Return the entries of the patterns."""
        ...

    def mixed(self, further: FloatArray, own: Mapping[str, FloatArray]) -> Mixed:
        """Return the mix under coefficients (S, P') of further equations and own parameters."""
        ...

    def start(self, sigma: float) -> tuple[FloatArray, FloatArray]:
        """Return coefficients (P',) and coordinates of own parameters where every sd is sigma."""
        ...

    def guess(self) -> FloatArray:
        """Rough posterior sds of these, one behind the other."""
        ...


@dataclass(frozen=True)
class Groups:
    """What rows say of the effects of groups; a cell is a group and one of its patterns.

    ``A = (e_hat, -X) - Z C``: what each group's best effects leave. J groups or, rotated together,
    parts of several.
    """

    count: FloatArray
    """(J,) groups whose determinant each carries."""
    C: FloatArray
    """(J, Q, 1 + P) best effects; zeros where groups are not far apart."""
    group: IntArray
    """(cells,) in order."""
    pattern: IntArray
    """(cells,) in order within each group."""
    ZtKZ: FloatArray
    """(cells, Q, Q)"""
    ZtKA: FloatArray
    """(cells, Q, 1 + P)"""

    @property
    def J(self) -> int:  # noqa: N802, as in the formulas
        """Number of groups."""
        return len(self.count)

    def summed(self, cells: FloatArray) -> FloatArray:
        """Sum (cells, ...) over those of each group, (J, ...)."""
        if not len(cells):
            return np.zeros((self.J, *cells.shape[1:]))
        return np.add.reduceat(cells, np.searchsorted(self.group, np.arange(self.J)))

    def take(self, some: IntArray) -> Groups:
        """Return some groups, those with rows at least."""
        place = np.searchsorted(some, self.group)
        return replace(self, count=self.count[some], C=self.C[some], group=place)


@dataclass(frozen=True)
class Patterned:
    """Statistics of the rows of a model with one grouping factor, or none, around ``b_hat``."""

    precision: Precision
    gram: Gram
    """Those of independent residuals, for the levels of the factor."""
    within: Within
    """Of these, what lies within groups; b_hat is the fit to that."""
    roots: FloatArray
    """(squares, 1 + P) rows k of A'K_r A = sum of sign k'k."""
    sign: FloatArray
    pattern_of_root: IntArray
    groups: Groups
    """One for each level that has rows."""
    rotated: Groups
    """The same, of equal design together."""

    levels: IntArray
    """(J,) which levels these are."""
    block: Block = field(default_factory=Block)
    """Of the last columns, whose coefficients are integrated out as well."""

    @property
    def b_hat(self) -> FloatArray:
        """Fit to what lies within groups (P,), those of the block among them."""
        return self.within.b_hat

    @property
    def P(self) -> int:  # noqa: N802, as in the formulas
        """Number of population coefficients: columns less those of the block."""
        return len(self.b_hat) - self.block.W


def statistics(
    design: Design, name: str | None, response: FloatArray, precision: Precision, gram: Gram,
    within: Within, block: Block,
) -> Patterned:  # fmt: skip
    """Build the statistics from another pass over the rows, around what `within` knows of groups.

    Parameters
    ----------
    design : Design
        The model's design; read in slices.
    name : str or None
        Grouping factor.
    response : array, shape (rows,)
        Response, less any offset.
    precision : Precision
        Of the residuals.
    gram, within : Gram, Within
        Sums over the same rows, from `gram.statistics` and `within_between.split_rows`.
    block : Block
        Of the last columns of X.
    """
    best = by_group(within)
    best[:, :, (best.shape[2] - block.W) if within.far else 0 :] = 0.0
    found = _Sums(design, name, response, precision, gram.x_mean, within.b_hat, best)
    form, groups = found.added_up()
    levels = np.unique(groups.group)
    groups = groups.take(levels)
    merged = rotated(groups)
    return Patterned(precision, gram, within, *_roots(form), groups, merged, levels, block)


def of_no_rows(precision: Precision, gram: Gram, within: Within, block: Block) -> Patterned:
    """Return the statistics of no rows, with which a program samples its prior."""
    P, Q = len(gram.b_hat), gram.Q
    none = np.zeros(0, dtype=np.int64)
    groups = Groups(np.zeros(0), np.zeros((0, Q, 1 + P)), none, none, np.zeros((0, Q, Q)),
                    np.zeros((0, Q, 1 + P)))  # fmt: skip
    return Patterned(
        precision, gram, within, np.zeros((0, 1 + P)), np.zeros(0), none, groups, groups, none,
        block,
    )  # fmt: skip


@dataclass(frozen=True)
class _Sums:
    design: Design
    name: str | None
    response: FloatArray
    precision: Precision
    x_mean: FloatArray
    b_hat: FloatArray
    best: FloatArray
    """(J, Q, 1 + P) of each group."""

    def added_up(self) -> tuple[FloatArray, Groups]:
        """A'K_r A (R, 1 + P, 1 + P), and what there is of each group."""
        blocks, R, wide = self.precision.pairs(), self.precision.patterns, 1 + len(self.b_hat)
        form = np.zeros((R, wide, wide))
        each = [self._levels(pairs.first) * R + pairs.pattern for pairs in blocks]
        kinds = np.unique(np.concatenate(each))
        Q = self.best.shape[1]
        ZtKZ, ZtKA = np.zeros((len(kinds), Q, Q)), np.zeros((len(kinds), Q, wide))
        for some, cell in _in_slices(blocks, each):
            (Z, A), (Z_other, A_other) = self._both(some)
            WA, WZ = A * some.weight[:, None], Z * some.weight[:, None]
            form += Factor(some.pattern, R).products(WA, A_other)
            if self.name is not None:
                here = Factor(np.searchsorted(kinds, cell), len(kinds))
                ZtKZ += here.products(WZ, Z_other)
                ZtKA += here.products(WZ, A_other) / 2
                ZtKA += here.products(Z_other, WA) / 2
        form, ZtKZ = ((each + each.swapaxes(1, 2)) / 2 for each in (form, ZtKZ))
        if self.name is None:
            kinds = kinds[:0]
        count = np.ones(len(self.best))
        groups = Groups(count, self.best, kinds // R, kinds % R, ZtKZ[: len(kinds)],
                        ZtKA[: len(kinds)])  # fmt: skip
        return form, groups

    def _levels(self, rows: IntArray) -> IntArray:
        if self.name is None:
            return np.zeros(len(rows), dtype=np.int64)
        factor = self.design.grouping(self.name).factor
        return factor.gather(np.arange(factor.size), rows)

    def _both(self, pairs: Pairs) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Yield Z and A of the first rows, and of the second."""
        one = self._columns(pairs.first)
        yield one
        yield one if pairs.first is pairs.second else self._columns(pairs.second)

    def _columns(self, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        X = self.design.X(rows) - self.x_mean
        A = np.column_stack([self.response[rows] - X @ self.b_hat, -X])
        if self.name is None:
            return np.zeros((len(A), 0)), A
        Z = self.design.Z(self.name, rows)
        best = self.design.grouping(self.name).factor.gather(self.best, rows)
        return Z, A - np.einsum("nq,nqc->nc", Z, best)


def _in_slices(
    blocks: Sequence[Pairs], cells: Sequence[IntArray]
) -> Iterator[tuple[Pairs, IntArray]]:
    """Yield some pairs at a time, each with its cell."""
    for pairs, cell in zip(blocks, cells, strict=True):
        for part in slices(len(cell)):
            yield pairs.take(part), cell[part]


def _roots(form: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """Rows k, signs and patterns of symmetric forms (R, n, n) = sum of sign k'k."""
    size = np.sqrt(np.abs(form).sum(axis=0).diagonal())
    size[size == 0] = 1.0
    values, vectors = np.linalg.eigh(form / np.outer(size, size))
    some = np.abs(values) > _NOTHING * np.abs(values).max(axis=1, initial=0.0)[:, None]
    pattern, which = np.nonzero(some)
    found = values[pattern, which]
    rows = np.sqrt(np.abs(found))[:, None] * vectors[pattern, :, which] * size
    return rows, np.sign(found), pattern


def rotated(groups: Groups) -> Groups:
    """Merge groups of equal design, exactly: (4), for the sums of all patterns."""
    parts = list(_merged(groups))
    if not parts:
        return groups
    starts = np.cumsum([0, *(each.J for each in parts)]).tolist()
    numbered = [each.group + start for each, start in zip(parts, starts, strict=False)]
    return Groups(
        count=np.concatenate([each.count for each in parts]),
        C=np.concatenate([each.C for each in parts]),
        group=np.concatenate(numbered),
        pattern=np.concatenate([each.pattern for each in parts]),
        ZtKZ=np.concatenate([each.ZtKZ for each in parts]),
        ZtKA=np.concatenate([each.ZtKA for each in parts]),
    )


def _merged(groups: Groups) -> Iterator[Groups]:
    """Yield groups that have equally many patterns, those of one design as few."""
    sizes = np.bincount(groups.group, minlength=groups.J)
    starts = np.cumsum(sizes) - sizes
    for n in np.unique(sizes):
        members = np.flatnonzero(sizes == n)
        cells = starts[members][:, None] + np.arange(n)
        pattern, G, U = groups.pattern[cells], groups.ZtKZ[cells], groups.ZtKA[cells]
        kinds, first, kind = np.unique(
            np.column_stack([pattern, _rounded(G.reshape(len(G), -1))]), axis=0,
            return_index=True, return_inverse=True,
        )  # fmt: skip
        for place in range(len(kinds)) if len(kinds) < len(members) else ():
            which = np.flatnonzero(kind.ravel() == place)
            C, V, count = _rotated(groups.C[members[which]], U[which], groups.count[members[which]])
            yield _alike(count, C, pattern[first[place]], G[first[place]], V)
        if len(kinds) == len(members):
            yield Groups(groups.count[members], groups.C[members],
                         np.repeat(np.arange(len(members)), n), pattern.ravel(),
                         G.reshape(-1, *G.shape[2:]), U.reshape(-1, *U.shape[2:]))  # fmt: skip


def _rotated(
    C: FloatArray, U: FloatArray, count: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return as few rows as tell the sum over groups of any quadratic form in (C, U)."""
    rows = np.concatenate([C.reshape(len(C), -1), U.reshape(len(U), -1)], axis=1)
    if not C.any():
        rows = rows[:, C[0].size :]
    if len(rows) <= rows.shape[1]:
        return C, U, count
    root = np.linalg.qr(rows, mode="r")
    if not C.any():
        root = np.concatenate([np.zeros((len(root), C[0].size)), root], axis=1)
    wide = C[0].size
    return (
        root[:, :wide].reshape(-1, *C.shape[1:]),
        root[:, wide:].reshape(-1, *U.shape[1:]),
        np.eye(len(root))[0] * count.sum(),
    )


def _alike(
    count: FloatArray, C: FloatArray, pattern: IntArray, G: FloatArray, U: FloatArray
) -> Groups:
    """Return groups that share patterns (n,) and Z'KZ (n, Q, Q)."""
    J, n = len(count), len(pattern)
    return Groups(
        count, C, np.repeat(np.arange(J), n), np.tile(pattern, J),
        np.tile(G, (J, 1, 1)), U.reshape(J * n, *U.shape[2:]),
    )  # fmt: skip


def _rounded(values: FloatArray) -> FloatArray:
    """Entries to so many digits of the largest: sums in another order are equal."""
    size = np.abs(values).max(axis=0, initial=0.0)
    size[size == 0] = 1.0
    return np.asarray(np.round(values / size, _DIGITS) + 0.0)
