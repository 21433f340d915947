"""Monotonic effects: steps by a mean and shares, whose density is worked out by scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import log_softmax

import hiermix as hm
from hiermix.engines.embedded import Embedded
from hiermix.engines.protocol import Settings
from hiermix.stan.chart import Chart
from tests.stan.test_gaussian_density import compare_gradient

PRIORS = {"Intercept": "normal(0, 5)", "b[x]": "normal(0, 2)", "b[mo(o)]": "student_t(4, 0.3, 1.5)",
          "sigma": "gamma(2, 1.5)"}  # fmt: skip


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    o = rng.permutation(np.arange(60) % 4)
    x = rng.normal(size=60)
    y = np.array([0, 1.0, 1.2, 3.0])[o] + 0.5 * x + rng.normal(size=60)
    return pd.DataFrame({"y": y, "x": x, "o": o, "g": [f"g{i % 7}" for i in range(60)],
                         "h": [f"h{i % 3}" for i in range(60)]})  # fmt: skip


def log_density(model: hm.Model, raw: np.ndarray, shapes: tuple[float, ...] = (1, 1, 1)) -> float:
    """Log density of a model without groups: intercept, x, three steps."""
    handed, data = model.stan_data(), frame()
    theta = handed["center"] + handed["scale"] @ raw
    b0, slope, mean, *logs, log_sigma = theta
    log_share = log_softmax([0.0, *logs])
    steps = mean * 3 * np.exp(log_share)
    X = np.column_stack([data["x"], *(data["o"] >= level for level in (1, 2, 3))]).astype(float)
    eta = b0 + (X - X.mean(axis=0)) @ [slope, *steps]
    sigma = np.exp(log_sigma)
    lp = stats.norm(eta, sigma).logpdf(data["y"]).sum()
    lp += stats.norm(0, 5).logpdf(b0) + stats.norm(0, 2).logpdf(slope)
    lp += stats.t(4, 0.3, 1.5).logpdf(mean)
    # Dirichlet, and the Jacobian of shares by the logarithms of their ratios.
    share = np.exp(log_share)
    lp += stats.dirichlet(shapes).logpdf(share / share.sum()) + np.sum(log_share)
    return float(lp + stats.gamma(2, scale=1 / 1.5).logpdf(sigma) + log_sigma)


@pytest.mark.parametrize("effects", ["auto", "sampled"])
def test_log_density_equals_scipy(effects: str) -> None:
    model = hm.Model("y ~ x + mo(o)", frame(), priors=PRIORS, effects=effects)
    handed = model.stan_data()
    points = np.random.default_rng(5).normal(0, 1.5, (50, int(handed["D"])))
    found, gradient = Embedded().log_density(model._posterior.program, handed, points)
    np.testing.assert_allclose(found, [log_density(model, each) for each in points], rtol=1e-10)
    if effects == "auto":
        compare_gradient(model, points[:5], gradient[:5])


@pytest.mark.parametrize(
    ("name", "prior", "shapes"),
    [("simo_o", "dirichlet(2, 1, 0.5)", (2, 1, 0.5)), ("simo", "dirichlet(3)", (3, 3, 3)),
     ("simo[mo(o)]", "dirichlet(0.2, 40, 7)", (0.2, 40, 7))],
)  # fmt: skip
def test_shares_have_the_dirichlet_prior_that_is_written(
    name: str, prior: str, shapes: tuple[float, ...]
) -> None:
    model = hm.Model("y ~ x + mo(o)", frame(), priors=PRIORS | {name: prior})
    assert f"simo[mo(o)] ~ {prior}" in " ".join(repr(model).split())
    handed = model.stan_data()
    points = np.random.default_rng(5).normal(0, 0.8, (20, int(handed["D"])))
    found, gradient = Embedded().log_density(model._posterior.program, handed, points)
    expected = [log_density(model, each, shapes) for each in points]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    compare_gradient(model, points[:3], gradient[:3])


def test_effects_of_one_id_have_one_way_to_share() -> None:
    """The mean steps of o and of o by x; what is sampled besides counts as nothing."""
    formula = 'y ~ x + mo(o, id="a") + mo(o, id="a"):x'
    priors = PRIORS | {"b[mo(o):x]": "normal(0, 2)", "simo": "dirichlet(2, 1, 0.5)"}
    model, data = hm.Model(formula, frame(), priors=priors), frame()
    handed = model.stan_data()
    names = [name for name in model.priors if name.startswith("simo")]
    assert names == ["simo[mo(o)]"]

    def expected(raw: np.ndarray) -> float:
        b0, slope, mean, *rest, log_sigma = handed["center"] + handed["scale"] @ raw
        logs, by_x, nothing = rest[:2], rest[2], rest[3:]
        log_share = log_softmax([0.0, *logs])
        share, sigma = np.exp(log_share), np.exp(log_sigma)
        steps = np.column_stack([data["o"] >= level for level in (1, 2, 3)]).astype(float)
        X = np.column_stack([data["x"], steps, steps * data["x"].to_numpy()[:, None]])
        b = np.concatenate([[slope], mean * 3 * share, by_x * 3 * share])
        lp = stats.norm(b0 + (X - X.mean(axis=0)) @ b, sigma).logpdf(data["y"]).sum()
        lp += stats.norm(0, 5).logpdf(b0) + np.sum(stats.norm(0, 2).logpdf([slope, by_x]))
        lp += stats.t(4, 0.3, 1.5).logpdf(mean) + np.sum(stats.norm(0, 1).logpdf(nothing))
        lp += stats.dirichlet((2, 1, 0.5)).logpdf(share / share.sum()) + np.sum(log_share)
        return float(lp + stats.gamma(2, scale=1 / 1.5).logpdf(sigma) + log_sigma)

    points = np.random.default_rng(5).normal(0, 1, (20, int(handed["D"])))
    found, gradient = Embedded().log_density(model._posterior.program, handed, points)
    np.testing.assert_allclose(found, [expected(each) for each in points], rtol=1e-10)
    compare_gradient(model, points[:3], gradient[:3])
    chart = Chart(handed)
    for q in points[:5]:
        b = chart.point(q).b
        np.testing.assert_allclose(b[2:5] / b[2:5].sum(), b[5:] / b[5:].sum(), rtol=1e-12)
        same = np.ones(len(q), dtype=bool)
        same[6:8] = False
        np.testing.assert_allclose(chart.coordinates(chart.point(q))[same], q[same], atol=1e-8)


def test_shares_have_the_jacobian_of_the_simplex() -> None:
    """By differences: the determinant of the first shares by the sampled numbers."""
    at, h = np.array([0.4, -0.7]), 1e-6

    def shares(logs: np.ndarray) -> np.ndarray:
        return np.exp(log_softmax([0.0, *logs]))[1:]

    slopes = [(shares(at + h * e) - shares(at - h * e)) / (2 * h) for e in np.eye(2)]
    expected = np.sum(log_softmax([0.0, *at]))
    assert np.linalg.slogdet(np.array(slopes))[1] == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    "formula",
    ["y ~ x + mo(o)", "y ~ mo(o) + x + (x | g)", "y ~ mo(o) + (1 | g) + (1 | h)",
     ["y ~ mo(o) + (1 | g)", "sigma ~ mo(o)"], ["y ~ x + mo(o) + (1 | g)", "sigma ~ h"]],
)  # fmt: skip
@pytest.mark.parametrize("effects", ["auto", "sampled"])
def test_a_point_is_what_the_program_makes_of_its_coordinates(formula: str, effects: str) -> None:
    ready = hm.Model(formula, frame(), effects=effects)._posterior
    chart = Chart(ready.data)
    settings = Settings(seed=1, chains=1, warmup=50, draws=5)
    names = ["raw", "b", *(["z", "r"] if chart.K else [])]
    draws = Embedded().sample(ready.program, ready.data, settings, keep=names).draws
    for i in range(settings.draws):
        drawn = {name: each[0, i] for name, each in draws.items()}
        q = np.concatenate([drawn["raw"], drawn.get("z", np.zeros(0))])
        point = chart.point(q)
        np.testing.assert_allclose(point.b, drawn["b"], rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(chart.coordinates(point), q, rtol=1e-6, atol=1e-6)


def test_steps_go_one_way_beside_slopes_of_the_same_column() -> None:
    """What slopes by o have in common stays out of the steps of o, whose sum it could be."""
    ready = hm.Model("y ~ mo(o) + (o | g) + (1 | h)", frame(), effects="sampled")._posterior
    assert ready.data["apart"].any()
    chart = Chart(ready.data)
    for q in np.random.default_rng(8).normal(size=(20, chart.size)):
        steps = chart.point(q).b[1:]
        assert (np.sign(steps) == np.sign(steps[0])).all()


def test_a_mean_step_may_be_bounded() -> None:
    priors = PRIORS | {"b[mo(o)]": "normal(0, 1, lower=0)"}
    fit = hm.Model("y ~ x + mo(o)", frame(), priors=priors).fit(
        seed=1, chains=1, draws=100, warmup=200, progress=False
    )
    assert (fit["mo_o"] > 0).all()
