"""Formulas of several responses + frame -> their joint design: each built alone, then joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import checks
from hiermix.design.build import build
from hiermix.design.codes import codes_of, column_codes
from hiermix.design.design import Design
from hiermix.design.frames import select
from hiermix.design.groupings import Grouping, blocks_of_terms, labels_array
from hiermix.design.identifiable import dependent_columns
from hiermix.design.joint_design import DIM, Joint, ResponseEffects, stacked
from hiermix.design.kinds import KnownLabels
from hiermix.design.plan import ResponseRule
from hiermix.design.roles import beside_its_key
from hiermix.design.tables import Table
from hiermix.errors import ArgumentError, DataError, FormulaError, at_rows, count
from hiermix.formula.equations import qualified
from hiermix.formula.formula import Formula
from hiermix.formula.terms import GroupTerm
from hiermix.typing import FloatArray, IntArray

_ROW = "(row)"
"""Column with the place of each row in the frame."""
_COPIES = 1e-7
"""Share of a response that others leave up to which it is a copy."""
_MOST_ROWS = 100_000
"""Rows in which copies are looked for."""


def built(formula: Formula, data: Table, **keywords: Any) -> Design:
    """Build the design of a formula, of one response or of several; keywords as in `build`."""
    if not formula.parts:
        return build(formula, data, **keywords)
    refused = ("weights", "offset", "trials", "censored", "data2")
    for name in refused:
        given = keywords[name]
        if given is not None and not (isinstance(given, Mapping) and not given):
            way = ": write offset(k) into the formula of its response" if name == "offset" else ""
            raise ArgumentError(f"{name}= is for one response, and there are several{way}")
    return build_joint(
        formula, data, missing=keywords["missing"], response_rule=keywords["response_rule"]
    )


def build_joint(
    formula: Formula, data: Table, *, missing: str, response_rule: ResponseRule | None
) -> Joint:
    """Build the joint design of several responses.

    Parameters
    ----------
    formula
        With the formula of each response as a part.
    data
        The frame. It is never changed.
    missing
        ``"error"`` or ``"drop"``, for predictors and labels. Missing responses are no gap: a row
        counts for those that it has.
    response_rule
        The family's.
    """
    if missing == "predict":
        raise ArgumentError(
            "missing='predict' is for one response: a row counts for the responses that it has, "
            "and fit.predict() of it has the others"
        )
    checks.unique_columns(data)
    checks.enough_rows(data)
    if DIM in data:
        named = [name for part in formula.parts for term in part.groups for name in term.factor]
        if DIM in named:
            raise DataError(
                f"grouping column {DIM!r}: results of several responses have a dim of that name. "
                f"Rename the column, for example to {DIM + '_id'!r}"
            )
    data = data.with_column(_ROW, np.arange(len(data)))
    there = _answered(formula, data, missing)
    parts = [
        build(part, data.take(rows), missing=missing, response_rule=response_rule)
        for part, rows in zip(formula.parts, there, strict=True)
    ]
    for part in parts:
        _check_factors(part)
    return _joined(formula, data, parts)


def _answered(formula: Formula, data: Table, missing: str) -> list[IntArray]:
    """Return the rows that have each response; warn of those that have none."""
    masks = []
    for part in formula.parts:
        names = part.response_columns
        checks.known_columns(names, data)
        masks.append(np.logical_and.reduce([data[name].notna().to_numpy() for name in names]))
        if not masks[-1].any():
            raise DataError(f"no row has the response {part.response!r}: leave its formula out")
    none = np.flatnonzero(~np.logical_or.reduce(masks))
    if len(none) and missing != "drop":
        checks.warn(
            f"{count(len(none), 'row')} without any of the responses "
            f"{at_rows(none, data.index)} left out: they say nothing. missing='drop' says that "
            "this is meant"
        )
    labelled = _labelled(formula, data, np.logical_or.reduce(masks), missing)
    return [np.flatnonzero(mask & labelled) for mask in masks]


def _labelled(
    formula: Formula, data: Table, answered: NDArray[np.bool_], missing: str
) -> NDArray[np.bool_]:
    """Return which rows have the labels of all factors; raise where those that count lack some.

    A row is in one group, also where a response that it has is of no group.
    """
    names = {name for part in formula.parts for term in part.groups for name in term.factor}
    checks.known_columns(sorted(names), data)
    gaps = {name: answered & data[name].isna().to_numpy() for name in sorted(names)}
    gaps = {name: mask for name, mask in gaps.items() if mask.any()}
    checks.missing_values(gaps, data.index, drop=checks.missing_policy(missing) == "drop")
    labelled = np.ones(len(data), dtype=bool)
    for mask in gaps.values():
        labelled &= ~mask
    return labelled


def _check_factors(part: Design) -> None:
    """Raise for factors that several responses can't have."""
    for each in part.groupings:
        plain = type(each) is Grouping and each.strata is None and each.covariance is None
        if not plain or each.heavy:
            raise FormulaError(
                f"several responses have independent, normal effects of plain levels: write "
                f"(1 | p | {':'.join(each.columns)}) in place of {each.name!r}'s special term, or "
                f"fit a model of {part.response_name!r} alone"
            )


