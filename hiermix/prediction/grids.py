"""Rows to ask about: the fitted ones, a frame, or a grid of values with the rest held."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Protocol

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.design import frames, kinds
from hiermix.design.design import Design
from hiermix.design.frames import NewRows
from hiermix.errors import ArgumentError, DataError, did_you_mean, quoted

GRID_TYPES = ("mean_or_mode", "balanced", "counterfactual")
_NAMED = {"mean": "mean_or_mode", "median": "median", "balanced": "balanced"}
_MOST = 10_000_000
"""Rows of a grid."""

type Values = Any
"""A value, several, or what makes them of the column."""


class Fitted(Protocol):
    """What a grid needs of a fit."""

    @property
    def design(self) -> Design:
        """The fitted rows."""


@dataclass(frozen=True)
class DataGrid:
    """A grid that takes its columns from the fit that it is asked of; see `datagrid`."""

    values: Mapping[str, Values] = field(default_factory=dict)
    grid_type: str = "mean_or_mode"

    def rows(self, design: Design, beside: Collection[str] = ()) -> pd.DataFrame:
        """Return the grid for the columns of a design; `beside` as in `grid_rows`."""
        design.check_rows("datagrid")
        for name in self.values:
            known_column(design, name, "datagrid")
        given = {name: _given(name, values, design.column(name))
                 for name, values in self.values.items()}  # fmt: skip
        if self.grid_type == "counterfactual":
            return repeated(fitted_rows(design, {*beside, *given}), given)
        hold = held if self.grid_type != "median" else _middle
        free = [name for name in design.predictors if name not in given]
        rest = {name: self._held(design, name, hold) for name in free}
        return _crossed(given | rest, [*given, *free], design)

    def _held(self, design: Design, name: str, hold: Callable[[Design, str], Any]) -> list[Any]:
        """Return the values of a column that was not named."""
        if self.grid_type == "balanced" and is_categorical(design, name):
            return levels(design, name)
        return [hold(design, name)]


def datagrid(
    model: Fitted | None = None,
    /,
    *,
    grid_type: str = "mean_or_mode",
    **values: Values,
) -> "DataGrid | pd.DataFrame":
    """Build a grid of predictor values: those named, crossed, and the others held.

    Parameters
    ----------
    model : Fit, optional
        With a fit the grid is built at once, as a frame. Without one, pass the result as
        ``newdata=``, and the fit that is asked builds it.
    grid_type : {"mean_or_mode", "balanced", "counterfactual"}
        Where other columns are held: numbers at their mean, and categories, truth values and
        numbers of two values at the most frequent; or all levels of these, crossed; or every
        fitted row, once for each combination of the values named.
    **values
        Values of columns: one, several, or a function of the column that returns them.

    Returns
    -------
    DataGrid or DataFrame
        Columns of grouping factors are left out unless they are named: ``over=`` says which
        groups an answer is about.

    Examples
    --------
    >>> fit.predictions(newdata=hm.datagrid(floor=[0, 1]))  # doctest: +SKIP
    """
    options.one_of("grid_type", grid_type, GRID_TYPES)
    grid = DataGrid(values, grid_type)
    if model is None:
        return grid
    if not isinstance(getattr(model, "design", None), Design):
        raise ArgumentError(
            f"datagrid takes a fit first, not {quoted(model)}: name columns, hm.datagrid(x=[0, 1])"
        )
    return grid.rows(model.design)


def grid_rows(
    design: Design, newdata: "NewRows | DataGrid | None", beside: Collection[str]
) -> pd.DataFrame:
    """Return the rows that are asked about.

    Parameters
    ----------
    beside
        Names of columns that the formula may not use, and the question does.
    """
    if newdata is None:
        return fitted_rows(design, beside)
    if isinstance(newdata, str):
        if newdata not in _NAMED:
            near = did_you_mean(newdata, _NAMED)
            known = ", ".join(map(repr, _NAMED))
            raise ArgumentError(
                f"newdata is a frame, hm.datagrid(...), or one of {known}, not {newdata!r}.{near}"
            )
        return DataGrid(grid_type=_NAMED[newdata]).rows(design)
    if isinstance(newdata, DataGrid):
        return newdata.rows(design, beside)
    rows = frames.rows(newdata)
    if not len(rows):
        raise DataError("newdata has no rows: there is nothing to estimate")
    return rows.reset_index(drop=True)


def fitted_rows(design: Design, beside: Collection[str] = ()) -> pd.DataFrame:
    """Return the fitted rows without the response, with some columns beside the formula."""
    design.check_rows("newdata=None")
    aside = {*design.response_columns} - {*design.predictors}
    kept = design.frame[[name for name in design.frame if name not in aside]]
    more = {name: design.column(name).array for name in beside
            if name not in kept and design.has(name)}  # fmt: skip
    return kept.reset_index(drop=True).assign(**more)


def known_column(design: Design, name: object, who: str) -> str:
    """Return the name of a column of the fitted data.

    Raises
    ------
    ArgumentError
        There is none, or it is the response.
    """
    known = [str(each) for each in (*design.frame, *design.others)]
    if not isinstance(name, str) or name not in known:
        near = did_you_mean(str(name), known)
        raise ArgumentError(
            f"{who} names {quoted(name)}, no column of the data.{near} "
            f"Known: {', '.join(map(repr, known))}"
        )
    return name


def is_categorical(design: Design, name: str) -> bool:
    """Tell whether a column has levels: categories, truth values, or two numbers."""
    if design.levels_of(name):
        return True
    values = kinds.stored(design.column(name))
    what = kinds.what(values)
    return what in ("categories", "truth values") or (what == "numeric" and values.nunique() == 2)


def levels(design: Design, name: str) -> list[Any]:
    """Return the values of a column in order: of categories, those that rows have."""
    known = design.levels_of(name)
    if known:
        return list(known)
    factor = next((each for each in design.groupings if each.columns == (name,)), None)
    if factor is not None:
        return list(factor.levels)
    design.check_rows(f"the values of {name!r}")
    values = kinds.stored(design.column(name)).dropna()
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.cat.remove_unused_categories().cat.categories.tolist()
    return sorted(values.unique().tolist())


def held(design: Design, name: str) -> Any:
    """Return where a column is held: its mean, or the most frequent of labels, or a middle date."""
    values = kinds.stored(design.column(name))
    if is_categorical(design, name):
        return values.mode().iloc[0]
    return float(values.mean()) if kinds.what(values) == "numeric" else _observed_middle(values)


def _middle(design: Design, name: str) -> Any:
    values = kinds.stored(design.column(name))
    numeric = kinds.what(values) == "numeric" and not is_categorical(design, name)
    return float(values.median()) if numeric else held(design, name)


def _observed_middle(values: pd.Series) -> Any:
    return values.sort_values().iloc[(len(values) - 1) // 2]


def _given(name: str, values: Values, column: pd.Series) -> list[Any]:
    """Return the values that were named for a column."""
    found = values(column) if callable(values) else values
    if isinstance(found, str) or not isinstance(found, Iterable):
        return [found]
    listed = list(pd.Series(list(found)).drop_duplicates()) if not isinstance(found, dict) else []
    if not listed:
        raise ArgumentError(f"datagrid: no values are named for {name!r}")
    return listed


def _crossed(values: Mapping[str, list[Any]], order: list[str], design: Design) -> pd.DataFrame:
    """Return every combination of values, the first column slowest."""
    number = int(np.prod([len(each) for each in values.values()], dtype=np.float64))
    if number > _MOST:
        raise ArgumentError(f"the grid would have {number:,} rows: name fewer values")
    rows = list(product(*(values[name] for name in order)))
    columns = zip(*rows, strict=True) if order else ()
    frame = pd.DataFrame(
        {name: pd.Series(list(column)) for name, column in zip(order, columns, strict=True)},
        index=pd.RangeIndex(number),
    )
    for name in order:  # in the fit's own order of levels, so that tables have it
        if known := design.levels_of(name):
            labels = list(dict.fromkeys([*known, *frame[name]]))
            frame[name] = pd.Categorical(frame[name], categories=labels)
    return frame


def repeated(rows: pd.DataFrame, given: Mapping[str, list[Any]]) -> pd.DataFrame:
    """Return the rows once for each combination of values."""
    parts = [
        rows.assign(**dict(zip(given, combination, strict=True)))
        for combination in product(*given.values())
    ]
    return pd.concat(parts, ignore_index=True)
