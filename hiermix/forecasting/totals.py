"""Totals over series: sums of their draws, so that the intervals of parts and wholes agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.design import checks, row_labels, times
from hiermix.design.design import Design
from hiermix.errors import ArgumentError, DataError, count, did_you_mean, first_three, quoted
from hiermix.forecasting.horizon import keys_of, series_names
from hiermix.forecasting.predictive import Predictive, Reduce
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import predict
from hiermix.prediction.predictor import Predictor
from hiermix.typing import FloatArray, IntArray

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False, repr=False)
class Total(Predictive):
    """The predictive distribution of sums over series.

    Attributes
    ----------
    response : str
        What is added up.
    time : str or None
        Column of times.
    by : tuple of str
        Columns whose values name a total; none where all series are added up.
    rows : DataFrame
        What the totals are of.
    observed : DataFrame
        Totals so far, of times at which all series have a value.
    draws : DataArray
        (chain, draw, row)
    """

    response: str
    time: str | None
    by: tuple[str, ...]
    rows: pd.DataFrame
    observed: pd.DataFrame
    draws: "xr.DataArray"
    _form: times.Form | None
    _probs: tuple[float, ...]

    @cached_property
    def _flat(self) -> FloatArray:
        chains, length, rows = self.draws.shape
        return np.ascontiguousarray(self.draws.to_numpy().reshape(chains * length, rows).T)

    def table(self, *, probs: Sequence[float] | None = None) -> pd.DataFrame:
        """Return mean, sd, median and quantiles of every total.

        Parameters
        ----------
        probs : sequence of float, optional
            Probabilities of the quantiles; those of the forecast by default.

        Returns
        -------
        DataFrame
            As `Forecast.table`.
        """
        return self._numbers(probs)

    def _reduced(self, reduce: Reduce) -> FloatArray:
        return reduce(slice(0, len(self.rows)), self._flat.copy())  # quantiles sort in place

    def _outcomes(self, values: pd.Series) -> FloatArray:
        return pd.to_numeric(values).to_numpy(dtype=np.float64, na_value=np.nan)

    def __repr__(self) -> str:
        """Say what is added up."""
        what = f" by {':'.join(self.by)}" if self.by else ""
        return f"Total of {self.response}{what}: {count(len(self.rows), 'row')}"


def labels_of(
    designs: Sequence[Design], series: list[str], wanted: pd.DataFrame, by: Sequence[str]
) -> pd.DataFrame:
    """Return the columns of totals for rows that name a series: each series has one value.

    Raises
    ------
    ArgumentError, DataError
        No such column; a series that has several values, or none.
    """
    found = pd.DataFrame(index=pd.RangeIndex(len(wanted)))
    names = pd.Index(series_names(wanted, series))
    for name in by:
        if name in wanted:
            found[name] = wanted[name].array
            continue
        table = _by_series(designs, series, name)
        missing = names[~names.isin(table.index)].unique()
        if len(missing):
            raise DataError(f"series {first_three(missing)} has no value in column {name!r}")
        found[name] = table.reindex(names).array
    return found


def _by_series(designs: Sequence[Design], series: list[str], name: str) -> pd.Series:
    having = [each for each in designs if each.has(name)]
    if not having:
        known = [*designs[0].frame.columns, *designs[0].others.columns]
        near = did_you_mean(str(name), known)
        raise ArgumentError(f"by names {quoted(name)}, not a column of the data.{near}")
    values = pd.concat([each.column(name).reset_index(drop=True) for each in having])
    keys = [key for each in having for key in series_names(keys_of(each, series), series)]
    pairs = pd.DataFrame({"series": keys, "value": values.array}).drop_duplicates()
    twice = pairs.loc[pairs["series"].duplicated(), "series"].unique().tolist()
    if twice:
        raise DataError(
            f"column {name!r} has several values within series {first_three(twice)}: totals need "
            "one"
        )
    return pairs.set_index("series")["value"]


def total(
    parts: Predictive,
    source: Predictor,
    posterior: Posterior,
    designs: Sequence[Design],
    by: str | Sequence[str] | None,
) -> Total:
    """Add the series of a forecast up, with values that are observed already."""
    names = [] if by is None else [str(name) for name in options.names("by", by)]
    later, before = (
        _keyed(parts, frame, labels_of(designs, list(parts.by), frame, names))
        for frame in (parts.rows, parts.observed)
    )
    before = before[before["series"].isin(later["series"])].assign(
        value=parts.observed[parts.response]
    )
    cells = _in_order(_cells(later).unique())
    full = _complete(later, before, cells)
    if not full.all():
        _warn_of_gaps(parts, cells[~full])
    cells = cells[full]
    if not len(cells):
        raise DataError(
            "no total has a value of every series at any time: forecast all series up to one time, "
            "until="
        )
    draws = _summed(source, cells.get_indexer(_cells(later)), len(cells))
    draws += _sums(before).reindex(cells).fillna(0.0).to_numpy()[:, None]
    rows = _rows(parts, later, cells, names)
    array = predict.labelled(posterior, parts.response, draws, np.arange(len(cells)))
    return Total(
        parts.response, parts.time, tuple(names), rows, _so_far(parts, later, before, names),
        array.assign_coords(row_labels.along(rows, "row")), parts._form, parts._probs,
    )  # fmt: skip


def _keyed(parts: Predictive, frame: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Return the labels of rows, with ``group``, ``axis`` (the time) and ``series`` beside."""
    form = parts._form
    axis = np.zeros(len(frame)) if form is None else times.read(form, frame[form.name])
    return labels.assign(
        group=series_names(labels, list(map(str, labels))), axis=axis,
        series=series_names(frame, list(parts.by)),
    )  # fmt: skip


