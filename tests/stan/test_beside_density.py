"""The program that integrates effects of the location out beside effects of sigma: of dense rows.

The reference has the N x N covariance of rows with a sigma each, given the effects of log sigma,
whose coordinates are worked out as one vector with dense matrices.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.design.curve_factors import as_factors
from hiermix.design.groupings import Grouping
from hiermix.engines.embedded import Embedded
from hiermix.stan.chart import Chart
from hiermix.typing import StanData
from tests.design.test_curves import kernel
from tests.stan.test_gaussian_density import correlation, lkj_log_density, population
from tests.stan.test_log_density import bent, compare_gradients, effects, taken_by_outer

pytestmark = pytest.mark.usefixtures("unclimbed")

FEW, MANY = 20, 200
"""Points, in the quick suite and in the slow one."""
PRIORS = {"Intercept": "normal(1, 3)", "b": "normal(0.2, 2)", "b_sigma": "normal(0, 1)",
          "Intercept_sigma": "normal(0, 1)", "sd": "normal(0.3, 1)"}  # fmt: skip
LKJ = {"cor": "lkj(1.7)"}
CASES = {
    "the same factor": ["y ~ x + (1 | g)", "sigma ~ arm + (1 | g)"],
    "sigma alone": ["y ~ x", "sigma ~ 1 + (1 | g)"],
    "a coarser factor": ["y ~ x + (1 + x | g)", "sigma ~ arm + (1 | site)"],
    "a finer factor": ["y ~ x + w + (1 | site)", "sigma ~ 1 + (1 | g)"],
    "a factor across": ["y ~ x + w + (x || g)", "sigma ~ arm + (1 | day)"],
    "slopes of categories": ["y ~ x + (x | g)", "sigma ~ arm + (1 + arm | site)"],
    "several bars": ["y ~ x + (1 + x | site)", "sigma ~ arm + (1 | site) + (1 | g) + (1 | day)"],
    "factors beside": ["y ~ x + w + (x | g) + (1 | day)", "sigma ~ arm + (1 | site)"],
    "a smooth beside": ["y ~ x + s(w, k=5) + (1 | g)", "sigma ~ arm + (1 | site)"],
    "smooths alone": ["y ~ s(x, k=5) + s(w, k=4)", "sigma ~ 1 + (1 | g)"],
    "slopes of numbers": ["y ~ 0 + x + (0 + x | g)", "sigma ~ w + (1 + w || g)"],
}
CURVES = {"a smooth beside": [("w", 5)], "smooths alone": [("x", 5), ("w", 4)]}
"""Columns of smooths of the location, and their k."""
WEIGHTED = {"a coarser factor", "several bars"}
CORRELATED = {"a coarser factor", "slopes of categories", "several bars", "factors beside"}
NO_SLOPES = {"sigma alone", "a finer factor", "smooths alone"}
"""Of the equation of sigma."""


class Effects(NamedTuple):
    """Those of a factor that enter one equation."""

    factor: Grouping
    places: list[int]
    blocks: list[int]


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(23)
    J = 12
    g = np.repeat(np.arange(J), [1, 1, 2, 2, 3, 5, 5, 6, 8, 8, 9, 10])
    rows = len(g)
    arm, day = rng.integers(0, 2, rows), rng.integers(0, 5, rows)
    x, w = rng.normal(2, 1, rows), rng.normal(size=rows)
    y = 1 + 0.5 * x + rng.normal(size=J)[g] + np.exp(0.5 * rng.normal(size=J))[g] * (
        rng.normal(size=rows))  # fmt: skip
    names = rng.permutation([f"n{i}" for i in range(rows)])
    data = pd.DataFrame({"y": y, "x": x, "w": w, "g": names[g], "site": names[g % 4],
                         "arm": names[arm], "day": day, "t": rng.uniform(0.5, 2, rows),
                         "o": rng.normal(size=rows)})  # fmt: skip
    return data.sample(frac=1, random_state=2).reset_index(drop=True)


def build(case: str) -> hm.Model:
    location, sigma = CASES[case]
    if case in WEIGHTED:
        sigma += " + offset(o)"
    priors = PRIORS | (LKJ if case in CORRELATED else {})
    if "~ 0 +" in location:
        priors.pop("Intercept")
    if case in NO_SLOPES:
        priors.pop("b_sigma")
    keywords = {"weights": "t"} if case in WEIGHTED else {}
    return hm.Model([location, sigma], frame(), priors=priors, **keywords)


def taken_apart(model: hm.Model) -> Iterator[Effects]:
    """Yield effects as the program has them: first those of sigma, then those of the location."""
    for name in ("sigma", "mu"):
        for each in model.design.groupings:
            ends = np.cumsum(each.blocks)
            sizes = [int(size) for size, end in zip(each.blocks, ends, strict=True)
                     if each.equations[end - 1] == name]  # fmt: skip
            if sizes:
                yield Effects(each, each.of_equation(name), sizes)


def reference(case: str, model: hm.Model, data: StanData, point: np.ndarray) -> float:
    """Log density of the coordinates."""
    design, parts, curves = as_factors(model.design), list(taken_apart(model)), CURVES.get(case, [])
    P, D, P_mu = int(data["P"]), int(data["D"]), len(design.terms)
    theta, z = data["center"] + data["scale"] @ point[:D], point[D:]
    blocks = [*(size for each in parts for size in each.blocks), *(1 for _ in curves)]
    E = sum(blocks)
    log_sd = slice(P, P + E)
    sd, lp = bent(theta[log_sd], data["center"][log_sd], data["sd_spread"], data["sd_bend"])
    L, at, k = np.eye(E), 0, P + E
    for size in blocks:
        if size > 1:
            part, pairs = slice(at, at + size), size * (size - 1) // 2
            L[part, part], jacobian = correlation(theta[k : k + pairs], size)
            lp, k = lp + jacobian + lkj_log_density(L[part, part], 1.7), k + pairs
        at += size
    b, log_width = population(data, point[:D], sd, L)
    weights = np.ones(design.rows) if design.weights is None else design.weights
    X = {}
    for each in design.equations:
        X[each.name] = design.X(equation=each.name)
        if "Intercept" in each.terms:
            X[each.name][:, 1:] -= np.average(X[each.name][:, 1:], axis=0, weights=weights)
    log_sigma = design.equation("sigma").known(design.rows)
    covariance = np.zeros((design.rows, design.rows))
    d, e, level, at = b - data["b_hat"], 0, 0, 0
    relative: list[np.ndarray] = []
    for m, (factor, places, _) in enumerate(parts):
        J, Q = len(factor.levels), len(places)
        Z = (design.Z(factor.name) - model.origins[factor.name])[:, places]
        Lambda = sd[e : e + Q, None] * L[e : e + Q, e : e + Q]
        e += Q
        if factor.equations[places[0]] == "mu":
            same = factor.codes[:, None] == factor.codes
            covariance += same * (Z @ Lambda @ Lambda.T @ Z.T)
            continue
        W = data["ZtWZ"][level : level + J, : Q * (Q + 1) // 2]
        R = data["ZtWR"][level : level + J, : Q * (1 + P)].copy()
        R[:, :: 1 + P] -= taken_by_outer(data, m, J, Q, relative)
        share, extent = data["share"][level : level + J], data["extent"][m]
        r, more, common = effects(W, R, Lambda, d, z[at : at + Q * J].reshape(Q, J), share, extent)
        lp, level, at = lp + more, level + J, at + Q * J
        relative.append(r - common)
        if share.any():
            b = b.copy()
            b[P_mu:] -= np.linalg.lstsq(X["sigma"], Z, rcond=None)[0] @ common
        log_sigma = log_sigma + np.sum(Z * r[factor.codes], axis=1)
    for (column, k), one in zip(curves, sd[e:], strict=True):
        covariance += one**2 * kernel(design.frame[column].to_numpy(), k)
    variance = np.exp(2 * (log_sigma + X["sigma"] @ b[P_mu:]))
    covariance += np.diag(variance / weights)
    lp += stats.multivariate_normal(X["mu"] @ b[:P_mu], covariance).logpdf(design.response)
    # A weight multiplies a row's log density: it counts as that many rows.
    lp -= 0.5 * np.sum(np.log(weights) + (weights - 1) * np.log(2 * np.pi * variance))
    first = int("Intercept" in design.terms)
    lp += stats.norm(1, 3).logpdf(b[0]) if first else 0.0
    lp += np.sum(stats.norm(0.2, 2).logpdf(b[first:P_mu])) + log_width
    lp += np.sum(stats.norm(0, 1).logpdf(b[P_mu:]))
    lp += np.sum(stats.truncnorm(-0.3, np.inf, 0.3, 1).logpdf(sd) + np.log(sd))
    return float(lp)


def check(case: str, number: int) -> None:
    model = build(case)
    assert model.program_name == "strata_beside"
    ready = model.assemble(prior_only=False)
    data, program = ready.data, ready.program
    points = np.random.default_rng(5).normal(0, 0.8, (number, int(data["D"]) + int(data["K"])))
    found, gradient = Embedded().log_density(program, data, points)
    expected = np.array([reference(case, model, data, point) for point in points])
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    # As far out as warmup goes hardly anything is rejected, and that without a message: spreads of
    # rows may be further apart than digits.
    far = Embedded().log_density(program, data, 4 * points)[0]
    assert (far[~np.isfinite(far)] == -np.inf).all()
    assert np.isfinite(far).mean() > 0.98
    compare_gradients(program, data, points[:1], gradient[:1])


@pytest.mark.parametrize(
    "case", ["the same factor", "several bars", "factors beside", "a smooth beside"]
)
def test_log_density_equals_that_of_dense_rows(case: str) -> None:
    check(case, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_log_density_equals_that_of_dense_rows_at_many_points(case: str) -> None:
    check(case, MANY)


@pytest.mark.parametrize("case", ["the same factor", "several bars"])
def test_a_point_is_what_the_program_makes_of_its_coordinates(case: str) -> None:
    chart = Chart(build(case).assemble(prior_only=False).data)
    q = np.random.default_rng(3).normal(size=chart.size)
    np.testing.assert_allclose(chart.coordinates(chart.point(q)), q, atol=1e-8)
