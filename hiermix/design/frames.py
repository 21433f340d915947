"""Frames of other libraries, and rows that are no frame, as pandas frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hiermix.design import checks, column_checks, kinds
from hiermix.design.response import array_of
from hiermix.design.roles import Roles
from hiermix.errors import DataError
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import narwhals as nw
    from narwhals.typing import IntoDataFrame

type Frame = "pd.DataFrame | IntoDataFrame"
"""A frame of pandas, polars, pyarrow or what else narwhals reads."""
type NewRows = "Frame | pd.Series[Any] | Mapping[str, Any] | Sequence[Any]"
"""New rows: a frame, one row as a Series or dict, columns in a dict, or a list of rows."""

_OTHERS = (pd.DataFrame, pd.Series, Mapping, list, tuple, np.ndarray, str, type(None))
"""What is no frame of another library, found without asking for one."""


def frame(data: Any) -> pd.DataFrame:
    """Return a frame of any library as one of pandas; its own frames are returned as they are.

    Raises
    ------
    DataError
        This is no frame, or it is lazy: its rows are not there yet.
    """
    if not isinstance(data, _OTHERS):
        data = _from_narwhals(data)
    if not isinstance(data, pd.DataFrame):
        kind = "None" if data is None else f"a {_plain(data).__name__}"
        way = "" if data is None else ", for example pd.DataFrame(data)"
        raise DataError(f"data is {kind}: pass a pandas DataFrame{way}")
    if isinstance(data.columns, pd.MultiIndex):
        raise DataError(
            f"data is a DataFrame whose columns are a MultiIndex of {data.columns.nlevels} levels: "
            "pass a DataFrame with one level of column names"
        )
    return data


def _plain(data: Any) -> type:
    return type(data.item() if isinstance(data, np.generic) else data)


def _from_narwhals(data: Any) -> Any:
    import narwhals as nw

    found = nw.from_native(data, pass_through=True)
    if isinstance(found, nw.LazyFrame):
        raise DataError(f"data is a lazy {type(data).__name__}: pass data.collect()")
    if not isinstance(found, nw.DataFrame):
        return data
    if found.implementation.is_pyarrow():  # every digit and category stays
        return data.to_pandas(types_mapper=pd.ArrowDtype)
    if found.implementation.is_polars():  # its own way needs pyarrow
        return pd.DataFrame({name: _column(found[name]) for name in found.columns})
    return found.to_pandas()


def rows(data: Any) -> pd.DataFrame:
    """Return new rows as a pandas frame: a frame, a row as a Series or dict, or a list of these.

    Raises
    ------
    DataError
        As `frame` does.
    """
    if isinstance(data, pd.Series):
        return data.to_frame().T.infer_objects()
    if isinstance(data, Mapping):
        return _from_mapping(data)
    if isinstance(data, list | tuple) and len(data):
        if all(isinstance(row, Mapping) for row in data):
            return pd.DataFrame(list(data))
        if all(isinstance(row, pd.Series) for row in data):
            return pd.DataFrame(list(data)).infer_objects()
    return frame(data)


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


def _column(values: nw.Series[Any]) -> Any:
    import narwhals as nw

    dtype = values.dtype
    if isinstance(dtype, nw.Enum):
        return pd.Categorical(values.to_list(), categories=list(dtype.categories), ordered=True)
    if isinstance(dtype, nw.Categorical):  # in no order that means anything
        return values.to_list()
    if dtype.is_integer():
        return pd.array(values.to_list(), dtype="Int64") if values.is_null().any() else (
            values.to_numpy()
        )  # fmt: skip
    if isinstance(dtype, nw.Decimal):
        return values.cast(nw.Float64).to_numpy()
    if isinstance(dtype, nw.Datetime) and dtype.time_zone:
        moments: pd.Series[Any] = pd.Series(values.to_numpy())  # in UTC
        return moments.dt.tz_localize("UTC").dt.tz_convert(dtype.time_zone)
    return values.to_numpy()


def select(data: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return some columns without copying their values."""
    for name in names:
        column_checks.hashable(name, data[name])
    frame = pd.DataFrame({name: kinds.stored(data[name]).array for name in names}, copy=False)
    return frame.set_axis(data.index) if names else pd.DataFrame(index=data.index)


def complete_rows(
    frame: pd.DataFrame, roles: Roles, missing: str
) -> tuple[pd.DataFrame, NDArray[np.intp] | None]:
    """Return the rows without missing values, and their positions unless all rows are."""
    drop = checks.missing_policy(missing) == "drop"
    masks = {str(name): frame[name].isna().to_numpy() for name in frame if frame[name].hasnans}
    checks.missing_values(masks, frame.index, drop=drop)
    if not masks:
        return frame, None
    complete = ~np.logical_or.reduce(list(masks.values()))
    kept = np.flatnonzero(complete)
    for name in roles.factor_columns(roles.factors):
        before, after = frame[name].dropna(), frame[name].iloc[kept]
        checks.groups_left(name, before.unique(), after.unique())
    return select(frame.iloc[kept], list(map(str, frame))), kept


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
