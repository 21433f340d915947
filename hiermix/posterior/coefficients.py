"""Population coefficients in a dataset: the one place that knows ``Intercept`` and ``b`` apart.

The intercept is a variable of its own, slopes are ``b`` along ``term``. Thresholds of ordered
categories stand in the place of the intercept: then it is in the design and not in the dataset.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hiermix.formula.equations import MU
from hiermix.posterior import smooth_draws
from hiermix.posterior.draw_arrays import Which, flat
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

type Variables = dict[str, tuple[tuple[str, ...], np.ndarray]]
"""Variable -> dims after those of draws, and values."""

NAMES = INTERCEPT, SLOPES, TERM = "Intercept", "b", "term"
"""Names that no other variable or dim of a posterior may have."""


def names_of(equation: str = MU) -> tuple[str, str, str]:
    """Names of intercept, slopes and dim of an equation: ``Intercept_sigma``, ``b_sigma``."""
    if equation == MU:
        return INTERCEPT, SLOPES, TERM
    return f"{INTERCEPT}_{equation}", f"{SLOPES}_{equation}", f"{equation}_{TERM}"


def at_zero(b: FloatArray, terms: Sequence[str], x_mean: FloatArray) -> FloatArray:
    """Move the intercept of coefficients (..., P) from the mean of X to X = 0."""
    if INTERCEPT not in terms:
        return b
    moved = b.copy(order="K")
    moved[..., 0] -= b[..., 1:] @ x_mean[1:]
    return moved


def variables(
    terms: Sequence[str], values: FloatArray, *, thresholds: bool = False, equation: str = MU
) -> Variables:
    """Return the variables of coefficients (..., P)."""
    first = int(INTERCEPT in terms)
    intercept, slopes, dim = names_of(equation)
    found: Variables = {}
    if first and not thresholds:
        found[intercept] = ((), values[..., 0])
    if len(terms) > first:
        found[slopes] = ((dim,), values[..., first:])
    return found


def labels(terms: Sequence[str], equation: str = MU) -> dict[str, list[str]]:
    """Return the coordinate of the slopes, if there are any."""
    return {names_of(equation)[2]: _slopes(terms)} if _slopes(terms) else {}


def _slopes(terms: Sequence[str]) -> list[str]:
    return [term for term in terms if term != INTERCEPT]


def draws(posterior: "xr.Dataset", term: str, equation: str = MU) -> "xr.DataArray":
    """Draws of a coefficient; zero where the population has none of this term."""
    intercept, slopes, dim = names_of(equation)
    if term == INTERCEPT and intercept in posterior:
        return posterior[intercept]
    if term != INTERCEPT and slopes in posterior and term in posterior[dim]:
        return posterior[slopes].sel({dim: term}, drop=True)
    if smooth_draws.known(posterior, [term]):
        return smooth_draws.of(posterior, [term])[..., 0].drop_vars(smooth_draws.BASIS)
    return 0.0 * posterior["chain"] * posterior["draw"]


def matrix(
    posterior: "xr.Dataset", terms: Sequence[str], which: Which = None, equation: str = MU
) -> FloatArray:
    """Draws (P, S) of coefficients in the order of terms."""
    _, slopes, dim = names_of(equation)
    parts = []
    if INTERCEPT in terms:
        parts.append(flat(draws(posterior, INTERCEPT, equation), which)[:, None])
    bends = smooth_draws.known(posterior, terms)
    lines = labels([term for term in terms if term not in bends], equation)
    if lines:
        parts.append(flat(posterior[slopes].sel(lines), which, dim))
    if bends:
        parts.append(flat(smooth_draws.of(posterior, bends), which, smooth_draws.BASIS))
    if not parts:
        number = posterior.sizes["chain"] * posterior.sizes["draw"]
        return np.empty((0, number if which is None else len(which)))
    return np.ascontiguousarray(np.hstack(parts).T)


def term_of(name: str) -> str:
    """Return the term of a coefficient that summaries and priors call ``b[floor]``."""
    return name[2:-1] if name.startswith(f"{SLOPES}[") else name
