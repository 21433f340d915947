"""Bounded slopes: the program's density is that of the unbounded one, at coefficients pushed in."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import hiermix as hm
from hiermix.engines.embedded import Embedded
from hiermix.errors import PriorError
from hiermix.families.prior import parse_prior
from hiermix.stan.chart import Chart
from hiermix.typing import StanData

PRIORS = {
    "b[x]": "normal(0.2, 1, lower=0.1)",
    "b[w]": "student_t(4, 0, 1, lower=-1, upper=0.5)",
    "b[v]": "cauchy(0, 1, upper=0.2)",
    "b[u]": "lognormal(-1, 1)",
}
CASES = {
    "integrated": ("y ~ x + w + v + u + (x | g)", "gaussian"),
    "nested": ("y ~ x + w + v + u + (1 | g / h)", "gaussian"),
    "crossed": ("y ~ x + w + v + u + (w | g) + (1 | k)", "student_t"),
    "counts": ("n ~ x + w + v + u + (1 | g)", "poisson"),
    "of another parameter": (["y ~ w + (1 | g)", "sigma ~ x + w"], "gaussian"),
}


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    data = pd.DataFrame(rng.normal(size=(60, 4)), columns=list("xwvu"))
    data["g"], data["h"], data["k"] = rng.integers(0, [[5], [3], [4]], (3, 60))
    eta = 0.3 * data.x - 0.4 * data.w + rng.normal(size=5)[data.g] * 0.5
    return data.assign(y=eta + rng.normal(size=60), n=rng.poisson(np.exp(eta)))


def pushed(t: float, low: float, high: float, s: float) -> float:
    """A softened clamp, written as the integral of its slope."""

    def slope(x: float) -> float:
        up = 1.0 if low == -np.inf else stats.logistic.cdf((x - low) / s)
        return float(up - (0.0 if high == np.inf else stats.logistic.cdf((x - high) / s)))

    start, value = (low - 40 * s, low) if np.isfinite(low) else (high + 40 * s, high)
    points = [each for each in (low, high) if np.isfinite(each)]
    return value + integrate.quad(slope, start, t, points=points, epsabs=1e-13, limit=200)[0]


def unbounded(data: StanData) -> StanData:
    none = np.zeros(0, dtype=np.int64)
    return data | {"limited": 0, "limited_b": none, "sides": none, "bound_par": np.zeros((0, 3))}


@pytest.mark.parametrize("case", CASES)
def test_density_and_slope(case: str) -> None:
    formula, family = CASES[case]
    slope = {"b_sigma[x]": "half_normal(1)"} if "sigma" in formula[-1] else {}
    priors = {"b[w]": PRIORS["b[w]"]} | slope if slope else PRIORS
    model = hm.Model(formula, frame(), family=family, priors=priors)
    program, chart = model._posterior.program, Chart(model.stan_data())
    # Without what moves b after its coordinates, they are linear in these.
    none = {"followers": 0, "rest": np.zeros((0, 0)), "hold": np.zeros((0, 0)),
            "reach": np.zeros((0, len(chart.sizes.of)))}  # fmt: skip
    data = model.stan_data() | none
    assert data["limited"] == len(priors)
    q = np.random.default_rng(1).normal(0, 1.5, (20, chart.size))
    found, gradient = Embedded().log_density(program, data, q)
    there, expected = q.copy(), np.zeros(len(q))
    for i, point in enumerate(q):
        t = data["center"] + data["scale"] @ point[: chart.D]
        for k, sides, (low, high, s) in zip(
            data["limited_b"] - 1, data["sides"], data["bound_par"], strict=True
        ):
            low, high = low if sides & 1 else -np.inf, high if sides & 2 else np.inf
            up = 0.0 if low == -np.inf else stats.logistic.logsf((low - t[k]) / s)
            rest = -np.inf if high == np.inf else stats.logistic.logcdf((t[k] - high) / s)
            expected[i] += up + np.log1p(-np.exp(rest - up))
            t[k] = pushed(t[k], low, high, s)
            assert low < t[k] < high
        there[i, : chart.D] = np.linalg.solve(data["scale"], t - data["center"])
    expected += Embedded().log_density(program, unbounded(data), there)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    h = 1e-5 * np.eye(chart.size)
    for point, one in zip(q[:3], gradient[:3], strict=True):
        ends = [Embedded().log_density(program, data, point + sign * h)[0] for sign in (1, -1)]
        numeric = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(one, numeric, rtol=1e-5, atol=1e-5 * np.abs(one).max())


@pytest.mark.parametrize("case", ["integrated", "counts"])
def test_coordinates_and_points(case: str) -> None:
    formula, family = CASES[case]
    model = hm.Model(formula, frame(), family=family, priors=PRIORS)
    chart = Chart(model.stan_data())
    for q in np.random.default_rng(2).normal(size=(10, chart.size)):
        np.testing.assert_allclose(chart.coordinates(chart.point(q)), q, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("normal(1, 2, lower=0)", stats.truncnorm(-0.5, np.inf, 1, 2)),
        ("normal(0, 1, lower=8, upper=9)", stats.truncnorm(8, 9)),
        ("normal(0, 1, upper=-8)", stats.truncnorm(-np.inf, -8)),
        ("half_normal(2)", stats.halfnorm(0, 2)),
        ("half_cauchy(2)", stats.halfcauchy(0, 2)),
        ("lognormal(0, 1)", stats.lognorm(1)),
        ("exponential(2)", stats.expon(scale=0.5)),
        ("beta(2, 3)", stats.beta(2, 3)),
    ],
)
def test_what_a_bound_leaves(text: str, law: stats.rv_continuous) -> None:
    prior = parse_prior(text)
    x = law.ppf([0.01, 0.3, 0.9])
    found = prior.frozen().logpdf(x) - prior.log_mass()
    np.testing.assert_allclose(found, law.logpdf(x), rtol=1e-10)
    np.testing.assert_allclose(prior.normal[0], law.median(), rtol=1e-10)
    assert parse_prior(prior.exact) == prior


def test_a_bounded_posterior_is_the_part_of_the_free_one_inside() -> None:
    rng = np.random.default_rng(8)
    data = pd.DataFrame({"x": rng.normal(size=40), "w": rng.normal(size=40)})
    data["y"] = 0.1 * data.x - 0.1 * data.w + 0.8 * rng.normal(size=40)
    priors = {"b": "normal(0, 1)"}
    options = {"seed": 4, "draws": 2_000, "chains": 4}
    free = hm.Model("y ~ x + w", data, priors=priors).fit(**options)
    # Bounds at the least squares, so that a quarter of the free posterior is inside.
    X = np.column_stack([np.ones(40), data.x, data.w])
    _, low, high = np.linalg.lstsq(X, data.y)[0]
    cut = {"b[x]": f"normal(0, 1, lower={low})", "b[w]": f"normal(0, 1, upper={high})"}
    bound = hm.Model("y ~ x + w", data, priors=priors | cut).fit(**options)
    b = free.data["posterior"]["b"].to_numpy().reshape(-1, 2)
    inside = b[(b[:, 0] > low) & (b[:, 1] < high)]
    found = bound.data["posterior"]["b"].to_numpy().reshape(-1, 2)
    assert (found[:, 0] > low).all()
    assert (found[:, 1] < high).all()
    # About 2,000 of 8,000 draws are inside; the errors of both sides, of 1,500 effective ones.
    assert 800 < len(inside) < 4_000
    error = inside.std(axis=0) * (1 / np.sqrt(len(inside)) + 1 / np.sqrt(1_500))
    np.testing.assert_array_less(np.abs(found.mean(axis=0) - inside.mean(axis=0)), 5 * error)
    np.testing.assert_array_less(
        np.abs(np.log(found.std(axis=0) / inside.std(axis=0))), 5 * 1.5 / np.sqrt(len(inside))
    )
    assert bound.data["sample_stats"]["diverging"].sum() == 0


@pytest.mark.parametrize(
    ("priors", "words"),
    [
        ({"b": "normal(0, 1, lower=1, upper=0)"}, "nothing of it is left"),
        ({"b": "normal(0, 1, lower=inf)"}, "infinite"),
        ({"b": "normal(0, 1, 0)"}, "takes 2 arguments"),
        ({"b": "normal(lower=0, 0, 1)"}, "bounds come last"),
        ({"b": "normal(0, 1, low=0)"}, "lower=0 or upper=1"),
        ({"b": "gamma(2, 1, lower=1)"}, "bounds of its own"),
        ({"b": "half_gamma(2, 1)"}, "can't be read"),
        ({"b": "half_normal(0, 1)"}, "around zero"),
        ({"Intercept": "normal(0, 1, lower=0)"}, "can be negative"),
        ({"Intercept": "gamma(2, 1)"}, "can be negative"),
        ({"sd": "normal(0, 1, lower=1)"}, "cut off at zero"),
        ({"sigma": "normal(0, 1, upper=2)"}, "cut off at zero"),
        ({"cor": "lkj(2, lower=0)"}, "bounds of its own"),
    ],
)
def test_bounds_that_can_not_be(priors: dict[str, str], words: str) -> None:
    with pytest.raises(PriorError, match=words):
        hm.Model("y ~ x + (x | g)", frame(), priors=priors)
