"""Coding: how rows of a formula become numbers, apart from any rows; two of them are compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hiermix.design import checks
from hiermix.design.batches import BATCH
from hiermix.design.design import Design
from hiermix.design.encoding import encoded_frame, encoding_of
from hiermix.design.equation import Equation
from hiermix.design.frames import select
from hiermix.design.groupings import grouping_of
from hiermix.design.kinds import KnownLabels
from hiermix.design.limits import Limits
from hiermix.design.plan import Plan, ResponseRule, Summed, plan_of
from hiermix.design.roles import Roles
from hiermix.design.survey import Survey
from hiermix.design.tables import Table
from hiermix.errors import DataError, first_three
from hiermix.formula.equations import MU
from hiermix.formula.formula import Formula
from hiermix.formula.names import unaliased

_SAME = 1e-12
"""States of functions that differ by less are one: sums over other batches, rounded."""


@dataclass(frozen=True, eq=False)
class Coding:
    """What encodes rows of a formula: levels, combinations that occur, states of functions."""

    formula: Formula
    weights: str | None
    rule: ResponseRule
    shown: pd.DataFrame
    """Rows in which every level and combination stands, and nothing else is told."""
    states: Mapping[str, Any] | None = None
    """What functions know of all rows, by their expression."""
    family: str = "gaussian"

    @classmethod
    def of(cls, roles: Roles, rule: ResponseRule, survey: Survey, family: str) -> Coding:
        """Return the coding that rows ask for which were looked at."""
        coding = cls(roles.formula, roles.weights, rule, survey.shown(), family=family)
        return replace(coding, states=coding._plan(survey.whole).states)

    def __str__(self) -> str:
        return f"{self.formula}" + (f" with weights {self.weights!r}" if self.weights else "")

    @cached_property
    def roles(self) -> Roles:
        """Which columns are what."""
        return Roles(self.formula, self.weights)

    @cached_property
    def plan(self) -> Plan:
        """What encodes rows; it has no level of a grouping factor."""
        return self._plan({})

    def __getstate__(self) -> dict[str, Any]:
        """Leave here what can be made again."""
        return {name: value for name, value in self.__dict__.items() if name != "plan"}

    def _plan(self, values: Mapping[str, pd.Series]) -> Plan:
        roles, shown = self.roles, self.shown
        encodings = {
            name: encoding_of(name, shown[name], found) for name, found in roles.uses().items()
        }
        encoded = encoded_frame(encodings, shown)
        some = {name: encodings[name] for name in values}
        whole = encoded_frame(some, pd.DataFrame(dict(values))) if values else None
        if whole is not None:  # the same states, whatever the order of the batches
            whole = whole.sort_values(whole.columns.to_list(), ignore_index=True)
        plan = plan_of(roles, encodings, shown, encoded, self.rule, whole, self.states)
        return replace(plan, labels={name: KnownLabels([]) for name in plan.labels})

    def on_formula(self, formula: Formula) -> Coding:
        """Return the coding of a formula of the same columns."""
        roles = Roles(formula, self.weights)
        checks.known_columns(roles.columns, Table.of(self.shown))
        return replace(self, formula=formula, shown=self.shown[list(roles.columns)])

    def with_cells_of(self, other: Coding) -> Coding:
        """Return the coding of the rows of both, which must be coded alike.

        Raises
        ------
        DataError
            They aren't; with what differs.
        """
        self._check_like(other)
        coded = {name for name, each in self.plan.encodings.items() if each.levels or each.seen}
        theirs = other.shown.assign(
            **{str(name): self.shown[name].iloc[0] for name in self.shown if name not in coded}
        )
        both = pd.concat([self.shown, theirs], ignore_index=True).astype(self.shown.dtypes)
        both = both[~both.duplicated() | (both.index < 2)].reset_index(drop=True)
        return self if len(both) == len(self.shown) else replace(self, shown=both)

    def check_formula(self, other: Coding) -> None:
        """Raise unless two codings are of one formula."""
        if str(self.formula) != str(other.formula) or self.weights != other.weights:
            raise DataError(
                f"statistics of {self} and of {other} can't be added: build both of one formula"
            )
        if self.family != other.family:
            raise DataError(
                f"statistics of families {self.family!r} and {other.family!r} can't be added: "
                "build both of one family"
            )

    def _check_like(self, other: Coding) -> None:
        self.check_formula(other)
        for name, encoding in self.plan.encodings.items():
            theirs = other.plan.encodings[name]
            kinds = self.plan.kind_of[name].what, other.plan.kind_of[name].what
            if (encoding.levels, encoding.seen) != (theirs.levels, theirs.seen) or len(
                set(kinds)
            ) > 1:
                mine, others = (
                    f"the levels {first_three(each.levels or each.seen or ())}"
                    if each.levels or each.seen else what
                    for each, what in zip((encoding, theirs), kinds, strict=True)
                )  # fmt: skip
                raise DataError(
                    f"statistics with other codings can't be added: column {name!r} has {mine} "
                    f"here and {others} there. Build them with like=, the statistics that know all "
                    "levels, or give the column these categories"
                )
        check_states(self.states, other.states)

    def design(
        self,
        levels: Mapping[str, Sequence[object]],
        plan: Plan | None = None,
        summed: Summed | None = None,
    ) -> Design:
        """Return a design of no rows, whose factors have these levels."""
        plan = self.plan if plan is None else plan
        codes = np.empty(0, dtype=np.int32)
        labels = {name: KnownLabels([]) for name in plan.labels}
        for name, known in levels.items():
            if len(plan.roles.factors[name][0].factor) == 1:
                labels[plan.roles.factors[name][0].factor[0]] = KnownLabels(known)
        frame = self.shown.iloc[:0]
        return Design(
            formula=self.formula,
            frame=frame,
            others=Table.of(frame[[]]),
            rows=0,
            equations=(Equation(MU, plan.population.labels),),
            groupings=tuple(
                grouping_of(name, plan, levels.get(name, ()), codes) for name in plan.roles.factors
            ),
            response_name=plan.roles.response_name,
            response=None,
            trials=None,
            weights=None,
            censored=None,
            limits=Limits(),
            unused_levels={},
            summed=summed,
            _encoded=encoded_frame(plan.encodings, frame),
            _plan=replace(plan, labels=labels),
        )


class Complete(NamedTuple):
    """Complete rows of some batches, of the columns used in the storage of their kinds."""

    frame: pd.DataFrame
    dropped: int
    """Rows that aren't."""


