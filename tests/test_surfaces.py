"""Surfaces ``t2(x, z)``: their columns, the density of dense rows, and every door of a fit."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix import chain_starts
from hiermix.chain_starts import Started
from hiermix.design.curve_factors import as_factors
from hiermix.engines.embedded import Embedded
from hiermix.errors import HiermixError
from tests.design.test_curves import kernel
from tests.stan.test_gaussian_density import compare_gradient
from tests.stan.test_nested_density import PRIORS, dense

SETTINGS = {"seed": 1, "chains": 2, "warmup": 200, "draws": 200, "progress": False}


def frame(rows: int = 48) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    x, z = rng.gamma(2, 3, rows), rng.normal(100, 20, rows)
    g = rng.integers(0, 5, rows)
    surface = np.sin(x / 6) * np.exp(-(((z - 100) / 25) ** 2))
    y = surface + rng.normal(0, 0.5, 5)[g] + rng.normal(0, 0.2, rows)
    return pd.DataFrame({"y": y, "x": x, "z": z, "g": g, "c": rng.poisson(np.exp(y)),
                         "surface": surface})  # fmt: skip


def kernels(data: pd.DataFrame, k: int) -> list[np.ndarray]:
    """Covariances (rows, rows) of the three pieces: products of those of curves and lines."""
    x, z = (data[name].to_numpy() for name in ("x", "z"))
    u, v = ((each - each.mean()) / each.std() for each in (x, z))
    bends, lines = [kernel(x, k), kernel(z, k)], [1 + np.outer(u, u), 1 + np.outer(v, v)]
    U = np.column_stack([np.ones(len(x)), u, v, u * v])
    off = np.eye(len(x)) - U @ np.linalg.pinv(U)
    found = [bends[0] * lines[1], lines[0] * bends[1], bends[0] * bends[1]]
    left = [off @ each @ off for each in found]
    return [each * len(x) / np.trace(each) for each in left]


@pytest.mark.parametrize("formula", ["y ~ t2(x, z, k=4)", "y ~ t2(x, z, k=4) + (1 | g)"])
def test_a_surface_has_the_density_of_dense_rows(
    formula: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_starts, "start", lambda assembled: Started(assembled(None), []))
    model = hm.Model(formula, frame(), effects="integrated", priors=PRIORS)
    data = model.stan_data()
    points = np.random.default_rng(5).normal(0, 1.5, (20, int(data["D"])))
    found, gradient = Embedded().log_density(model._posterior.program, data, points)
    of = kernels(frame(), 4)
    np.testing.assert_allclose(found, [dense(model, each, 1.7, of) for each in points], rtol=1e-9)
    compare_gradient(model, points[:2], gradient[:2])


def test_columns_are_those_of_the_rows_wherever_they_stand() -> None:
    data = frame()
    design = hm.Model("c ~ t2(x, z, k=4)", data, family="poisson").design
    every = [each.name for each in as_factors(design).groupings]
    assert every == ["t2(x, z)[x]", "t2(x, z)[z]", "t2(x, z)[x:z]"]
    assert design.terms[1:4] == tuple(f"t2(x, z)[linear {each}]" for each in ("x", "z", "x:z"))
    x, z = (data[name] - data[name].mean() for name in ("x", "z"))
    np.testing.assert_allclose(design.X()[:, 1:4], np.column_stack([x, z, x * z]))
    for piece, expected in zip(design.curves, kernels(data, 4), strict=True):
        Z = piece.bent(design._encoded)
        np.testing.assert_allclose(Z @ Z.T, expected, atol=1e-8)
    half = design.on(data.iloc[::3])
    np.testing.assert_allclose(half.X(), design.X()[::3], rtol=1e-9, atol=1e-12)


def test_a_surface_goes_on_along_lines_beyond_the_rows() -> None:
    design = hm.Model("y ~ t2(x, z, k=4)", frame()).design
    far = pd.DataFrame({"x": [30.0, 40.0, 50.0], "z": 100.0})
    X = design.on(far).X()
    np.testing.assert_allclose(X[2] - X[1], X[1] - X[0], rtol=1e-8, atol=1e-8)


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model("y ~ t2(x, z) + (1 | g)", frame(300)).fit(**SETTINGS)


def test_a_surface_is_found(fit: hm.Fit) -> None:
    data = frame(300)
    assert fit.model.program_name == "nested"
    found = fit.predict(data, kind="linear", group_effects="none").mean(("chain", "draw"))
    assert np.corrcoef(found, data["surface"])[0, 1] > 0.97
    assert fit.data["posterior"]["smooth"].to_numpy().tolist() == [
        "t2(x, z)[x]", "t2(x, z)[z]", "t2(x, z)[x:z]"
    ]  # fmt: skip


def test_doors(fit: hm.Fit, tmp_path: Path) -> None:
    data = frame(300)
    fit.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.predict(data[:3]), fit.predict(data[:3]))
    assert str(again.design.formula) == "y ~ 1 + t2(x, z) + (1 | g)"
    assert np.isfinite(fit.loo().elpd)
    for over in ("these groups", "typical group", "population"):
        assert np.isfinite(fit.comparisons("x", by=True, over=over).table()["estimate"]).all()
    assert np.isfinite(fit.slopes("z", by=True).table()["estimate"]).all()
    assert set(fit.log_prior().data_vars) >= {"sd_smooth", "b"}
    assert fit.hypothesis("sd_smooth[t2(x, z)[x:z]] > 0")["probability"].iloc[0] == 1


def test_a_surface_is_drawn_over_both_columns(fit: hm.Fit) -> None:
    import matplotlib.pyplot as plt

    plot = fit.plot_smooth("t2(x, z)")
    plt.close(plot.figure)
    assert list(plot.data) == ["smooth", "x", "z", "estimate", "low", "high"]
    grid = plot.data.assign(g=0)
    whole = fit.predict(grid, kind="linear", group_effects="none").mean(("chain", "draw"))
    level = float(fit["Intercept"].mean())
    np.testing.assert_allclose(plot.data["estimate"], whole - level, rtol=1e-8, atol=1e-8)
    with pytest.raises(HiermixError, match=re.escape("plot_smooth('t2(x, z)') draws the surface")):
        fit.plot_smooth("x")


def test_sums_of_rows_know_surfaces() -> None:
    data = frame(300)
    sums = hm.statistics("y ~ t2(x, z, k=4) + (1 | g)", data)
    one, two = hm.Model.from_statistics(sums), hm.Model("y ~ t2(x, z, k=4) + (1 | g)", data)
    for each, other in zip(one.design.curves, two.design.curves, strict=True):
        Z = each.bent(two.design._encoded), other.bent(two.design._encoded)
        np.testing.assert_allclose(Z[0], Z[1], rtol=1e-8, atol=1e-10)
    prior = [each.priors["sd_smooth[t2(x, z)[x:z]]"].arguments for each in (one, two)]
    assert prior[0] == pytest.approx(prior[1])


WRONG = [
    ("y ~ t2(x)", "t2() is a surface over two columns. It is t2(x, z, k=5)"),
    ("y ~ t2(x, x)", "t2() is a surface over two columns"),
    ("y ~ t2(x, z, g)", "t2() is a surface over two columns"),
    ("y ~ t2(x, f)", "column 'f' holds text"),
    ("y ~ t2(x, two)", "'two' has 2 distinct values, and a curve takes 3 or more"),
    ("y ~ t2(x, four)", "k is 5, but 'four' has 4 distinct values: write k=4 or less"),
    ("y ~ x + t2(x, z)", "t2(x, z)[linear x] is a linear combination of x"),
    ("y ~ t2(x, z) + t2(x, z, k=4)", "t2(x, z)[x] stands in the formula twice"),
    ("y ~ t2(x, z, by=f)", "t2() has no place for 'by'"),
    ("y ~ te(x, z)", "write t2(x, z), a surface of another penalty, as brms does"),
    ("y ~ t2(x, gone)", "column 'gone' has 1 missing value"),
]


@pytest.mark.parametrize(("formula", "message"), WRONG, ids=[text for text, _ in WRONG])
def test_what_is_no_surface_is_said(formula: str, message: str) -> None:
    data = frame().assign(two=lambda d: d["g"] % 2, four=lambda d: d["g"] % 4)
    data["f"], data["gone"] = "a", data["z"].where(data.index != 5)
    with pytest.raises(HiermixError, match=re.escape(message)):
        hm.Model(formula, data)
