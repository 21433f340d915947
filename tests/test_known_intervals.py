"""Censored and truncated responses through the doors of a model, against scipy's maxima."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import hiermix as hm
from hiermix.errors import DataError
from hiermix.prediction.group_densities import log_densities

FLAT = {"Intercept": "normal(0, 20)", "b": "normal(0, 20)"}


def maximum(log_likelihood: object, start: list[float]) -> np.ndarray:
    with np.errstate(all="ignore"):  # far from the maximum
        found = optimize.minimize(lambda at: -log_likelihood(at), start, method="BFGS")  # type: ignore[operator]
    return np.asarray(found.x)


@pytest.fixture(scope="module")
def intervals() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    x = rng.integers(0, 3, 400) - 1.0
    time = np.exp(1.0 + 0.4 * x) * rng.weibull(1.7, 400)
    kind = np.where(time > 6, "right", "interval")
    low = np.where(time > 6, 6.0, np.floor(time))
    return pd.DataFrame({"x": x, "low": low, "high": low + 1, "kind": kind})


def test_interval_censored_weibull_is_where_the_likelihood_is_highest(
    intervals: pd.DataFrame,
) -> None:
    """With priors that hardly count; posterior means within 0.2 sds of the maximum."""
    rows = intervals

    def log_likelihood(at: np.ndarray) -> float:
        law = stats.weibull_min(np.exp(at[2]), scale=np.exp(at[0] + at[1] * rows["x"]))
        inside = np.where(rows["kind"] == "right", law.sf(rows["low"]),
                          law.cdf(rows["high"]) - law.cdf(rows["low"]))  # fmt: skip
        return float(np.log(inside).sum())

    at = maximum(log_likelihood, [1.0, 0.0, 0.5])
    fit = hm.Model(
        "low | cens(kind, high) ~ x", rows, family="weibull",
        priors=FLAT | {"shape": "lognormal(0, 5)"},
    ).fit(seed=3, draws=500, chains=2)  # fmt: skip
    posterior = fit.data.posterior
    shape = posterior["shape"].to_numpy().ravel()
    # scipy's scale is that of the time, the linear predictor that of its mean.
    from scipy.special import gammaln

    intercept = posterior["Intercept"].to_numpy().ravel() - gammaln(1 + 1 / shape)
    slope = posterior["b"].to_numpy().ravel()
    for draws, expected in ((intercept, at[0]), (slope, at[1]), (np.log(shape), at[2])):
        assert abs(draws.mean() - expected) < 0.2 * draws.std()


def test_left_censored_lognormal_is_where_the_likelihood_is_highest() -> None:
    """Half of the concentrations are below the limit of detection."""
    rng = np.random.default_rng(4)
    x = rng.integers(0, 3, 1200) - 1.0
    found = np.exp(-0.3 + 0.5 * x + 0.8 * rng.normal(size=1200))
    rows = pd.DataFrame({"x": x, "y": np.maximum(found, 0.8), "c": np.where(found < 0.8, -1, 0)})

    def log_likelihood(at: np.ndarray) -> float:
        law = stats.norm(at[0] + at[1] * x, np.exp(at[2]))
        log_y = np.log(rows["y"])
        return float(np.where(rows["c"] == -1, law.logcdf(log_y), law.logpdf(log_y)).sum())

    at = maximum(log_likelihood, [0.0, 0.0, 0.0])
    # Flat in log sigma, whose posterior mean is then 0.1 sds from the maximum; the error of a mean
    # of draws is 0.03.
    priors = FLAT | {"sigma": "lognormal(0, 5)"}
    fit = hm.Model("y | cens(c) ~ x", rows, family="lognormal", priors=priors).fit(
        seed=5, draws=1000, chains=2
    )
    posterior = fit.data.posterior
    each = [posterior[name].to_numpy().ravel() for name in ("Intercept", "b", "sigma")]
    for draws, expected in zip([*each[:2], np.log(each[2])], at, strict=True):
        assert abs(draws.mean() - expected) < 0.2 * draws.std()


def test_truncated_counts_are_where_the_likelihood_is_highest() -> None:
    """Zero-truncated Poisson: nobody without a visit is in the register."""
    rng = np.random.default_rng(6)
    x = rng.integers(0, 3, 1_500) - 1.0
    y = rng.poisson(np.exp(0.2 + 0.5 * x))
    rows = pd.DataFrame({"x": x, "y": y})[y > 0]

    def log_likelihood(at: np.ndarray) -> float:
        law = stats.poisson(np.exp(at[0] + at[1] * rows["x"]))
        return float((law.logpmf(rows["y"]) - np.log(law.sf(0))).sum())

    at = maximum(log_likelihood, [0.0, 0.0])
    fit = hm.Model("y | trunc(lb=1) ~ x", rows, family="poisson", priors=FLAT).fit(
        seed=7, draws=500, chains=2
    )
    for name, expected in zip(("Intercept", "b"), at, strict=True):
        draws = fit.data.posterior[name].to_numpy().ravel()
        assert abs(draws.mean() - expected) < 0.2 * draws.std()
    mean = fit.predict(rows.head(50), kind="mean").mean(("chain", "draw")).to_numpy()
    mu = np.exp(at[0] + at[1] * rows["x"].head(50).to_numpy())
    np.testing.assert_allclose(mean, mu / -np.expm1(-mu), rtol=0.05)
    assert int(fit.predict(rows.head(50), kind="response").min()) == 1


def frame(**columns: object) -> pd.DataFrame:
    y = np.array([1.0, 2.0, 3.5, 0.5, 4.0, 2.5])
    return pd.DataFrame({"y": y, "x": [0.0, 1, 2, 0, 1, 2], "to": y + 1, "c": 0} | columns)


BAD = [
    ("y | cens(c) ~ x", {"c": [0, 2, 0, 0, 2, 0]},
     "interval-censored responses need their upper end, cens(c, y2): 2, 4 (rows 1, 4)"),
    ("y | cens(c, to) ~ x", {"c": 2, "to": [2.0, 2, 4, 1, 5, 3]},
     "an interval ends above the response it starts from: there is 2 (row 1) that does not"),
    ("y | cens(c, to) ~ x", {"c": [0, 2, 0, 0, 0, 0], "to": [np.nan] * 6},
     "column 'to' has 1 missing value (row 1)"),
    ("y | trunc(lb=1) ~ x", {},
     "below its lower bound of truncation (1) can't have been seen: there is 0.5 (row 3)"),
    ("y | trunc(ub=to) ~ x", {"to": [5.0, 5, 3, 5, 5, 5]},
     "above its upper bound of truncation (3) can't have been seen: there is 3.5 (row 2)"),
    ("y | trunc(lb=3, ub=2) ~ x", {}, "trunc(lb=, ub=): ub must be above lb"),
    ("y | trunc(lb=to) ~ x", {"to": ["a"] * 6}, "trunc: column 'to' holds text, not numbers"),
    ("y | cens(c) ~ x + ar(x)", {"c": [1, 0, 0, 0, 0, 0], "x": [1.0, 2, 3, 4, 5, 6]},
     "residuals of censored or truncated responses can't go together"),
    ("y | rate(to) ~ x", {}, "family 'gaussian' takes no rate(): it is for counts"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "columns", "message"), BAD)
def test_bad_limits(formula: str, columns: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        hm.Model(formula, frame(**columns))


@pytest.mark.parametrize("family", ["bernoulli", "ordinal", "categorical"])
def test_limits_where_they_have_no_meaning(family: str) -> None:
    rows = frame(y=[0, 1, 0, 1, 1, 0], n=2)
    for term, what in (("cens(c)", "censoring"), ("trunc(ub=9)", "truncation")):
        with pytest.raises(DataError, match=f"family '{family}' takes no {what}"):
            hm.Model(f"y | {term} ~ x", rows, family=family)


def test_ends_may_be_missing_where_there_is_no_interval() -> None:
    rows = frame(c=["none", "interval", "left", "right", 0, 1], to=[np.nan, 4.0, *[np.nan] * 4])
    model = hm.Model("y | cens(c, to) ~ x", rows)
    data = model.stan_data()
    assert (data["N_below"], data["N_above"], data["N_between"]) == (1, 2, 1)
    np.testing.assert_array_equal(data["weight"], [1, 0, 0, 0, 1, 0])
    assert model.stan_code() == hm.Model("y ~ x", rows, effects="sampled").stan_code()


def test_rates_are_offsets_and_shapes_of_sums() -> None:
    """A count over t units has the law of a sum of t counts."""
    rows = pd.DataFrame({"k": [3, 0, 7, 2, 5, 1], "t": [1.0, 2, 4, 1, 3, 2], "x": [0.0, 1, 2] * 2})
    model = hm.Model("k | rate(t) ~ x", rows, family="negative_binomial",
                     priors={"shape": "gamma(4, 2)"})  # fmt: skip
    fit = model.fit(seed=1, draws=100, warmup=200, chains=1)
    posterior = fit.data.posterior
    mu = np.exp(posterior["Intercept"] + posterior["b"].isel(term=0) * rows["x"].to_xarray())
    shape = posterior["shape"] * rows["t"].to_xarray()
    mu = mu * rows["t"].to_xarray()
    expected = stats.nbinom.logpmf(
        rows["k"].to_numpy(), shape.to_numpy(), (shape / (shape + mu)).to_numpy()
    )
    found = fit.data["log_likelihood"]["k"].to_numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    twice = fit.predict(rows.assign(t=2 * rows["t"])) / fit.predict(rows)
    np.testing.assert_allclose(twice, 2)
    with pytest.raises(
        DataError, match=re.escape("rate(t) must be finite and above 0: there is 0")
    ):
        hm.Model("k | rate(t) ~ x", rows.assign(t=0.0), family="poisson")
    with pytest.raises(DataError, match="'t'"):
        fit.predict(rows[["x"]])


def test_scores_are_of_what_would_have_been_seen() -> None:
    """Right-censored at 2: draws above 2 are as good as 2."""
    rng = np.random.default_rng(9)
    rows = pd.DataFrame({"time": np.tile(np.arange(20), 2), "g": np.repeat(["a", "b"], 20)})
    rows["y"] = rng.normal(1, 1, 40)
    rows["c"] = np.where(rows["y"] > 2, "right", "none")
    rows["y"] = np.minimum(rows["y"], 2.0)
    fit = hm.Model("y | cens(c) ~ 1 + (1 | g)", rows).fit(seed=2, draws=200, chains=2)
    later = pd.DataFrame(
        {"time": [20, 20], "g": ["b", "a"], "y": [2.0, 0.5], "c": ["right", "none"]}
    )
    forecast = fit.forecast(later[["time", "g"]], time="time")
    draws = forecast.data["predictions"]["y"].to_numpy().reshape(-1, 2)
    found = forecast.score(later.iloc[::-1])
    for place, seen in enumerate((np.minimum(draws[:, 0], 2.0), draws[:, 1])):
        y = later["y"].iloc[place]
        spread = np.abs(seen[:, None] - seen[None]).mean() / 2
        row = found.loc[(later["g"].iloc[place], 20)]
        assert row["crps"] == pytest.approx(np.abs(seen - y).mean() - spread, rel=1e-9)
    alone = forecast.score(later.drop(columns="c"))
    assert alone["crps"].to_numpy()[0] != pytest.approx(found["crps"].max())


def test_groups_that_are_left_out_are_integrated_over_their_censored_rows() -> None:
    """A group of one normal row: what is above y has a closed form, with both variances."""
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"g": [f"g{i}" for i in np.arange(24) // 2], "y": rng.normal(1, 1, 24)})
    rows["c"] = 0
    alone = pd.DataFrame({"g": ["last", "left"], "y": [1.5, 0.2], "c": [1, -1]})
    rows = pd.concat([rows, alone], ignore_index=True)
    fit = hm.Model("y | cens(c) ~ 1 + (1 | g)", rows).fit(seed=4, draws=100, chains=2)
    found, names = log_densities(fit.posterior, rows["g"].to_numpy())
    posterior = fit.data.posterior
    mu, sigma, sd = (posterior[name].to_numpy().ravel() for name in ("Intercept", "sigma", "sd_g"))
    law = stats.norm(mu, np.hypot(sigma, sd))
    for label, expected in (("last", law.logsf(1.5)), ("left", law.logcdf(0.2))):
        np.testing.assert_allclose(found[list(names).index(label)], expected, atol=1e-4)
    new = pd.DataFrame({"g": ["new"] * 2, "y": [9.0, np.nan], "c": ["right", "none"]})
    seen = fit.predict(new, new_groups="update", kind="linear")
    assert float(seen.isel(row=1).mean()) > float(mu.mean())
