"""The rules that data must keep: one small function each, that raises or warns.

None changes data.
A message says what is wrong, in which column or argument, how often, the first three places, then
the way out. Rows are positions counted from 0.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence, Sized
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design.tables import Table
from hiermix.errors import (
    ArgumentError,
    DataError,
    at_rows,
    count,
    did_you_mean,
    first_three,
)
from hiermix.errors import warn as warn
from hiermix.formula.foreign_syntax import NONLINEAR


def enough_rows(data: Sized, when: str = "") -> None:
    """Raise if there are fewer than two rows."""
    if len(data) == 0:
        raise DataError(f"data has no rows{when}")
    if len(data) == 1:
        raise DataError(f"data has 1 row{when}; 2 or more are needed")


def unique_columns(data: Table | pd.DataFrame, used: Iterable[str] | None = None) -> None:
    """Raise if a column name appears twice (in new data: one of those used)."""
    twice = data.columns[data.columns.duplicated()].unique()
    for name in twice if used is None else twice.intersection(pd.Index(list(used), dtype=object)):
        times = int((data.columns == name).sum())
        raise DataError(
            f"column {name!r} appears {times} times: drop or rename all but one, "
            "for example data.loc[:, ~data.columns.duplicated()]"
        )


def known_columns(
    names: Iterable[str],
    data: Table | pd.DataFrame,
    who: str = "formula",
    parameters: Collection[str] = (),
) -> None:
    """Raise if a name is no column, or is one whose name is not text.

    `parameters` are names that would be those of a non-linear curve, were they no columns.
    """
    for name in names:
        if name in data.columns:
            continue
        texts = {str(column): column for column in data.columns if not isinstance(column, str)}
        if name in texts:
            raise DataError(
                f"{who} names {name!r}, but that column's name is "
                f"{type(texts[name]).__name__} {texts[name]!r}, not text: "
                "use data.rename(columns=str)"
            )
        listed = ", ".join(map(str, data.columns[:20]))
        listed += ", ..." if len(data.columns) > 20 else ""
        curve = f" If it is a parameter: {NONLINEAR}." if name in parameters else ""
        raise DataError(
            f"{who} names {name!r}, not a column.{did_you_mean(name, data.columns)}{curve} "
            f"Columns: {listed}"
        )


def missing_values(
    missing: Mapping[str, NDArray[np.bool_]], index: pd.Index, *, drop: bool
) -> None:
    """Raise if a value is missing, unless rows may be dropped and some are left.

    `missing` maps each column with missing values to its mask.
    """
    if not missing:
        return
    incomplete = np.logical_or.reduce(list(missing.values()))
    left = int((~incomplete).sum())
    if left == 0:
        worst = max(missing, key=lambda name: int(missing[name].sum()))
        raise DataError(
            f"every row has a missing value: {_missing(worst, missing[worst], index)} "
            f"of {count(len(incomplete), 'row')}. Leave that column out or fill it."
        )
    if not drop:
        found = "; ".join(_missing(name, mask, index) for name, mask in missing.items())
        raise DataError(
            f"{found}. Rows are never dropped unasked: pass missing='drop' to fit the other {left}."
        )


def rows_not_here(what: str, *, merged: bool) -> None:
    """Raise because something needs the rows of a fit to statistics."""
    held = "rows that were merged" if merged else "none, only their sums"
    raise DataError(
        f"{what} needs the rows of the fit, and statistics hold {held}: pass rows where it takes "
        "some, or fit hm.Model to the rows themselves"
    )


def missing_in_batch(missing: Mapping[str, NDArray[np.bool_]], index: pd.Index) -> None:
    """Raise for missing values in some of the rows of a source."""
    found = "; ".join(
        f"column {name!r} has {count(len(rows), 'missing value')} {at_rows(rows)}"
        for name, rows in ((name, index[mask].to_numpy()) for name, mask in missing.items())
    )
    raise DataError(
        f"{found}, in a batch of the rows. Rows are never dropped unasked: pass missing='drop' to "
        "leave them out."
    )


def _missing(name: str, mask: NDArray[np.bool_], index: pd.Index) -> str:
    rows = np.flatnonzero(mask)
    return f"column {name!r} has {count(len(rows), 'missing value')} {at_rows(rows, index)}"


def no_missing(name: str, values: pd.Series) -> None:
    """Raise if a predictor of new data has a missing value."""
    mask = values.isna().to_numpy()
    if mask.any():
        raise DataError(
            f"{_missing(name, mask, values.index)}: no prediction can be made there. "
            "Fill them, or leave those rows out."
        )


def finite(name: str, values: pd.Series, what: str = "column") -> None:
    """Raise if a number is infinite."""
    numbers = values.to_numpy()
    if numbers.dtype.kind != "f":
        return
    # A sum is cheap and not finite if any value isn't; only then look for the place.
    with np.errstate(all="ignore"):
        if np.isfinite(numbers.sum()):
            return
    rows = np.flatnonzero(np.isinf(numbers))
    if len(rows):
        raise DataError(
            f"{what} {name!r} has {count(len(rows), 'infinite value')} "
            f"{at_rows(rows, values.index)}"
        )


def finite_terms(
    labels: Sequence[str], matrix: NDArray[np.floating], start: int, index: pd.Index
) -> None:
    """Raise where a transform gives no number, as the log of a negative one does."""
    with np.errstate(all="ignore"):
        if np.isfinite(matrix.sum()):
            return
    for label, column in zip(labels, matrix.T, strict=True):
        rows = start + np.flatnonzero(~np.isfinite(column))
        if len(rows):
            raise DataError(
                f"term {label!r} is not a finite number in {count(len(rows), 'row')} "
                f"{at_rows(rows, index)}"
            )


def groups_left(name: str, before: Iterable[object], after: Iterable[object]) -> None:
    """Warn of groups that have no row left after rows were dropped."""
    kept = set(after)
    lost = [label for label in before if label not in kept]
    if len(lost) == 1:
        warn(f"group {lost[0]!r} has no rows left in {name!r} without the incomplete rows")
    elif lost:
        warn(
            f"{len(lost):,} groups have no rows left in {name!r} without the incomplete rows: "
            f"{first_three(lost)}"
        )


def missing_policy(missing: str) -> Literal["error", "drop"]:
    """Return the option `missing`, of a source of rows to add up."""
    if missing == "drop":
        return "drop"
    if missing == "error":
        return "error"
    if missing == "predict":
        raise ArgumentError("missing='predict' is for a model of rows: sums have none to predict")
    raise ArgumentError(
        f"missing is {missing!r}: write missing='error', missing='drop' or missing='predict'"
    )
