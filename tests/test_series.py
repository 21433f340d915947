"""Residuals that go together, ar() and unstr(): every door, and what is refused."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.engines.embedded import Embedded
from hiermix.errors import ArgumentError, DataError, FormulaError, HiermixError

SHORT = {"chains": 2, "draws": 400, "seed": 1, "progress": False}


def in_time(seed: int = 4) -> pd.DataFrame:
    """Return 15 series of 10 times, two of each missing, with a correlation of 0.7."""
    rng = np.random.default_rng(seed)
    J, n = 15, 10
    e = rng.normal(size=(J, n))
    for t in range(1, n):
        e[:, t] = 0.7 * e[:, t - 1] + np.sqrt(1 - 0.49) * e[:, t]
    g, t, x = np.repeat(np.arange(J), n), np.tile(np.arange(n), J), rng.normal(size=J * n)
    rows = pd.DataFrame(
        {"y": 2 + 0.5 * x + e.ravel(), "x": x, "t": t, "g": [f"g{i:02}" for i in g]}
    )
    return rows[~((t == 3) | (t == 6) & (g % 2 == 0))].sample(frac=1, random_state=1)


def at_visits(seed: int = 5) -> pd.DataFrame:
    """Return 60 patients of three visits, some missing."""
    rng = np.random.default_rng(seed)
    S = np.array([[1, 0.6, 0.3], [0.6, 1.5, 0.8], [0.3, 0.8, 2.0]])
    e = rng.multivariate_normal(np.zeros(3), S, 60)
    arm = np.repeat(rng.choice(["a", "b"], 60), 3)
    rows = pd.DataFrame({"y": 1 + e.ravel(), "visit": np.tile(["w1", "w2", "w4"], 60), "arm": arm,
                         "id": np.repeat(np.arange(60), 3)})  # fmt: skip
    return rows[rng.random(180) > 0.15].reset_index(drop=True)


@pytest.fixture(scope="module")
def ar() -> hm.Fit:
    return hm.Model("y ~ x + (1 | g) + ar(t, by=g)", in_time()).fit(**SHORT)


@pytest.fixture(scope="module")
def unstr() -> hm.Fit:
    return hm.Model("y ~ arm + unstr(visit, by=id)", at_visits()).fit(**SHORT)


def flat(array: Any) -> np.ndarray:
    """Return draws of all chains on the last axis."""
    values = array.transpose(..., "chain", "draw").to_numpy()
    return values.reshape(*values.shape[:-2], -1)


def one_draw(fit: hm.Fit) -> Any:
    return fit.data["posterior"].isel(chain=1, draw=7)


def covariance_in_time(draw: Any, t: np.ndarray) -> np.ndarray:
    return float(draw["sigma"]) ** 2 * float(draw["rho"]) ** np.abs(t[:, None] - t)


def location(draw: Any, rows: pd.DataFrame) -> np.ndarray:
    b = float(draw["Intercept"]) + rows["x"].to_numpy() * float(draw["b"].sel(term="x"))
    return b + draw["r_g"].sel(g=rows["g"].to_list(), g_effect="Intercept").to_numpy()


def covariance_at_visits(draw: Any, visits: list[str]) -> np.ndarray:
    R = np.eye(3)
    for place, (i, j) in enumerate([(0, 1), (0, 2), (1, 2)]):
        R[i, j] = R[j, i] = float(draw["cor_residual"][place])
    sd = draw["sd_residual"].to_numpy()
    at = [["w1", "w2", "w4"].index(each) for each in visits]
    return (np.outer(sd, sd) * R)[np.ix_(at, at)]


def conditional(S: np.ndarray, e: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the others, given e of those that are known."""
    other = ~known
    gain = S[np.ix_(other, known)] @ np.linalg.inv(S[np.ix_(known, known)])
    return gain @ e[known], S[np.ix_(other, other)] - gain @ S[np.ix_(known, other)]


def test_print_says_what_goes_together(ar: hm.Fit, unstr: hm.Fit) -> None:
    assert "residual ar(t, by=g): rho is the correlation 1 apart; whole steps" in repr(ar.model)
    assert "autoregressive.stan (group effects integrated out)" in repr(ar.model)
    assert "unstr(visit, by=id): sd and correlations of 3 positions" in repr(unstr.model)
    names = set(unstr.summary().index)
    assert {"sd_residual[w2]", "cor_residual[w1, w4]"} <= names


