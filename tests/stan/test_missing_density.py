"""Programs with missing values of predictors are the joint model: log density against scipy.

Every family; a predictor in a product, whose own equation has another one with missing values.
Missing values stand in the densities as any value does; in their coordinates they are drawn from
their law given a working response, which is worked out as Kalman's gain has it.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.engines.embedded import Embedded
from hiermix.families import table
from hiermix.stan.chart import Chart
from hiermix.typing import StanData
from tests.stan.test_gaussian_density import population
from tests.stan.test_log_density import (
    CASES,
    ROWS,
    Case,
    bent,
    compare_gradients,
    effects,
    frame,
    own_parameters,
    weights,
    working,
)

pytestmark = pytest.mark.usefixtures("unclimbed")

FEW, MANY = 4, 200
"""Points, of each of many families in the quick suite and in the slow one."""
FORMULAS = [
    "y ~ mi(x) * w + offset(known) + (1 | h)",
    "x | mi() ~ mi(v) + (1 | g)",
    "v | mi() ~ w",
]
NORMAL, SD, SIGMA = stats.norm(0.2, 2), stats.truncnorm(-0.3, np.inf, 0.3, 1), stats.expon(0, 2)
PRIORS = dict.fromkeys(("b", "Intercept_x", "b_x", "Intercept_v", "b_v"), "normal(0.2, 2)") | {
    "sd": "normal(0.3, 1)", "sigma_x": "exponential(0.5)", "sigma_v": "exponential(0.5)",
}  # fmt: skip


def rows_of(case: Case) -> pd.DataFrame:
    rng = np.random.default_rng(17)
    rows = frame(case.family).iloc[:ROWS].copy()
    rows["v"] = rng.normal(1, 2, ROWS)
    for name, places in (("x", [3, 4, 20, 30, 31]), ("v", [4, 9, 30])):
        rows[name] = rows[name].where(~np.isin(np.arange(ROWS), places))
    return rows


def build(case: Case) -> tuple[hm.Model, pd.DataFrame]:
    rows = rows_of(case)
    keywords: dict[str, object] = {"family": case.family, "link": case.link}
    if "binomial" in case.family and "negative" not in case.family:
        keywords["trials"] = "size"
    if case.family in ("weibull", "exponential"):
        keywords["censored"] = "late"
    intercept = {} if table.find(case.family).thresholds else {"Intercept": "normal(0.2, 2)"}
    return hm.Model(FORMULAS, rows, priors=PRIORS | intercept | case.own, **keywords), rows


def drawn(
    z: np.ndarray, eta: np.ndarray, sd: float, slope: np.ndarray, data: StanData,
    mu: np.ndarray, at: slice,
) -> tuple[np.ndarray, float]:  # fmt: skip
    """Missing values, and the log Jacobian: `mu` is the location at zero in their place."""
    noise, working = 1 / data["mi_weight"][at], data["mi_working"][at]
    gain = sd**2 * slope / (slope**2 * sd**2 + noise)
    left = np.sqrt(sd**2 - gain * slope * sd**2)
    return eta + gain * (working - mu - slope * eta) + left * z, float(np.sum(np.log(left)))


def reference(
    case: Case, model: hm.Model, data: StanData, rows: pd.DataFrame, point: np.ndarray
) -> float:
    """Log density of the coordinates: b of mu (4), of x (2), of v (2)."""
    P, D, K = 8, int(data["D"]), int(data["K"])
    theta = data["center"] + data["scale"] @ point[:D]
    own, sigmas, sd = theta[P:-4], np.exp(theta[-4:-2]), theta[-2:]
    sd, lp = bent(sd, data["center"][-2:], data["sd_spread"], data["sd_bend"])
    lp += np.sum(SD.logpdf(sd) + np.log(sd)) + np.sum(SIGMA.logpdf(sigmas) + np.log(sigmas))
    b, log_width = population(data, point[:D], sd, np.eye(2))
    lp += log_width
    d, z, W, R = b - data["b_hat"], point[D:], weights(data, theta), working(data, theta)
    u, extent = data["share"], data["extent"]
    r_h, lp_h, of_h = effects(
        W[:3, :1], R[:3, : 1 + P], sd[:1, None], d, z[:3].reshape(1, 3), u[:3], extent[0]
    )
    r_g, lp_g, of_g = effects(
        W[3:, :1], R[3:, : 1 + P], sd[1:, None], d, z[3:K].reshape(1, 4), u[3:], extent[1]
    )
    b[0] -= of_h[0]
    b[4] -= of_g[0]
    values, more = own_parameters(case, own, b[0], data.get("earliest", np.nan))
    lp += more + lp_h + lp_g + NORMAL.logpdf(b[1:]).sum()
    lp += 0.0 if table.find(case.family).thresholds else NORMAL.logpdf(b[0])
    # Predictors are centred where values that stand in were, which any linear predictor undoes.
    stand_in = {each.name: each.filled for each in model.design.imputed}
    w = rows["w"].to_numpy()
    means = [stand_in["x"].mean(), w.mean(), (stand_in["x"] * w).mean()]
    g, h = rows["g"].map("abcd".index), rows["h"].map("uvw".index)
    v, x = rows["v"].to_numpy().copy(), rows["x"].to_numpy().copy()
    no_v, no_x = np.isnan(v), np.isnan(x)
    eta_v = b[6] + b[7] * (w - w.mean())
    sigma_v, sigma_x = sigmas
    v[no_v], log_root = drawn(z[K : K + 3], eta_v[no_v], sigma_v, np.zeros(3), data,
                              np.zeros(3), slice(0, 3))  # fmt: skip
    lp += log_root
    eta_x = b[4] + b[5] * (v - stand_in["v"].mean()) + r_g[g, 0]
    without = b[0] - b[1:4] @ means + b[2] * w + rows["known"].to_numpy() + r_h[h, 0]
    slope = b[1] + b[3] * w
    x[no_x], log_root = drawn(z[K + 3 :], eta_x[no_x], sigma_x, slope[no_x], data,
                              without[no_x], slice(3, 8))  # fmt: skip
    lp += log_root
    lp += stats.norm(eta_v, sigma_v).logpdf(v).sum() + stats.norm(eta_x, sigma_x).logpdf(x).sum()
    return float(lp + np.sum(case.log_density(rows, without + slope * x, *values)))


QUICK = {"gaussian", "bernoulli", "zero_inflated_poisson", "ordinal"}


@pytest.mark.parametrize(
    ("case", "number"),
    [pytest.param(case, FEW, id=f"{case.family}-{case.link}") for case in CASES
     if case.family in QUICK and case.link != "probit" and case.link != "cloglog"]
    + [pytest.param(case, MANY, id=f"{case.family}-{case.link}-{MANY}", marks=pytest.mark.slow)
       for case in CASES],
)  # fmt: skip
def test_log_density_equals_scipy(case: Case, number: int) -> None:
    model, rows = build(case)
    ready = model.assemble(prior_only=False)
    data, program = ready.data, ready.program
    size = Chart(data).size
    points = np.random.default_rng(5).normal(0, 0.6, (number, size))
    found, gradient = Embedded().log_density(program, data, points)
    expected = np.array([reference(case, model, data, rows, point) for point in points])
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    far, _ = Embedded().log_density(program, data, 4 * points)
    assert not np.isnan(far).any()
    compare_gradients(program, data, points[:1], gradient[:1])
