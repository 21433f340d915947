"""Averages of what is expected of rows, by columns, under an estimand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix import options
from hiermix.design import kinds
from hiermix.design.frames import NewRows
from hiermix.errors import (
    ArgumentError,
    DataError,
    UnseenError,
    at_rows,
    count,
    did_you_mean,
    quoted,
)
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import grids
from hiermix.prediction.averages import Source, Through, weighted_sums
from hiermix.prediction.estimands import (
    Spread,
    check_over,
    label_columns,
    over_these_groups,
    source_of,
)
from hiermix.prediction.fewer_rows import Membership
from hiermix.prediction.grids import DataGrid
from hiermix.prediction.scales import Scale, kind_of
from hiermix.typing import FloatArray

_LARGEST = 500_000_000
"""Numbers of an answer: rows times draws."""

_IN_A_GRID = (
    "In a grid, wts='cells' weighs combinations as often as fitted rows have them, and none that "
    "no row has; hm.datagrid(...) names the levels you mean; newdata=None averages the fitted rows."
)

type By = bool | str | Sequence[str] | None
type Weights = Any
"""None, a column, a value a row, or how the levels of a grid weigh."""


@dataclass(frozen=True, eq=False)
class Question:
    """Rows, the cells over which they are averaged, the estimand and the scale."""

    posterior: Posterior
    frame: pd.DataFrame
    """In the order of cells."""
    grid: bool
    """Whether rows without a group stand for all of the fitted ones."""
    over: str
    scale: Scale
    labels: pd.DataFrame
    """A row a cell."""
    cell: NDArray[np.intp]
    weight: FloatArray
    """Adds up to one in each cell."""

    @property
    def categories(self) -> list[str]:
        """Labels of the categories that an answer has a number for."""
        kind, names = self.kind, [str(each) for each in self.posterior.design.categories]
        if self.posterior.family.unordered:
            return names[1:] if kind == "linear" else names
        return names if kind == "probability" else []

    @cached_property
    def kind(self) -> str:
        """What is averaged, by the name that predictions have for it."""
        return kind_of(self.scale, self.posterior.family)

    def averages(self, **columns: Any) -> FloatArray:
        """Return the average of each cell (cells, S, ...), with some columns set.

        Of directions the mean direction.
        """
        if self.posterior.family.circular and self.kind == "mean":
            sine, cosine = (self._sums(self.weight, to, columns) for to in (np.sin, np.cos))
            return np.asarray(np.arctan2(sine, cosine))
        return self.sums(self.weight, **columns)

    def sums(self, weight: FloatArray, **columns: Any) -> FloatArray:
        """Return weighted sums of each cell (cells, S, ...), with some columns set."""
        return self._sums(weight, None, columns)

    def _sums(
        self,
        weight: FloatArray,
        to: Callable[[FloatArray], FloatArray] | None,
        columns: Mapping[str, Any],
    ) -> FloatArray:
        """Return sums of a function, or of what is expected as it is."""
        rows = self._spread(self.frame.assign(**columns))
        _complete(self.posterior, rows.frame)
        cell, share = self.cell[rows.origin], weight[rows.origin] * rows.share

        def expect(frame: pd.DataFrame) -> Source:
            source = self._source(frame)
            return source if to is None else Through(source, to)

        there = Membership(cell, share, len(self.labels))
        return weighted_sums(rows.frame, expect, self.kind, there)

    def _source(self, frame: pd.DataFrame) -> Source:
        try:
            return source_of(self.posterior, frame, self.over)
        except UnseenError as error:
            if not self.grid:
                raise
            raise UnseenError(f"{error} {_IN_A_GRID}", error.rows) from error

    def _spread(self, frame: pd.DataFrame) -> Spread:
        design = self.posterior.design
        if self.over == "these groups" and self.grid:
            return over_these_groups(design, frame)
        missing = [name for name in label_columns(design) if name not in frame]
        if self.over == "these groups" and missing:
            raise DataError(
                f"newdata has no column {missing[0]!r}, and over='these groups' is about the "
                "group of each row: add it, or ask over='population', 'typical group' or "
                "'new group'"
            )
        return Spread(frame)


def _complete(posterior: Posterior, frame: pd.DataFrame) -> None:
    """Raise where rows lack a predictor, which would be drawn anew for each value of others."""
    for name in posterior.design.formula.imputed:
        lacking = np.flatnonzero(frame[name].isna()) if name in frame else np.zeros(0)
        if len(lacking):
            raise DataError(
                f"column {name!r} is missing in {count(len(lacking), 'row')} {at_rows(lacking)} "
                f"that are asked about: pass newdata= with rows that have it, set it with "
                f"variables={{{name!r}: [...]}}, or ask about newdata='mean'"
            )


def question(
    posterior: Posterior,
    newdata: NewRows | DataGrid | None,
    *,
    by: By,
    over: str,
    scale: Scale,
    wts: Weights,
    set_to: dict[str, list[Any]] | None = None,
) -> Question:
    """Put rows together with what is asked of them.

    Parameters
    ----------
    set_to
        Columns whose values are set: every row stands once for each combination.
    """
    check_over(over)
    design = posterior.design
    frame = grids.grid_rows(design, newdata, _beside(by, wts))
    weight = _weights(wts, frame, posterior)
    is_grid = isinstance(newdata, str | DataGrid)
    if isinstance(wts, str) and wts == "cells" and wts not in frame and weight.any():
        # Combinations that no fitted row has may be ones of which the fit knows nothing.
        frame, weight = frame[weight > 0].reset_index(drop=True), weight[weight > 0]
    if set_to:
        times = int(np.prod([len(each) for each in set_to.values()]))
        frame = grids.repeated(frame, set_to)
        weight = np.tile(weight, times)
    asked = _columns(by, frame, posterior, is_grid, list(set_to or ()))
    labels, cell = _cells(frame, asked)
    numbers = len(labels) * posterior.size * max(1, len(design.categories))
    if numbers > _LARGEST:
        raise ArgumentError(
            f"the answer would have {numbers:,} numbers ({count(len(labels), 'row')} of "
            f"{posterior.size:,} draws): average rows with by=True, or by= a column"
        )
    if (cell[1:] < cell[:-1]).any():
        order = np.argsort(cell, kind="stable")
        frame, cell, weight = frame.iloc[order].reset_index(drop=True), cell[order], weight[order]
    if asked is None:
        labels, weight = _described(frame, posterior, is_grid), np.ones(len(frame))
    share = weight / _totals(cell, weight, labels)[cell]
    return Question(posterior, frame, is_grid, over, scale, labels, cell, share)


def _totals(cell: NDArray[np.intp], weight: FloatArray, labels: pd.DataFrame) -> FloatArray:
    """Return the weight of each cell."""
    found = np.bincount(cell, weight, len(labels))
    if (found == 0).any():
        first = labels.iloc[int(np.argmin(found))].to_dict()
        where = ", ".join(f"{name}={value!r}" for name, value in first.items())
        of = f" of {where}" if where else ""
        raise ArgumentError(f"wts are zero in all rows{of}: there is nothing to average")
    return found


def _beside(by: By, wts: Weights) -> set[str]:
    """Return the columns that a question names."""
    names = () if by is None or isinstance(by, bool) else options.names("by", by)
    return {name for name in (*names, wts) if isinstance(name, str)}


def _known(frame: pd.DataFrame, posterior: Posterior, is_grid: bool) -> list[str]:
    """Return the columns by which rows can be averaged."""
    others = [] if is_grid else [each for each in posterior.design.others if isinstance(each, str)]
    return list(dict.fromkeys([*map(str, frame.columns), *others]))


# Cells -------------------------------------------------------------------------------------------


def _columns(
    by: By, frame: pd.DataFrame, posterior: Posterior, is_grid: bool, set_to: list[str]
) -> list[str] | None:
    """Return the columns by which rows are averaged; None where each row stands alone."""
    if by is None or by is False:
        return None
    names = [] if by is True else list(options.names("by", by))
    for name in names:
        if not isinstance(name, str) or name not in frame:
            known_names = _known(frame, posterior, is_grid)
            near = did_you_mean(str(name), known_names)
            known = ", ".join(map(repr, known_names)) or "none"
            unused = is_grid and isinstance(name, str) and posterior.design.has(name)
            what = "which no predictor of the formula is" if unused else "no column of the rows"
            way = " newdata=None averages the fitted rows by any column." if unused else ""
            raise ArgumentError(f"by names {quoted(name)}, {what}.{near}{way} Known: {known}")
    return list(dict.fromkeys([*names, *set_to]))


def _cells(frame: pd.DataFrame, by: list[str] | None) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    """Return the labels of cells, and the cell of each row."""
    if by is None:
        return frame, np.arange(len(frame))
    if not by:
        return pd.DataFrame(index=pd.RangeIndex(1)), np.zeros(len(frame), dtype=np.intp)
    groups = frame[by].groupby(by, sort=True, observed=True, dropna=False)
    cell = groups.ngroup().to_numpy().astype(np.intp)
    _, first = np.unique(cell, return_index=True)
    return frame[by].iloc[first].reset_index(drop=True), cell


def _described(frame: pd.DataFrame, posterior: Posterior, is_grid: bool) -> pd.DataFrame:
    """Return what tells rows apart: columns of a grid, or those of the formula."""
    design = posterior.design
    formula = [*design.predictors, *label_columns(design)]
    return frame if is_grid else frame[[name for name in dict.fromkeys(formula) if name in frame]]


# Weights -----------------------------------------------------------------------------------------


def _weights(wts: Weights, frame: pd.DataFrame, posterior: Posterior) -> FloatArray:
    """Return the weight of each row."""
    if wts is None or (isinstance(wts, str) and wts == "equal" and wts not in frame):
        return np.ones(len(frame))
    if isinstance(wts, str) and wts not in frame:
        if wts not in _OF_LEVELS:
            near = did_you_mean(wts, [*frame, *_OF_LEVELS])
            raise ArgumentError(
                f"wts names {wts!r}, no column of the rows.{near} It is a column, a value a row, "
                "or, for the levels of a grid, 'equal', 'proportional' or 'cells'"
            )
        return _of_levels(wts, frame, posterior)
    values = kinds.numbers(frame[wts] if isinstance(wts, str) else wts)
    name = f"column {wts!r}" if isinstance(wts, str) else "wts"
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise ArgumentError(f"{name} holds no numbers: weights are one number a row")
    if len(array) != len(frame):
        raise ArgumentError(f"wts has {len(array):,} values for {count(len(frame), 'row')}")
    bad = np.flatnonzero(~np.isfinite(array.astype(np.float64)) | (array < 0))
    if len(bad):
        raise ArgumentError(
            f"{name} has {count(len(bad), 'value')} that are negative or no number "
            f"{at_rows(bad)}: weights are zero or more"
        )
    return array.astype(np.float64)


_OF_LEVELS = ("equal", "proportional", "cells")


def _of_levels(wts: str, frame: pd.DataFrame, posterior: Posterior) -> FloatArray:
    """Weigh the rows of a grid as often as their levels are among the fitted rows."""
    design = posterior.design
    known = [str(name) for name in frame if design.has(str(name))]
    names = [name for name in known if grids.is_categorical(design, name)]
    fitted = {name: _spelled(design.column(name)) for name in names}
    asked = {name: _spelled(frame[name]) for name in names}
    if not names:
        return np.ones(len(frame))
    if wts == "cells":
        shares = pd.DataFrame(fitted).value_counts(normalize=True)
        cells = pd.MultiIndex.from_frame(pd.DataFrame(asked))
        return np.asarray(shares.reindex(cells).fillna(0.0), dtype=np.float64)
    each = [asked[name].map(fitted[name].value_counts(normalize=True)).fillna(0) for name in names]
    return np.asarray(np.prod([np.ones(len(frame)), *each], axis=0), dtype=np.float64)


def _spelled(values: pd.Series) -> pd.Series:
    found: pd.Series = kinds.stored(values).astype(object).map(kinds.spelled).reset_index(drop=True)
    return found
