"""Prior sds of slopes that are shrunk: their names in results, and the log density of their prior.

``b_sd`` (term) is the prior sd of each slope; ``horseshoe_global`` and ``horseshoe_slab`` are the
scale of all and the largest one; ``r2d2_R2`` is the share of the variance that the slopes explain.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from hiermix.families.prior import SHRINKAGE, Prior
from hiermix.posterior.coefficients import Variables
from hiermix.typing import FloatArray, Shrunk

if TYPE_CHECKING:
    import xarray as xr

NAME, _TERM = "b_sd", "b_sd_term"
_OVERALL = {"horseshoe": ("horseshoe_global", "horseshoe_slab"), "r2d2": ("r2d2_R2",)}


def variables(shrunk: Shrunk, terms: tuple[str, ...]) -> tuple[Variables, dict[str, list[str]]]:
    """Return the prior sds (chain, draw, n) and what they follow from by name, and their labels."""
    found: Variables = {NAME: ((_TERM,), shrunk.sds)}
    for place, name in enumerate(_OVERALL[shrunk.kind]):
        found[name] = ((), shrunk.overall[..., place])
    return found, {_TERM: [terms[k] for k in shrunk.places]}


def density(slope: FloatArray, term: str, draws: "xr.Dataset") -> FloatArray:
    """Log prior density (S,) of draws of a slope that is shrunk, given its prior sd."""
    from scipy import stats

    return np.asarray(stats.norm.logpdf(slope, 0.0, _sd(term, draws)))


def probability(slope: FloatArray, term: str, draws: "xr.Dataset") -> FloatArray:
    """Prior probability (S,) of less than the draws of a slope, given its prior sd."""
    from scipy import stats

    return np.asarray(stats.norm.cdf(slope, 0.0, _sd(term, draws)))


def _sd(term: str, draws: "xr.Dataset") -> FloatArray:
    return np.asarray(draws[NAME].sel({_TERM: term}).to_numpy().ravel())


def overall(prior: Prior, draws: "xr.Dataset", *, below: bool = False) -> Variables:
    """Log prior density of the global parameters, or the probability of less.

    The scales are those of `docs/priors.md`, and the density is that of the square of the slab.
    """
    from scipy import stats

    names, given = _OVERALL[prior.distribution], SHRINKAGE[prior.distribution]
    at = dict(zip(given, prior.arguments, strict=True))
    values = [draws[name].to_numpy().ravel() for name in names]
    if prior.distribution == "r2d2":
        mean, precision = at["mean_R2"], at["prec_R2"]
        laws: list[Any] = [stats.beta(mean * precision, (1 - mean) * precision)]
    else:
        half = at["df_slab"] / 2
        # A half Student t, as the square of one: F with one degree of freedom.
        scale = stats.f(1, at["df_global"], scale=at["scale_global"] ** 2)
        laws = [scale, stats.invgamma(half, scale=half * at["scale_slab"] ** 2)]
        values = [value**2 for value in values]
    return {
        name: ((), np.asarray(law.cdf(value) if below else law.logpdf(value)))
        for name, law, value in zip(names, laws, values, strict=True)
    }
