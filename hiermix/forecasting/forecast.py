"""Forecasts: predictive distributions of later rows, as draws, table, figure and scores."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix import plots
from hiermix.design import frames, response_checks, row_labels, times
from hiermix.design.design import Design
from hiermix.errors import ArgumentError, DataError, count
from hiermix.forecasting import scores
from hiermix.forecasting.horizon import (
    Ahead,
    By,
    check_later,
    keys_of,
    later_rows,
    series_columns,
    series_names,
    time_form,
)
from hiermix.formula.names import in_results
from hiermix.posterior import intervals
from hiermix.posterior.draws import plain
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import pieces, predict
from hiermix.prediction.predictor import Predictor
from hiermix.typing import FloatArray, IntArray

if TYPE_CHECKING:
    import xarray as xr

    from hiermix.plots.style import Plot

KINDS = ("response", "probability")


@dataclass(frozen=True, eq=False, repr=False)
class Forecast:
    """The predictive distribution of later rows of old or new groups.

    Tables, figures and scores are made of a few rows' draws at a time; only ``data`` holds all.

    Attributes
    ----------
    response : str
        What is forecast.
    time : str or None
        Column of times.
    by : tuple of str
        Columns whose values name a series.
    categories : tuple
        Labels of the response where table and scores are of their probabilities; else none.
    rows : DataFrame
        Series and times of the later rows.
    observed : DataFrame
        Series, times and response of the rows so far.
    """

    response: str
    time: str | None
    by: tuple[str, ...]
    categories: tuple[object, ...]
    rows: pd.DataFrame
    observed: pd.DataFrame
    _source: Predictor
    _posterior: Posterior
    _form: times.Form | None
    _probs: tuple[float, ...]
    _sigma: float | None = None
    """Posterior mean of the residual sd, where the response is normal."""

    @cached_property
    def data(self) -> "xr.DataTree":
        """All draws as a DataTree, made when it is first asked for.

        Group ``predictions``: draws of the response, and of its ``mean``, (chain, draw, row), with
        time and groups as coordinates (the mean of categories is the probability of each, by
        ``category``); ``observed_data``: the series so far.
        """
        import xarray as xr

        each = {
            name: predict.labelled(
                self._posterior, kind, pieces.draw_matrix(self._source, kind),
                np.arange(len(self.rows)), self._source,
            )
            for name, kind in ((self.response, "response"), ("mean", self._expected))
        }  # fmt: skip
        later = xr.Dataset(each).assign_coords(_coords(self.rows, "row"))
        known = (("observed",), self.observed[self.response].to_numpy())
        marks = self.observed[list(self.rows)]
        so_far = xr.Dataset({self.response: known}, coords=_coords(marks, "observed"))
        data = xr.DataTree.from_dict({"predictions": later, "observed_data": so_far})
        data.attrs |= {
            "response": self.response, "family": self._source.family.name,
            "time": self.time or "", "by": json.dumps(self.by), "seed": self._source.seed,
        }  # fmt: skip
        return data

    def table(self, *, probs: Sequence[float] | None = None, plug_in: bool = False) -> pd.DataFrame:
        """Return mean, sd, median and quantiles of every row.

        Parameters
        ----------
        probs : sequence of float, optional
            Probabilities of the quantiles; by default those of `Fit.forecast`, and these the ends
            of the 50, 80 and 95 % intervals.
        plug_in : bool
            Also the normal that textbooks print (Gaussian models): the linear predictor at the
            posterior means of intercept, slopes and group effects, and the mean of sigma. It is
            too sure of itself: it leaves out what is not known about all of these.

        Returns
        -------
        DataFrame
            Indexed by group and time: ``mean``, ``sd``, ``median``, ``q2.5``, ``q10``, ``q25``,
            ``q75``, ``q90``, ``q97.5``, and ``plug_in_mean``, ``plug_in_sd``. Where categories are
            forecast by probability: that of each.
        """
        if self.categories:
            return pd.DataFrame(self._means(), self._index(), list(self.categories))
        found = self._numbers(probs)
        return found.assign(**self._plug_in()) if plug_in else found

    def _numbers(self, probs: Sequence[float] | None) -> pd.DataFrame:
        wanted = intervals.levels(self._probs if probs is None else probs)
        levels = np.array([0.5, *wanted])

        def summary(_: slice, draws: FloatArray) -> FloatArray:
            mean, sd = draws.mean(axis=1), draws.std(axis=1, ddof=1)
            return np.column_stack([mean, sd, *pieces.sorted_quantiles(draws, levels)])

        return pd.DataFrame(
            pieces.reduced(self._source, "response", summary), self._index(),
            ["mean", "sd", "median", *scores.names(wanted.tolist())],
        )  # fmt: skip

    def _plug_in(self) -> dict[str, Any]:
        if self._sigma is None:
            raise ArgumentError(
                f"plug_in is the normal of Gaussian models, not of {self._source.family.name!r}"
            )
        # The linear predictor is linear in what is averaged: its mean is that at the means.
        return {"plug_in_mean": self._means(), "plug_in_sd": self._sigma}

    @property
    def _expected(self) -> str:
        """Which kind of prediction stands for the mean."""
        return "probability" if self.categories else "mean"

    def _means(self) -> FloatArray:
        """Return the mean response of each row, or the probability (n, C) of each category."""
        return pieces.reduced(self._source, self._expected, lambda _, draws: draws.mean(axis=1))

    def plot(
        self,
        *,
        levels: Sequence[object] | None = None,
        panels: int = 20,
        history: object = None,
        sharey: bool | None = None,
        figsize: tuple[float, float] | None = None,
    ) -> "Plot":
        """Draw a fan for each series over what was observed.

        Parameters
        ----------
        levels : sequence, optional
            Series to draw, ``"a:b"`` where several columns name them.
        panels : int
            Where none are named: how many to draw, spread evenly over low and high forecasts.
        history : optional
            How much of the past to draw: a number of times, a duration such as ``"90D"``, or
            ``"all"``. By default up to five times as many times as are forecast.
        sharey : bool, optional
            Whether all panels have one scale; by default where that flattens few of them.
        figsize : tuple of float, optional
            Width and height of the figure in inches.

        Returns
        -------
        Plot
            With ``figure`` and ``data``, the numbers drawn.
        """
        if self.time is None:
            raise ArgumentError("plot needs times: pass time= to forecast")
        if self._source.family.unordered:
            raise ArgumentError("categories without an order have no fan: table() has numbers")
        table = self._numbers(scores.LEVELS).reset_index(drop=True)
        return plots.forecasts.plot(
            self._in_series(self.rows.join(table)), self._in_series(self.observed),
            self.response, self.time, ":".join(self.by),
            levels=levels, panels=panels, history=history, sharey=sharey, figsize=figsize,
        )  # fmt: skip

    def _in_series(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a frame with ``series`` and ``time`` in front, as a figure takes them."""
        assert self._form is not None
        shown = frame.drop(columns=[*self.by, self.time])
        shown.insert(0, "time", self._form.drawn(frame[self.time]).to_numpy())
        shown.insert(0, "series", series_names(frame, list(self.by)))
        return shown

    def score(self, actual: pd.DataFrame | pd.Series | Sequence[float]) -> pd.DataFrame:
        """Score the forecast against what happened, row by row, by the package scoringrules.

        Parameters
        ----------
        actual : DataFrame, Series or sequence
            A frame with the columns of time, group and response, matched by their values, whatever
            their order; or one value for every row of the forecast.

        Returns
        -------
        DataFrame
            A row for every row of the forecast whose value is known: ``actual``, ``crps``,
            ``pinball``, ``in_50``, ``in_80``, ``in_95``. Its ``.mean()`` is the score. Where
            categories are forecast by probability, instead: the logarithmic score ``log`` and
            ``brier``.
        """
        values = self._matched(actual)
        known = np.isfinite(values)
        if not known.any():
            raise DataError("no row of the forecast is in the actual data")
        if self.categories:
            found = scores.of_categories(values[known], self._means()[known])
            found.insert(0, "actual", [self.categories[int(value) - 1] for value in values[known]])
            return found.set_axis(self._index()[known], axis=0)
        values = self._source.design.as_given(values)
        names = scores.scores(values[:0], np.empty((0, 2))).dtypes

        def scored(rows: slice, draws: FloatArray) -> FloatArray:
            return scores.scores(values[rows], draws).to_numpy(dtype=np.float64)

        each = pieces.reduced(self._source, "response", scored)[known]
        found = pd.DataFrame(each, self._index()[known], names.index).astype(names)
        found.insert(0, "actual", values[known])
        return found

    def _matched(self, actual: pd.DataFrame | pd.Series | Sequence[float]) -> FloatArray:
        if _one_each(actual):
            response_checks.right_length("actual", len(actual), len(self.rows), "the forecast")
            return self._source.design.outcomes(pd.Series(actual))
        actual = frames.rows(actual)
        for column in (*self.rows, self.response):
            if column not in actual:
                raise DataError(f"actual has no column {column!r}")
        given = pd.Series(
            self._source.design.outcomes(actual[self.response]), index=self._matching(actual)
        )
        if given.index.has_duplicates:
            twice = int(np.flatnonzero(given.index.duplicated())[0])
            shown = actual[list(self.rows)].iloc[twice]
            raise DataError(f"actual has several rows of {', '.join(map(str, shown))}")
        return np.asarray(given.reindex(self._matching(self.rows)), dtype=np.float64)

    def _matching(self, frame: pd.DataFrame) -> pd.MultiIndex:
        """Return series and times, whatever their dtypes."""
        names = series_names(frame, list(self.by))
        if self._form is None:
            return pd.MultiIndex.from_arrays([names, np.zeros(len(frame))])
        return pd.MultiIndex.from_arrays([names, times.read(self._form, frame[self.time])])

    def __repr__(self) -> str:
        """Say what is forecast, for how many series, and until when."""
        text = f"Forecast of {self.response}: {count(len(self.rows), 'row')}"
        if self.by:
            series = len(self.rows[list(self.by)].drop_duplicates())
            text += f", {series:,} of {':'.join(self.by)}"
        if self.time and len(self.rows):
            when = self.rows[self.time]
            text += f", {self.time} {when.min()} to {when.max()}"
        return text

    def _index(self) -> "pd.Index[Any]":
        names = list(self.rows)
        if not names:
            return pd.RangeIndex(len(self.rows), name="row")
        if len(names) == 1:
            index: pd.Index[Any] = pd.Index(self.rows[names[0]])
            return index
        return pd.MultiIndex.from_frame(self.rows)


