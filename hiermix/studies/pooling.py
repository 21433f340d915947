"""Complete, no and partial pooling of one model, side by side.

Of one grouping factor; others stay as they are in all three. Complete pooling leaves its groups
out. No pooling gives the varying coefficients of each group independent priors around a centre that
is free, with a spread that is given and at least that of a population coefficient's default, so
that nothing is learned from other groups but the residual spread and the coefficients that don't
vary: the limit of the hierarchical model as the sds grow, fitted as such. (Dummy variables for
every group would say the same, and fail where a group's rows can't tell its slope.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix import plots
from hiermix.design import frames
from hiermix.design.design import Design
from hiermix.design.frames import Frame
from hiermix.design.groupings import Grouping
from hiermix.design.imputed import without_gaps
from hiermix.design.joint_design import check_one_response
from hiermix.engines import Engine
from hiermix.errors import ArgumentError, HiermixWarning, did_you_mean, ignored_warnings, quoted
from hiermix.families.family import needs_numbers
from hiermix.families.priors import PriorTable
from hiermix.fit import Fit
from hiermix.formula.equations import MU
from hiermix.formula.formula import Formula, parse
from hiermix.formula.names import in_results
from hiermix.formula.terms import Group
from hiermix.formula.terms.monotonic import Monotonic
from hiermix.formula.terms.smooths import FactorSmooth
from hiermix.model import WARMUP, Model
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import predict
from hiermix.prediction.cross_validation import compare, estimate
from hiermix.studies.many_fits import fit_many
from hiermix.typing import Algorithm, FloatArray

if TYPE_CHECKING:
    from arviz_stats import ELPDData

    from hiermix.plots.style import Plot

POOLINGS = ("complete", "no", "partial")
_FIXED = 1e-3
"""Relative width of a prior that stands for a fixed number."""


@dataclass(frozen=True)
class Pooling:
    """Three fits of one model.

    Attributes
    ----------
    complete, no, partial : Fit
        Without groups; each group on its own; groups that borrow strength from each other.
    group : str
        The grouping factor that is compared.
    """

    complete: Fit
    no: Fit
    partial: Fit
    group: str

    @property
    def fits(self) -> dict[str, Fit]:
        """The fits by name."""
        return {"complete": self.complete, "no": self.no, "partial": self.partial}

    @cached_property
    def loo(self) -> dict[str, "ELPDData"]:
        """Leave-one-out cross-validation of each fit; doubts about it stand in the table."""
        return {name: estimate(fit.posterior) for name, fit in self.fits.items()}

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a pooling.

        Columns: each population coefficient (posterior mean) and its sd, where a coefficient that
        varies is without pooling the plain average over the groups; rmse of the fitted rows; elpd
        by leave-one-out with its se; p, the effective number of parameters; and unreliable, how
        many rows have too large a Pareto k for elpd to be trusted.
        """
        return pd.DataFrame([self._row(name) for name in POOLINGS],
                            index=pd.Index(POOLINGS, name="pooling"))  # fmt: skip

    def _row(self, name: str) -> dict[str, float]:
        fit, loo = self.fits[name], self.loo[name]
        row: dict[str, float] = {}
        for term in fit.design.terms:
            draws = self._draws(name, term)
            row |= {term: float(draws.mean()), f"{term} sd": float(draws.std(ddof=1))}
        return row | {
            "rmse": rmse(fit), "elpd": loo.elpd, "se": loo.se, "p": loo.p,
            "unreliable": int((loo.pareto_k > loo.good_k).sum()),
        }  # fmt: skip

    def _draws(self, name: str, term: str) -> FloatArray:
        fit = self.fits[name]
        if name == "no" and term in fit.design.grouping(self.group).effects:
            found: list[FloatArray] = []
            for part in fit.posterior.level_blocks(self.group, "coefficients"):
                level, effect = part.dims[2:]
                found.append(part.sel({effect: term}).sum([level]).to_numpy())
            return np.asarray(sum(found) / len(fit.design.grouping(self.group).levels))
        return np.asarray(fit.posterior.coefficient(term))

    def groups(self, *, prob: float = 0.9) -> pd.DataFrame:
        """Coefficients of each level without and with partial pooling, beside complete pooling.

        Parameters
        ----------
        prob : float
            Probability of the equal-tailed intervals.

        Returns
        -------
        DataFrame
            One row a level and effect, from few rows to many.
        """
        return plots.poolings.numbers(self._posteriors(), self.group, prob)

    def compare(self) -> pd.DataFrame:
        """Return `hm.compare` of the three."""
        return compare(self.loo)

    def plot(
        self,
        *,
        effects: str | Sequence[str] | None = None,
        prob: float = 0.9,
        figsize: tuple[float, float] | None = None,
    ) -> "Plot":
        """Draw each group without and with pooling, and how well each pooling predicts.

        Parameters
        ----------
        effects : str or sequence of str, optional
            Coefficients to draw; all that vary by default.
        prob : float
            Probability of the equal-tailed intervals.
        figsize : tuple of float, optional
            Width and height in inches.

        Returns
        -------
        Plot
            With ``figure`` and ``data``, the numbers of `groups`.
        """
        elpd = {name: (each.elpd, each.elpd_i.to_numpy()) for name, each in self.loo.items()}
        return plots.poolings.plot(
            self._posteriors(), self.group, elpd, effects=effects, prob=prob, figsize=figsize
        )

    def _posteriors(self) -> dict[str, Posterior]:
        return {name: fit.posterior for name, fit in self.fits.items()}

    def __repr__(self) -> str:
        """Show the table."""
        return f"Pooling by {self.group}\n{self.table.to_string(float_format='{:.4g}'.format)}"

    def _repr_html_(self) -> str:
        return str(self.table.to_html(float_format="{:.4g}".format))


