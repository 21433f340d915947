"""What forecasts of rows and of totals have in common: table, figure, scores, Nixtla's shape."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix import plots
from hiermix.design import frames, response_checks, times
from hiermix.errors import ArgumentError, DataError
from hiermix.forecasting import errors_of_points, nixtla, scores
from hiermix.forecasting.horizon import series_names
from hiermix.posterior import intervals
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from hiermix.plots.style import Plot

type Actual = pd.DataFrame | pd.Series | Sequence[float]
type Reduce = Callable[[slice, FloatArray], FloatArray]
"""Makes something of the draws (n, S) of some rows."""


class Predictive(ABC):
    """The predictive distribution of rows that have a time and belong to series."""

    response: str
    time: str | None
    by: tuple[str, ...]
    rows: pd.DataFrame
    observed: pd.DataFrame
    _form: times.Form | None
    _probs: tuple[float, ...]

    @abstractmethod
    def _reduced(self, reduce: Reduce) -> FloatArray:
        """Return what is made of the draws of the response, for all rows."""

    @abstractmethod
    def _outcomes(self, values: pd.Series) -> FloatArray:
        """Return responses that come without their rows as numbers."""

    def _numbers(self, probs: Sequence[float] | None) -> pd.DataFrame:
        wanted = intervals.levels(self._probs if probs is None else probs)
        levels = np.array([0.5, *wanted])

        def summary(_: slice, draws: FloatArray) -> FloatArray:
            mean, draws = self._summed_up(draws)
            sd = draws.std(axis=1, ddof=1)
            return np.column_stack([mean, sd, *intervals.sorted_quantiles(draws, levels)])

        return pd.DataFrame(
            self._reduced(summary), self._index(),
            ["mean", "sd", "median", *scores.names(wanted.tolist())],
        )  # fmt: skip

    def to_nixtla(
        self, *, level: Sequence[float] = (80, 95), name: str = "hiermix"
    ) -> pd.DataFrame:
        """Return the forecast in the shape of Nixtla's tools.

        Parameters
        ----------
        level : sequence of float
            Percentages of the intervals.
        name : str
            What the columns are called after.

        Returns
        -------
        DataFrame
            ``unique_id``, ``ds``, ``hiermix`` (the mean), ``hiermix-lo-95``, ``hiermix-lo-80``,
            ``hiermix-hi-80``, ``hiermix-hi-95``. Several columns that name a series are joined as
            ``"a:b"``.
        """
        if self.time is None:
            raise ArgumentError("Nixtla's tools need times: pass time= to forecast")
        columns = nixtla.columns(level, name)
        numbers = self._numbers([level for _, level in columns]).reset_index(drop=True)
        found = nixtla.keys(self.rows, self.time, list(self.by)).assign(**{name: numbers["mean"]})
        for place, (column, _) in enumerate(columns):
            found[column] = numbers.iloc[:, 3 + place]
        return found

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
        self._check_drawable()
        assert self.time is not None
        table = self._numbers(scores.LEVELS).reset_index(drop=True)
        return plots.forecasts.plot(
            self._in_series(self.rows.join(table)), self._in_series(self.observed),
            self.response, self.time, ":".join(self.by),
            levels=levels, panels=panels, history=history, sharey=sharey, figsize=figsize,
        )  # fmt: skip

    def _repr_html_(self) -> str | None:
        if self.time is None:
            return None
        numbers = self._numbers([0.1, 0.9]).reset_index(drop=True)
        return plots.notebook.forecast(
            self._in_series(self.rows.join(numbers)), self._in_series(self.observed),
            self.response, repr(self),
        )  # fmt: skip

    def _check_drawable(self) -> None:
        if self.time is None:
            raise ArgumentError("plot needs times: pass time= to forecast")

    def _in_series(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a frame with ``series`` and ``time`` in front, as a figure takes them."""
        assert self._form is not None
        shown = frame.drop(columns=[*self.by, self.time])
        shown.insert(0, "time", self._form.drawn(frame[self.time]).to_numpy())
        shown.insert(0, "series", series_names(frame, list(self.by)))
        return shown

    def score(self, actual: Actual, *, by: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Score the forecast against what happened, by the package scoringrules.

        Parameters
        ----------
        actual : DataFrame, Series or sequence
            A frame with the columns of time, group and response, matched by their values, whatever
            their order; or one value for every row of the forecast.
        by : str or sequence of str, optional
            Return mean scores by these columns of `rows`, such as the series or the time, with
            errors of point forecasts; ``"series"`` stands for the columns that name a series, and
            ``()`` for all rows together.

        Returns
        -------
        DataFrame
            A row for every row of the forecast whose value is known: ``actual``, ``crps``,
            ``pinball``, ``in_50``, ``in_80``, ``in_95``. Its ``.mean()`` is the score. Where the
            frame says that a value is censored, draws within what is known of it count as it. Where
            categories are forecast by probability, instead: the logarithmic score ``log`` and
            ``brier``. With `by`, means of these, and ``mase``, ``wape``, ``bias``, ``rows``: the
            mean absolute error of the median over that of the last value as a forecast of the next
            one in the series so far; the sum of absolute errors, and the sum of errors of the mean,
            over the sum of absolute values.
        """
        found = self._scored(actual)
        if by is None:
            return found
        keys = errors_of_points.grouped_by(by, self.by, list(map(str, self.rows)))
        return self._by_series(found, keys)

    def _scored(self, actual: Actual) -> pd.DataFrame:
        values, known = self._known(actual)
        names = scores.scores(values[:0], np.empty((0, 2))).dtypes

        as_seen = self._as_seen(actual, values)

        def scored(rows: slice, draws: FloatArray) -> FloatArray:
            found = self._scores(values[rows], as_seen(rows, draws))
            return found.to_numpy(dtype=np.float64)

        each = self._reduced(scored)[known]
        found = pd.DataFrame(each, self._index()[known], names.index).astype(names)
        found.insert(0, "actual", values[known])
        return found

    def _summed_up(self, draws: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the mean of draws (n, S), and draws that are numbers around it."""
        return draws.mean(axis=1), draws

    def _scores(self, actual: FloatArray, draws: FloatArray) -> pd.DataFrame:
        """Score draws (n, S) of n values."""
        return scores.scores(actual, draws)

    def _off(self, actual: FloatArray, expected: FloatArray) -> FloatArray:
        """Return values less what was expected."""
        return np.asarray(actual - expected)

    def _as_seen(self, actual: Actual, values: FloatArray) -> Reduce:
        """Return what makes draws of some rows what would have been seen of them: here all."""
        return lambda rows, draws: draws

    def _by_series(self, found: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
        """Return means of scores, with those of point forecasts."""
        actual, kept = found["actual"], self._index().isin(found.index)
        numbers = self._numbers([0.5]).loc[kept]
        scale: pd.Series[float] = pd.Series(dtype=float)
        if self._form is not None:
            so_far = self._in_series(self.observed).rename(columns={self.response: "value"})
            scale = errors_of_points.naive_scale(so_far, season=1, off=self._off)
        rows = self.rows[kept].reset_index(drop=True)
        points = errors_of_points.points(
            actual.to_numpy(), numbers["mean"].to_numpy(), numbers["median"].to_numpy(),
            scale.reindex(series_names(rows, list(self.by))).to_numpy(), self._off,
        )  # fmt: skip
        each = pd.concat([rows, found.reset_index(drop=True), points], axis=1)
        return errors_of_points.means(each, keys, list(found.columns.drop("actual")))

    def _known(self, actual: Actual) -> tuple[FloatArray, np.ndarray]:
        """Return what happened in every row, and in which it is known."""
        values = self._matched(actual)
        known = np.isfinite(values)
        if not known.any():
            raise DataError("no row of the forecast is in the actual data")
        return values, known

    def _matched(self, actual: Any) -> FloatArray:
        if _one_each(actual):
            response_checks.right_length("actual", len(actual), len(self.rows), "the forecast")
            return self._outcomes(pd.Series(actual))
        actual = frames.rows(actual)
        for column in (*self.rows, self.response):
            if column not in actual:
                raise DataError(f"actual has no column {column!r}")
        given = pd.Series(self._outcomes(actual[self.response]), index=self._matching(actual))
        if given.index.has_duplicates:
            twice = int(np.flatnonzero(given.index.duplicated())[0])
            shown = actual[list(self.rows)].iloc[twice]
            raise DataError(f"actual has several rows of {', '.join(map(str, shown))}")
        return np.asarray(given.reindex(self._matching(self.rows)), dtype=np.float64)

    def _rows_of(self, actual: Any) -> pd.DataFrame | None:
        """Return what happened as rows; None where it is values alone."""
        return None if _one_each(actual) else frames.rows(actual)

    def _matching(self, frame: pd.DataFrame) -> pd.MultiIndex:
        """Return series and times, whatever their dtypes."""
        names = series_names(frame, list(self.by))
        if self._form is None:
            return pd.MultiIndex.from_arrays([names, np.zeros(len(frame))])
        return pd.MultiIndex.from_arrays([names, times.read(self._form, frame[self.time])])

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