def _one_each(actual: Any) -> bool:
    """Tell values, one a row of the forecast, from rows of their own."""
    if isinstance(actual, list | tuple):
        return not any(isinstance(each, Mapping | pd.Series) for each in actual)
    return isinstance(actual, pd.Series | pd.Index) or (
        isinstance(actual, np.ndarray) and actual.ndim == 1
    )


# Making one --------------------------------------------------------------------------------------


def rows(
    design: Design, new_data: pd.DataFrame | None, time: str | None, ahead: Ahead, by: By
) -> tuple[pd.DataFrame, list[str]]:
    """Return the later rows, built or checked, and the columns that name their series."""
    if (new_data is None) == (ahead.horizon is None and ahead.until is None):
        raise ArgumentError(
            "forecast takes either new_data, the later rows, or time= and horizon= (or until=), to "
            "build them"
        )
    if new_data is not None and (ahead.freq, ahead.step) != (None, None):
        raise ArgumentError("freq= and step= build later rows: new_data has them")
    if new_data is not None and time is None:
        one = by is not None or len(design.groupings) == 1
        names = series_columns(design, by) if one else []
        return new_data, [name for name in names if name in new_data]
    if time is None:
        raise ArgumentError("say which column holds the times: time=")
    names = [name for name in series_columns(design, by) if name != time]
    if new_data is None:
        return later_rows(design, time, ahead, names), names
    check_later(design, new_data, time, names)
    return new_data, names