def _joined(formula: Formula, data: Table, parts: Sequence[Design]) -> Joint:
    place = [part.others[_ROW].to_numpy(dtype=np.int64) for part in parts]
    used = np.unique(np.concatenate(place))
    rows = data.take(used).without([_ROW])
    names = dict.fromkeys(name for part in parts for name in part._plan.roles.columns)
    frame = _without_responses(select(rows, list(names)), parts, place, used)
    unit = np.searchsorted(used, np.concatenate(place))
    inside = [np.searchsorted(used, each) for each in place]
    factors = dict.fromkeys(each.name for part in parts for each in part.groupings)
    groupings, places = [], {}
    for name in factors:
        whole, parts = _whole(name, parts, frame, inside)
        groupings.append(replace(whole, codes=whole.codes[unit]))
        places[name] = _places(whole, parts)
    first = replace(parts[0], formula=formula, others=rows.without(frame))
    own = tuple(replace(part, others=part.others.without([_ROW])) for part in parts)
    found = stacked(first, own, tuple(groupings), unit, frame, places)
    _check_pairs(found)
    _check_copies(found)
    return found


def _without_responses(
    frame: pd.DataFrame, parts: Sequence[Design], place: Sequence[IntArray], used: IntArray
) -> pd.DataFrame:
    """Return the frame without responses of rows that lack what their formulas need."""
    for part, rows in zip(parts, place, strict=True):
        kept = np.isin(used, rows)
        for name in part.response_columns:
            if (frame[name].notna().to_numpy() & ~kept).any():
                frame = frame.assign(**{name: frame[name].where(kept)})
    return frame


def _whole(
    name: str, parts: Sequence[Design], frame: pd.DataFrame, inside: Sequence[IntArray]
) -> tuple[Grouping, list[Design]]:
    """Return a factor with the levels of all rows and the effects of all responses.

    And the designs of the responses with the same levels.
    """
    having = [each for part in parts for each in part.groupings if each.name == name]
    codes, levels = codes_of(name, having[0].columns, frame)
    terms = _terms(name, parts)
    effects = [(label, term.equation) for term, labels in terms for label in labels]
    whole = ResponseEffects(
        name=name,
        columns=having[0].columns,
        effects=tuple(qualified(label, equation) for label, equation in effects),
        terms=tuple(label for label, _ in effects),
        equations=tuple(equation for _, equation in effects),
        places=tuple(range(len(effects))),
        blocks=blocks_of_terms([term for term, _ in terms], [len(labels) for _, labels in terms]),
        levels=labels_array(levels),
        codes=codes,
    )
    known = {column: KnownLabels(column_codes(column, frame[column])[1])
             for column in whole.columns}  # fmt: skip
    return whole, [_with_levels(part, whole, rows, known)
                   for part, rows in zip(parts, inside, strict=True)]  # fmt: skip


