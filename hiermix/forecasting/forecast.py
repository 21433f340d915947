"""Forecasts: predictive distributions of later rows, as draws, table, figure and scores."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from hiermix import plots
from hiermix.design import row_labels, times
from hiermix.design.design import Design
from hiermix.design.limits import Limits, limits_of
from hiermix.design.response import censored_of
from hiermix.errors import ArgumentError, DataError, count
from hiermix.families import circular, known_ends
from hiermix.families.family import needs_a_line, needs_one_a_row
from hiermix.forecasting import scores, totals
from hiermix.forecasting.horizon import (
    Ahead,
    By,
    check_later,
    keys_of,
    later_rows,
    series_columns,
    time_form,
)
from hiermix.forecasting.predictive import Actual, Predictive, Reduce
from hiermix.forecasting.totals import Total
from hiermix.posterior import intervals
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import pieces, predict
from hiermix.prediction.predictor import Predictor
from hiermix.typing import FloatArray, ForecastKind, IntArray

if TYPE_CHECKING:
    import xarray as xr


KINDS = get_args(ForecastKind.__value__)


@dataclass(frozen=True, eq=False, repr=False)
class Forecast(Predictive):
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
    _designs: tuple[Design, ...]
    """The fitted rows, and those that were given or built."""
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
        later = xr.Dataset(each).assign_coords(row_labels.along(self.rows, "row"))
        known = (("observed",), self.observed[self.response].to_numpy())
        marks = self.observed[list(self.rows)]
        so_far = xr.Dataset({self.response: known}, coords=row_labels.along(marks, "observed"))
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

    def _reduced(self, reduce: Reduce) -> FloatArray:
        return pieces.reduced(self._source, "response", reduce)

    def _outcomes(self, values: pd.Series) -> FloatArray:
        return self._source.design.outcomes(values)

    def _plug_in(self) -> dict[str, Any]:
        if self._sigma is None:
            raise ArgumentError(
                "plug_in is the normal of Gaussian models with one sigma and independent residuals"
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

    def total(self, *, by: str | Sequence[str] | None = None) -> Total:
        """Add the series up, time by time: draw by draw, so that parts and wholes agree.

        Parameters
        ----------
        by : str or sequence of str, optional
            Columns of the data that name the totals, such as a region; each series has one value of
            them. All series are added up by default.

        Returns
        -------
        Total
            With ``table()``, ``plot()``, ``score()``, ``to_nixtla()`` and ``draws``.

        Warns
        -----
        HiermixWarning
            Times at which not every forecast series has a value, forecast or observed: a total of
            some series would be another one. They are left out.
        """
        needs_a_line(self._source.family, "a total")
        if self.categories:
            raise ArgumentError("a total needs forecasts of the response: kind='response'")
        return totals.total(self, self._source, self._posterior, self._designs, by)

    def _repr_html_(self) -> str | None:
        if self.categories or self._source.family.unordered:
            return plots.notebook.scores(repr(self), self.table())
        return super()._repr_html_()

    def _check_drawable(self) -> None:
        super()._check_drawable()
        if self._source.family.unordered:
            raise ArgumentError("categories without an order have no fan: table() has numbers")

    def _scored(self, actual: Actual) -> pd.DataFrame:
        needs_one_a_row(self._source.family, "a score")
        if not self.categories:
            return super()._scored(actual)
        values, known = self._known(actual)
        found = scores.of_categories(values[known], self._means()[known])
        found.insert(0, "actual", [self.categories[int(value) - 1] for value in values[known]])
        return found.set_axis(self._index()[known], axis=0)

    def _summed_up(self, draws: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self._source.family.summed_up(draws)

    def _off(self, actual: FloatArray, expected: FloatArray) -> FloatArray:
        return self._source.family.residual(actual, expected)

    def _scores(self, actual: FloatArray, draws: FloatArray) -> pd.DataFrame:
        if not self._source.family.circular:
            return super()._scores(actual, draws)
        middle, draws = self._summed_up(draws)
        found = scores.scores(middle + circular.difference(actual, middle), draws)
        return found.assign(crps=circular.crps(actual, draws))

    def _as_seen(self, actual: Actual, values: FloatArray) -> Reduce:
        design, column = self._source.design, self._source.design.formula.beside.censored
        frame = None if column is None else self._rows_of(actual)
        if frame is None or column not in frame:
            return super()._as_seen(actual, values)
        place = self._matching(frame).get_indexer(self._matching(self.rows))
        known = frame.iloc[np.maximum(place, 0)]
        end = limits_of(design.formula.beside, known).end
        seen = replace(design, response=values, censored=censored_of(column, known),
                       limits=Limits(end))  # fmt: skip
        return lambda rows, draws: known_ends.as_seen(seen, draws, rows)

    def _known(self, actual: Actual) -> tuple[FloatArray, np.ndarray]:
        values, known = super()._known(actual)
        return values if self.categories else self._source.design.as_given(values), known

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


# Making one --------------------------------------------------------------------------------------


def rows(
    design: Design,
    new_data: pd.DataFrame | None,
    time: str | None,
    ahead: Ahead,
    by: By,
    *,
    first: bool = False,
) -> tuple[pd.DataFrame, list[str]]:
    """Return the later rows, built or checked, and the columns that name their series.

    With `first` rows that are given may be the first ones of new series, whose later ones are
    built and stand behind them.
    """
    build = ahead.horizon is not None or ahead.until is not None
    if (new_data is None and not build) or (new_data is not None and build and not first):
        raise ArgumentError(
            "forecast takes either new_data, the later rows, or time= and horizon= (or until=), to "
            "build them; both with new_groups='update', for new series from their first rows"
        )
    if new_data is not None and not build and (ahead.freq, ahead.step) != (None, None):
        raise ArgumentError("freq= and step= build later rows: new_data has them")
    if time is None and build:
        raise ArgumentError("say which column holds the times: time=")
    if time is None:
        assert new_data is not None
        one = by is not None or len(design.groupings) == 1
        names = series_columns(design, by) if one else []
        return new_data, [name for name in names if name in new_data]
    design.check_rows("forecast(time=...)")
    names = [name for name in series_columns(design, by) if name != time]
    if new_data is None:
        return later_rows(design, time, ahead, names), names
    check_later(design, new_data, time, names)
    if not build:
        return new_data, names
    later = later_rows(design, time, ahead, names, first=new_data)
    return pd.concat([new_data, later], ignore_index=True), names


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
    designs = fitted, source.design
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
    weighed = None if source.weighed is None else source.weighed.order
    fitted_rows = predict.residuals_before(posterior, weighed)
    source = replace(source, before=(*fitted_rows, *source.before))
    by_category = fitted.unordered or kind == "probability"
    sigma, sd = None, source.family.plug_in
    plain = not (fitted.limits.truncated or source.together) and fitted.limits.se is None
    if sd is not None and plain and sd not in posterior.parameters:
        sigma = float(posterior.own()[sd].mean())
    ends = [level for level in scores.LEVELS if level != 0.5]  # the median has its own column
    levels = tuple(intervals.levels(ends if probs is None else probs).tolist())
    return Forecast(
        name, time, tuple(by), fitted.categories if by_category else (),
        keys_of(source.design, marks), observed, source, posterior, form, levels, designs, sigma,
    )  # fmt: skip
