"""Fewer rows with the same sums: equal ones once, and where numbers differ, rows between them.

What is expected of a row is a smooth function of its numbers. Within a cell, and within one
combination of everything else, it is a polynomial's, to many digits, and sums of polynomials over
rows are weighted sums over Chebyshev's points. Of what degree is tried, and measured at rows of the
data in all draws. Where no polynomial is near enough, rows stay as they are.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import NDArray

from hiermix.design import kinds
from hiermix.design.design import Design
from hiermix.errors import DataError
from hiermix.prediction.predictor import PIECE
from hiermix.typing import FloatArray, IntArray

_WORTH = 50_000_000
"""Rows times draws from which a look for fewer rows pays."""
_GAIN = 8
"""By how much rows become fewer, or stay."""
_FEW = 32
"""Values up to which a number is taken as a label."""
_NEAR = 1e-7
"""Largest error at a row, as a share of the largest expectation beside it. That of averages is far
less: the widest parts are looked at, and their ends."""
_DEGREES = {1: (16, 32, 64, 128), 2: (12, 24, 48), 3: (8, 20)}
"""What is tried, by how many columns hold numbers."""
_TESTED, _BESIDE = 48, 8
"""Parts that a degree is tested on, and rows in each."""
_CHUNK = 500_000


class Expecting(Protocol):
    """What gives expectations of the rows of a design."""

    @property
    def design(self) -> Design:
        """The rows."""

    def shape(self, kind: str) -> tuple[int, ...]:
        """Return the shape of what is expected of one row."""

    def values(self, kind: str, rows: slice) -> FloatArray:
        """Return what is expected of some rows."""


type Expect[T] = Callable[[pd.DataFrame], T]
"""Returns what is expected of the rows of a frame."""


@dataclass(frozen=True, eq=False)
class Membership:
    """Which cell each row is in, and with what weight; cells don't decrease."""

    cell: NDArray[np.intp]
    weight: FloatArray
    cells: int


def fewer[T: Expecting](
    source: T, kind: str, rows: Membership, frame: pd.DataFrame, expect: Expect[T]
) -> tuple[T, Membership]:
    """Return rows that have the sums of all, if they are far fewer; else all.

    Parameters
    ----------
    source, rows, frame
        All rows: what is expected of them, their cells, and their columns.
    expect : callable
        Returns what is expected of other rows.
    """
    n, size = len(rows.cell), int(np.prod(source.shape(kind)))
    if n * size < _WORTH or rows.cells * _GAIN > n or not _by_columns(source.design):
        return source, rows
    labels, numbers = _columns(source.design)
    found = _equal(rows, [*labels, *numbers.values()])
    if len(found.weight) * _GAIN > n and len(numbers) in _DEGREES:
        parts = _parts(rows, labels, numbers)
        found = _between(Asked(kind, frame, expect), list(numbers), parts, n) or found
    if len(found.weight) * _GAIN > n:
        return source, rows
    return expect(found.of(frame)), Membership(found.cell, found.weight, rows.cells)


