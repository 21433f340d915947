"""What an answer is: draws with labels, a table, questions about its rows, memory."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from tests.invented import invented, panel


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return invented("y ~ x * kind + treat + (1 + treat | g)", panel(), shape=(2, 100))


@pytest.fixture(scope="module")
def counts() -> hm.Fit:
    return invented("count ~ x + kind + (1 | g)", panel(), "poisson", shape=(2, 100))


def flat(answer: object) -> np.ndarray:
    values = answer.draws.to_numpy()  # type: ignore[attr-defined]
    return values.reshape(-1, *values.shape[2:])


def test_draws_are_labelled(fit: hm.Fit) -> None:
    draws = fit.comparisons("treat", by=["region", "kind"]).draws
    assert draws.dims == ("chain", "draw", "row")
    assert draws.sizes == {"chain": 2, "draw": 100, "row": 6}
    assert draws["region"].to_numpy().tolist() == ["north"] * 3 + ["south"] * 3
    assert set(draws["term"].to_numpy()) == {"treat"}
    assert set(draws["contrast"].to_numpy()) == {"1 - 0"}
    xs = fit.predictions(hm.datagrid(x=[0.5, 1.5])).draws
    assert xs["x"].to_numpy().tolist() == [0.5, 1.5]


def test_the_table_is_that_of_the_draws(fit: hm.Fit) -> None:
    answer = fit.comparisons(by="kind", conf_level=0.8)
    table, draws = answer.table(), flat(answer)
    # Of the levels of kind, each other against the first; x and treat once: four by three cells.
    assert list(table) == [
        "term", "contrast", "kind", "estimate", "sd", "conf_low", "conf_high", "probability",
    ]  # fmt: skip
    assert len(table) == len(answer) == 12
    assert table["term"].drop_duplicates().tolist() == ["x", "kind", "treat"]
    np.testing.assert_allclose(table["estimate"], draws.mean(axis=0))
    np.testing.assert_allclose(table["sd"], draws.std(axis=0, ddof=1))
    np.testing.assert_allclose(table["conf_low"], np.quantile(draws, 0.1, axis=0))
    np.testing.assert_allclose(table["conf_high"], np.quantile(draws, 0.9, axis=0))
    above = (draws > 0).mean(axis=0)
    np.testing.assert_allclose(table["probability"], np.maximum(above, 1 - above))
    wide = answer.table(conf_level=0.95)
    assert (wide["conf_low"] <= table["conf_low"]).all()
    with pytest.raises(hm.ArgumentError, match=r"must be between 0 and 1, not 1\.5"):
        answer.table(conf_level=1.5)
    assert "over these groups; scale: response; 80 % intervals" in repr(answer)
    assert "<table" in answer._repr_html_()


def test_a_ratio_has_its_direction_about_one(counts: hm.Fit) -> None:
    answer = counts.comparisons("x", by=True, scale="rate ratio")
    draws, table = flat(answer)[:, 0], answer.table()
    assert answer.null == 1
    b = counts.data.posterior["b"].sel(term="x").to_numpy().ravel()
    np.testing.assert_allclose(draws, np.exp(b))
    above = (draws > 1).mean()
    assert table["probability"].tolist() == [max(above, 1 - above)]
    lift = counts.comparisons("x", by=True, scale="lift")
    np.testing.assert_allclose(flat(lift)[:, 0], np.exp(b) - 1)
    pairs = counts.comparisons("kind", by=True, scale="ratio", hypothesis="pairwise")
    c, d = (counts.data.posterior["b"].sel(term=f"kind[T.{each}]").to_numpy() for each in "bc")
    np.testing.assert_allclose(flat(pairs)[:, 0], np.exp(d - c).ravel())
    assert pairs.labels["contrast"].tolist() == ["(c / a) / (b / a)"]


def test_questions_about_rows(fit: hm.Fit) -> None:
    rows = flat(fit.means("kind"))
    a, b, c = rows.T

    def asked(hypothesis: object) -> np.ndarray:
        return flat(fit.means("kind", hypothesis=hypothesis))

    close = np.testing.assert_allclose
    close(asked("pairwise"), np.stack([b - a, c - a, c - b], 1), atol=1e-12)
    close(asked("revpairwise"), -asked("pairwise"))
    close(asked("~pairwise"), asked("pairwise"))
    close(asked("difference ~ pairwise"), asked("pairwise"))
    close(asked("reference"), np.stack([b - a, c - a], 1), atol=1e-12)
    close(asked("revreference"), -asked("reference"))
    close(asked("sequential"), np.stack([b - a, c - b], 1), atol=1e-12)
    close(asked("b2 - b0 = 0"), (c - a)[:, None], atol=1e-12)
    close(asked("c - a"), (c - a)[:, None], atol=1e-12)
    close(asked("b2 = (b0 + b1) / 2"), (c - (a + b) / 2)[:, None], atol=1e-12)
    close(asked(["exp(b0)", "abs(b1)"]), np.stack([np.exp(a), np.abs(b)], 1))
    close(asked([0.5, 0.5, -1]), ((a + b) / 2 - c)[:, None], atol=1e-12)
    close(asked(np.eye(3)), rows)


def test_pairs_within_the_values_of_a_column(fit: hm.Fit) -> None:
    rows = fit.means(["treat", "kind"])
    draws = flat(rows)
    answer = fit.means(["treat", "kind"], hypothesis="reference | treat")
    assert answer.labels["treat"].tolist() == [0, 0, 1, 1]
    assert answer.labels["contrast"].tolist() == ["b - a", "c - a"] * 2
    by_hand = [draws[:, 1] - draws[:, 0], draws[:, 2] - draws[:, 0],
               draws[:, 4] - draws[:, 3], draws[:, 5] - draws[:, 3]]  # fmt: skip
    np.testing.assert_allclose(flat(answer), np.stack(by_hand, 1), atol=1e-12)
    twice = fit.comparisons("treat", by="kind", hypothesis="b2 - b0")
    per_kind = flat(fit.comparisons("treat", by="kind"))
    np.testing.assert_allclose(flat(twice)[:, 0], per_kind[:, 2] - per_kind[:, 0], atol=1e-12)


def test_labels_with_anything_in_them_can_be_named() -> None:
    data = panel()
    names = {"a": "low (1)", "b": "high - 2", "c": "b0"}
    fit = invented("y ~ arm + (1 | g)", data.assign(arm=data["kind"].map(names)))
    rows = flat(fit.means("arm"))
    order = fit.means("arm").labels["arm"].tolist()
    high, low = order.index("high - 2"), order.index("low (1)")
    found = flat(fit.means("arm", hypothesis="high - 2 - low (1)"))[:, 0]
    np.testing.assert_allclose(found, rows[:, high] - rows[:, low], atol=1e-12)
    # b0 is the first row, whatever its label.
    np.testing.assert_allclose(flat(fit.means("arm", hypothesis="b0"))[:, 0], rows[:, 0])


def test_values_of_variables_are_set_in_every_row(counts: hm.Fit) -> None:
    data = panel()
    answer = counts.predictions(variables={"x": [1.0, 2.0]}, by="kind")
    assert answer.labels.to_dict("list") == {
        "kind": ["a", "a", "b", "b", "c", "c"], "x": [1.0, 2.0] * 3,
    }  # fmt: skip
    for place, (kind, x) in enumerate(zip(answer.labels["kind"], answer.labels["x"], strict=True)):
        rows = data[data["kind"] == kind].assign(x=x)
        expected = counts.predict(rows).mean("row").to_numpy().ravel()
        np.testing.assert_allclose(flat(answer)[:, place], expected)
    spread = counts.predictions("mean", variables={"x": "sd"}).labels["x"]
    assert spread.diff().iloc[1] == pytest.approx(data["x"].std())
    assert spread.mean() == pytest.approx(data["x"].mean())
    assert counts.predictions("mean", variables="kind").labels["kind"].tolist() == ["a", "b", "c"]
    assert len(counts.predictions("mean", variables="x")) == 5


def test_changes_of_a_number(counts: hm.Fit) -> None:
    data, b = panel(), counts.data.posterior["b"].sel(term="x").to_numpy().ravel()

    def change(how: object) -> np.ndarray:
        answer = counts.comparisons({"x": how}, by=True, scale="linear")
        return flat(answer)[:, 0] / b

    x = data["x"]
    np.testing.assert_allclose(change(2), 2.0)
    np.testing.assert_allclose(change(-0.5), -0.5)
    np.testing.assert_allclose(change([3, 1]), -2.0)
    np.testing.assert_allclose(change("sd"), x.std())
    np.testing.assert_allclose(change("2sd"), 2 * x.std())
    np.testing.assert_allclose(change("iqr"), np.quantile(x, 0.75) - np.quantile(x, 0.25))
    np.testing.assert_allclose(change("minmax"), x.max() - x.min())


def test_grids_hold_what_is_not_named() -> None:
    data = panel().assign(day=pd.date_range("2024-01-01", periods=96), even=True)
    data["even"] = np.arange(96) % 3 == 0
    fit = invented("y ~ x + treat + kind + even + trend(day) + (1 | g)", data)
    mean = hm.datagrid(fit)
    assert mean["x"].tolist() == [pytest.approx(data["x"].mean())]
    assert mean["treat"].tolist() == [data["treat"].mode()[0]]
    assert mean["kind"].tolist() == [data["kind"].mode()[0]]
    assert mean["even"].tolist() == [False]
    assert mean["day"].tolist() == [data["day"].sort_values().iloc[47]]
    assert "g" not in mean
    balanced = hm.datagrid(fit, grid_type="balanced")
    assert len(balanced) == 2 * 3 * 2
    assert not balanced.duplicated().any()
    named = hm.datagrid(fit, x=lambda x: [x.min(), x.max()], g=["g1", "g2"])
    assert named[["x", "g"]].to_numpy().tolist() == [
        [x, g] for x in (data["x"].min(), data["x"].max()) for g in ("g1", "g2")
    ]
    moved = hm.datagrid(fit, treat=[0, 1], grid_type="counterfactual")
    assert len(moved) == 192
    close = fit.predictions(hm.datagrid(treat=[0, 1], grid_type="counterfactual"), by="treat")
    np.testing.assert_allclose(
        flat(close), flat(fit.predictions(variables={"treat": [0, 1]}, by=True)), atol=1e-12
    )
    assert fit.predictions("median").labels["x"].tolist() == [data["x"].median()]


def test_a_frame_of_any_library_and_one_row_will_do(counts: hm.Fit) -> None:
    polars = pytest.importorskip("polars")
    rows = panel()[["x", "kind", "g"]].head(5)
    known = flat(counts.predictions(rows))
    for given, expected in (
        (polars.from_pandas(rows), known),
        (rows.iloc[2], known[:, [2]]),
        (rows.iloc[2].to_dict(), known[:, [2]]),
    ):
        np.testing.assert_allclose(flat(counts.predictions(given)), expected, rtol=1e-12)


def test_offsets_are_those_of_rows_and_of_a_grid_their_mean() -> None:
    data = panel().assign(log_size=lambda each: np.log(each["size"]))
    fit = invented("count ~ x + offset(log_size) + (1 | g)", data, "poisson")
    assert fit.comparisons(by=True).labels["term"].tolist() == ["x"]
    np.testing.assert_allclose(
        flat(fit.predictions(by=True))[:, 0], fit.predict().mean("row").to_numpy().ravel()
    )
    grid = fit.predictions("mean", over="typical group", scale="linear")
    post = fit.data.posterior
    eta = post["Intercept"] + post["b"].sel(term="x") * data["x"].mean() + data["log_size"].mean()
    np.testing.assert_allclose(flat(grid)[:, 0], eta.to_numpy().ravel())
    arrays = invented("count ~ x + (1 | g)", data, "poisson", offset=data["log_size"].to_numpy())
    assert len(arrays.comparisons(by=True)) == 1
    assert len(arrays.means()) == 1


def test_memory_does_not_grow_with_rows_times_draws() -> None:
    """20,000 rows of 1,000 draws would take 160 MB."""
    rng = np.random.default_rng(1)
    n = 20_000
    data = pd.DataFrame({"x": rng.normal(size=n), "g": rng.integers(0, 50, n)})
    data = data.assign(t=rng.integers(0, 2, n), y=rng.integers(0, 2, n))
    fit = invented("y ~ x + t + (1 | g)", data, "bernoulli", shape=(2, 500))
    fit.predictions(by="t")  # lays the draws out
    tracemalloc.start()
    fit.comparisons("t", by=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6


def test_a_fit_to_statistics_answers_about_rows_that_are_given() -> None:
    data = panel()
    formula = "y ~ x + treat + (1 + treat | g)"
    sums = hm.Model.from_statistics(hm.statistics(formula, data))
    fit = sums.fit(seed=1, chains=2, draws=50, warmup=100, progress=False)
    rows = data.head(20)
    change = fit.comparisons({"treat": [0, 1]}, newdata=rows, by=True)
    one, none = (fit.predict(rows.assign(treat=k)).mean("row") for k in (1, 0))
    np.testing.assert_allclose(flat(change)[:, 0], (one - none).to_numpy().ravel(), atol=1e-12)
    slope = fit.slopes("x", newdata=rows, by=True)
    b = fit.data.posterior["b"].sel(term="x").to_numpy().ravel()
    np.testing.assert_allclose(flat(slope)[:, 0], b, rtol=1e-7)
    assert len(fit.comparisons({"g": "pairwise"}, newdata=rows, by=True)) == 15
    assert len(fit.levels("g")) == 6
    for ask in (
        lambda: fit.predictions(),
        lambda: fit.means("treat"),
        lambda: fit.comparisons({"x": "sd"}, newdata=rows),
        lambda: fit.predictions(rows, variables="x"),
        lambda: fit.plot_effects("x"),
    ):
        with pytest.raises(hm.DataError, match="statistics hold none, only their sums"):
            ask()
