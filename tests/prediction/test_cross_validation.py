"""Leave-one-out, comparison and k-fold against densities written with scipy."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

import hiermix as hm
from hiermix.prediction import cross_validation, held_out, predictor

FIT: dict[str, Any] = {"seed": 1, "chains": 2, "draws": 400, "progress": False}


def simulate(seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(15), 8)
    x = rng.normal(size=120)
    y = 1 + x + rng.normal(0, 1.5, 15)[group] + rng.normal(0, 1, 120)
    w = rng.uniform(0.5, 1.5, 120)
    return pd.DataFrame({"y": y, "x": x, "w": w, "g": [f"g{each}" for each in group]})


@pytest.fixture(scope="module")
def grouped() -> hm.Fit:
    return hm.Model("y ~ x + (1 | g)", simulate()).fit(**FIT)


@pytest.fixture(scope="module")
def pooled() -> hm.Fit:
    return hm.Model("y ~ x", simulate()).fit(**FIT)


def densities(fit: hm.Fit) -> np.ndarray:
    """(chain, draw, row), by scipy."""
    post, frame = fit.data.posterior, simulate()
    mean = post["Intercept"].to_numpy()[..., None] + post["b"].to_numpy() * frame["x"].to_numpy()
    if "r_g" in post:
        mean = mean + post["r_g"].isel(g_effect=0).sel(g=frame["g"].to_numpy()).to_numpy()
    return stats.norm.logpdf(frame["y"].to_numpy(), mean, post["sigma"].to_numpy()[..., None])


def test_the_log_likelihood_is_the_density_of_each_row(grouped: hm.Fit) -> None:
    found = grouped.log_likelihood()
    assert found.dims == ("chain", "draw", "row")
    np.testing.assert_allclose(found, densities(grouped), rtol=1e-10)
    np.testing.assert_array_equal(grouped.data["log_likelihood"]["y"], found)


def test_weights_multiply_the_log_density() -> None:
    frame = simulate()
    fit = hm.Model("y ~ x + (1 | g)", frame, weights="w").fit(**FIT)
    np.testing.assert_allclose(fit.log_likelihood(), densities(fit) * frame["w"].to_numpy())


@pytest.mark.parametrize("entries", [8_000_000, 20_000])
@pytest.mark.filterwarnings("ignore:Estimated shape parameter:UserWarning")  # of a short run
def test_loo_is_arviz_on_those_densities(
    grouped: hm.Fit, entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one piece or in several."""
    import arviz_stats
    import xarray as xr

    monkeypatch.setattr(predictor, "PIECE", entries)
    found = grouped.loo()
    values = xr.Dataset({"y": (("chain", "draw", "row"), densities(grouped))})
    tree = xr.DataTree.from_dict({"log_likelihood": values})
    expected = arviz_stats.loo(
        tree, pointwise=True, reff=cross_validation._efficiency(grouped.posterior)
    )
    assert found.elpd == pytest.approx(expected.elpd)
    assert (found.se, found.p) == pytest.approx((expected.se, expected.p))
    np.testing.assert_allclose(found.elpd_i, expected.elpd_i)
    np.testing.assert_allclose(found.pareto_k, expected.pareto_k)
    assert found.good_k == pytest.approx(expected.good_k)
    np.testing.assert_array_equal(found.elpd_i["row"], np.arange(120))
    assert 8 < found.p < 20  # 15 groups, two coefficients and sigma


def test_loo_says_where_it_can_not_be_trusted() -> None:
    frame = simulate()
    frame.loc[0, "y"] = 30.0
    fit = hm.Model("y ~ x + (1 | g)", frame).fit(**FIT)
    with pytest.warns(hm.HiermixWarning, match=r"unreliable for \d+ rows? of 120 \(Pareto k"):
        found = fit.loo()
    assert found.warning
    assert float(found.pareto_k[0]) > found.good_k


def test_compare_ranks_and_gives_the_error_of_the_difference(
    grouped: hm.Fit, pooled: hm.Fit
) -> None:
    table = hm.compare({"pooled": pooled, "grouped": grouped})
    assert table.index.tolist() == ["grouped", "pooled"]
    difference = pooled.loo().elpd_i.to_numpy() - grouped.loo().elpd_i.to_numpy()
    assert table.loc["pooled", "elpd_diff"] == pytest.approx(difference.sum())
    assert table.loc["pooled", "dse"] == pytest.approx(np.sqrt(120 * difference.var()), rel=0.01)
    assert table["weight"].sum() == pytest.approx(1)
    by_results = hm.compare({"pooled": pooled.loo(), "grouped": grouped.loo()})
    pd.testing.assert_frame_equal(table, by_results)


