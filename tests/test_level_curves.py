"""A curve for each level of a factor, ``s(x, g, bs="fs")``: what it means, and every door."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.errors import ArgumentError, DataError, FormulaError
from hiermix.formula.formula import parse
from hiermix.formula.terms.smooths import FactorSmooth

pytestmark = pytest.mark.filterwarnings("ignore:sd of .* may be zero")  # of so few rows
ROWS = 120
SHORT = {"seed": 1, "chains": 2, "warmup": 150, "draws": 100, "progress": False}
LABELS = [f"s(x, g)[{each}]" for each in ("intercept", "linear", "1", "2", "3")]


@cache
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    x, g = rng.uniform(0, 10, ROWS), rng.integers(0, 6, ROWS)
    y = np.sin(x + 0.5 * rng.normal(size=6)[g]) + rng.normal(0, 0.5, 6)[g]
    z = rng.normal(size=ROWS)
    y = y + (rng.normal(0, 0.7, 6)[g]) * z
    return pd.DataFrame({"y": y + rng.normal(0, 0.4, ROWS), "x": x, "z": z,
                         "g": [f"g{i}" for i in g], "f": rng.choice(["a", "b"], ROWS),
                         "c": rng.poisson(np.exp(0.5 * y)), "t": np.arange(ROWS)})  # fmt: skip


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model("y ~ s(x, k=6) + s(x, g, bs='fs', k=5) + (0 + z | g)", frame()).fit(**SHORT)


@pytest.fixture(scope="module")
def counts() -> hm.Fit:
    return hm.Model("c ~ s(x, g, bs='fs', k=5)", frame(), family="poisson").fit(**SHORT)


@pytest.fixture(params=["fit", "counts"])
def each(request: pytest.FixtureRequest) -> hm.Fit:
    return request.getfixturevalue(request.param)


def test_sds_and_effects_have_names(fit: hm.Fit, counts: hm.Fit) -> None:
    posterior = counts.data.posterior
    sds = ["s(x, g)[intercept]", "s(x, g)[linear]", "s(x, g)"]
    assert posterior["sd_g"].dims == ("chain", "draw", "g_effect")
    assert posterior["g_effect"].to_numpy().tolist() == sds
    assert posterior["r_g"].dims == ("chain", "draw", "g", "g_term")
    assert posterior["g_term"].to_numpy().tolist() == LABELS
    assert fit.data.posterior["g_effect"].to_numpy().tolist() == ["z", *sds]
    assert fit.data.posterior["smooth"].to_numpy().tolist() == ["s(x)"]
    assert {"sd_g[s(x, g)]", "sd_g[z]"} <= set(fit.summary().index)
    assert "g: 6 levels; z, s(x, g)[intercept], s(x, g)[linear], s(x, g)\n" in repr(fit.model)
    assert fit.model.program_name == "nested"
    assert hm.Model("y ~ s(x, g, bs='fs', k=5)", frame()).program_name == "random_slope"


def test_priors_are_one_a_spread(counts: hm.Fit) -> None:
    names = ["sd[g, s(x, g)[intercept]]", "sd[g, s(x, g)[linear]]", "sd[g, s(x, g)]"]
    assert [name for name in counts.model.priors if name.startswith("sd")] == names
    model = hm.Model("c ~ s(x, g, bs='fs')", frame(), family="poisson",
                     priors={"sd[g, s(x, g)]": "exponential(3)"})  # fmt: skip
    assert str(model.priors["sd[g, s(x, g)]"]) == "exponential(3)"
    found = counts.log_prior()["sd_g"]
    prior = counts.model.priors[names[2]]
    expected = prior.frozen().logpdf(counts.data.posterior["sd_g"][..., 2]) + np.log(2)
    np.testing.assert_allclose(found[..., 2], expected, rtol=1e-9)


def test_a_curve_of_a_level_is_drawn_as_it_is_predicted(counts: hm.Fit) -> None:
    data = counts.plot_smooth("s(x, g)").data
    assert data["smooth"].unique().tolist() == [f"s(x, g)[g{i}]" for i in range(6)]
    own = data[data["smooth"] == "s(x, g)[g3]"]
    new = pd.DataFrame({"x": own["x"], "g": "g3"})
    eta = counts.predict(new, kind="linear") - counts.data.posterior["Intercept"]
    np.testing.assert_allclose(eta.mean(("chain", "draw")), own["estimate"], atol=1e-9)


def test_both_kinds_of_curves_of_a_column_are_drawn(fit: hm.Fit) -> None:
    assert len(fit.plot_smooth("x").data["smooth"].unique()) == 7
    with pytest.raises(ArgumentError, match=r"Known: 'x', 's\(x\)', 's\(x, g\)'"):
        fit.plot_smooth("z")


def test_new_levels_have_curves_of_their_own(each: hm.Fit) -> None:
    new = frame().head(4).assign(g=["new", "new", "other", "g1"])
    with pytest.raises(DataError, match="new"):
        each.predict(new)
    for policy in ("population", "sample"):
        assert np.isfinite(each.predict(new, kind="mean", new_groups=policy)).all()
    learned = each.predict(frame().tail(20).assign(g="late"), kind="mean", new_groups="update")
    assert np.isfinite(learned).all()


def test_saved_fits_predict_the_same(each: hm.Fit, tmp_path: Path) -> None:
    each.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    new = frame().head(5).assign(x=np.linspace(-1, 11, 5))
    np.testing.assert_array_equal(each.predict(new, kind="mean"), again.predict(new, kind="mean"))
    assert again.model.design.formula == each.model.design.formula
    np.testing.assert_array_equal(again.plot_smooth("x").data, each.plot_smooth("x").data)


def test_other_doors(each: hm.Fit) -> None:
    assert np.isfinite(each.loo().elpd)
    assert np.isfinite(each.variance()["variance"]).all()
    assert each.hypothesis("sd_g[s(x, g)] > 0")["probability"].iloc[0] == 1.0
    assert np.isfinite(each.hypothesis("g[g1, s(x, g)[2]] > 0")["estimate"].iloc[0])
    ahead = frame().head(2).assign(t=[500, 501]).drop(columns=["y", "c"])
    assert np.isfinite(each.forecast(ahead, time="t").table()["mean"]).all()
    assert np.isfinite(each.slopes("x", scale="linear").table()["estimate"]).all()
    assert len(each.group_effects("g")) == 6 * len(each.data.posterior["g_term"])
    each.plot_groups("g", effects="s(x, g)[intercept]")
    each.plot_shrinkage("g", effects=["s(x, g)[intercept]", "s(x, g)[1]"])


def test_effects_that_are_not_kept_are_the_same() -> None:
    model, new = hm.Model("y ~ s(x, g, bs='fs', k=4)", frame()), frame().head(4)
    settings = {"seed": 1, "chains": 1, "warmup": 100, "draws": 50, "progress": False}
    kept, lean = model.fit(**settings), model.fit(**settings, memory=0)
    np.testing.assert_allclose(
        kept.predict(new, kind="mean"), lean.predict(new, kind="mean"), rtol=1e-12
    )
    quick = model.fit(seed=1, chains=2, draws=200, algorithm="laplace", progress=False)
    assert (quick.data.posterior["sd_g"] > 0).all()


def test_one_posterior_integrated_and_sampled() -> None:
    from arviz_stats import mcse

    formula = "y ~ s(x, g, bs='fs', k=4)"
    fits = [hm.Model(formula, frame(), effects=effects).fit(
        seed=2, chains=2, warmup=250, draws=300, progress=False, adapt_delta=0.9
    ) for effects in ("integrated", "sampled")]  # fmt: skip
    for name in ("sigma", "sd_g", "Intercept"):
        one, two = (each.data.posterior[name].to_numpy() for each in fits)
        one, two = (values.reshape(*values.shape[:2], -1) for values in (one, two))
        for k in range(one.shape[2]):
            errors = [float(mcse(each[:, :, k], method="mean")) for each in (one, two)]
            assert abs(one[:, :, k].mean() - two[:, :, k].mean()) < 5.5 * np.hypot(*errors), name


def test_each_category_has_curves_of_its_own() -> None:
    data = frame().assign(k=np.random.default_rng(1).choice(list("abc"), ROWS))
    model = hm.Model("k ~ hsgp(z, k=3) + s(x, g, bs='fs', k=4)", data, family="categorical")
    fit = model.fit(seed=1, chains=1, warmup=100, draws=30, progress=False)
    sds = fit.data.posterior["g_effect"].to_numpy().tolist()
    assert sds[2::3] == ["b_s(x, g)", "c_s(x, g)"]
    assert fit.data.posterior["process"].to_numpy().tolist() == ["b_hsgp(z)", "c_hsgp(z)"]
    means = fit.predict(data.head(3), kind="mean")
    np.testing.assert_allclose(means.sum("category"), 1)
    assert len(fit.plot_smooth("x").data["smooth"].unique()) == 12


def test_what_was_written_is_read_again() -> None:
    formula = parse("y ~ s(x, g, bs='fs', k=7) + s(z, bs='cr'); sigma ~ s(x, g, bs='fs')")
    assert formula.specials[0] == FactorSmooth("x", 7, factor="g")
    assert parse(str(formula)) == formula
    assert str(formula) == "y ~ 1 + s(x, g, k=7, bs='fs') + s(z); sigma ~ 1 + s(x, g, bs='fs')"


@pytest.mark.parametrize(
    ("formula", "error", "words"),
    [
        ("y ~ s(x, g, bs='re')", FormulaError, "bs is one of 'cr', 'cc', 'fs', not 're'"),
        ("y ~ s(x, bs='fs')", FormulaError, 'a second column is a factor g, with bs="fs"'),
        ("y ~ s(x, z)", FormulaError, r"a surface is t2\(x, z\)"),
        ("y ~ s(x, g, bs='fs', by=f)", FormulaError, 'bs="fs" stands without by'),
        ("y ~ s(x, x, bs='fs')", FormulaError, "g is another column than 'x'"),
        ("y ~ s(x, nothing, bs='fs')", DataError, "formula names 'nothing'"),
        ("y ~ s(x, one, bs='fs')", DataError, "'one'"),
        ("y ~ s(flat, g, bs='fs')", DataError, "'flat' has 1 distinct value"),
        ("y ~ s(few, g, bs='fs', k=6)", DataError, "k is 6, but 'few' has 4 distinct values"),
        ("y ~ (1 | g) + s(x, g, bs='fs')", DataError, r"leave \(1 \| g\) out"),
        ("y ~ s(x, g, bs='fs') + s(x, g, bs='fs')", DataError, "repeat"),
        ("y ~ (0 + z | gr(g, by=f)) + s(x, g, bs='fs')", FormulaError, r"say the same in gr\(\)"),
    ],
)
def test_what_is_refused(formula: str, error: type[Exception], words: str) -> None:
    data = frame().assign(one="a", flat=1.0, few=np.arange(ROWS) % 4)
    with pytest.raises(error, match=words):
        hm.Model(formula, data)


def test_where_they_are_not_served_yet() -> None:
    formula = "y ~ s(x, g, bs='fs')"
    with pytest.raises(ArgumentError, match="not compared with those of no pooling"):
        hm.pooling(formula, frame(), by="g")
    fit = hm.Model.from_statistics(hm.statistics(formula, frame())).fit(
        seed=1, chains=2, draws=50, algorithm="laplace", progress=False
    )
    with pytest.raises(DataError, match="plot_smooth"):
        fit.plot_smooth("x")
