"""From the moments of cells to a design: weighted rows that stand for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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
    known = SummedColumns(coding)
    coding = coding if formula in (None, str(coding.formula)) else smaller(coding, str(formula))
    # 1. The cells of this formula, and rows that stand for theirs.
    keys, what = key_columns(coding.roles), SummedColumns(coding)
    _there(keys, cells.names, "key")
    _there(what.labels, known.labels, "column")
    places = [known.labels.index(label) for label in what.labels]
    cells = together([cells], keys).in_order()
    best = cells.fitted(origin, [places[each] for each in what.population])
    cell, values, weight = stand_ins(cells.around(origin, best).some_columns(places))
    response = values[:, -1] + best.level + values[:, :-1] @ best.slopes[places]
    X = values[:, :-1] + best.center[places]
    frame = cells.keys.iloc[cell].reset_index(drop=True)
    # 2. Their columns: those of keys are worked out, the others come along.
    plan = coding.plan
    neutral = coding.shown.iloc[[0] * len(frame)].reset_index(drop=True)
    whole = neutral.assign(**{name: frame[name] for name in keys})
    named = dict(zip(what.labels, X.T, strict=True))
    encoded = bringing(encoded_frame(plan.encodings, whole), named)
    return _built(coding, _bringing(plan, frame), frame, encoded, response, weight, rows, data2)


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
        _encoded=encoded,
        _plan=plan,
    )
