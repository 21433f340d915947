"""Log prior density of every parameter in every draw, for checks of how much priors matter.

Priors hold where `origins` and the means of the columns put them, so draws are moved there: the
intercept and thresholds to the mean of the predictors, sds and correlations to the mean of the
columns that vary. Effects of levels are not parameters with priors of their own.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hiermix.design.curve_factors import CurveFactor, as_factors
from hiermix.design.equation import Equation
from hiermix.design.groupings import Grouping
from hiermix.design.level_steps import joined
from hiermix.families import category_equations
from hiermix.families.correlations import matrix_of, size_of
from hiermix.families.prior import Prior
from hiermix.families.priors import PriorTable, b_name, shares_name
from hiermix.formula.threshold_formulas import threshold_of
from hiermix.posterior import (
    coefficients,
    draw_arrays,
    residual_labels,
    shrunk_slopes,
    smooth_draws,
    step_draws,
)
from hiermix.posterior.coefficients import INTERCEPT, Variables
from hiermix.posterior.draw_arrays import flat
from hiermix.posterior.posterior import Posterior
from hiermix.statistics import column_spreads
from hiermix.tuning.bar_origins import Origins, blocks, shear
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr


class Measure(Protocol):
    """What is made of a prior and the values of its parameter in every draw."""

    def __call__(self, prior: Prior, values: FloatArray, *, positive: bool = False) -> FloatArray:
        """Return a number a value; priors of `positive` parameters are cut off at zero."""


def density(prior: Prior, values: FloatArray, *, positive: bool = False) -> FloatArray:
    """Log density."""
    return np.asarray(prior.frozen().logpdf(values) - prior.log_mass(positive=positive))


def probability_below(prior: Prior, values: FloatArray, *, positive: bool = False) -> FloatArray:
    """Probability of values below these."""
    low, high = prior.bounds
    low = max(low, 0.0) if positive else low
    share = prior.between(low, np.clip(values, low, high))
    return np.asarray(share / np.exp(prior.log_mass(positive=positive)))


def log_prior(
    posterior: Posterior, table: PriorTable, origins: Origins, measure: Measure = density
) -> "xr.Dataset":
    """Return the log prior densities, under the names and labels of the posterior.

    Or what else is measured of each prior where it holds; correlations, which have one prior
    together, have densities alone.
    """
    import xarray as xr

    design, shape = as_factors(posterior.design), posterior.shape
    means = column_spreads.means(design, design.equations[0])

    def of(equation: str | None) -> "xr.Dataset":
        b = posterior.b(equation)[: len(design.terms)]
        found = {} if design.parts else _population(
            b, posterior, table, means, equation, measure)  # fmt: skip
        found |= _own(posterior, table, _at_mean(posterior, means @ b), measure)
        for part in design.parts:
            one = Equation(part.response_name, part.terms)
            found |= _of_parameter(
                posterior, one, column_spreads.means(part, part.equations[0]), table, measure
            )
        for name in posterior.parameters:
            one = design.equation(name)
            found |= _of_parameter(
                posterior, one, column_spreads.means(design, one), table, measure
            )
        curves = [each for each in design.groupings if isinstance(each, CurveFactor)]
        found |= _curves(posterior, curves, table, measure)
        found |= _steps(posterior, table, measure)
        for grouping in map(joined, posterior.design.groupings):
            Lambda = draw_arrays.spread(posterior.of_equation(equation), grouping)
            found |= _factor(Lambda, grouping, table, origins, equation, measure)
            if grouping.heavy:
                df = table[f"df[{grouping.name}]"]
                found[f"df_{grouping.name}"] = ((), measure(df, posterior.df(grouping)))
        return xr.Dataset({
            name: (("chain", "draw", *dims), values.reshape(*shape, *values.shape[1:]))
            for name, (dims, values) in found.items()
        })  # fmt: skip

    each = [of(equation) for equation in posterior.equations]
    found = category_equations.join(each, design)
    coords = posterior.draws.coords.items()
    return found.assign_coords({name: values for name, values in coords if name in found.dims})


def _population(
    b: FloatArray,
    posterior: Posterior,
    table: PriorTable,
    means: FloatArray,
    equation: str | None,
    measure: Measure,
) -> Variables:
    """Of the intercept at the mean of the predictors, and of the slopes."""
    terms = as_factors(posterior.design).terms
    names = [category_equations.named(b_name(term), equation) for term in terms]
    overall: Variables = {}
    thresholds = INTERCEPT in terms and names[0] not in table
    each = np.zeros((b.shape[1], len(terms)))
    for place in range(int(thresholds), len(terms)):
        prior, values = table[names[place]], means @ b if terms[place] == INTERCEPT else b[place]
        if step_draws.shared(names, place):  # only the mean of these steps has a prior
            each[:, place] = 0.0 if measure is density else 0.5
        elif prior.shrinks and shrunk_slopes.NAME not in posterior.draws:
            each[:, place] = np.nan  # draws under other priors, which have no sds to go by
        elif prior.shrinks:
            found = shrunk_slopes.density if measure is density else shrunk_slopes.probability
            each[:, place] = found(values, terms[place], posterior.draws)
            overall = shrunk_slopes.overall(prior, posterior.draws, below=measure is not density)
        else:
            each[:, place] = measure(prior, values)
    return coefficients.variables(terms, each, thresholds=thresholds) | overall


def _of_parameter(
    posterior: Posterior,
    equation: Equation,
    means: FloatArray,
    table: PriorTable,
    measure: Measure,
) -> Variables:
    """Of the coefficients of a parameter's equation, or of one of several responses."""
    name = equation.name
    b = posterior.b(name)[: len(equation.terms)]
    at_mean = means @ b
    each = np.zeros((posterior.size, len(equation.terms)))
    for place, term in enumerate(equation.terms):
        values = at_mean if term == INTERCEPT else b[place]
        names = [b_name(one, name) for one in equation.terms]
        if step_draws.shared(names, place):
            each[:, place] = 0.0 if measure is density else 0.5
        else:
            each[:, place] = measure(table[names[place]], values)
    return coefficients.variables(equation.terms, each, equation=name)