def forecast(
    posterior: Posterior,
    source: Predictor,
    time: str | None,
    by: list[str],
    *,
    kind: str,
    learned: IntArray,
    probs: Sequence[float] | None = None,
) -> Forecast:
    """Gather what a forecast of later rows is made of, and the series so far.

    Rows that new groups have `learned` from are no forecast: they belong to the series so far.
    """
    fitted = posterior.design
    form = None if time is None else time_form(fitted, time)
    marks, name = [*by, *([time] if time else [])], fitted.response_name
    observed = keys_of(fitted, marks).assign(**{name: fitted.observed})
    if len(learned):
        before = source.design.take(np.sort(learned))
        rest = np.setdiff1d(np.arange(source.design.rows), learned)
        if not len(rest):
            raise DataError(
                f"every row has a value of {name!r}, which new groups learn from: add the later "
                "rows, with this column left missing"
            )
        more = keys_of(before, marks).assign(**{name: before.observed})
        observed = pd.concat([observed, more], ignore_index=True)
        source = replace(source, design=source.design.take(rest))
    by_category = fitted.unordered or kind == "probability"
    sigma, sd = None, source.family.plug_in
    if sd is not None:
        sigma = float(posterior.own()[sd].mean())
    ends = [level for level in scores.LEVELS if level != 0.5]  # the median has its own column
    levels = tuple(intervals.levels(ends if probs is None else probs).tolist())
    return Forecast(
        name, time, tuple(by), fitted.categories if by_category else (),
        keys_of(source.design, marks), observed, source, posterior, form, levels, sigma,
    )  # fmt: skip


def _coords(frame: pd.DataFrame, dim: str) -> dict[str, Any]:
    return {in_results(str(name)): (dim, _values(frame[name])) for name in frame
            if name not in row_labels.TAKEN}  # fmt: skip


def _values(column: pd.Series) -> np.ndarray:
    values = column.to_numpy()
    return plain(values) if values.dtype == object else values