def test_the_parameters_are_found(ar: hm.Fit, unstr: hm.Fit) -> None:
    # Within four posterior sds of what was simulated.
    for fit, name, place, truth in (
        (ar, "rho", {}, 0.7), (unstr, "sd_residual", {"visit": "w4"}, np.sqrt(2)),
        (unstr, "cor_residual", {"visit_pair": "w2, w4"}, 0.8 / np.sqrt(3)),
    ):  # fmt: skip
        drawn = fit.data["posterior"][name].sel(place)
        assert abs(float(drawn.mean()) - truth) < 4 * float(drawn.std())


def test_rows_are_weighed_given_all_others(ar: hm.Fit, unstr: hm.Fit) -> None:
    rows, draw = ar.design.frame.reset_index(drop=True), one_draw(ar)
    found = ar.log_likelihood().isel(chain=1, draw=7).to_numpy()
    for label in ("g03", "g04"):
        mine = np.flatnonzero(rows["g"] == label)
        e = (rows["y"] - location(draw, rows)).to_numpy()[mine]
        S = covariance_in_time(draw, rows["t"].to_numpy(dtype=float)[mine])
        for k in range(len(mine)):
            mean, variance = conditional(S, e, np.arange(len(mine)) != k)
            expected = stats.norm(mean[0], np.sqrt(variance[0, 0])).logpdf(e[k])
            assert found[mine[k]] == pytest.approx(expected, rel=1e-9)
    assert np.isfinite(ar.loo().elpd)
    rows, draw = unstr.design.frame, one_draw(unstr)
    found = unstr.log_likelihood().isel(chain=1, draw=7).to_numpy()
    mine = np.flatnonzero(rows["id"] == rows["id"].value_counts().index[0])
    eta = unstr.predict(rows, kind="linear").isel(chain=1, draw=7).to_numpy()
    e, S = (rows["y"] - eta).to_numpy()[mine], covariance_at_visits(draw, rows["visit"][mine])
    for k in range(len(mine)):
        mean, variance = conditional(S, e, np.arange(len(mine)) != k)
        expected = stats.norm(mean[0], np.sqrt(variance[0, 0])).logpdf(e[k])
        assert found[mine[k]] == pytest.approx(expected, rel=1e-9)


def test_forecasts_carry_the_last_residual_on(ar: hm.Fit) -> None:
    rows = ar.design.frame
    later = pd.DataFrame({"g": ["g02"] * 3 + ["g05"], "t": [10, 12, 13, 11], "x": 0.0})
    forecast = ar.forecast(later, time="t")  # a series is what ar(t, by=g) says
    found = forecast.data["predictions"]["mean"].isel(chain=1, draw=7).to_numpy()
    draw, expected = one_draw(ar), []
    for label, time in zip(later["g"], later["t"], strict=True):
        last = rows[(rows["g"] == label) & (rows["t"] == 9)]
        e = float(last["y"].iloc[0]) - location(draw, last)[0]
        mean = location(draw, pd.DataFrame({"g": [label], "x": [0.0]}))[0]
        expected.append(mean + float(draw["rho"]) ** (time - 9) * e)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    drawn = forecast.data["predictions"]
    noise = flat(drawn["y"] - drawn["mean"])
    sigma, rho = (flat(ar.data["posterior"][name]) for name in ("sigma", "rho"))
    for place, steps in ((0, 1), (1, 3), (2, 4)):
        # Of 800 standard normals: means within 5 errors, squares likewise.
        z = noise[place] / (sigma * np.sqrt(1 - rho ** (2 * steps)))
        assert abs(z.mean()) < 5 / np.sqrt(800)
        assert abs((z**2).mean() - 1) < 5 * np.sqrt(2 / 800)
    together = noise[1] * noise[2] / (sigma**2 * (rho - rho**7))
    assert abs(together.mean() - 1) < 5 * together.std() / np.sqrt(800)


