"""Formula + frame -> Design, in steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike

from hiermix.design import category_counts, checks, frames, imputed, response_checks
from hiermix.design.design import Design
from hiermix.design.encoding import Encoding, encoded_frame, encoding_of
from hiermix.design.equation import equations_of
from hiermix.design.frames import Frame, complete_rows, given_array, select, unused_levels
from hiermix.design.identifiable import check_effects, check_varying, told_apart
from hiermix.design.imputed import Imputed
from hiermix.design.level_covariance import Matrices
from hiermix.design.names_free import check_names
from hiermix.design.partitions import in_one_part
from hiermix.design.plan import (
    Plan,
    ResponseRule,
    plan_of,
    with_bends,
    without_empty_effects,
)
from hiermix.design.response import answered, beside_of, labels_of, response_of
from hiermix.design.roles import Roles, with_keywords
from hiermix.design.series import series_of
from hiermix.design.served import check_served
from hiermix.design.shared_levels import make_groupings
from hiermix.design.tables import Table
from hiermix.design.unanswered import others
from hiermix.formula import category_formulas, threshold_formulas
from hiermix.formula.formula import Formula


def build(
    formula: Formula,
    data: Frame | Table,
    *,
    missing: str = "error",
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    trials: str | int | None = None,
    censored: str | None = None,
    response_rule: ResponseRule | None = None,
    continuous: bool = True,
    states: Mapping[str, Any] | None = None,
    data2: Matrices | None = None,
) -> Design:
    """Build the design of a formula on a frame.

    Parameters
    ----------
    formula
        What `formula.parse` made.
    data
        The frame. It is never changed.
    missing
        ``"error"``; ``"drop"`` leaves rows with a gap out, ``"predict"`` those without a response.
    weights, offset
        A column's name, or a value per row.
    trials, censored
        What ``trials()`` and ``cens()`` say in a formula.
    response_rule
        The family's rule for the response; without one the response is any numeric column.
    continuous
        Whether the response is continuous: then it must vary, and one row per group is remarked.
    data2
        Covariances between levels.
    """
    # 1. The frame, the columns that are used, and the rows that are complete.
    data = data if isinstance(data, Table) else frames.table(data)
    checks.unique_columns(data)
    checks.enough_rows(data)
    formula = with_keywords(formula, offset, trials, censored)
    unordered = response_rule is not None and response_rule.categories == "unordered"
    check_served(formula, unordered=unordered, weighted=weights is not None)
    roles = Roles(formula, weights if isinstance(weights, str) else None)
    check_names(roles, data, weights, offset, trials, censored)
    roles = _with_categories(roles, data, response_rule)
    formula = roles.formula
    frame, kept = complete_rows(select(data, roles.columns), roles, missing)
    checks.enough_rows(frame, " that is complete")

    # 2. How each column is encoded, and the specs of X, of each Z, of offsets and response.
    encodings = {
        name: encoding_of(name, frame[name], found) for name, found in roles.uses().items()
    }
    lacking, plan, encoded = _planned(roles, encodings, frame, response_rule, states)
    plan = without_empty_effects(plan, encoded)

    # 3. Levels and codes, the response and what stands beside it.
    groupings, plan = make_groupings(frame, plan, continuous, data2)
    in_one_part(roles, encodings, groupings, frame)
    beside = beside_of(plan, frame, given_array("weights", weights, len(data), kept))
    response_checks.some_weight(roles.weights, beside.weights)
    category_counts.some_counts(plan, beside.counts)
    response, labels = response_of(plan, frame, encoded, beside)
    plan = answered(plan, beside, response, labels)
    if response_rule is not None and response_rule.categories == "unordered":
        category_formulas.check_all_there(formula, labels)
    if continuous and beside.censored is None:
        response_checks.constant_response(roles.response_name, response)

    # 4. Population columns that can be told apart.
    told = {each.name: told_apart(plan, each, encoded, frame.index) for each in formula.equations}
    plan = with_bends(replace(plan, populations=told))
    check_effects(plan, encoded, frame.index, roles.factors)
    for grouping in groupings:
        check_varying(plan, encoded, grouping, frame.index)
    return Design(
        formula=formula,
        frame=frame,
        others=data.without(frame) if kept is None else data.without(frame).take(kept),
        rows=len(frame),
        equations=equations_of(
            plan, frame, encoded, given_array("offset", offset, len(data), kept)
        ),
        groupings=groupings,
        response_name=roles.response_name,
        response=response,
        unused_levels=unused_levels(frame),
        summed=None,
        series=series_of(formula, frame),
        unanswered=others(data, kept, missing, formula),
        imputed=lacking,
        _encoded=encoded,
        _plan=replace(plan, array_offset=offset is not None and not isinstance(offset, str)),
        **beside._asdict(),
    )


def _with_categories(roles: Roles, data: Table, rule: ResponseRule | None) -> Roles:
    """Give categories, or thresholds between them, equations where the formula asks for that."""
    if rule is None or rule.categories == "none":
        return roles
    ordered = rule.categories == "ordered"
    if not (roles.formula.further or threshold_formulas.specific(roles.formula) if ordered
            else category_formulas.differ(roles.formula)):  # fmt: skip
        return roles
    labels = labels_of(roles, select(data, roles.response_columns), rule)
    if ordered:
        formula = threshold_formulas.spread(roles.formula, len(labels) - 1)
    else:
        formula = category_formulas.spread(roles.formula, labels)
    return Roles(formula, roles.weights)


def _planned(
    roles: Roles,
    encodings: Mapping[str, Encoding],
    frame: pd.DataFrame,
    response_rule: ResponseRule | None,
    states: Mapping[str, Any] | None,
) -> tuple[tuple[Imputed, ...], Plan, pd.DataFrame]:
    """Return predictors with missing values, the plan, and encoded rows with a value everywhere."""
    encoded = encoded_frame(encodings, frame)
    lacking = imputed.first(roles.formula, encodings, encoded)
    encoded = imputed.standing_in(lacking, encoded)
    plan = plan_of(roles, encodings, frame, encoded, response_rule, states=states)
    lacking = imputed.refined(lacking, plan, encoded)
    return lacking, plan, imputed.standing_in(lacking, encoded)
