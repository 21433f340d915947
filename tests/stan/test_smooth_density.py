"""Programs of models with smooths are the model: their log density against scipy's normal."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.engines.embedded import Embedded
from tests.design.test_curves import CYCLE, cyclic_kernel, kernel
from tests.stan.test_gaussian_density import compare_gradient, population
from tests.stan.test_log_density import bent, effects, weights, working
from tests.stan.test_nested_density import PRIORS, dense

pytestmark = pytest.mark.usefixtures("unclimbed")

POINTS = [20, pytest.param(200, marks=pytest.mark.slow)]
ROWS = 48


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    x, w = rng.gamma(2, 3, ROWS), rng.normal(size=ROWS)
    f, g, h = (rng.integers(0, n, ROWS) for n in (2, 5, 3))
    y = np.sin(x / 2) + 0.4 * w + rng.normal(size=5)[g] + rng.normal(0, 0.5, ROWS)
    return pd.DataFrame({"y": y, "x": x, "w": w, "f": np.array(["a", "b"])[f], "g": g, "h": h,
                         "c": rng.poisson(np.exp(y)), "k": rng.uniform(0.5, 2, ROWS)})  # fmt: skip


def of(column: str, k: int, by: str | None = None) -> list[np.ndarray]:
    data = frame()
    x = data[column].to_numpy()
    if by is None:
        return [kernel(x, k)]
    return [kernel(x, k, (data[by] == level).to_numpy(float)) for level in ("a", "b")]


CASES = {
    "y ~ w + s(x, k=6)": of("x", 6),
    "y ~ 0 + w + s(x, k=6)": of("x", 6),
    "y ~ s(x) + s(w, k=5)": of("x", 10) + of("w", 5),
    "y ~ w + s(x, k=6) + (1 | g)": of("x", 6),
    "y ~ f + s(x, k=6, by=f) + (1 + w || g)": of("x", 6, "f"),
    f"y ~ w + s(x, k=6, {CYCLE}) + (1 | g)": [cyclic_kernel(frame()["x"].to_numpy(), 6)],
    "y ~ w + s(x, k=6) + (1 | g/h)": of("x", 6),
    "y ~ w + s(x, k=6) + (1 | g) + (1 | h)": of("x", 6),
}


@pytest.mark.parametrize("number", POINTS)
@pytest.mark.parametrize("formula", CASES)
def test_integrated_smooths_have_the_density_of_dense_rows(formula: str, number: int) -> None:
    weights = {"weights": "k"} if "(1 | g)" in formula and "h" not in formula else {}
    priors = PRIORS if "0 +" not in formula else {k: v for k, v in PRIORS.items() if k[0] != "I"}
    model = hm.Model(formula, frame(), effects="integrated", priors=priors, **weights)
    assert model.program_name == "nested"
    data = model.stan_data()
    points = np.random.default_rng(5).normal(0, 1.5, (number, int(data["D"])))
    found, gradient = Embedded().log_density(model._posterior.program, data, points)
    expected = np.array([dense(model, point, 1.7, CASES[formula]) for point in points])
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    compare_gradient(model, points[:4], gradient[:4])


@pytest.mark.parametrize("number", POINTS)
def test_sampled_smooths_have_the_density_of_their_rows(number: int) -> None:
    """Intercept, w and the line of x; sds of g and of what bends the line."""
    rows = frame()
    formula = "c ~ w + s(x, k=6) + (1 | g)"
    priors = {name: text for name, text in PRIORS.items() if name != "sigma"}
    model = hm.Model(formula, rows, family="poisson", priors=priors)
    data, P, J, K = model.stan_data(), 3, 5, 4
    np.testing.assert_allclose(
        data["basis_Z"] @ data["basis_Z"].T, CASES["y ~ w + s(x, k=6)"][0], atol=1e-9
    )
    X = model.design.X()[:, :P]
    X[:, 1:] -= X[:, 1:].mean(axis=0)

    def reference(point: np.ndarray) -> float:
        theta, z = data["center"] + data["scale"] @ point[: data["D"]], point[data["D"] :]
        sd, lp = bent(theta[P:], data["center"][P:], data["sd_spread"], data["sd_bend"])
        b, log_width = population(data, point[: data["D"]], sd, np.eye(2))
        lp += log_width + np.sum(stats.truncnorm(-0.3, np.inf, 0.3, 1).logpdf(sd) + np.log(sd))
        d, W, R, u = b - data["b_hat"], weights(data, theta), working(data, theta), data["share"]
        r, lp_g, common = effects(W[:J], R[:J], sd[:1, None], d, z[:J][None], u[:J],
                                  data["extent"][0])  # fmt: skip
        s, lp_s, _ = effects(W[J:], R[J:], sd[1:, None], d, z[J:][None], u[J:], 0.0)
        b[0] -= common[0] if u[:J].any() else 0.0
        lp += stats.norm(1, 3).logpdf(b[0]) + np.sum(stats.norm(0.2, 2).logpdf(b[1:]))
        eta = X @ b + r[rows["g"], 0] + data["basis_Z"] @ s[:, 0]
        return float(lp + lp_g + lp_s + stats.poisson(np.exp(eta)).logpmf(rows["c"]).sum())

    points = np.random.default_rng(5).normal(0, 0.7, (number, int(data["D"]) + J + K))
    found, gradient = Embedded().log_density(model._posterior.program, data, points)
    np.testing.assert_allclose(found, [reference(point) for point in points], rtol=1e-10)
    compare_gradient(model, points[:4], gradient[:4])
