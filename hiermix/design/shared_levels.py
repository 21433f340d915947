"""``mm(g1, g2, weights=cbind(w1, w2))``: rows that have several levels of one factor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, override

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import checks, group_checks, groupings, member_covariates
from hiermix.design.batches import Rows
from hiermix.design.codes import column_codes
from hiermix.design.factor import Factor, Mixture
from hiermix.design.groupings import Grouping
from hiermix.design.kinds import KnownLabels
from hiermix.design.level_covariance import Matrices, check_names, covariance_of
from hiermix.design.member_covariates import Covariates, OwnMixture
from hiermix.design.plan import Plan
from hiermix.errors import DataError, at_rows, count
from hiermix.formula.terms.memberships import Memberships
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class SharedLevels(Grouping):
    """A factor of which a row has several levels: codes (rows, m)."""

    parts: FloatArray = field(kw_only=True)
    """(rows, m) how much each counts."""
    covariates: Covariates = field(kw_only=True, default_factory=dict)

    @property
    @override
    def factor(self) -> Factor:
        return self._mixture(len(self.levels))

    @property
    @override
    def with_new(self) -> Factor:
        return self._mixture(len(self.levels) + len(self.new_levels))

    def _mixture(self, size: int) -> Mixture:
        def matrix(rows: Rows) -> csr_array:
            return self._matrix(rows, self.parts[rows], size)

        def matrices(rows: Rows) -> list[csr_array]:
            each = np.moveaxis(self.loads(rows, range(len(self.effects))), 2, 0)
            return [self._matrix(rows, parts, size) for parts in each]

        if not self.covariates:
            return Mixture(self.codes[:, 0], size, matrix)
        return OwnMixture(self.codes[:, 0], size, matrix, matrices)

    def _matrix(self, rows: Rows, parts: FloatArray, size: int) -> csr_array:
        from scipy.sparse import csr_array

        codes = self.codes[rows]
        row = np.repeat(np.arange(len(codes)), codes.shape[1])
        inside = ((codes >= 0) & (codes < size)).ravel()
        entries = parts.ravel()[inside], (row[inside], codes.ravel()[inside])
        return csr_array(entries, shape=(len(codes), size))

    def loads(self, rows: Rows, places: Sequence[int]) -> FloatArray:
        """(n, m, Q) how much each level of some rows counts for some effects, beside Z."""
        each = []
        for place in places:
            column = self.places[place]
            origin = 0.0 if self.origin is None else self.origin[column]
            own = self.covariates.get(column)
            each.append(self.parts[rows] * (1.0 if own is None else own[rows] - origin))
        return np.stack(each, axis=2)

    @override
    def columns_of(self, Z: FloatArray, rows: Rows) -> FloatArray:
        found = super().columns_of(Z, rows)
        if self.covariates:
            found = found.copy()
            found[:, list(self.covariates)] = 1.0
        return found

    def of_membership(self, k: int, Z: FloatArray, rows: Rows) -> FloatArray:
        """Return Z (n, Q) of some rows as one of their memberships has it."""
        found = Z.copy()
        for place, values in self.covariates.items():
            found[:, place] = values[rows, k]
        return found

    def _own(self, to: Callable[[FloatArray], FloatArray]) -> Covariates:
        return {place: to(values) for place, values in self.covariates.items()}

    @property
    @override
    def unlabelled(self) -> NDArray[np.intp]:
        return np.flatnonzero((self.codes < 0).any(axis=1))

    @override
    def repeated(self, times: int) -> SharedLevels:
        def tiled(values: NDArray[Any]) -> NDArray[Any]:
            return np.tile(values, (times, 1))

        codes, parts = tiled(self.codes), tiled(self.parts)
        return replace(self, codes=codes, parts=parts, covariates=self._own(tiled))

    @override
    def take(self, rows: NDArray[np.intp]) -> SharedLevels:
        own = self._own(lambda values: values[rows])
        return replace(self, codes=self.codes[rows], parts=self.parts[rows], covariates=own)

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
    own = member_covariates.of_rows(plan.roles.factors[name], found.terms, frame)
    member_covariates.check_varying(own, found.terms)
    return SharedLevels(**shared, parts=_parts(how, frame), covariates=own)


def on(
    fitted: Grouping, frame: pd.DataFrame, plan: Plan, new_groups: str | None, *, encode: bool
) -> Grouping:
    """Return a fitted grouping with codes for other rows: by label, never by position."""
    how = plan.roles.factors[fitted.name][0].how
    if not isinstance(fitted, SharedLevels) or not isinstance(how, Memberships):
        return groupings.grouping_on(fitted, frame, plan, new_groups, encode=encode)
    shape = len(frame), fitted.codes.shape[1]
    if not encode:
        none = {place: np.zeros(shape) for place in fitted.covariates}
        codes = np.full(shape, -1, dtype=np.int32)
        return replace(fitted, codes=codes, parts=np.zeros(shape), covariates=none)
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
    own = member_covariates.of_rows(plan.roles.factors[fitted.name], fitted.terms, frame)
    return replace(
        fitted, codes=table[codes], new_levels=new, parts=_parts(how, frame), covariates=own
    )


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
