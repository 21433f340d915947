"""From the moments of cells to a design: weighted rows that stand for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from hiermix.design.codes import column_codes
from hiermix.design.coding import Coding
from hiermix.design.design import Design
from hiermix.design.encoding import encoded_frame
from hiermix.design.equation import equations_of
from hiermix.design.identifiable import check_varying, told_apart
from hiermix.design.kinds import KnownLabels
from hiermix.design.level_covariance import Matrices
from hiermix.design.limits import limits_of
from hiermix.design.partitions import in_one_part
from hiermix.design.plan import Plan, with_bends, without_empty_effects
from hiermix.design.series import Series
from hiermix.design.shared_levels import make_groupings
from hiermix.design.specs import bringing
from hiermix.design.tables import Table
from hiermix.errors import DataError, did_you_mean
from hiermix.formula.equations import MU
from hiermix.statistics.cell_coding import SummedColumns, key_columns
from hiermix.statistics.cell_moments import CellMoments, Origin, stand_ins, together
from hiermix.statistics.smaller_formulas import smaller
from hiermix.typing import FloatArray


def design_of(
    coding: Coding,
    cells: CellMoments,
    origin: Origin,
    rows: int,
    formula: str | None,
    data2: Matrices | None,
) -> Design:
    """Return the design of rows that have the moments of cells, for their formula or a smaller one.

    Raises
    ------
    DataError
        The formula has a column that is not there, or one that says nothing.
    """
    # 1. The cells of this formula, and rows that stand for theirs.
    some = chosen(coding, cells.names, formula)
    cells = together([cells], some.keys).in_order()
    best = cells.fitted(origin, [some.places[each] for each in some.population])
    cell, values, weight = stand_ins(cells.around(origin, best).some_columns(some.places))
    frame = cells.keys.iloc[cell].reset_index(drop=True)
    # 2. Their columns.
    return built(some, best, frame, values, weight, rows, data2)


class Chosen(NamedTuple):
    """What a formula takes of sums."""

    coding: Coding
    keys: tuple[str, ...]
    labels: tuple[str, ...]
    """Of the columns that are summed."""
    places: tuple[int, ...]
    """Theirs among the columns of the sums."""
    population: list[int]
    """Places among `labels` of those that are population columns."""


def chosen(coding: Coding, keys: Sequence[str], formula: str | None) -> Chosen:
    """Return what a formula takes of sums with these keys: their own one, or a smaller one.

    Raises
    ------
    DataError
        It has a column that is not there.
    """
    known = SummedColumns(coding)
    coding = coding if formula in (None, str(coding.formula)) else smaller(coding, str(formula))
    names, what = key_columns(coding.roles), SummedColumns(coding)
    _there(names, keys, "key")
    _there(what.labels, known.labels, "column")
    places = tuple(known.labels.index(label) for label in what.labels)
    return Chosen(coding, names, what.labels, places, what.population)


def built(
    some: Chosen,
    best: Origin,
    frame: pd.DataFrame,
    values: FloatArray,
    weight: FloatArray,
    rows: int,
    data2: Matrices | None,
    series: Series | None = None,
) -> Design:
    """Return the design of rows that stand for others.

    Parameters
    ----------
    some : Chosen
        Columns and keys.
    best : Origin
        What the columns are counted from.
    frame : DataFrame
        The keys of each row.
    values : array, shape (rows, K + 1)
        The columns, and the response.
    weight : array, shape (rows,)
        How much each counts.
    rows : int
        Number of rows that they stand for.
    data2 : mapping, optional
        Covariances between levels.
    series : Series, optional
        Which of them go together.
    """
    places = list(some.places)
    response = values[:, -1] + best.level + values[:, :-1] @ best.slopes[places]
    X = values[:, :-1] + best.center[places]
    # Columns of keys are worked out, the others come along.
    plan, shown = some.coding.plan, some.coding.shown
    neutral = shown.iloc[[0] * len(frame)].reset_index(drop=True)
    whole = neutral.assign(**{name: frame[name] for name in some.keys})
    named = dict(zip(some.labels, X.T, strict=True))
    encoded = bringing(encoded_frame(plan.encodings, whole), named)
    plan = _bringing(plan, frame)
    return _built(some.coding, plan, frame, encoded, response, weight, rows, data2, series)


def _there(wanted: Sequence[str], there: Sequence[str], what: str) -> None:
    for name in wanted:
        if name not in there:
            names = ", ".join(there) or "none"
            raise DataError(
                f"the statistics have no {what} {name!r}.{did_you_mean(name, there)} Known: {names}"
            )


def _bringing(plan: Plan, frame: pd.DataFrame) -> Plan:
    """Return the plan whose columns of the location come along with the rows."""
    effects = {
        name: tuple(
            replace(spec, brought=term.equation == MU)
            for term, spec in zip(plan.roles.factors[name], specs, strict=True)
        )
        for name, specs in plan.effects.items()
    }
    populations = {**plan.populations, MU: replace(plan.population, brought=True)}
    labels = {name: KnownLabels(column_codes(name, frame[name])[1]) for name in plan.labels}
    return replace(plan, effects=effects, populations=populations, labels=labels)


def _built(
    coding: Coding,
    plan: Plan,
    frame: pd.DataFrame,
    encoded: pd.DataFrame,
    response: FloatArray,
    weight: FloatArray,
    rows: int,
    data2: Matrices | None,
    series: Series | None,
) -> Design:
    """Build the design in the steps of one of a frame."""
    formula, roles = coding.formula, coding.roles
    plan = without_empty_effects(plan, encoded)
    groupings, plan = make_groupings(frame, plan, True, data2)
    in_one_part(roles, plan.encodings, groupings, frame)
    told = {each.name: told_apart(plan, each, encoded, frame.index) for each in formula.equations}
    plan = with_bends(replace(plan, populations=told))
    for grouping in groupings:
        check_varying(plan, encoded, grouping, frame.index)
    of_others = replace(plan, offsets={**plan.offsets, MU: ()})  # that of MU is off the response
    return Design(
        formula=formula,
        frame=frame,
        others=Table.of(frame[[]]),
        rows=len(frame),
        equations=equations_of(of_others, frame, encoded, None),
        groupings=groupings,
        response_name=roles.response_name,
        response=response,
        trials=None,
        weights=weight,
        censored=None,
        limits=limits_of(formula.beside, frame),
        unused_levels={},
        summed=None,
        merged=rows,
        series=series,
        _encoded=encoded,
        _plan=plan,
    )
