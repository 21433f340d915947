"""The draws of a fit as one object: by label, laid out once, and never stale."""

import inspect
import pickle
import pydoc
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import hiermix as hm
from hiermix.families.table import find
from hiermix.plots import fits, groups, predictive_check, residuals, shrinkage
from hiermix.posterior import draw_arrays
from hiermix.posterior.posterior import Posterior
from hiermix.posterior.storage import ON_DEMAND
from hiermix.prediction import cross_validation, predict, predictor

FIT = {"chains": 2, "warmup": 80, "draws": 60, "seed": 3, "engine": "embedded"}
EVERY = ("chain", "draw")


def frame(rows: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    g = rng.integers(0, 5, rows)
    y = rng.normal(size=5)[g] + rng.normal(size=rows)
    return pd.DataFrame({"x": rng.normal(size=rows), "g": [f"g{i}" for i in g], "y": y,
                         "h": rng.choice(list("ab"), rows)})  # fmt: skip


@pytest.fixture(scope="module")
def sampled() -> hm.Fit:
    return hm.Model("y ~ x + (1 + x | g)", frame()).fit(**FIT)


@pytest.fixture
def fit(sampled: hm.Fit) -> hm.Fit:
    """One of the same draws, of which nothing is laid out yet, and which a test may change."""
    return hm.Fit(sampled.model, sampled.data.filter(lambda node: ON_DEMAND not in node.attrs))


# By label.


def by_hand(formula: str, variables: dict[str, Any], coords: dict[str, Any]) -> Posterior:
    """Return a posterior of two draws, written down."""
    rows = frame(8).assign(way=list("abcabcab"))
    family = "categorical" if formula.startswith("way") else "gaussian"
    model = hm.Model(formula, rows, family=family)
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(variables, coords=coords)})
    return Posterior.of(tree, model.design, find(family))


def test_a_coefficient_is_found_by_its_term_wherever_it_stands() -> None:
    b = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    posterior = by_hand(
        "y ~ x + h", {"Intercept": (EVERY, [[0.5, 0.6]]), "b": ((*EVERY, "term"), b)},
        {"term": ["h[T.b]", "x"]},  # in another order than the design has
    )  # fmt: skip
    assert posterior.design.terms == ("Intercept", "x", "h[T.b]")
    np.testing.assert_array_equal(posterior.coefficient("Intercept"), [[0.5, 0.6]])
    np.testing.assert_array_equal(posterior.coefficient("x"), [[2.0, 4.0]])
    np.testing.assert_array_equal(posterior.coefficient("h[T.b]"), [[1.0, 3.0]])
    np.testing.assert_array_equal(posterior.coefficient("z"), [[0.0, 0.0]])
    np.testing.assert_array_equal(posterior.b(), [[0.5, 0.6], [2.0, 4.0], [1.0, 3.0]])
    np.testing.assert_allclose(posterior.means(["x", "z", "Intercept"]), [3.0, 0.0, 0.55])


@pytest.mark.parametrize("terms", ["1", "0 + x"])
def test_a_model_may_have_an_intercept_alone_or_none(terms: str) -> None:
    alone = terms == "1"
    variables = {"Intercept": (EVERY, [[7.0, 8.0]])} if alone else {
        "b": ((*EVERY, "term"), [[[7.0], [8.0]]])}  # fmt: skip
    posterior = by_hand(f"y ~ {terms}", variables, {} if alone else {"term": ["x"]})
    other, own = ("x", "Intercept") if alone else ("Intercept", "x")
    np.testing.assert_array_equal(posterior.b(), [[7.0, 8.0]])
    np.testing.assert_array_equal(posterior.coefficient(own), [[7.0, 8.0]])
    np.testing.assert_array_equal(posterior.coefficient(other), [[0.0, 0.0]])


def test_each_category_has_coefficients_of_its_own() -> None:
    b = np.arange(4.0).reshape(1, 2, 2, 1)
    posterior = by_hand(
        "way ~ 0 + x", {"b": ((*EVERY, "category", "term"), b)},
        {"term": ["x"], "category": ["b", "c"]},
    )  # fmt: skip
    assert posterior.equations == ("b", "c")
    np.testing.assert_array_equal(posterior.coefficient("x", "c"), [[1.0, 3.0]])
    np.testing.assert_array_equal(posterior.coefficient("x"), b[..., 0])
    np.testing.assert_array_equal(posterior.b("b"), [[0.0, 2.0]])


