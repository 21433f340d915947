"""Nested factors: which are, and statistics with the inner ones integrated out."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.design.build import build
from hiermix.design.design import Design
from hiermix.formula.formula import parse
from hiermix.statistics import nested


def design(formula: str, rows: int = 200) -> Design:
    rng = np.random.default_rng(0)
    a, b, c = (rng.integers(0, size, rows) for size in (5, 3, 2))
    frame = pd.DataFrame({"y": rng.normal(size=rows), "x": rng.normal(size=rows)})
    frame["a"], frame["b"], frame["c"] = a.astype(str), b.astype(str), c.astype(str)
    return build(parse(formula), frame)


def test_pairs_are_chains_of_ever_finer_factors() -> None:
    found = nested.pairs(design("y ~ x + (1 | a/b/c)"))
    assert [(pair.inner, pair.outer) for pair in found] == [
        ("a:b", "a"), ("a:b:c", "a"), ("a:b:c", "a:b"),
    ]  # fmt: skip
    grouped = design("y ~ x + (1 | a/b/c)")
    for pair in found:
        inner, outer = grouped.grouping(pair.inner), grouped.grouping(pair.outer)
        for label, above in zip(inner.levels, pair.above, strict=True):
            assert label.startswith(outer.levels[above])


@pytest.mark.parametrize("formula", ["y ~ (1 | a) + (1 | b)", "y ~ (1 | a:b) + (1 | a)"])
def test_crossed_factors_and_finer_ones_that_come_first_are_no_pairs(formula: str) -> None:
    assert nested.pairs(design(formula)) == []


def test_marginal_statistics_are_those_of_the_dense_covariance() -> None:
    d = design("y ~ x + (x | a/b) + (1 | a:b:c)")
    weights = np.random.default_rng(1).uniform(0.5, 2, d.rows)
    Lambdas = {"a:b": np.array([[0.7, 0.0], [0.2, 0.4]]), "a:b:c": np.array([[0.9]])}
    found = nested.marginal(d, "a", d.response, weights, Lambdas)
    V = np.diag(1 / weights)
    for name, Lambda in Lambdas.items():
        Z, codes = d.Z(name), d.grouping(name).codes
        V += (codes[:, None] == codes) * (Z @ Lambda @ Lambda.T @ Z.T)
    inverse = np.linalg.inv(V)
    X = d.X()
    X[:, 1] -= found.x_mean[1]
    b = np.linalg.solve(X.T @ inverse @ X, X.T @ inverse @ d.response)
    e = d.response - X @ b
    Za = np.einsum("nq,nj->njq", d.Z("a"), np.eye(5)[d.grouping("a").codes])
    np.testing.assert_allclose(found.b_hat, b, rtol=1e-10)
    np.testing.assert_allclose(found.XtX, X.T @ inverse @ X, rtol=1e-10)
    np.testing.assert_allclose(found.rss, e @ inverse @ e, rtol=1e-10)
    for j in range(5):
        Z = Za[:, j]
        np.testing.assert_allclose(found.ZtZ[j], Z.T @ inverse @ Z, rtol=1e-9)
        np.testing.assert_allclose(found.ZtR[j, :, 0], Z.T @ inverse @ e, rtol=1e-7, atol=1e-10)
        np.testing.assert_allclose(found.ZtR[j, :, 1:], -Z.T @ inverse @ X, rtol=1e-9, atol=1e-10)


@pytest.mark.slow
def test_nested_effects_have_one_posterior_however_they_are_parameterised() -> None:
    from arviz_stats import mcse

    data = hm.load_dataset("pastes")
    fits = [
        hm.Model("strength ~ 1 + (1 | batch/cask)", data, parameterisation=form, effects=how).fit(
            seed=4, draws=draws, adapt_delta=0.95
        )
        for form, how, draws in (
            ("auto", "sampled", 400),
            ("noncentered", "sampled", 800),
            ("auto", "integrated", 400),
        )
    ]
    for name in ("Intercept", "sigma", "sd_batch", "sd_batch:cask", "r_batch", "r_batch:cask"):
        arrays = [np.asarray(fit.data.posterior[name]) for fit in fits]
        arrays = [array.reshape(*array.shape[:2], -1) for array in arrays]
        for i in range(arrays[0].shape[2]):
            means = [array[..., i].mean() for array in arrays]
            errors = [float(mcse(array[..., i], method="mean")) for array in arrays]
            for mean, error in zip(means[:2], errors[:2], strict=True):
                assert abs(mean - means[2]) < 4.5 * np.hypot(error, errors[2]), (name, i)


def test_the_quick_fit_does_not_count_uncertainty_twice() -> None:
    """Of outer effects and of the inner ones that make up for them: sigma would come out large."""
    rng = np.random.default_rng(8)
    region, town = np.repeat(np.arange(40), 16), np.repeat(np.arange(160), 4)
    y = rng.normal(size=40)[region] + 1.5 * rng.normal(size=160)[town] + rng.normal(size=640)
    data = pd.DataFrame({"y": y, "region": region, "town": town})
    within = data.groupby("town")["y"].transform("mean")
    unbiased = np.sqrt(np.sum((data["y"] - within) ** 2) / (640 - 160))
    model = hm.Model("y ~ 1 + (1 | region) + (1 | town)", data, effects="sampled")
    handed = model.stan_data()
    assert np.exp(handed["center"][1]) == pytest.approx(unbiased, rel=0.03)
