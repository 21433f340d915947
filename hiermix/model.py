"""Model and Fit: what a user holds. Reads as the pipeline; the arithmetic is elsewhere."""

import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix import (
    assemble,
    checks,
    comparison,
    describe,
    effects,
    families,
    group_tables,
    hypothesis,
    predict,
    storage,
    summary,
    variance,
)
from hiermix import draws as trees
from hiermix import forecast as forecasts
from hiermix.assemble import Assembled
from hiermix.design import Design, build
from hiermix.engines import Engine, Samples, Settings, choose
from hiermix.errors import ArgumentError, did_you_mean
from hiermix.forecast import Forecast
from hiermix.formula import Group, parse
from hiermix.plots import check, groups, residuals, shrinkage
from hiermix.plots import fit as fitted_lines
from hiermix.plots.layout import Plot
from hiermix.predictor import Predictor
from hiermix.priors import PriorTable
from hiermix.typing import FloatArray, IntArray, StanData

if TYPE_CHECKING:
    import xarray as xr
    from arviz_stats import ELPDData
    from matplotlib.axes import Axes

WARMUP = 500
"""From standardised coordinates 300 gave the effective sizes of 1,000 on every data set tried; 500
leaves a margin for models that start less well."""
EFFECTS = ("auto", "integrated", "sampled")
PARAMETERISATIONS = ("auto", "centered", "noncentered")


