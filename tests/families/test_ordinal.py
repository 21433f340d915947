"""Ordered categories: the probability of each, thresholds with names, scores of labels."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import hiermix as hm

NAMES = ["poor", "fair", "good, really"]
LAWS = {"logit": stats.logistic, "probit": stats.norm}
FAST: dict[str, Any] = {"seed": 1, "chains": 2, "warmup": 100, "draws": 50, "progress": False}


def frame(rows: int = 160) -> pd.DataFrame:
    """Judgements that rise with x, of ten judges."""
    rng = np.random.default_rng(6)
    x, judge = rng.normal(size=rows), np.arange(rows) % 10
    at = np.digitize(x + rng.normal(size=10)[judge] + rng.logistic(size=rows), [-1.0, 1.0])
    says = pd.Categorical.from_codes(at, NAMES, ordered=True)
    stars = at + np.where(at == 2, 2, 1)  # 1, 2, 4
    week = np.arange(rows) // 10
    return pd.DataFrame({"says": says, "stars": stars, "x": x, "judge": judge, "week": week})


@pytest.fixture(scope="module", params=LAWS)
def fitted(request: pytest.FixtureRequest) -> hm.Fit:
    return hm.Model("says ~ x + (1 | judge)", frame(), family="ordinal", link=request.param).fit(
        **FAST
    )


@pytest.fixture(scope="module")
def rated() -> hm.Fit:
    return hm.Model("stars ~ x + (1 | judge)", frame(), family="ordinal").fit(**FAST)


def probabilities(fit: hm.Fit, rows: pd.DataFrame) -> np.ndarray:
    """(2, 50, rows, 3): the law between thresholds, from the draws by name."""
    posterior, law = fit.data.posterior, LAWS[fit.data.attrs["link"]]
    r = posterior["r_judge"].sel(judge=rows["judge"].to_numpy(), judge_effect="Intercept")
    b = posterior["b"].sel(term="x").to_numpy()[..., None]
    eta = b * rows["x"].to_numpy() + r.to_numpy()
    below = law.cdf(posterior["threshold"].to_numpy()[:, :, None, :] - eta[..., None])
    ends = np.zeros((*eta.shape, 1)), np.ones((*eta.shape, 1))
    return np.diff(np.concatenate([ends[0], below, ends[1]], axis=-1), axis=-1)


def test_probabilities_lie_between_the_thresholds(fitted: hm.Fit, tmp_path: Path) -> None:
    rows = frame().head(7)
    found = fitted.predict(rows, kind="probability")
    assert found.dims == ("chain", "draw", "row", "category")
    assert found["category"].to_numpy().tolist() == NAMES
    np.testing.assert_allclose(found, probabilities(fitted, rows), rtol=1e-9, atol=1e-14)
    middle = fitted.predict(rows, kind="probability", quantiles=[0.1, 0.5])
    assert middle.dims == ("quantile", "row", "category")
    np.testing.assert_allclose(middle, found.quantile([0.1, 0.5], ("chain", "draw")), rtol=1e-8)
    with fitted.predict(rows, kind="probability", into=tmp_path / "p.nc") as written:
        np.testing.assert_array_equal(written, found)


def test_new_groups_and_pieces_have_probabilities(fitted: hm.Fit) -> None:
    import xarray as xr

    rows = frame().assign(judge=lambda each: each["judge"] + 5)
    options: dict[str, Any] = {"kind": "probability", "new_groups": "sample"}
    whole = fitted.predict(rows, **options)
    np.testing.assert_allclose(whole.sum("category"), 1)
    xr.testing.assert_equal(xr.concat(list(fitted.predict_pieces(rows, **options)), "row"), whole)


def test_unordered_categories_have_them_as_their_mean() -> None:
    fit = hm.Model("says ~ x + (1 | judge)", frame(), family="categorical").fit(**FAST)
    rows = frame().head(5)
    found, mean = fit.predict(rows, kind="probability"), fit.predict(rows)
    assert found.dims == mean.dims
    np.testing.assert_array_equal(found, mean)
    first = np.zeros((2, 50, 5, 1))
    eta = np.concatenate([first, fit.predict(rows, kind="linear")], axis=-1)
    np.testing.assert_allclose(found, special.softmax(eta, axis=-1), rtol=1e-9)
    table = fit.forecast(rows, kind="probability").table()
    pd.testing.assert_frame_equal(table, fit.forecast(rows).table())


def test_other_families_have_none() -> None:
    fit = hm.Model("x ~ 1 + (1 | judge)", frame()).fit(**FAST)
    for ask in (fit.predict, fit.forecast, fit.predict_pieces):
        with pytest.raises(hm.ArgumentError, match="'gaussian' has kind='mean'"):
            ask(frame().head(2), kind="probability")
    with pytest.raises(hm.ArgumentError, match="Did you mean 'probability'"):
        fit.predict(kind="probabilities")


def test_a_forecast_by_category(fitted: hm.Fit) -> None:
    rows = frame().head(9)
    forecast = fitted.forecast(rows, kind="probability")
    p = probabilities(fitted, rows).mean((0, 1))
    table = forecast.table()
    assert list(table) == NAMES
    np.testing.assert_allclose(table, p, rtol=1e-9)
    assert forecast.data["predictions"]["mean"].dims == ("chain", "draw", "row", "category")
    happened = np.eye(3)[rows["says"].cat.codes]
    for actual in (rows["says"], rows["says"].astype(object), rows["says"].tolist(), rows):
        scores = forecast.score(actual)
        assert scores["actual"].tolist() == rows["says"].tolist()
        np.testing.assert_allclose(scores["log"], -np.log((p * happened).sum(axis=1)), rtol=1e-9)
        np.testing.assert_allclose(scores["brier"], ((p - happened) ** 2).sum(axis=1), rtol=1e-9)
    missing = rows["says"].astype(object).where(rows.index > 3)
    assert len(forecast.score(missing)) == 5


def test_later_rows_by_category_have_a_figure(fitted: hm.Fit) -> None:
    later = frame().tail(10).assign(week=16)
    forecast = fitted.forecast(later, time="week", kind="probability")
    assert list(forecast.table()) == NAMES
    assert len(forecast.plot().data)


def test_categories_are_scored_as_the_places_they_have(fitted: hm.Fit) -> None:
    """The CRPS of places is the ranked probability score: a sum over the thresholds."""
    rows = frame().head(6)
    forecast = fitted.forecast(rows)
    drawn = forecast.data["predictions"]["says"].to_numpy().reshape(-1, 6)
    places = rows["says"].cat.codes.to_numpy() + 1
    expected = [
        sum((np.mean(drawn[:, i] <= c) - (places[i] <= c)) ** 2 for c in (1, 2)) for i in range(6)
    ]
    for actual in (rows["says"], rows["says"].astype(str).tolist(), rows):
        scores = forecast.score(actual)
        assert scores["actual"].tolist() == places.tolist()
        np.testing.assert_allclose(scores["crps"], expected, atol=1e-12)
    with pytest.raises(hm.DataError, match="categories that the fit never saw: 'awful'"):
        forecast.score(["awful", *NAMES, *NAMES[:2]])


def test_ratings_are_scored_as_they_were_given(rated: hm.Fit) -> None:
    rows = frame().head(8)
    for kind in ("response", "probability"):
        scores = rated.forecast(rows, kind=kind).score(rows["stars"].astype(float))
        assert scores["actual"].tolist() == rows["stars"].tolist()
    assert list(rated.forecast(rows, kind="probability").table()) == [1, 2, 4]


def test_thresholds_have_the_names_of_what_they_part(fitted: hm.Fit, rated: hm.Fit) -> None:
    assert [*rated.summary(["threshold"]).index] == ["threshold[1|2]", "threshold[2|4]"]
    for fit, names in ((fitted, ["poor|fair", "fair|good, really"]), (rated, ["1|2", "2|4"])):
        threshold = fit.data.posterior["threshold"]
        assert threshold["threshold_dim"].to_numpy().tolist() == names
        first, second = (threshold.sel(threshold_dim=name) for name in names)
        found = fit.hypothesis(
            f"threshold[{names[0]}] > 0", f"threshold[{names[1]}] - threshold[{names[0]}] > 2"
        )
        assert found["estimate"].iloc[0] == pytest.approx(float(first.mean()))
        assert found["probability"].iloc[1] == pytest.approx(float((second - first > 2).mean()))
    assert rated.hypothesis("threshold[1 | 2] < threshold[2|4]")["probability"].iloc[0] == 1
    with pytest.raises(hm.ArgumentError, match=r"Did you mean 'threshold\[2\|4\]'"):
        rated.hypothesis("threshold[2|3] > 0")


def test_a_loaded_fit_has_the_names_too(rated: hm.Fit, tmp_path: Path) -> None:
    rated.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    assert again.data.posterior["threshold_dim"].to_numpy().tolist() == ["1|2", "2|4"]
    rows = frame().head(3)
    np.testing.assert_array_equal(
        again.predict(rows, kind="probability"), rated.predict(rows, kind="probability")
    )
    old = hm.load(Path(__file__).parents[1] / "saved" / "ordinal_by_day.nc")
    assert old.data.posterior["threshold_dim"].to_numpy()[0].count("|") == 1


def test_a_factor_called_category_gives_way(tmp_path: Path) -> None:
    data = frame().rename(columns={"judge": "category"})
    fit = hm.Model("says ~ x + (1 | category)", data, family="ordinal").fit(**FAST)
    forecast = fit.forecast(data.head(4), kind="probability").data["predictions"]
    for found in (fit.predict(data.head(4), kind="probability"), forecast["mean"]):
        assert found["category"].to_numpy().tolist() == NAMES


@pytest.mark.parametrize(("labels", "success"), [((1, 2), 2), ((2, 1), 2), ((2, 1), 1)])
def test_labels_of_success_are_no_ratings(labels: tuple[int, int], success: int) -> None:
    """Both are numbers, and yet what is predicted is how often one of them comes."""
    rng = np.random.default_rng(2)
    answer = np.array(labels)[(rng.random(160) < 0.2).astype(int)]
    data = frame().assign(answer=answer)
    fit = hm.Model("answer ~ 1 + (1 | judge)", data, family="bernoulli", success=success).fit(
        **FAST
    )
    share = (answer == success).mean()
    assert float(fit.predict().mean()) == pytest.approx(share, abs=0.1)
    drawn = fit.predict(kind="response")
    assert set(np.unique(drawn)) == {0, 1}
    assert float(drawn.mean()) == pytest.approx(share, abs=0.1)
    assert fit.data.observed_data["answer"].mean() == pytest.approx(share)
    scored = fit.forecast(data.head(9)).score(data["answer"].head(9))
    assert scored["actual"].tolist() == (answer[:9] == success).tolist()


@pytest.mark.parametrize("link", LAWS)
def test_two_categories_are_a_binary_response(link: str) -> None:
    """One threshold, minus the intercept, and no gap: with groups or without."""
    data = frame().assign(high=lambda each: (each["stars"] > 1).astype(int))
    priors = {"b": "normal(0, 1)"}
    both = [
        hm.Model("high ~ x", data, family=family, link=link, priors=priors | {own: "normal(0, 2)"})
        for family, own in (("ordinal", "threshold"), ("bernoulli", "Intercept"))
    ]
    ordered, binary = (model.fit(**(FAST | {"draws": 1000})).data.posterior for model in both)
    for mine, other in ((-ordered["threshold"][..., 0], binary["Intercept"]),
                        (ordered["b"][..., 0], binary["b"][..., 0])):  # fmt: skip
        error = np.sqrt(2 / 500) * float(other.std())
        assert float(mine.mean()) == pytest.approx(float(other.mean()), abs=5 * error)
        assert float(mine.std()) == pytest.approx(float(other.std()), rel=0.2)
    grouped = hm.Model("high ~ x + (1 | judge)", data, family="ordinal").fit(**FAST)
    np.testing.assert_allclose(grouped.predict(kind="probability").sum("category"), 1)
