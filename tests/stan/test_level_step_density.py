"""Monotonic effects in products and by group: log densities of programs against scipy's."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import gammaln, log_softmax

import hiermix as hm
from hiermix.engines.embedded import Embedded
from tests.stan.test_gaussian_density import compare_gradient, lkj_log_density
from tests.stan.test_log_density import bent, effects, weights, working

pytestmark = pytest.mark.usefixtures("unclimbed")

ROWS, J, LKJ = 60, 5, 1.7
POINTS = [20, pytest.param(200, marks=pytest.mark.slow)]
PRIORS = {"Intercept": "normal(1, 3)", "b": "normal(0.2, 2)", "cor": f"lkj({LKJ})"}
SD = stats.truncnorm(-0.3, np.inf, 0.3, 1)


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    o, g, h = rng.permutation(np.arange(ROWS) % 4), rng.integers(0, J, ROWS), np.arange(ROWS) % J
    return pd.DataFrame({
        "o": o, "g": g, "h": h, "w": rng.normal(size=ROWS), "f": np.array(list("abc"))[g % 3],
        "c": rng.poisson(np.exp(0.3 * o)), "y": rng.normal(size=ROWS),
    })  # fmt: skip


def steps(rows: pd.DataFrame) -> np.ndarray:
    """Which of its three steps a row has behind it."""
    return np.column_stack([rows["o"] >= level for level in (1, 2, 3)]).astype(float)


def by_level(rows: pd.DataFrame, memberships: bool) -> np.ndarray:
    """How much each row has of each level."""
    one = np.eye(J)[rows["g"]]
    return (one + np.eye(J)[rows["h"]]) / 2 if memberships else one


@pytest.mark.parametrize("points", POINTS)
@pytest.mark.parametrize("factor", ["g", "mm(g, h)"])
def test_sampled_slopes_of_steps_have_the_density_of_their_rows(factor: str, points: int) -> None:
    rows = frame()
    formula = f"c ~ mo(o) * w + (mo(o) | {factor})"
    # Where the prior of the intercept's sd is written, it holds where the steps start.
    written = "sd[g, mo(o)]" if factor == "g" else "sd"
    priors = PRIORS | {written: "normal(0.3, 1)"}
    model = hm.Model(formula, rows, family="poisson", priors=priors)
    scale = model.priors[f"sd[{factor}, Intercept]"].scale
    first = stats.t(3, 0, scale) if factor == "g" else SD
    data, M = model.stan_data(), by_level(rows, factor != "g")
    assert model._posterior.data["moved_by"].tolist() == [0, 1]
    S, w = steps(rows), rows["w"].to_numpy()
    P, origin = 8, rows["o"].mean() if factor == "g" else 0.0

    def reference(point: np.ndarray) -> float:
        theta, z = data["center"] + data["scale"] @ point[: data["D"]], point[data["D"] :]
        sds, lp = bent(theta[P:-1], data["center"][P:-1], data["sd_spread"], data["sd_bend"])
        rho = np.tanh(theta[-1])
        L = np.array([[1, 0], [rho, np.sqrt(1 - rho**2)]])
        lp += np.log1p(-(rho**2)) + lkj_log_density(L, LKJ)
        lp += first.logpdf(sds[0]) + np.log(2) * (factor == "g") + SD.logpdf(sds[1])
        lp += np.log(sds).sum()
        each = [log_softmax([0.0, *theta[k : k + 2]]) for k in (3, 6)]
        one, other = (3 * np.exp(logs) for logs in each)
        lp += sum(gammaln(3) + logs.sum() for logs in each)
        b = np.concatenate([theta[:2], theta[2] * one, theta[5] * other])
        lp += stats.norm(1, 3).logpdf(b[0]) + stats.norm(0.2, 2).logpdf(theta[[1, 2, 5]]).sum()
        d = b - data["b_hat"]
        R = working(data, theta)
        r, lp_r, _ = effects(
            weights(data, theta), R, sds[:, None] * L, d, z.reshape(2, J), data["share"], 0.0
        )
        X = np.column_stack([w, S, S * w[:, None]])
        eta = b[0] + (X - X.mean(axis=0)) @ b[1:]
        eta += np.sum((M @ r) * np.column_stack([np.ones(ROWS), S @ one - origin]), axis=1)
        return float(lp + lp_r + stats.poisson(np.exp(eta)).logpmf(rows["c"]).sum())

    at = np.random.default_rng(5).normal(0, 0.6, (points, int(data["D"]) + 2 * J))
    found, gradient = Embedded().log_density(model._posterior.program, data, at)
    np.testing.assert_allclose(found, [reference(point) for point in at], rtol=1e-10)
    compare_gradient(model, at[:3], gradient[:3])


def test_slopes_of_steps_in_another_equation() -> None:
    rows = frame()
    formula = ["y ~ w", "sigma ~ mo(o) + (0 + mo(o) | g)"]
    priors = {"Intercept": "normal(1, 3)", "b": "normal(0.2, 2)", "sd": "normal(0.3, 1)",
              "Intercept_sigma": "normal(0, 1)", "b_sigma": "normal(0, 0.5)"}  # fmt: skip
    model = hm.Model(formula, rows, priors=priors, effects="sampled")
    data, S, P, g = model.stan_data(), steps(rows), 6, rows["g"].to_numpy()
    X = rows["w"] - rows["w"].mean()

    def reference(point: np.ndarray) -> float:
        theta, z = data["center"] + data["scale"] @ point[: data["D"]], point[data["D"] :]
        sds, lp = bent(theta[P:], data["center"][P:], data["sd_spread"], data["sd_bend"])
        lp += np.sum(SD.logpdf(sds) + np.log(sds))
        logs = log_softmax([0.0, *theta[4:6]])
        one = 3 * np.exp(logs)
        lp += gammaln(3) + logs.sum() + stats.norm(1, 3).logpdf(theta[0])
        lp += stats.norm(0.2, 2).logpdf(theta[1]) + stats.norm(0, 1).logpdf(theta[2])
        lp += stats.norm(0, 0.5).logpdf(theta[3])
        b = np.concatenate([theta[:3], theta[3] * one])
        W, R = weights(data, theta), working(data, theta)
        r, lp_r, _ = effects(
            W, R, np.diag(sds), b - data["b_hat"], z[None], data["share"], 0.0
        )  # fmt: skip
        log_sigma = b[2] + (S - S.mean(axis=0)) @ b[3:] + r[g, 0] * (S @ one)
        law = stats.norm(b[0] + b[1] * X, np.exp(log_sigma))
        return float(lp + lp_r + law.logpdf(rows["y"]).sum())

    at = np.random.default_rng(5).normal(0, 0.6, (20, int(data["D"]) + J))
    found, gradient = Embedded().log_density(model._posterior.program, data, at)
    np.testing.assert_allclose(found, [reference(point) for point in at], rtol=1e-10)
    compare_gradient(model, at[:3], gradient[:3])