def _cells(rows: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(rows[["group", "axis"]])


def _in_order(cells: pd.MultiIndex) -> pd.MultiIndex:
    """Return cells by group, as groups come, and by time: series end at different ones."""
    groups, _ = pd.factorize(cells.get_level_values("group"))
    return cells[np.lexsort([_axis(cells).argsort().argsort(), groups])]


def _complete(later: pd.DataFrame, before: pd.DataFrame, cells: pd.MultiIndex) -> np.ndarray:
    """Return at which times every forecast series of a group has a value, forecast or observed."""
    there = pd.concat([later, before]).groupby(["group", "axis"])["series"].nunique()
    needed = later.groupby("group")["series"].nunique()
    groups = cells.get_level_values("group")
    return np.asarray(there.reindex(cells).to_numpy() == needed.reindex(groups).to_numpy())


def _sums(before: pd.DataFrame) -> "pd.Series[float]":
    return before.groupby(["group", "axis"])["value"].sum()


def _rows(
    parts: Predictive, keyed: pd.DataFrame, cells: pd.MultiIndex, names: list[str]
) -> pd.DataFrame:
    """Return the columns that name some totals, and their times as the data write them."""
    first = keyed[~_cells(keyed).duplicated()]
    found = first.set_axis(_cells(first)).loc[cells, names].reset_index(drop=True)
    if parts._form is None:
        return found
    return found.assign(**{parts._form.name: parts._form.write(pd.Index(_axis(cells))).array})


def _axis(cells: pd.MultiIndex) -> pd.Index:
    return cells.get_level_values("axis")


def _so_far(
    parts: Predictive, later: pd.DataFrame, before: pd.DataFrame, names: list[str]
) -> pd.DataFrame:
    """Return totals of times at which every series was observed, in order."""
    sums = _sums(before)
    cells = pd.MultiIndex.from_frame(sums.index.to_frame())
    there = before.groupby(["group", "axis"])["series"].nunique().reindex(cells)
    needed = later.groupby("group")["series"].nunique()
    full = there.to_numpy() == needed.reindex(cells.get_level_values("group")).to_numpy()
    cells = cells[full]
    return _rows(parts, before, cells, names).assign(**{parts.response: sums[full].to_numpy()})


def _summed(source: Predictor, codes: IntArray, size: int) -> FloatArray:
    """Return sums (size, S) of the draws of rows; a code of -1 is left out."""
    found = np.zeros((size + 1, source.layout.draws))  # the last one is thrown away
    for job in source.jobs("response"):
        rows, part = job()
        np.add.at(found, codes[rows], part)
    return found[:size]


def _warn_of_gaps(parts: Predictive, left_out: pd.MultiIndex) -> None:
    """Say which totals lack a series."""
    form = parts._form
    whens = left_out.get_level_values("axis") if form is None else form.write(_axis(left_out))
    groups = left_out.get_level_values("group")
    shown = [f"{group!r} at {when}" if group else str(when)
             for group, when in zip(groups, whens, strict=True)]  # fmt: skip
    checks.warn(
        f"{count(len(shown), 'total')} left out, where not every series has a value: "
        f"{', '.join(shown[:3])}{', ...' if len(shown) > 3 else ''}. Forecast all series up to one "
        "time: until="
    )
