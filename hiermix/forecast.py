"""Forecasts: predictive distributions of later rows, as draws, table, figure and scores."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix import plots, scores
from hiermix.design import Design
from hiermix.draws import plain
from hiermix.errors import ArgumentError, DataError, count
from hiermix.horizon import By, check_later, check_time, later_rows, series_columns, series_names
from hiermix.layout import lay_out
from hiermix.predict import draw_matrix, labelled, sorted_quantiles
from hiermix.predictor import Predictor
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

    from hiermix.plots.layout import Plot


@dataclass(frozen=True, eq=False, repr=False)
class Forecast:
    """The predictive distribution of later rows of old or new groups.

    Attributes
    ----------
    data : DataTree
        Group ``predictions``: draws of the response, and of its ``mean``, (chain, draw, row), with
        time and groups as coordinates (the mean of unordered categories is their probability, by
        ``category``); ``observed_data``: the series so far.
    time : str or None
        Column of times.
    by : tuple of str
        Columns whose values name a series.
    categories : tuple
        Labels of a response without an order; none where it is a number.
    """

    data: "xr.DataTree"
    time: str | None
    by: tuple[str, ...]
    categories: tuple[object, ...] = ()

    def table(self, *, plug_in: bool = False) -> pd.DataFrame:
        """Return mean, sd, median and the ends of the 50, 80 and 95 % intervals of every row.

        Parameters
        ----------
        plug_in : bool
            Also the normal that textbooks print (Gaussian models): the linear predictor at the
            posterior means of intercept, slopes and group effects, and the mean of sigma. It is
            too sure of itself: it leaves out what is not known about all of these.

        Returns
        -------
        DataFrame
            Indexed by group and time: ``mean``, ``sd``, ``median``, ``q2.5``, ``q10``, ``q25``,
            ``q75``, ``q90``, ``q97.5``, and ``plug_in_mean``, ``plug_in_sd``. Of unordered
            categories: the probability of each.
        """
        if self.categories:
            return pd.DataFrame(self._probabilities(), self._index(), list(self.categories))
        draws = self._draws(self.data.attrs["response"])
        found = {"mean": draws.mean(axis=1), "sd": draws.std(axis=1, ddof=1)}
        ends = sorted_quantiles(draws, np.array(scores.LEVELS))
        quantiles = dict(zip(scores.names(), ends, strict=True))
        found |= {"median": quantiles.pop("q50")} | quantiles
        if plug_in:
            found |= self._plug_in()
        return pd.DataFrame(found, index=self._index())

    def _plug_in(self) -> dict[str, Any]:
        if "sigma" not in self.data.attrs:
            raise ArgumentError(
                f"plug_in is the normal of Gaussian models, not of {self.data.attrs['family']!r}"
            )
        # The linear predictor is linear in what is averaged: its mean is that at the means.
        mean = self._draws("mean").mean(axis=1)
        return {"plug_in_mean": mean, "plug_in_sd": np.full(len(mean), self.data.attrs["sigma"])}

    def plot(
        self,
        *,
        levels: Sequence[object] | None = None,
        panels: int = 20,
        figsize: tuple[float, float] | None = None,
    ) -> "Plot":
        """Draw a fan for each series over what was observed.

        Parameters
        ----------
        levels : sequence, optional
            Series to draw, ``"a:b"`` where several columns name them.
        panels : int
            Where none are named: how many to draw, spread evenly over low and high forecasts.
        figsize : tuple of float, optional
            Width and height of the figure in inches.

        Returns
        -------
        Plot
            With ``figure`` and ``data``, the numbers drawn.
        """
        if self.time is None:
            raise ArgumentError("plot needs times: pass time= to forecast")
        if self.categories:
            raise ArgumentError("categories without an order have no fan: table() has numbers")
        table = self.table().reset_index()
        observed = self.data["observed_data"].to_dataset().to_dataframe().reset_index(drop=True)
        return plots.forecast.plot(
            _in_series(table, self.by, self.time), _in_series(observed, self.by, self.time),
            self.data.attrs["response"], self.time, ":".join(self.by),
            levels=levels, panels=panels, figsize=figsize,
        )  # fmt: skip

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
            ``pinball``, ``in_50``, ``in_80``, ``in_95``. Its ``.mean()`` is the score. Of
            unordered categories, instead: the logarithmic score ``log`` and ``brier``.
        """
        values = self._matched(actual)
        known = np.isfinite(values)
        if not known.any():
            raise DataError("no row of the forecast is in the actual data")
        values = values[known]
        if self.categories:
            found = scores.of_categories(values, self._probabilities()[known])
            found.insert(0, "actual", [self.categories[int(value) - 1] for value in values])
        else:
            found = scores.scores(values, self._draws(self.data.attrs["response"])[known])
            found.insert(0, "actual", values)
        return found.set_axis(self._index()[known], axis=0)

    def _matched(self, actual: pd.DataFrame | pd.Series | Sequence[float]) -> FloatArray:
        rows = self.data["predictions"].sizes["row"]
        if not isinstance(actual, pd.DataFrame):
            values = self._numbers(pd.Series(actual))
            if values.shape != (rows,):
                raise DataError(f"actual has shape {values.shape}, the forecast {rows} rows")
            return values
        name = self.data.attrs["response"]
        keys = [*self.by, *([self.time] if self.time else [])]
        for column in (*keys, name):
            if column not in actual:
                raise DataError(f"actual has no column {column!r}")
        given = pd.Series(self._numbers(actual[name]),
                          index=_matching(actual, self.by, self.time))  # fmt: skip
        if given.index.has_duplicates:
            twice = given.index[given.index.duplicated()][0]
            raise DataError(f"actual has several rows of {', '.join(map(str, twice))}")
        mine = self._index().to_frame(index=False)
        found = given.reindex(_matching(mine, self.by, self.time))
        return np.asarray(found, dtype=np.float64)

    def _numbers(self, values: "pd.Series[Any]") -> FloatArray:
        """Return responses as numbers; categories count from 1."""
        if not self.categories:
            return np.asarray(values.to_numpy(dtype=float, na_value=np.nan))
        place = {label: float(i + 1) for i, label in enumerate(self.categories)}
        found = np.array([place.get(value, np.nan) for value in values.tolist()], dtype=np.float64)
        unseen = values[np.isnan(found) & values.notna().to_numpy()].tolist()
        if unseen:
            raise DataError(f"{unseen[0]!r} is no category of {self.data.attrs['response']!r}")
        return found

    def _probabilities(self) -> FloatArray:
        """Return the probability (n, C) of each category."""
        each = self.data["predictions"]["mean"].transpose("row", "category", "chain", "draw")
        found: FloatArray = each.mean(("chain", "draw")).to_numpy()
        return found

    def __repr__(self) -> str:
        """Say what is forecast, for how many series, and until when."""
        index = self._index().to_frame(index=False)
        text = f"Forecast of {self.data.attrs['response']}: {count(len(index), 'row')}"
        if self.by:
            text += f", {len(index[list(self.by)].drop_duplicates()):,} of {':'.join(self.by)}"
        if self.time and len(index):
            text += f", {self.time} {index[self.time].min()} to {index[self.time].max()}"
        return text

    def _draws(self, name: str) -> FloatArray:
        """Return a fresh (n, S) array of draws."""
        draws = self.data["predictions"][name].transpose("row", "chain", "draw").to_numpy()
        return np.array(draws.reshape(len(draws), -1))

    def _index(self) -> "pd.Index[Any]":
        rows = self.data["predictions"]
        names = [*self.by, *([self.time] if self.time else [])]
        if not names:
            return pd.RangeIndex(rows.sizes["row"], name="row")
        arrays = [rows[name].to_numpy() for name in names]
        if len(names) == 1:
            index: pd.Index[Any] = pd.Index(arrays[0], name=names[0])
            return index
        return pd.MultiIndex.from_arrays(arrays, names=names)