def pooling(
    formula: str,
    data: Frame,
    *,
    by: str | None = None,
    groups: Sequence[Group] = (),
    priors: Mapping[str, str] | None = None,
    seed: int | None = None,
    chains: int = 4,
    warmup: int = WARMUP,
    draws: int = 1000,
    engine: str | Engine = "auto",
    algorithm: Algorithm = "nuts",
    progress: bool | None = None,
    cores: int | None = None,
    client: Any = None,
    processes: int | None = None,
    **options: Any,
) -> Pooling:
    """Fit complete, no and partial pooling.

    Parameters
    ----------
    formula : str
        With a grouping factor, ``"log_radon ~ floor + (1 | county)"``, or several.
    data : DataFrame
        As in `Model`.
    by : str, optional
        Grouping factor to compare, needed where there are several. The others are partially pooled
        in all three fits.
    groups : sequence of Group
        Grouping specs, instead of bars.
    priors : mapping of str to str, optional
        As in `Model`, for all three; those of ``sd`` and ``cor`` of the factor compared for partial
        pooling alone.
    seed, chains, warmup, draws, engine, algorithm, progress, cores
        As in `Model.fit`.
    client, processes : optional
        Where the three are fitted, as in `fit_many`.
    **options
        Other options of `Model`: family, weights, ...

    Returns
    -------
    Pooling
        With ``table``, ``groups()``, ``plot()`` and the three fits.

    Raises
    ------
    ArgumentError
        The formula has no grouping factor, or several and `by` names none of them.
    """
    settings = {"seed": seed, "chains": chains, "warmup": warmup, "draws": draws,
                "engine": engine, "algorithm": algorithm, "progress": progress,
                "cores": cores}  # fmt: skip
    rows = frames.frame(data)
    partial = Model(formula, rows, groups=groups, priors=priors, **options)
    needs_numbers(partial.family, "pooling")
    check_one_response(partial.design, "pooling")
    without_gaps(partial.design.imputed, "pooling")
    grouping = _compared(partial.design, formula, by)
    if partial.design.rows < len(rows):
        rows = rows.loc[~rows[list(partial.design.frame)].isna().any(axis=1)]
    text = parse(formula, groups)
    others = [each for each in partial.design.groupings if each is not grouping]
    shared = _shared(priors or {}, others)
    with ignored_warnings(HiermixWarning):  # what is to be said was said of the partial one
        complete = Model(_text(text, grouping.name, pooled=True), rows, priors=shared, **options)
        apart = _text(text, grouping.name, pooled=False)
        no = _unpooled(apart, rows, shared, grouping.name, options)
    models = {"complete": complete, "no": no, "partial": partial}
    fits = fit_many(models, client=client, processes=processes, **settings)
    return Pooling(**fits, group=grouping.name)


