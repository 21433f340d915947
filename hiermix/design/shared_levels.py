"""``mm(g1, g2, weights=cbind(w1, w2))``: rows that have several levels of one factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import override

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import checks, group_checks, groupings
from hiermix.design.batches import Rows
from hiermix.design.codes import column_codes
from hiermix.design.factor import Factor, Mixture
from hiermix.design.groupings import Grouping
from hiermix.design.kinds import KnownLabels
from hiermix.design.level_covariance import Matrices, check_names, covariance_of
from hiermix.design.plan import Plan
from hiermix.errors import DataError, at_rows, count
from hiermix.formula.terms.memberships import Memberships
from hiermix.typing import FloatArray


@dataclass(frozen=True, eq=False)
class SharedLevels(Grouping):
    """A factor of which a row has several levels: codes (rows, m)."""

    parts: FloatArray = field(kw_only=True)
    """(rows, m) how much each counts."""

    @property
    @override
    def factor(self) -> Factor:
        return self._mixture(len(self.levels))

    @property
    @override
    def with_new(self) -> Factor:
        return self._mixture(len(self.levels) + len(self.new_levels))

    def _mixture(self, size: int) -> Mixture:
        from scipy.sparse import csr_array

        def matrix(rows: Rows) -> csr_array:
            codes, parts = self.codes[rows], self.parts[rows]
            row = np.repeat(np.arange(len(codes)), codes.shape[1])
            inside = ((codes >= 0) & (codes < size)).ravel()
            entries = parts.ravel()[inside], (row[inside], codes.ravel()[inside])
            return csr_array(entries, shape=(len(codes), size))

        return Mixture(self.codes[:, 0], size, matrix)

    @property
    @override
    def unlabelled(self) -> NDArray[np.intp]:
        return np.flatnonzero((self.codes < 0).any(axis=1))

    @override
    def repeated(self, times: int) -> SharedLevels:
        tiled = (times, 1)
        return replace(self, codes=np.tile(self.codes, tiled), parts=np.tile(self.parts, tiled))

    @override
    def take(self, rows: NDArray[np.intp]) -> SharedLevels:
        return replace(self, codes=self.codes[rows], parts=self.parts[rows])

    @override
    def in_one_new(self, label: str) -> SharedLevels:
        codes, m = np.full_like(self.codes, len(self.levels)), self.codes.shape[1]
        new, parts = groupings.labels_array([label]), np.full(self.codes.shape, 1 / m)
        return replace(self, codes=codes, new_levels=new, parts=parts)

    @override
    def in_new(self, label: str) -> SharedLevels:
        first = (self.codes[:, :, None] == self.codes[:, None, :]).argmax(axis=2)
        others = [f"{label} {place}" for place in range(2, self.codes.shape[1] + 1)]
        new = groupings.labels_array([label, *others])
        return replace(self, codes=(len(self.levels) + first).astype(np.int32), new_levels=new)

    @override
    def rows_of(self, level: object) -> NDArray[np.bool_]:
        place = int(np.flatnonzero(self.levels == level)[0])
        return np.asarray((self.codes == place).any(axis=1))


def make_groupings(
    frame: pd.DataFrame, plan: Plan, continuous: bool, data2: Matrices | None
) -> tuple[tuple[Grouping, ...], Plan]:
    """Return the grouping factors of the fit, and the plan with all of their labels."""
    asked = {name: law.cov for name, law in plan.roles.laws.items() if law and law.cov}
    given, labels = check_names(list(asked.values()), data2), dict(plan.labels)
    found = {name: _made(name, frame, plan, continuous) for name in plan.roles.factors}
    for name, matrix in asked.items():
        each = found[name]
        levels, covariance = covariance_of(matrix, given[matrix], name, each.levels.tolist())
        found[name] = replace(each, levels=groupings.labels_array(levels), covariance=covariance)
        labels[each.columns[0]] = KnownLabels(levels)
    return tuple(found.values()), replace(plan, labels=labels)


def _made(name: str, frame: pd.DataFrame, plan: Plan, continuous: bool) -> Grouping:
    """Return a grouping factor of the fit, whatever of its levels a row has."""
    how = plan.roles.factors[name][0].how
    if not isinstance(how, Memberships):
        return groupings.make_grouping(name, frame, plan, continuous)
    codes, levels = _codes(name, how, frame, None)
    group_checks.several_levels(name, levels, " + ".join(map(str, plan.roles.factors[name])))
    found = groupings.grouping_of(name, plan, levels, codes[:, 0])
    group_checks.distinct_effects(name, found.effects)
    shared = found.__dict__ | {"columns": how.columns, "codes": codes}
    return SharedLevels(**shared, parts=_parts(how, frame))


def on(
    fitted: Grouping, frame: pd.DataFrame, plan: Plan, new_groups: str | None, *, encode: bool
) -> Grouping:
    """Return a fitted grouping with codes for other rows: by label, never by position."""
    how = plan.roles.factors[fitted.name][0].how
    if not isinstance(fitted, SharedLevels) or not isinstance(how, Memberships):
        return groupings.grouping_on(fitted, frame, plan, new_groups, encode=encode)
    shape = len(frame), fitted.codes.shape[1]
    if not encode:
        return replace(fitted, codes=np.full(shape, -1, dtype=np.int32), parts=np.zeros(shape))
    checks.known_columns(how.weights, frame)
    for column in how.columns:
        checks.no_missing(column, frame[column])
    codes, labels = _codes(fitted.name, how, frame, KnownLabels(fitted.levels.tolist()))
    position = {label: place for place, label in enumerate(fitted.levels)}
    unseen = [label for label in labels if label not in position]
    if new_groups is not None:
        group_checks.unseen_levels(fitted.name, unseen, new_groups)
    position |= {label: len(fitted.levels) + place for place, label in enumerate(unseen)}
    table = np.array([position[label] for label in labels], dtype=np.int32)
    new = groupings.labels_array(unseen)
    return replace(fitted, codes=table[codes], new_levels=new, parts=_parts(how, frame))


def _codes(
    name: str, how: Memberships, frame: pd.DataFrame, known: KnownLabels | None
) -> tuple[NDArray[np.int32], Sequence[object]]:
    """Return codes (rows, m), and the labels of all columns together, in order."""
    columns = [frame[column].astype(object) for column in how.factor]
    stacked = pd.concat(columns, ignore_index=True).infer_objects()
    codes, labels = column_codes(name, stacked, known)
    group_checks.labels_read_apart(name, labels)
    return codes.reshape(len(how.factor), len(frame)).T.astype(np.int32), labels


def _parts(how: Memberships, frame: pd.DataFrame) -> FloatArray:
    """Return how much each level of a row counts (rows, m)."""
    m = len(how.factor)
    if not how.weights:
        return np.full((len(frame), m), 1 / m if how.scale else 1.0)
    columns = [_weights(column, frame) for column in how.weights]
    parts = np.column_stack(columns)
    if not how.scale:
        return parts
    total = parts.sum(axis=1, keepdims=True)
    if not (total > 0).all():
        where = np.flatnonzero(total.ravel() <= 0)
        raise DataError(
            f"{how}: the weights of {count(len(where), 'row')} add up to zero "
            f"{at_rows(where, frame.index)}: one has to be above it"
        )
    return parts / total


def _weights(column: str, frame: pd.DataFrame) -> FloatArray:
    values = frame[column]
    if values.dtype.kind not in "iuf" and not pd.api.types.is_numeric_dtype(values.dtype):
        raise DataError(f"weights of mm() are numbers: column {column!r} has {values.dtype}")
    numbers = values.to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~(np.isfinite(numbers) & (numbers >= 0)))
    if len(wrong):
        shown = ", ".join(f"{each:g}" for each in numbers[wrong[:3]])
        raise DataError(
            f"weights of mm() are zero or more: column {column!r} has {shown} "
            f"{at_rows(wrong, frame.index)}"
        )
    return numbers