def test_forecasts_of_a_missing_visit_know_the_others(unstr: hm.Fit) -> None:
    rows, draw = unstr.design.frame, one_draw(unstr)
    whole = {(i, v) for i in rows["id"] for v in ("w1", "w2", "w4")}
    missing = sorted(whole - set(zip(rows["id"], rows["visit"], strict=True)))[:5]
    later = pd.DataFrame(missing, columns=["id", "visit"])
    later["arm"] = rows.drop_duplicates("id").set_index("id")["arm"].loc[later["id"]].to_numpy()
    found = unstr.forecast(later).data["predictions"]["mean"].isel(chain=1, draw=7).to_numpy()
    plain = unstr.predict(later, kind="mean").isel(chain=1, draw=7).to_numpy()
    eta = unstr.predict(rows, kind="mean").isel(chain=1, draw=7).to_numpy()
    for place, (unit, visit) in enumerate(missing):
        mine = np.flatnonzero(rows["id"] == unit)
        S = covariance_at_visits(draw, [*rows["visit"][mine], visit])
        e = np.append((rows["y"] - eta).to_numpy()[mine], 0.0)
        same = [each for each in missing if each[0] == unit]
        if len(same) == 1:
            mean, _ = conditional(S, e, np.arange(len(e)) < len(mine))
            assert found[place] - plain[place] == pytest.approx(mean[0], rel=1e-9)


def test_responses_of_a_series_are_drawn_together(ar: hm.Fit) -> None:
    rows = pd.DataFrame({"g": ["g01"] * 3, "t": [20, 21, 24], "x": 0.0})
    noise = flat(ar.predict(rows, kind="response") - ar.predict(rows))
    sigma, rho = (flat(ar.data["posterior"][name]) for name in ("sigma", "rho"))
    z = noise / sigma
    for a, b, steps in ((0, 1, 1), (1, 2, 3)):
        product = z[a] * z[b] - rho**steps
        assert abs(product.mean()) < 5 * product.std() / np.sqrt(800)
    assert (np.abs((z**2).mean(axis=1) - 1) < 5 * np.sqrt(2 / 800)).all()


def test_rows_of_positions_have_their_own_sd(unstr: hm.Fit) -> None:
    rows = pd.DataFrame({"arm": "a", "visit": ["w1", "w2", "w4"], "id": 999})
    noise = flat(unstr.predict(rows, kind="response") - unstr.predict(rows))
    sd = flat(unstr.data["posterior"]["sd_residual"])
    z = noise / sd
    assert (np.abs((z**2).mean(axis=1) - 1) < 5 * np.sqrt(2 / 800)).all()
    residual = unstr.variance()["variance"].sel(component="residual").mean()
    counts = unstr.design.frame["visit"].value_counts().loc[["w1", "w2", "w4"]].to_numpy()
    assert float(residual) == pytest.approx((sd**2).mean(axis=1) @ counts / counts.sum())


def test_a_saved_fit_answers_the_same(ar: hm.Fit, unstr: hm.Fit, tmp_path: Any) -> None:
    later = pd.DataFrame({"g": ["g02"], "t": [10], "x": 0.0})
    visits = pd.DataFrame({"arm": "a", "visit": ["w1"], "id": 999})
    for fit, rows in ((ar, later), (unstr, visits)):
        fit.save(tmp_path / "fit.nc")
        loaded = hm.load(tmp_path / "fit.nc")
        np.testing.assert_array_equal(
            loaded.predict(rows, kind="response"), fit.predict(rows, kind="response")
        )
        assert loaded.model.priors == fit.model.priors
        np.testing.assert_array_equal(loaded.residual_correlation(), fit.residual_correlation())
        assert np.isfinite(fit.log_prior().to_array()).all()


def test_residual_correlations_have_labels(ar: hm.Fit, unstr: hm.Fit) -> None:
    lags = ar.residual_correlation(lags=3)
    np.testing.assert_allclose(lags.sel(lag=2.0), ar.data["posterior"]["rho"] ** 2)
    R = unstr.residual_correlation()
    pair = unstr.data["posterior"]["cor_residual"].sel(visit_pair="w1, w4")
    np.testing.assert_array_equal(R.sel(visit="w4", visit_other="w1"), pair)
    with pytest.raises(ArgumentError, match="residuals are independent"):
        hm.Model("y ~ x", in_time()).fit(**SHORT).residual_correlation()