@dataclass(frozen=True, eq=False)
class Asked[T: Expecting]:
    """What is asked of rows."""

    kind: str
    frame: pd.DataFrame
    expect: Expect[T]

    def values(self, rows: pd.DataFrame, kind: str | None = None) -> Iterator[FloatArray]:
        """Yield what is expected of rows, in pieces."""
        source, kind = self.expect(rows), kind or self.kind
        size = max(1, PIECE // int(np.prod(source.shape(kind))))
        for start in range(0, len(rows), size):
            yield source.values(kind, slice(start, min(start + size, len(rows))))


@dataclass(frozen=True, eq=False)
class Found:
    """Some rows, which may repeat, with cells, weights, and numbers of their own."""

    place: NDArray[np.intp]
    cell: NDArray[np.intp]
    weight: FloatArray
    numbers: Mapping[str, FloatArray] = field(default_factory=dict)

    def of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows."""
        return frame.iloc[self.place].reset_index(drop=True).assign(**self.numbers)


def _by_columns(design: Design) -> bool:
    """Tell whether equal columns make rows equal."""
    apart = any(each.has_missing for each in design.groupings)
    return design.series is None and not design.imputed and not apart


def _columns(design: Design) -> tuple[list[IntArray], dict[str, FloatArray]]:
    """Return the columns that tell rows apart: codes of labels, and numbers of many values."""
    groups = {name for each in design.groupings for name in each.columns}
    labels: list[IntArray] = []
    numbers: dict[str, FloatArray] = {}
    for name in design.of_expectation:
        values = kinds.stored(design.frame[name])
        codes, once = pd.factorize(values, use_na_sentinel=False)
        if len(once) > _FEW and kinds.what(values) == "numeric" and name not in groups:
            numbers[name] = values.to_numpy(dtype=np.float64)
        elif len(once) > 1:
            labels.append(codes)
    return labels, numbers


def _equal(rows: Membership, columns: Iterable[NDArray[Any]]) -> Found:
    """Return rows that differ, with the weight of all that equal them."""
    key = _numbered(rows.cell, columns)
    first = np.unique(key, return_index=True)[1]
    return Found(first, rows.cell[first], np.bincount(key, rows.weight))


def _numbered(key: NDArray[np.intp], columns: Iterable[NDArray[Any]]) -> NDArray[np.intp]:
    """Give numbers to the combinations of a key and columns, in the order of the key."""
    for column in columns:
        codes, once = pd.factorize(column)
        key = np.unique(key * len(once) + codes, return_inverse=True)[1]
    return key


# Rows between ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of one cell that differ in numbers alone."""

    cell: int
    place: NDArray[np.intp]
    x: FloatArray
    """(n, d) their numbers."""
    weight: FloatArray

    @cached_property
    def middle(self) -> FloatArray:
        """Where the numbers lie around (d,)."""
        return (self.x.max(axis=0) + self.x.min(axis=0)) / 2

    @cached_property
    def half(self) -> FloatArray:
        """How far they reach from there (d,)."""
        return np.maximum(np.ptp(self.x, axis=0) / 2, np.finfo(float).tiny)


def _parts(
    rows: Membership, labels: Iterable[IntArray], numbers: Mapping[str, FloatArray]
) -> list[Part]:
    """Return the rows in parts, in the order of cells."""
    key = _numbered(rows.cell, labels)
    order = np.argsort(key, kind="stable")
    x = np.stack(list(numbers.values()), axis=-1)
    edges = np.flatnonzero(np.diff(key[order])) + 1
    return [Part(int(rows.cell[here[0]]), here, x[here], rows.weight[here])
            for here in np.split(order, edges)]  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """Chebyshev's points of the first kind, of so many dimensions, and polynomials through them."""

    dimensions: int
    degree: int

    def __len__(self) -> int:
        """Return the number of points."""
        return int((self.degree + 1) ** self.dimensions)

    @cached_property
    def line(self) -> FloatArray:
        """The points of one dimension, from 1 to -1."""
        return np.cos((np.arange(self.degree + 1) + 0.5) * np.pi / (self.degree + 1))

    def points(self, part: Part) -> FloatArray:
        """Return the points (N, d) of a part."""
        every = np.meshgrid(*[self.line] * self.dimensions, indexing="ij")
        return part.middle + part.half * np.stack([each.ravel() for each in every], axis=-1)

    def at(self, part: Part, rows: IntArray) -> FloatArray:
        """Return how much each point counts (n, N) for the polynomial at some rows."""
        return self._crossed(
            [each @ self._inverse for each in self._polynomials(part.x[rows], part)]
        )

    def weights(self, part: Part) -> FloatArray:
        """Return the weights (N,) of points by which polynomials have the sum of the rows."""
        size = max(1, _CHUNK // len(self))
        total = np.zeros(len(self))
        for start in range(0, len(part.x), size):
            *others, last = self._polynomials(part.x[start : start + size], part)
            weighed = [part.weight[start : start + size, None], *others]
            total += (self._crossed(weighed).T @ last).ravel()
        found = total.reshape([self.degree + 1] * self.dimensions)
        for _ in range(self.dimensions):
            found = np.tensordot(found, self._inverse, axes=(0, 0))
        return found.ravel()

    def _polynomials(self, x: FloatArray, part: Part) -> list[FloatArray]:
        scaled = ((x - part.middle) / part.half).clip(-1, 1)
        return [chebvander(each, self.degree) for each in scaled.T]

    @cached_property
    def _inverse(self) -> FloatArray:
        """From values of Chebyshev's polynomials to how much each point of a line counts."""
        values = chebvander(self.line, self.degree).T
        return values * np.where(np.arange(self.degree + 1) > 0, 2.0, 1.0)[:, None] / len(values)

    def _crossed(self, each: Sequence[FloatArray]) -> FloatArray:
        """Multiply columns of matrices with n rows, each with each."""
        found = each[0]
        for one in each[1:]:
            found = (found[:, :, None] * one[:, None, :]).reshape(len(found), -1)
        return found


def _between[T: Expecting](
    asked: Asked[T], names: list[str], parts: Sequence[Part], rows: int
) -> Found | None:
    """Return points between the rows of each part; None where none are few and near enough."""
    for degree in _DEGREES[len(names)]:
        grid = Grid(len(names), degree)
        if len(parts) * len(grid) * _GAIN > rows:
            return None
        if _is_near(asked, names, [each for each in parts if _is_large(each, grid)], grid):
            return _joined(names, parts, grid)
    return None


def _is_large(part: Part, grid: Grid) -> bool:
    return len(part.place) > 2 * len(grid)


def _joined(names: list[str], parts: Sequence[Part], grid: Grid) -> Found:
    """Return the points of large parts, and the rows of small ones."""
    each = [_points(part, grid) if _is_large(part, grid) else part for part in parts]
    cells = [np.full(len(part.place), part.cell) for part in each]
    x = np.concatenate([part.x for part in each])
    place, weight = (np.concatenate([getattr(part, name) for part in each])
                     for name in ("place", "weight"))  # fmt: skip
    return Found(place, np.concatenate(cells), weight, dict(zip(names, x.T, strict=True)))


def _points(part: Part, grid: Grid) -> Part:
    """Return the points of a part, as rows that are like its first one but in numbers."""
    place = np.full(len(grid), part.place[0])
    return Part(part.cell, place, grid.points(part), grid.weights(part))


# How near ----------------------------------------------------------------------------------------


def _is_near[T: Expecting](
    asked: Asked[T], names: list[str], parts: Sequence[Part], grid: Grid
) -> bool:
    """Tell whether polynomials give rows of the data, in the widest parts and in others."""
    try:
        return all(_error(asked, names, part, grid) <= _NEAR for part in _tested(asked, parts))
    except DataError:  # numbers that stand for something else, such as steps
        return False


def _tested[T: Expecting](asked: Asked[T], parts: Sequence[Part]) -> list[Part]:
    """Return parts over which the linear predictor goes farthest, and some others."""
    if len(parts) <= _TESTED:
        return list(parts)
    ends = np.array([[each.place[end(each.x.sum(axis=1))] for end in (np.argmin, np.argmax)]
                     for each in parts])  # fmt: skip
    both = (asked.values(asked.frame.iloc[some], "linear") for some in ends.T)
    reach = np.concatenate([
        np.abs(high - low).reshape(len(high), -1).max(axis=1)
        for low, high in zip(*both, strict=True)
    ])  # fmt: skip
    first = np.argsort(-reach)[: _TESTED // 2]
    others = np.random.default_rng(1).choice(len(parts), _TESTED // 2, replace=False)
    return [parts[place] for place in sorted({*first.tolist(), *others.tolist()})]


def _error[T: Expecting](asked: Asked[T], names: list[str], part: Part, grid: Grid) -> float:
    """Return the largest error at some rows, as a share of what is expected in a draw."""
    some = _beside(part.x)
    counts = grid.at(part, some)
    points = _joined(names, [part], grid).of(asked.frame)
    between, size, done = np.zeros(()), np.zeros(()), 0
    for values in asked.values(points):
        between = between + np.tensordot(counts[:, done : done + len(values)], values, axes=1)
        size, done = np.maximum(size, np.abs(values).max(axis=0)), done + len(values)
    found = np.concatenate(list(asked.values(asked.frame.iloc[part.place[some]])))
    error = np.abs(between - found) / np.where(size > 0, size, 1.0)
    return float(error.max(initial=0.0)) if np.isfinite(error).all() else np.inf


def _beside(x: FloatArray) -> IntArray:
    """Return rows at random, and those at the ends, where polynomials err most."""
    anywhere = np.random.default_rng(2).choice(len(x), min(len(x), _BESIDE), replace=False)
    order = np.argsort(x.sum(axis=1))
    return np.unique([*anywhere, *order[:3], *order[-3:]])
