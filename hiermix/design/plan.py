"""What is kept of a fit to put new rows through: no rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import natural_splines
from hiermix.design.codes import column_codes
from hiermix.design.curves import Curve
from hiermix.design.encoding import Encoding
from hiermix.design.fitted_curves import curves_of
from hiermix.design.items import Items, items_of
from hiermix.design.kinds import Kind, KnownLabels
from hiermix.design.level_curves import LevelCurve
from hiermix.design.member_covariates import member_columns
from hiermix.design.monotone_steps import Steps, level_columns, steps_of
from hiermix.design.roles import Roles, distinct
from hiermix.design.specs import Beside, Spec, fit_spec, without_zeros
from hiermix.formula.equations import MU
from hiermix.formula.terms.group_terms import GroupTerm
from hiermix.formula.terms.smooths import FactorSmooth
from hiermix.formula.threshold_formulas import threshold_of
from hiermix.typing import FloatArray

type Labels = tuple[object, ...]


class Given(NamedTuple):
    """A response as it comes, and what a rule may need beside."""

    column: pd.Series
    name: str
    trials: FloatArray | None = None
    labels: Labels = ()
    """Those of the fit; none for the rows that are fitted."""
    interval: NDArray[np.bool_] | None = None
    """Which values are the lower ends of intervals."""


class Outcomes(NamedTuple):
    """A response in numbers, and the labels that these stand for, if any."""

    numbers: FloatArray
    labels: Labels = ()


@dataclass(frozen=True)
class ResponseRule:
    """How a family reads its response."""

    read: Callable[[Given], Outcomes]
    """Raises a DataError for what the family can't have."""
    categories: Literal["none", "ordered", "unordered"] = "none"
    """Whether the labels are categories, counted from 1, and have an order."""


def in_kind(
    plan: Plan, frame: pd.DataFrame, predictors: Sequence[str], factors: Sequence[str]
) -> pd.DataFrame:
    """Return new rows with every predictor and label read as the kind that it was in the fit."""
    read = {}
    for name in distinct(predictors, factors):
        encoding = plan.encodings.get(name)
        labels = encoding is None or encoding.levels is not None
        read[name] = plan.kind_of[name].read(frame[name], labels=labels)
    return frame.assign(**{name: values for name, values in read.items()
                           if values is not frame[name]})  # fmt: skip


class Summed(NamedTuple):
    """What sums say of the rows of a fit."""

    rows: int
    mean: FloatArray
    """(P,) of the columns of X."""
    covariance: FloatArray
    """(P, P)"""
    squares: Mapping[str, FloatArray]
    """Mean of z z' (Q, Q), factor by factor."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything a design needs to encode rows, and nothing of the rows themselves."""

    roles: Roles
    kind_of: Mapping[str, Kind]
    labels: Mapping[str, KnownLabels]
    """Of the columns of grouping factors."""
    encodings: Mapping[str, Encoding]
    populations: Mapping[str, Spec]
    """Of each equation."""
    effects: Mapping[str, tuple[Spec, ...]]
    """Of each factor, those of all equations."""
    offsets: Mapping[str, tuple[Spec, ...]]
    """Of each equation."""
    response: Spec | None
    response_rule: ResponseRule | None
    response_labels: Labels = ()
    array_offset: bool = False
    items: Items | None = None
    """Those that have thresholds of their own."""
    curves: tuple[Curve, ...] = ()
    """Of smooths: the columns of their straight lines are in `populations`; so are those of what
    bends them, once `with_bends`."""
    straight: Mapping[str, Spec] = field(default_factory=dict)
    """`populations` without what bends curves."""
    level_curves: tuple[LevelCurve, ...] = ()
    """Those that vary over factors: their columns are in `effects`."""
    steps: tuple[Steps, ...] = ()
    """Of monotonic effects: their columns are in `populations`."""

    @property
    def population(self) -> Spec:
        """That of the response's location."""
        return self.populations[MU]

    @property
    def states(self) -> dict[str, Any]:
        """What functions know of all rows, over all specs."""
        some = () if self.response is None else (self.response,)
        several = chain(*self.effects.values(), *self.offsets.values())
        times = [each.times[0] for each in self.steps if each.times]
        specs = (*self.populations.values(), *several, *some, *times)
        known = {name: state for spec in specs for name, state in spec.states.items()}
        curves = (*self.curves, *(each.curve for each in self.level_curves))
        return known | {each.name: each.state for each in curves}