def test_dates_have_steps_of_their_own() -> None:
    rows = in_time()
    month = pd.Timestamp("2020-01-31") + pd.offsets.MonthEnd(0)
    ends = rows["t"].map(lambda t: month + pd.offsets.MonthEnd(t))
    for dates, step in (
        (ends, "1 months"),
        (pd.to_datetime("2020-01-01") + rows["t"] * pd.Timedelta(7, "D"), "7 days"),
    ):
        model = hm.Model("y ~ x + ar(d, by=g)", rows.assign(d=dates))
        assert f"rho is the correlation {step} apart; whole steps" in repr(model)
        assert set(model.design.series.before()[2]) == {1.0, 2.0}
    uneven = rows.assign(d=rows["t"] + np.random.default_rng(1).uniform(0, 0.4, len(rows)))
    assert "uneven steps" in repr(hm.Model("y ~ x + ar(d, by=g)", uneven))


TIME, VISITS = in_time(), at_visits()
TWICE = pd.concat([TIME, TIME.head(1).assign(y=0.0)], ignore_index=True)
BAD = [
    ("y ~ x + ar(t, by=g)", TWICE, DataError,
     "times of 't' repeat within a level of 'g' (row"),
    ("y ~ x + ar(t)", TIME, DataError, "times of 't' repeat (rows"),
    ("y ~ x + ar(tt, by=g)", TIME, DataError, "formula names 'tt', not a column"),
    ("y ~ x + ar(t, by=h)", TIME, DataError, "formula names 'h', not a column"),
    ("y ~ x + ar(t, by=g)", TIME.assign(t=np.where(TIME["t"] == 9, np.nan, TIME["t"])), DataError,
     "column 't' has 15 missing values"),
    ("y ~ x + ar(t, by=g)", TIME.assign(t=np.where(TIME["t"] == 9, np.inf, TIME["t"])), DataError,
     "column 't' has 15 infinite values"),
    ("y ~ x + ar(m, by=g)", TIME.assign(m=202001 + TIME["t"]), DataError,
     "holds dates that are written as numbers"),
    ("y ~ x + ar(x, by=g)", TIME.assign(g=range(len(TIME))), DataError, "no series has two rows"),
    ("y ~ x + ar(t, by=g) + (1 | h)", TIME.assign(h=TIME["t"] % 3), DataError,
     "a series has rows of several levels of 'h'"),
    ("y ~ x + ar(t, by=g) + unstr(t, by=g)", TIME, FormulaError,
     "residuals go together in one way"),
    ("y ~ x + ar(t, by=g) + (x | g) + (x | h)", TIME.assign(h=TIME["g"].str[1]), FormulaError,
     "ar(t, by=g) has correlated effects of one factor, 'g': write those of 'h' with two bars"),
    ("y ~ s(x, k=110) + ar(t, by=g) + (1 | g)", TIME, FormulaError,
     "takes 100 effects and columns of smooths beside one grouping factor, and 's(x)' has 108"),
    ("y ~ ar(t, by=g) + (1 | mm(g, h))", TIME.assign(h=TIME["g"].iloc[::-1].to_numpy()),
     FormulaError, "of which each row has one level"),
    ("y ~ x + ar(t, by=t)", TIME, FormulaError, "by is another column"),
    ("y ~ x + ar()", TIME, FormulaError, "ar() needs time"),
    ("y ~ x + unstr(t)", TIME, FormulaError, "unstr() needs by"),
    (["y ~ x", "sigma ~ ar(t, by=g)"], TIME, FormulaError, "said in the formula of the response"),
    ("y ~ arm + unstr(visit, by=id)", pd.concat([VISITS, VISITS.head(2)], ignore_index=True),
     DataError, "positions of 'visit' repeat within a level of 'id' (rows"),
    ("y ~ arm + unstr(visits, by=id)", VISITS, DataError, "Did you mean 'visit'?"),
    ("y ~ arm + unstr(one, by=id)", VISITS.assign(one="a"), DataError,
     "is for 2 to 30 positions, and column 'one' has 1"),
    ("y ~ x + unstr(x, by=g)", TIME, DataError, "write ar() for many times"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "rows", "error", "message"), BAD, ids=[b[3] for b in BAD])
