"""Frames of other libraries, and rows that are no frame, as pandas frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hiermix import optional
from hiermix.design import checks, column_checks, kinds
from hiermix.design.response import array_of, ends_that_count
from hiermix.design.roles import Roles
from hiermix.design.tables import Table
from hiermix.design.unanswered import PREDICT, with_response
from hiermix.errors import DataError
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame, IntoLazyFrame

type Frame = "pd.DataFrame | IntoDataFrame | IntoLazyFrame"
"""A frame of pandas, polars, pyarrow or what else narwhals reads, lazy or not."""
type NewRows = "Frame | pd.Series[Any] | Mapping[str, Any] | Sequence[Any]"
"""New rows: a frame, one row as a Series or dict, columns in a dict, or a list of rows."""

_OTHERS = (pd.Series, Mapping, list, tuple, np.ndarray, str, type(None))
"""What is no frame of another library, found without asking for one."""


def table(data: Any) -> Table:
    """Return a frame of any library as a table, whose columns wait until they are used.

    Lazy frames are collected: rows of two collections need not stand in one order.

    Raises
    ------
    DataError
        This is no frame.
    """
    found = data if isinstance(data, pd.DataFrame) else _from_narwhals(data)
    if found is None:
        kind = "None" if data is None else f"a {_plain(data).__name__}"
        way = "" if data is None else ", for example pd.DataFrame(data)"
        raise DataError(f"data is {kind}: pass a pandas DataFrame{way}")
    if isinstance(found, pd.DataFrame) and isinstance(found.columns, pd.MultiIndex):
        raise DataError(
            f"data is a DataFrame whose columns are a MultiIndex of {found.columns.nlevels} "
            "levels: pass a DataFrame with one level of column names"
        )
    return Table.of(found)


def frame(data: Any) -> pd.DataFrame:
    """Return a frame of any library as one of pandas; its own frames are returned as they are.

    Raises
    ------
    DataError
        As `table` does.
    """
    return table(data).to_pandas()


def _plain(data: Any) -> type:
    return type(data.item() if isinstance(data, np.generic) else data)


def _from_narwhals(data: Any) -> Any:
    """Return a pandas frame, or narwhals' wrapper of another; None where data are no frame."""
    if isinstance(data, _OTHERS):
        return None
    if type(data).__module__.startswith("dask.") and hasattr(data, "columns"):
        return data.compute()
    import narwhals as nw

    found = nw.from_native(data, pass_through=True)
    if isinstance(found, nw.LazyFrame):
        found = found.collect()
    if not isinstance(found, nw.DataFrame):
        if not hasattr(data, "__arrow_c_stream__"):
            return None
        found = nw.from_native(optional.module("pyarrow").table(data))
    return found.to_native() if found.implementation.is_pandas() else found


def new_rows(data: Any) -> Table:
    """Return new rows as a table: a frame, a row as a Series or dict, or a list of these.

    Raises
    ------
    DataError
        As `table` does.
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, pd.Series):
        return Table.of(data.to_frame().T.infer_objects())
    if isinstance(data, Mapping):
        return Table.of(_from_mapping(data))
    if isinstance(data, list | tuple) and len(data):
        if all(isinstance(row, Mapping) for row in data):
            return Table.of(pd.DataFrame(list(data)))
        if all(isinstance(row, pd.Series) for row in data):
            return Table.of(pd.DataFrame(list(data)).infer_objects())
    return table(data)


def rows(data: Any) -> pd.DataFrame:
    """Return new rows as a pandas frame: as `new_rows` takes them."""
    return new_rows(data).to_pandas()


def _from_mapping(data: Mapping[Any, Any]) -> pd.DataFrame:
    """Return columns as a frame, and values as a row; by position, whatever index they carry."""
    columns = {name: each.array if isinstance(each, pd.Series) else each
               for name, each in data.items()}  # fmt: skip
    if not any(pd.api.types.is_list_like(values) for values in columns.values()):
        return pd.DataFrame([columns])
    try:
        return pd.DataFrame(columns)
    except ValueError as error:
        raise DataError(f"data is a dict whose columns don't make a frame: {error}") from error


def select(data: Table | pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return some columns without copying their values."""
    columns = {name: data[name] for name in names}
    for name, values in columns.items():
        column_checks.hashable(name, values)
    arrays = {name: kinds.stored(values).array for name, values in columns.items()}
    frame = pd.DataFrame(arrays, copy=False)
    return frame.set_axis(data.index) if names else pd.DataFrame(index=data.index)


def complete_rows(
    frame: pd.DataFrame, roles: Roles, missing: str
) -> tuple[pd.DataFrame, NDArray[np.intp] | None]:
    """Return the rows without missing values, and their positions unless all rows are."""
    masks = {str(name): frame[name].isna().to_numpy() for name in frame if frame[name].hasnans}
    masks = {name: mask for name, mask in masks.items() if name not in roles.formula.imputed}
    masks = ends_that_count(masks, roles.formula.beside, frame)
    if missing == PREDICT:
        answered = with_response(masks, roles, frame.index)
        return (frame if answered is None else _some_rows(frame, answered)), answered
    drop = checks.missing_policy(missing) == "drop"
    checks.missing_values(masks, frame.index, drop=drop)
    if not masks:
        return frame, None
    complete = ~np.logical_or.reduce(list(masks.values()))
    kept = np.flatnonzero(complete)
    for name in roles.factor_columns(roles.factors):
        before, after = frame[name].dropna(), frame[name].iloc[kept]
        checks.groups_left(name, before.unique(), after.unique())
    return _some_rows(frame, kept), kept


def _some_rows(frame: pd.DataFrame, kept: NDArray[np.intp]) -> pd.DataFrame:
    return select(frame.iloc[kept], list(map(str, frame)))


def given_array(
    what: str, values: str | ArrayLike | None, rows: int, kept: NDArray[np.intp] | None
) -> FloatArray | None:
    """Return an array for the rows that were kept; columns were cut with the frame."""
    if values is None or isinstance(values, str):
        return None
    array = array_of(what, values, rows)
    return array if kept is None else array[kept]


def unused_levels(frame: pd.DataFrame) -> dict[str, int]:
    """Return the categorical columns that have levels without a row, and how many."""
    unused = {
        name: len(frame[name].cat.categories) - frame[name].nunique()
        for name in frame
        if isinstance(frame[name].dtype, pd.CategoricalDtype)
    }
    return {str(name): number for name, number in unused.items() if number}
