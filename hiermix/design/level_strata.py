"""Strata of the levels of a factor, each with a spread of its own: ``gr(g, by=f)``.

Every effect stands once for each stratum, and is of the rows of its stratum alone: the levels have
``Q`` columns for each of the strata, all of which are zero but those of the stratum they are in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import kinds
from hiermix.design.batches import Rows
from hiermix.design.checks import warn
from hiermix.design.codes import Codes, Labels, column_codes
from hiermix.design.factor import Factor
from hiermix.design.kinds import KnownLabels
from hiermix.errors import DataError, count, first_three
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Strata:
    """In which stratum each row is, and each level."""

    column: str
    labels: tuple[object, ...]
    codes: Codes
    """(rows,)"""
    of_level: IntArray
    """(J,) of the levels of the fit."""

    def named(self, effects: Sequence[str]) -> tuple[str, ...]:
        """Return the labels of the effects, stratum after stratum: ``Intercept:fA``."""
        inside = [f"{self.column}{kinds.spelled(label)}" for label in self.labels]
        return tuple(f"{effect}:{each}" for each in inside for effect in effects)

    def widened(self, Z: FloatArray, rows: Rows, origin: FloatArray | None) -> FloatArray:
        """Return the columns (n, Q) of some rows for every stratum (n, S Q), less their origins."""
        codes, S = self.codes[rows], len(self.labels)
        found = np.zeros((len(Z), S, Z.shape[1]))
        found[np.arange(len(Z)), codes] = Z if origin is None else Z - origin.reshape(S, -1)[codes]
        return found.reshape(len(Z), -1)

    def narrowed(self, Z: FloatArray) -> FloatArray:
        """Undo `widened`."""
        return np.asarray(Z.reshape(len(Z), len(self.labels), -1).sum(axis=1))

    def at(self, stratum: int) -> NDArray[np.bool_]:
        """(rows,) whether a row is in this stratum."""
        return np.asarray(self.codes == stratum)

    def own(self, effects: FloatArray, levels: IntArray | None = None) -> FloatArray:
        """Return the effects (..., J, Q) that levels have, of those of all strata (..., J, S Q).

        They are of all levels, or of some by their places.
        """
        of_level = self._of(levels)
        *shape, columns = effects.shape
        parts = effects.reshape(*shape, len(self.labels), columns // len(self.labels))
        return np.asarray(parts[..., np.arange(len(of_level)), of_level, :])

    def spread_out(self, effects: FloatArray, levels: IntArray | None = None) -> FloatArray:
        """Undo `own`: zero in the strata that a level is not in."""
        of_level = self._of(levels)
        *shape, Q = effects.shape
        found = np.zeros((*shape, len(self.labels), Q))
        found[..., np.arange(len(of_level)), of_level, :] = effects
        return found.reshape(*shape, len(self.labels) * Q)

    def _of(self, levels: IntArray | None) -> IntArray:
        return self.of_level if levels is None else self.of_level[levels]

    def take(self, rows: NDArray[np.intp]) -> Strata:
        """Return the strata of some of the rows, by position."""
        return replace(self, codes=self.codes[rows])

    def repeated(self, times: int) -> Strata:
        """Return the strata of the rows, repeated as a whole."""
        return replace(self, codes=np.tile(self.codes, times))


def strata_of(
    column: str, frame: pd.DataFrame, name: str, factor: Factor, levels: Labels
) -> Strata:
    """Return the strata of a factor of the fit, each level of which is in one."""
    codes, labels = column_codes(column, frame[column])
    of_level = factor.one_of(codes)
    _in_one_stratum(column, name, factor.gather(of_level) != codes, factor, levels)
    if len(labels) == 1:
        raise DataError(
            f"column {column!r} has one value ({labels[0]!r}): there are no strata of {name!r}. "
            f"Write (... | {name})"
        )
    few = np.flatnonzero(np.bincount(of_level, minlength=len(labels)) == 1)
    if len(few):
        warn(
            f"{name!r} has one level only where {column!r} is "
            f"{first_three([labels[place] for place in few])}: there the spread is the prior's"
        )
    return Strata(column, tuple(labels), codes.astype(np.int32), of_level)


def strata_on(
    fitted: Strata, frame: pd.DataFrame, known: KnownLabels, name: str, factor: Factor | None,
    levels: Labels,
) -> Strata:  # fmt: skip
    """Return the strata of other rows.

    Levels of the fit are in theirs, and new ones in one, unless nobody asks for levels: `factor` is
    None. It has those of the fit and then new ones; rows without a label may be in any stratum.
    """
    column = fitted.column
    codes, labels = column_codes(column, frame[column], known)
    position = {label: place for place, label in enumerate(fitted.labels)}
    unseen = [label for label in labels if label not in position]
    if unseen:
        were = "value" if len(unseen) == 1 else "values"
        raise DataError(
            f"{len(unseen):,} {were} of {column!r} {'was' if len(unseen) == 1 else 'were'} not in "
            f"the fit: {first_three(unseen)}. Strata of {name!r}: "
            f"{', '.join(map(repr, fitted.labels))}."
        )
    mine = np.array([position[label] for label in labels], dtype=np.int32)[codes]
    if factor is not None:
        labelled = np.flatnonzero(factor.codes >= 0)
        some = factor.on(labelled)
        of_level = some.one_of(mine[labelled])
        of_level[: len(fitted.of_level)] = fitted.of_level
        _in_one_stratum(column, name, some.gather(of_level) != mine[labelled], some, levels)
    return replace(fitted, codes=mine)


def _in_one_stratum(
    column: str, name: str, wrong: NDArray[np.bool_], factor: Factor, levels: Labels
) -> None:
    """Raise for levels with rows of another stratum than theirs."""
    if wrong.any():
        labels = [levels[place] for place in np.unique(factor.codes[wrong])]
        raise DataError(
            f"{count(len(labels), 'level')} of {name!r} {'has' if len(labels) == 1 else 'have'} "
            f"rows of more than one {column!r}: {first_three(labels)}. gr({name}, by={column}) "
            f"has each level in one stratum, in new rows in that of the fit."
        )
