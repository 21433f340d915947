"""The summary table and its warnings, in plain words tied to a term."""

import json
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix import checks
from hiermix.categories import named, views
from hiermix.design import Design
from hiermix.errors import HiermixWarning, count
from hiermix.priors import parse_prior

if TYPE_CHECKING:
    import xarray as xr


def names(tree: "xr.DataTree") -> list[str]:
    """Variables of the summary: everything but the group effects."""
    return [str(name) for name in tree.posterior.data_vars if not str(name).startswith("r_")]


def table(tree: "xr.DataTree", variables: Sequence[str], prob: float) -> pd.DataFrame:
    """Mean, sd, equal-tailed interval, Monte-Carlo errors, effective sizes, R-hat."""
    from arviz_stats import summary

    frame: pd.DataFrame = summary(
        tree, var_names=list(variables), ci_prob=prob, ci_kind="eti", round_to="none"
    )
    return frame


def warn(tree: "xr.DataTree", design: Design, frame: pd.DataFrame) -> None:
    """Issue a `HiermixWarning` for every doubt about the fit."""
    few = [checks.few_levels(each.name, len(each.levels)) for each in design.groupings]
    learned = [*_spreads(tree, design), *_on_their_priors(tree, design), *filter(None, few)]
    learned = [] if tree.attrs["prior_only"] else learned
    for text in (*_sampler(tree), *_convergence(frame), *learned):
        warnings.warn(text, HiermixWarning, stacklevel=3)


def _sampler(tree: "xr.DataTree") -> list[str]:
    found = []
    diverging = int(tree.sample_stats["diverging"].sum())
    if diverging:
        found.append(
            f"{count(diverging, 'draw')} diverged: the sampler missed a part of the posterior. "
            "Raise adapt_delta towards 1, or give the sds a tighter prior."
        )
    if "tree_depth" in tree.sample_stats:
        deep = int((tree.sample_stats["tree_depth"] >= tree.attrs["max_treedepth"]).sum())
        if deep:
            found.append(
                f"{count(deep, 'draw')} reached max_treedepth={tree.attrs['max_treedepth']}: "
                "sampling is slow, not wrong. Raise max_treedepth."
            )
    return found


def _convergence(frame: pd.DataFrame) -> list[str]:
    found = []
    if "r_hat" in frame:
        bad = frame.index[frame["r_hat"] > 1.01].tolist()
        if bad:
            found.append(
                f"the chains disagree about {', '.join(bad[:3])} (R-hat above 1.01): "
                "fit with more warmup and draws."
            )
    few = frame.index[frame["ess_bulk"] < 400].tolist()
    if few:
        found.append(
            f"fewer than 400 effective draws of {', '.join(few[:3])}: fit with more draws."
        )
    return found


_CHANCES = ("bernoulli", "binomial", "beta_binomial", "ordinal", "categorical")


def _on_their_priors(tree: "xr.DataTree", design: Design) -> list[str]:
    """Slopes that the data bound on one side only, as where a predictor separates responses."""
    if tree.attrs["family"] not in _CHANCES or "b" not in tree.posterior:
        return []
    priors = json.loads(tree.attrs["priors"])
    found = []
    for category, posterior in views(tree.posterior, design):
        for term in posterior["term"].to_numpy().tolist():
            name = named(f"b[{term}]", category)
            draws = posterior["b"].sel(term=term).to_numpy()
            prior = parse_prior(priors[name]).frozen()
            # A normal cut in half at its center is 0.61 times as wide.
            if np.ptp(np.quantile(draws, [0.25, 0.75])) > 0.5 * np.ptp(prior.ppf([0.25, 0.75])):
                found.append(
                    f"{name} sits on its prior: the data hardly bound it, as where {term} "
                    "separates the responses perfectly. Give it a prior that you believe."
                )
    return found


def _spreads(tree: "xr.DataTree", design: Design) -> list[str]:
    """Sds that sit at zero: the data do not need the term."""
    found = []
    for category, posterior in views(tree.posterior, design):
        where = "" if category is None else f" of {category}"
        for grouping in design.groupings:
            sd = posterior[f"sd_{grouping.name}"]
            for effect in grouping.effects:
                draws = sd.sel({f"{grouping.name}_effect": effect}).to_numpy().ravel()
                if _at_zero(draws):
                    kind = "intercept" if effect == "Intercept" else "slope"
                    found.append(
                        f"sd of {effect} by {grouping.name}{where} sits at zero: "
                        f"the data do not need this {kind}."
                    )
    return found


def _at_zero(draws: np.ndarray) -> bool:
    """Say whether the density rises towards zero, from two slices of equal width near it."""
    width = np.quantile(draws, 0.5) / 2
    return bool(np.mean(draws < width) > np.mean((draws >= width) & (draws < 2 * width)))
