"""Default priors say where the data are: no answer depends on the origin or the units."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import hiermix as hm
from tests.combinations import thinned

QUIET = {"progress": False, "seed": 1}


def panel(rows: int = 240, groups: int = 12) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(groups), rows // groups)
    data = pd.DataFrame({"x": rng.normal(0, 1, rows), "z": rng.gamma(2, 1, rows), "g": g})
    data["trt"] = rng.choice(["a", "b", "c"], rows)
    data["w"] = rng.integers(1, 4, rows)
    effects = rng.normal(0, 1, (2, groups))[:, g]
    data["y"] = 3 + effects[0] + (0.5 + 0.4 * effects[1]) * data["x"] + rng.normal(0, 1, rows)
    return data


SHIFTED = ["y ~ x + (x | g)", "y ~ x + z + (x + z | g)", "y ~ trt + x + (1 + x | g) + (0 + z | g)"]


@pytest.mark.parametrize(
    ("formula", "shift", "effects"),
    thinned(3, SHIFTED, [1.0, 30.0, 2_000.0, 1e6], ["integrated", "sampled"]),
)
def test_programs_are_handed_the_same_wherever_x_is_zero(
    formula: str, shift: float, effects: str
) -> None:
    data = panel()
    plain = hm.Model(formula, data, effects=effects).stan_data()
    moved = hm.Model(formula, data.assign(x=data["x"] + shift), effects=effects).stan_data()
    for name, value in plain.items():
        size = 1e-9 + np.abs(value).max(initial=0.0)
        np.testing.assert_allclose(
            np.divide(moved[name], size), np.divide(value, size), atol=1e-5, err_msg=name
        )


@pytest.mark.parametrize("formula", ["y ~ x + (x | g)", "y ~ 0 + trt + (1 | g)", "y ~ trt * x"])
@pytest.mark.parametrize(("shift", "scale"), [(5_000, 1), (-1e6, 1), (0, 1e6), (300, 1e-6)])
def test_default_priors_move_with_y(formula: str, shift: float, scale: float) -> None:
    data = panel()
    plain = hm.Model(formula, data).priors
    moved = hm.Model(formula, data.assign(y=(data["y"] + shift) * scale)).priors
    for name, prior in plain.items():
        other = moved[name]
        level = name == "Intercept" or (formula.startswith("y ~ 0") and name.startswith("b["))
        if name.startswith("cor"):
            assert other == prior
        elif name == "sigma":
            assert other.scale == pytest.approx(prior.scale / scale, rel=1e-6)
        else:
            assert other.scale == pytest.approx(prior.scale * scale, rel=1e-6)
            where = (prior.location + shift) * scale if level else 0.0
            assert other.location == pytest.approx(where, rel=1e-6, abs=1e-9 * scale)


def test_a_column_is_scaled_by_what_the_others_leave_of_it() -> None:
    """By least squares of each column on the others, however the columns lie."""
    data = panel().assign(x=lambda d: d["x"] + 1_929)
    model = hm.Model("y ~ trt * x", data)
    X = model.design.X()
    for column, term in enumerate(model.design.terms[1:], start=1):
        others = np.delete(X, column, axis=1)
        left = X[:, column] - others @ np.linalg.lstsq(others, X[:, column])[0]
        expected = 2.5 * data["y"].std(ddof=0) / np.sqrt(np.mean(left**2))
        assert model.priors[f"b[{term}]"].scale == pytest.approx(expected, rel=1e-4), term


DESIGNS = [
    "y ~ trt * x", "y ~ x + z", "y ~ 0 + trt", "y ~ 0 + trt + x", "y ~ trt * x + z",
    "y ~ poly(x, 2)", "y ~ x * z",
]  # fmt: skip


@pytest.mark.parametrize("shift", [0.0, 40.0, 2_000.0])
@pytest.mark.parametrize("formula", DESIGNS)
def test_defaults_move_no_coefficient(formula: str, shift: float) -> None:
    """Posterior mean given sigma, in closed form, beside least squares: within 0.1 errors."""
    data = panel().assign(x=lambda d: d["x"] + shift, y=lambda d: d["y"] * 3 + shift)
    model = hm.Model(formula, data)
    names = [t if t == "Intercept" else f"b[{t}]" for t in model.design.terms]
    location = np.array([model.priors[name].location for name in names])
    precision = np.diag([model.priors[name].scale ** -2.0 for name in names])
    X = model.design.X()
    mean = np.zeros(X.shape[1])
    if "Intercept" in model.design.terms:  # its prior is for the centred columns
        mean[1:] = X[:, 1:].mean(axis=0)
    Q, R = np.linalg.qr(X - mean)
    hat = np.linalg.solve(R, Q.T @ data["y"])
    sigma = np.std(data["y"] - (X - mean) @ hat, ddof=X.shape[1])
    information = R.T @ R / sigma**2
    found = hat + np.linalg.solve(information + precision, precision @ (location - hat))
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    assert np.abs((found - hat) / errors).max() < 0.1


def test_a_weight_of_two_is_a_row_that_was_seen_twice() -> None:
    data = panel()
    twice = data.loc[data.index.repeat(data["w"])].reset_index(drop=True)
    formula = "y ~ x + (x | g)"
    for family, column in (("gaussian", "y"), ("student_t", "y"), ("poisson", "k"), ("gamma", "t")):
        for frame in (data, twice):
            frame["k"] = np.floor(np.abs(frame["y"]))
            frame["t"] = np.exp(frame["y"] / 3)
        text = formula.replace("y", column, 1)
        weighed = hm.Model(text, data, family=family, weights="w")
        rows = hm.Model(text, twice, family=family)
        for name, prior in rows.priors.items():
            other = weighed.priors[name]
            np.testing.assert_allclose(other.arguments, prior.arguments, rtol=1e-9, err_msg=name)
        np.testing.assert_allclose(weighed.origins["g"], rows.origins["g"])
        for model in (weighed, rows):
            assert model._posterior.x_mean[1] == pytest.approx(twice["x"].mean())
    one = hm.Model(formula, data, weights="w", effects="sampled")
    assert one._posterior.x_mean[1] == pytest.approx(twice["x"].mean())


# Where the linear predictor lies -----------------------------------------------------------------


def location(text: str, data: pd.DataFrame, family: str, **options: object) -> float:
    return hm.Model(text, data, family=family, **options).priors["Intercept"].location


def maximum(log_density: object) -> float:
    """Maximum-likelihood intercept, the last of the parameters."""
    return float(
        optimize.minimize(lambda p: -log_density(*p), np.zeros(2), method="Nelder-Mead").x[-1]
    )  # type: ignore[operator]


def test_exposures() -> None:
    rng = np.random.default_rng(1)
    exposure = rng.lognormal(0, 2, 2_000)
    data = pd.DataFrame({"k": rng.poisson(0.4 * exposure), "exposure": exposure})
    at = location("k ~ 1 + offset(log(exposure))", data, "poisson")
    assert at == pytest.approx(np.log(data["k"].sum() / exposure.sum()), abs=1e-9)
    data["odds"] = np.log(exposure)
    data["yes"] = (rng.random(2_000) < 1 / (1 + np.exp(1 - data["odds"]))).astype(int)
    at = location("yes ~ 1 + offset(odds)", data, "bernoulli")

    def log_density(_: float, b: float) -> float:
        eta = b + data["odds"]
        return float(np.sum(data["yes"] * eta - np.logaddexp(0, eta)))

    assert at == pytest.approx(maximum(log_density), abs=0.01)


def test_censored_times() -> None:
    rng = np.random.default_rng(2)
    time, end = rng.exponential(50, 1_000), rng.uniform(0, 10, 1_000)
    data = pd.DataFrame({"t": np.minimum(time, end), "late": np.where(time > end, "right", "none")})
    for family in ("exponential", "weibull"):
        at = location("t | cens(late) ~ 1", data, family)
        assert at == pytest.approx(np.log(50), abs=4 / np.sqrt((time <= end).sum()))


@pytest.mark.parametrize("mean", [0.7, 4.0, 60.0])
def test_counts_with_a_second_cause_of_zeros(mean: float) -> None:
    rng = np.random.default_rng(3)
    keep = rng.random(4_000) < 0.4
    poisson = rng.poisson(mean, 4_000)
    spread = rng.negative_binomial(1.5, 1.5 / (1.5 + mean), 4_000)
    for name, counts in (("poisson", poisson), ("negative_binomial", spread)):
        positive = counts[counts > 0]
        law = {
            "poisson": lambda p, b, y=positive: np.sum(
                stats.poisson(np.exp(b)).logpmf(y) - np.log(stats.poisson(np.exp(b)).sf(0))
            ),
            "negative_binomial": lambda p, b, y=positive: np.sum(
                stats.nbinom(np.exp(p), 1 / (1 + np.exp(b - p))).logpmf(y)
                - np.log(stats.nbinom(np.exp(p), 1 / (1 + np.exp(b - p))).sf(0))
            ),
        }[name]
        best = maximum(law)
        inflated = pd.DataFrame({"k": np.where(keep, counts, 0)})
        for prefix in ("zero_inflated_", "hurdle_"):
            assert location("k ~ 1", inflated, prefix + name) == pytest.approx(best, abs=0.35)


# Reported at x = 0 -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shifted() -> hm.Fit:
    data = panel().assign(x=lambda d: d["x"] + 20)
    return hm.Model("y ~ x + (x | g)", data).fit(draws=200, warmup=300, **QUIET)


def test_results_are_at_zero_and_predictions_do_not_notice(shifted: hm.Fit) -> None:
    """Sds and correlations at x = 0 are those of the covariance at the mean, moved by hand."""
    posterior = shifted.data.posterior
    sd = posterior["sd_g"].to_numpy().reshape(-1, 2)
    cor = posterior["cor_g"].to_numpy().ravel()
    at = shifted.data.attrs
    origin = json.loads(at["origins"])["g"][1]
    assert origin == pytest.approx(20, abs=0.3)
    variance_at_mean = (
        sd[:, 0] ** 2 + 2 * origin * cor * sd[:, 0] * sd[:, 1] + (origin * sd[:, 1]) ** 2
    )
    plain = hm.Model("y ~ x + (x | g)", panel()).fit(draws=200, warmup=300, **QUIET)
    near = plain.data.posterior
    m = json.loads(plain.data.attrs["origins"])["g"][1]
    sd0, cor0 = near["sd_g"].to_numpy().reshape(-1, 2), near["cor_g"].to_numpy().ravel()
    expected = sd0[:, 0] ** 2 + 2 * m * cor0 * sd0[:, 0] * sd0[:, 1] + (m * sd0[:, 1]) ** 2
    np.testing.assert_allclose(np.median(variance_at_mean), np.median(expected), rtol=0.1)
    eta = shifted.predict(panel().assign(x=lambda d: d["x"] + 20), kind="mean").mean(
        ("chain", "draw")
    )
    other = plain.predict(panel(), kind="mean").mean(("chain", "draw"))
    assert np.abs(eta - other).max() < 0.25  # four Monte-Carlo errors of 800 draws, sd 0.4 and less


def test_a_written_prior_holds_at_zero_and_survives_a_file(shifted: hm.Fit, tmp_path) -> None:  # type: ignore[no-untyped-def]
    data = panel().assign(x=lambda d: d["x"] + 20)
    for names in (
        {"sd": "normal(0, 5)"},
        {"sd[g]": "normal(0, 5)"},
        {"sd[g,Intercept]": "normal(0, 5)"},
    ):
        assert not hm.Model("y ~ x + (x | g)", data, priors=names).origins["g"].any()
    for names in ({"sd[g, x]": "normal(0, 5)"}, {"cor": "lkj(2)"}):
        model = hm.Model("y ~ x + (x | g)", data, priors=names)
        assert model.origins["g"][1] == pytest.approx(20, abs=0.3)
        assert "at x = 20" in repr(model)
    shifted.save(tmp_path / "fit.nc")
    loaded = hm.load(tmp_path / "fit.nc")
    np.testing.assert_allclose(loaded.model.origins["g"], shifted.model.origins["g"])


def test_independent_effects_far_from_zero_are_told() -> None:
    data = panel().assign(year=lambda d: 2_000 + d["x"])
    with pytest.warns(hm.HiermixWarning, match=r"'year' lies more than 4 sds.*center\(year\)"):
        hm.Model("y ~ year + (year || g)", data)
    for formula in ("y ~ center(year) + (center(year) || g)", "y ~ year + (year | g)"):
        hm.Model(formula, data)
