"""Where the variance is: its partition, intra-class correlations and R2, as posterior draws.

On the scale of the linear predictor: Nakagawa and Schielzeth (2013), with the mean variance over
the rows for varying slopes (Johnson, 2014) and the residual variances of the families' laws; see
`families.residual_variances`.
"""

from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix.design import checks, imputed
from hiermix.design.batches import Rows, slices
from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.errors import ArgumentError
from hiermix.families.family import needs_numbers
from hiermix.families.residual_parameters import SDS
from hiermix.formula.equations import MU
from hiermix.posterior.intervals import ends, tails
from hiermix.posterior.posterior import Posterior
from hiermix.prediction.predict import predictor
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

_ENTRIES = 1_000_000
_NODES = 7


def variance(posterior: Posterior) -> "xr.Dataset":
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
    found = _draws(posterior)
    _warn(found)
    return found


def variance_table(posterior: Posterior, *, prob: float = 0.95) -> pd.DataFrame:
    """Summarise `variance`: sd, variance, share of each component with its interval, and R2.

    Parameters
    ----------
    prob : float
        Probability of the equal-tailed interval.
    """
    tails(prob)
    return _table(variance(posterior), prob)


def _draws(posterior: Posterior) -> "xr.Dataset":
    """Return draws of the variances, their shares, intra-class correlations and R2."""
    import xarray as xr

    parts = components(posterior)
    every = np.stack(list(parts.values()), axis=-1).reshape(*posterior.shape, len(parts))
    share, random = _shares(every), _shares(every[..., 1:])
    at = ("chain", "draw")
    return xr.Dataset(
        {
            "variance": ((*at, "component"), every),
            "share": ((*at, "component"), share),
            "icc": ((*at, "factor"), random[..., :-1]),
            "r2_marginal": (at, share[..., 0]),
            "r2_conditional": (at, share[..., :-1].sum(axis=-1)),
        },
        coords={
            "chain": posterior.draws["chain"].to_numpy(),
            "draw": posterior.draws["draw"].to_numpy(),
            "component": list(parts),
            "factor": list(parts)[1:-1],
        },
    )


def _shares(parts: FloatArray) -> FloatArray:
    """Divide by the sum; an infinite part is all there is."""
    infinite = np.isinf(parts)
    parts = np.where(infinite.any(axis=-1, keepdims=True), infinite, parts)
    return np.asarray(parts / parts.sum(axis=-1, keepdims=True))


def _warn(draws: "xr.Dataset") -> None:
    """Say where there is no residual variance."""
    residual = draws["variance"].sel(component="residual")
    infinite = float(np.isinf(residual).mean())
    if infinite:
        checks.warn(
            f"nu is 2 or less in {100 * infinite:.2g} % of draws: the residual has no variance "
            "there, its share is taken as 1, and the table shows medians of its variance and sd. "
            "sigma, and coefficients of levels, have a meaning all the same."
        )


def _table(draws: "xr.Dataset", prob: float) -> pd.DataFrame:
    """One row a component (its sd, variance and share, and the share's interval), then R2."""
    names = draws["component"].to_numpy().tolist()
    shares = [draws["share"].sel(component=name, drop=True) for name in names]
    shares += [draws["r2_marginal"], draws["r2_conditional"]]
    flat = np.array([share.to_numpy().ravel() for share in shares]).T
    spread, sd = _middle(draws["variance"]), _middle(draws["variance"] ** 0.5)
    blank = [np.nan, np.nan]
    return pd.DataFrame(
        {
            "sd": [*sd, *blank],
            "variance": [*spread, *blank],
            "share": [float(share.mean()) for share in shares],
            **ends(flat, prob),
        },
        index=pd.Index([*names, "R2 marginal", "R2 conditional"], name="component"),
    )


def _middle(draws: "xr.DataArray") -> FloatArray:
    """Return the mean of each component, or the median where there is no mean."""
    mean, median = draws.mean(("chain", "draw")), draws.median(("chain", "draw"))
    return np.asarray(mean.where(np.isfinite(mean), median))


