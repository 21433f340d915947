"""Rows without a response, which a fit leaves out and predicts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import checks
from hiermix.design.roles import Roles
from hiermix.design.tables import Table
from hiermix.errors import DataError, FormulaError
from hiermix.formula.formula import Formula
from hiermix.formula.terms.residual_terms import Residuals

PREDICT = "predict"


def with_response(
    missing: Mapping[str, NDArray[np.bool_]], roles: Roles, index: pd.Index
) -> NDArray[np.intp] | None:
    """Return the positions of rows with a response; None if all have one.

    `missing` has a mask of each column that lacks a value, `index` labels the rows.

    Raises
    ------
    DataError
        A row lacks something else, or none has a response.
    """
    names = roles.response_columns
    beside = {name: mask for name, mask in missing.items() if name not in names}
    checks.missing_values(beside, index, drop=False)
    absent = [missing[name] for name in names if name in missing]
    if not absent:
        return None
    kept = np.flatnonzero(~np.logical_or.reduce(absent))
    if not len(kept):
        raise DataError(f"no row has a response, {', '.join(map(repr, names))}: nothing to learn")
    return kept


def others(
    data: Table, kept: NDArray[np.intp] | None, missing: str, formula: Formula
) -> Table | None:
    """Return the rows that were not kept, if they are to be predicted.

    Raises
    ------
    FormulaError
        Residuals go together, so that the rows beside one say more of it than its own columns.
    """
    if missing != PREDICT or kept is None:
        return None
    if any(isinstance(each, Residuals) for each in formula.specials):
        raise FormulaError(
            "missing='predict' is for rows with residuals of their own: leave out ar() or unstr(), "
            "or the rows, and predict them with what they lack"
        )
    return data.take(np.setdiff1d(np.arange(len(data)), kept))
