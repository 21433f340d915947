"""The program that integrates one of several crossed factors out: against dense rows.

The reference has the N x N covariance of rows by the factor that is integrated out, given the
effects of the others, whose coordinates are worked out as one vector with dense matrices.
"""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import linalg, stats

import hiermix as hm
from hiermix.design.curve_factors import as_factors
from hiermix.engines.embedded import Embedded
from hiermix.stan import crossed_choice
from hiermix.stan.chart import Chart
from hiermix.tuning import bar_origins
from hiermix.typing import StanData
from tests.stan.test_gaussian_density import correlation, lkj_log_density, population
from tests.stan.test_log_density import bent, compare_gradients, effects, taken_by_outer

pytestmark = pytest.mark.usefixtures("unclimbed")

PRIORS = {"Intercept": "normal(1, 3)", "b": "normal(0.2, 2)", "sigma": "gamma(2, 1.5)",
          "sd": "normal(0.3, 1)"}  # fmt: skip
LKJ = {"cor": "lkj(1.7)"}
CASES = {
    "intercepts": "y ~ x + (1 | g) + (1 | h)",
    "slopes": "y ~ x + w + (1 + x | g) + (x | h)",
    "three effects": "y ~ x + w + (x + w | g) + (0 + w | h)",
    "three factors": "y ~ x + (x || g) + (1 | h) + (x | e)",
    "nested ones are sampled": "y ~ x + w + (1 | g) + (x | e) + (1 | e:k)",
    "nested in a sampled one": "y ~ x + (x | e) + (x | e:v) + (1 | h)",
    "no intercept": "y ~ 0 + x + (1 | g) + (x | h)",
    "smooth": "y ~ s(x, k=6) + (x | g) + (1 | h)",
    "memberships": "y ~ x + (x | mm(e, v)) + (1 | g) + (1 | h)",
    "strata": "y ~ x + (1 | gr(g, by=arm)) + (x | gr(h, by=part))",
    "curves of levels": "y ~ x + (1 | h) + s(w, g, bs='fs', k=5)",
    "variances": "y | se(t) ~ x + (x | g) + (1 | h)",
}
WEIGHTED = {"slopes", "nested ones are sampled", "three factors"}
LAST = {"nested in a sampled one": "e:v"}


