"""Model: what a user holds first. Reads as the pipeline; the arithmetic is elsewhere."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from hiermix import memory as memories
from hiermix import options, plots
from hiermix.design import beside_rows, checks, frames, level_covariance
from hiermix.design.build_joint import built
from hiermix.design.frames import Frame
from hiermix.design.known_ahead import Calendar
from hiermix.design.level_covariance import Matrices
from hiermix.engines import Engine, Settings, gradients
from hiermix.families import formulas_of_family, table
from hiermix.families.custom_family import CustomFamily
from hiermix.fit import Fit
from hiermix.formula.terms import Group
from hiermix.posterior import describe, diagnostics, labelling, recorded
from hiermix.posterior import draws as trees
from hiermix.prediction import unanswered_rows
from hiermix.prepared_model import PreparedModel
from hiermix.statistics.of_formula import of_formula
from hiermix.statistics.of_source import AddedUp
from hiermix.statistics.summed import Statistics
from hiermix.tuning import bar_origins
from hiermix.typing import (
    Algorithm,
    EffectsChoice,
    FamilyName,
    FloatArray,
    IntArray,
    LinkName,
    Missing,
    Parameterisation,
    StanData,
)

if TYPE_CHECKING:
    import xarray as xr

    from hiermix.expected_cost import Cost

WARMUP = Settings.warmup
EFFECTS = get_args(EffectsChoice.__value__)
PARAMETERISATIONS = get_args(Parameterisation.__value__)


class Model(PreparedModel):
    """A hierarchical model: a formula, a frame, a family and priors, checked and ready to fit.

    Parameters
    ----------
    formula : str or sequence of str
        Wilkinson formula with lme4's bars, ``"log_radon ~ floor + (1 + floor | county)"``; a list
        with equations of other parameters, ``["y ~ x + (1 | p | g)", "sigma ~ x + (1 | p | g)"]``,
        or of several Gaussian responses, ``["y1 ~ x + (1 | p | g)", "y2 ~ x + (1 | p | g)"]``.
    data : DataFrame
        One row an observation, of pandas, polars, pyarrow, DuckDB, Dask, what else narwhals reads
        or speaks the Arrow C stream. It is never changed; rows are never dropped unasked.
    family : str or CustomFamily, default "gaussian"
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
    missing : {"error", "drop", "predict"}
        What to do with rows that lack a value in a column of the formula. With "predict" missing
        responses, at random given the formula's columns, are drawn: ``data["predictions"]``.
    success : optional
        Label of the response that counts as 1, for family "bernoulli".
    calendar : DataFrame, optional
        What is known of times ahead, such as holidays: a row a time (or a time and series), named
        as in `data`, and columns for the formula, which are joined to `data` and to whatever rows
        come later; times that it lacks are ``"none"``, or False.
    data2 : mapping of str to DataFrame, optional
        Covariances between levels, by name, ``gr(g, cov="A")``: labelled both ways; others beside.
    effects : {"auto", "integrated", "sampled"}
        Whether group effects are integrated out: "auto" where it is exact and costs no more.
    parameterisation : {"auto", "centered", "noncentered"}
        Of sampled effects. "auto" is tuned by the data and nearly always the fastest.

    Raises
    ------
    FormulaError, DataError, PriorError, ArgumentError
        Before any engine starts.
    """

    def __init__(
        self,
        formula: str | Sequence[str],
        data: Frame,
        *,
        family: FamilyName | CustomFamily = "gaussian",
        link: LinkName | None = None,
        groups: Sequence[Group] = (),
        priors: Mapping[str, str] | None = None,
        weights: str | FloatArray | None = None,
        offset: str | FloatArray | None = None,
        trials: str | int | None = None,
        censored: str | None = None,
        missing: Missing = "error",
        success: Any = None,
        calendar: Frame | Calendar | None = None,
        data2: Matrices | None = None,
        effects: EffectsChoice = "auto",
        parameterisation: Parameterisation = "auto",
    ) -> None:
        self.family = table.find(family, link)
        self.link = self.family.link
        options.one_of("effects", effects, EFFECTS)
        options.one_of("parameterisation", parameterisation, PARAMETERISATIONS)
        rows, known = beside_rows.with_calendar(frames.table(data), calendar)
        parsed = formulas_of_family.read(formula, groups, self.family, rows.columns)
        frame, weights = beside_rows.as_column(rows, "weights", weights)
        frame, offset = beside_rows.as_column(frame, "offset", offset)
        design = built(
            parsed, frame, missing=missing, weights=weights, offset=offset,
            trials=trials, censored=censored, response_rule=self.family.response_rule(success),
            continuous=self.family.continuous, data2=data2,
        )  # fmt: skip
        self.family = self.family.on(design)
        self._options = {
            "family": family, "link": link, "effects": effects, "success": success,
            "parameterisation": parameterisation, "weights": weights, "missing": missing,
        }  # fmt: skip
        self._of_rows(replace(design, calendar=known), priors)

    @classmethod
    def from_statistics(
        cls,
        statistics: AddedUp,
        formula: str | None = None,
        *,
        priors: Mapping[str, str] | None = None,
        data2: Matrices | None = None,
    ) -> "Model":
        """Return a model of rows that were added up, and of which there are no others.

        Its fit predicts new rows; what is asked of the fitted ones, as by `Fit.loo`, is refused.

        Parameters
        ----------
        statistics : Statistics, CellSums, SeriesSums or MergedRows
            From `statistics`.
        formula : str, optional
            A smaller one of the same columns: fewer predictors, slopes or groups.
        priors, data2 : mapping, optional
            As in `Model`.

        Raises
        ------
        FormulaError, DataError, PriorError
            Before any engine starts.
        """
        model = cls.__new__(cls)
        model.statistics = statistics
        model.family, model.link = statistics.family, statistics.family.link
        model._options = {"family": model.family.name, "effects": "auto",
                          "parameterisation": "auto", **statistics.said}  # fmt: skip
        if not isinstance(statistics, Statistics):
            model._of_rows(statistics.design(formula, data2), priors)
        else:
            level_covariance.check_names([], data2)
            model._sums = found = of_formula(statistics, formula)
            model._ready(found.design, found.spreads(), found.scale(), priors)
        return model

    def __repr__(self) -> str:
        """Describe formula, family, program, groups and every prior with its numbers."""
        return describe.model(
            self.design, self.family.name, self.link, self.program_name, self._reason, self.priors,
            self.origins,
        )  # fmt: skip

    def _repr_html_(self) -> str:
        return plots.notebook.model(self.design, self.design.formula.text, repr(self))

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
        algorithm: Algorithm = "nuts",
        adapt_delta: float | None = None,
        max_treedepth: int = 10,
        cores: int | None = None,
        progress: bool | None = None,
        prior_only: bool = False,
        memory: float | str | None = None,
    ) -> Fit:
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
        algorithm : {"nuts", "importance", "laplace", "auto"}
            Chains; or draws from around the modes, weighed by importance or, for a first look, not;
            or, of large models, by importance if Pareto's k says that this is safe, else chains.
        adapt_delta : float, optional
            Target acceptance rate, between 0 and 1. By default 0.8, and 0.95 where a grouping
            factor has five levels or fewer; where draws then diverge, once more with 0.99.
        max_treedepth : int
            Greatest depth of a trajectory.
        cores : int, optional
            Chains that run at once; as many as the machine has by default.
        progress : bool, optional
            Show a bar; by default only in a terminal or a notebook.
        prior_only : bool
            Sample the prior, without the data.
        memory : int or str, optional
            What draws of integrated effects may take, in bytes or as ``"2 GB"``; a quarter of what
            is free by default. Beyond, they are drawn when they are read, the same numbers.

        Raises
        ------
        ArgumentError, EngineError
            An option is out of range; the engine failed: its last lines.

        Warns
        -----
        HiermixWarning
            Draws that diverged or reached `max_treedepth`, chains that disagree or sit in different
            modes, hardly any effective draws: once each, with what helps. `Fit.summary` and
            ``print(fit)`` say so too, and what the data leave open.
        """
        from hiermix import sampling

        settings = Settings(
            seed=secrets.randbelow(2**31) if seed is None else seed, chains=chains, warmup=warmup,
            draws=draws, max_treedepth=max_treedepth, cores=cores, progress=progress,
            adapt_delta=sampling.acceptance(adapt_delta, self._sums, self.design))  # fmt: skip
        options.one_of("algorithm", algorithm, sampling.ALGORITHMS)
        tree = self._tree(settings, engine, algorithm, memories.budget(memory), prior_only,
                          again=adapt_delta is None)  # fmt: skip
        doubts = diagnostics.of_sampling(tree)
        for text in doubts.values():
            checks.warn(text)
        return Fit(self, tree, said=doubts)

    def _tree(
        self, settings: Settings, engine: str | Engine, algorithm: Algorithm, memory: int,
        prior_only: bool, again: bool,
    ) -> "xr.DataTree":  # fmt: skip
        """Start, sample, name the draws, and put them in one tree with what they came from."""
        from hiermix import expected_cost, sampling

        start = time.perf_counter()
        started = self._start(prior_only=True) if prior_only else self._started
        aloud = algorithm == "nuts" and settings.progress is None and not prior_only
        if aloud and gradients.work_here():
            expected_cost.tell_if_long(started, self.design, settings)
        prepared = time.perf_counter()
        samples, drawn, said = sampling.sample(
            started, settings, self.design, self.family, engine=engine, algorithm=algorithm,
            again=again,
        )  # fmt: skip
        sampled = time.perf_counter()
        posterior, parts = labelling.labelled(
            started.ready, drawn, settings.seed, self.design, self.origins, memory
        )
        seconds = {"prepare": prepared - start, **samples.seconds,
                   "effects": time.perf_counter() - sampled}  # fmt: skip
        attrs = recorded.attributes(
            self.design, self.family, self.program_name, self.priors, self.origins, self._options,
            samples, settings, seconds,
        ) | {"prior_only": int(prior_only), **said}  # fmt: skip
        parts |= unanswered_rows.groups(posterior, self.design, self.family, attrs)
        return trees.tree(posterior, samples, self.design, self.family, attrs, parts)

    def cost(
        self,
        *,
        chains: int = 4,
        warmup: int = WARMUP,
        draws: int = 1000,
        adapt_delta: float | None = None,
        cores: int | None = None,
    ) -> "Cost":
        """Return what a fit by the embedded engine will take, from a few gradients.

        Parameters
        ----------
        chains, warmup, draws, adapt_delta, cores
            As in `fit`.

        Returns
        -------
        Cost
            ``seconds`` with their ``range``, ``memory``, ``parts``, and ``advice``: which part
            costs most, and what would lower it. It prints as sentences.
        """
        from hiermix import expected_cost, sampling

        aim = sampling.acceptance(adapt_delta, self._sums, self.design)
        settings = Settings(seed=0, chains=chains, warmup=warmup, draws=draws, cores=cores,
                            adapt_delta=aim)  # fmt: skip
        start = time.perf_counter()
        task = partial(expected_cost.expected, self._started, self.design, settings)
        return gradients.where_they_work(partial(task, time.perf_counter() - start))

    def refit(self, rows: IntArray, **settings: Any) -> "xr.DataTree":
        """Return the draws for some of the rows, fitted without a bar."""
        return self.of_rows(rows).fit(**{"progress": False, **settings}).data

    def on(self, data: Frame) -> "Model":
        """Return this model, with its priors, for other rows; new coefficients get defaults."""
        formula = str(self.design.formula)
        columns = frames.table(data).columns
        beside_rows.check_arrays(formula, self._options.get("weights"), columns)
        beside = beside_rows.again(self.design.calendar, self.design.groupings)
        model = Model(formula, data, **beside, **self._options)
        model.priors = {name: self.priors.get(name, each) for name, each in model.priors.items()}
        model.origins = bar_origins.with_known(model.origins, self.origins)
        return model
