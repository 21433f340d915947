"""How much priors matter, and where one is at odds with the data.

Sensitivities are those of power-scaling (Kallioinen et al., 2024) by `arviz_stats.psense`: how far
the posterior moves as prior or likelihood count a little more. That a prior matters is no fault: it
fights the data where it matters and has next to no mass where they put the parameter. Where that is
tells a fit with the default priors, if others were given.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hiermix.checking.findings import Finding, listed, needs_rows, quantities, thinned
from hiermix.checking.refits import Refittable, posterior_of, refit
from hiermix.errors import HiermixWarning, ignored_warnings
from hiermix.families.prior import Prior
from hiermix.posterior.log_prior import log_prior, probability_below
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import predict
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    pass

if TYPE_CHECKING:
    import xarray as xr

PART = "priors"
SENSITIVE = 0.05
"""Sensitivity from which on a prior is said to matter (Kallioinen et al., 2024)."""
FAR = 0.01
"""Prior probability of what is as far out as the data say, below which they are in conflict."""
_ENTRIES = 40_000_000
_FEWEST = 400


class Sensitivity(NamedTuple):
    """How the posterior of a parameter depends on priors and likelihood."""

    about: str
    prior: float
    likelihood: float
    far: float
    """Prior probability of what is as far out as the data say; NaN where there is none."""
    beyond: bool
    """Whether the data put it beyond a bound of its prior."""
    said: str
    """Where the data put it, and its prior."""

    @property
    def fights(self) -> bool:
        """Whether the prior is at odds with the data, and that matters."""
        return self.far < FAR and (self.prior >= SENSITIVE or self.beyond)


def sensitivities(posterior: Posterior, model: Refittable, seed: int) -> list[Sensitivity]:
    """Return those of every parameter, effects of levels aside."""
    needs_rows(posterior.design)
    some = thinned(posterior, max(_ENTRIES // posterior.design.rows, _FEWEST))
    by_prior = _power_scaled(some, "prior", log_prior(some, model.priors, model.origins))
    by_likelihood = _by_likelihood(some)
    free = _by_data_alone(posterior, model, seed)
    below = log_prior(free, model.priors, model.origins, probability_below)
    places, values = quantities(below, moving=False), quantities(free.draws, moving=False)
    found = []
    for name, prior in by_prior.items():
        if name not in values:  # a parameter of the priors, which the default ones don't have
            continue
        place = float(places[name].mean()) if name in places else np.nan
        found.append(Sensitivity(
            name, prior, by_likelihood.get(name, np.nan), 2 * min(place, 1 - place),
            *_beside(values[name], model.priors.get(prior_name(name))),
        ))  # fmt: skip
    return found


def _power_scaled(posterior: Posterior, group: str, part: "xr.Dataset") -> dict[str, float]:
    """Return how the posterior of each parameter moves with the priors, or the likelihood."""
    import arviz_stats
    import xarray as xr

    every = quantities(posterior.draws)
    draws = _by_draw(posterior, every)
    tree = xr.DataTree.from_dict({"posterior": draws, f"log_{group}": part})
    with np.errstate(all="ignore"):
        found = arviz_stats.psense(tree, group=group)
    return {name: float(found[name]) for name in every}


def _by_draw(posterior: Posterior, values: Mapping[str, FloatArray]) -> "xr.Dataset":
    import xarray as xr

    return xr.Dataset({name: (("chain", "draw"), each.reshape(posterior.shape))
                       for name, each in values.items()})  # fmt: skip


def _by_likelihood(posterior: Posterior) -> dict[str, float]:
    """Return the sensitivities to the likelihood; none where the rows have no density each."""
    if posterior.design.series is not None or posterior.design.imputed:
        return {}
    part = _by_draw(posterior, {"rows": _log_likelihood(posterior)})
    return _power_scaled(posterior, "likelihood", part)


def _log_likelihood(posterior: Posterior) -> FloatArray:
    """Log density (S,) of all rows together."""
    total = np.zeros(posterior.size)
    for job in predict.predictor(posterior).jobs("log_density"):
        total += job()[1].sum(axis=0)
    return total


def _by_data_alone(posterior: Posterior, model: Refittable, seed: int) -> Posterior:
    """Return the posterior under the default priors, if others were given and it can be had."""
    if not any(prior.given for prior in model.priors.values()):
        return posterior
    with ignored_warnings(HiermixWarning):
        other = model.with_default_priors()
    tree = refit(other, seed)
    return posterior if tree is None else posterior_of(tree, other)


def _beside(values: FloatArray, prior: Prior | None) -> tuple[bool, str]:
    """Tell whether the data put a parameter beyond the bounds of its prior, and where they do."""
    low, high = np.quantile(values, [0.025, 0.975])
    said = f"the data say {low:.3g} to {high:.3g}"
    if prior is None:
        return False, said
    least, most = prior.bounds
    return bool(high < least or low > most), f"prior {prior}, {said}"


def prior_name(name: str) -> str:
    """Name of the prior of a parameter that is called as in results: ``sd[g, x]`` of sd_g[x]."""
    group, bracket, effect = name.removeprefix("sd_").partition("[")
    return f"sd[{group}, {effect}" if name.startswith("sd_") and bracket else name


def findings(found: list[Sensitivity]) -> list[Finding]:
    """Return the sensitivity of each to its prior, and those in conflict."""
    rows = [_finding(each) for each in found]
    leaning = [each.about for each in found
               if each.prior >= SENSITIVE > each.likelihood and not each.fights]  # fmt: skip
    if leaning:
        text = (
            f"{listed(leaning)}: the prior tells more of it than the data do. That is no fault if "
            "you believe the prior; report it."
        )
        number = float(len(leaning))
        rows.append(Finding(PART, "priors that decide", "parameters", number, text=text))
    return rows


def _finding(each: Sensitivity) -> Finding:
    doubtful = each.fights
    text = ""
    if doubtful:
        chance = "below 0.001" if each.far < 0.001 else f"{each.far:.3f}"
        text = (
            f"the prior of {each.about} fights the data ({each.said}; a prior probability of "
            f"{chance} so far out), and the posterior is a compromise that neither means. Write a "
            "prior that you believe, and look at the units."
        )
    return Finding(PART, each.about, "prior sensitivity", each.prior, SENSITIVE, doubtful, text)


def table(found: list[Sensitivity]) -> pd.DataFrame:
    """Return the sensitivities as they are drawn."""
    columns = {"prior": [each.prior for each in found],
               "likelihood": [each.likelihood for each in found]}  # fmt: skip
    return pd.DataFrame(columns, index=[each.about for each in found])
