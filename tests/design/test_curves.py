"""Curves of smooths, against natural cubic splines and their penalty worked out on a grid."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import CubicSpline

from hiermix.design.build import build
from hiermix.design.design import Design
from hiermix.errors import DataError
from hiermix.formula.formula import parse
from hiermix.formula.terms.smooths import Smooth


def kernel(x: np.ndarray, k: int, share: np.ndarray | None = None) -> np.ndarray:
    """Covariance (rows, rows) of a curve of sd one, less its line: nothing of it is hiermix's.

    By values at the knots, with the integral of the squared second derivative as their precision.
    """
    share = np.ones(len(x)) if share is None else share
    known = np.unique(x)
    knots = np.interp(np.linspace(0, len(known) - 1, k), np.arange(len(known)), known)
    cardinal = CubicSpline(knots, np.eye(k), bc_type="natural")
    middle = (knots[1:] + knots[:-1]) / 2
    low, mid, high = (cardinal(at, 2) for at in (knots[:-1], middle, knots[1:]))
    gaps = np.diff(knots)  # Simpson's rule is exact: second derivatives are straight lines
    penalty = sum(
        np.einsum("g,gi,gj->ij", weight * gaps / 6, part, part)
        for weight, part in ((1, low), (4, mid), (1, high))
    )
    values, vectors = np.linalg.eigh(penalty)
    root = vectors[:, 2:] / np.sqrt(values[2:])  # a line has no penalty
    Z = share[:, None] * (cardinal(x) @ root)
    line = share[:, None] * np.column_stack([np.ones(len(x)), x])
    Z = Z - line @ np.linalg.lstsq(line, Z, rcond=None)[0]
    return Z @ Z.T * np.sum(share**2) / np.trace(Z @ Z.T)


def cyclic_kernel(x: np.ndarray, k: int, share: np.ndarray | None = None) -> np.ndarray:
    """The same of a curve with the period from 2 to 9, less its mean: by values at its knots."""
    share = np.ones(len(x)) if share is None else share
    knots = np.linspace(2, 9, k)
    cardinal = CubicSpline(knots, np.vstack([np.eye(k - 1), np.eye(k - 1)[0]]), bc_type="periodic")
    fine = np.linspace(2, 9, 2 * 60 * (k - 1) + 1)  # knots stand on it
    weight = np.ones(len(fine))
    weight[1:-1:2], weight[2:-1:2] = 4, 2
    second = cardinal(fine, 2)
    penalty = second.T @ (second * (weight * (fine[1] - fine[0]) / 3)[:, None])
    values, vectors = np.linalg.eigh(penalty)
    Z = share[:, None] * (cardinal(x) @ (vectors[:, 1:] / np.sqrt(values[1:])))
    Z = Z - share[:, None] @ np.linalg.lstsq(share[:, None], Z, rcond=None)[0]
    return Z @ Z.T * np.sum(share**2) / np.trace(Z @ Z.T)


def frame(rows: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    x = rng.gamma(2, 3, rows)
    return pd.DataFrame({"y": rng.normal(size=rows), "x": x, "z": rng.normal(1, 1, rows),
                         "f": rng.choice(["a", "b"], rows),
                         "w": rng.integers(0, 9, rows)})  # fmt: skip


def of(formula: str, data: pd.DataFrame | None = None) -> Design:
    return build(parse(formula), frame() if data is None else data)


def bends(design: Design) -> list[np.ndarray]:
    X, terms = design.X(), list(design.terms)
    return [X[:, [terms.index(label) for label in each.bends]] for each in design.curves]


def shares(data: pd.DataFrame, by: str) -> list[np.ndarray]:
    if by == "z":
        return [data["z"].to_numpy()]
    return [(data["f"] == level).to_numpy(float) for level in ("a", "b")]


CASES = {
    "s(x)": ("x", 10, [None]),
    "s(x, k=3)": ("x", 3, [None]),
    "s(w, k=9)": ("w", 9, [None]),  # as many knots as values
    "s(x, k=6, by=f)": ("x", 6, shares(frame(), "f")),
    "s(x, k=6, by=z)": ("x", 6, shares(frame(), "z")),
}


@pytest.mark.parametrize("term", CASES)
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e9])
def test_bends_are_those_of_penalised_natural_splines(term: str, scale: float) -> None:
    column, k, parts = CASES[term]
    data = frame().assign(x=frame()["x"] * scale + 3 * scale)
    found = bends(of(f"y ~ f + {term}", data))
    assert len(found) == len(parts)
    for Z, share in zip(found, parts, strict=True):
        assert Z.shape[1] == k - 2
        expected = kernel(data[column].to_numpy(float) / scale, k, share)
        np.testing.assert_allclose(Z @ Z.T, expected, atol=1e-9 * np.abs(expected).max())


CYCLE = "bs='cc', lower=2, upper=9"


@pytest.mark.parametrize("by", [None, "f", "z"])
def test_cyclic_bends_are_those_of_penalised_periodic_splines(by: str | None) -> None:
    data = frame()
    design = of(f"y ~ f + s(x, k=7{f', by={by}' if by else ''}, {CYCLE})")
    found = bends(design)
    for Z, share in zip(found, shares(data, by) if by else [None], strict=True):
        assert Z.shape[1] == 5
        expected = cyclic_kernel(data["x"].to_numpy(), 7, share)
        np.testing.assert_allclose(Z @ Z.T, expected, atol=1e-9 * np.abs(expected).max())
    lines = ["s(x, by=z)[intercept]"] if by == "z" else []
    assert list(design.terms[2 : 2 + len(lines)]) == lines
    assert "linear" not in str(design.terms)


def test_cyclic_curves_recur_and_meet_smoothly() -> None:
    design, step = of(f"y ~ s(x, k=7, {CYCLE})"), 1e-4
    at = np.array([2.0, 9.0, -5.0, 16.0, 3.0, 10.0])
    values = design.on(pd.DataFrame({"x": at})).X()
    np.testing.assert_allclose(values[1:4], values[[0, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(values[5], values[4], atol=1e-12)
    near = design.on(pd.DataFrame({"x": 9 + step * np.arange(-2, 3)})).X()[:, 1:]
    first, second = np.diff(near, axis=0) / step, np.diff(near, 2, axis=0) / step**2
    bend = np.abs(second).max()
    assert np.abs(np.diff(first, axis=0)).max() < 2 * step * bend
    assert np.abs(np.diff(second, axis=0)).max() < 0.02 * bend


def test_a_line_and_what_bends_it_are_apart() -> None:
    data = frame()
    design = of("y ~ f + s(x, by=f) + s(z, k=4)")
    assert design.terms[:5] == (
        "Intercept", "f[T.b]", "s(x, by=f)[a][linear]", "s(x, by=f)[b][linear]", "s(z)[linear]",
    )  # fmt: skip
    X = design.X()
    for place, level in ((2, "a"), (3, "b")):
        mine = data["f"] == level
        x = data["x"][mine]
        np.testing.assert_allclose(X[mine, place], x - x.mean(), atol=1e-12)
        assert not X[~mine, place].any()
    # On the average of its rows a curve is zero, and so is its slope.
    for place, Z in enumerate(bends(design), start=2):
        assert np.abs(Z.sum(axis=0)).max() < 1e-11
        assert np.abs(X[:, place] @ Z).max() < 1e-9


def test_beyond_the_rows_of_the_fit_curves_go_straight_on() -> None:
    design, x = of("y ~ s(x, k=7)"), frame()["x"]
    for end, away in ((x.max(), 1.0), (x.min(), -1.0)):
        at = end + away * np.array([-1e-6, 0.0, 1e-6, 1.0, 2.0, 30.0])
        values = design.on(pd.DataFrame({"x": at})).X()
        slope = values[4] - values[3]
        np.testing.assert_allclose(values[5] - values[3], 29 * slope, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(values[2] - values[1], 1e-6 * slope, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(values[1] - values[0], 1e-6 * slope, rtol=1e-4, atol=1e-12)


def test_new_rows_go_through_the_curves_of_the_fit() -> None:
    design, data = of("y ~ f + s(x, by=f) + s(x, by=z) + s(w, k=4)"), frame()
    whole = design.X()
    some = data.iloc[[7, 3]].drop(columns="y")
    np.testing.assert_array_equal(design.on(some).X(), whole[[7, 3]])
    np.testing.assert_array_equal(design.take(np.array([7, 3])).X(), whole[[7, 3]])
    assert design.on(data.iloc[:0]).X().shape == (0, len(design.terms))


def test_a_number_that_multiplies_a_curve_has_a_slope_of_its_own() -> None:
    design, data = of("y ~ s(x, by=z)"), frame()
    assert design.terms[:3] == ("Intercept", "s(x, by=z)[intercept]", "s(x, by=z)[linear]")
    np.testing.assert_allclose(design.X()[:, 1], data["z"])


WRONG = [
    ("y ~ s(w)", "k is 10, but 'w' has 9 distinct values: write k=9 or less"),
    ("y ~ s(xx)", "formula names 'xx'"),
    ("y ~ s(f)", "column 'f' holds text"),
    ("y ~ s(two)", "'two' has 2 distinct values, and a curve takes 3 or more: write two"),
    ("y ~ s(x) + s(x, k=5)", "s(x) stands in the formula twice"),
    ("y ~ x + s(x)", "s(x)[linear] is a linear combination of x"),
    ("y ~ z + s(x, by=z)", "s(x, by=z)[intercept] is a linear combination of z"),
    ("y ~ s(few, by=f)", "where 'f' is 'b', 'few' has 2 distinct values"),
    ("y ~ s(x) + (1 | basis)", "grouping column 'basis': beside s(x) the name is reserved"),
    ("y ~ s(x) + (1 | s)", "grouping column 's': beside s(x) the name is reserved"),
    ("y ~ s(y)", "response 'y' is on both sides"),
    ("y ~ s(x, bs='cc')", 'bs="cc" needs lower and upper, the ends of the period'),
    ("y ~ s(x, bs='cc', lower=0)", 'bs="cc" needs lower and upper'),
    ("y ~ s(x, bs='cc', lower=3, upper=3)", "lower is below upper"),
    ("y ~ s(x, lower=0, upper=3)", 'lower and upper are the ends of the period of bs="cc"'),
    ("y ~ s(w, bs='cc', lower=0, upper=8)", "k is 10, but 'w' has 8 distinct values"),
    ("y ~ s(x, bs='tp')", "bs is one of 'cr', 'cc', 'fs', not 'tp'"),
    ("y ~ s(missing)", "column 'missing' has 1 missing value"),
]


@pytest.mark.parametrize(("formula", "message"), WRONG, ids=[text for text, _ in WRONG])
def test_what_is_no_curve_is_said(formula: str, message: str) -> None:
    from hiermix.errors import HiermixError

    data = frame().assign(two=lambda d: (d["z"] > 1).astype(float), basis=lambda d: d["w"])
    data["s"] = data["basis"]
    data["few"] = np.where(data["f"] == "a", data["x"], data["two"])
    data["missing"] = data["x"].where(data.index != 5)
    with pytest.raises(HiermixError, match=re.escape(message)):
        of(formula, data)


def test_new_rows_of_a_level_that_has_no_curve_are_refused() -> None:
    design = of("y ~ f + s(x, by=f)")
    with pytest.raises(DataError, match="'c'"):
        design.on(pd.DataFrame({"x": [1.0], "f": ["c"]}))
    with pytest.raises(DataError, match="'x'"):
        design.on(pd.DataFrame({"f": ["a"]}))


def test_a_term_knows_its_columns() -> None:
    assert Smooth("x", by="f").columns == ("x", "f")
