"""Restricted likelihood of nested factors: against dense rows, and its gradient by differences."""

import numpy as np
import pytest
from scipy import optimize, stats

import hiermix as hm
from hiermix.design.effect_sizes import EffectSizes
from hiermix.families.prior import Prior
from hiermix.stan import stan_data
from hiermix.statistics import tree
from hiermix.tuning import bar_origins
from hiermix.tuning.coordinates import Hyperpriors
from hiermix.tuning.tree_likelihood import TreeRestricted
from tests.stan.test_nested_density import CASES, frame


@pytest.mark.parametrize("case", ["three levels", "slopes outside alone",
                                  "other slopes on every level", "crossed slopes",
                                  "two beside a tree"])  # fmt: skip
def test_value_is_that_of_dense_rows_and_the_gradient_is_its_slope(case: str) -> None:
    priors = {"b": "normal(0, 1)", "Intercept": "normal(0, 2)"}
    model = hm.Model(CASES[case], frame(), weights="h", priors=priors)
    d = bar_origins.centred(model.design, model.origins)
    known = Hyperpriors(
        b=stan_data.b_priors(d, model.priors), sigma=model.priors["sigma"],
        sd=stan_data.sd_priors(d.groupings, model.priors),
        sizes=EffectSizes.concatenated([each.spreads for each in d.groupings]),
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
        sigma, Lambda = density.sigma(phi), density.root(phi)
        V = np.diag(sigma**2 / d.weights) + X @ np.diag(1 / known.b_precision) @ X.T
        for each in (*found.levels, *found.crossed):
            codes, place = d.grouping(each.name).codes, each.effects
            same, root = codes[:, None] == codes, d.Z(each.name) @ Lambda[place, place]
            V += same * (root @ root.T)
        mean = X @ [prior.location for prior in known.b]
        dense = stats.multivariate_normal(mean, V).logpdf(d.response)
        dense -= (d.weights.sum() - d.rows) * np.log(sigma)
        constants.append(value - density.prior.value_and_gradient(phi)[0] - dense)
    np.testing.assert_allclose(constants, constants[0], atol=1e-9)


LME4 = {
    # REML by lme4 1.1.31: log likelihood, sds of the residual and of the effects, a correlation.
    "pastes": (
        "strength ~ 1 + (1 | batch/cask)", -123.495372926743,
        [0.8234075473601, 1.287365097387, 2.904077593414], None,
    ),
    "penicillin": (
        "diameter ~ 1 + (1 | plate) + (1 | sample)", -165.430294495543,
        [0.5499231351379, 0.8467043675362, 1.931558305863], None,
    ),
    "classrooms": (
        "y ~ x1 + x2 + x3 + (z2 | groups) + (1 + prior_test || groups:classroom)",
        -3344.39059312785,
        [0.9649438450892, 0.918862885034, 1.019514791073, 1.326669635205, 2.296596712543],
        -0.04204489058258,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LME4)
def test_the_maximum_without_priors_is_the_one_of_lme4(name: str) -> None:
    formula, log_likelihood, sds, cor = LME4[name]
    d = hm.Model(formula, hm.load_dataset(name)).design
    found = tree.statistics(d, d.response, None)
    flat, E = Prior("normal", (0.0, 1e8)), sum(len(each.effects) for each in d.groupings)
    blocks = [size for each in d.groupings for size in each.blocks]
    known = Hyperpriors(
        b=[flat] * len(d.terms), sigma=flat, sd=[flat] * E, sizes=EffectSizes.shared(range(E)),
        lkj=[1.0] * len(blocks), blocks=blocks,
    )  # fmt: skip
    density = TreeRestricted(found, known)

    def less_prior(phi: np.ndarray) -> tuple[float, np.ndarray]:
        (value, slope), (prior, prior_slope) = (
            density.value_and_gradient(phi),
            density.prior.value_and_gradient(phi),
        )
        return prior - value, prior_slope - slope

    start = np.concatenate([np.log(sds) + 0.3, [0.0] * (cor is not None)])
    at = optimize.minimize(less_prior, start, jac=True, method="BFGS", options={"gtol": 1e-7})
    np.testing.assert_allclose(np.exp(at.x[: len(sds)]), sds, rtol=1e-5)
    if cor is not None:
        assert np.tanh(at.x[-1]) == pytest.approx(cor, abs=1e-5)
    constant = 0.5 * (d.rows - len(d.terms)) * np.log(2 * np.pi)
    assert -at.fun - constant == pytest.approx(log_likelihood, abs=1e-6)
    b, root = density.population(at.x)
    if name == "pastes":
        assert b[0] == pytest.approx(60.053333333335, abs=1e-6)
        assert root[0, 0] == pytest.approx(0.6768700846545, rel=1e-5)