def test_compare_refuses_what_can_not_be_compared(grouped: hm.Fit) -> None:
    frame = simulate()
    other = hm.Model("y ~ x", frame.assign(y=frame["y"] * 2)).fit(**FIT)
    with pytest.raises(hm.DataError, match="'a' and 'b' are of different response values"):
        hm.compare({"a": grouped, "b": other})
    shorter = hm.Model("y ~ x", frame.iloc[:100]).fit(**FIT)
    with pytest.raises(hm.DataError, match="different response values"):
        hm.compare({"a": grouped, "b": shorter})
    with pytest.raises(hm.DataError, match="different numbers of rows or groups"):
        hm.compare({"a": grouped.loo(), "b": shorter.loo()})
    with pytest.raises(hm.ArgumentError, match="a dict of two fits or more"):
        hm.compare({"a": grouped})


def test_kfold_predicts_left_out_groups_from_the_spread(grouped: hm.Fit) -> None:
    """Its densities average N(y | Xb + r, sigma) over fresh r: N(y | Xb, sigma^2 + sd^2)."""
    frame = simulate()
    trees: list[tuple[np.ndarray, Any]] = []

    def refit(rows: np.ndarray) -> Any:
        tree = grouped.model.of_rows(rows).fit(**FIT).data
        trees.append((rows, tree))
        return tree

    found = cross_validation.kfold(grouped.posterior, "g", 3, 1, refit)
    assert len(trees) == 3
    left_out = [set(frame["g"]) - set(frame["g"].iloc[rows]) for rows, _ in trees]
    assert sorted(each for fold in left_out for each in fold) == sorted(set(frame["g"]))
    expected = np.empty(120)
    for rows, tree in trees:
        post = tree["posterior"]
        out = np.setdiff1d(np.arange(120), rows)
        assert not set(frame["g"].iloc[out]) & set(frame["g"].iloc[rows])
        x, y = frame[["x", "y"]].to_numpy()[out].T
        mean = post["Intercept"].to_numpy()[..., None] + post["b"].to_numpy() * x
        sd = np.hypot(post["sigma"].to_numpy(), post["sd_g"].to_numpy()[..., 0])[..., None]
        each = stats.norm.logpdf(y, mean, sd).reshape(800, -1)
        expected[out] = logsumexp(each, axis=0) - np.log(800)
    # 800 fresh effects for each density; rows of one group share them.
    assert found.elpd_i.to_numpy() == pytest.approx(expected, abs=0.5)
    assert (found.elpd_i.to_numpy() - expected).mean() == pytest.approx(0, abs=0.04)
    assert found.elpd < grouped.loo().elpd - 5


def test_kfold_of_rows_is_the_density_that_the_other_folds_predict(pooled: hm.Fit) -> None:
    """Student's t of least squares on the other rows; weak priors move a row by a hundredth."""
    x, y = simulate()[["x", "y"]].to_numpy().T
    X = np.column_stack([np.ones(120), x])
    expected = np.empty(120)

    def refit(rows: np.ndarray) -> Any:
        out = np.setdiff1d(np.arange(120), rows)
        b, rss, *_ = np.linalg.lstsq(X[rows], y[rows])
        inner = np.einsum("ij,jk,ik->i", X[out], np.linalg.inv(X[rows].T @ X[rows]), X[out])
        df = len(rows) - 2
        expected[out] = stats.t.logpdf(y[out], df, X[out] @ b, np.sqrt(rss / df * (1 + inner)))
        return pooled.model.of_rows(rows).fit(**FIT).data

    found = cross_validation.kfold(pooled.posterior, None, 8, 1, refit)
    assert found.elpd_i.to_numpy() == pytest.approx(expected, abs=0.1)
    assert found.elpd == pytest.approx(expected.sum(), abs=0.6)
    assert found.n_folds == 8


@pytest.fixture(scope="module")
def left_out(grouped: hm.Fit, pooled: hm.Fit) -> dict[str, Any]:
    """The same groups left out of a model that knows them and of one that does not."""
    return {"grouped": grouped.kfold(groups="g", folds=3),
            "pooled": pooled.kfold(groups="g", folds=3)}  # fmt: skip


def by_group(result: Any) -> np.ndarray:
    each = pd.Series(result.elpd_i.to_numpy()).groupby(simulate()["g"].to_numpy())
    return each.sum().to_numpy()


def test_errors_of_left_out_groups_are_those_of_sums_over_groups(left_out: dict[str, Any]) -> None:
    table = hm.compare(left_out)
    sums = {name: by_group(each) for name, each in left_out.items()}
    for name, each in sums.items():
        error = np.sqrt(15 * np.var(each, ddof=1))
        assert left_out[name].se == pytest.approx(error)
        assert table.loc[name, "se"] == pytest.approx(error)
        assert table.loc[name, "elpd"] == pytest.approx(each.sum())
    difference = sums["grouped"] - sums["pooled"]
    worse = table.index[-1]
    assert abs(table.loc[worse, "elpd_diff"]) == pytest.approx(abs(difference.sum()))
    # ArviZ divides by n, not by n - 1, in errors of differences.
    assert table.loc[worse, "dse"] == pytest.approx(np.sqrt(15 * np.var(difference)), rel=0.04)
    assert table["weight"].sum() == pytest.approx(1)


