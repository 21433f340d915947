"""What a program is handed of predictors with missing values."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from hiermix.design.design import Design
from hiermix.families.family import Family
from hiermix.families.priors import PriorTable, coded
from hiermix.tuning.penalised import Penalised
from hiermix.typing import FloatArray, IntArray, StanData


def priors(family: Family, table: PriorTable) -> StanData:
    """Build the priors of their residual sds."""
    code, par = coded([table[each.name] for each in family.imputed], positive=True)
    return {"mi_N": len(family.imputed), "mi_prior": code, "mi_par": par}


def of_rows(design: Design, fitted: Penalised | None) -> StanData:
    """Build their values, which are missing, and what the quick fit says of these rows.

    Without a fit there are no rows: the prior is sampled.
    """
    names = [each.name for each in design.equations]
    lacking = [each.lacking[: None if fitted else 0] for each in design.imputed]
    values = [each.filled for each in design.imputed]
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *lacking])
    columns = list(_columns(design)) if len(rows) else []
    none = np.zeros(0)
    offset = design.equations[0].known(design.rows)
    return {
        "mi_values": np.stack(values, axis=1)[: None if fitted else 0]
        if values else np.zeros((design.rows if fitted else 0, 0)),
        "mi_predictor": _ints([names.index(each.name) + 1 for each in design.imputed]),
        "mi_gaps_of": _ints([len(each) for each in lacking]),
        "mi_gaps": len(rows),
        "mi_row": rows + 1,
        "mi_columns": len(columns),
        "mi_of": _ints([each.predictor + 1 for each in columns]),
        "mi_b": _ints([each.coefficient + 1 for each in columns]),
        "mi_into": _ints([each.into + 1 for each in columns]),
        "mi_unit": np.stack([each.unit for each in columns], axis=1)
        if columns else np.zeros((len(rows), 0)),
        "mi_working": none if fitted is None else (fitted.working[: design.rows] + offset)[rows],
        "mi_weight": none if fitted is None else fitted.weights[: design.rows][rows],
    }  # fmt: skip


class _Column(NamedTuple):
    """A column of X that a predictor is in."""

    predictor: int
    coefficient: int
    into: int
    """Place of the equation."""
    unit: FloatArray
    """(gaps,) what one unit of a missing value is in it; zero at those of other predictors."""


def _columns(design: Design) -> Iterator[_Column]:
    starts = np.cumsum([0, *(len(each.lacking) for each in design.imputed)])
    for place, each in enumerate(design.imputed):
        before = 0
        for into, equation in enumerate(design.equations):
            slopes = design.slopes(each.name, each.lacking, equation.columns)
            for column in np.flatnonzero(slopes.any(axis=0)).tolist():
                unit = np.zeros(starts[-1])
                unit[starts[place] : starts[place + 1]] = slopes[:, column]
                yield _Column(place, before + column, into, unit)
            before += len(equation.terms)


def _ints(values: list[int]) -> IntArray:
    return np.array(values, dtype=np.int64)
