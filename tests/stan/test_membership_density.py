"""Programs of rows that have several levels of a factor: their log density against scipy's."""

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
from tests.stan.test_log_density import bent, effects, weights, working
from tests.stan.test_nested_density import PRIORS, dense

pytestmark = pytest.mark.usefixtures("unclimbed")

POINTS, ROWS, J = 100, 48, 6
LABELS = [f"s{j}" for j in range(J)]


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    first = rng.integers(0, J, ROWS)
    second = (first + rng.integers(0, J, ROWS)) % J  # some twice the same
    return pd.DataFrame({
        "y": rng.normal(size=ROWS), "c": rng.poisson(2, ROWS), "w": rng.normal(size=ROWS),
        "p": np.array(LABELS)[first], "q": np.array(LABELS)[second], "g": rng.integers(0, 5, ROWS),
        "u": rng.uniform(0, 1, ROWS), "v": rng.uniform(0.1, 1, ROWS),
        "a": rng.normal(2, 1, ROWS), "b": rng.normal(1, 2, ROWS),
    })  # fmt: skip


def parts(weights: bool, scale: bool = True) -> np.ndarray:
    """What each row has of each level (rows, J), added up label by label."""
    data, found = frame(), np.zeros((ROWS, J))
    for row, (p, q, u, v) in enumerate(
        zip(data["p"], data["q"], data["u"], data["v"], strict=True)
    ):
        one, two = (u, v) if weights else (1.0, 1.0)
        total = one + two if scale else 1.0
        found[row, LABELS.index(p)] += one / total
        found[row, LABELS.index(q)] += two / total
    return found


WEIGHTED = "mm(p, q, weights=cbind(u, v))"
CASES = {
    "y ~ w + (1 | mm(p, q))": parts(weights=False),
    "y ~ w + (1 | mm(p, q, scale=False))": parts(weights=False, scale=False),
    f"y ~ w + (1 | {WEIGHTED})": parts(weights=True),
    "y ~ w + (1 | mm(p, q, weights=cbind(u, v), scale=False))": parts(weights=True, scale=False),
    f"y ~ w + (1 + w || {WEIGHTED}) + (1 | g)": parts(weights=True),
    f"y ~ w + (1 + w | {WEIGHTED})": parts(weights=True),
}


@pytest.mark.parametrize("formula", CASES)
def test_integrated_effects_have_the_density_of_dense_rows(formula: str) -> None:
    priors = PRIORS | ({"cor": "lkj(1.7)"} if "w | mm" in formula else {})
    model = hm.Model(formula, frame(), effects="integrated", priors=priors)
    data, whole = model.stan_data(), {"mm(p, q)": CASES[formula]}
    points = np.random.default_rng(5).normal(0, 1.5, (POINTS, int(data["D"])))
    found, gradient = Embedded().log_density(model._posterior.program, data, points)
    expected = np.array([dense(model, point, 1.7, parts=whole) for point in points])
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    compare_gradient(model, points[:2], gradient[:2])


def test_sampled_effects_have_the_density_of_their_rows() -> None:
    rows, M, P = frame(), parts(weights=True), 2
    priors = {name: text for name, text in PRIORS.items() if name != "sigma"}
    model = hm.Model(f"c ~ w + (1 | {WEIGHTED})", rows, family="poisson", priors=priors)
    data, X = model.stan_data(), np.column_stack([np.ones(ROWS), rows["w"] - rows["w"].mean()])

    def reference(point: np.ndarray) -> float:
        theta, z = data["center"] + data["scale"] @ point[: data["D"]], point[data["D"] :]
        sd, lp = bent(theta[P:], data["center"][P:], data["sd_spread"], data["sd_bend"])
        b, log_width = population(data, point[: data["D"]], sd, np.eye(1))
        lp += log_width + np.sum(stats.truncnorm(-0.3, np.inf, 0.3, 1).logpdf(sd) + np.log(sd))
        d, R = b - data["b_hat"], working(data, theta)
        r, lp_r, _ = effects(weights(data, theta), R, sd[:, None], d, z[None], data["share"], 0.0)
        lp += stats.norm(1, 3).logpdf(b[0]) + stats.norm(0.2, 2).logpdf(b[1])
        eta = X @ b + M @ r[:, 0]
        return float(lp + lp_r + stats.poisson(np.exp(eta)).logpmf(rows["c"]).sum())

    points = np.random.default_rng(5).normal(0, 0.7, (POINTS, int(data["D"]) + J))
    found, gradient = Embedded().log_density(model._posterior.program, data, points)
    np.testing.assert_allclose(found, [reference(point) for point in points], rtol=1e-10)
    compare_gradient(model, points[:2], gradient[:2])


