"""Residuals that go together, with an equation of sigma: every door against dense normals."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

import hiermix as hm
from hiermix.engines.embedded import Embedded
from hiermix.errors import DataError, FormulaError, HiermixError
from hiermix.prediction import group_densities
from tests.test_series import conditional, flat, in_time

FIT: dict[str, Any] = {"seed": 1, "chains": 2, "warmup": 200, "draws": 150, "progress": False}
AT = {"chain": 1, "draw": 7}
VISITS = ["w1", "w2", "w4"]


def series() -> pd.DataFrame:
    """Return series of ten times, those of arm b of a third of the spread."""
    rows = in_time().reset_index(drop=True)
    arm = np.where(rows["g"].str[1:].astype(int) % 3, "a", "b")
    around = 2 + 0.5 * rows["x"]
    y = around + (rows["y"] - around) * np.where(arm == "a", 1.5, 0.5)
    return rows.assign(arm=arm, y=y, site=rows["g"].str[1])


def visits() -> pd.DataFrame:
    """Return sixty patients of three visits, some missing; spreads differ by visit and arm."""
    rng = np.random.default_rng(6)
    R = np.array([[1, 0.6, 0.3], [0.6, 1, 0.5], [0.3, 0.5, 1]])
    e = rng.multivariate_normal(np.zeros(3), R, 60) * [0.5, 1, 2]
    arm = np.repeat(rng.choice(["new", "old"], 60), 3)
    y = 1 + e.ravel() * np.where(arm == "new", 2, 1)
    rows = pd.DataFrame({"y": y, "visit": VISITS * 60, "arm": arm, "id": np.repeat(range(60), 3)})
    return rows[rng.random(180) > 0.15].reset_index(drop=True)


@pytest.fixture(scope="module")
def ar() -> hm.Fit:
    return hm.Model(["y ~ x + (1 | g) + ar(t, by=g)", "sigma ~ arm"], series()).fit(**FIT)


@pytest.fixture(scope="module")
def unstr() -> hm.Fit:
    formulas = ["y ~ arm + unstr(visit, by=id)", "sigma ~ visit + arm"]
    return hm.Model(formulas, visits()).fit(**FIT)


def sds(fit: hm.Fit, rows: pd.DataFrame) -> np.ndarray:
    """Return the sd of each row, by hand."""
    draw = fit.data["posterior"].isel(AT)
    b = {
        str(term): float(draw["b_sigma"].sel(sigma_term=term))
        for term in draw["sigma_term"].to_numpy()
    }
    log_sigma = float(draw["Intercept_sigma"]) + sum(
        slope * (rows[name.split("[")[0]] == name[name.index(".") + 1 : -1]).to_numpy()
        for name, slope in b.items()
    )
    return np.exp(log_sigma)


def covariance(fit: hm.Fit, rows: pd.DataFrame) -> np.ndarray:
    """Return that of residuals, zero between series."""
    draw, sd = fit.data["posterior"].isel(AT), sds(fit, rows)
    if "rho" in draw:
        unit, t = rows["g"].to_numpy(), rows["t"].to_numpy(dtype=float)
        R = float(draw["rho"]) ** np.abs(t[:, None] - t)
    else:
        unit, at = rows["id"].to_numpy(), rows["visit"].map(VISITS.index).to_numpy()
        whole = np.eye(3)
        for place, (i, j) in enumerate([(0, 1), (0, 2), (1, 2)]):
            whole[i, j] = whole[j, i] = float(draw["cor_residual"][place])
        R = whole[np.ix_(at, at)]
    return sd[:, None] * R * sd * (unit[:, None] == unit)


def left(fit: hm.Fit, rows: pd.DataFrame) -> np.ndarray:
    eta = fit.predict(rows, kind="linear").isel(AT).to_numpy()
    return np.asarray(rows["y"].to_numpy() - eta)


@pytest.mark.parametrize("which", ["ar", "unstr"])
def test_rows_are_weighed_given_all_others(which: str, request: pytest.FixtureRequest) -> None:
    fit = request.getfixturevalue(which)
    rows = fit.design.frame
    e, S = left(fit, rows), covariance(fit, rows)
    found = fit.log_likelihood().isel(AT).to_numpy()
    for k in range(0, len(rows), 7):
        mean, variance = conditional(S, e, np.arange(len(rows)) != k)
        expected = stats.norm(mean[0], np.sqrt(variance[0, 0])).logpdf(e[k])
        assert found[k] == pytest.approx(expected, rel=1e-9)
    assert np.isfinite(fit.loo().elpd)


def test_units_left_out_have_the_density_of_all_their_rows(unstr: hm.Fit) -> None:
    rows, (chain, draw) = unstr.design.frame, AT.values()
    found, labels = group_densities.log_densities(unstr.posterior, rows["id"].to_numpy())
    e, S = left(unstr, rows), covariance(unstr, rows)
    for place, label in enumerate(labels[:9]):
        mine = np.flatnonzero(rows["id"] == label)
        law = stats.multivariate_normal(np.zeros(len(mine)), S[np.ix_(mine, mine)])
        assert found[place, chain * FIT["draws"] + draw] == pytest.approx(law.logpdf(e[mine]))


def test_forecasts_carry_the_residual_on_in_units_of_sds(ar: hm.Fit, unstr: hm.Fit) -> None:
    later = pd.DataFrame({"g": ["g02", "g03"], "t": [11, 12], "x": 0.0, "arm": ["b", "a"]})
    rows = unstr.design.frame
    whole = rows.groupby("id")["visit"].nunique()
    unit = whole.index[whole == 2][0]
    gone = next(each for each in VISITS if each not in set(rows.loc[rows["id"] == unit, "visit"]))
    arm = rows.loc[rows["id"] == unit, "arm"].iloc[0]
    missing = pd.DataFrame({"id": [unit], "visit": [gone], "arm": [arm]})
    for fit, new in ((ar, later), (unstr, missing)):
        keywords = {"time": "t", "by": "g"} if fit is ar else {}
        drawn = fit.forecast(new, **keywords).data["predictions"]
        plain = fit.predict(new, kind="mean").isel(AT).to_numpy()
        rows = fit.design.frame
        both = pd.concat([rows, new], ignore_index=True)
        e = np.append(left(fit, rows), np.zeros(len(new)))
        known = np.arange(len(both)) < len(rows)
        mean, _ = conditional(covariance(fit, both), e, known)
        np.testing.assert_allclose(drawn["mean"].isel(AT) - plain, mean, rtol=1e-8, atol=1e-12)


def test_responses_have_the_sd_of_their_rows(ar: hm.Fit, unstr: hm.Fit) -> None:
    new = pd.DataFrame({"g": ["g01"] * 2, "t": [20, 21], "x": 0.0, "arm": ["a", "b"]})
    visits = pd.DataFrame({"id": 999, "visit": VISITS, "arm": "new"})
    for fit, rows in ((ar, new), (unstr, visits)):
        noise = flat(fit.predict(rows, kind="response") - fit.predict(rows))
        draws = fit.data["posterior"]
        b = {
            str(term): flat(draws["b_sigma"].sel(sigma_term=term))
            for term in draws["sigma_term"].to_numpy()
        }
        start = flat(draws["Intercept_sigma"])
        for place, row in rows.reset_index(drop=True).iterrows():
            log_sigma = start + sum(
                slope * (row[name.split("[")[0]] == name[name.index(".") + 1 : -1])
                for name, slope in b.items()
            )
            z = noise[place] / np.exp(log_sigma)
            # Of 300 standard normals: squares within 5 errors.
            assert abs((z**2).mean() - 1) < 5 * np.sqrt(2 / 300)


def test_new_series_are_learned_from_their_rows(unstr: hm.Fit) -> None:
    new = pd.DataFrame({"id": "x", "visit": VISITS, "arm": "new", "y": [1.0, 5.0, np.nan]})
    updated = unstr.predict(new, new_groups="update")
    plain = unstr.predict(new, kind="linear")
    e = flat(new["y"].to_numpy()[:2, None, None] - plain.transpose("row", "chain", "draw")[:2])
    logs = np.empty(e.shape[1])
    posterior = unstr.data["posterior"]
    for s in range(len(logs)):
        AT.update(chain=s // FIT["draws"], draw=s % FIT["draws"])
        S = covariance(unstr, new)[:2, :2]
        logs[s] = stats.multivariate_normal(np.zeros(2), S).logpdf(e[:, s])
    AT.update(chain=1, draw=7)
    weights = np.exp(logs - logsumexp(logs))
    expected = float(weights @ flat(posterior["Intercept"]))
    found = float(updated.transpose("row", "chain", "draw")[0].mean())
    # Both are of draws that are weighed, these by smoothed weights.
    assert found == pytest.approx(expected, abs=0.05)


def test_other_doors(ar: hm.Fit, unstr: hm.Fit, tmp_path: Any) -> None:
    shown = repr(unstr.model)
    assert "correlations of 3 positions\n         sds are those of the equation of sigma" in shown
    assert "6 values of sigma" in shown
    assert "sd_residual" not in unstr.data["posterior"]
    assert "Intercept_sigma" in set(ar.summary().index)
    rows = unstr.design.frame
    residual = unstr.variance()["variance"].sel(component="residual").isel(AT)
    assert float(residual) == pytest.approx((sds(unstr, rows) ** 2).mean())
    later = pd.DataFrame({"g": ["g02"], "t": [11], "x": 0.0, "arm": "b"})
    ar.save(tmp_path / "fit.nc")
    loaded = hm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(
        loaded.predict(later, kind="response"), ar.predict(later, kind="response")
    )
    assert np.isfinite(ar.log_prior().to_array()).all()
    assert (ar.comparisons(variables="arm").table()["estimate"] == 0).all()
    assert ar.residual_correlation(lags=2).sizes["lag"] == 3


def test_the_sds_are_found(ar: hm.Fit, unstr: hm.Fit) -> None:
    truths = ((ar, "arm[T.b]", -np.log(3)), (unstr, "visit[T.w4]", np.log(4)))
    for fit, term, truth in truths:
        drawn = fit.data["posterior"]["b_sigma"].sel(sigma_term=term)
        assert abs(float(drawn.mean()) - truth) < 4 * float(drawn.std())


@pytest.mark.parametrize(("formulas", "error", "message"), [
    (["y ~ x + ar(t, by=g)", "sigma ~ (1 | g)"], FormulaError,
     "an equation of sigma without smooths or effects: leave those of 'g' out"),
    (["y ~ x + ar(t, by=g)", "sigma ~ s(x)"], FormulaError, "leave those of 'sigma_s(x)' out"),
    (["y ~ x + ar(t, by=g)", "sigma ~ armm"], DataError, "Did you mean 'arm'?"),
])  # fmt: skip
def test_bad_input_is_refused(formulas: list[str], error: type[HiermixError], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        hm.Model(formulas, series())


@pytest.mark.parametrize(("formulas", "rows"), [
    (["y ~ x + (1 | g) + ar(t, by=g)", "sigma ~ arm"], series()),
    (["y ~ arm + unstr(visit, by=id)", "sigma ~ visit + arm"], visits()),
])  # fmt: skip
def test_sums_of_series_have_the_density_of_rows(formulas: list[str], rows: pd.DataFrame) -> None:
    of_rows = hm.Model(formulas, rows).assemble(prior_only=False)
    of_sums = hm.Model.from_statistics(hm.statistics(formulas, rows)).assemble(prior_only=False)
    # In the coordinates of one of them.
    named = ("center", "scale", "sd_bend", "sd_spread", "rest", "reach", "hold", "b_par")
    data = of_sums.data | {name: of_rows.data[name] for name in named}
    points = np.random.default_rng(0).normal(size=(5, int(data["D"])))
    found, _ = Embedded().log_density(of_sums.program, data, points)
    expected, _ = Embedded().log_density(of_rows.program, of_rows.data, points)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
