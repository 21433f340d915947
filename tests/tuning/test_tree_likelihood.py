"""Restricted likelihood of nested factors: against dense rows, and its gradient by differences."""

import numpy as np
import pytest
from scipy import stats

import hiermix as hm
from hiermix.stan import stan_data
from hiermix.statistics import tree
from hiermix.tuning import bar_origins
from hiermix.tuning.coordinates import Hyperpriors
from hiermix.tuning.tree_likelihood import TreeRestricted
from tests.stan.test_nested_density import CASES, frame


@pytest.mark.parametrize("case", ["three levels", "slopes outside alone",
                                  "other slopes on every level"])  # fmt: skip
def test_value_is_that_of_dense_rows_and_the_gradient_is_its_slope(case: str) -> None:
    priors = {"b": "normal(0, 1)", "Intercept": "normal(0, 2)"}
    model = hm.Model(CASES[case], frame(), weights="h", priors=priors)
    d = bar_origins.centred(model.design, model.origins)
    known = Hyperpriors(
        b=stan_data.b_priors(d, model.priors), sigma=model.priors["sigma"],
        sd=stan_data.sd_priors(d.groupings, model.priors),
        lkj=stan_data.lkj_shapes(d.groupings, model.priors),
        blocks=[size for each in d.groupings for size in each.blocks],
    )  # fmt: skip
    found = tree.statistics(d, d.response, d.weights)
    density = TreeRestricted(found, known)
    pairs = sum(size * (size - 1) // 2 for size in known.blocks)
    size = 1 + sum(known.blocks) + pairs
    X, constants = d.X() - found.x_mean, []
    for phi in np.random.default_rng(0).normal(0, 0.7, (5, size)):
        value, gradient = density.value_and_gradient(phi)
        steps = 1e-5 * np.eye(size)
        ends = [
            [density.value_and_gradient(phi + sign * step)[0] for step in steps] for sign in (1, -1)
        ]
        slopes = (np.array(ends[0]) - ends[1]) / 2e-5
        np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-6 * np.abs(slopes).max())
        sigma, Lambda = density.unpack(phi)
        V = np.diag(sigma**2 / d.weights) + X @ np.diag(1 / known.b_precision) @ X.T
        for each, place in zip(d.groupings, found.places, strict=True):
            same, root = each.codes[:, None] == each.codes, d.Z(each.name) @ Lambda[place, place]
            V += same * (root @ root.T)
        mean = X @ [prior.location for prior in known.b]
        dense = stats.multivariate_normal(mean, V).logpdf(d.response)
        dense -= (d.weights.sum() - d.rows) * np.log(sigma)
        constants.append(value - density.prior(phi)[0] - dense)
    np.testing.assert_allclose(constants, constants[0], atol=1e-9)
