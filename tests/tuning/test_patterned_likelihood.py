"""Restricted likelihood under patterned residuals: against dense rows, and its gradient."""

import numpy as np
import pytest
from scipy import stats

import hiermix as hm
from hiermix.design.curve_factors import as_factors
from hiermix.stan import assemble_patterned
from hiermix.tuning import bar_origins
from tests.design.test_curves import kernel
from tests.stan.test_patterned_density import CASES, Parts, frame, model_of


def target(model: hm.Model) -> assemble_patterned.Ready:
    design = bar_origins.centred(as_factors(model.design), model.origins)
    return assemble_patterned.ready(design, model.priors)


@pytest.mark.parametrize(
    "name",
    ["no groups", "slopes", "two bars", "weights and offsets", "gaps", "uneven steps",
     "positions and slopes", "smooths and slopes", "sites around"],
)  # fmt: skip
def test_value_is_that_of_dense_rows_and_the_gradient_is_its_slope(name: str) -> None:
    case = CASES[name]
    model = model_of(case, frame())
    found = target(model)
    density, design = found.target, as_factors(model.design)
    P, before = len(design.terms), density.before
    further = len(density.residual.further)
    blocks = density.priors.blocks
    X, constants = design.X() - found.rows.gram.x_mean[:P], []
    size = before + sum(blocks) + sum(n * (n - 1) // 2 for n in blocks)
    for phi in np.random.default_rng(0).normal(0, 0.5, (4, size)):
        value, gradient = density.value_and_gradient(phi)
        ends = [
            [density.value_and_gradient(phi + sign * step)[0] for step in 1e-5 * np.eye(size)]
            for sign in (1, -1)
        ]
        slopes = (np.array(ends[0]) - ends[1]) / 2e-5
        np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-6 * np.abs(slopes).max())
        V, log_prior = case.covariance(Parts(model, phi[:further], phi[further:before]))
        V = V + X @ np.diag(1 / density.priors.b_precision) @ X.T
        Lambda = density.priors.root(phi[before:])
        at = 0
        for each in model.design.groupings:
            Z = design.Z(each.name) - model.origins[each.name]
            own = slice(at, at := at + len(each.effects))
            root = Lambda[own, own]
            V += (each.codes[:, None] == each.codes) * (Z @ root @ root.T @ Z.T)
        for (column, k), sd in zip(case.curves, np.diag(Lambda)[at:], strict=True):
            V += sd**2 * kernel(design.frame[column].to_numpy(), k)
        y = design.response - (0 if design.offset is None else design.offset)
        mean = X @ [prior.location for prior in density.priors.b[:P]]
        dense = stats.multivariate_normal(mean, V).logpdf(y) + log_prior
        constants.append(
            value - density.of_effects.value_and_gradient(phi[density.before :])[0] - dense
        )
    np.testing.assert_allclose(constants, constants[0], atol=1e-8)
