"""Coordinates in which crossed factors, nested ones and the intercept don't trade off."""

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import block_diag

import hiermix as hm
from hiermix.engines.embedded import Embedded
from hiermix.statistics import nested
from hiermix.tuning import common_parts

rng = np.random.default_rng


def raters(residual: float) -> pd.DataFrame:
    """500 ratings of 25 titles by 20 raters, who agree well."""
    draw = rng(4)
    t, r = draw.integers(0, 25, 500), draw.integers(0, 20, 500)
    y = draw.normal(size=25)[t] + draw.normal(size=20)[r] + residual * draw.normal(size=500)
    return pd.DataFrame({"y": y, "t": t, "r": r})


def laboratories() -> pd.DataFrame:
    """Batches within the cells of 6 laboratories and 7 specimens, which differ by far more."""
    draw = rng(1)
    lab, specimen, batch, _ = (each.ravel() for each in np.indices((6, 7, 3, 2)))
    y = draw.normal(0, 0.3, 6)[lab] + draw.normal(0, 3.1, 7)[specimen]
    y = y + draw.normal(0, 0.5, (6, 7, 3))[lab, specimen, batch] + 0.16 * draw.normal(size=len(lab))
    return pd.DataFrame({"y": 5 + y, "lab": lab, "specimen": specimen, "batch": batch})


def plates() -> pd.DataFrame:
    """Three levels, one within the other."""
    draw = rng(3)
    lab, day, plate, _ = (each.ravel() for each in np.indices((8, 6, 4, 4)))
    y = draw.normal(0, 1, 8)[lab] + draw.normal(0, 0.7, (8, 6))[lab, day]
    y = y + draw.normal(0, 0.5, (8, 6, 4))[lab, day, plate] + 0.3 * draw.normal(size=len(lab))
    return pd.DataFrame({"y": y, "lab": lab, "day": day, "plate": plate})


def teachers() -> pd.DataFrame:
    """Classes within schools, and teachers across them."""
    draw = rng(9)
    s, t = draw.integers(0, 10, 900), draw.integers(0, 15, 900)
    c = 4 * s + draw.integers(0, 4, 900)
    y = draw.normal(0, 1, 10)[s] + draw.normal(0, 0.6, 40)[c] + draw.normal(0, 1.5, 15)[t]
    return pd.DataFrame({"y": y + 0.4 * draw.normal(size=900), "s": s, "c": c, "t": t})


def slopes() -> pd.DataFrame:
    draw = rng(13)
    a, b, x = draw.integers(0, 20, 800), draw.integers(0, 12, 800), draw.normal(5, 1, 800)
    of_a, of_b = draw.normal(0, [1, 0.5], (20, 2))[a], draw.normal(0, [1, 0.7], (12, 2))[b]
    y = of_a[:, 0] + of_b[:, 0] + (of_a[:, 1] + of_b[:, 1]) * x + 0.3 * draw.normal(size=800)
    return pd.DataFrame({"y": y, "x": x, "a": a, "b": b})


DESIGNS = {
    "raters": ("y ~ 1 + (1 | t) + (1 | r)", lambda: raters(0.2)),
    "raters who disagree": ("y ~ 1 + (1 | t) + (1 | r)", lambda: raters(3.0)),
    "laboratories": ("y ~ 1 + (1 | lab) + (1 | specimen) + (1 | lab:specimen:batch)", laboratories),
    "plates": ("y ~ 1 + (1 | lab/day/plate)", plates),
    "teachers": ("y ~ 1 + (1 | s/c) + (1 | t)", teachers),
    "slopes": ("y ~ x + (x | a) + (x | b)", slopes),
}


@pytest.mark.parametrize("name", DESIGNS)
def test_the_posterior_is_near_standard_normal_in_its_coordinates(name: str) -> None:
    """Curvature at the centre, by differences of the gradient: every direction about 1.

    Before common effects were apart, laboratories had directions of 0.001, plates of 0.001 and 690.
    """
    formula, frame = DESIGNS[name]
    model = hm.Model(formula, frame(), effects="sampled")
    data = model.stan_data()
    size = int(data["D"]) + int(data["K"])
    steps = 1e-4 * np.concatenate([np.eye(size), -np.eye(size)])
    slope = Embedded().log_density(model._posterior.program, data, steps)[1]
    curvature = (slope[size:] - slope[:size]) / 2e-4
    values = np.linalg.eigvalsh((curvature + curvature.T) / 2)
    assert values[0] > 0.2
    assert values[-1] < 5


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_crossed_and_informative(seed: int) -> None:
    """The bound is far below what is found (4,000 effective draws), and far above 129."""
    fit = hm.Model("y ~ 1 + (1 | t) + (1 | r)", raters(0.2), effects="sampled").fit(seed=seed)
    table = fit.summary()
    assert table["ess_bulk"].min() > 1_500
    assert table["r_hat"].max() < 1.02
    assert int(fit.data.sample_stats["diverging"].sum()) == 0