def frame(far: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(17)
    rows, sizes = 200, {"g": 70, "h": 20, "e": 5, "k": 3, "v": 14}
    data = pd.DataFrame({name: rng.integers(0, size, rows) for name, size in sizes.items()})
    data["x"], data["w"] = rng.normal(2, 1, rows), rng.normal(size=rows)
    of = {name: far * rng.normal(size=sizes[name]) for name in ("g", "h")}
    data["y"] = 1 + 0.5 * data["x"] + of["g"][data["g"]] + of["h"][data["h"]]
    data["y"] += rng.normal(size=rows)
    data["arm"], data["part"] = (np.where(data[c] % 3 == 0, "a", "b") for c in ("g", "h"))
    return data.assign(t=rng.uniform(0.5, 2, rows), o=rng.normal(size=rows))


def build(case: str, data: pd.DataFrame) -> hm.Model:
    formula = CASES[case]
    keywords = {"weights": "t", "offset": "o"} if case in WEIGHTED else {}
    correlated = re.search(r"\((1 \+ |0 \+ )?x[ +w]* \| ", formula)
    priors = PRIORS | (LKJ if correlated else {})
    if "0 + x" in formula:
        priors.pop("Intercept")
    if "se(t)" in formula:
        priors.pop("sigma")
    return hm.Model(formula, data, priors=priors, **keywords)


def reference(model: hm.Model, data: StanData, point: np.ndarray) -> float:
    """Log density of the coordinates."""
    design = bar_origins.centred(as_factors(model.design), model.origins)
    design = crossed_choice.ordered(design)
    known = design.limits.se is not None
    P, D, A, S = int(data["P"]), int(data["D"]), 1 - known, int(data["S"])
    theta, z = data["center"] + data["scale"] @ point[:D], point[D:]
    blocks = [size for each in design.groupings for size in each.blocks]
    E = sum(blocks)
    sigma, log_sd = np.exp(theta[P : P + A]), slice(P + A, P + A + S)
    spread, lp = bent(theta[log_sd], data["center"][log_sd], data["sd_spread"], data["sd_bend"])
    sd = spread[data["sd_of"] - 1]
    L, at, k = np.eye(E), 0, P + A + S
    for size in blocks:
        if size > 1:
            part, pairs = slice(at, at + size), size * (size - 1) // 2
            L[part, part], jacobian = correlation(theta[k : k + pairs], size)
            lp, k = lp + jacobian + lkj_log_density(L[part, part], 1.7), k + pairs
        at += size
    b, log_width = population(data, point[:D], sd, L)
    weights = np.ones(design.rows) if design.weights is None else design.weights
    X = design.X()
    if "Intercept" in design.terms:
        X[:, 1:] -= np.average(X[:, 1:], axis=0, weights=weights)
    variance = (design.limits.se if known else sigma) ** 2 / weights
    y = design.response - (0 if design.offset is None else design.offset)
    d, e, level, at = b - data["b_hat"], 0, 0, 0
    relative: list[np.ndarray] = []
    for m, each in enumerate(design.groupings):
        J, Q = len(each.levels), len(each.effects)
        Z = design.Z(each.name)
        Lambda = sd[e : e + Q, None] * L[e : e + Q, e : e + Q]
        e += Q
        if m == len(design.groupings) - 1:
            same = each.codes[:, None] == each.codes
            covariance = np.diag(variance) + same * (Z @ Lambda @ Lambda.T @ Z.T)
            break
        W = data["ZtWZ"][level : level + J, : Q * (Q + 1) // 2]
        R = data["ZtWR"][level : level + J, : Q * (1 + P)].copy()
        R[:, :: 1 + P] -= taken_by_outer(data, m, J, Q, relative)
        share, extent = data["share"][level : level + J], data["extent"][m]
        r, more, common = effects(W, R, Lambda, d, z[at : at + Q * J].reshape(Q, J), share, extent)
        lp, level, at = lp + more, level + J, at + Q * J
        relative.append(r - common)
        b = b - (np.linalg.lstsq(X, Z, rcond=None)[0] @ common if share.any() else 0)
        y = y - np.sum(Z * each.factor.gather(r), axis=1)
    residuals = y - X @ b
    root = linalg.cholesky(covariance, lower=True)
    away = linalg.solve_triangular(root, residuals, lower=True)
    lp -= 0.5 * (len(y) * np.log(2 * np.pi) + away @ away) + np.sum(np.log(np.diag(root)))
    # A weight multiplies a row's log density: it counts as that many rows.
    lp -= 0.5 * np.sum(np.log(weights) + (weights - 1) * np.log(2 * np.pi * variance * weights))
    if "Intercept" in design.terms:
        lp += stats.norm(1, 3).logpdf(b[0])
    lp += np.sum(stats.norm(0.2, 2).logpdf(b["Intercept" in design.terms :]))
    lp += np.sum(stats.gamma(2, scale=1 / 1.5).logpdf(sigma) + np.log(sigma)) + log_width
    lp += np.sum(stats.truncnorm(-0.3, np.inf, 0.3, 1).logpdf(spread) + np.log(spread))
    return float(lp)


@pytest.mark.parametrize("points", [20, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", CASES)
def test_log_density_equals_that_of_dense_rows(case: str, points: int) -> None:
    model = build(case, frame())
    assert model.program_name == "crossed"
    assert model.design.groupings[-1].name == LAST.get(case, "g")
    ready = model.assemble(prior_only=False)
    data, program = ready.data, ready.program
    at = np.random.default_rng(5).normal(0, 0.8, (points, int(data["D"]) + int(data["K"])))
    found, gradient = Embedded().log_density(program, data, at)
    expected = np.array([reference(model, data, point) for point in at])
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    # As far out as warmup goes nothing is rejected, so that no engine has a message to print.
    assert np.isfinite(Embedded().log_density(program, data, 4 * at)[0]).all()
    compare_gradients(program, data, at[:1], gradient[:1])


@pytest.mark.parametrize("case", ["intercepts", "nested ones are sampled"])
def test_a_point_is_what_the_program_makes_of_its_coordinates(case: str) -> None:
    chart = Chart(build(case, frame()).assemble(prior_only=False).data)
    q = np.random.default_rng(3).normal(size=chart.size)
    np.testing.assert_allclose(chart.coordinates(chart.point(q)), q, atol=1e-8)


def test_levels_that_are_far_apart_cost_no_digits() -> None:
    model = build("intercepts", frame(1e5))
    ready = model.assemble(prior_only=False)
    data, program = ready.data, ready.program
    point = np.zeros((1, int(data["D"]) + int(data["K"])))
    found, _ = Embedded().log_density(program, data, point)
    assert found[0] == pytest.approx(reference(model, data, point[0]), rel=1e-10)
