"""Closed forms: known spreads, complete pooling, no pooling. No program's algebra is used."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm

SIGMA, SD = 0.7, 0.4


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    g = rng.integers(0, 8, 120)
    x = rng.normal(size=120)
    y = 2 + x + rng.normal(0, SD, 8)[g] + rng.normal(0, SIGMA, 120)
    return pd.DataFrame({"y": y, "x": x, "g": [f"g{i}" for i in g]})


def fixed(value: float) -> str:
    return f"normal({value!r}, 1e-6)"


def within(draws: np.ndarray, mean: float, sd: float) -> bool:
    """Do the draws have this mean and sd, within 4 Monte-Carlo errors?"""
    from arviz_stats import mcse

    near = abs(draws.mean() - mean) < 4 * float(mcse(draws, method="mean"))
    return near and abs(draws.std(ddof=1) - sd) < 4 * float(mcse(draws, method="sd"))


@pytest.mark.parametrize("effects", ["integrated", "sampled"])
def test_known_spreads_give_the_exact_posterior(frame: pd.DataFrame, effects: str) -> None:
    priors = {"Intercept": "normal(0, 10)", "b": "normal(0, 3)", "sd": fixed(SD),
              "sigma": fixed(SIGMA)}  # fmt: skip
    fit = hm.Model("y ~ x + (1 | g)", frame, priors=priors, effects=effects).fit(
        seed=3, warmup=500, draws=2000
    )
    # The posterior of (intercept at the mean of x, slope, r) is normal with this precision.
    levels, codes = np.unique(frame["g"], return_inverse=True)
    xc = frame["x"] - frame["x"].mean()
    A = np.column_stack([np.ones(len(frame)), xc, np.eye(len(levels))[codes]])
    precision = A.T @ A / SIGMA**2 + np.diag([1 / 100, 1 / 9, *[1 / SD**2] * len(levels)])
    covariance = np.linalg.inv(precision)
    mean = covariance @ A.T @ frame["y"].to_numpy() / SIGMA**2
    posterior = fit.data.posterior
    at_zero = np.array([1.0, -frame["x"].mean(), *np.zeros(len(levels))])
    assert within(
        posterior["Intercept"].to_numpy(), at_zero @ mean, np.sqrt(at_zero @ covariance @ at_zero)
    )
    assert within(posterior["b"].to_numpy()[..., 0], mean[1], np.sqrt(covariance[1, 1]))
    for j, level in enumerate(levels):
        r = posterior["r_g"].sel(g=level).to_numpy()[..., 0]
        assert within(r, mean[2 + j], np.sqrt(covariance[2 + j, 2 + j])), level


def test_no_spread_is_complete_pooling(frame: pd.DataFrame) -> None:
    priors = {"b": "normal(0, 100)", "Intercept": "normal(0, 100)", "sd": "normal(0, 1e-6)"}
    fit = hm.Model("y ~ x + (1 | g)", frame, priors=priors).fit(seed=3, warmup=500)
    X = np.column_stack([np.ones(len(frame)), frame["x"]])
    ols, rss, *_ = np.linalg.lstsq(X, frame["y"], rcond=None)
    error = np.sqrt(np.linalg.inv(X.T @ X).diagonal() * rss[0] / len(frame))
    assert abs(float(fit.data.posterior["Intercept"].mean()) - ols[0]) < 0.1 * error[0]
    assert abs(float(fit.data.posterior["b"].mean()) - ols[1]) < 0.1 * error[1]
    assert float(abs(fit.data.posterior["r_g"]).max()) < 1e-4


def test_endless_spread_is_no_pooling(frame: pd.DataFrame) -> None:
    priors = {"b": "normal(0, 100)", "Intercept": "normal(0, 1e5)", "sd": "normal(1e4, 1)",
              "sigma": fixed(SIGMA)}  # fmt: skip
    fit = hm.Model("y ~ 1 + (1 | g)", frame, priors={k: v for k, v in priors.items() if k != "b"})
    table = fit.fit(seed=3, warmup=500).coefficients("g")["mean"].xs("Intercept", level="effect")
    means = frame.groupby("g")["y"].mean()
    error = SIGMA / np.sqrt(frame.groupby("g").size())
    assert (abs(table - means) < 0.1 * error).all()
