"""Models of statistics: those of the rows themselves, and what is refused without rows."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.engines import embedded
from hiermix.stan.chart import Chart

N = 240
FAST: dict[str, Any] = {"seed": 3, "chains": 2, "warmup": 100, "draws": 100, "progress": False}


def rows() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    group = rng.integers(0, 8, N)
    data = pd.DataFrame(
        {
            "x": rng.normal(8, 3, N),
            "z": rng.normal(size=N),
            "o": rng.normal(size=N),
            "w": rng.uniform(0.5, 2, N),
            "word": rng.choice(["a", "b", "c"], N),
            "other": rng.choice(["p", "q"], N),
            "g": group,
        }
    )
    spread = rng.normal(size=(8, 2))
    data["y"] = data["x"] * (1 + 0.2 * spread[group, 1]) + spread[group, 0] + rng.normal(size=N)
    return data


WHOLE = "y ~ x + z + word + offset(o) + (1 + x + z | g)"
MODELS = {
    "itself": (WHOLE, None),
    "fewer predictors": (WHOLE, "y ~ z + offset(o) + (1 + x | g)"),
    "independent effects": (WHOLE, "y ~ x + offset(o) + (x || g)"),
    "intercepts": (WHOLE, "y ~ x + word + offset(o) + (1 | g)"),
    "slopes alone": (WHOLE, "y ~ x + offset(o) + (0 + x | g)"),
    "no groups": (WHOLE, "y ~ x + z + offset(o)"),
    "no intercept": (WHOLE, "y ~ 0 + x + offset(o) + (1 | g)"),
    "functions": ("y ~ poly(x, 2) + scale(z) + (1 | g)", "y ~ poly(x, 2) + (1 | g)"),
    "interactions": ("y ~ x * word + (1 | g)", None),
    "one group": ("y ~ x + (1 | g:other)", None),
}


def log_density(model: hm.Model, reference: hm.Model) -> list[float]:
    """At points around the mode of the reference, in parameters that both share."""
    ready, other = reference._posterior, model._posterior
    rng = np.random.default_rng(1)
    charts = Chart(ready.data), Chart(other.data)
    densities = (embedded.density(ready.program, ready.data),
                 embedded.density(other.program, other.data))  # fmt: skip
    found = []
    for _ in range(5):
        at = 0.3 * rng.standard_normal(charts[0].size)
        point = charts[0].point(at)
        one, two = densities[0](at)[0], densities[1](charts[1].coordinates(point))[0]
        found.append(two - one)
    return found


@pytest.mark.parametrize("name", MODELS)
def test_the_model_is_that_of_the_rows(name: str) -> None:
    """Same priors, and a log density that differs by a constant: coordinates are scaled apart."""
    whole, smaller = MODELS[name]
    weights = None if name == "functions" else "w"
    expected = hm.Model(smaller or whole, rows(), weights=weights)
    found = hm.Model.from_statistics(hm.statistics(whole, rows(), weights=weights), smaller)
    assert repr(found).splitlines()[:6] == repr(expected).splitlines()[:6]
    assert found.priors.keys() == expected.priors.keys()
    for prior, theirs in zip(found.priors.values(), expected.priors.values(), strict=True):
        np.testing.assert_allclose(prior.arguments, theirs.arguments, rtol=1e-9, atol=1e-9)
    difference = log_density(found, expected)
    np.testing.assert_allclose(difference, difference[0], atol=1e-6)


def test_cells_without_rows_leave_their_columns_out() -> None:
    data = rows()
    data = data[(data["word"] != "c") | (data["other"] != "q")]
    text = "y ~ word * other + (1 | g)"
    with pytest.warns(hm.HiermixWarning, match="1 combination of word:other has no rows"):
        expected = hm.Model(text, data)
    found = hm.statistics(text, data)
    with pytest.warns(hm.HiermixWarning, match="1 combination of word:other has no rows"):
        model = hm.Model.from_statistics(found)
    assert model.design.terms == expected.design.terms
    with pytest.raises(hm.DataError, match="combination that the fit never saw"):
        model.design.on(rows())
    assert len(hm.Model.from_statistics(
        found + hm.statistics(text, rows(), like=hm.statistics(text, rows()))
    ).design.terms) == 6  # fmt: skip


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model.from_statistics(hm.statistics("y ~ x + word + (1 + x | g)", rows())).fit(**FAST)


def test_a_fit_predicts_new_rows(fit: hm.Fit) -> None:
    theirs = hm.Model("y ~ x + word + (1 + x | g)", rows()).fit(**FAST)
    new = rows().iloc[:12]
    found, expected = (each.predict(new).mean(("chain", "draw")) for each in (fit, theirs))
    # Means of 200 draws, about as good as independent ones, of two runs: sd of the mean / 14.
    sd = fit.predict(new).std(("chain", "draw"))
    assert float((np.abs(found - expected) / sd).max()) < 6 / np.sqrt(100)
    assert fit.predict(new.assign(g=99), new_groups="update").shape == (2, 100, 12)
    assert fit.forecast(new.drop(columns="y")).table().shape[0] == 12
    assert len(fit.group_effects("g")) == 16
    assert repr(fit).splitlines()[1].startswith("gaussian, 240 rows")


def test_answers_for_rows_that_are_given(fit: hm.Fit) -> None:
    new = rows().iloc[:5].drop(columns="y")
    linear = fit.predict(new, group_effects="none").mean(("chain", "draw"))
    found = fit.predictions(newdata=new.drop(columns="g"), over="typical group").table()
    np.testing.assert_allclose(found["estimate"], linear, rtol=1e-9)
    assert len(fit.comparisons(newdata=new, variables="word").table())


def test_what_sums_say_of_the_rows_is_said(fit: hm.Fit) -> None:
    theirs = hm.Fit(hm.Model("y ~ x + word + (1 + x | g)", rows()), fit.data.copy())
    pd.testing.assert_frame_equal(fit.variance_table(), theirs.variance_table(), rtol=1e-9)
    for name, density in theirs.log_prior().items():
        np.testing.assert_allclose(fit.log_prior()[name], density, rtol=1e-9)


@pytest.mark.parametrize("formula", [*dict.fromkeys(whole for whole, _ in MODELS.values())])
def test_statistics_are_saved_and_loaded_to_the_last_bit(formula: str, tmp_path: Path) -> None:
    found = hm.statistics(formula, rows(), weights="w")
    found.save(tmp_path / "sums.nc")
    again = hm.Statistics.load(tmp_path / "sums.nc")
    assert repr(again) == repr(found)
    assert (again.levels == found.levels).all()
    twice = found + again  # of one coding
    np.testing.assert_array_equal(twice.sums.ZtX, 2 * found.sums.ZtX)
    assert hm.Model.from_statistics(again).stan_data().keys()
    np.testing.assert_array_equal(
        hm.Model.from_statistics(again)._sums.gram(hm.Model.from_statistics(again).design).ZtR,
        hm.Model.from_statistics(found)._sums.gram(hm.Model.from_statistics(found).design).ZtR,
    )


def test_a_loaded_fit_predicts_and_is_updated(fit: hm.Fit, tmp_path: Path) -> None:
    fit.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    new = rows().iloc[:9]
    np.testing.assert_array_equal(again.predict(new), fit.predict(new))
    assert again.model.statistics is not None
    more = again.model.statistics + hm.statistics(
        "y ~ x + word + (1 + x | g)", rows().iloc[:50], like=again.model.statistics
    )
    assert len(more) == N + 50


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "can't be read as netCDF"), (None, "is no set of statistics saved by hiermix")],
)
def test_files_of_something_else_are_told(
    fit: hm.Fit, content: bytes | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "other.nc"
    fit.save(path)
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(hm.DataError, match=message):
        hm.Statistics.load(path)
    with pytest.raises(hm.ArgumentError, match="is saved as netCDF, not as 'pickle'"):
        hm.statistics("y ~ x", rows()).save(tmp_path / "sums.pickle")


DOORS = {
    "loo": lambda fit: fit.loo(),
    "kfold": lambda fit: fit.kfold(),
    "predict": lambda fit: fit.predict(),
    "log_likelihood": lambda fit: fit.log_likelihood(),
    "posterior_predictive": lambda fit: fit.posterior_predictive(),
    "forecast": lambda fit: fit.forecast(time="x", horizon=2),
    "plot_fit": lambda fit: fit.plot_fit("x", by="g"),
    "plot_check": lambda fit: fit.plot_check(),
    "plot_residuals": lambda fit: fit.plot_residuals(),
    "plot_shrinkage": lambda fit: fit.plot_shrinkage("g"),
    "predictions": lambda fit: fit.predictions(),
    "means": lambda fit: fit.means("word"),
    "slopes": lambda fit: fit.slopes(variables="x"),
    "datagrid": lambda fit: hm.datagrid(fit, x=[1, 2]),
    "refit": lambda fit: fit.model.refit(np.arange(3)),
}


@pytest.mark.parametrize("door", DOORS)
def test_what_needs_the_rows_is_refused_with_the_reason(fit: hm.Fit, door: str) -> None:
    with pytest.raises(hm.DataError, match="needs the rows of the fit, and statistics hold none"):
        DOORS[door](fit)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ x + o + offset(o)", "the statistics have no column 'o'."),
        ("y ~ x + late + offset(o)", "formula names 'late', not a column"),
        ("y ~ x + poly(z, 2) + offset(o)", "poly(z, 2) was not in the formula of the statistics"),
        ("y ~ x + offset(o) + (1 | word)", "the statistics have no grouping factor 'word'"),
        ("y ~ x", "'y ~ x' has another offset than the statistics"),
        ("z ~ x + offset(o)", "has another response than the statistics"),
        ("y ~ 0 + word + offset(o)", "the statistics have no column 'word[a]'"),
    ],
)
def test_a_formula_that_is_not_smaller_is_told(formula: str, message: str) -> None:
    found = hm.statistics(WHOLE, rows())
    with pytest.raises(hm.DataError, match=re.escape(message)):
        hm.Model.from_statistics(found, formula)


@pytest.mark.parametrize(
    ("formula", "change", "message"),
    [
        ("y ~ x + z", {"z": 7.0}, "'z' is constant (7.0) and the model has an intercept"),
        ("y ~ x + (z | g)", {"z": 7.3}, "'z' is constant (7.3) and the model has an intercept"),
        ("y ~ x + z", {"z": lambda frame: 3 * frame["x"]}, "z is a linear combination of x"),
        ("y ~ x + (1 | g)", {"g": 1}, "'g' has one level (1)"),
        ("y ~ x", {"y": lambda frame: 2 * frame["x"]}, "an exact sum of the terms"),
        ("y ~ x + (1 | g)", {"y": lambda frame: frame["g"]}, "an exact sum of the terms"),
    ],
    ids=["constant", "varying constant", "dependent", "one level", "exact", "of groups"],
)
def test_rows_that_no_model_has_are_told(formula: str, change: Any, message: str) -> None:
    with pytest.raises(hm.DataError, match=re.escape(message)):
        hm.Model.from_statistics(hm.statistics(formula, rows().assign(**change))).stan_data()
