"""Thresholds of ordered categories: their derivatives, their anchor, and how long they take."""

import time

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

import hiermix as hm
from hiermix.families import thresholds
from hiermix.families.thresholds import Gaps, Ladder

LAWS = {"logit": stats.logistic, "probit": stats.norm}


def frame(rows: int, shares: list[float], seed: int = 0) -> pd.DataFrame:
    """Ratings that follow x and a group, in these shares."""
    rng = np.random.default_rng(seed)
    g, x = np.arange(rows) % 20, rng.normal(size=rows)
    eta = 0.5 * x + rng.normal(size=20)[g] + rng.logistic(size=rows)
    return pd.DataFrame(
        {"y": np.digitize(eta, np.quantile(eta, np.cumsum(shares))), "x": x, "g": g}
    )


@pytest.mark.parametrize("discriminating", [False, True])
@pytest.mark.parametrize("link", LAWS)
def test_derivatives_are_those_of_the_law(link: str, discriminating: bool) -> None:
    rng, law = np.random.default_rng(1), LAWS[link]
    y, weight = rng.integers(1, 7, 80), rng.uniform(0.5, 2, 80)
    etas = rng.normal(size=80), rng.normal(size=80)
    disc = rng.uniform(0.5, 1.2, 80) if discriminating else np.ones(80)
    one, none = Ladder((6,), (2,)), np.zeros(80, dtype=np.int64)
    gaps = Gaps(link, y, etas, weight, one, none, disc=disc if discriminating else None)

    def log_density(theta: np.ndarray) -> float:
        e = np.exp(theta)
        cut = np.array([-e[0] - e[1], -e[1], 0.0, e[2], e[2] + e[3]])
        bound = np.concatenate([[-np.inf], cut, [np.inf]])
        ends = [[disc * (bound[y - k] - eta) for k in (0, 1)] for eta in etas]
        # Of intervals above zero by the upper tail, where the difference keeps its digits.
        rows = [np.log(np.where(low > 0, law.sf(low) - law.sf(high), law.cdf(high) - law.cdf(low)))
                for high, low in ends]  # fmt: skip
        return float(weight @ (rows[0] + rows[1])) - 0.5 * float(theta @ theta)

    theta = rng.normal(0, 0.5, 4)
    value, gradient = gaps.value_and_gradient(theta)
    assert value == pytest.approx(log_density(theta), rel=1e-12)
    numeric = optimize.approx_fprime(theta, log_density, 1e-6)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-3)
    bends = -np.array(
        [
            (gaps.value_and_gradient(theta + e)[1] - gaps.value_and_gradient(theta - e)[1]) / 2e-5
            for e in 1e-5 * np.eye(4)
        ]
    )
    np.testing.assert_allclose(gaps.curvature(theta), bends, rtol=1e-6, atol=1e-6)


def test_derivatives_where_items_have_thresholds_of_their_own() -> None:
    """Of three items, whose first thresholds are counted from the second one of the first item."""
    rng, ladder = np.random.default_rng(2), Ladder((4, 2, 3), (1, 0, 1))
    item = rng.integers(0, 3, 90)
    y = 1 + rng.integers(0, 100, 90) % np.array(ladder.sizes)[item]
    eta, weight = rng.normal(size=90), rng.uniform(0.5, 2, 90)
    gaps = Gaps("logit", y, (eta,), weight, ladder, item)
    assert (ladder.gaps, ladder.coordinates) == (3, 5)

    def log_density(theta: np.ndarray) -> float:
        e, (two, three) = np.exp(theta[:3]), theta[3:]
        cuts = [[-e[0], 0.0, e[1]], [two], [three - e[2], three]]
        found = -0.5 * float(theta @ theta)
        for n in range(90):
            bound = np.concatenate([[-np.inf], cuts[item[n]], [np.inf]]) - eta[n]
            p = stats.logistic.cdf(bound[y[n]]) - stats.logistic.cdf(bound[y[n] - 1])
            found += weight[n] * np.log(p)
        return found

    theta = rng.normal(0, 0.5, 5)
    value, gradient = gaps.value_and_gradient(theta)
    assert value == pytest.approx(log_density(theta), rel=1e-12)
    numeric = optimize.approx_fprime(theta, log_density, 1e-6)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-3)
    up, down = ([gaps.value_and_gradient(theta + sign * each)[1] for each in 1e-5 * np.eye(5)]
                for sign in (1, -1))  # fmt: skip
    bends = -(np.array(up) - np.array(down)) / 2e-5
    np.testing.assert_allclose(gaps.curvature(theta), bends, rtol=1e-6, atol=1e-6)


def test_the_anchor_parts_the_responses_most_evenly() -> None:
    for shares, place in (([0.01, 0.5, 0.3], 1), ([0.6, 0.2, 0.1], 0), ([0.1, 0.1, 0.35], 2)):
        model = hm.Model("y ~ x + (1 | g)", frame(400, shares), family="ordinal")
        assert thresholds.anchor(model.design) == place
        assert model.stan_data()["anchor"].tolist() == [place + 1]


