"""Inverse Gaussian and shifted lognormal times, and angles, through every door of a fit.

References: scipy's maximum likelihood of the same rows, and the values that made them.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import hiermix as hm
from hiermix.errors import ArgumentError, DataError
from hiermix.families import circular, table

SETTINGS: dict[str, Any] = {"chains": 2, "warmup": 300, "draws": 200, "seed": 1}
N, GROUPS = 240, 12
TRUTH = {
    "inverse_gaussian": {"Intercept": 5.0, "b": 0.4, "shape": 400.0, "sd_g": 0.3},
    "shifted_lognormal": {"Intercept": -0.7, "b": 0.4, "sigma": 0.4, "ndt": 0.25, "sd_g": 0.3},
    "von_mises": {"Intercept": 0.3, "b": 0.4, "kappa": 3.0, "sd_g": 0.3},
}


def draw(family: str, eta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    true = TRUTH[family]
    if family == "inverse_gaussian":
        return rng.wald(np.exp(eta), true["shape"])
    if family == "shifted_lognormal":
        return true["ndt"] + np.exp(eta + true["sigma"] * rng.normal(size=len(eta)))
    return rng.vonmises(2 * np.arctan(eta), true["kappa"])


@cache
def rows(family: str, groups: int = GROUPS) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    true, g, x = TRUTH[family], np.arange(N) % groups, rng.normal(size=N)
    u = true["sd_g"] * rng.normal(size=groups) if groups > 1 else np.zeros(1)
    u -= u.mean()
    eta = true["Intercept"] + true["b"] * x + u[g]
    return pd.DataFrame({"y": draw(family, eta, rng), "x": x, "g": g})


@cache
def fitted(family: str) -> hm.Fit:
    return hm.Model("y ~ x + (1 | g)", rows(family), family=family).fit(**SETTINGS)


FAMILIES = pytest.mark.parametrize("family", TRUTH)
pytestmark = pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")  # of few draws


@FAMILIES
def test_what_made_the_rows_lies_in_its_interval(family: str) -> None:
    """Within four posterior sds: a correct program misses that once in ten thousand."""
    table_ = fitted(family).summary()
    for name, value in TRUTH[family].items():
        row = table_.loc[{"b": "b[x]", "sd_g": "sd_g[Intercept]"}.get(name, name)]
        assert abs(row["mean"] - value) < 4 * row["sd"]


@FAMILIES
def test_every_door(family: str, tmp_path: Path) -> None:
    fit, data = fitted(family), rows(family)
    some, new = data.head(6), pd.DataFrame({"x": [0.1], "g": [99]})
    mean = fit.predict(some, kind="mean")
    linear = fit.predict(some, kind="linear")
    of_draw = {
        "inverse_gaussian": lambda eta, own: np.exp(eta),
        "shifted_lognormal": lambda eta, own: own["ndt"] + np.exp(eta + own["sigma"] ** 2 / 2),
        "von_mises": lambda eta, own: 2 * np.arctan(eta),
    }[family]
    np.testing.assert_allclose(mean, of_draw(linear, fit.data.posterior), rtol=1e-12)
    drawn = fit.predict(some, kind="response", seed=2)
    low, high = (-np.pi, np.pi) if family == "von_mises" else (0.0, np.inf)
    assert ((drawn > low) & (drawn <= high)).all()
    assert np.isfinite(fit.predict(new, new_groups="sample")).all()
    assert np.isfinite(fit.loo().elpd)
    fit.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.predict(some, kind="mean"), mean)
    assert fit.plot_residuals().data["residual"].abs().max() < 12
    assert len(fit.plot_check().data)
    found = fit.slopes("x").table(), fit.forecast(some).score(some["y"])
    for each in found:
        assert np.isfinite(each.select_dtypes("number")).all(axis=None)
    if family == "von_mises":
        with pytest.raises(ArgumentError, match=r"of family 'von_mises' .* is not known"):
            fit.variance()
    else:
        assert (fit.variance() > 0).all()


def log_likelihood(family: str, d: pd.DataFrame, at: np.ndarray) -> float:
    """By scipy's laws: intercept, slope, and own parameters on their logs."""
    eta, own = at[0] + at[1] * d["x"], np.exp(at[2:])
    if family == "inverse_gaussian":
        law = stats.invgauss(np.exp(eta) / own[0], scale=own[0])
    elif family == "shifted_lognormal":
        law = stats.lognorm(own[0], loc=own[1], scale=np.exp(eta))
    else:
        law = stats.vonmises(own[0], loc=2 * np.arctan(eta))
    return float(np.sum(law.logpdf(d["y"])))


