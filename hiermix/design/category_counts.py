"""Counts of categories in columns of their own, which are one response together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hiermix.design import response_checks
from hiermix.design.plan import Given, Outcomes, Plan
from hiermix.errors import DataError
from hiermix.typing import FloatArray


def counts_of(plan: Plan, frame: pd.DataFrame) -> FloatArray | None:
    """Return the counts (rows, categories) of some rows, NaN where they are missing.

    None where the response is none of counts, or the rows lack a column of them.
    """
    names = plan.roles.formula.counted
    if not names or plan.response_rule is None or not all(name in frame for name in names):
        return None
    read = plan.response_rule.read
    each = [read(Given(frame[name], name)).numbers if frame[name].notna().any()
            else np.full(len(frame), np.nan) for name in names]  # fmt: skip
    return np.column_stack(each)


def outcomes(plan: Plan, counts: FloatArray | None, trials: FloatArray | None,
             index: pd.Index) -> Outcomes:  # fmt: skip
    """Return the total of each row, and the names of its categories.

    Raises
    ------
    DataError
        A row's counts don't add up to its trials.
    """
    names = plan.roles.formula.counted
    if counts is None:
        return Outcomes(np.full(len(index), np.nan), names)
    total = counts.sum(axis=1)
    if trials is not None:
        differ = (total != trials) & ~np.isnan(total) & ~np.isnan(trials)
        found = response_checks.rows_that_break(differ, total, index)
        if found:
            raise DataError(
                f"counts of a row add up to its trials: {' + '.join(names)} is {found}, and "
                f"trials {'are' if differ.sum() > 1 else 'is'} another number there"
            )
    return Outcomes(total, names)


def some_counts(plan: Plan, counts: FloatArray | None) -> None:
    """Raise where all counts of the rows of a fit are zero."""
    if counts is not None and not counts.any():
        names = ", ".join(plan.roles.formula.counted)
        raise DataError(f"the counts of all categories are zero: {names}")
