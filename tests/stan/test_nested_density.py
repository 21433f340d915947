"""The program of nested factors is the model: its log density against that of dense rows.

The reference builds the N x N covariance of the response; the priors are scipy's distributions.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.engines.embedded import Embedded
from tests.stan.test_gaussian_density import (
    compare_gradient,
    correlation,
    lkj_log_density,
    population,
)

pytestmark = pytest.mark.usefixtures("unclimbed")

POINTS = [20, pytest.param(200, marks=pytest.mark.slow)]
PRIORS = {"Intercept": "normal(1, 3)", "b": "normal(0.2, 2)", "sigma": "gamma(2, 1.5)",
          "sd": "normal(0.3, 1)"}  # fmt: skip
CASES = {
    "two levels": "y ~ x + (1 | a/b)",
    "three levels": "y ~ x + w + (1 | a/b/c)",
    "four levels": "y ~ x + (1 | a/b/c/e)",
    "slopes inside alone": "y ~ x + (1 | a) + (x | a:b)",
    "slopes outside alone": "y ~ x + w + (x + w | a) + (1 | a:b)",
    "slopes everywhere": "y ~ x + (x | a/b/c)",
    "three effects": "y ~ x + w + (x + w | a/b)",
    "independent": "y ~ x + w + (x || a) + (x + w || a:b)",
    "other slopes on every level": "y ~ x + w + (x | a) + (0 + w | a:b) + (1 + w | a:b:c)",
    "two bars of a factor": "y ~ x + w + (x | a) + (0 + w | a) + (1 + w | a:b)",
    "no population": "y ~ 0 + x + (x | a/b)",
    "crossed": "y ~ x + (1 | g) + (1 | c)",
    "crossed slopes": "y ~ x + w + (x | g) + (x + w | b)",
    "crossed first": "y ~ x + (x | b) + (1 | e) + (1 + x | g)",
    "beside a tree": "y ~ x + (x | a/b) + (1 + w | c)",
    "two beside a tree": "y ~ x + w + (x || c) + (x + w | a) + (1 | a:b) + (1 | e)",
}

UNCORRELATED = {"two levels", "three levels", "four levels", "independent", "crossed"}
WEIGHTED = {
    "three levels", "slopes everywhere", "independent", "other slopes on every level",
    "crossed slopes", "two beside a tree",
}  # fmt: skip


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(12)
    rows = 60
    a, b, c, e = (rng.integers(0, n, rows) for n in (4, 3, 2, 2))
    x, w = rng.normal(3, 2, rows), rng.normal(size=rows)
    y = 1 + 0.5 * x + rng.normal(size=4)[a] + rng.normal(size=(4, 3))[a, b] + rng.normal(size=rows)
    # Labels whose order is not that of the levels around them.
    names = rng.permutation([f"n{i}" for i in range(rows)])
    return pd.DataFrame({"y": y, "x": x, "w": w, "a": names[a], "b": names[b], "c": names[c],
                         "e": names[e], "g": rng.integers(0, 12, rows),
                         "h": rng.uniform(0.5, 2, rows), "k": rng.normal(size=rows)})  # fmt: skip


def dense(
    model: hm.Model,
    raw: np.ndarray,
    lkj: float,
    kernels: Sequence[np.ndarray] = (),
    parts: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> float:
    """Log density of the coordinates, of dense rows, with the weights and offsets of the model.

    `kernels` are covariances (rows, rows) of further effects, each of an sd that comes last;
    `parts` are what rows have of the levels (rows, J) of a factor, where it is not one level; or
    (rows, J, Q), where it differs from effect to effect, with columns of Z in it.
    """
    data, design = model.stan_data(), model.design
    theta = data["center"] + data["scale"] @ raw
    blocks = [size for each in design.groupings for size in each.blocks] + [1] * len(kernels)
    P, E = int(data["P"]), sum(blocks)
    sigma = np.exp(theta[P])
    t = (theta - data["center"])[P + 1 : P + 1 + E] / data["sd_spread"]
    bend, softplus = data["sd_bend"], np.logaddexp(0, -t)
    sd = np.exp(theta[P + 1 : P + 1 + E] - bend * softplus**2 / 2)
    lp = float(np.sum(np.log(1 + bend * softplus / (1 + np.exp(t)) / data["sd_spread"])))
    L, at, k = np.eye(E), 0, 0
    for size in blocks:
        pairs, part = size * (size - 1) // 2, slice(at, at + size)
        if size > 1:
            L[part, part], jacobian = correlation(theta[P + 1 + E :][k : k + pairs], size)
            lp += jacobian + lkj_log_density(L[part, part], lkj)
        at, k = at + size, k + pairs
    b, log_width = population(data, raw, sd, L)
    weights = np.ones(design.rows) if design.weights is None else design.weights
    X = design.X()[:, :P]
    if "Intercept" in design.terms:
        X[:, 1:] -= np.average(X[:, 1:], axis=0, weights=weights)
    covariance, at = np.diag(sigma**2 / weights), 0
    for each in design.groupings:
        Q = len(each.effects)
        Lambda = sd[at : at + Q, None] * L[at : at + Q, at : at + Q]
        Z = design.Z(each.name) - model.origins[each.name]
        share = parts.get(each.name)
        at += Q
        if share is not None and share.ndim == 3:
            moved = share @ Lambda
            covariance += np.einsum("ijq,ljq->il", moved, moved)
            continue
        same = each.codes[:, None] == each.codes if share is None else share @ share.T
        covariance += same * (Z @ Lambda @ Lambda.T @ Z.T)
    for kernel, spread in zip(kernels, sd[at:], strict=True):
        covariance += spread**2 * kernel
    y = design.response - (0 if design.offset is None else design.offset)
    C, e = np.linalg.cholesky(covariance), y - X @ b
    lp += log_width - np.sum(np.linalg.solve(C, e) ** 2) / 2 - np.sum(np.log(np.diag(C)))
    lp -= design.rows * np.log(2 * np.pi) / 2
    # A weight multiplies a row's log density: it counts as that many rows.
    lp -= 0.5 * np.sum(np.log(weights) + (weights - 1) * np.log(2 * np.pi * sigma**2))
    if "Intercept" in design.terms:
        lp += stats.norm(1, 3).logpdf(b[0])
    lp += sum(stats.norm(0.2, 2).logpdf(b["Intercept" in design.terms :]))
    lp += stats.gamma(2, scale=1 / 1.5).logpdf(sigma) + np.log(sigma)
    lp += np.sum(stats.truncnorm(-0.3, np.inf, 0.3, 1).logpdf(sd) + np.log(sd))
    return float(lp)


@pytest.mark.parametrize("number", POINTS)
@pytest.mark.parametrize("case", CASES)
def test_log_density_equals_that_of_dense_rows(case: str, number: int) -> None:
    formula = CASES[case]
    weighted = {"weights": "h", "offset": "k"} if case in WEIGHTED else {}
    priors = PRIORS | ({} if case in UNCORRELATED else {"cor": "lkj(1.7)"})
    if "0 + x +" in formula:
        priors.pop("Intercept")
    model = hm.Model(formula, frame(), priors=priors, effects="integrated", **weighted)
    assert model.program_name == "nested"
    data = model.stan_data()
    points = np.random.default_rng(5).normal(0, 1.5, (number, int(data["D"])))
    program = model._posterior.program
    found, gradient = Embedded().log_density(program, data, points)
    expected = np.array([dense(model, point, 1.7) for point in points])
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    compare_gradient(model, points[:4], gradient[:4])