def _steps(posterior: Posterior, table: PriorTable, measure: Measure) -> Variables:
    """Of the mean step of monotonic effects, and of the shares together."""
    found: Variables = {}
    for each in posterior.design.steps:
        mean, shares = each.names
        prior = table[b_name(each.labels[0], each.equation)]
        found[mean] = ((), measure(prior, flat(posterior.draws[mean], None)))
        if measure is density and each.shared is None:
            prior = table[shares_name(each.term, each.equation)]
            values = flat(posterior.draws[shares], None, f"{shares}_step")
            found[shares] = ((), _dirichlet(values, prior.arguments))
    return found


def _curves(
    posterior: Posterior, curves: Sequence[CurveFactor], table: PriorTable, measure: Measure
) -> Variables:
    """Of the sds of what bends curves, and of lengthscales."""
    if not curves:
        return {}
    of = (smooth_draws.SD, smooth_draws.SMOOTH), (smooth_draws.LENGTH, smooth_draws.PROCESS)
    found: Variables = {}
    for at, (name, dim) in enumerate(of):
        mine = [one.sd_names[at][0] for one in curves if len(one.sd_names) > at]
        if mine:
            values = flat(posterior.draws[name], None, dim)
            each = [measure(table[prior], values[:, place], positive=True)
                    for place, prior in enumerate(mine)]  # fmt: skip
            found[name] = ((dim,), np.stack(each, axis=-1))
    return found


def _at_mean(posterior: Posterior, at_mean: FloatArray) -> FloatArray:
    """Return what is taken off thresholds at the mean of the predictors (S, 1), or off each."""
    design = as_factors(posterior.design)
    own = {threshold_of(each.name): each for each in design.equations if each.beside_threshold}
    found = at_mean[:, None] + np.zeros(len(design.categories) - 1 if own else 1)
    for place, each in own.items():
        b = posterior.b(each.name)[: len(each.terms)]
        found[:, (place or 0) - 1] += column_spreads.means(design, each) @ b
    return found


def _own(
    posterior: Posterior, table: PriorTable, at_mean: FloatArray, measure: Measure
) -> Variables:
    """Of the family's own parameters; thresholds as the linear predictor at the mean sees them."""
    found: Variables = {}
    own = posterior.own()
    for each in posterior.family.scalars(posterior.design):
        values, dims = own[each.name], tuple[str, ...]()
        if values.ndim > 1:
            dims = residual_labels.of(posterior.design).dims(each.name) or (f"{each.name}_dim",)
        if each.transform == "correlations":
            L = np.linalg.cholesky(matrix_of(values, size_of(values.shape[1])))
            found[each.name] = ((), _lkj(L, table[each.name].arguments[0]))
            continue
        if each.of_thresholds:
            values = values - at_mean
        priors = [table[name] for name in each.prior_names]
        parts = np.split(values, len(priors), axis=-1) if len(priors) > 1 else [values]
        measured = [measure(prior, part, positive=each.positive)
                    for prior, part in zip(priors, parts, strict=True)]  # fmt: skip
        found[each.name] = (dims, np.concatenate(measured, axis=-1) if dims else measured[0])
    return found


def _factor(
    Lambda: FloatArray,
    grouping: Grouping,
    table: PriorTable,
    origins: Origins,
    equation: str | None,
    measure: Measure,
) -> Variables:
    """Of the sds of a factor's effects, and of the correlations of each bar together."""
    S = shear(grouping, origins[grouping.name])
    root = np.linalg.solve(S, Lambda)
    first = np.unique(grouping.spreads.of, return_index=True)[1]
    sd = np.linalg.norm(root, axis=-1)
    keys = [category_equations.named(names[0], equation) for names in grouping.sd_names]
    each = [measure(table[key], sd[:, k], positive=True)
            for k, key in zip(first, keys, strict=True)]  # fmt: skip
    found: Variables = {
        f"sd_{grouping.name}": ((f"{grouping.name}_effect",), np.stack(each, axis=-1))
    }
    if grouping.pairs and measure is density:
        shape = table[f"cor[{grouping.name}]"].arguments[0]
        L = root / sd[..., None]
        lkj = sum(_lkj(L[:, block, block], shape) for block in blocks(grouping))
        found[f"cor_{grouping.name}"] = ((), np.asarray(lkj))
    return found


def _dirichlet(shares: FloatArray, shapes: Sequence[float]) -> FloatArray:
    """Log density of shares (S, D); one shape is that of all."""
    from scipy.special import gammaln, xlogy

    alpha = np.broadcast_to(shapes, shares.shape[1:])
    return np.asarray(xlogy(alpha - 1, shares).sum(axis=1) + gammaln(alpha.sum())
                      - gammaln(alpha).sum())  # fmt: skip


def _lkj(L: FloatArray, shape: float) -> FloatArray:
    """Log LKJ density of correlations L L' with any roots L (S, K, K)."""
    from scipy.special import betaln

    K = L.shape[-1]
    log_det = 2 * np.linalg.slogdet(L)[1]
    # Lewandowski, Kurowicka and Joe (2009), equation 16.
    rest = K - np.arange(1, K)
    half = shape + (rest - 1) / 2
    constant = np.sum((2 * shape - 2 + rest) * rest * np.log(2) + rest * betaln(half, half))
    return np.asarray((shape - 1) * log_det - constant)