def components(posterior: Posterior) -> dict[str, FloatArray]:
    """Draws (S,) of the variance of each component, population first and residual last."""
    needs_numbers(posterior.family, "variance")
    if posterior.design.merged:
        posterior.design.check_rows("variance")
    imputed.without_gaps(posterior.design.imputed, "variance")
    b = posterior.b()
    covariance, squares = _moments(posterior.design)
    population = np.einsum("ps,pq,qs->s", b, covariance, b)
    random = {}
    for each in posterior.design.groupings:
        Lambda = posterior.root(each)
        random[each.name] = np.einsum("sik,sjk,ij->s", Lambda, Lambda, squares[each.name])
        if each.heavy:
            df = posterior.df(each)
            random[each.name] *= np.where(df > 2, df / np.maximum(df - 2, 1e-300), np.inf)
    return {"population": population, **random, "residual": _residual(posterior)}


def _residual(posterior: Posterior) -> FloatArray:
    """Draws (S,) of the residual variance; of parameters with an equation the mean over rows."""
    family, S, rows = posterior.family, posterior.size, posterior.design.rows
    if family.residual_variance is None:
        raise ArgumentError(
            f"the residual variance of family {family.name!r} on the scale of its linear predictor "
            "is not known: custom families, angles and grades that come step by step have none"
        )
    log_mean = cache(partial(_log_mean, posterior))
    by_row = SDS in posterior.own() or posterior.design.limits.se is not None
    if not posterior.parameters and not by_row:
        own = {name: values.reshape(S, -1)[:, 0] for name, values in posterior.own().items()}
        residual = family.residual_variance(family.link, own, log_mean)
        return np.broadcast_to(np.asarray(residual), S)
    source, total = predictor(posterior), np.zeros(S)
    size = max(1, _ENTRIES // S)
    for start in range(0, rows, size):
        part = slice(start, min(start + size, rows))
        residual = family.residual_variance(family.link, source.own(part), log_mean)
        total += np.sum(np.broadcast_to(residual, (part.stop - start, S)), axis=0)
    return total / rows


def _log_mean(posterior: Posterior) -> FloatArray:
    """Log of the mean response (S,), of trials a share: over rows, and over groups as fitted."""
    design, S, link = posterior.design, posterior.size, posterior.family.link
    total: FloatArray = np.full(S, -np.inf)
    size = max(1, _ENTRIES // S)
    for start in range(0, design.rows, size):
        rows = slice(start, start + size)
        eta = design.X(rows) @ posterior.b()
        if design.offset is not None:
            eta += design.offset[rows, None]
        variance = np.zeros_like(eta)
        for each in design.groupings:
            Z = design.Z(each.name, rows)[:, each.of_equation(MU)] * _sizes(each, rows)
            Z = each.factor.sized(Z, rows)
            moved = np.einsum("nq,sqk->nsk", Z, posterior.root(each))
            variance += np.sum(moved**2, axis=-1)
        total = np.logaddexp(total, np.logaddexp.reduce(_log_expected(link, eta, variance), axis=0))
    return np.asarray(total - np.log(design.rows))


def _log_expected(link: str, eta: FloatArray, variance: FloatArray) -> FloatArray:
    """Log of E(inverse link) where the linear predictor is normal: for logits by quadrature."""
    if link == "log":
        return eta + variance / 2
    from scipy.special import log_expit

    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    total: FloatArray = np.full_like(eta, -np.inf)
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        total = np.logaddexp(total, np.log(weight) + log_expit(eta + node * np.sqrt(variance)))
    return total


def _sizes(grouping: Grouping, rows: Rows) -> FloatArray:
    """Sd of the effects of each row's level, in units of the effects' own: a column, or one."""
    return np.atleast_2d(grouping.sizes(rows)).T


def _moments(design: Design) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Covariance (P, P) of the columns of X; mean of z z' (Q, Q) by factor."""
    if design.summed is not None:
        return design.summed.covariance, dict(design.summed.squares)
    rows = list(slices(design.rows))
    mean = sum((design.X(part).sum(axis=0) for part in rows), np.zeros(len(design.terms)))
    mean = mean / design.rows
    covariance = np.zeros((len(mean), len(mean)))
    mine = {each.name: each.of_equation(MU) for each in design.groupings}
    factors = {each.name: each.factor for each in design.groupings}
    squares = {name: np.zeros((len(places),) * 2) for name, places in mine.items()}
    for part in rows:
        X = design.X(part) - mean
        covariance += X.T @ X / design.rows
        for name, total in squares.items():
            Z = design.Z(name, part)[:, mine[name]] * _sizes(design.grouping(name), part)
            Z = factors[name].sized(Z, part)
            total += Z.T @ Z / design.rows
    return covariance, squares