def test_thresholds_stand_in_the_place_of_the_intercept() -> None:
    data = frame(80)
    data["grade"] = pd.cut(data["y"], [-9, -0.5, 0.5, 9], labels=["low", "mid", "high"])
    fit = hm.Model("grade ~ x + (1 | g)", data, family="ordinal").fit(**FIT)
    assert not fit.posterior.coefficient("Intercept").any()
    np.testing.assert_array_equal(fit.posterior.group_coefficients("g"), fit.data.posterior["r_g"])


def test_a_level_has_the_population_coefficient_plus_its_effect(fit: hm.Fit) -> None:
    found = fit.posterior.group_coefficients("g", "g3")
    post = fit.data.posterior
    r = post["r_g"].sel(g="g3")
    for effect, population in (("Intercept", post["Intercept"]), ("x", post["b"].sel(term="x"))):
        np.testing.assert_array_equal(
            found.sel(g="g3", g_effect=effect), population + r.sel(g_effect=effect)
        )


# Laid out once.


@pytest.fixture
def laid_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Factors whose effects were laid out, in order."""
    found: list[str] = []
    really = draw_arrays.effects

    def noted(posterior: xr.Dataset, grouping: Any, draws: Any = None) -> np.ndarray:
        found.append(grouping.name)
        return really(posterior, grouping, draws)

    monkeypatch.setattr(draw_arrays, "effects", noted)
    return found


def test_draws_are_laid_out_once_whatever_is_asked(
    fit: hm.Fit, laid_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "PIECE", 7 * 120)  # pieces of seven rows
    cross_validation.estimate(fit.posterior)
    assert laid_out == ["g"]
    fit.predict(frame().head(3), kind="response")
    fit.predict(frame().head(3).assign(g="new"), new_groups="sample")
    fit.data["log_likelihood"]["y"].isel(row=3).load()
    fit.variance()
    assert laid_out == ["g"]


def test_what_needs_no_effects_lays_none_out(fit: hm.Fit, laid_out: list[str]) -> None:
    fit.variance()
    fit.log_prior()
    fit.predict(group_effects="none")
    assert laid_out == []


def test_replaced_draws_are_laid_out_anew(fit: hm.Fit) -> None:
    before, moved = fit.predict(), fit.data["posterior"].to_dataset()
    fit.data["posterior"] = xr.DataTree(moved.assign(Intercept=moved["Intercept"] + 10.0))
    np.testing.assert_allclose(fit.predict(), before + 10.0)
    fit.data["posterior"]["Intercept"] = moved["Intercept"] + 20.0
    np.testing.assert_allclose(fit.predict(), before + 20.0)
    fit.data = xr.DataTree.from_dict({"posterior": moved.isel(chain=[1])})
    fit.data.attrs["seed"] = 3
    np.testing.assert_allclose(fit.predict(), before[[1]])


def test_nobody_writes_into_what_is_kept(fit: hm.Fit) -> None:
    layout = fit.posterior.layout(["g"])
    for kept in (layout.b, *(r for _, r in layout.r["g"].blocks()), layout.Lambda["g"]):
        with pytest.raises(ValueError, match="read-only"):
            kept[...] = 0.0
    np.testing.assert_array_equal(layout.b[0], fit.data.posterior["Intercept"].to_numpy().ravel())


def test_the_seed_is_what_the_tree_says_by_now(fit: hm.Fit) -> None:
    before = fit.predict(kind="response")
    fit.data.attrs = fit.data.attrs | {"seed": 4}
    np.testing.assert_array_equal(fit.predict(kind="response", seed=3), before)
    np.testing.assert_array_equal(
        fit.predict(kind="response"), fit.predict(kind="response", seed=4)
    )
    assert (fit.predict(kind="response") != before).all()


def test_draws_change_by_replacement_and_not_under_what_is_kept(fit: hm.Fit) -> None:
    before = fit.predict(kind="linear")
    b = fit.data.posterior["b"]
    with pytest.raises(ValueError, match="copy"):
        b.loc[{"term": "x"}] = 0.0
    fit.data.posterior["b"] = 0.0 * b
    x = xr.DataArray(frame()["x"].to_numpy(), dims="row")
    moved = before - fit.predict(kind="linear")
    np.testing.assert_allclose(moved, b.sel(term="x") * x, atol=1e-12)


def test_copies_leave_behind_what_can_be_laid_out_again(fit: hm.Fit) -> None:
    before = len(pickle.dumps(fit))
    mean = fit.predict()
    assert len(pickle.dumps(fit)) == pytest.approx(before, rel=0.02)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fit)).predict(), mean)


def test_other_rows_share_what_is_laid_out(fit: hm.Fit, laid_out: list[str]) -> None:
    some = fit.posterior.on(fit.design.take(np.array([5, 2])))
    source = predict.predictor(some)
    np.testing.assert_array_equal(
        source.linear(slice(None)), predict.predictor(fit.posterior).linear(np.array([5, 2]))
    )
    assert laid_out == ["g"]


# Methods of a fit that are functions of its posterior.

METHODS: dict[str, Callable[..., Any]] = {
    "predict": predict.predict,
    "loo": cross_validation.loo,
    "plot_shrinkage": shrinkage.plot_shrinkage,
    "plot_groups": groups.plot_groups,
    "plot_fit": fits.plot_fit,
    "plot_check": predictive_check.plot_check,
    "plot_residuals": residuals.plot_residuals,
}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_reads_as_its_function_without_the_posterior(fit: hm.Fit, name: str) -> None:
    theirs = inspect.signature(METHODS[name])
    first, *others = theirs.parameters.values()
    assert first.name == "posterior"
    mine = inspect.signature(getattr(fit, name))
    assert list(mine.parameters.values()) == others
    assert mine.return_annotation == theirs.return_annotation
    assert next(iter(inspect.signature(getattr(hm.Fit, name)).parameters)) == "self"


@pytest.mark.parametrize("name", METHODS)
def test_help_has_name_and_docstring(fit: hm.Fit, name: str) -> None:
    text = pydoc.plain(pydoc.render_doc(getattr(fit, name)))
    assert f"{name}(" in text
    assert "posterior:" not in text
    assert inspect.getdoc(METHODS[name]) == inspect.getdoc(getattr(fit, name))
    assert getattr(hm.Fit, name).__qualname__ == f"Fit.{name}"


def test_plots_are_imported_when_somebody_looks_at_them() -> None:
    code = (
        "import sys, hiermix as hm\n"
        "def loaded(): return [name in sys.modules for name in "
        "('hiermix.plots.groups', 'hiermix.plots.style', 'matplotlib')]\n"
        "print(loaded()); name = hm.Fit.plot_groups.__name__; print(name, loaded())"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stderr == ""
    assert answer.stdout.splitlines() == [
        "[False, False, False]",
        "plot_groups [True, True, False]",
    ]


def test_bad_calls_are_answered_as_those_of_any_method(fit: hm.Fit) -> None:
    with pytest.raises(TypeError, match=r"plot_shrinkage\(\) missing 1 required .*'group'"):
        fit.plot_shrinkage()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'levels'"):
        fit.plot_groups("g", levels=["g1"])  # type: ignore[call-arg]


# Intervals.

DOORS: dict[str, Callable[[hm.Fit, Any], Any]] = {
    "summary": lambda fit, prob: fit.summary(prob=prob),
    "group_effects": lambda fit, prob: fit.group_effects("g", prob=prob),
    "coefficients": lambda fit, prob: fit.coefficients("g", prob=prob),
    "hypothesis": lambda fit, prob: fit.hypothesis("x < 0", prob=prob),
    "variance_table": lambda fit, prob: fit.variance_table(prob=prob),
    "plot_shrinkage": lambda fit, prob: fit.plot_shrinkage("g", prob=prob),
    "plot_groups": lambda fit, prob: fit.plot_groups("g", prob=prob),
    "plot_fit": lambda fit, prob: fit.plot_fit("x", by="g", prob=prob),
    "plot_check": lambda fit, prob: fit.plot_check(prob=prob),
    "plot_check of levels": lambda fit, prob: fit.plot_check("g", prob=prob),
    "plot_residuals": lambda fit, prob: fit.plot_residuals(prob=prob),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("prob", [0, 1.0, 95, -0.5, np.nan, True, "0.9", None, [0.5, 0.9]])
def test_every_door_asks_for_a_probability(fit: hm.Fit, door: str, prob: Any) -> None:
    with pytest.raises(hm.ArgumentError, match="prob must be between 0 and 1"):
        DOORS[door](fit, prob)


@pytest.mark.filterwarnings("ignore:sd of x by g may be zero:hiermix.HiermixWarning")
def test_a_probability_may_be_stored_as_it_likes(fit: hm.Fit) -> None:
    plain = fit.coefficients("g", prob=0.5)
    for stored in (np.float32(0.5), np.float64(0.5), np.float16(0.5)):
        pd.testing.assert_frame_equal(fit.coefficients("g", prob=stored), plain)
        assert list(fit.summary(prob=stored))[3:5] == ["q25", "q75"]
