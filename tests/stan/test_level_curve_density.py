"""Programs of models with curves of levels are the model: scipy's normal, kernels from a grid."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import hiermix as hm
from hiermix.design.curve_factors import as_factors
from hiermix.design.effect_sizes import EffectSizes
from hiermix.engines.embedded import Embedded
from hiermix.families.prior import Prior
from hiermix.statistics import tree
from hiermix.tuning.coordinates import Hyperpriors
from hiermix.tuning.tree_likelihood import TreeRestricted
from tests.design.test_curves import CYCLE, cyclic_kernel, kernel
from tests.stan.test_gaussian_density import compare_gradient, population
from tests.stan.test_log_density import bent, effects, weights, working

pytestmark = pytest.mark.usefixtures("unclimbed")

ROWS, K = 60, 3
POINTS = [20, pytest.param(200, marks=pytest.mark.slow)]
PRIORS = {"Intercept": "normal(1, 3)", "b": "normal(0.2, 2)", "sd": "normal(0.3, 1)"}


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x, w, (g, h) = rng.gamma(2, 2, ROWS), rng.normal(size=ROWS), rng.integers(0, 4, (2, ROWS))
    y = np.sin(x + g) + 0.4 * w + rng.normal(size=4)[h] + rng.normal(0, 0.5, ROWS)
    return pd.DataFrame({"y": y, "x": x, "w": w, "g": g, "h": h, "c": rng.poisson(np.exp(y))})


def parts(rows: pd.DataFrame) -> list[np.ndarray]:
    """Covariances (rows, rows) of intercepts, slopes and bends of levels of g, of sds of one."""
    x, g = rows["x"].to_numpy(), rows["g"].to_numpy()
    same, line = np.equal.outer(g, g), x - x.mean()
    return [same * 1.0, same * np.outer(line, line), same * kernel(x, K + 2)]


def of_level(rows: pd.DataFrame, name: str) -> np.ndarray:
    return np.equal.outer(rows[name].to_numpy(), rows[name].to_numpy()) * 1.0


CASES = {
    "alone": "y ~ w + s(x, g, bs='fs', k=5)",
    "beside a factor": "y ~ w + s(x, g, bs='fs', k=5) + (1 | h)",
    "beside a smooth and a slope": "y ~ w + s(x, k=5) + (0 + w | g) + s(x, g, bs='fs', k=5)",
}


def kernels(case: str, rows: pd.DataFrame) -> list[np.ndarray]:
    """In the order of the sds of the program."""
    if case == "alone":
        return parts(rows)
    if case == "beside a factor":
        return [of_level(rows, "h"), *parts(rows)]
    w = rows["w"].to_numpy()
    return [of_level(rows, "g") * np.outer(w, w), *parts(rows), kernel(rows["x"].to_numpy(), 5)]


@pytest.mark.parametrize("points", POINTS)
@pytest.mark.parametrize("case", CASES)
def test_integrated_curves_have_the_density_of_dense_rows(case: str, points: int) -> None:
    rows = frame()
    priors = PRIORS | {"sigma": "gamma(2, 1.5)"}
    model = hm.Model(CASES[case], rows, priors=priors, effects="integrated")
    data, design = model.stan_data(), model.design
    P, of = int(data["P"]), data["sd_of"] - 1
    X = design.X()[:, :P]
    X[:, 1:] -= X[:, 1:].mean(axis=0)
    known = kernels(case, rows)
    assert len(known) == data["S"] < data["E"]

    def reference(raw: np.ndarray) -> float:
        theta = data["center"] + data["scale"] @ raw
        sigma = np.exp(theta[P])
        sds, lp = bent(theta[P + 1 :], data["center"][P + 1 :], data["sd_spread"], data["sd_bend"])
        b, log_width = population(data, raw, sds, np.eye(len(of)), lambda sd: sd[of])
        covariance = sigma**2 * np.eye(ROWS)
        covariance += sum(sd**2 * each for sd, each in zip(sds, known, strict=True))
        lp += log_width + np.sum(stats.truncnorm(-0.3, np.inf, 0.3, 1).logpdf(sds) + np.log(sds))
        lp += stats.norm(1, 3).logpdf(b[0]) + np.sum(stats.norm(0.2, 2).logpdf(b[1:]))
        lp += stats.gamma(2, scale=1 / 1.5).logpdf(sigma) + np.log(sigma)
        return float(lp + stats.multivariate_normal(X @ b, covariance).logpdf(rows["y"]))

    at = np.random.default_rng(5).normal(0, 1.2, (points, int(data["D"])))
    found, gradient = Embedded().log_density(model._posterior.program, data, at)
    np.testing.assert_allclose(found, [reference(raw) for raw in at], rtol=1e-10)
    compare_gradient(model, at[:4], gradient[:4])


@pytest.mark.parametrize("points", POINTS)
def test_sampled_curves_have_the_density_of_their_rows(points: int) -> None:
    rows = frame()
    model = hm.Model("c ~ w + s(x, g, bs='fs', k=5)", rows, family="poisson", priors=PRIORS)
    data, P, J, Q = model.stan_data(), 2, 4, 2 + K
    Z = data["Z"]
    np.testing.assert_allclose(
        Z[:, :2], np.column_stack([np.ones(ROWS), rows["x"] - rows["x"].mean()])
    )
    np.testing.assert_allclose(Z[:, 2:] @ Z[:, 2:].T, kernel(rows["x"].to_numpy(), 5), atol=1e-9)
    X = np.column_stack([np.ones(ROWS), rows["w"] - rows["w"].mean()])
    of = np.array([0, 1, 2, 2, 2])

    def reference(point: np.ndarray) -> float:
        theta, z = data["center"] + data["scale"] @ point[: data["D"]], point[data["D"] :]
        sds, lp = bent(theta[P:], data["center"][P:], data["sd_spread"], data["sd_bend"])
        b, log_width = population(data, point[: data["D"]], sds, np.eye(Q), lambda sd: sd[of])
        d, u = b - data["b_hat"], data["share"]
        r, lp_r, _ = effects(
            weights(data, theta), working(data, theta), np.diag(sds[of]), d, z.reshape(Q, J), u, 0.0
        )
        lp += log_width + lp_r + stats.norm(1, 3).logpdf(b[0]) + stats.norm(0.2, 2).logpdf(b[1])
        lp += np.sum(stats.truncnorm(-0.3, np.inf, 0.3, 1).logpdf(sds) + np.log(sds))
        eta = X @ b + np.sum(Z * r[rows["g"]], axis=1)
        return float(lp + stats.poisson(np.exp(eta)).logpmf(rows["c"]).sum())

    at = np.random.default_rng(5).normal(0, 0.6, (points, int(data["D"]) + J * Q))
    found, gradient = Embedded().log_density(model._posterior.program, data, at)
    np.testing.assert_allclose(found, [reference(point) for point in at], rtol=1e-10)
    compare_gradient(model, at[:4], gradient[:4])


@pytest.mark.parametrize(
    "formula",
    ["y ~ w + s(x, k=5)", "y ~ w + s(x, g, bs='fs', k=5)", f"y ~ w + s(x, k=5, {CYCLE})"],
)
def test_the_top_of_the_restricted_likelihood_is_that_of_dense_rows(formula: str) -> None:
    """What mgcv calls REML: flat priors, sds at the top, against dense rows with no line left."""
    rows, flat = frame(), Prior("normal", (0.0, 1e8))
    design = hm.Model(formula, rows).design
    d = as_factors(design)
    x, y = rows["x"].to_numpy(), rows["y"].to_numpy()
    columns = [np.ones(ROWS), rows["w"].to_numpy()]
    known = parts(rows) if "fs" in formula else [kernel(x, 5)]
    known = [cyclic_kernel(x, 5)] if "cc" in formula else known
    X = np.column_stack([*columns, x] if formula == "y ~ w + s(x, k=5)" else columns)
    sizes = EffectSizes.concatenated([each.spreads for each in d.groupings])
    blocks = [size for each in d.groupings for size in each.blocks]
    priors = Hyperpriors(
        b=[flat] * len(d.terms), sigma=flat, sd=[flat] * sizes.spreads, sizes=sizes,
        lkj=[1.0] * len(blocks), blocks=blocks,
    )  # fmt: skip
    density = TreeRestricted(tree.statistics(d, d.response, None), priors)

    def ours(phi: np.ndarray) -> float:
        return density.prior.value_and_gradient(phi)[0] - density.value_and_gradient(phi)[0]

    def dense(phi: np.ndarray) -> float:
        V = np.exp(2 * phi[0]) * np.eye(ROWS)
        V += sum(np.exp(2 * u) * each for u, each in zip(phi[1:], known, strict=True))
        VX = np.linalg.solve(V, X)
        e = y - X @ np.linalg.solve(X.T @ VX, VX.T @ y)
        log_det = np.linalg.slogdet(V)[1] + np.linalg.slogdet(X.T @ VX)[1]
        return float(0.5 * (log_det + e @ np.linalg.solve(V, e)))

    start = np.full(1 + sizes.spreads, -0.5)
    options = {"xatol": 1e-6, "fatol": 1e-10, "maxiter": 4000, "maxfev": 4000}
    tops = [optimize.minimize(each, start, method="Nelder-Mead", options=options)
            for each in (ours, dense)]  # fmt: skip
    np.testing.assert_allclose(np.exp(tops[0].x), np.exp(tops[1].x), atol=1e-4)