def _compared(design: Design, formula: str, by: str | None) -> Grouping:
    """Return the grouping factor to compare: the only one, or the one that `by` names."""
    names = [each.name for each in design.groupings]
    if not names:
        raise ArgumentError(f"pooling compares the groups of a factor; {formula!r} has none")
    if by is None and len(names) > 1:
        raise ArgumentError(
            f"pooling compares the groups of one grouping factor; {formula!r} has {len(names)}: "
            f"say which, by={names[0]!r}"
        )
    name = names[0] if by is None else in_results(str(by))
    if name not in names:
        known = ", ".join(map(repr, names))
        raise ArgumentError(
            f"by names {quoted(by)}, not a grouping factor.{did_you_mean(name, names)} "
            f"Known: {known}"
        )
    return design.grouping(name)


def _text(formula: Formula, group: str, *, pooled: bool) -> str:
    """Return the formula without the bars of a factor, or with independent effects there."""
    bars = [
        replace(each, correlated=each.correlated and each.name != group)
        for each in formula.groups
        if not (pooled and each.name == group)
    ]
    for each in formula.specials:
        if isinstance(each, FactorSmooth) and each.factor == group:
            raise ArgumentError(f"{each}: curves are not compared with those of no pooling")
    for term in formula.groups:
        if term.name == group and any(isinstance(each, Monotonic) for each in term.specials):
            raise ArgumentError(
                f"{term}: levels share the steps of all, with no pooling they would not: they are "
                "not compared"
            )
    return str(replace(formula, groups=tuple(bars)))


def _shared(priors: Mapping[str, str], others: Sequence[Grouping]) -> dict[str, str]:
    """Priors that all three have: of the spread of groups only those of the `others`."""
    spread = {"sd": {each.name for each in others}}
    spread["cor"] = {each.name for each in others if max(each.blocks) > 1}
    found = {}
    for name, text in priors.items():
        kind, _, inside = name.partition("[")
        group = inside.partition(",")[0].strip(" ]")
        known = spread.get(kind.strip())
        if known is None or (group in known if group else known):
            found[name] = text
    return found


def _unpooled(
    text: str, data: pd.DataFrame, priors: Mapping[str, str], group: str, options: Mapping[str, Any]
) -> Model:
    """Return the model in which groups learn nothing of each other."""
    default = _shared(priors, [])
    model = Model(text, data, priors=default, **options)
    wide = _wide(model.priors, model.design, group)
    fixed = dict(priors)
    for effect, scale in wide.items():
        fixed[f"sd[{group}, {effect}]"] = f"normal({scale:.17g}, {_FIXED * scale:.17g})"
    return Model(text, data, priors=fixed, **options)


def _wide(priors: PriorTable, design: Design, group: str) -> dict[str, float]:
    """Sd of each group's coefficients: the default scale; an intercept follows its slopes."""
    scales = {each: priors[f"sd[{group}, {each}]"].scale
              for each in design.grouping(group).effects}  # fmt: skip
    if "Intercept" in scales:
        # With x far from zero the intercept must move as far as the slope turns around the data.
        swings = [scales[each] * abs(mean) for each, mean in _means(design, group).items()]
        scales["Intercept"] = float(np.hypot(scales["Intercept"], np.linalg.norm(swings)))
    return scales


def _means(design: Design, group: str) -> dict[str, float]:
    means = design.Z(group).mean(axis=0)
    grouping = design.grouping(group)
    slopes = [place for place in grouping.of_equation(MU) if grouping.terms[place] != "Intercept"]
    return {grouping.effects[place]: float(means[place]) for place in slopes}


def rmse(fit: Fit) -> float:
    """Root mean squared distance of the responses from their posterior means."""
    source = predict.predictor(fit.posterior)
    mean = np.empty(fit.design.rows)
    for job in source.jobs("mean"):
        rows, part = job()
        mean[rows] = part.mean(axis=1)
    assert fit.design.observed is not None
    away = fit.posterior.family.residual(fit.design.observed, mean)
    return float(np.sqrt(np.mean(away**2)))
