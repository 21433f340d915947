"""Fit: a fitted model, its labelled draws, and a door to everything asked of them."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from hiermix import options, plots
from hiermix.answers import effects, group_levels, joined
from hiermix.checking import report
from hiermix.checking.refits import Refittable
from hiermix.design import checks, frames
from hiermix.design.design import Design
from hiermix.design.frames import Frame, NewRows
from hiermix.design.joint_design import DIM
from hiermix.engines import Engine
from hiermix.forecasting import forecast as forecasts
from hiermix.forecasting import nixtla
from hiermix.forecasting.forecast import Forecast
from hiermix.forecasting.horizon import Ahead
from hiermix.posterior import (
    describe,
    diagnostics,
    group_tables,
    hypothesis,
    matrix_files,
    one_response,
    regression_tables,
    residual_labels,
    storage,
    summary,
)
from hiermix.posterior.asked import asked_of_posterior, check_one, drawn_of_posterior, together
from hiermix.posterior.on_demand import ON_DEMAND
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import cross_validation, held_out, predict, variance_partition
from hiermix.prediction.update import learned_from
from hiermix.side_by_side import Workers
from hiermix.typing import FloatArray, ForecastKind, IntArray, NewGroups

if TYPE_CHECKING:
    import xarray as xr
    from arviz_stats import ELPDData


class Fitted(Refittable, Protocol):
    """What a fit needs of the model that it came from: `hm.Model` has it."""

    def refit(self, rows: IntArray, **settings: Any) -> "xr.DataTree":
        """Return the draws of the same model for some of its rows."""
        ...

    def on(self, data: Frame) -> Any:
        """Return the same model for other rows, ready to be fitted."""
        ...


class Fit:
    """A fitted model: labelled draws and everything asked of them.

    Attributes
    ----------
    model : Model
        The model that was fitted.
    data : DataTree
        Groups ``posterior``, ``sample_stats``, ``observed_data``, ``constant_data``; and, worked
        out when they are read, ``posterior_predictive``, ``log_likelihood``, ``log_prior``. Any
        ArviZ function works on it.
    """

    def __init__(self, model: Fitted, data: "xr.DataTree", said: Iterable[str] = ()) -> None:
        from hiermix.prediction import lazy_groups

        self.model = model
        self.data = data
        self._said = set(said)  # doubts that need not be said again
        self._posterior = Posterior.of(data, model.design, model.family)
        lazy_groups.add(data, self._posterior, model.priors, model.origins)

    @property
    def design(self) -> Design:
        """The fitted rows."""
        return self.model.design

    @property
    def posterior(self) -> Posterior:
        """The draws in `data`, laid out once; anew where they were replaced."""
        if not self._posterior.is_in(self.data):
            self._posterior = Posterior.of(self.data, self.design, self.model.family)
        return self._posterior

    def __repr__(self) -> str:
        """Describe the model, the sampler's settings, the summary and what is doubtful."""
        return describe.fit(self.model.design, self.data)

    def _repr_html_(self) -> str:
        return plots.notebook.fit(self.model.design, self.data)

    def __getitem__(self, name: str) -> "xr.DataArray":
        """Draws (chain, draw) of a parameter, by the names that `hypothesis` reads."""
        return hypothesis.draws(self.posterior, name)

    def _ipython_key_completions_(self) -> list[str]:
        return hypothesis.names(self.posterior)

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        return regression_tables.coefficients(self.posterior, self.data)

    def __maketables_stat__(self, key: str) -> int | None:
        return regression_tables.statistics(self.posterior).get(key)

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        return list(regression_tables.statistics(self.posterior))

    @property
    def __maketables_depvar__(self) -> str:
        return self.design.response_name

    def summary(
        self, variables: Sequence[str] | None = None, *, prob: float = 0.95
    ) -> pd.DataFrame:
        """Summarise the draws, and warn in plain words where something is doubtful, once each.

        Parameters
        ----------
        variables : sequence of str, optional
            Names in ``fit.data.posterior``; everything but the group effects by default.
        prob : float
            Probability of the equal-tailed interval.

        Returns
        -------
        DataFrame
            Mean, sd, median, interval, bulk and tail effective sizes, R-hat, Monte-Carlo errors.
            Where a posterior has next to no mean, as that of a `shape` that may be infinite, the
            median still means something.
        """
        chosen = summary.chosen(self.posterior.draws, variables)
        frame = summary.table(self.data, chosen, prob)
        for about, text in diagnostics.of_fit(self.data).items():
            if about not in self._said:
                self._said.add(about)
                checks.warn(text)
        return frame

    group_effects = asked_of_posterior(group_tables.group_effects, together)
    coefficients = asked_of_posterior(group_tables.coefficients, together)
    hypothesis = asked_of_posterior(hypothesis.hypothesis, together)
    variance_table = asked_of_posterior(variance_partition.variance_table, joined.tables)
    variance = asked_of_posterior(variance_partition.variance, joined.datasets)
    loo = asked_of_posterior(cross_validation.loo, together)
    residual_correlation = asked_of_posterior(residual_labels.residual_correlation, together)

    predictions = asked_of_posterior(joined.of_each(effects.predictions), together)
    comparisons = asked_of_posterior(joined.of_each(effects.comparisons), together)
    slopes = asked_of_posterior(joined.of_each(effects.slopes), together)
    means = asked_of_posterior(joined.of_each(effects.means), together)
    levels = asked_of_posterior(group_levels.levels)
    ranks = asked_of_posterior(group_levels.ranks)

    check = report.check
    response = one_response.response

    predict_pieces = asked_of_posterior(predict.predict_pieces, together)
    predict = asked_of_posterior(predict.predict, together)

    plot_shrinkage = drawn_of_posterior(lambda: plots.shrinkage.plot_shrinkage)
    plot_groups = drawn_of_posterior(lambda: plots.groups.plot_groups)
    plot_effects = drawn_of_posterior(lambda: plots.effect_curves.plot_effects)
    plot_smooth = drawn_of_posterior(lambda: plots.smooth_curves.plot_smooth)
    plot_ranks = asked_of_posterior(group_levels.plot_ranks)
    plot_fit = drawn_of_posterior(lambda: plots.fits.plot_fit)
    plot_check = drawn_of_posterior(lambda: plots.predictive_check.plot_check)
    plot_residuals = drawn_of_posterior(lambda: plots.residuals.plot_residuals)

    def forecast(
        self,
        new_data: NewRows | None = None,
        *,
        time: str | None = None,
        horizon: int | None = None,
        until: object = None,
        freq: "str | pd.offsets.BaseOffset | None" = None,
        step: object = None,
        by: str | Sequence[str] | None = None,
        kind: ForecastKind = "response",
        probs: Sequence[float] | None = None,
        new_groups: NewGroups = "error",
        group_effects: str | Sequence[str] = "all",
        offset: FloatArray | None = None,
        seed: int | None = None,
    ) -> Forecast:
        """Forecast later rows: those given, or the next ones of every series.

        Parameters
        ----------
        new_data : DataFrame, optional
            The later rows. With ``new_groups="update"`` and `horizon` or `until`: the first rows of
            new series, which learn from them and whose later rows are built.
        time : str, optional
            Column of times of the fitted data, in the formula or not: numbers, dates, periods, or
            text that reads as dates; ``"ds"``, if there is one. With it given rows are checked:
            each time once, and after the last observed one of its series.
        horizon : int, optional
            Build so many later rows of every series instead. They follow the calendar that the
            times tell (weekdays, shop days, trading hours, ends of months, ...). Where several
            calendars are possible, or none, it has to be said. Columns that are constant within
            every series are carried on, and others ask for `new_data`.
        until : time, optional
            Build the rows up to this time, instead of a number of them.
        freq : str or pandas offset, optional
            The calendar of dates, such as ``"B"`` or ``"MS"``, whatever the times tell.
        step : number, str or Timedelta, optional
            The step of numbers; of dates a duration, such as ``"14D"``.
        by : str or sequence of str, optional
            Columns that name a series; those of the finest grouping factor by default, and
            ``"unique_id"`` where times are called ``"ds"``.
        kind : {"response", "probability"}
            What table and scores are of: the response itself, or, of ordered categories, the
            probability of each. Categories without an order have probabilities alone.
        probs : sequence of float, optional
            Probabilities of the quantiles in the table.
        new_groups, group_effects, offset, seed
            Those of `predict`. Rows from which new groups learn are no part of the forecast.

        Raises
        ------
        DataError
            Times that repeat or are not later, predictors whose later values are not known, or a
            calendar that can't be told.
        """
        check_one(self.posterior, "forecast")
        predict.check_kind(kind, self.model.family, forecasts.KINDS)
        given = None if new_data is None else frames.rows(new_data)
        if given is None or nixtla.TIME in given:
            time, by = nixtla.named(self.design, time, by)
        ahead, first = Ahead(horizon, until, freq, step), new_groups == "update"
        later, names = forecasts.rows(self.design, given, time, ahead, by, first=first)
        source = predict.of_rows(
            self.posterior, later, kind="response", new_groups=new_groups,
            group_effects=group_effects, offset=offset, seed=seed,
        )  # fmt: skip
        learned = learned_from(source) if new_groups == "update" else np.arange(0)
        return forecasts.forecast(
            self.posterior, source, time, names, kind=kind, learned=learned, probs=probs
        )

    def log_likelihood(self) -> "xr.DataArray":
        """Keep in ``fit.data`` the pointwise log density of each row, and return it.

        Weighted if the fit is. Functions of ArviZ then find it made. Holds rows x draws numbers;
        `loo` needs only pieces of them.

        Returns
        -------
        DataArray
            (chain, draw, row)
        """
        one_response.check_alone(self.posterior, "log_likelihood()")
        return self._kept("log_likelihood")[self.design.response_name]

    def posterior_predictive(self) -> "xr.DataArray":
        """Keep in ``fit.data`` responses that the model draws for the fitted rows, and return them.

        Holds rows x draws numbers. `predict` has draws for other rows.

        Returns
        -------
        DataArray
            (chain, draw, row), of several responses with a dim ``response``
        """
        found = self._kept("posterior_predictive")
        if self.posterior.responses:
            return found.to_dataarray(DIM).transpose(..., DIM)
        return found[self.design.response_name]

    def log_prior(self) -> "xr.Dataset":
        """Keep in ``fit.data`` the log prior density of every parameter, and return it.

        For checks of prior sensitivity such as ``arviz_stats.psense_summary``. Where a prior holds
        at the mean of the predictors, the density is that of the parameter moved there.

        Returns
        -------
        Dataset
            The variables of the posterior but for the effects of levels; the correlations of a
            factor have one density together.
        """
        return self._kept("log_prior")

    def _kept(self, group: str) -> "xr.Dataset":
        """Work a group out, if it isn't yet, and keep it."""
        if group != "log_prior":
            self.design.check_rows(group)
        found = self.data[group].to_dataset().load()
        found.attrs.pop(ON_DEMAND, None)
        self.data[group] = type(self.data)(found)
        return found

    def kfold(
        self,
        *,
        groups: held_out.Groups = None,
        folds: int = 10,
        joint: bool = False,
        seed: int | None = None,
        engine: str | Engine = "auto",
        client: Any = None,
        processes: int | None = None,
    ) -> "ELPDData":
        """Estimate the log density of unseen rows, or of rows of unseen groups, by refits.

        A row of a level that was left out is predicted with an effect drawn from the fitted spread.
        Priors stay those of this fit. Memory: rows x draws.

        Parameters
        ----------
        groups : str or sequence, optional
            What is left out as a whole: the levels of a grouping factor, the values of any column
            of the frame, or a label a row, so that models with and without the group can be
            compared; rows at random by default. Standard errors are then those over groups, whose
            rows share an unknown effect.
        folds : int
            Number of refits; at most one a level.
        joint : bool
            Whether rows of a label have one density together, as in ``loo(by=)``; else each has
            its own, given the rows of its series that are kept.
        seed : int, optional
            Of the folds and the refits; the fit's own by default.
        engine : str or Engine
            As in `Model.fit`.
        client, processes : optional
            Where to refit, as in `fit_many`.

        Returns
        -------
        ELPDData
            As `loo` returns, with labels where groups were left out; `hm.compare` takes it.
        """
        workers = Workers(client, processes)
        settings = self._settings() | ({} if seed is None else {"seed": seed})
        refit = partial(self.model.refit, engine=engine, **workers.settings(settings))
        return cross_validation.kfold(
            self.posterior, groups, folds, settings["seed"], refit, workers.run, joint=joint
        )

    def refit(self, new_data: Frame, **settings: Any) -> "Fit":
        """Fit the same model, with the same priors, to other rows.

        Parameters
        ----------
        new_data : DataFrame
            Rows with the columns of the formula; their levels are those of the new fit.
        **settings
            As in `Model.fit`; those of this fit by default.

        Returns
        -------
        Fit
            The new one.
        """
        settings = {"progress": False, **self._settings(), **settings}
        fitted: Fit = self.model.on(new_data).fit(**settings)
        return fitted

    def _settings(self) -> dict[str, Any]:
        """Return the settings of the sampler."""
        keep = ("seed", "chains", "warmup", "draws", "adapt_delta", "max_treedepth", "algorithm")
        found = {name: self.data.attrs[name] for name in keep if name in self.data.attrs}
        return {name: each.item() if hasattr(each, "item") else each
                for name, each in found.items()}  # fmt: skip

    def save(self, path: str | Path, *, keep: Sequence[str] = ()) -> None:
        """Write the fit as netCDF, to a temporary name first.

        Of the data it holds the columns of the formula, dates, and those named.

        Parameters
        ----------
        path : path
            Name of the file.
        keep : sequence of str
            Other columns that are needed later, such as the times of forecasts.

        Raises
        ------
        DataError
            The file can't be written; nothing half-written is left.
        """
        calendar = self.design.calendar
        keep = (*options.names("keep", keep), *(() if calendar is None else calendar.keys))
        sums = self.model.statistics
        parts = {} if sums is None else {"statistics": sums.tree()}
        parts |= matrix_files.parts(self.design.groupings)
        storage.save(self.data, storage.columns(self.design, keep), path, calendar, parts)
