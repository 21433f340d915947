"""Several Gaussian responses: what comes out, every door, and what is refused."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.errors import ArgumentError, DataError, FormulaError, HiermixWarning
from hiermix.prediction import given_responses

FORMULAS = ["y1 ~ x + (1 | p | g)", "y2 ~ x + z + (1 | p | g)"]


def frame(rows: int = 160, seed: int = 5) -> pd.DataFrame:
    """Two responses, each missing in some rows, one of them in large units."""
    rng = np.random.default_rng(seed)
    g = rng.integers(0, 10, rows)
    x, z = rng.normal(3, 1, rows), rng.normal(size=rows)
    U = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 10)
    E = rng.multivariate_normal([0, 0], [[1, -0.5], [-0.5, 1]], rows)
    data = pd.DataFrame({
        "y1": 1 + 0.5 * x + U[g, 0] + E[:, 0], "x": x, "z": z, "g": [f"g{i}" for i in g],
        "y2": 1e3 * (2 - 0.3 * x + z + 0.5 * U[g, 1] + E[:, 1]),
    })  # fmt: skip
    data.loc[:11, "y1"], data.loc[12:19, "y2"] = np.nan, np.nan
    return data


DATA = frame()


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model(FORMULAS, DATA).fit(
        seed=1, chains=2, warmup=300, draws=250, progress=False, cores=1
    )


def draws(fit: hm.Fit, *names: str) -> list[np.ndarray]:
    found = [fit.data["posterior"][name].to_numpy() for name in names]
    return [each.reshape(-1, *each.shape[2:]) for each in found]


def covariance(fit: hm.Fit) -> np.ndarray:
    sd, cor = draws(fit, "sd_residual", "cor_residual")
    found = np.einsum("si,sj->sij", sd, sd)
    found[:, 0, 1] *= cor[:, 0]
    found[:, 1, 0] *= cor[:, 0]
    return found


def spread(fit: hm.Fit) -> tuple[np.ndarray, np.ndarray]:
    """Sds (S, 2) and correlation (S,) of the group effects."""
    sd, cor = draws(fit, "sd_g", "cor_g")
    return sd, cor[:, 0]


def means(fit: hm.Fit, rows: pd.DataFrame) -> np.ndarray:
    """(rows, draws, responses), from the draws by hand."""
    a1, b1, a2, b2 = draws(fit, "Intercept_y1", "b_y1", "Intercept_y2", "b_y2")
    r = fit.data["posterior"]["r_g"].sel(g=rows["g"].tolist()).to_numpy()
    r = r.reshape(-1, *r.shape[2:]).transpose(1, 0, 2)
    X = rows[["x", "z"]].to_numpy()
    first = a1 + X[:, :1] * b1[:, 0] + r[:, :, 0]
    return np.stack([first, a2 + X @ b2.T + r[:, :, 1]], axis=-1)


def test_names_are_those_of_the_equations(fit: hm.Fit) -> None:
    assert list(fit.summary().index) == [
        "Intercept_y1", "b_y1[x]", "Intercept_y2", "b_y2[x]", "b_y2[z]", "sd_residual[y1]",
        "sd_residual[y2]", "cor_residual[y1, y2]", "sd_g[y1_Intercept]", "sd_g[y2_Intercept]",
        "cor_g[y1_Intercept, y2_Intercept]",
    ]  # fmt: skip
    text = repr(fit.model)
    assert "rows with each: y1 in 148, y2 in 152" in text
    assert re.search(r"sd_residual\[y2\] +~ exponential\(0\.000", text)
    assert fit.group_effects("g").index.get_level_values("effect")[:2].tolist() == [
        "y1_Intercept", "y2_Intercept"]  # fmt: skip
    found = fit.hypothesis("cor_residual[y1, y2] < 0", "b_y2[z] > 500", "Intercept_y1 > -50")
    assert (found["probability"] > 0.99).all()
    R = fit.residual_correlation()
    assert R.dims == ("chain", "draw", "response", "response_other")


def test_predictions_are_of_every_response(fit: hm.Fit) -> None:
    new = DATA.drop(columns=["y1", "y2"]).iloc[[3, 40, 0]]
    found = fit.predict(new)
    assert found.dims == ("chain", "draw", "row", "response")
    assert found["response"].to_numpy().tolist() == ["y1", "y2"]
    by_hand = means(fit, new).transpose(1, 0, 2)
    np.testing.assert_allclose(found.to_numpy().reshape(by_hand.shape), by_hand, rtol=1e-10)
    whole = fit.predict(quantiles=[0.5])
    assert whole.sizes["row"] == len(DATA)
    assert np.isnan(whole.sel(response="y1")[0, :12]).all()
    assert np.isfinite(whole.sel(response="y2")[0, :12]).all()
    pieces = list(fit.predict_pieces(new))
    np.testing.assert_array_equal(np.concatenate(pieces, axis=2), found)


def test_drawn_responses_go_together(fit: hm.Fit) -> None:
    rows = DATA.drop(columns=["y1", "y2"]).head(40)
    noise = (fit.predict(rows, kind="response") - fit.predict(rows)).to_numpy()
    sd = fit.data["posterior"]["sd_residual"].to_numpy()[:, :, None]
    standard = (noise / sd).reshape(-1, 2)
    expected = float(fit.data["posterior"]["cor_residual"].mean())
    # 20,000 pairs: six errors of their correlation.
    assert abs(np.corrcoef(standard.T)[0, 1] - expected) < 6 / np.sqrt(len(standard))
    assert abs(standard.std() - 1) < 6 / np.sqrt(4 * len(standard))


def test_new_groups_have_effects_that_go_together(fit: hm.Fit) -> None:
    rows = pd.concat([DATA.head(1).assign(g=f"new {i}") for i in range(60)])
    dev = fit.predict(rows, new_groups="sample") - fit.predict(rows, new_groups="population")
    z = (dev.to_numpy() / fit.data["posterior"]["sd_g"].to_numpy()[:, :, None]).reshape(-1, 2)
    expected = float(fit.data["posterior"]["cor_g"].mean())
    assert abs(np.corrcoef(z.T)[0, 1] - expected) < 6 / np.sqrt(len(z))


def test_one_response_is_predicted_given_the_other(fit: hm.Fit) -> None:
    rows, S = DATA.iloc[[30, 31, 3]], covariance(fit)  # the last one lacks y1
    mean = means(fit, rows)
    found = fit.predict(rows, given="y1").to_numpy().reshape(S.shape[0], 3, 2).transpose(1, 0, 2)
    left = rows["y1"].to_numpy()[:, None] - mean[:, :, 0]
    expected = mean[:, :, 1] + S[:, 0, 1] / S[:, 0, 0] * left
    np.testing.assert_allclose(found[:2, :, 1], expected[:2], rtol=1e-9)
    np.testing.assert_allclose(found[2], mean[2], rtol=1e-9)
    np.testing.assert_allclose(found[:2, :, 0], rows["y1"].to_numpy()[:2, None] + 0 * left[:2])
    noise = fit.predict(rows, kind="response", given="y1").to_numpy().reshape(-1, 3, 2)
    noise = noise.transpose(1, 0, 2)[:2, :, 1] - expected[:2]
    size = np.sqrt(S[:, 1, 1] - S[:, 0, 1] ** 2 / S[:, 0, 0])
    assert abs((noise / size).std() - 1) < 6 / np.sqrt(2 * noise.size)
    with pytest.raises(ArgumentError, match="there is none left to predict"):
        fit.predict(rows, given=["y1", "y2"])
    with pytest.raises(ArgumentError, match="Did you mean 'y1'"):
        fit.predict(rows, given="y11")
    with pytest.raises(DataError, match="'y1', which is no column of the rows"):
        fit.predict(rows.drop(columns="y1"), given="y1")


class _Still:
    """Numbers that are all zero, in the place of random ones: draws are their means."""

    def standard_normal(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros(shape)


def test_new_groups_are_predicted_given_what_is_known_of_their_rows(
    fit: hm.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given_responses, "generator", lambda *names: _Still())
    rows = DATA.iloc[[30, 31, 3, 40, 41]].assign(g=["n1", "n1", "n1", "n2", "n2"])  # 3 lacks y1
    found = fit.predict(rows, given="y1", new_groups="sample").to_numpy().reshape(-1, 5, 2)
    center = fit.predict(rows, new_groups="population").to_numpy().reshape(-1, 10)
    sd, c = spread(fit)
    between = np.einsum("si,sj->sij", sd, sd) * np.stack([1 + 0 * c, c, c, 1 + 0 * c], -1).reshape(
        -1, 2, 2
    )
    group, row, response = np.repeat([0, 0, 0, 1, 1], 2), np.repeat(range(5), 2), np.tile([0, 1], 5)
    y = rows[["y1", "y2"]].to_numpy().ravel()
    known = (response == 0) & ~np.isnan(y)
    for s in range(0, len(c), 40):
        V = between[s][response][:, response] * (group[:, None] == group)
        V += covariance(fit)[s][response][:, response] * (row[:, None] == row)
        left = np.linalg.solve(V[known][:, known], y[known] - center[s, known])
        expected = (center[s] + V[:, known] @ left).reshape(5, 2)
        np.testing.assert_allclose(found[s], expected, rtol=1e-9)
    with pytest.raises(DataError, match="rows without a label of 'g'"):
        fit.predict(rows.assign(g=None), given="y1", new_groups="sample")


def test_new_groups_of_two_factors_are_not_learned_from_one_row() -> None:
    formulas = ["y1 ~ x + (1 | g) + (1 | h)", "y2 ~ x + (1 | g)"]
    rows = DATA.assign(h=np.arange(len(DATA)) % 7)
    small = hm.Model(formulas, rows).fit(seed=1, chains=1, warmup=50, draws=10, progress=False)
    new = rows.iloc[[30, 31]].assign(g="n1", h=[99, 1])
    with pytest.raises(DataError, match=r"new ones of 'g' and 'h' \(row 0; index 30\)"):
        small.predict(new, given="y1", new_groups="sample")
    found = small.predict(new.assign(h=1), given="y1", new_groups="sample")
    assert np.isfinite(found).all()


def test_effects_of_new_groups_vary_as_they_do_given_what_is_known(fit: hm.Fit) -> None:
    rows = DATA.iloc[[30, 31]].assign(g="n1")
    each = [fit.predict(rows, given="y1", new_groups="sample", seed=k) for k in range(40)]
    drawn = np.stack([e.to_numpy().reshape(-1, 2, 2)[:, 0, 1] for e in each])
    (sd, c), R = spread(fit), covariance(fit)
    V = sd[:, 0] ** 2 + R[:, 0, 0] / 2  # of the mean of y1 over both rows, less its fixed part
    pull = R[:, 0, 1] / R[:, 0, 0]
    # Var(u2 - pull u1 | mean of y1), the part of the prediction that is not known.
    var2, cov = sd[:, 1] ** 2, c * sd[:, 0] * sd[:, 1]
    whole = var2 - 2 * pull * cov + pull**2 * sd[:, 0] ** 2
    expected = whole - (cov - pull * sd[:, 0] ** 2) ** 2 / V
    ratio = drawn.var(axis=0, ddof=1) / expected
    assert abs(ratio.mean() - 1) < 6 * np.sqrt(2 / 39 / len(ratio))


def test_rows_are_weighed_with_all_that_they_have(fit: hm.Fit) -> None:
    density = fit.log_likelihood()
    assert density.shape == (2, 250, len(DATA))
    mean, S = means(fit, DATA), covariance(fit)
    flat = density.to_numpy().reshape(-1, len(DATA))
    for row, s in ((5, 7), (15, 400), (100, 3)):
        some = np.flatnonzero(DATA.loc[row, ["y1", "y2"]].notna())
        y = DATA.loc[row, ["y1", "y2"]].to_numpy(dtype=float)[some]
        law = stats.multivariate_normal(mean[row, s, some], S[s][np.ix_(some, some)])
        np.testing.assert_allclose(flat[s, row], law.logpdf(y), rtol=1e-9)
    loo = fit.loo()
    assert loo.n_data_points == len(DATA)
    assert flat.mean(axis=0).sum() - 40 < loo.elpd < flat.mean(axis=0).sum() + 5
    assert fit.posterior_predictive().dims == ("chain", "draw", "row", "response")
    assert set(fit.data["observed_data"].data_vars) == {"y1", "y2"}
    assert fit.__maketables_stat__("N") == len(DATA)


def test_one_response_is_a_fit_of_its_own(fit: hm.Fit) -> None:
    one = fit.response("y2")
    names = ["Intercept", "b[x]", "b[z]", "sigma", "sd_g[Intercept]"]
    assert list(one.summary().index) == names
    new = DATA.head(5)
    np.testing.assert_allclose(one.predict(new), fit.predict(new).sel(response="y2"), rtol=1e-12)
    whole = fit.variance()["variance"].sel(response="y2").mean(("chain", "draw"))
    np.testing.assert_allclose(one.variance()["variance"].mean(("chain", "draw")), whole)
    sd = draws(fit, "sd_residual")[0][:, 1]
    drawn = one.predict(new, kind="response") - one.predict(new)
    assert abs((drawn.to_numpy().reshape(-1, 5) / sd[:, None]).std() - 1) < 6 / np.sqrt(5000)
    assert one.plot_groups("g").data["level"].nunique() == 10
    assert np.isfinite(one.log_prior()["sigma"]).all()
    with pytest.raises(ArgumentError, match="was fitted beside other responses"):
        one.refit(DATA)
    with pytest.raises(ArgumentError, match=r"no response of this fit\. Did you mean 'y2'"):
        fit.response("y22")
    with pytest.raises(ArgumentError, match="the fit has one response"):
        one.response("y2")


def test_answers_say_which_response_they_are_of(fit: hm.Fit) -> None:
    table = fit.comparisons("x", by=True).table().set_index("response")
    b1, b2 = draws(fit, "b_y1", "b_y2")
    np.testing.assert_allclose(table["estimate"], [b1[:, 0].mean(), b2[:, 0].mean()], rtol=1e-8)
    assert fit.means().table()["response"].tolist() == ["y1", "y2"]
    only = fit.comparisons("z", by=True).table()
    assert only["response"].tolist() == ["y2"]
    np.testing.assert_allclose(only["estimate"], b2[:, 1].mean(), rtol=1e-8)
    with pytest.raises(ArgumentError, match="variables names 'zz'"):
        fit.comparisons("zz")
    assert fit.variance_table().index.names[0] == "response"
    prior = fit.log_prior()
    expected = stats.expon(scale=DATA["y1"].std(ddof=0)).logpdf(draws(fit, "sd_residual")[0][:, 0])
    np.testing.assert_allclose(
        prior["sd_residual"].sel(response="y1").to_numpy().ravel(), expected, rtol=1e-6
    )


def test_a_saved_fit_answers_the_same(fit: hm.Fit, tmp_path: Path) -> None:
    new = DATA.head(4)
    fit.save(tmp_path / "fit.nc")
    loaded = hm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(loaded.predict(new), fit.predict(new))
    assert loaded.loo().elpd == pytest.approx(fit.loo().elpd)
    path = fit.predict(new, into=tmp_path / "rows.parquet")
    table = pd.read_parquet(path)
    assert {"mean[y1]", "mean[y2]"} <= set(table)


@pytest.mark.parametrize(("ask", "message"), [
    (lambda fit: fit.forecast(DATA), "fit.response('y2').forecast("),
    (lambda fit: fit.plot_fit("x", by="g"), "fit.response('y2').plot_fit("),
    (lambda fit: fit.ranks("g"), "fit.response('y2').ranks("),
    (lambda fit: fit.check(), "check() is for fits of one response"),
    (lambda fit: fit.predict(DATA, new_groups="update"), "fit.response(...) knows"),
    (lambda fit: fit.response("y2").loo(), "ask the whole fit"),
    (lambda fit: fit.response("y2").log_likelihood(), "ask the whole fit"),
    (lambda fit: fit.response("y2").kfold(), "was fitted beside other responses"),
    (lambda fit: fit.means("h"), "response 'y1'; fit.response(...) answers for one alone"),
    (lambda fit: hm.pooling(FORMULAS, DATA), "pooling is for one response"),
    (lambda fit: hm.statistics("; ".join(FORMULAS), DATA), "no parameter 'y2'"),
])  # fmt: skip
def test_doors_of_one_response_say_so(fit: hm.Fit, ask: Any, message: str) -> None:
    with pytest.raises((ArgumentError, FormulaError), match=re.escape(message)):
        ask(fit)


@pytest.mark.slow
def test_rows_are_left_out_whole(fit: hm.Fit) -> None:
    found = fit.kfold(folds=3)
    loo = fit.loo()
    assert found.n_data_points == len(DATA)
    # Two thirds of the rows tell about half of p / 2 less.
    assert loo.elpd - loo.p < found.elpd < loo.elpd + 2
    # Rows of groups that are left out vary by what groups vary too; six or seven groups that are
    # left tell little of the intercepts and sds, some thirty units of log density less.
    sd, cor = (each.mean(axis=0) for each in draws(fit, "sd_g", "cor_g"))
    S = covariance(fit).mean(axis=0) + np.outer(sd, sd) * np.array([[1, cor[0]], [cor[0], 1]])
    r = fit.data["posterior"]["r_g"].sel(g=DATA["g"].tolist()).mean(("chain", "draw")).to_numpy()
    mean, y = means(fit, DATA).mean(axis=1) - r, DATA[["y1", "y2"]].to_numpy()
    known = [np.flatnonzero(np.isfinite(each)) for each in y]
    expected = sum(stats.multivariate_normal(m[at], S[np.ix_(at, at)]).logpdf(each[at])
                   for each, m, at in zip(y, mean, known, strict=True))  # fmt: skip
    groups = fit.kfold(folds=3, groups="g")
    assert expected - 60 < groups.elpd < expected + 5
    again = fit.refit(DATA.iloc[::-1], seed=1)
    mine, theirs = fit.summary()["mean"], again.summary()["mean"]
    assert (np.abs(mine - theirs) < 0.5 * fit.summary()["sd"]).all()


@pytest.mark.slow
def test_means_are_near_the_maximum_of_a_dense_likelihood() -> None:
    from scipy.optimize import minimize

    data = frame(400, seed=9).assign(y2=lambda d: d["y2"] / 1e3)
    fit = hm.Model(FORMULAS, data, priors={"b": "normal(0, 100)"}).fit(seed=2, progress=False)
    rows = {name: np.flatnonzero(data[name].notna()) for name in ("y1", "y2")}
    y = np.concatenate([data[name].to_numpy()[at] for name, at in rows.items()])
    row = np.concatenate(list(rows.values()))
    of = np.repeat([0, 1], [len(at) for at in rows.values()])
    x, z, one = data["x"].to_numpy()[row], data["z"].to_numpy()[row], np.ones(len(row))
    first, second = of == 0, of == 1
    X = np.column_stack([one * first, x * first, one * second, x * second, z * second])
    g = pd.factorize(data["g"])[0][row]

    def loss(at: np.ndarray) -> float:
        sd, cor = np.exp(at[[0, 1, 3, 4]]), np.tanh(at[[2, 5]])
        S, T = (np.outer(s, s) * np.array([[1, c], [c, 1]])
                for s, c in ((sd[:2], cor[0]), (sd[2:], cor[1])))  # fmt: skip
        V = S[of[:, None], of] * (row[:, None] == row) + T[of[:, None], of] * (g[:, None] == g)
        root = np.linalg.cholesky(V)
        A = np.linalg.solve(root, np.column_stack([X, y]))
        b = np.linalg.lstsq(A[:, :5], A[:, 5], rcond=None)[0]
        loss.b = b
        return float(np.log(np.diag(root)).sum() + 0.5 * np.sum((A[:, 5] - A[:, :5] @ b) ** 2))

    best = minimize(loss, np.zeros(6), method="BFGS", options={"gtol": 1e-4})
    loss(best.x)
    table = fit.summary()
    names = ["Intercept_y1", "b_y1[x]", "Intercept_y2", "b_y2[x]", "b_y2[z]"]
    # Flat priors and hundreds of rows: means within a fifth of an sd of the maximum.
    assert (np.abs(table.loc[names, "mean"] - loss.b) < 0.2 * table.loc[names, "sd"]).all()
    own = ["sd_residual[y1]", "sd_residual[y2]", "cor_residual[y1, y2]"]
    maximum = [*np.exp(best.x[:2]), np.tanh(best.x[2])]
    assert (np.abs(table.loc[own, "mean"] - maximum) < 0.4 * table.loc[own, "sd"]).all()


# What is refused ---------------------------------------------------------------------------------

PLAIN = ["y1 ~ x + (1 | p | g)", "y2 ~ x"]
REFUSED = {
    "one column": (["y1 ~ x", "np.exp(y1) ~ z"], {}, FormulaError, "both of the column 'y1'"),
    "mean": (["y1 ~ x", "mu ~ z"], {}, FormulaError, "response 'mu' is one of several"),
    "twice": (["y1 ~ x", "y1 ~ z"], {}, FormulaError, "response 'y1' has two formulas"),
    "other family": (PLAIN, {"family": "poisson"}, FormulaError, "not 'poisson'"),
    "an equation of sigma": ([*PLAIN, "sigma ~ x"], {}, FormulaError, "leave out 'sigma ~ x'"),
    "on both sides": (["y1 ~ y2", "y2 ~ x"], {}, FormulaError, "and a predictor of 'y1'"),
    "a smooth": (["y1 ~ s(x)", "y2 ~ x"], {}, FormulaError, "of several leave it out"),
    "censored": (["y1 ~ x", "y2 | cens(c) ~ x"], {}, FormulaError, "are plain measurements"),
    "a special factor": (["y1 ~ x + (1 | gr(g, dist='student'))", "y2 ~ x"], {}, FormulaError,
                         "(1 | p | g)"),
    "two of correlated effects": (["y1 ~ x + (x | g)", "y2 ~ x + (x | h)"], {}, FormulaError,
                                  "correlated effects of one factor, 'g': write those of 'h'"),
    "large ones": (["y1 ~ x + (1 | i)", "y2 ~ x + (1 | i) + (1 | h) + (1 | k)"], {}, FormulaError,
                   "takes 100 effects and columns of smooths beside one grouping factor"),
    "weights": (PLAIN, {"weights": "w"}, ArgumentError, "weights= is for one response"),
    "predict": (PLAIN, {"missing": "predict"}, ArgumentError, "is for one response"),
    "unknown": (["y1 ~ x", "y22 ~ x"], {}, FormulaError, "has no parameter 'y22'"),
    "sampled": (PLAIN, {"effects": "sampled"}, ArgumentError, "integrates group effects out"),
    "shrunk": (PLAIN, {"priors": {"b": "horseshoe(1)"}}, hm.PriorError, "can't be the prior"),
    "mvbind": ("mvbind(y1, y2) ~ x", {}, FormulaError, "a formula for each response"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_several_responses_cannot_have_is_refused(case: str) -> None:
    formulas, keywords, error, message = REFUSED[case]
    data = DATA.assign(
        w=1.0,
        c=0,
        h=np.arange(len(DATA)) % 7,
        mu=DATA["z"],
        k=np.arange(len(DATA)) % 120,
        i=np.arange(len(DATA)) % 110,
    )
    with pytest.raises(error, match=re.escape(message)):
        hm.Model(formulas, data, **keywords)


def test_bad_responses_are_refused() -> None:
    whole = DATA.dropna().reset_index(drop=True)
    for copy in (2 * whole["y1"] + 3, whole["y1"] - 4 * whole["x"]):
        with pytest.raises(DataError, match="is an exact combination of 'y1'"):
            hm.Model(PLAIN, whole.assign(y2=copy))
    half = np.arange(len(whole)) % 2 == 0
    with pytest.raises(DataError, match="no row has two of the responses"):
        hm.Model(PLAIN, whole.assign(y1=whole["y1"].where(half), y2=whole["y2"].where(~half)))
    with pytest.raises(DataError, match="no row has the response 'y2'"):
        hm.Model(PLAIN, whole.assign(y2=np.nan))
    with pytest.raises(DataError, match="column 'y2' holds text"):
        hm.Model(PLAIN, whole.assign(y2="a"))
    with pytest.raises(DataError, match="response 'y2' is constant"):
        hm.Model(PLAIN, whole.assign(y2=1.0))
    with pytest.raises(DataError, match="column 'x' has 1 missing value"):
        hm.Model(PLAIN, whole.assign(x=whole["x"].where(whole.index != 3)))
    with pytest.raises(DataError, match="grouping column 'response'"):
        hm.Model(["y1 ~ x + (1 | response)", "y2 ~ x"], whole.assign(response=whole["g"]))


def test_rows_without_any_response_are_left_out_and_said() -> None:
    data = DATA.assign(y2=DATA["y2"].where(DATA.index >= 3))
    with pytest.warns(HiermixWarning, match="3 rows without any of the responses"):
        model = hm.Model(PLAIN, data)
    assert len(model.design.frame) == len(DATA) - 3
    assert len(hm.Model(PLAIN, data, missing="drop").design.frame) == len(DATA) - 3


def test_rows_without_a_label_are_in_no_group() -> None:
    data = DATA.assign(g=DATA["g"].where((DATA.index >= 2) & (DATA.index != 150)))
    for formulas in (PLAIN, ["y1 ~ x", "y2 ~ x + (1 | g)"]):  # rows 0 and 1 lack y1
        with pytest.raises(DataError, match=r"column 'g' has 3 missing values \(rows 0, 1, 150\)"):
            hm.Model(formulas, data)
        dropped = hm.Model(formulas, data, missing="drop").design
        assert [part.rows for part in dropped.parts] == [147, 149]
        assert len(dropped.frame) == len(DATA) - 3


@pytest.mark.parametrize("of", ["y1", "y2"])
def test_a_saved_fit_has_the_rows_that_were_not_dropped(of: str, tmp_path: Path) -> None:
    data = DATA.assign(z=DATA["z"].where(DATA.index % 20 != 0))
    formulas = ["y1 ~ x", "y2 ~ x"]
    formulas[formulas.index(f"{of} ~ x")] += " + z"
    model = hm.Model(formulas, data, missing="drop")
    fit = model.fit(seed=1, chains=2, draws=500, progress=False, algorithm="importance")
    fit.save(tmp_path / "fit.nc")
    loaded = hm.load(tmp_path / "fit.nc").design
    assert [part.rows for part in loaded.parts] == [part.rows for part in model.design.parts]
    np.testing.assert_array_equal(loaded.response, model.design.response)


def test_a_gap_in_what_one_response_needs_is_no_gap_of_the_other() -> None:
    data = DATA.assign(z=DATA["z"].where(DATA["y2"].notna()))
    model = hm.Model(FORMULAS, data)
    assert [part.rows for part in model.design.parts] == [148, 152]
