"""Coefficients of smooths and effects of groups beside series, drawn together: a dense normal's."""

import numpy as np
import pandas as pd
import pytest

from hiermix.design.curve_factors import as_factors
from hiermix.statistics.conditional_effects import Hyperdraws
from hiermix.statistics.integrated_effects import integrated_effects
from tests.stan.test_patterned_density import CASES, frame, model_of

S = 2000


@pytest.mark.parametrize("far", [0.0, pytest.param(1e4, marks=pytest.mark.slow)])
def test_effects_have_the_law_of_a_dense_normal(far: float) -> None:
    rows = frame()
    rows["y"] += far * pd.factorize(rows["g"])[0]
    model = model_of(CASES["nested, and a smooth"], rows)
    design, ready = as_factors(model.design), model._posterior
    site, g, curve = design.groupings
    assert (site.name, g.name, curve.name) == ("site", "g", "s(x)")
    # 1. One draw of everything else, S times.
    sd, rho, sigma = np.array([0.7, 1.2, 0.4, 0.9]), 0.6, 0.8
    L = np.eye(4)
    L[2, 1:3] = 0.5, np.sqrt(0.75)
    Lambda = sd[:, None] * L
    b = np.array([1.0, 0.4, -0.3])[: len(design.terms)]
    draws = Hyperdraws(
        np.tile(b, (S, 1)), {"sigma": np.full(S, sigma), "rho": np.full(S, rho)},
        np.tile(Lambda, (S, 1, 1)),
    )  # fmt: skip
    eye = {each.name: np.eye(len(each.effects)) for each in design.groupings}
    assert ready.gram is not None
    found = integrated_effects(ready.gram, draws, ready.groupings, eye, 1, (1, S)).all_levels()
    # 2. The same of dense rows.
    Z_g = design.Z("g") - model.origins["g"]
    at_g, at_site = (np.eye(len(each.levels))[each.codes] for each in (g, site))
    parts = [at_site, at_g * Z_g[:, :1], at_g * Z_g[:, 1:], curve.factor.gather(np.eye(3))]
    A = np.hstack(parts)
    G = np.zeros((A.shape[1],) * 2)
    n, J, K = at_site.shape[1], at_g.shape[1], 3
    G[:n, :n] = sd[0] ** 2 * np.eye(n)
    G[n : n + 2 * J, n : n + 2 * J] = np.kron((Lambda @ Lambda.T)[1:3, 1:3], np.eye(J))
    G[n + 2 * J :, n + 2 * J :] = sd[3] ** 2 * np.eye(K)
    time = rows["late"].to_numpy()
    gaps = rows.sort_values("late").groupby("g")["late"].diff().dropna()
    apart = np.abs(time[:, None] - time) / np.median(gaps)
    same = g.codes[:, None] == g.codes
    Q = np.linalg.inv(sigma**2 * rho**apart * same)
    X = design.X()
    X[:, 1:] -= X[:, 1:].mean(axis=0)
    covariance = np.linalg.inv(np.linalg.inv(G) + A.T @ Q @ A)
    mean = covariance @ (A.T @ (Q @ (rows["y"].to_numpy() - X @ b)))
    # 3. Means, variances and covariances within five errors.
    flat = {name: r[0].reshape(S, -1, r.shape[-1]) for name, r in found.items()}
    drawn = np.hstack([flat["site"][..., 0], flat["g"][..., 0], flat["g"][..., 1],
                       flat["s(x)"][..., 0]])  # fmt: skip
    size = np.sqrt(np.diag(covariance))
    assert (np.abs(drawn.mean(axis=0) - mean) < 5 * size / np.sqrt(S) + 1e-9 * far).all()
    z = (drawn - drawn.mean(axis=0)) / size
    off = np.abs(z.T @ z / S - covariance / np.outer(size, size))
    assert off.max() < 6 * np.sqrt(2 / S)


def test_levels_have_the_same_effects_whatever_is_asked_for() -> None:
    model = model_of(CASES["nested, and a smooth"], frame())
    fit = model.fit(chains=1, warmup=60, draws=20, seed=1, progress=False)
    later = model.fit(chains=1, warmup=60, draws=20, seed=1, progress=False, memory=1)
    for name in ("g", "site"):
        pd.testing.assert_frame_equal(fit.group_effects(name), later.group_effects(name))
