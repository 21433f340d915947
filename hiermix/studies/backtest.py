"""Back-tests: forecasts from several origins, scored beside simpler ways to forecast."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix import plots
from hiermix.design import checks, frames, times
from hiermix.design.design import Design
from hiermix.design.frames import Frame
from hiermix.design.joint_design import check_one_response
from hiermix.engines import Engine
from hiermix.errors import ArgumentError, DataError, UnseenError, count, first_three, quoted
from hiermix.families import known_ends
from hiermix.families.family import needs_a_line
from hiermix.fit import Fit
from hiermix.forecasting import errors_of_points, nixtla, scores
from hiermix.forecasting.horizon import By, series_columns, series_names, time_form
from hiermix.formula.formula import parse
from hiermix.formula.terms import Group
from hiermix.model import WARMUP, Model
from hiermix.options import names as names_of
from hiermix.options import one_of, whole
from hiermix.prediction import predict
from hiermix.prediction.pieces import draw_matrix
from hiermix.side_by_side import Workers
from hiermix.studies import random_walks
from hiermix.studies.pooling import pooling
from hiermix.typing import Algorithm, FloatArray

if TYPE_CHECKING:
    from hiermix.plots.style import Plot

_LOSSES = ["crps", "pinball", "in_50", "in_80", "in_95"]


@dataclass(frozen=True)
class Backtest:
    """Scores of forecasts from several origins.

    Attributes
    ----------
    scores : DataFrame
        A row for every origin, method and later row: ``origin``, ``method``, ``series``,
        ``time``, ``step`` (how many times ahead), ``actual``, ``crps``, ``pinball``, ``in_50``,
        ``in_80``, ``in_95``, ``mase`` (the absolute error of the median over the mean one of the
        naive forecasts of the rows up to the origin), ``off`` (that absolute error), ``error`` (of
        the mean) and ``size`` (of the actual value). Methods are ``partial`` (the model), ``no``
        and ``complete`` (the model without pooling, and without groups), ``naive`` (the last value
        of the series, with the spread of its own steps), and with `season` ``seasonal`` (the value
        a season before, with the spread of the steps over one).
    forecasts : DataFrame
        The same rows: ``origin``, ``method``, ``series``, ``time``, ``step``, ``actual``, ``mean``,
        ``median`` and the ends of the 50, 80 and 95 % intervals.
    """

    scores: pd.DataFrame
    forecasts: pd.DataFrame
    _of_series: pd.Series  # its labels, as the data have them

    def table(self, *, by: str | None = None) -> pd.DataFrame:
        """Return the mean scores of each method, the best first.

        Parameters
        ----------
        by : {"step", "origin", "series"}, optional
            Split the means.

        Returns
        -------
        DataFrame
            ``crps`` and ``pinball`` (smaller is better), ``in_50``, ``in_80``, ``in_95`` (shares
            that the intervals hold), ``mase``, ``wape`` (the sum of absolute errors of the median
            over that of absolute values), ``bias`` (the sum of errors of the mean over the same),
            ``rows``; unsplit also ``more``, by how much the CRPS exceeds that of partial pooling,
            and its standard error ``se`` over the series.
        """
        if by is not None:
            one_of("by", by, ("step", "origin", "series"))
        keys = ["method"] if by is None else [by, "method"]
        found = errors_of_points.means(self.scores, keys, _LOSSES)
        if by is not None:
            return found.sort_values([by, "crps"])
        return found.join(self._beside_partial()).sort_values("crps")

    def to_nixtla(self, *, level: Sequence[float] = (80, 95)) -> pd.DataFrame:
        """Return the forecasts in the shape of the cross-validation of Nixtla's tools.

        Parameters
        ----------
        level : sequence of float
            Percentages of the intervals: some of 50, 80, 95.

        Returns
        -------
        DataFrame
            ``unique_id``, ``ds``, ``cutoff``, ``y``; ``hiermix`` (the mean) and
            ``hiermix-lo-95``, ...; and the same of the other methods, ``hiermix-no`` and so on.
        """
        given = [level] if isinstance(level, int | float) else list(level)
        wrong = [each for each in given if each / 100 not in scores.INTERVALS]
        if wrong:
            raise ArgumentError(f"a back-test keeps the 50, 80 and 95 % intervals, not {wrong}")
        keys = {"series": nixtla.SERIES, "time": nixtla.TIME, "origin": nixtla.CUTOFF,
                "actual": nixtla.VALUE}  # fmt: skip
        found: pd.DataFrame | None = None
        for method, rows in self.forecasts.groupby("method", sort=False):
            name = "hiermix" if method == "partial" else f"hiermix-{method}"
            ends = {scores.names([prob])[0]: column for column, prob in nixtla.columns(given, name)}
            mine = rows.rename(columns=keys | {"mean": name} | ends)
            mine = mine[[*keys.values(), name, *ends.values()]]
            found = mine if found is None else found.merge(mine, on=list(keys.values()))
        assert found is not None
        return found.assign(**{nixtla.SERIES: self._of_series.reindex(found[nixtla.SERIES]).array})

    def _beside_partial(self) -> pd.DataFrame:
        """Mean difference in CRPS, and its standard error over series: their rows are alike."""
        means = self.scores.pivot_table(index="series", columns="method", values="crps")
        rows = self.scores[self.scores["method"] == "partial"].groupby("series").size()
        weights = (rows / rows.sum()).to_numpy()[:, None]
        differences = means.sub(means["partial"], axis=0)
        more = (weights * differences).sum()
        se = np.sqrt((weights**2 * (differences - more) ** 2).sum())
        return pd.DataFrame({"more": more, "se": se})

    def plot(self, *, figsize: tuple[float, float] | None = None) -> "Plot":
        """Draw the CRPS by step ahead, and how often the intervals hold what happened.

        Parameters
        ----------
        figsize : tuple of float, optional
            Width and height of the figure in inches.

        Returns
        -------
        Plot
            With ``figure`` and ``data``, the numbers drawn.
        """
        return plots.backtests.plot(
            self.table(by="step").reset_index(), self.table().reset_index(), figsize
        )

    def _repr_html_(self) -> str:
        return plots.notebook.scores(repr(self).splitlines()[0], self.table())

    def __repr__(self) -> str:
        """Show the table."""
        origins, series = self.scores["origin"].nunique(), self.scores["series"].nunique()
        return f"Backtest from {origins} origins, {series} series\n" + self.table().to_string(
            float_format="{:.4g}".format
        )


def backtest(
    formula: str,
    data: Frame,
    *,
    time: str | None = None,
    horizon: int,
    origins: int | Sequence[Any],
    by: By = None,
    groups: Sequence[Group] = (),
    priors: Mapping[str, str] | None = None,
    season: int | None = None,
    seed: int | None = None,
    chains: int = 4,
    warmup: int = WARMUP,
    draws: int = 1000,
    engine: str | Engine = "auto",
    algorithm: Algorithm = "nuts",
    progress: bool | None = False,
    cores: int | None = None,
    client: Any = None,
    processes: int | None = None,
    **options: Any,
) -> Backtest:
    """Forecast from several origins, each time from a fit to the rows up to it, and score.

    Parameters
    ----------
    formula : str
        As in `Model`. With one grouping factor the model stands beside no and complete pooling,
        with several beside complete pooling.
    data : DataFrame
        The panel, a row an observation.
    time : str
        Column of times, numbers or dates; ``"ds"`` where there is one and none is named.
    horizon : int
        How many of the times after an origin are forecast.
    origins : int or sequence
        The last times of the fits; or how many, the latest that leave `horizon` times.
    by : str or sequence of str, optional
        Columns that name a series; those of the finest grouping factor by default. Series that
        start after an origin are not scored there: naive and no pooling have no forecast for them.
    groups, priors, **options
        As in `Model`.
    season : int, optional
        Times of a season, such as 12 months (rows, of series that share no times): the value a
        season before stands beside, and is the scale of ``mase``.
    seed, chains, warmup, draws, engine, algorithm, progress, cores
        As in `Model.fit`. Programs are compiled once for all fits.
    client, processes : optional
        Where to fit, as in `fit_many`; each origin is a task.

    Rows whose predictors have levels that no row had up to an origin are not scored from there,
    with a warning.

    Returns
    -------
    Backtest
        With ``table()``, ``plot()`` and ``scores``.

    Raises
    ------
    ArgumentError
        The data have fewer times than horizon and origins ask for.
    """
    rows = frames.frame(data)
    model = Model(formula, rows, groups=groups, priors=priors, **options)
    needs_a_line(model.family, "backtest")
    time, by = nixtla.named(model.design, time, by)
    if time is None:
        raise ArgumentError("say which column holds the times: time=")
    if season is not None:
        whole("season", season, 2)
    form = time_form(model.design, time)
    axis = times.read(form, rows[time])
    names = [name for name in series_columns(model.design, by) if name != time]
    settings = {"seed": seed, "chains": chains, "warmup": warmup, "draws": draws, "engine": engine,
                "algorithm": algorithm, "progress": progress, "cores": cores}  # fmt: skip
    if not isinstance(origins, int):
        origins = times.read(form, pd.Series(names_of("origins", origins))).tolist()
    workers, tasks = Workers(client, processes), []
    fitted = partial(_fits, formula, groups=groups, priors=priors, options=options,
                     settings=workers.settings(settings))  # fmt: skip
    for origin, later in _origins(axis, horizon, origins):
        past, future = rows[axis <= origin], rows[axis.isin(later)]
        future = future[np.isin(series_names(future, names), series_names(past, names))]
        if len(future):
            shown = form.write(pd.Index([origin])).iloc[0]
            tasks.append(partial(_of_origin, fitted, shown, past, future, form, names, season))
    if not (found := [each for each in workers.run(tasks) if each is not None]):
        raise DataError("no series has rows up to an origin and rows after it that can be scored")
    scored, drawn = map(_joined, zip(*found, strict=True))
    return Backtest(scored, drawn, nixtla.labels(rows, names))


def _of_origin(
    fitted: Callable[[pd.DataFrame], dict[str, Fit]],
    origin: Any,
    past: pd.DataFrame,
    future: pd.DataFrame,
    form: times.Form,
    by: list[str],
    season: int | None,
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Fit the rows up to an origin, and score forecasts of those after it, if there are any."""
    with _from_origin(origin):
        fits = fitted(past)
        future = _known(fits["partial"].design, future, origin)
        if not len(future):
            return None
        scored, drawn = _scored(fits, past, future, form, by, season)
    return scored.assign(origin=origin), drawn.assign(origin=origin)


