"""Which columns of a formula tell cells apart, and which are summed within them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hiermix.design.coding import Coding
from hiermix.design.design import Design
from hiermix.design.plan import Plan, with_bends
from hiermix.design.roles import Roles, distinct
from hiermix.design.specs import Spec
from hiermix.formula.equations import MU
from hiermix.formula.sums import columns
from hiermix.typing import FloatArray


def key_columns(roles: Roles) -> tuple[str, ...]:
    """Return the columns whose values the rows of a cell share.

    Labels of groups and what is said of them; columns of all equations but that of the location;
    standard errors.
    """
    formula = roles.formula
    pieces = [piece for each in formula.further for piece in each.pieces]
    pieces += [term.effects for term in formula.groups if term.equation != MU]
    return distinct(
        roles.factor_columns(roles.factors),
        *(term.how.columns for term in formula.groups if term.how),
        *map(columns, pieces),
        *(each.columns for each in formula.specials if each.equation != MU),
        formula.beside.columns,
    )


def own_columns(roles: Roles) -> tuple[str, ...]:
    """Return those of them that may differ between rows that go together: no labels of groups."""
    groups = distinct(
        roles.factor_columns(roles.factors),
        *(term.how.columns for term in roles.formula.groups if term.how),
    )
    return tuple(name for name in key_columns(roles) if name not in groups)


@dataclass(frozen=True, eq=False)
class SummedColumns:
    """The columns that are summed: those of the location's equation, each label once."""

    coding: Coding

    @cached_property
    def plan(self) -> Plan:
        """What encodes rows, curves with what bends them."""
        return with_bends(self.coding.plan)

    @property
    def specs(self) -> Iterator[Spec]:
        """Sums of terms of the location: the population's, then those that vary."""
        yield self.plan.population
        yield from of_location(self.plan)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Labels of the columns; of one column in both parts it is one."""
        every = distinct(*(spec.labels for spec in self.specs))
        return tuple(label for label in every if label != "Intercept")

    @property
    def population(self) -> list[int]:
        """Places of those that are population columns."""
        own = set(self.plan.population.labels)
        return [place for place, label in enumerate(self.labels) if label in own]

    def matrix(self, design: Design, rows: slice) -> FloatArray:
        """Return the columns (n, K) of rows that are here."""
        part = design._encoded.iloc[rows]
        found: dict[str, FloatArray] = {}
        for spec in self.specs:
            if any(label not in found for label in spec.labels):
                found |= dict(zip(spec.labels, spec.matrix(part).T, strict=True))
        every = [found[label] for label in self.labels]
        return np.column_stack([np.empty((len(part), 0)), *every])


def of_location(plan: Plan) -> Iterator[Spec]:
    """Yield what varies over the factors of a plan in the equation of the location."""
    for name, terms in plan.roles.factors.items():
        for term, spec in zip(terms, plan.effects[name], strict=True):
            if term.equation == MU:
                yield spec