def _terms(name: str, parts: Sequence[Design]) -> list[tuple[GroupTerm, tuple[str, ...]]]:
    """Return the bars of a factor over all responses, those of one key together; their labels."""
    ordered: tuple[GroupTerm, ...] = ()
    labels: dict[int, tuple[str, ...]] = {}
    for part in parts:
        specs = part._plan.effects.get(name, ())
        for term, spec in zip(part._plan.roles.factors.get(name, ()), specs, strict=True):
            mine = replace(term, equation=part.response_name)
            labels[id(mine)] = spec.labels
            ordered = beside_its_key(ordered, mine)
    return [(term, labels[id(term)]) for term in ordered]


def _with_levels(
    part: Design, whole: Grouping, rows: IntArray, known: Mapping[str, KnownLabels]
) -> Design:
    """Return the design of a response with the levels that a factor has over all of them."""
    groupings = tuple(
        replace(each, levels=whole.levels, codes=whole.codes[rows])
        if each.name == whole.name else each for each in part.groupings
    )  # fmt: skip
    plan = replace(part._plan, labels={**part._plan.labels, **known})
    return replace(part, groupings=groupings, _plan=plan)


def _places(whole: Grouping, parts: Sequence[Design]) -> tuple[tuple[int, int], ...]:
    """Find the response and the column there of each effect of a factor."""
    found = {
        qualified(effect, part.response_name): (k, place)
        for k, part in enumerate(parts)
        for each in part.groupings
        if each.name == whole.name
        for place, effect in enumerate(each.effects)
    }
    return tuple(found[effect] for effect in whole.effects)


def _check_pairs(joint: Joint) -> None:
    """Raise where no row has two responses; warn of two that no row has together."""
    present = np.zeros((len(joint.frame), len(joint.parts)), dtype=bool)
    for k in range(len(joint.parts)):
        present[joint.units[joint.of_response(k)], k] = True
    apart = [(i, j) for i, j in combinations(range(len(joint.parts)), 2)
             if not (present[:, i] & present[:, j]).any()]  # fmt: skip
    names = [f"{joint.names[i]!r} and {joint.names[j]!r}" for i, j in apart]
    if not (present.sum(axis=1) > 1).any():
        raise DataError(
            f"no row has two of the responses {', '.join(map(repr, joint.names))}: nothing tells "
            "how they go together. Fit a model of each"
        )
    if names:
        checks.warn(
            f"no row has {' nor '.join(names)} together: of the correlation of their residuals "
            "the prior alone says something"
        )


def _check_copies(joint: Joint) -> None:
    """Raise where a response is a combination of others and of predictors."""
    count_of = np.bincount(joint.units, minlength=len(joint.frame))
    complete = np.flatnonzero(count_of == len(joint.parts))[:_MOST_ROWS]
    X, Y = [np.ones((len(complete), 1))], []
    for k, part in enumerate(joint.parts):
        rows = np.searchsorted(joint.units[joint.of_response(k)], complete)
        X.append(part.X(rows))
        assert part.response is not None
        Y.append(part.response[rows] - (0.0 if part.offset is None else part.offset[rows]))
    matrix = np.column_stack([*X, *(_standard(y) for y in Y)])
    first = matrix.shape[1] - len(Y)
    if len(complete) <= np.linalg.matrix_rank(matrix[:, :first]) + len(Y):
        return
    for place in dependent_columns(matrix, _COPIES):
        if place > first:  # one before them is a matter of its own formula
            name = joint.names[place - first]
            others = ", ".join(map(repr, joint.names[: place - first]))
            raise DataError(
                f"response {name!r} is an exact combination of {others} and the predictors: a "
                "copy has no residual of its own, so that their correlation is one. Keep one of "
                "them"
            )


def _standard(y: FloatArray) -> FloatArray:
    """Return a response in units of its spread."""
    return (y - y.mean()) / (y.std() or 1.0) if len(y) else y
