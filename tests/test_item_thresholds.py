"""Ratings of items that have thresholds of their own, through every door of a fit."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import hiermix as hm

SETTINGS = {"seed": 1, "chains": 2, "draws": 200, "warmup": 250, "progress": False}
TRUTH = {"q1": [-1.0, 0.0, 1.5], "q2": [-2.0, -1.5, 0.5], "q3": [0.0, 1.0]}
FORMULA = "rating | thres(gr=item) ~ x + (1 | person)"
LABELS = ["q1, a|b", "q1, b|c", "q1, c|d", "q2, a|b", "q2, b|c", "q2, c|d", "q3, a|b", "q3, b|c"]


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    ability, x = rng.normal(0, 1, 60), rng.normal(size=(60, 3))
    rows = [
        (f"p{p:02}", item, x[p, q],
         int((rng.random() > expit(np.array(cuts) - ability[p] - 0.5 * x[p, q])).sum()))
        for p in range(60) for q, (item, cuts) in enumerate(TRUTH.items())
    ]  # fmt: skip
    data = pd.DataFrame(rows, columns=["person", "item", "x", "rating"])
    data["rating"] = pd.Categorical.from_codes(data["rating"], list("abcd"), ordered=True)
    return data


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model(FORMULA, frame(), family="ordinal").fit(**SETTINGS)


def test_each_item_has_its_thresholds(fit: hm.Fit) -> None:
    threshold = fit.data["posterior"]["threshold"]
    assert threshold["threshold_dim"].to_numpy().tolist() == LABELS
    mean, sd = threshold.mean(("chain", "draw")), threshold.std(("chain", "draw"))
    assert (np.abs(mean - np.concatenate(list(TRUTH.values()))) < 4 * sd).all()
    assert fit.hypothesis("threshold[q3, a|b] < threshold[q3, b|c]")["probability"].iloc[0] == 1


def test_probabilities_are_those_of_its_thresholds(fit: hm.Fit) -> None:
    posterior, rows = fit.data["posterior"], frame()[:6]
    eta = fit.predict(rows, kind="linear")
    found = fit.predict(rows, kind="probability")
    mean = fit.predict(rows, kind="mean")
    for n, item in enumerate(rows["item"]):
        mine = [label for label in LABELS if label.startswith(item)]
        cuts = posterior["threshold"].sel(threshold_dim=mine).to_numpy()
        below = expit(cuts - eta.isel(row=n).to_numpy()[..., None])
        edge = np.ones_like(below[..., :1])
        p = np.diff(np.concatenate([0 * edge, below, edge], axis=-1), axis=-1)
        of_row = found.isel(row=n).transpose("chain", "draw", "category").to_numpy()
        np.testing.assert_allclose(of_row[..., : p.shape[-1]], p, rtol=1e-9)
        assert not of_row[..., p.shape[-1] :].any()
        np.testing.assert_allclose(mean.isel(row=n), p @ np.arange(1, p.shape[-1] + 1), rtol=1e-9)


@pytest.mark.filterwarnings("ignore:draws from the normal distribution")
def test_every_question(fit: hm.Fit, tmp_path) -> None:
    data = frame()
    fit.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.predict(data[:5]), fit.predict(data[:5]))
    drawn = fit.predict(data[data["item"] == "q3"], kind="response")
    assert float(drawn.max()) == 3  # of four categories it has three
    table = fit.predictions(by="item").table().set_index(["item", "category"])["estimate"]
    assert table["q3", "d"] == 0
    np.testing.assert_allclose(table.groupby("item").sum(), 1)
    assert set(fit.comparisons("item", by=True).table()["contrast"]) == {"q2 - q1", "q3 - q1"}
    assert len(fit.plot_effects("x", by="item").data["item"].unique()) == 3
    loo = fit.loo()
    assert np.isfinite(loo.elpd)
    assert np.isfinite(fit.loo(by="person").elpd)
    prior = fit.log_prior()["threshold"]
    assert prior.sizes["threshold_dim"] == len(LABELS)
    fresh = fit.predict(data[:3].assign(person="new"), new_groups="update", kind="probability")
    np.testing.assert_allclose(fresh.sum("category"), 1)
    quick = fit.model.fit(seed=1, chains=2, draws=100, algorithm="laplace", progress=False)
    away = quick["threshold[q2, b|c]"].mean() - fit["threshold[q2, b|c]"].mean()
    assert abs(float(away)) < float(fit["threshold[q2, b|c]"].std())
    small = data.assign(x=data["x"].round())
    merged = hm.Model.from_statistics(hm.statistics(FORMULA, small, family="ordinal"))
    whole = hm.Model(FORMULA, small, family="ordinal")
    np.testing.assert_allclose(merged.stan_data()["center"], whole.stan_data()["center"], rtol=1e-6)


def test_rows_of_equal_predictors_are_merged_within_items() -> None:
    data = pd.concat([frame().assign(x=0.0, person="p"), frame().assign(x=1.0, person="q")])
    handed = hm.Model(FORMULA, data, family="ordinal").stan_data()
    counts = data.groupby(["item", "rating", "x"], observed=True).size()
    assert sorted(handed["weight"]) == sorted(counts)


WRONG = [
    (FORMULA, "sratio", {}, "thresholds differ by item with cs(item)"),
    (FORMULA, "gaussian", {"rating": 1.0}, "is for family 'ordinal', not 'gaussian'"),
    (FORMULA.replace("~ x", "~ item"), "ordinal", {}, "item shifts all thresholds of an item"),
    (FORMULA + " + (1 | item)", "ordinal", {}, "or write (0 + x | item) for slopes"),
    (FORMULA.replace("item", "thing"), "ordinal", {}, "'thing', not a column"),
    (FORMULA.replace("gr=item", ""), "ordinal", {}, "thres() takes the name of a column"),
]


@pytest.mark.parametrize(("formula", "family", "columns", "message"), WRONG)
def test_what_is_refused(formula: str, family: str, columns: dict, message: str) -> None:
    with pytest.raises(hm.HiermixError, match=re.escape(message)):
        hm.Model(formula, frame().assign(**columns), family=family)


def test_one_item_is_a_model_like_any_other() -> None:
    data = frame()[frame()["item"] == "q1"]
    one = hm.Model(FORMULA, data, family="ordinal").stan_data()
    plain = hm.Model("rating ~ x + (1 | person)", data, family="ordinal").stan_data()
    assert one.keys() == plain.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, plain[name])


def test_items_without_a_threshold_and_categories_they_never_had(fit: hm.Fit) -> None:
    data = frame()
    data.loc[data["item"] == "q3", "rating"] = "a"
    with pytest.raises(hm.DataError, match="1 item with responses in the lowest category alone, a"):
        hm.Model(FORMULA, data, family="ordinal")
    with pytest.raises(hm.DataError, match=r"1 response .*above the highest category"):
        fit.predict(frame()[:1].assign(item="q3", rating="d"))
    with pytest.raises(hm.DataError, match="'item'"):
        fit.predict(frame()[:1].drop(columns="item"))
    with pytest.raises(hm.DataError, match="1 level that the fit never saw: 'q9'"):
        fit.predict(frame()[:1].assign(item="q9"))
