"""Log prior density of every parameter in every draw, for checks of how much priors matter.

Priors hold where `origins` and the means of the columns put them, so draws are moved there: the
intercept and thresholds to the mean of the predictors, sds and correlations to the mean of the
columns that vary. Effects of levels are not parameters with priors of their own.
"""

from typing import TYPE_CHECKING

import numpy as np

from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.families import categories
from hiermix.families.family import Family
from hiermix.families.priors import Prior, PriorTable, b_name, sd_names
from hiermix.posterior.arrays import Layout, lay_out, spread
from hiermix.posterior.draws import pairs
from hiermix.statistics import spreads
from hiermix.tuning.origins import Origins, blocks, shear
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

type Densities = dict[str, tuple[tuple[str, ...], FloatArray]]
"""Variable -> dims after chain and draw, and log densities (S, ...)."""


def log_prior(
    tree: "xr.DataTree", design: Design, family: Family, table: PriorTable, origins: Origins
) -> "xr.Dataset":
    """Return the log prior densities, under the names and labels of the posterior."""
    import xarray as xr

    posterior = tree["posterior"].to_dataset()
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    means = spreads.means(design)
    names = tuple(each.name for each in family.own)

    def of(category: str | None) -> "xr.Dataset":
        layout = lay_out(tree, design, names, (), category=category)
        chosen = posterior if category is None else posterior.sel(category=category, drop=True)
        found = _population(layout, design, table, means, category)
        for grouping in design.groupings:
            found |= _factor(spread(chosen, grouping), grouping, table, origins, category)
        return xr.Dataset({
            name: (("chain", "draw", *dims), values.reshape(*shape, *values.shape[1:]))
            for name, (dims, values) in (found | _own(layout, design, family, table, means)).items()
        })  # fmt: skip

    labels = categories.further(design)
    found = categories.join([of(label) for label in labels], design) if labels else of(None)
    kept = {name: values for name, values in posterior.coords.items() if name in found.dims}
    return found.assign_coords(kept)


def density(prior: Prior, values: FloatArray, *, positive: bool = False) -> FloatArray:
    """Log density of a prior, cut off at zero where the parameter is positive."""
    return np.asarray(prior.frozen().logpdf(values) - prior.stan_row(positive=positive)[3])


def _population(
    layout: Layout, design: Design, table: PriorTable, means: FloatArray, category: str | None
) -> Densities:
    """Of the intercept at the mean of the predictors, and of the slopes."""
    found: Densities = {}
    keys = [categories.named(b_name(term), category) for term in design.terms]
    first = int("Intercept" in design.terms)
    if first and keys[0] in table:
        found["Intercept"] = ((), density(table[keys[0]], means @ layout.b))
    if len(keys) > first:
        each = [density(table[key], b) for key, b in zip(keys[first:], layout.b[first:],
                                                         strict=True)]  # fmt: skip
        found["b"] = (("term",), np.stack(each, axis=-1))
    return found


def _own(
    layout: Layout, design: Design, family: Family, table: PriorTable, means: FloatArray
) -> Densities:
    """Of the family's own parameters; thresholds as the linear predictor at the mean sees them."""
    found: Densities = {}
    for each in family.own:
        values, dims = layout.own[each.name], tuple[str, ...]()
        if values.ndim > 1:
            values, dims = values - (means @ layout.b)[:, None], (f"{each.name}_dim",)
        found[each.name] = (dims, density(table[each.name], values, positive=each.positive))
    return found


def _factor(
    Lambda: FloatArray,
    grouping: Grouping,
    table: PriorTable,
    origins: Origins,
    category: str | None,
) -> Densities:
    """Of the sds of a factor's effects, and of the correlations of each bar together."""
    S = shear(grouping, origins[grouping.name])
    root = np.linalg.solve(S, Lambda)
    sd = np.linalg.norm(root, axis=-1)
    keys = [
        categories.named(sd_names(grouping.name, effect)[0], category)
        for effect in grouping.effects
    ]
    each = [density(table[key], sd[:, k], positive=True) for k, key in enumerate(keys)]
    found: Densities = {
        f"sd_{grouping.name}": ((f"{grouping.name}_effect",), np.stack(each, axis=-1))
    }
    if pairs(grouping):
        shape = table[f"cor[{grouping.name}]"].arguments[0]
        L = root / sd[..., None]
        lkj = sum(_lkj(L[:, block, block], shape) for block in blocks(grouping))
        found[f"cor_{grouping.name}"] = ((), np.asarray(lkj))
    return found


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