class Model:
    """A hierarchical model: a formula, a frame, a family and priors, checked and ready to fit.

    Parameters
    ----------
    formula : str
        Wilkinson formula with lme4's bars, ``"log_radon ~ floor + (1 + floor | county)"``.
    data : DataFrame
        One row an observation. It is never changed; rows are never dropped unasked.
    family : str, default "gaussian"
        Distribution of the response.
    link : str, optional
        Link of the family; its first by default.
    groups : sequence of Group
        Grouping specs, instead of bars in the formula.
    priors : mapping of str to str, optional
        Overrides in Stan's notation: ``{"b[floor]": "normal(0, 1)", "sd": "exponential(1)"}``.
    weights, offset : str or array, optional
        A column, or a value a row. A weight multiplies the row's log density.
    trials, censored : str, optional
        Columns; the same as ``y | trials(size)`` and ``time | cens(censored)``.
    missing : {"error", "drop"}
        What to do with rows that lack a value in a column of the formula.
    success : optional
        Label of the response that counts as 1, for family "bernoulli".
    effects : {"auto", "integrated", "sampled"}
        Whether group effects are integrated out, which "auto" does where it can be done exactly.
    parameterisation : {"auto", "centered", "noncentered"}
        Of sampled effects. "auto" is tuned by the data and nearly always the fastest.

    Raises
    ------
    FormulaError, DataError, PriorError, ArgumentError
        Before any engine starts.
    """

    def __init__(
        self,
        formula: str,
        data: pd.DataFrame,
        *,
        family: str = "gaussian",
        link: str | None = None,
        groups: Sequence[Group] = (),
        priors: Mapping[str, str] | None = None,
        weights: str | FloatArray | None = None,
        offset: str | FloatArray | None = None,
        trials: str | int | None = None,
        censored: str | None = None,
        missing: str = "error",
        success: Any = None,
        effects: str = "auto",
        parameterisation: str = "auto",
    ) -> None:
        self.family = families.find(family, link)
        self.link = self.family.link
        _check_option("effects", effects, EFFECTS)
        _check_option("parameterisation", parameterisation, PARAMETERISATIONS)
        data, weights = _as_column(data, "weights", weights)
        data, offset = _as_column(data, "offset", offset)
        self.design: Design = build(
            parse(formula, groups), data, missing=missing, weights=weights, offset=offset,
            trials=trials, censored=censored, response_rule=self.family.response_rule(success),
            continuous=self.family.continuous,
        )  # fmt: skip
        self.family.check_design(self.design)
        self.priors: PriorTable = assemble.prior_table(self.family, self.design, priors)
        self.program_name = assemble.choose_program(self.family, self.design, effects)
        self._options = {
            "family": family, "link": link, "effects": effects, "success": success,
            "parameterisation": parameterisation,
            "weights": weights,
        }  # fmt: skip

    def __repr__(self) -> str:
        """Describe formula, family, program, groups and every prior with its numbers."""
        return describe.model(
            self.design, self.family.name, self.link, self.program_name, self.priors
        )

    @cached_property
    def _posterior(self) -> Assembled:
        return self._assemble(prior_only=False)

    def _assemble(self, *, prior_only: bool) -> Assembled:
        if self.program_name != self.family.program:
            return assemble.integrated(
                self.design, self.priors, self.program_name, prior_only=prior_only
            )
        return assemble.sampled(
            self.design, self.family, self.priors, prior_only=prior_only,
            parameterisation=self._options["parameterisation"],
        )  # fmt: skip

    def stan_code(self) -> str:
        """Return the text of the Stan program chosen, with its includes resolved."""
        return self._posterior.program.code

    def stan_data(self) -> StanData:
        """Return the dict that Stan is handed."""
        return dict(self._posterior.data)

    def fit(
        self,
        *,
        seed: int | None = None,
        chains: int = 4,
        warmup: int = WARMUP,
        draws: int = 1000,
        engine: str | Engine = "auto",
        adapt_delta: float = 0.8,
        max_treedepth: int = 10,
        cores: int | None = None,
        progress: bool | None = None,
        prior_only: bool = False,
    ) -> "Fit":
        """Sample the posterior.

        Parameters
        ----------
        seed : int, optional
            Same seed and engine, same draws, whatever the number of cores. A fresh one is drawn,
            and stored with the fit, if none is given.
        chains, warmup, draws : int
            Number of chains; of warmup iterations and of draws in each.
        engine : str or Engine
            ``"auto"``, ``"cmdstan"``, ``"embedded"``, or an object with the engine protocol.
        adapt_delta : float
            Target acceptance rate, between 0 and 1.
        max_treedepth : int
            Greatest depth of a trajectory.
        cores : int, optional
            Chains that run at once; as many as the machine has by default.
        progress : bool, optional
            Show a bar; by default only in a terminal or a notebook.
        prior_only : bool
            Sample the prior, without the data.

        Raises
        ------
        ArgumentError
            An option is out of range.
        EngineError
            The engine failed; with its last lines.
        """
        settings = Settings(
            seed=secrets.randbelow(2**31) if seed is None else seed, chains=chains, warmup=warmup,
            draws=draws, adapt_delta=adapt_delta, max_treedepth=max_treedepth, cores=cores,
            progress=progress,
        )  # fmt: skip
        start = time.perf_counter()
        ready = self._assemble(prior_only=True) if prior_only else self._posterior
        runner = choose(engine) if isinstance(engine, str) else engine
        prepared = time.perf_counter()
        samples = runner.sample(
            ready.program, ready.data, settings, keep=ready.keep, inits=_inits(ready.data, settings)
        )
        sampled = time.perf_counter()
        posterior = self._label(ready, samples, settings.seed)
        seconds = {"prepare": prepared - start, **samples.seconds,
                   "effects": time.perf_counter() - sampled}  # fmt: skip
        attrs = self._attrs(samples, settings, seconds, prior_only=prior_only)
        return Fit(self, trees.tree(posterior, samples, self.design, attrs))

    def of_rows(self, rows: IntArray) -> "Model":
        """Return this model for some of its rows: same levels, same priors, same encoding.

        Levels that keep no row get effects from the fitted spread, each its own.
        """
        model = copy(self)
        model.__dict__.pop("_posterior", None)
        model.design = self.design.take(rows)
        return model

    def _label(self, ready: Assembled, samples: Samples, seed: int) -> "xr.Dataset":
        """Name the draws and draw the effects that were integrated out."""
        own = tuple(each.name for each in self.family.own)
        r = effects.all_factors(ready.gram, samples.draws, self.design.groupings, seed)
        return trees.posterior(samples.draws, r, self.design, ready.x_mean, own)

    def _attrs(
        self,
        samples: Samples,
        settings: Settings,
        seconds: Mapping[str, float],
        *,
        prior_only: bool,
    ) -> dict[str, Any]:
        from hiermix import __version__

        return {
            "formula": str(self.design.formula),  # with what was said by keyword
            "family": self.family.name,
            "link": self.link,
            "program": self.program_name,
            "priors": json.dumps({name: prior.exact for name, prior in self.priors.items()}),
            "options": json.dumps(self._options),
            "engine": samples.engine,
            "engine_version": samples.version,
            "hiermix_version": __version__,
            "prior_only": int(prior_only),
            "seconds": json.dumps(dict(seconds)),
            "messages": json.dumps(list(samples.messages)),
            **{name: getattr(settings, name) for name in
               ("seed", "chains", "warmup", "draws", "adapt_delta", "max_treedepth")},
        }  # fmt: skip