@FAMILIES
def test_posterior_means_are_the_maximum_likelihood(family: str) -> None:
    """Of 240 rows: they differ by less than a posterior sd over root ten, and Monte Carlo error."""
    data = rows(family, 1)
    names = [name for name in TRUTH[family] if name != "sd_g"]
    start = np.array([TRUTH[family][name] for name in names])
    start[2:] = np.log(start[2:])
    with np.errstate(all="ignore"):
        found = optimize.minimize(
            lambda at: -log_likelihood(family, data, at), start, method="Nelder-Mead",
            options={"xatol": 1e-6, "fatol": 1e-8, "maxiter": 4000},
        ).x  # fmt: skip
    found[2:] = np.exp(found[2:])
    posterior = hm.Model("y ~ x", data, family=family).fit(**SETTINGS).data.posterior
    for name, value in zip(names, found, strict=True):
        draws = posterior[name].to_numpy().ravel()
        # A time before all others is as skew as a bound makes it.
        allowed = 0.8 if family == "shifted_lognormal" else 0.32 + 4 / np.sqrt(150)
        assert abs(draws.mean() - value) < allowed * draws.std()


def test_the_time_before_all_responses_is_below_the_first_and_its_prior_says_so() -> None:
    data = rows("shifted_lognormal")
    model = hm.Model("y ~ x + (1 | g)", data, family="shifted_lognormal")
    first = data["y"].min()
    prior = model.priors["ndt"]
    assert (prior.lower, prior.upper) == (0.0, first)
    density = np.exp([prior.frozen().logpdf(at) for at in np.linspace(0, first, 9)])
    assert density.min() > 0.95 * density.max()
    draws = fitted("shifted_lognormal").data.posterior["ndt"]
    assert ((draws > 0) & (draws < first)).all()


def test_times_that_ran_out_are_where_the_likelihood_is_highest() -> None:
    """Right-censored at a second and a half, against scipy; ndt is below what was seen alone."""
    data, end = rows("shifted_lognormal", 1), 1.2
    seen = data.assign(late=(data["y"] > end).astype(int), y=data["y"].clip(upper=end))

    def loss(at: np.ndarray) -> float:
        law = stats.lognorm(
            np.exp(at[2]), loc=np.exp(at[3]), scale=np.exp(at[0] + at[1] * seen["x"])
        )
        found = np.where(seen["late"] == 1, law.logsf(seen["y"]), law.logpdf(seen["y"]))
        return -float(found.sum())

    start = np.array([-0.7, 0.4, np.log(0.4), np.log(0.25)])
    with np.errstate(all="ignore"):
        at = optimize.minimize(loss, start, method="Nelder-Mead", options={"maxiter": 4000}).x
    model = hm.Model("y | cens(late) ~ x", seen, family="shifted_lognormal")
    posterior = model.fit(**SETTINGS).data.posterior
    for name, value in zip(
        ("Intercept", "b", "sigma", "ndt"), [*at[:2], *np.exp(at[2:])], strict=True
    ):
        draws = posterior[name].to_numpy().ravel()
        assert abs(draws.mean() - value) < 0.8 * draws.std()


@pytest.mark.parametrize(
    ("codes", "upper", "expected"),
    [([0, 0, 0], [9, 9, 9], 0.5), ([1, 0, 0], [9, 9, 9], 2.0), ([2, 0, 0], [1.5, 9, 9], 1.5),
     ([-1, 0, 0], [9, 9, 9], 0.5), ([1, 1, 1], [9, 9, 9], 0.5)],
)  # fmt: skip
def test_the_first_response_is_one_that_was_seen(
    codes: list[int], upper: list[float], expected: float
) -> None:
    """What is known to be later than some time does not bound what passes before."""
    data = pd.DataFrame({"y": [0.5, 2.0, 3.0], "c": codes, "to": upper})
    model = hm.Model("y | cens(c, to) ~ 1", data, family="shifted_lognormal")
    assert model.priors["ndt"].upper == expected


def test_each_row_may_have_a_time_before_that_is_later_than_the_first_response() -> None:
    """With an equation of ndt only its own rows bound that of a group."""
    data = rows("shifted_lognormal").assign(late=lambda d: (d["g"] >= 6).astype(float))
    data["y"] = data["y"] + 2 * data["late"]
    model = hm.Model(["y ~ x + (1 | g)", "ndt ~ late"], data, family="shifted_lognormal")
    fit = model.fit(**SETTINGS)
    terms = fit.data.posterior["b_ndt"].to_numpy().ravel()
    start = fit.data.posterior["Intercept_ndt"].to_numpy().ravel()
    later = np.exp(start + terms)
    # 0.25 and two more seconds, within four posterior sds.
    assert abs(np.exp(start).mean() - 0.25) < 4 * np.exp(start).std()
    assert abs(later.mean() - 2.25) < 4 * later.std()
    assert later.min() > data["y"].min()