def _joined(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    table = pd.concat(list(parts), ignore_index=True)
    first = ["origin", "method"]
    return table[[*first, *table.columns.drop(first)]]


def _origins(
    axis: pd.Index, horizon: int, origins: int | Sequence[Any]
) -> list[tuple[Any, list[Any]]]:
    """Return each origin and the times that are forecast from it."""
    whole("horizon", horizon, 1)
    known = sorted(axis.unique())
    if isinstance(origins, int) and not isinstance(origins, bool):
        first = len(known) - horizon - origins
        if origins < 1 or first < 1:
            raise ArgumentError(
                f"{origins} origins and a horizon of {horizon} need {origins + horizon + 1} times "
                f"or more, 2 of them to fit: the data have {len(known)}"
            )
        chosen = known[first : len(known) - horizon]
    else:
        chosen = list(origins)  # type: ignore[arg-type]
    pairs = [(each, [later for later in known if later > each][:horizon]) for each in chosen]
    outside = [each for each, later in pairs if not later or each < known[0]]
    if outside:
        raise ArgumentError(f"origins {first_three(outside)} leave no times to fit or to forecast")
    return pairs


def _fits(
    formula: str,
    past: pd.DataFrame,
    groups: Sequence[Group],
    priors: Mapping[str, str] | None,
    options: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> dict[str, Fit]:
    """Fit the model and its simpler relatives to the rows up to an origin."""
    parsed = parse(formula, groups)
    if len({each.name for each in parsed.groups}) == 1:
        three = pooling(formula, past, groups=groups, priors=priors, **settings, **options)
        return {"partial": three.partial, "no": three.no, "complete": three.complete}
    model = Model(formula, past, groups=groups, priors=priors, **options)
    check_one_response(model.design, "backtest")
    if not parsed.groups:
        return {"partial": model.fit(**settings)}
    shared = {name: text for name, text in (priors or {}).items()
              if not name.strip().startswith(("sd", "cor"))}  # fmt: skip
    complete = Model(str(replace(parsed, groups=())), past, priors=shared, **options)
    return {"partial": model.fit(**settings), "complete": complete.fit(**settings)}


@contextmanager
def _from_origin(origin: object) -> Iterator[None]:
    """Say from which origin a model can't be fitted or scored."""
    try:
        yield
    except DataError as error:
        raise DataError(
            f"from origin {quoted(origin)}: {str(error).rstrip('.')}. Where only the rows up to it "
            "are the reason, leave this origin out: origins=[...]"
        ) from error


def _known(design: Design, future: pd.DataFrame, origin: object) -> pd.DataFrame:
    """Return the rows without those of levels that no row had up to the origin."""
    while len(future):
        try:
            design.on(future, new_groups="sample")
        except UnseenError as error:
            what = str(error).partition(" that the fit never saw: ")
            levels = what[2].partition(" (row")[0]
            checks.warn(
                f"{count(len(error.rows), 'row')} after origin {quoted(origin)} not scored: "
                f"{what[0]} that no row had before: {levels}"
            )
            future = future.iloc[np.setdiff1d(np.arange(len(future)), error.rows)]
        else:
            break
    return future


def _scored(
    fits: Mapping[str, Fit],
    past: pd.DataFrame,
    future: pd.DataFrame,
    form: times.Form,
    by: list[str],
    season: int | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score the forecasts of all methods for the same rows, and return them."""
    keys = pd.DataFrame({"series": series_names(future, by), "time": future[form.name].array})
    steps = pd.Series(times.read(form, future[form.name])).rank(method="dense")
    keys["step"] = steps.astype(int)
    rows = fits["partial"].design.on(future, new_groups="sample")
    actual = rows.observed
    if actual is None or np.isnan(actual).any():
        raise DataError("a back-test needs the response of every row")
    so_far = random_walks.so_far(fits["partial"], past, form, by)
    scale = errors_of_points.naive_scale(so_far, season or 1).reindex(keys["series"]).to_numpy()
    draws = {name: _draws(fit, future) for name, fit in fits.items()}
    draws["naive"] = random_walks.quantiles(so_far, keys, 1)
    if season is not None:
        draws["seasonal"] = random_walks.quantiles(so_far, keys, season)
    keys["actual"] = actual
    scored, forecasts = [], []
    for name, values in draws.items():
        mean, median = values.mean(axis=1), np.median(values, axis=1)
        points = errors_of_points.points(actual, mean, median, scale)
        each = scores.scores(actual, known_ends.as_seen(rows, values))
        scored.append(keys.assign(method=name).join(each).join(points))
        forecasts.append(keys.assign(method=name).join(_summary(values)))
    return pd.concat(scored), pd.concat(forecasts)


def _summary(draws: FloatArray) -> pd.DataFrame:
    ends = [level for level in scores.LEVELS if level != 0.5]
    quantiles = np.quantile(draws, [0.5, *ends], axis=1)
    return pd.DataFrame(
        np.column_stack([draws.mean(axis=1), *quantiles]), columns=["mean", "median",
                                                                    *scores.names(ends)],
    )  # fmt: skip


def _draws(fit: Fit, future: pd.DataFrame) -> FloatArray:
    design = predict.rows_on(fit.design, future, new_groups="sample")
    source = predict.predictor(fit.posterior.on(design), new_groups="sample")
    return draw_matrix(source, "response")