def _as_column(
    data: pd.DataFrame, name: str, values: str | FloatArray | None
) -> tuple[pd.DataFrame, str | None]:
    """Put an array beside the data, so that a saved fit has it too; return the column's name."""
    if values is None or isinstance(values, str) or not isinstance(data, pd.DataFrame):
        return data, values if isinstance(values, str) else None
    array = np.asarray(values)
    checks.numeric_array(name, array)
    checks.right_length(name, len(array), len(data))
    return data.assign(**{f"({name})": array}), f"({name})"


def _check_option(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        near = did_you_mean(str(value), known)
        raise ArgumentError(f"{name} must be one of {', '.join(known)}, not {value!r}.{near}")


def _inits(data: StanData, settings: Settings) -> FloatArray:
    """Draw a standard normal point of the standardised coordinates for each chain."""
    size = int(np.asarray(data["D"]) + np.asarray(data.get("K", 0)))
    rng = np.random.default_rng([settings.seed, 1])
    return rng.standard_normal((settings.chains, size))


class Fit:
    """A fitted model: labelled draws and everything asked of them.

    Attributes
    ----------
    model : Model
        The model that was fitted.
    data : DataTree
        Groups ``posterior``, ``sample_stats``, ``observed_data``, ``constant_data``; any ArviZ
        function works on it.
    """

    def __init__(self, model: Model, data: "xr.DataTree") -> None:
        self.model = model
        self.data = data

    @property
    def design(self) -> Design:
        """The fitted rows."""
        return self.model.design

    def __repr__(self) -> str:
        """Describe the model, the sampler's settings and the summary."""
        return describe.fit(self.model.design, self.data)

    def summary(
        self, variables: Sequence[str] | None = None, *, prob: float = 0.95
    ) -> pd.DataFrame:
        """Summarise the draws, and warn in plain words where something is doubtful.

        Parameters
        ----------
        variables : sequence of str, optional
            Names in ``fit.data.posterior``; everything but the group effects by default.
        prob : float
            Probability of the equal-tailed interval.

        Returns
        -------
        DataFrame
            Mean, sd, interval, Monte-Carlo errors, bulk and tail effective sizes, R-hat.
        """
        chosen = summary.names(self.data) if variables is None else variables
        frame = summary.table(self.data, chosen, prob)
        summary.warn(self.data, self.model.design, frame)
        return frame

    def group_effects(self, group: str, *, prob: float = 0.95) -> pd.DataFrame:
        """Deviations of each level from the population, with intervals.

        Parameters
        ----------
        group : str
            Grouping factor.
        prob : float
            Probability of the equal-tailed interval.

        Returns
        -------
        DataFrame
            One row a level and effect: mean, sd, interval.
        """
        return group_tables.group_effects(self.data, self.model.design, group, prob)

    def coefficients(self, group: str, *, prob: float = 0.95) -> pd.DataFrame:
        """Coefficients of each level, population plus group effect, with intervals.

        Parameters and returns are those of `group_effects`.
        """
        return group_tables.coefficients(self.data, self.model.design, group, prob)

    def plot_shrinkage(
        self,
        group: str,
        *,
        effects: str | Sequence[str] | None = None,
        prob: float = 0.9,
        ax: "Axes | None" = None,
        figsize: tuple[float, float] | None = None,
    ) -> Plot:
        """Draw how partial pooling moves each group from its own estimate.

        One effect: for each group, ordered by its rows, an arrow from the estimate from its rows
        alone (least squares, or maximum likelihood; absent where they can't tell) to the posterior
        mean with its interval, beside the population mean and the complete-pooling estimate. Two
        effects: one against the other, with ellipses that hold 50 % and 90 % of groups as fitted.
        More: one below the other.

        Parameters
        ----------
        group : str
            Grouping factor.
        effects : str or sequence of str, optional
            Coefficients to draw; all that vary over the factor by default.
        prob : float
            Probability of the equal-tailed intervals.
        ax : matplotlib.axes.Axes, optional
            Where to draw a figure of one panel; a new figure by default.
        figsize : tuple of float, optional
            Width and height of a new figure in inches.

        Returns
        -------
        Plot
            With ``figure`` and ``data``, the numbers drawn.
        """
        return shrinkage.plot(
            self.data, self.design, self.model.family, group, effects=effects, prob=prob, ax=ax,
            figsize=figsize,
        )  # fmt: skip

    def plot_groups(
        self,
        group: str,
        *,
        effects: str | Sequence[str] | None = None,
        kind: str = "effects",
        prob: float = 0.9,
        ax: "Axes | None" = None,
        figsize: tuple[float, float] | None = None,
    ) -> Plot:
        """Draw the levels of a grouping factor from low to high, one panel an effect.

        Parameters
        ----------
        group : str
            Grouping factor.
        effects : str or sequence of str, optional
            Coefficients to draw; all that vary over the factor by default.
        kind : {"effects", "coefficients"}
            Deviations from the population, coloured where the interval leaves out zero; or
            population plus deviation.
        prob : float
            Probability of the equal-tailed intervals.
        ax : matplotlib.axes.Axes, optional
            Where to draw a figure of one panel; a new figure by default.
        figsize : tuple of float, optional
            Width and height of a new figure in inches.

        Returns
        -------
        Plot
            With ``figure`` and ``data``, the numbers drawn.
        """
        return groups.plot(
            self.data, self.design, group, effects=effects, kind=kind, prob=prob, ax=ax,
            figsize=figsize,
        )  # fmt: skip

    def plot_fit(
        self,
        x: str,
        *,
        by: str,
        levels: Sequence[object] | None = None,
        prob: float = 0.9,
        figsize: tuple[float, float] | None = None,
    ) -> Plot:
        """Draw the fitted mean against a column with its band over the data, a panel a group.

        Other columns are held at the mean (labels and whole numbers: the most frequent) of the
        group's own rows; the effects of other grouping factors at zero.

        Parameters
        ----------
        x : str
            Column of the formula.
        by : str
            Grouping factor.
        levels : sequence, optional
            Levels to draw; by default up to 20, spread from those of few rows to those of many.
        prob : float
            Probability of the equal-tailed band.
        figsize : tuple of float, optional
            Width and height in inches.

        Returns
        -------
        Plot
            With ``figure`` and ``data``, the lines drawn.
        """
        return fitted_lines.plot(
            self.data, self.design, self.model.family, x, by, levels=levels, prob=prob,
            figsize=figsize,
        )  # fmt: skip

    def plot_check(
        self,
        group: str | None = None,
        *,
        statistic: str = "mean",
        prob: float = 0.9,
        ax: "Axes | None" = None,
        figsize: tuple[float, float] | None = None,
    ) -> Plot:
        """Check the model: compare the responses with those that it draws itself.

        Parameters
        ----------
        group : str, optional
            Grouping factor whose levels to compare; by default the distribution of all responses.
        statistic : {"mean", "sd", "min", "max"}
            What to compare of each level.
        prob : float
            Probability of the equal-tailed intervals.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.
        figsize : tuple of float, optional
            Width and height of a new figure in inches.

        Returns
        -------
        Plot
            With ``figure`` and ``data``, the numbers drawn.

        Notes
        -----
        Up to 300 draws and 20,000 rows, chosen at random, are used.
        """
        return check.plot(
            self.data, self.design, self.model.family, group, statistic=statistic, prob=prob, ax=ax,
            figsize=figsize,
        )  # fmt: skip

    def plot_residuals(
        self,
        *,
        against: str | None = None,
        prob: float = 0.9,
        figsize: tuple[float, float] | None = None,
    ) -> Plot:
        """Draw standardised residuals along the fit, and their quantiles in the model's own band.

        Residuals are those of a posterior draw: around the posterior mean they would be too small,
        and tilted by shrinkage, even if the model were right.

        Parameters
        ----------
        against : str, optional
            Column of the formula for the first panel; the fitted mean by default.
        prob : float
            Probability of the band.
        figsize : tuple of float, optional
            Width and height in inches.

        Returns
        -------
        Plot
            With ``figure`` and ``data``, the numbers drawn.
        """
        return residuals.plot(
            self.data, self.design, self.model.family, against=against, prob=prob, figsize=figsize
        )

    def predict(
        self,
        new_data: pd.DataFrame | None = None,
        *,
        kind: str = "mean",
        new_groups: str = "error",
        group_effects: str | Sequence[str] = "all",
        quantiles: Sequence[float] | None = None,
        offset: FloatArray | None = None,
        seed: int | None = None,
        into: str | Path | None = None,
    ) -> "xr.DataArray":
        """Predict old or new rows, of old or new groups.

        Parameters
        ----------
        new_data : DataFrame, optional
            Rows with the columns of the formula, the response left out or not; the fitted rows by
            default. Neither the order of rows nor the index nor other columns matter.
        kind : {"linear", "mean", "response"}
            The linear predictor, the mean of the response, or draws of the response itself.
        new_groups : {"error", "population", "sample", "update"}
            What a level gets that the fit never saw: an error; an effect of zero; a fresh draw
            from the fitted spread for each draw, the same for all rows of the level, independent
            between levels; or a draw given its own rows in `new_data` whose response is there.
        group_effects : str or sequence of str
            Which grouping factors enter: ``"all"``, ``"none"`` or their names.
        quantiles : sequence of float, optional
            Return these quantiles over the draws instead of the draws, which are then never held
            all at once.
        offset : array, optional
            Offset of the new rows, where that of the fit was no column.
        seed : int, optional
            Seed of new effects and of response draws; that of the fit by default, so that the same
            call gives the same numbers, and one new group the same effects in several calls.
        into : path, optional
            Write the draws to this file, piece by piece, and return them opened, not loaded:
            ``.nc`` for netCDF, ``.zarr`` for zarr.

        Returns
        -------
        DataArray
            (chain, draw, row), or (quantile, row) where quantiles were asked for.

        Raises
        ------
        DataError
            Labels, levels, columns or values that the fit can't predict for.
        ArgumentError
            An option is out of range.
        """
        source = self._predictor(new_data, kind, new_groups, group_effects, offset, seed)
        return predict.result(self.data, source, kind, quantiles=quantiles, into=into)

    def predict_pieces(
        self,
        new_data: pd.DataFrame | None = None,
        *,
        kind: str = "mean",
        new_groups: str = "error",
        group_effects: str | Sequence[str] = "all",
        offset: FloatArray | None = None,
        seed: int | None = None,
    ) -> Iterator["xr.DataArray"]:
        """Predict in pieces of rows, for results larger than memory.

        Parameters are those of `predict`. The pieces, joined along ``row``, are its result.
        """
        source = self._predictor(new_data, kind, new_groups, group_effects, offset, seed)
        return predict.in_pieces(self.data, source, kind)

    def forecast(
        self,
        new_data: pd.DataFrame | None = None,
        *,
        time: str | None = None,
        horizon: int | None = None,
        by: str | Sequence[str] | None = None,
        new_groups: str = "error",
        group_effects: str | Sequence[str] = "all",
        offset: FloatArray | None = None,
        seed: int | None = None,
    ) -> Forecast:
        """Forecast later rows: those given, or the next ones of every series.

        Parameters
        ----------
        new_data : DataFrame, optional
            The later rows.
        time : str, optional
            Column of times, numbers or dates. With it given rows are checked: each time once, and
            after the last observed one of its series.
        horizon : int, optional
            Build so many later rows of every series instead. The step is the most common difference
            between its times; columns that are constant within every series are carried on, and
            others ask for `new_data`.
        by : str or sequence of str, optional
            Columns that name a series; those of the finest grouping factor by default.
        new_groups, group_effects, offset, seed
            Those of `predict`.

        Raises
        ------
        DataError
            Times that repeat or are not later, or predictors whose later values are not known.
        """
        later, names = forecasts.rows(self.design, new_data, time, horizon, by)
        source = self._predictor(later, "response", new_groups, group_effects, offset, seed)
        return forecasts.forecast(self.data, self.design, source, time, names)

    def _predictor(
        self,
        new_data: pd.DataFrame | None,
        kind: str,
        new_groups: str,
        group_effects: str | Sequence[str],
        offset: FloatArray | None,
        seed: int | None,
    ) -> Predictor:
        predict.check_kind(kind)
        design = predict.rows_on(
            self.design, new_data, group_effects=group_effects, new_groups=new_groups, offset=offset
        )
        return predict.predictor(
            self.data, design, self.model.family,
            group_effects=group_effects, new_groups=new_groups, seed=seed,
        )  # fmt: skip

    def variance(self) -> "xr.Dataset":
        """Split the variance of the linear predictor and the response's own; as posterior draws.

        Returns
        -------
        Dataset
            ``variance`` and ``share`` of each component (population, each grouping factor,
            residual); ``icc``, each factor's share of what is not the population's; ``r2_marginal``
            (population) and ``r2_conditional`` (population and groups).

        Notes
        -----
        On the scale of the link: Nakagawa and Schielzeth (2013), Johnson (2014) for varying slopes,
        Nakagawa, Johnson and Schielzeth (2017) for other families. See `variance_table`.
        """
        return variance.variance(self.data, self.design, self.model.family)

    def variance_table(self, *, prob: float = 0.95) -> pd.DataFrame:
        """Summarise `variance`: sd, variance, share of each component with its interval, and R2.

        Parameters
        ----------
        prob : float
            Probability of the equal-tailed interval.
        """
        return variance.table(self.data, self.design, self.model.family, prob)

    def hypothesis(self, *statements: str, prob: float = 0.95) -> pd.DataFrame:
        """Return the posterior probability of statements about parameters.

        Parameters
        ----------
        *statements : str
            Such as ``"floor < 0"``, ``"-0.1 < floor < 0.1"``, ``"sd[county, floor] > 0.1"``,
            ``"cor[county, Intercept, floor] < 0"``, ``"exp(floor) < sigma"``, and of the
            coefficients of levels ``"county[AITKIN, floor] < county[ST LOUIS, floor]"``.
        prob : float
            Probability of the equal-tailed interval.

        Returns
        -------
        DataFrame
            One row a statement: estimate (left side less right side; the middle of two
            comparisons), sd, interval, probability and its Monte-Carlo error.

        Raises
        ------
        ArgumentError
            A statement that is no comparison, or a name that is not in the fit.
        """
        return hypothesis.table(self.data, self.design, statements, prob)

    def log_likelihood(self) -> "xr.DataArray":
        """Add the pointwise log density of each row to ``fit.data``, for functions of ArviZ.

        Weighted if the fit is. Holds rows x draws numbers; `loo` needs only pieces of them.

        Returns
        -------
        DataArray
            (chain, draw, row)
        """
        found = comparison.log_likelihood(self.data, self.design, self.model.family)
        self.data["log_likelihood"] = type(self.data)(found.to_dataset())
        return found

    def loo(self) -> "ELPDData":
        """Estimate the log density of unseen rows of the same groups, leaving one out at a time.

        Returns
        -------
        ELPDData
            ArviZ's: ``elpd``, ``se``, ``p`` (effective parameters), ``elpd_i``, ``pareto_k``.
        """
        return comparison.loo(self.data, self.design, self.model.family)

    def kfold(
        self,
        *,
        groups: str | None = None,
        folds: int = 10,
        seed: int | None = None,
        engine: str | Engine = "auto",
    ) -> "ELPDData":
        """Estimate the log density of unseen rows, or of rows of unseen groups, by refits.

        A row of a level that was left out is predicted with an effect drawn from the fitted spread.
        Priors stay those of this fit. Memory: rows x draws.

        Parameters
        ----------
        groups : str, optional
            Grouping factor whose levels are left out as a whole; rows at random by default.
        folds : int
            Number of refits; at most one a level.
        seed : int, optional
            Of the folds and the refits; the fit's own by default.
        engine : str or Engine
            As in `Model.fit`.

        Returns
        -------
        ELPDData
            As `loo` returns; `hm.compare` takes it.
        """
        attrs = self.data.attrs
        seed = int(attrs["seed"]) if seed is None else seed
        keep = ("chains", "warmup", "draws", "adapt_delta", "max_treedepth")
        settings = {name: attrs[name].item() if hasattr(attrs[name], "item") else attrs[name]
                    for name in keep}  # fmt: skip

        def refit(rows: IntArray) -> "xr.DataTree":
            model = self.model.of_rows(rows)
            return model.fit(seed=seed, engine=engine, progress=False, **settings).data

        return comparison.kfold(
            self.data, self.design, self.model.family, groups, folds, seed, refit
        )

    def save(self, path: str | Path) -> None:
        """Write the fit as netCDF, to a temporary name first.

        Raises
        ------
        DataError
            The file can't be written; nothing half-written is left.
        """
        storage.save(self.data, self.model.design.frame, path)


def load(path: str | Path) -> Fit:
    """Load a saved fit, which predicts without the original frame.

    Raises
    ------
    DataError
        The file is missing, truncated, foreign or from a newer version.
    """
    tree, frame = storage.load(path)
    options = json.loads(tree.attrs["options"])
    priors = json.loads(tree.attrs["priors"])
    model = Model(tree.attrs["formula"], frame, priors=priors, **options)
    return Fit(model, tree)
