"""A known covariance between the levels of a factor: ``gr(g, cov="A")`` and ``data2={"A": frame}``.

Pedigrees, phylogenies, distances. What a level has in common with others is in the matrix, so that
its effect is known in part where it has no row: the levels of the factor are all those of the
matrix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hiermix.design import frames, kinds
from hiermix.design.frames import Frame
from hiermix.design.kinds import KnownLabels, plain, spelled
from hiermix.errors import ArgumentError, DataError, count, did_you_mean, first_three, quoted
from hiermix.typing import FloatArray

_SYMMETRIC = 1e-8
"""Difference of two entries across the diagonal, as a share of the largest on it."""
_DEFINITE = 1e-12
"""What an entry has left of its variance by those before it, as a share, at least."""

type Matrices = Mapping[str, Frame]
"""Labelled square matrices by name."""


@dataclass(frozen=True, eq=False)
class LevelCovariance:
    """Covariance between levels, in units of the effects' own."""

    name: str
    matrix: FloatArray
    """(J, J) in the order of the levels."""

    def frame(self, levels: Sequence[object]) -> pd.DataFrame:
        """Return the matrix with its labels."""
        return pd.DataFrame(self.matrix, index=list(levels), columns=list(levels))


def check_names(asked: Sequence[str], given: Matrices | None) -> Matrices:
    """Return the matrices of a model; raise for one that is missing, or that nobody asked for."""
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise ArgumentError(
            f"data2 is a dict of frames such as {{'A': frame}}, not {quoted(given)}"
        )
    for name in asked:
        if name not in given:
            known = f" It has {', '.join(map(repr, given))}." if given else ""
            raise ArgumentError(
                f"gr(cov={name!r}) needs a matrix: pass data2={{{name!r}: frame}}.{known}"
                f"{did_you_mean(name, given)}"
            )
    for name in given:
        if name not in asked:
            raise ArgumentError(
                f"data2 has {name!r}, and the formula no gr(cov={name!r})."
                f"{did_you_mean(str(name), asked)}"
            )
    return given


def covariance_of(
    name: str, given: Frame, factor: str, levels: Sequence[object]
) -> tuple[list[object], LevelCovariance]:
    """Return all levels, those without rows last, and their covariance.

    Raises
    ------
    DataError
        It is not square, labelled alike both ways, finite, symmetric and positive definite, or it
        lacks a level.
    """
    if given is None or isinstance(given, np.ndarray | list | tuple):
        raise DataError(
            f"data2[{name!r}] is a {type(given).__name__}, which has no labels: pass a frame, "
            f"pd.DataFrame(matrix, levels, levels), with the levels of {factor!r}"
        )
    labels, matrix = _labelled(name, frames.frame(given))
    known = KnownLabels(levels)
    labels = [known.find(label) for label in labels]
    place = {label: position for position, label in enumerate(labels)}
    missing = [level for level in levels if level not in place]
    if missing:
        raise DataError(
            f"data2[{name!r}] lacks {count(len(missing), 'level')} of {factor!r}: "
            f"{first_three(missing)}. It needs a row and a column for each level of the data."
        )
    seen = set(levels)
    every = [*levels, *(label for label in labels if label not in seen)]
    order = [place[label] for label in every]
    return every, LevelCovariance(name, _checked(name, matrix[np.ix_(order, order)], every))


def _labelled(name: str, frame: pd.DataFrame) -> tuple[list[object], FloatArray]:
    """Return the labels of the rows, and the matrix with its columns in their order."""
    if len(frame) != len(frame.columns):
        raise DataError(
            f"data2[{name!r}] has {count(len(frame), 'row')} and "
            f"{count(len(frame.columns), 'column')}: a covariance of levels is square"
        )
    columns = list(map(plain, frame.columns))
    # Frames of other libraries have no labels of rows: these are in the order of the columns.
    unlabelled = isinstance(frame.index, pd.RangeIndex) and not set(frame.index) & set(columns)
    rows = columns if unlabelled else list(map(plain, frame.index))
    for labels, what in ((rows, "rows"), (columns, "columns")):
        again = [label for label in dict.fromkeys(labels) if labels.count(label) > 1]
        if again:
            raise DataError(
                f"{what} of data2[{name!r}] repeat {count(len(again), 'label')}: "
                f"{first_three(again)}"
            )
    place = {spelled(label): position for position, label in enumerate(columns)}
    other = [label for label in rows if spelled(label) not in place]
    if other:
        raise DataError(
            f"data2[{name!r}] has {count(len(other), 'label')} of rows that no column has: "
            f"{first_three(other)}"
        )
    order = [place[spelled(label)] for label in rows]
    return rows, _numbers(name, frame.iloc[:, order], rows)


def _numbers(name: str, frame: pd.DataFrame, labels: Sequence[object]) -> FloatArray:
    texts = [label for label, values in frame.items() if not kinds.is_numeric(values)]
    if texts:
        raise DataError(
            f"data2[{name!r}] holds {kinds.words(frame[texts[0]])}, not numbers, in column "
            f"{quoted(texts[0])}: use .astype(float)"
        )
    matrix = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(bad):
        raise DataError(
            f"data2[{name!r}] has missing or infinite values in {count(len(bad), 'row')}: "
            f"{first_three([labels[int(place)] for place in bad])}"
        )
    return matrix


def _checked(name: str, matrix: FloatArray, labels: Sequence[object]) -> FloatArray:
    """Return a matrix that is symmetric and positive definite; never one that was repaired."""
    away = np.abs(matrix - matrix.T)
    if away.max(initial=0.0) > _SYMMETRIC * np.abs(np.diag(matrix)).max(initial=0.0):
        i, j = map(int, np.unravel_index(int(away.argmax()), away.shape))
        raise DataError(
            f"data2[{name!r}] is not symmetric: {matrix[i, j]:.6g} of {quoted(labels[i])} with "
            f"{quoted(labels[j])}, and {matrix[j, i]:.6g} the other way round"
        )
    matrix = (matrix + matrix.T) / 2
    place = _indefinite(matrix)
    if place is not None:
        before = count(place, "label")
        raise DataError(
            f"data2[{name!r}] is not positive definite: given the {before} before it, nothing is "
            f"left of the variance of {quoted(labels[place])}. Two levels may be the same one, or "
            "the matrix was rounded"
        )
    return matrix


def _indefinite(matrix: FloatArray) -> int | None:
    """First place at which a Cholesky factor has no pivot; None where there is one."""
    from scipy.linalg import lapack

    size = np.diag(matrix).copy()
    if (size <= 0).any():
        return int(np.argmax(size <= 0))
    root, info = lapack.dpotrf(matrix, lower=1)
    left = np.diag(root)[: info - 1 if info else len(matrix)] ** 2
    low = np.flatnonzero(left < _DEFINITE * size[: len(left)])
    if len(low):
        return int(low[0])
    return int(info) - 1 if info else None