def plan_of(
    roles: Roles,
    encodings: Mapping[str, Encoding],
    frame: pd.DataFrame,
    encoded: pd.DataFrame,
    response_rule: ResponseRule | None,
    whole: pd.DataFrame | None = None,
    states: Mapping[str, Any] | None = None,
) -> Plan:
    """Return what is kept of a fit: encodings, specs, the labels of factors.

    `whole` and `states` are those of `fit_spec`.
    """
    formula = roles.formula
    factors = distinct(roles.factor_columns(roles.factors), roles.stratum_columns(roles.factors))
    fitted = partial(fit_spec, encoded=encoded, whole=whole, states=states)
    curves = curves_of(formula, encodings, encoded if whole is None else whole, states)
    populations = {each.name: fitted(each.population) for each in formula.equations}
    if response_rule is not None and response_rule.categories == "ordered":
        populations = {
            name: spec if threshold_of(name) is None else spec.without_intercept()
            for name, spec in populations.items()
        }
    steps = steps_of(formula, encodings, frame, encoded, fitted)
    for one in steps:
        columns = Beside(one.labels, one.matrix)
        populations[one.equation] = populations[one.equation].with_columns([columns])
    for each in curves:
        lines = Beside(each.lines, each.straight)
        populations[each.equation] = populations[each.equation].with_columns([lines])
    of_levels = {
        term.curve: LevelCurve(
            name,
            natural_splines.of_levels(term.curve, encoded if whole is None else whole, states),
        )
        for name, terms in roles.factors.items() for term in terms if term.curve
    }  # fmt: skip
    return Plan(
        roles=roles,
        kind_of={str(name): Kind.of(str(name), frame[name]) for name in frame},
        labels={name: KnownLabels(column_codes(name, frame[name])[1]) for name in factors},
        encodings=encodings,
        populations=populations,
        curves=curves,
        steps=steps,
        items=items_of(formula.beside, frame),
        effects={
            name: tuple(
                fitted(term.effects).with_columns(
                    [*_curved(of_levels, term), *level_columns(steps, term), *member_columns(term)]
                )
                for term in terms
            )
            for name, terms in roles.factors.items()
        },
        level_curves=tuple(of_levels.values()),
        offsets={
            each.name: tuple(fitted(f"0 + {text}") for text in each.offsets)
            for each in formula.equations
        },
        response=None if roles.worked_out is None else fitted(f"0 + {roles.worked_out}"),
        response_rule=response_rule,
    )


def _curved(found: Mapping[FactorSmooth, LevelCurve], term: GroupTerm) -> list[Beside]:
    """Return the columns of a curve that varies; none of other terms."""
    if term.curve is None:
        return []
    curve = found[term.curve]
    return [Beside(curve.effects, curve.matrix)]


def with_bends(plan: Plan) -> Plan:
    """Return the plan whose population columns have behind them what bends curves.

    For whoever has draws of all coefficients, these are columns like any other. Programs, to which
    they are levels of factors, have the columns as they were: see `curve_factors`.
    """
    if not plan.curves:
        return plan
    found = dict(plan.populations)
    for each in plan.curves:
        found[each.equation] = found[each.equation].with_columns([Beside(each.bends, each.bent)])
    return replace(plan, populations=found, straight=plan.populations)


def without_empty_effects(plan: Plan, encoded: pd.DataFrame) -> Plan:
    """Return the plan without varying columns that no row has for lack of a combination."""
    effects = {
        name: tuple(without_zeros(spec, encoded) for spec in specs)
        for name, specs in plan.effects.items()
    }
    return replace(plan, effects=effects)
