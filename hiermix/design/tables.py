"""Tables: columns by name, of any library, that become pandas' when somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Table:
    """Some rows and columns of a frame of pandas, or of one that narwhals wraps.

    Nothing is copied but the columns that are asked for. pandas copies on write, and other
    libraries' frames never change: both stay as they were given.
    """

    given: Any
    """A pandas frame, or a ``narwhals.DataFrame``."""
    columns: pd.Index
    """Names of the columns that are left."""
    rows: NDArray[np.intp] | None = None
    """Rows that are left, by position; None means all."""
    added: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Columns that were put beside, a value for each row of the frame."""

    @classmethod
    def of(cls, given: Any) -> Table:
        """Return all of a frame."""
        ours = isinstance(given, pd.DataFrame)
        return cls(given, given.columns if ours else pd.Index(given.columns, dtype=object))

    def __len__(self) -> int:
        return len(self.given) if self.rows is None else len(self.rows)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.columns)

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> pd.Series:
        """Return a column."""
        if name in self.added:
            values = pd.Series(self.added[name], index=self._index)
        elif isinstance(self.given, pd.DataFrame):
            values = self.given[name]
        else:
            values = pd.Series(_column(self.given, name), name=name)
        return values if self.rows is None else values.iloc[self.rows]

    @property
    def index(self) -> pd.Index:
        """Labels of the rows; their numbers, where a library has none."""
        return self._index if self.rows is None else self._index[self.rows]

    @property
    def _index(self) -> pd.Index:
        if isinstance(self.given, pd.DataFrame):
            return self.given.index
        return pd.RangeIndex(len(self.given))

    def with_column(self, name: str, values: NDArray[Any]) -> Table:
        """Return the table with one more column, in place of one of the same name."""
        columns = self.columns if name in self.columns else self.columns.append(pd.Index([name]))
        return replace(self, columns=columns, added={**self.added, name: values})

    def without(self, names: Iterable[Any]) -> Table:
        """Return the other columns."""
        return replace(self, columns=self.columns[~self.columns.isin(list(names))])

    def take(self, rows: NDArray[np.intp]) -> Table:
        """Return some rows, by position."""
        return replace(self, rows=rows if self.rows is None else self.rows[rows])

    def to_pandas(self) -> pd.DataFrame:
        """Return all columns as a pandas frame; its own frames are returned as they are."""
        if isinstance(self.given, pd.DataFrame) and self.rows is None and not self.added:
            return self.given[self.columns] if len(self.columns) < len(self.given.columns) else (
                self.given
            )  # fmt: skip
        return pd.DataFrame({name: self[name].array for name in self}).set_axis(self.index)


def _column(given: Any, name: str) -> Any:
    """Return a column of another library's frame in pandas' storage, with every digit."""
    if given.implementation.is_pyarrow():
        native = given.to_native().select([name])
        return native.to_pandas(types_mapper=pd.ArrowDtype)[name].array
    if given.implementation.is_polars():  # its own way needs pyarrow
        return _of_polars(given[name])
    return given.select(name).to_pandas()[name].array


def _of_polars(values: Any) -> Any:
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