def _in_series(frame: pd.DataFrame, by: tuple[str, ...], time: str) -> pd.DataFrame:
    """Return a frame with ``series`` and ``time`` in front."""
    shown = frame.drop(columns=[*by, time])
    shown.insert(0, "time", frame[time])
    shown.insert(0, "series", series_names(frame, list(by)))
    return shown


def _matching(frame: pd.DataFrame, by: tuple[str, ...], time: str | None) -> pd.MultiIndex:
    names = series_names(frame, list(by))
    return pd.MultiIndex.from_arrays([names, frame[time] if time else np.zeros(len(frame))])


# Making one --------------------------------------------------------------------------------------


def rows(
    design: Design, new_data: pd.DataFrame | None, time: str | None, horizon: int | None, by: By
) -> tuple[pd.DataFrame, list[str]]:
    """Return the later rows, built or checked, and the columns that name their series."""
    if (new_data is None) == (horizon is None):
        raise ArgumentError(
            "forecast takes either new_data, the later rows, or time= and horizon=, to build them"
        )
    if new_data is not None and time is None:
        one = by is not None or len(design.groupings) == 1
        names = series_columns(design, by) if one else []
        return new_data, [name for name in names if name in new_data]
    if time is None:
        raise ArgumentError("say which column holds the times: time=")
    names = [name for name in series_columns(design, by) if name != time]
    if new_data is None:
        assert horizon is not None
        return later_rows(design, time, horizon, names), names
    check_later(design, new_data, time, names)
    return new_data, names


def forecast(
    tree: "xr.DataTree", fitted: Design, source: Predictor, time: str | None, by: list[str]
) -> Forecast:
    """Draw the responses of later rows, and keep them with the series so far."""
    import xarray as xr

    if time is not None:
        check_time(fitted, time)
    design, name = source.design, fitted.response_name
    numbers = np.arange(design.rows)
    marks = [*by, *([time] if time else [])]
    predictions = {
        name: labelled(tree, "response", draw_matrix(source, "response"), numbers, source),
        "mean": labelled(tree, "mean", draw_matrix(source, "mean"), numbers, source),
    }
    later = xr.Dataset(predictions).assign_coords(_coords(design.frame, marks, "row"))
    so_far = xr.Dataset({name: (("observed",), fitted.response)},
                        coords=_coords(fitted.frame, marks, "observed"))  # fmt: skip
    data = xr.DataTree.from_dict({"predictions": later, "observed_data": so_far})
    data.attrs |= {"response": name, "family": source.family.name, "time": time or "",
                   "by": json.dumps(by), "seed": source.seed}  # fmt: skip
    if source.family.name == "gaussian":
        data.attrs["sigma"] = float(lay_out(tree, fitted, ["sigma"], ()).own["sigma"].mean())
    return Forecast(data, time, tuple(by), fitted.categories if fitted.unordered else ())


def _coords(frame: pd.DataFrame, names: list[str], dim: str) -> dict[str, Any]:
    return {name: (dim, _values(frame[name])) for name in names}


def _values(column: pd.Series) -> np.ndarray:
    values = column.to_numpy()
    return plain(values) if values.dtype == object else values