def test_bad_input_is_refused(
    formula: Any, rows: pd.DataFrame, error: type[HiermixError], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        hm.Model(formula, rows)


def test_a_large_block_beside_many_distinct_steps_is_refused() -> None:
    rng = np.random.default_rng(1)
    t = np.cumsum(rng.uniform(0.5, 1.5, 1200))
    rows = pd.DataFrame({"t": t, "x": rng.normal(size=1200), "y": rng.normal(size=1200)})
    model = hm.Model("y ~ s(x, k=100) + ar(t)", rows)
    with pytest.raises(DataError, match="98 columns, stand beside residuals with 2,399 distinct"):
        model.stan_data()


def test_other_models_are_refused() -> None:
    formula = "y ~ x + (1 | g) + ar(t, by=g)"
    with pytest.raises(DataError, match="is for families 'gaussian' and 'lognormal'"):
        hm.Model(formula, TIME, family="student_t")
    with pytest.raises(DataError, match="takes no weights"):
        hm.Model(formula, TIME.assign(w=2.0), weights="w")
    with pytest.raises(ArgumentError, match="effects='sampled' is for independent"):
        hm.Model(formula, TIME, effects="sampled")


ASKED: list[tuple[Callable[[hm.Fit], object], str]] = [
    (lambda fit: fit.kfold(folds=3, joint=True), "joint= is for rows of a label together"),
    (
        lambda fit: fit.predict(TIME[["x", "t"]].assign(g="new"), new_groups="update"),
        "new_groups='update' learns from the response of new groups",
    ),
    (
        lambda fit: fit.predict(pd.concat([TIME.head(3)] * 2).assign(g="new"), new_groups="update"),
        "times of 't' repeat within a level of 'g' (rows 3, 4, 5",
    ),
    (lambda fit: fit.predict(TIME[["x", "g"]], kind="response"), "the new rows lack 't'"),
    (lambda fit: fit.forecast(TIME.head(3)).table(), "at which their series have a row already"),
]


@pytest.mark.parametrize("ask", [ask for ask, _ in ASKED], ids=[text for _, text in ASKED])
def test_doors_that_are_closed_say_so(ar: hm.Fit, ask: Callable[[hm.Fit], Any]) -> None:
    message = dict(ASKED)[ask]
    with pytest.raises(HiermixError, match=re.escape(message)):
        ask(ar)


def test_new_positions_are_refused(unstr: hm.Fit) -> None:
    rows = pd.DataFrame({"arm": ["a"], "visit": ["w9"], "id": [1]})
    with pytest.raises(DataError, match="1 position of 'visit' not in the fit: 'w9'"):
        unstr.predict(rows, kind="response")


def test_means_need_no_series(ar: hm.Fit) -> None:
    rows = TIME.head(3)
    np.testing.assert_array_equal(ar.predict(rows[["x", "g"]]), ar.predict(rows))


@pytest.mark.parametrize("formula", [
    "y ~ s(x, k=5) + (1 | g) + ar(t, by=g)", "y ~ hsgp(x, k=5) + ar(t, by=g)",
])  # fmt: skip
def test_far_proposals_beside_smooths_have_no_density_and_raise_nothing(formula: str) -> None:
    model = hm.Model(formula, TIME)
    data, program = model.stan_data(), model._posterior.program
    points = np.random.default_rng(0).normal(0, 50, (100, int(data["D"])))
    found, _ = Embedded().log_density(program, data, points)
    assert not (found > 0).any()


def test_slopes_may_be_shrunk_beside_residuals_that_go_together() -> None:
    model = hm.Model("y ~ arm + unstr(visit, by=id)", VISITS, priors={"b": "horseshoe(1)"})
    data, program = model.stan_data(), model._posterior.program
    # Far away, where matrices are no numbers, programs have no density, and no crash.
    points = np.random.default_rng(0).normal(0, 50, (200, int(data["D"])))
    found, _ = Embedded().log_density(program, data, points)
    assert not (found > 0).any()
    drawn = model.fit(**SHORT).data["posterior"]
    assert np.isfinite(drawn["b"]).all()