def complete(roles: Roles, batches: Iterable[Table], missing: str) -> Iterator[Complete]:
    """Yield the complete rows of batches, those of small ones together."""
    drop = checks.missing_policy(missing) == "drop"
    held: list[pd.DataFrame] = []
    start = seen = kept = 0
    for batch in batches:
        checks.known_columns(roles.columns, batch, parameters=roles.curves)
        frame = select(batch, roles.columns)
        frame.index = pd.RangeIndex(start, start + len(frame))
        held.append(_without_missing(frame, drop))
        start, seen = start + len(frame), seen + len(frame)
        kept += len(held[-1])
        if kept >= BATCH:
            yield Complete(pd.concat(held), seen - kept)
            held, seen, kept = [], 0, 0
    if held:
        yield Complete(pd.concat(held), seen - kept)


def _without_missing(frame: pd.DataFrame, drop: bool) -> pd.DataFrame:
    masks = {str(name): frame[name].isna().to_numpy() for name in frame if frame[name].hasnans}
    if not masks:
        return frame
    if not drop:
        checks.missing_in_batch(masks, frame.index)
    return frame.iloc[np.flatnonzero(~np.logical_or.reduce(list(masks.values())))]


def check_states(mine: Mapping[str, Any] | None, theirs: Mapping[str, Any] | None) -> None:
    """Raise unless functions know the same of their rows."""
    for expression, state in (mine or {}).items():
        if not _alike(state, (theirs or {}).get(expression)):
            raise DataError(
                "statistics with other codings can't be added: what "
                f"{unaliased(expression)} knows of its rows differs. Build them with like=, the "
                "statistics whose columns are to be kept"
            )


def _alike(one: Any, other: Any) -> bool:
    """Whether two states are one but for rounding."""
    if isinstance(one, Mapping):
        return isinstance(other, Mapping) and one.keys() == other.keys() and all(
            _alike(each, other[name]) for name, each in one.items()
        )  # fmt: skip
    if isinstance(one, list | tuple):
        return isinstance(other, list | tuple) and len(one) == len(other) and all(
            map(_alike, one, other)
        )  # fmt: skip
    if isinstance(one, np.ndarray | float | int) and isinstance(other, np.ndarray | float | int):
        return np.shape(one) == np.shape(other) and np.allclose(one, other, rtol=_SAME, atol=0)
    return bool(one == other)
