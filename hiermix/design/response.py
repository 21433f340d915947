"""The response and what stands beside it, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hiermix.design import category_counts, checks, column_checks, kinds, response_checks
from hiermix.design.limits import INTERVAL, Limits, check_seen, limits_of
from hiermix.design.plan import Given, Labels, Outcomes, Plan, ResponseRule
from hiermix.design.roles import Roles
from hiermix.design.specs import one_column
from hiermix.errors import FormulaError
from hiermix.formula.response_terms import ResponseTerms
from hiermix.typing import FloatArray


def response_of(plan: Plan, frame: pd.DataFrame, encoded: pd.DataFrame, beside: Beside) -> Outcomes:
    """Return the response in numbers, by the family's rule if there is one."""
    found = _response(plan, frame, encoded, beside)
    check_seen(found.numbers, beside.censored, beside.limits, frame.index)
    if plan.items is not None and plan.items.sizes and beside.limits.item is not None:
        plan.items.check(beside.limits.item, found.numbers, frame.index)
    return found


def answered(plan: Plan, beside: Beside, response: FloatArray, labels: Labels) -> Plan:
    """Return the plan of a fit with what its responses say: labels, and categories of items."""
    items = plan.items
    if items is not None and beside.limits.item is not None:
        items = items.sized(beside.limits.item, response, labels)
    return replace(plan, response_labels=labels, items=items)


def _response(plan: Plan, frame: pd.DataFrame, encoded: pd.DataFrame, beside: Beside) -> Outcomes:
    name = plan.roles.response_name
    if plan.roles.formula.counted:
        return category_counts.outcomes(plan, beside.counts, beside.trials, frame.index)
    if plan.response is None:
        values = frame[plan.roles.plain_response]
        column_checks.not_complex(name, values)
    else:
        values = pd.Series(one_column(plan.response, encoded), index=frame.index)
        given = frame[list(plan.roles.response_columns)].notna().all(axis=1)
        matrix = np.where(given, values, 0.0)[:, None]
        checks.finite_terms([name], matrix, 0, frame.index)
    if values.isna().all():  # new data with a column kept free for the response
        return Outcomes(np.full(len(values), np.nan))
    if plan.response_rule is not None:
        interval = None if beside.censored is None else beside.censored == INTERVAL
        return plan.response_rule.read(
            Given(values, name, beside.trials, plan.response_labels, interval)
        )
    return Outcomes(_numbers_alone(name, values))


def labels_of(roles: Roles, frame: pd.DataFrame, rule: ResponseRule) -> Labels:
    """Return the labels of the response in all rows that have one."""
    name = roles.plain_response
    if roles.formula.counted:
        return roles.formula.counted
    if name is None:
        raise FormulaError(
            f"categories have formulas of their own where the response is a column: make one of "
            f"{roles.formula.response}"
        )
    values = frame[name].dropna()
    return rule.read(Given(values, name)).labels if len(values) else ()


def outcomes_of(plan: Plan, values: pd.Series) -> FloatArray:
    """Return responses in numbers that come without the rest of their rows."""
    name, values = plan.roles.response_name, kinds.stored(values)
    if values.isna().all():
        return np.full(len(values), np.nan)
    if plan.response_rule is not None and plan.response_labels:
        return plan.response_rule.read(Given(values, name, labels=plan.response_labels)).numbers
    return _numbers_alone(name, values)


def _numbers_alone(name: str, values: pd.Series) -> FloatArray:
    response_checks.numeric_response(values, name)
    checks.finite(name, values)
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


class Beside(NamedTuple):
    """What stands beside the response, each None where there is none."""

    trials: FloatArray | None
    weights: FloatArray | None
    censored: FloatArray | None
    limits: Limits
    counts: FloatArray | None = None
    """Of several categories (rows, categories)."""


def beside_of(plan: Plan, frame: pd.DataFrame, weights: ArrayLike | None) -> Beside:
    """Return what stands beside the response in some rows."""
    counts, trials = category_counts.counts_of(plan, frame), _trials(plan.roles, frame)
    if counts is not None and plan.roles.formula.beside.trials is None:
        trials = counts.sum(axis=1)
    limits = limits_of(plan.roles.formula.beside, frame)
    if plan.items is not None:
        limits = replace(limits, item=plan.items.codes(frame))
    return Beside(
        trials=trials,
        weights=_weights(plan.roles.weights, frame, weights),
        censored=censored_of(plan.roles.formula.beside.censored, frame),
        limits=limits,
        counts=counts,
    )


def _trials(roles: Roles, frame: pd.DataFrame) -> FloatArray | None:
    trials = roles.formula.beside.trials
    if trials is None or (roles.trials is not None and roles.trials not in frame):
        return None
    if roles.trials is None:
        return np.full(len(frame), float(trials))
    return _numeric(roles.trials, frame, "trials")


def _weights(column: str | None, frame: pd.DataFrame, given: ArrayLike | None) -> FloatArray | None:
    if given is not None:
        weights = array_of("weights", given, len(frame))
        response_checks.usable_weights("the array", weights, frame.index)
        return weights
    if column is None or column not in frame:
        return None
    weights = _numeric(column, frame, "weights")
    response_checks.usable_weights(f"column {column!r}", weights, frame.index)
    return weights


_CENSORED = {"left": -1.0, "none": 0.0, "right": 1.0, "interval": 2.0}
_CENSORED |= {kinds.spelled(code): code for code in _CENSORED.values()}
_CENSORED |= {"False": 0.0, "True": 1.0}


def censored_of(column: str | None, frame: pd.DataFrame) -> FloatArray | None:
    """Return -1 left, 0 not, 1 right, 2 interval censored, as brms codes them."""
    if column is None or column not in frame:
        return None
    values = frame[column]
    codes = np.array([_CENSORED.get(kinds.spelled(value), np.nan) for value in values.tolist()])
    response_checks.known_censoring(column, values, np.isnan(codes))
    return codes


def ends_that_count(
    masks: Mapping[str, NDArray[np.bool_]], terms: ResponseTerms, frame: pd.DataFrame
) -> dict[str, NDArray[np.bool_]]:
    """Return masks of missing values without those of ends where there is no interval."""
    found = dict(masks)
    if terms.end in found and terms.censored is not None:
        codes = [_CENSORED.get(kinds.spelled(each)) for each in frame[terms.censored].tolist()]
        found[terms.end] = found[terms.end] & (np.array(codes, dtype=object) == INTERVAL)
    return {name: mask for name, mask in found.items() if mask.any()}


def _numeric(column: str, frame: pd.DataFrame, what: str) -> FloatArray:
    response_checks.numeric_column(column, frame[column], what)
    return frame[column].to_numpy(dtype=np.float64, na_value=np.nan)


def array_of(what: str, given: ArrayLike, rows: int) -> FloatArray:
    """Return an array that was given for the rows, as numbers."""
    array = kinds.numbers(given)
    response_checks.numeric_array(what, array)
    response_checks.right_length(what, len(array), rows)
    return np.asarray(array, dtype=np.float64)
