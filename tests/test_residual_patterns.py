"""Fits under patterned residuals: what is integrated, what comes out, and every door."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm


def panel(seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g, arm = np.repeat(np.arange(12), 10), np.tile(["a", "b"], 60)
    x = rng.normal(2, 1, 120)
    y = 1 + x + rng.normal(size=12)[g] + np.where(arm == "a", 0.3, 1.2) * rng.normal(size=120)
    return pd.DataFrame({"y": y, "x": x, "arm": arm, "g": [f"g{i}" for i in g]})


@pytest.fixture(scope="module")
def fits() -> tuple[hm.Fit, hm.Fit]:
    formulas, rows = ["y ~ x + (1 | g)", "sigma ~ arm"], panel()
    whole = hm.Model(formulas, rows)
    sampled = hm.Model(formulas, rows, effects="sampled")
    assert (whole.program_name, sampled.program_name) == ("strata", "gaussian")
    return whole.fit(seed=1), sampled.fit(seed=2)


def test_integrated_effects_are_those_that_are_sampled(fits: tuple[hm.Fit, hm.Fit]) -> None:
    one, other = (fit.data["posterior"].dataset for fit in fits)
    for name in ("Intercept", "b", "Intercept_sigma", "b_sigma", "sd_g", "r_g"):
        mean = [np.atleast_1d(each[name].mean(("chain", "draw"))).ravel() for each in (one, other)]
        sd = np.atleast_1d(other[name].std(("chain", "draw"))).ravel()
        # Means of more than 500 effective draws each: six errors of their difference.
        assert (np.abs(mean[0] - mean[1]) < 6 * sd * np.sqrt(2 / 500)).all(), name
        spread = np.atleast_1d(one[name].std(("chain", "draw"))).ravel() / sd
        assert ((spread > 0.75) & (spread < 1.35)).all(), name


def test_print_says_what_is_integrated_and_why() -> None:
    rows = panel()
    text = repr(hm.Model(["y ~ x + (1 | g)", "sigma ~ arm"], rows))
    assert "integrated out: exact, with one factor and 2 values of sigma" in text
    text = repr(hm.Model(["y ~ x + (1 | g)", "sigma ~ x"], rows))
    assert "120 values of sigma, which cost as much as rows" in text
    assert hm.Model(["y ~ x", "sigma ~ x"], rows).program_name == "gaussian"
    assert hm.Model(["y ~ x", "sigma ~ arm"], rows).program_name == "strata"
    assert hm.Model(["y ~ s(x)", "sigma ~ arm"], rows).program_name == "strata"
    assert hm.Model(["y ~ s(x)", "sigma ~ x"], rows).program_name == "gaussian"
    text = repr(hm.Model(["y ~ s(x) + (1 | g)", "sigma ~ arm"], pd.concat([rows] * 5)))
    assert "exact, with one factor and 8 columns in one block and 2 values of sigma" in text
    correlated = ["y ~ x + (x | g) + (x | arm)", "sigma ~ arm"]
    assert hm.Model(correlated, rows).program_name == "gaussian"


def test_doors_are_open(fits: tuple[hm.Fit, hm.Fit], tmp_path: object) -> None:
    fit = fits[0]
    rows = panel().head(4)
    mean = fit.predict(rows).mean(("chain", "draw"))
    again = fits[1].predict(rows).mean(("chain", "draw"))
    np.testing.assert_allclose(mean, again, atol=0.1)
    assert abs(fit.loo().elpd - fits[1].loo().elpd) < 2
    fit.save(tmp_path / "fit.nc")
    loaded = hm.load(tmp_path / "fit.nc")
    assert loaded.model.program_name == "strata"
    np.testing.assert_array_equal(loaded.predict(rows), fit.predict(rows))


def test_the_prior_is_sampled_without_the_rows() -> None:
    model = hm.Model(
        ["y ~ x + (1 | g)", "sigma ~ arm"], panel(),
        priors={"b": "normal(3, 0.1)", "b_sigma": "normal(-2, 0.1)", "sd": "gamma(400, 100)"},
    )  # fmt: skip
    drawn = model.fit(prior_only=True, seed=1, draws=300).data["posterior"]
    for name, mean, sd in (("b", 3, 0.1), ("b_sigma", -2, 0.1), ("sd_g", 4, 0.2)):
        assert abs(float(drawn[name].mean()) - mean) < 6 * sd / np.sqrt(300), name
        assert 0.7 < float(drawn[name].std()) / sd < 1.4, name
    effects = drawn["r_g"] / drawn["sd_g"]
    assert abs(float(effects.std()) - 1) < 0.1


def test_groups_without_rows_have_effects_from_the_spread() -> None:
    rows = panel()
    model = hm.Model(["y ~ x + (1 | g)", "sigma ~ arm"], rows)
    kept = np.flatnonzero((rows["g"] != "g3").to_numpy())
    drawn = model.of_rows(kept).fit(seed=1, draws=500).data["posterior"]
    left = drawn["r_g"].sel(g="g3") / drawn["sd_g"]
    assert abs(float(left.mean())) < 0.2
    assert abs(float(left.std()) - 1) < 0.1


def test_far_groups_lose_no_digits() -> None:
    rows = panel()
    far = rows.assign(y=rows["y"] + 1e6 * rows["g"].str[1:].astype(float))
    model = hm.Model(["y ~ x + (1 | g)", "sigma ~ arm"], far, priors={"sd": "normal(0, 1e7)"})
    drawn = model.fit(seed=1, draws=500).data["posterior"]
    sigma = np.exp(drawn["Intercept_sigma"].mean())
    assert 0.2 < float(sigma) < 0.45  # of arm a: 0.3, of 60 rows
