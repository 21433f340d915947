"""Programs of models with Gaussian processes are the model: scipy's normal, and their spectrum."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.engines.embedded import Embedded
from tests.stan.test_gaussian_density import compare_gradient, population
from tests.stan.test_log_density import bent, effects, weights, working

pytestmark = pytest.mark.usefixtures("unclimbed")

ROWS, K, FACTOR = 40, 6, 1.4
PRIORS = {"Intercept": "normal(1, 3)", "b": "normal(0.2, 2)", "sd": "normal(0.3, 1)",
          "lengthscale": "gamma(3, 1)"}  # fmt: skip
POINTS = [20, pytest.param(200, marks=pytest.mark.slow)]


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    x, w, g, h = rng.gamma(2, 2, ROWS), rng.normal(size=ROWS), *rng.integers(0, 4, (2, ROWS))
    y = np.sin(x) + 0.4 * w + rng.normal(size=4)[g] + rng.normal(0, 0.5, ROWS)
    return pd.DataFrame({"y": y, "x": x, "w": w, "g": g, "h": h, "f": np.where(w > 0, "a", "b"),
                         "c": rng.poisson(np.exp(y))})  # fmt: skip


def waves(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns (rows, K) and frequencies of a process on the range of x."""
    middle, end = (x.min() + x.max()) / 2, FACTOR * (x.max() - x.min()) / 2
    frequency = np.pi * np.arange(1, K + 1) / (2 * end)
    return np.sin(frequency * (x[:, None] - middle + end)) / np.sqrt(end), frequency


def spectral_sds(sd: float, length: float, frequency: np.ndarray) -> np.ndarray:
    """Root of sd^2 sqrt(2 pi) length exp(-length^2 frequency^2 / 2)."""
    return np.sqrt(sd**2 * np.sqrt(2 * np.pi) * length * np.exp(-0.5 * (length * frequency) ** 2))


def log_priors(b: np.ndarray, sds: np.ndarray, lengths: np.ndarray) -> float:
    """Log prior density of coefficients and of the logarithms of spreads."""
    lp = stats.norm(1, 3).logpdf(b[0]) + np.sum(stats.norm(0.2, 2).logpdf(b[1:]))
    lp += np.sum(stats.truncnorm(-0.3, np.inf, 0.3, 1).logpdf(sds) + np.log(sds))
    return float(lp + np.sum(stats.gamma(3).logpdf(lengths) + np.log(lengths)))


CASES = {
    "alone": ("y ~ w + hsgp(x, k=6, c=1.4)", []),
    "a factor": ("y ~ w + hsgp(x, k=6, c=1.4) + (1 | g)", ["g"]),
    "a tree": ("y ~ w + hsgp(x, k=6, c=1.4) + (1 | g/h)", ["g", "g:h"]),
    "a curve for each level": ("y ~ w + hsgp(x, k=6, c=1.4, by=f) + (1 | g)", ["g"]),
}


@pytest.mark.parametrize("points", POINTS)
@pytest.mark.parametrize("case", CASES)
def test_integrated_processes_have_the_density_of_dense_rows(case: str, points: int) -> None:
    formula, factors = CASES[case]
    rows = frame()
    priors = PRIORS | {"sigma": "gamma(2, 1.5)"}
    model = hm.Model(formula, rows, priors=priors, effects="integrated")
    assert model.program_name == "nested"
    data, design, G = model.stan_data(), model.design, len(factors)
    P, S, x = int(data["P"]), int(data["S"]), rows["x"].to_numpy()
    assert P == 2
    phi, frequency = waves(x)
    shares = [rows["f"] == level for level in "ab"] if "by" in formula else [np.ones(ROWS)]
    X = np.column_stack([np.ones(ROWS), rows["w"] - rows["w"].mean()])
    same = [np.equal.outer(design.grouping(name).codes, design.grouping(name).codes)
            for name in factors]  # fmt: skip

    def sds(spreads: np.ndarray) -> np.ndarray:
        pairs = spreads[G:].reshape(-1, 2)
        return np.concatenate([spreads[:G], *(spectral_sds(*pair, frequency) for pair in pairs)])

    def reference(raw: np.ndarray) -> float:
        theta = data["center"] + data["scale"] @ raw
        sigma = np.exp(theta[P])
        spreads, lp = bent(theta[P + 1 :], data["center"][P + 1 :], data["sd_spread"],
                           data["sd_bend"])  # fmt: skip
        b, log_width = population(data, raw, spreads, np.eye(len(sds(spreads))), sds)
        covariance = sigma**2 * np.eye(ROWS)
        for sd, each in zip(spreads[:G], same, strict=True):
            covariance += sd**2 * each
        for share, pair in zip(shares, spreads[G:].reshape(-1, 2), strict=True):
            Z = np.asarray(share, float)[:, None] * phi * spectral_sds(*pair, frequency)
            covariance += Z @ Z.T
        lp += log_width + log_priors(b, np.delete(spreads, range(G + 1, S, 2)), spreads[G + 1 :: 2])
        lp += stats.gamma(2, scale=1 / 1.5).logpdf(sigma) + np.log(sigma)
        return float(lp + stats.multivariate_normal(X @ b, covariance).logpdf(rows["y"]))

    at = np.random.default_rng(5).normal(0, 1.2, (points, int(data["D"])))
    found, gradient = Embedded().log_density(model._posterior.program, data, at)
    np.testing.assert_allclose(found, [reference(raw) for raw in at], rtol=1e-10)
    compare_gradient(model, at[:4], gradient[:4])


