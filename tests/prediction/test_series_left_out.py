"""Series, units and groups left out, and new ones from their first rows: against dense normals."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

import hiermix as hm
from hiermix.errors import DataError
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import cross_validation, group_densities, predict

FIT: dict[str, Any] = {"seed": 1, "chains": 2, "warmup": 150, "draws": 100, "progress": False}
PLACE = (1, 7)
"""Chain and draw whose numbers are looked at."""
LABELS = ["a", "b", "c", "d"]


def devices() -> pd.DataFrame:
    """Return two series of unequal length in each of six sites, with gaps."""
    rng = np.random.default_rng(8)
    parts = []
    for unit in range(12):
        t = np.sort(rng.choice(12, 5 + unit % 3, replace=False))
        x = rng.normal(size=len(t))
        S = 1.5 * 0.6 ** np.abs(t[:, None] - t)
        y = 2 + 0.5 * x + rng.multivariate_normal(np.zeros(len(t)), S)
        part = {"y": y, "x": x, "t": t, "id": unit, "site": f"s{unit // 2}"}
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True).sample(frac=1, random_state=3, ignore_index=True)


def visits() -> pd.DataFrame:
    """Return thirty patients of four visits, some missing."""
    rng = np.random.default_rng(9)
    e = rng.multivariate_normal(np.zeros(4), 0.5 + 0.7 * np.diag([1, 2, 1, 3]), 30)
    rows = pd.DataFrame({
        "y": 1 + e.ravel(), "visit": np.tile(LABELS, 30), "id": np.repeat(np.arange(30), 4),
        "arm": np.repeat(rng.choice(["new", "old"], 30), 4),
    })  # fmt: skip
    return rows[rng.random(120) > 0.15].reset_index(drop=True)


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model("y ~ x + (x | site) + ar(t, by=id)", devices()).fit(**FIT)


@pytest.fixture(scope="module")
def trial() -> hm.Fit:
    return hm.Model("y ~ arm + unstr(visit, by=id)", visits()).fit(**FIT)


def of_draw(fit: hm.Fit, name: str) -> np.ndarray:
    return fit.data["posterior"][name].isel(chain=PLACE[0], draw=PLACE[1]).to_numpy()


def at_draw(fit: hm.Fit, found: np.ndarray) -> np.ndarray:
    """(n,) of the draw, of (n, S)."""
    return found[:, PLACE[0] * fit.data["posterior"].sizes["draw"] + PLACE[1]]


def residual_covariance(fit: hm.Fit, rows: pd.DataFrame) -> np.ndarray:
    """Return that of all rows, zero between series."""
    same = rows["id"].to_numpy()[:, None] == rows["id"].to_numpy()
    if "rho" in fit.data["posterior"]:
        t = rows["t"].to_numpy()
        apart = np.abs(t[:, None] - t)
        return same * of_draw(fit, "sigma") ** 2 * of_draw(fit, "rho") ** apart
    L = np.eye(4) / 2
    L[np.tril_indices(4, -1)] = of_draw(fit, "cor_residual")
    R = L + L.T
    at, sd = rows["visit"].map(LABELS.index).to_numpy(), of_draw(fit, "sd_residual")
    return same * (np.outer(sd, sd) * R)[np.ix_(at, at)]


def effects_covariance(fit: hm.Fit, rows: pd.DataFrame) -> np.ndarray:
    """Return what the effects of sites add, where these are not known."""
    sd, cor = of_draw(fit, "sd_site"), float(of_draw(fit, "cor_site").ravel()[0])
    S = np.outer(sd, sd) * np.array([[1, cor], [cor, 1]])
    Z = np.column_stack([np.ones(len(rows)), rows["x"]])
    site = rows["site"].to_numpy()
    return (site[:, None] == site) * (Z @ S @ Z.T)


def population(fit: hm.Fit, rows: pd.DataFrame) -> np.ndarray:
    linear = fit.predict(rows, kind="linear", group_effects="none")
    return linear.isel(chain=PLACE[0], draw=PLACE[1]).to_numpy()


def whole(fit: hm.Fit, rows: pd.DataFrame) -> np.ndarray:
    linear = fit.predict(rows, kind="linear").isel(chain=PLACE[0], draw=PLACE[1])
    return np.asarray(linear.to_numpy())


def given(y: np.ndarray, mean: np.ndarray, V: np.ndarray, known: np.ndarray) -> Any:
    """Return the normal of the rows that are not known, given those that are."""
    gain = V[np.ix_(~known, known)] @ np.linalg.inv(V[np.ix_(known, known)])
    left = V[np.ix_(~known, ~known)] - gain @ V[np.ix_(known, ~known)]
    return stats.multivariate_normal(mean[~known] + gain @ (y - mean)[known], (left + left.T) / 2)


def check_against_others(fit: hm.Fit, column: str, V: np.ndarray, mean: np.ndarray) -> None:
    """Density of the rows of each label given all others, under a dense covariance."""
    rows = fit.design.frame.assign(**{column: fit.design.frame[column]})
    found, labels = group_densities.log_densities(fit.posterior, rows[column].to_numpy())
    y = rows["y"].to_numpy()
    for place, label in enumerate(labels):
        left = (rows[column] == label).to_numpy()
        expected = given(y, mean, V, ~left).logpdf(y[left])
        assert at_draw(fit, found)[place] == pytest.approx(expected, rel=1e-9)


def test_sites_series_and_times_left_out_have_dense_densities(
    fit: hm.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = fit.design.frame
    R, effects = residual_covariance(fit, rows), effects_covariance(fit, rows)
    # Of a site that is left out the effects are not known: sites are independent then.
    check_against_others(fit, "site", R + effects, population(fit, rows))
    # A series has others in its site, whose effects are those of the draw.
    check_against_others(fit, "id", R, whole(fit, rows))
    monkeypatch.setattr("hiermix.prediction.series_densities._ENTRIES", 1_200)
    check_against_others(fit, "t", R, whole(fit, rows))
    check_against_others(fit, "site", R + effects, population(fit, rows))


def test_patients_and_visits_left_out_have_dense_densities(trial: hm.Fit) -> None:
    rows = trial.design.frame
    for column in ("id", "visit"):
        check_against_others(trial, column, residual_covariance(trial, rows), whole(trial, rows))


@pytest.mark.filterwarnings("ignore:leave-one-group-out is unreliable")  # of a short run
def test_fits_are_compared_by_what_is_left_out(fit: hm.Fit, trial: hm.Fit) -> None:
    plain = hm.Model("y ~ x + (x | site)", devices()).fit(**FIT)
    table = hm.compare({"series": fit, "plain": plain}, by="site")
    assert list(table.index) == ["series", "plain"]
    found = trial.loo(by="id")
    assert found.elpd_i.dims == ("id",)
    assert found.n_data_points == 30


def as_if_refitted(fit: hm.Fit, **how: Any) -> Any:
    """Cross-validation whose refits are the fit itself: what is left is what densities are of."""
    return cross_validation.kfold(
        fit.posterior, how.pop("groups", None), 4, 1, lambda rows: fit.data, **how
    )


@pytest.mark.parametrize("groups", [None, "id"])
def test_folds_leave_out_rows_given_those_that_are_kept(
    fit: hm.Fit, trial: hm.Fit, groups: str | None
) -> None:
    kept: list[np.ndarray] = []

    def refit(rows: np.ndarray) -> Any:
        kept.append(rows)
        return each.data

    for each in (fit, trial):
        kept.clear()
        found = cross_validation.kfold(each.posterior, groups, 4, 1, refit)
        rows = each.design.frame
        y, n = rows["y"].to_numpy(), len(rows)
        means = whole(each, rows)
        R, expected = residual_covariance(each, rows), np.zeros(n)
        for some in kept:
            known = np.isin(np.arange(n), some)
            for row in np.flatnonzero(~known):
                one = np.append(np.flatnonzero(known), row)
                law = given(
                    y[one], means[one], R[np.ix_(one, one)], np.arange(len(one)) < len(some)
                )
                expected[row] = law.logpdf(y[[row]])
        assert found.n_data_points == n
        densities = np.empty(n)
        for some in kept:
            out = np.setdiff1d(np.arange(n), some)
            refitted = Posterior.of(each.data, each.design, each.posterior.family)
            of_rows = cross_validation._given_kept(refitted, out)
            densities[out] = of_rows.isel(chain=PLACE[0], draw=PLACE[1]).to_numpy()
        np.testing.assert_allclose(densities, expected, rtol=1e-9)


def test_folds_of_joint_densities_are_those_of_loo(fit: hm.Fit) -> None:
    found = as_if_refitted(fit, groups="site", joint=True)
    densities, labels = group_densities.log_densities(fit.posterior, fit.design.frame["site"])
    expected = logsumexp(densities, axis=1) - np.log(densities.shape[1])
    assert found.elpd_i["site"].to_numpy().tolist() == labels.tolist()
    np.testing.assert_allclose(found.elpd_i, expected, rtol=1e-10)
    assert found.se == pytest.approx(np.sqrt(6 * expected.var(ddof=1)))
    with pytest.raises(hm.ArgumentError, match="name these, groups="):
        as_if_refitted(fit, joint=True)


def test_a_group_of_several_responses_is_left_out() -> None:
    rng = np.random.default_rng(4)
    rows = pd.DataFrame(rng.normal(size=(40, 2)), columns=["u", "v"]).assign(
        g=np.repeat(["a", "b", "c", "d"], 10)
    )
    rows.loc[:5, "u"] = np.nan
    rows.loc[17:19, "v"] = np.nan
    fit = hm.Model(["u ~ 1 + (1 | p | g)", "v ~ 1 + (1 | p | g)"], rows).fit(**FIT)
    sd, cor = of_draw(fit, "sd_residual"), float(of_draw(fit, "cor_residual")[0])
    S = np.outer(sd, sd) * np.array([[1, cor], [cor, 1]])
    sd, cor = of_draw(fit, "sd_g"), float(of_draw(fit, "cor_g").ravel()[0])
    T = np.outer(sd, sd) * np.array([[1, cor], [cor, 1]])
    mean = np.array([of_draw(fit, f"Intercept_{name}") for name in "uv"])
    labels = cross_validation.of_rows(fit.design, rows["g"].to_numpy())
    found, names = group_densities.log_densities(fit.posterior, labels)
    for name, one in zip(names, at_draw(fit, found), strict=True):
        y = rows.loc[rows["g"] == name, ["u", "v"]].to_numpy()
        V = np.kron(np.eye(len(y)), S) + np.kron(np.ones((len(y), len(y))), T)
        here = ~np.isnan(y.ravel())
        law = stats.multivariate_normal(np.tile(mean, len(y))[here], V[np.ix_(here, here)])
        assert one == pytest.approx(law.logpdf(y.ravel()[here]), rel=1e-9)
    result = as_if_refitted(fit, groups="g", joint=True)
    assert result.elpd_i["g"].to_numpy().tolist() == ["a", "b", "c", "d"]
    expected = logsumexp(found, axis=1) - np.log(found.shape[1])
    np.testing.assert_allclose(result.elpd_i.sel(g=list(names)), expected, rtol=1e-10)


KNOWN = {
    "Intercept": "normal(2, 1e-6)", "b": "normal(0.5, 1e-6)", "sd": "normal(0.8, 1e-6)",
    "sigma": "normal(1.2, 1e-6)", "rho": "normal(0.6, 1e-6)",
}  # fmt: skip


def test_new_series_are_forecast_from_their_first_rows() -> None:
    """With all parameters known, what is said of a new series is one dense normal."""
    fit = hm.Model("y ~ x + (1 | site) + ar(t, by=id)", devices(), priors=KNOWN).fit(
        **FIT | {"draws": 2000, "warmup": 100}
    )
    new = pd.DataFrame({
        "id": [77] * 4 + [78] * 3 + [79] * 2, "site": ["new"] * 7 + ["s1"] * 2,
        "t": [0, 1, 3, 5, 2, 3, 4, 0, 2], "x": [0.5, -1, 0.2, 1, 0, 2, 1, 0.3, -0.4],
        "y": [4.5, np.nan, 5.1, np.nan, np.nan, 5.5, np.nan, 0.2, np.nan],
    })  # fmt: skip
    same = new["id"].to_numpy()[:, None] == new["id"].to_numpy()
    t = new["t"].to_numpy()
    V = same * 1.44 * 0.6 ** np.abs(t[:, None] - t)
    V[:7, :7] += 0.64
    mean = 2 + 0.5 * new["x"].to_numpy()
    # The effect of a level of the fit is known from its rows, in each draw.
    r = fit.data["posterior"]["r_site"].sel(site="s1").to_numpy().ravel()
    mean[7:] += r.mean()
    V[7:, 7:] += r.var()
    known = new["y"].notna().to_numpy()
    law = given(new["y"].to_numpy(), mean, V, known)
    table = fit.forecast(new, time="t", by="id", new_groups="update").table()
    draws = fit.predict(new, kind="response", new_groups="update")
    assert draws.attrs["effective_draws"] > 2000
    n = draws.attrs["effective_draws"]
    sd = np.sqrt(np.diag(law.cov))
    later = draws.isel(row=~known)
    by_hand = np.column_stack([each(("chain", "draw")) for each in (later.mean, later.std)])
    # Five errors of a mean and of an sd of so many draws.
    for found in (table[["mean", "sd"]].to_numpy(), by_hand):
        np.testing.assert_array_less(abs(found[:, 0] - law.mean), 5 * sd / np.sqrt(n))
        np.testing.assert_array_less(abs(found[:, 1] - sd), 5 * sd / np.sqrt(2 * n))
    with pytest.raises(DataError, match="belong to series of the fit"):
        fit.predict(new.assign(id=0), new_groups="update")


def test_a_new_patient_is_known_by_its_first_visits(trial: hm.Fit) -> None:
    new = pd.DataFrame({"id": 99, "visit": LABELS, "arm": "new", "y": [2.0, 2.5, np.nan, np.nan]})
    source = predict.of_rows(
        trial.posterior, new, kind="mean", new_groups="update", group_effects="all", offset=None,
        seed=None,
    )  # fmt: skip
    assert source.weighed is not None
    place = PLACE[0] * FIT["draws"] + PLACE[1]
    here = int(np.flatnonzero(source.weighed.order == place)[0])
    law = given(new["y"].to_numpy(), whole(trial, new), residual_covariance(trial, new),
                new["y"].notna().to_numpy())  # fmt: skip
    np.testing.assert_allclose(source.values("mean", slice(2, 4))[:, here], law.mean, rtol=1e-9)
    np.testing.assert_allclose(source.values("mean", slice(0, 2))[:, here], whole(trial, new)[:2])
    table = trial.forecast(new, new_groups="update").table()
    assert len(table) == 2