# A number of each membership ---------------------------------------------------------------------


def of_members(model: hm.Model) -> np.ndarray:
    """What each row has of each level (rows, J, 2): its parts, and these times their numbers."""
    data, origin = frame(), model.origins["mm(p, q)"]
    found = np.zeros((ROWS, J, 2))
    for place, row in enumerate(data.itertuples()):
        total = row.u + row.v
        for label, weight, number in ((row.p, row.u, row.a), (row.q, row.v, row.b)):
            found[place, LABELS.index(label)] += weight / total * np.array([1, number - origin[1]])
    return found


def test_numbers_of_memberships_have_the_density_of_dense_rows() -> None:
    formula = f"y ~ w + (1 + mmc(a, b) | {WEIGHTED}) + (1 | g)"
    model = hm.Model(formula, frame(), effects="integrated", priors=PRIORS | {"cor": "lkj(1.7)"})
    data, whole = model.stan_data(), {"mm(p, q)": of_members(model)}
    points = np.random.default_rng(5).normal(0, 1.5, (20, int(data["D"])))
    found, gradient = Embedded().log_density(model._posterior.program, data, points)
    expected = np.array([dense(model, point, 1.7, parts=whole) for point in points])
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    compare_gradient(model, points[:2], gradient[:2])


def test_sampled_slopes_of_memberships_have_the_density_of_their_rows() -> None:
    rows, P = frame(), 2
    priors = {"Intercept": PRIORS["Intercept"], "b": PRIORS["b"], "cor": "lkj(1.7)"}
    model = hm.Model(f"c ~ w + (1 + mmc(a, b) | {WEIGHTED})", rows, family="poisson", priors=priors)
    data, X = model.stan_data(), np.column_stack([np.ones(ROWS), rows["w"] - rows["w"].mean()])
    loads, numbers = of_members(model), rows[["a", "b"]].to_numpy()
    assert model.origins["mm(p, q)"][1] == pytest.approx(numbers.mean())
    scale = np.array([model.priors[f"sd[mm(p, q), {each}]"].arguments[2]
                      for each in ("Intercept", "mmc(a, b)")])  # fmt: skip
    assert scale[1] == pytest.approx(2.5 / numbers.std())

    def reference(point: np.ndarray) -> float:
        theta, z = data["center"] + data["scale"] @ point[: data["D"]], point[data["D"] :]
        sd, lp = bent(theta[P : P + 2], data["center"][P : P + 2], data["sd_spread"],
                      data["sd_bend"])  # fmt: skip
        L, jacobian = correlation(theta[P + 2 :], 2)
        b, log_width = population(data, point[: data["D"]], sd, L)
        lp += log_width + np.sum(np.log(2) + stats.t(3, 0, scale).logpdf(sd) + np.log(sd))
        lp += jacobian + lkj_log_density(L, 1.7)
        d, R = b - data["b_hat"], working(data, theta)
        r, lp_r, moved = effects(weights(data, theta), R, sd[:, None] * L, d, z.reshape(2, J),
                                 data["share"], float(data["extent"][0]))  # fmt: skip
        assert not moved.any()
        lp += stats.norm(1, 3).logpdf(b[0]) + stats.norm(0.2, 2).logpdf(b[1])
        eta = X @ b + np.einsum("ijq,jq->i", loads, r)
        return float(lp + lp_r + stats.poisson(np.exp(eta)).logpmf(rows["c"]).sum())

    points = np.random.default_rng(5).normal(0, 0.7, (20, int(data["D"]) + 2 * J))
    found, gradient = Embedded().log_density(model._posterior.program, data, points)
    np.testing.assert_allclose(found, [reference(point) for point in points], rtol=1e-10)
    compare_gradient(model, points[:2], gradient[:2])