@pytest.mark.parametrize("points", POINTS)
def test_sampled_processes_have_the_density_of_their_rows(points: int) -> None:
    """Intercept and w; sd of g, sd and lengthscale of the process."""
    rows = frame()
    model = hm.Model("c ~ w + hsgp(x, k=6, c=1.4) + (1 | g)", rows, family="poisson", priors=PRIORS)
    data, P, J = model.stan_data(), 2, 4
    phi, frequency = waves(rows["x"].to_numpy())
    np.testing.assert_allclose(data["Z"][:, -K:], phi, rtol=1e-12)
    X = np.column_stack([np.ones(ROWS), rows["w"] - rows["w"].mean()])

    def sds(spreads: np.ndarray) -> np.ndarray:
        return np.concatenate([spreads[:1], spectral_sds(*spreads[1:], frequency)])

    def reference(point: np.ndarray) -> float:
        theta, z = data["center"] + data["scale"] @ point[: data["D"]], point[data["D"] :]
        spreads, lp = bent(theta[P:], data["center"][P:], data["sd_spread"], data["sd_bend"])
        b, log_width = population(data, point[: data["D"]], spreads, np.eye(1 + K), sds)
        d, W, R, u = b - data["b_hat"], weights(data, theta), working(data, theta), data["share"]
        r, lp_g, common = effects(W[:J, :1], R[:J, : 1 + P], spreads[:1, None], d, z[:J][None],
                                  u[:J], data["extent"][0])  # fmt: skip
        s, lp_s, _ = effects(W[J:], R[J:], np.diag(sds(spreads)[1:]), d, z[J:, None], u[J:], 0.0)
        b[0] -= common[0] if u[:J].any() else 0.0
        lp += log_width + lp_g + lp_s + log_priors(b, spreads[:2], spreads[2:])
        eta = X @ b + r[rows["g"], 0] + phi @ s[0]
        return float(lp + stats.poisson(np.exp(eta)).logpmf(rows["c"]).sum())

    at = np.random.default_rng(5).normal(0, 0.7, (points, int(data["D"]) + J + K))
    found, gradient = Embedded().log_density(model._posterior.program, data, at)
    np.testing.assert_allclose(found, [reference(point) for point in at], rtol=1e-10)
    compare_gradient(model, at[:4], gradient[:4])


def test_extreme_spreads_are_numbers_or_rejected() -> None:
    model = hm.Model("y ~ hsgp(x, k=6)", frame())
    data = model.stan_data()
    at = np.random.default_rng(1).choice([-1e3, -40.0, 0.0, 40.0, 1e3], (50, int(data["D"])))
    found, _ = Embedded().log_density(model._posterior.program, data, at)
    assert (np.isfinite(found) | (found == -np.inf) | np.isnan(found)).all()


def test_many_columns_are_the_process() -> None:
    """Their covariance is the squared-exponential one, but for what the ends of the range do."""
    rows = frame()
    design = hm.Model("y ~ hsgp(x, k=160, c=4)", rows).design
    x = rows["x"].to_numpy()
    phi = design.X()[:, 1:]
    end = 4 * (x.max() - x.min()) / 2
    for length in (0.7, 2.0):
        sds = spectral_sds(1.3, length, np.pi * np.arange(1, 161) / (2 * end))
        exact = 1.3**2 * np.exp(-0.5 * ((x[:, None] - x) / length) ** 2)
        np.testing.assert_allclose((phi * sds**2) @ phi.T, exact, atol=1e-6)