def test_two_kinds_of_folds_are_not_compared(grouped: hm.Fit, left_out: dict[str, Any]) -> None:
    said = r"two kinds of folds .* 'rows' left out rows, 'groups' left out levels of 'g'"
    with pytest.warns(hm.HiermixWarning, match=said):
        table = hm.compare({"rows": grouped, "groups": left_out["grouped"]})
    assert table[["elpd_diff", "dse", "weight"]].isna().all(axis=None)
    assert table.loc["groups", "elpd"] == left_out["grouped"].elpd
    halves = np.repeat(["one", "two"], 60)
    other = grouped.kfold(groups=halves, folds=2)
    with pytest.warns(hm.HiermixWarning, match="left out levels of 'group'"):
        hm.compare({"halves": other, "groups": left_out["grouped"]})


def test_labels_stand_in_for_a_column(pooled: hm.Fit, left_out: dict[str, Any]) -> None:
    """A saved fit has no column that its formula does not use."""
    found = pooled.kfold(groups=simulate()["g"], folds=3)
    np.testing.assert_allclose(found.elpd_i, left_out["pooled"].elpd_i)
    assert found.elpd_i.attrs["left_out"] == "g"
    with pytest.raises(hm.DataError, match="groups has 3 values"):
        pooled.kfold(groups=["a", "b", "c"])
    with pytest.raises(hm.DataError, match="'groups' has 1 missing label"):
        pooled.kfold(groups=[None, *simulate()["g"][1:]])
    with pytest.raises(hm.ArgumentError, match="one label"):
        pooled.kfold(groups=["a"] * 120)


def test_rows_that_were_dropped_have_no_labels() -> None:
    frame = simulate()
    frame.loc[[3, 50], "x"] = np.nan
    model = hm.Model("y ~ x", frame, missing="drop")
    name, labels = held_out.units(model.design, "g")
    assert name == "g"
    assert labels.tolist() == frame["g"].drop([3, 50]).tolist()


def test_kfold_checks_its_options(grouped: hm.Fit) -> None:
    with pytest.raises(hm.ArgumentError, match="folds must be a whole number from 2 up"):
        grouped.kfold(folds=1)
    with pytest.raises(hm.ArgumentError, match="'h' is no grouping factor"):
        grouped.kfold(groups="h")


def test_a_model_of_some_rows_keeps_levels_and_priors(grouped: hm.Fit) -> None:
    rows = np.flatnonzero(simulate()["g"] != "g3")
    model = grouped.model.of_rows(rows)
    assert model.priors == grouped.model.priors
    assert model.design.rows == 112
    np.testing.assert_array_equal(model.design.X(), grouped.design.X()[rows])
    posterior = model.fit(**FIT).data.posterior
    left_out = posterior["r_g"].sel(g="g3").to_numpy().ravel()
    sd = posterior["sd_g"].to_numpy().ravel()
    assert stats.kstest(left_out / sd, "norm").pvalue > 1e-3
    assert grouped.design.rows == 120


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("y ~ x + u + (1 | g)", {}),
        ("y ~ x + u + (x | g)", {"effects": "sampled"}),
        ("k ~ x + u + (1 | g/h)", {"family": "poisson"}),
    ],
)
def test_a_fold_that_lacks_a_level_of_a_predictor_leaves_its_coefficient_to_the_prior(
    formula: str, options: dict[str, str]
) -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"g": np.repeat(list("abcdefgh"), 10), "x": rng.normal(size=80)})
    data["u"] = np.where(data["g"] == "c", "special", "usual")
    data["h"] = np.arange(80) % 5
    data["y"], data["k"] = data["x"] + rng.normal(size=80), rng.poisson(2, 80)
    model = hm.Model(formula, data, priors={"b[u[T.usual]]": "normal(1, 2)"}, **options)
    fold = model.of_rows(np.flatnonzero(data["g"] != "c"))
    fit = fold.fit(seed=1)
    assert float(fit.data.sample_stats["n_steps"].mean()) < 32
    # X is centred over the fold: u is constant there, and its coefficient says nothing.
    drawn = fit.data.posterior["b"].sel(term="u[T.usual]")
    assert float(drawn.mean()) == pytest.approx(1, abs=0.2)
    assert float(drawn.std()) == pytest.approx(2, rel=0.08)