@pytest.mark.parametrize("seed", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_six_outer_levels_do_not_diverge(seed: int) -> None:
    """54 rows, 18 inner levels that differ by many residual sds; 39 to 278 divergences before."""
    draw = rng(100 + seed)
    g, h = np.repeat(np.arange(6), 9), np.repeat(np.arange(18), 3)
    inner, residual = {2: (1.0, 0.1), 5: (2.0, 0.3)}[seed]
    y = draw.normal(0, 1, 6)[g] + draw.normal(0, inner, 18)[h] + residual * draw.normal(size=54)
    data = pd.DataFrame({"y": y, "g": g, "h": h})
    fit = hm.Model("y ~ 1 + (1 | g) + (1 | h)", data, effects="sampled").fit(seed=1)
    assert int(fit.data.sample_stats["diverging"].sum()) <= 4  # of 4,000
    assert fit.summary()["r_hat"].max() < 1.02


def test_crossed_factors_and_few_nested_levels_are_apart() -> None:
    def flags(formula: str, data: pd.DataFrame) -> dict[str, int]:
        model = hm.Model(formula, data, effects="sampled")
        names = [each.name for each in model.design.groupings]
        return dict(zip(names, model.stan_data()["apart"].tolist(), strict=True))

    apart = {name: list(flags(text, frame()).values()) for name, (text, frame) in DESIGNS.items()}
    assert apart["plates"] == [1, 1, 1]  # eight labs
    many = plates().assign(lab=lambda d: d["lab"] * 6 + d["day"], day=lambda d: d["plate"])
    assert not any(flags("y ~ 1 + (1 | lab/day)", many).values())
    assert apart["laboratories"] == [1, 1, 1]
    # An effect that the population does not have can be told from it.
    data = slopes()
    assert flags("y ~ 1 + (0 + x | a) + (1 | b)", data) == {"a": 0, "b": 1}
    assert flags("y ~ x + (x | a)", data) == {"a": 0}


def test_columns_of_z_are_found_in_x() -> None:
    data = slopes().assign(f=lambda d: np.where(d["x"] > 5, "hi", "lo"))
    design = hm.Model("y ~ x + f + (x | a) + (f || b) + (0 + f | a:b)", data).design
    X = design.X()
    mean = np.zeros(X.shape[1])
    mean[1:] = X[:, 1:].mean(axis=0)
    found = common_parts.columns(design, mean)
    for name, K in found.items():
        assert K is not None
        np.testing.assert_allclose((X - mean) @ K, design.Z(name), atol=1e-9)
    without = hm.Model("y ~ 1 + (x | a) + (1 | b)", data).design
    assert common_parts.columns(without, np.zeros(1))["a"] is None


def test_projection_by_dense_algebra() -> None:
    draw = rng(0)
    J, Q = 7, 2
    A = [np.eye(Q) + (G := draw.normal(size=(Q, Q))) @ G.T * j for j in range(J)]
    inverse = np.linalg.inv(A)
    share = common_parts.find(np.array(A) - np.eye(Q), np.eye(Q)).share  # type: ignore[union-attr]
    assert share @ share == pytest.approx(1)
    assert share[0] == 0  # no rows, no share
    values = draw.normal(size=(J, Q, 3))
    found = common_parts.Common(share, 1.0).project(values, inverse)
    U, dense = np.kron(share[:, None], np.eye(Q)), block_diag(*inverse)
    flat = values.reshape(J * Q, 3)
    expected = flat - dense @ U @ np.linalg.solve(U.T @ dense @ U, U.T @ flat)
    np.testing.assert_allclose(found.reshape(J * Q, 3), expected, atol=1e-12)
    np.testing.assert_allclose(np.einsum("j,jqp->qp", share, found), 0, atol=1e-12)


def test_what_inner_effects_take_away_with_those_inside_them_integrated_out() -> None:
    """Z_day' V^-1 Z_lab with V = W^-1 + Z_plate Lambda Lambda' Z_plate', as dense matrices."""
    data = plates().iloc[::2].assign(x=lambda d: rng(5).normal(size=len(d)))
    design = hm.Model("y ~ x + (x | lab) + (x | lab:day) + (1 | lab:day:plate)", data).design
    weights = rng(6).uniform(0.5, 2, design.rows)
    scales = {"lab:day:plate": np.array([[0.7]]), "lab:day": np.eye(2)}
    names = [each.name for each in design.groupings]
    wide = {}
    for name in names:
        codes, Z = design.grouping(name).codes, design.Z(name)
        one = np.eye(len(design.grouping(name).levels))[codes]
        wide[name] = np.einsum("nj,nq->njq", one, Z)
    plate = wide["lab:day:plate"][:, :, 0] * 0.7
    V = np.diag(1 / weights) + plate @ plate.T
    pair = next(p for p in nested.pairs(design) if (p.inner, p.outer) == ("lab:day", "lab"))
    found = nested.cross(design, pair, weights, scales)
    for j, above in enumerate(pair.above):
        expected = wide["lab:day"][:, j].T @ np.linalg.solve(V, wide["lab"][:, above])
        np.testing.assert_allclose(found[j], expected, atol=1e-10)