def test_the_default_of_an_inverse_gaussian_shape_has_the_units_of_the_response() -> None:
    data = rows("inverse_gaussian")
    plain, large = (
        hm.Model("y ~ x", data.assign(y=data["y"] * by), family="inverse_gaussian").priors["shape"]
        for by in (1.0, 1000.0)
    )
    assert large.scale == pytest.approx(1000 * plain.scale, rel=1e-12)


def test_angles_are_apart_by_the_shorter_way() -> None:
    family = table.find("von_mises")
    found = family.residual(np.array([3.1, -3.1, 0.5]), np.array([-3.1, 3.1, 0.2]))
    np.testing.assert_allclose(found, [6.2 - 2 * np.pi, 2 * np.pi - 6.2, 0.3], atol=1e-12)


@pytest.mark.parametrize("kappa", [1e-8, 0.3, 29.99, 30.01, 900.0, 1e6])
def test_the_von_mises_density_adds_up_to_one(kappa: float) -> None:
    """By the trapezoidal rule, which is exact to rounding for what goes round."""
    family = table.find("von_mises")
    y = np.linspace(-np.pi, np.pi, 40_001)[1:]
    found = np.exp(family.log_density(y, np.array(0.2), {"kappa": np.array(kappa)}))
    assert found.mean() * 2 * np.pi == pytest.approx(1.0, rel=1e-9)


def test_degrees_are_refused_with_a_way_out() -> None:
    data = rows("von_mises").assign(y=lambda d: np.rad2deg(d["y"]))
    with pytest.raises(DataError, match=r"np\.deg2rad of degrees"):
        hm.Model("y ~ x", data, family="von_mises")


def test_directions_are_averaged_as_directions() -> None:
    angles = np.array([[3.0, -3.0, 3.1], [0.1, 0.2, 0.6]])
    np.testing.assert_allclose(
        circular.direction(angles),
        [stats.circmean(each, high=np.pi, low=-np.pi) for each in angles],
    )
    line = circular.around(angles)
    np.testing.assert_allclose(np.sin(line), np.sin(angles), atol=1e-12)
    assert np.ptp(line[0]) == pytest.approx(2 * np.pi - 6)


def test_crps_of_angles_is_that_of_their_distances() -> None:
    """By all pairs; a turn of everything changes nothing."""
    rng = np.random.default_rng(3)
    draws, actual = rng.uniform(-np.pi, np.pi, (6, 40)), rng.uniform(-np.pi, np.pi, 6)

    def apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.arccos(np.clip(np.cos(one - other), -1, 1))

    pairs = apart(draws[:, :, None], draws[:, None, :]).mean(axis=(1, 2))
    expected = apart(draws, actual[:, None]).mean(axis=1) - pairs / 2
    np.testing.assert_allclose(circular.crps(actual, draws), expected, rtol=1e-6)
    turned = circular.difference(draws + 2.0, np.zeros(1))
    np.testing.assert_allclose(circular.crps(actual + 2.0, turned), expected, rtol=1e-6)


def test_answers_about_angles_go_the_shorter_way() -> None:
    fit, data = fitted("von_mises"), rows("von_mises")
    ends = data.head(2).assign(x=[-40.0, 40.0])  # directions near -pi and pi
    mean = fit.predict(ends).to_numpy().reshape(-1, 2).T
    found = fit.predictions(newdata=ends, by=True).table()
    expected = np.arctan2(np.sin(mean).mean(axis=0), np.cos(mean).mean(axis=0))
    middle = stats.circmean(expected, high=np.pi, low=-np.pi)
    assert abs(circular.difference(found["estimate"].iloc[0], middle)) < 0.05
    assert abs(abs(middle) - np.pi) < 0.5
    compared = fit.comparisons({"x": [-40.0, 40.0]}, newdata=data.head(1)).table()
    assert abs(compared["estimate"].iloc[0]) < 1.0
    drawn = fit.predict(ends, kind="response").to_numpy().reshape(-1, 2).T
    low, high = fit.predict(ends, kind="response", quantiles=[0.25, 0.75]).to_numpy()
    width = np.ptp(np.quantile(circular.around(drawn), [0.25, 0.75], axis=1), axis=0)
    np.testing.assert_allclose(high - low, width, rtol=1e-9)
    assert (width < 1.5).all()
    forecast = fit.forecast(ends)
    scores = forecast.score(np.array([3.1, -3.1]))
    assert (scores["crps"] < 0.6).all()
    table = forecast.table()
    assert (np.abs(circular.difference(table["mean"].to_numpy(), np.pi)) < 0.5).all()
    with pytest.raises(ArgumentError, match="angles"):
        fit.comparisons("x", scale="ratio")