def test_weights_count_as_rows_when_the_anchor_is_chosen() -> None:
    data = frame(400, [0.6, 0.2, 0.1])
    data["w"] = np.where(data["y"] == 0, 0.01, 1.0)
    model = hm.Model("y ~ x + (1 | g)", data, family="ordinal", weights="w")
    assert thresholds.anchor(model.design) == 1


@pytest.mark.parametrize(("categories", "rows"), [(14, 300), (16, 3_000), (31, 300)])
def test_many_categories_are_prepared_in_no_time(categories: int, rows: int) -> None:
    model = hm.Model(
        "y ~ x + (1 | g)", frame(rows, [1 / categories] * (categories - 1)), family="ordinal"
    )
    start = time.process_time()
    data = model.stan_data()
    assert time.process_time() - start < 5  # 0.1 on an idle machine, 150 with nested differences
    assert data["C"].tolist() == [categories]
    assert np.isfinite(data["scale"]).all()


def test_a_lowest_category_that_is_rare_costs_no_draws() -> None:
    fit = hm.Model("y ~ x + (1 | g)", frame(400, [0.004, 0.3, 0.3, 0.3]), family="ordinal").fit(
        seed=1, chains=2, warmup=300, draws=500, progress=False
    )
    from arviz_stats import ess

    assert float(ess(fit.data)["threshold"].min()) > 400  # 40 with the first threshold as anchor


OF_THRESHOLDS: dict[str, tuple[str, str | list[str]]] = {
    "effects that differ": ("sratio", "y ~ x + cs(w)"),
    "an equation of one": ("acat", ["y ~ x", "cs2 ~ w"]),
    "discriminations": ("ordinal", ["y ~ x", "disc ~ w"]),
}


def graded(rows: int = 500) -> pd.DataFrame:
    """Four grades; w matters for their thresholds, each in its own way, and for their spread."""
    rng = np.random.default_rng(12)
    x, w = rng.normal(size=(2, rows))
    latent = 0.8 * x + np.exp(0.4 * w) * rng.logistic(size=rows)
    return pd.DataFrame({"y": np.digitize(latent, [-1.0, 0.2, 1.0]) + 1, "x": x, "w": w})


def most_likely(case: str, rows: pd.DataFrame) -> np.ndarray:
    """(rows, 4) probabilities of the grades at the maximum of the likelihood."""
    y, x, w = (rows[name].to_numpy() for name in ("y", "x", "w"))
    F = special.expit

    def probabilities(p: np.ndarray) -> np.ndarray:
        away = p[:3] - p[3] * x[:, None]
        if case == "discriminations":
            cut = np.cumsum([p[0], np.exp(p[1]), np.exp(p[2])])
            below = F(np.exp(p[4] * w)[:, None] * (cut - p[3] * x[:, None]))
            return np.diff(below, axis=1, prepend=0.0, append=1.0)
        if case == "an equation of one":
            away[:, 1] -= p[4] * w
            scores = np.cumsum(np.column_stack([np.zeros(len(x)), -away]), axis=1)
            return np.asarray(special.softmax(scores, axis=1))
        stops = np.column_stack([F(away - p[4:7] * w[:, None]), np.ones(len(x))])
        passed = np.cumprod(np.column_stack([np.ones(len(x)), 1 - stops[:, :3]]), axis=1)
        return stops * passed

    def loss(p: np.ndarray) -> float:
        each = np.maximum(probabilities(p)[np.arange(len(y)), y - 1], 1e-200)  # of wild steps
        return -float(np.log(each).sum())

    return probabilities(optimize.minimize(loss, np.zeros(7)).x)


@pytest.mark.parametrize("case", OF_THRESHOLDS)
def test_thresholds_are_those_at_zero_wherever_predictors_lie(case: str) -> None:
    """Equations beside that of the location have columns, and an intercept, of their own."""
    family, formulas = OF_THRESHOLDS[case]
    rows = graded()
    expected = most_likely(case, rows)
    # Thresholds have a scale already, so that the intercept of disc is known by its prior alone.
    priors = {"Intercept_disc": "normal(0, 0.1)"} if case == "discriminations" else {}
    for x, w in (0.0, 0.0), (300.0, -1000.0):
        moved = rows.assign(x=rows["x"] + x, w=rows["w"] + w)
        model = hm.Model(formulas, moved, family=family, priors=priors)
        fit = model.fit(algorithm="laplace", seed=1, draws=120)
        found = fit.predict(moved, kind="probability").mean(("chain", "draw")).to_numpy()
        # Probabilities have sds of two or three hundredths.
        assert np.abs(found - expected).max() < 0.05
        prior = fit.log_prior()
        assert all(np.isfinite(each).all() for each in prior.values())
        if x == 0:
            near = prior
    # Priors hold at the mean: what is drawn is the same there, but for rounding.
    assert float(np.abs(prior["threshold"] - near["threshold"]).mean()) < 0.05
