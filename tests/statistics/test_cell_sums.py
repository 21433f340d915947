"""Sums of cells: the likelihood is that of the rows, whatever the source, in any pieces."""

import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import hiermix as hm
from hiermix.design.design import Design
from hiermix.errors import ignored_warnings
from hiermix.prediction import group_densities, held_out
from hiermix.statistics import cell_sums
from hiermix.statistics.cell_moments import stand_ins
from tests.combinations import thinned
from tests.row_sources import GAPS, ONCE, SOURCES, pieces, with_gaps
from tests.same_sums import assert_same_cells

N = 360
FAST: dict[str, Any] = {"seed": 3, "chains": 2, "warmup": 100, "draws": 60, "progress": False}
RELATED = {"A": pd.DataFrame(np.eye(6) * 0.7 + 0.3)}
FORMULAS: dict[str, tuple[Any, dict[str, Any]]] = {
    "nested": ("y ~ x + word + offset(z) + (1 + x | a) + (1 + x | b)", {}),
    "crossed": ("y ~ poly(x, 2) * word + (1 | b) + (0 + x | c)", {}),
    "strata": (["y ~ x + (1 + x | b)", "sigma ~ word"], {}),
    "smooth": ("y ~ z + s(x, k=6) + (1 | b)", {}),
    "smooths by word": ("y ~ word + s(x, k=5, by=word) + (1 | a) + (1 | c)", {}),
    "process": ("y ~ z + hsgp(x, k=5, by=word) + (1 | b)", {}),
    "own spreads": ("y ~ x + (1 + x | gr(a, by=half))", {}),
    "related": ("y ~ x + (1 | gr(a, cov='A'))", RELATED),
    "far effects": ("y ~ x + (1 | gr(a, dist='student'))", {}),
    "cyclic": ("y ~ z + s(x, k=6, bs='cc', lower=490, upper=510) + (1 | b)", {}),
    "curves of levels": ("y ~ word + s(x, a, bs='fs', k=5) + (1 | c)", {}),
    "steps": ("y ~ mo(k) + x + (1 | a)", {}),
    "slopes of steps": ("y ~ mo(k) * word + x + (mo(k) | a)", {}),
    "memberships": ("y ~ x + (1 | mm(a, c))", {}),
    "effects on sigma": (["y ~ x + (1 | p | b)", "sigma ~ word + (1 | p | b)"], {}),
    "effects beside": (["y ~ x + (1 | b)", "sigma ~ word + (1 | b)"], {}),
    "function of the response": ("np.log(v) ~ 0 + word + (1 | a/b)", {}),
    "known errors": ("y | se(error, sigma=True) ~ x + (1 | a)", {}),
    "late level": ("y ~ last + x + (1 | a) + (1 | c)", {}),
}
FROM_SOURCES = "crossed", "strata", "smooths by word", "curves of levels", "memberships"


def rows(n: int = N) -> pd.DataFrame:
    rng, place = np.random.default_rng(6), np.arange(n)
    data = pd.DataFrame(
        {
            "x": rng.normal(500, 2, n),
            "z": rng.normal(size=n),
            "a": rng.integers(0, 6, n),
            "c": rng.integers(0, 4, n),
            "k": rng.integers(1, 5, n),
            "w": rng.uniform(0.5, 2, n),
            "word": rng.choice(["no", "yes", "perhaps"], n),
            "error": rng.choice([0.1, 0.2], n),
            "last": np.where(place < n - 4, "early", "late"),
        }
    )
    data["b"] = data["a"].astype(str) + "-" + pd.Series(rng.integers(0, 5, n)).astype(str)
    data["half"] = np.where(data["a"] < 3, "first", "second")
    data["y"] = 1e3 + data["x"] + rng.normal(size=6)[data["a"]] + rng.normal(size=n)
    data["v"] = np.exp(data["y"] / 1e3)
    return data


def log_likelihood(design: Design, rng: np.random.Generator) -> float:
    """Of coefficients, effects by label and sds, drawn alike for any design of one formula."""
    eta = {}
    for each in design.equations:
        X = design.X(equation=each.columns)
        size = np.array([1.0 if label == "Intercept" else 0.1 for label in each.terms])
        eta[each.name] = (X) @ (rng.normal(size=X.shape[1]) * size)
        eta[each.name] += each.known(design.rows)
    for each in design.groupings:
        effects = each.factor.gather(rng.normal(size=(len(each.levels), len(each.effects))))
        for k, equation in enumerate(each.equations):
            eta[equation] += design.Z(each.name)[:, k] * effects[:, k] * 0.1
    sd = np.exp(eta["sigma"]) if "sigma" in eta else np.ones(design.rows)
    if design.limits.se is not None:
        sd = np.hypot(sd, design.limits.se)
    assert design.response is not None
    assert design.weights is not None
    return float(design.weights @ stats.norm.logpdf(design.response, eta["mu"], sd))


@pytest.mark.parametrize("name", FORMULAS)
def test_few_rows_have_the_likelihood_of_all(name: str) -> None:
    """Against scipy's densities of every row."""
    text, data2 = FORMULAS[name]
    data = rows()
    expected = hm.Model(text, data, weights="w", data2=data2 or None)
    found = hm.Model.from_statistics(hm.statistics(text, data, weights="w"), data2=data2 or None)
    assert repr(found).splitlines()[:6] == repr(expected).splitlines()[:6]
    for prior, theirs in zip(found.priors.values(), expected.priors.values(), strict=True):
        np.testing.assert_allclose(prior.arguments, theirs.arguments, rtol=1e-9, atol=1e-9)
    for one, other in zip(found.design.groupings, expected.design.groupings, strict=True):
        assert one.levels.tolist() == other.levels.tolist()
    for seed in range(3):
        mine, theirs = (
            log_likelihood(each.design, np.random.default_rng(seed)) for each in (found, expected)
        )
        assert mine == pytest.approx(theirs, rel=1e-10)


def test_rows_that_stand_for_others_are_no_more_than_these() -> None:
    data = rows()
    cells = hm.statistics("y ~ x + z + word + (1 | a) + (1 | b)", data).cells
    cell, columns, weight = stand_ins(cells)
    assert (np.bincount(cell) <= cells.number).all()
    assert (weight > 0).all()
    mean = np.add.reduceat(columns * weight[:, None], np.searchsorted(cell, np.arange(len(cells))))
    np.testing.assert_allclose(mean / cells.weight[:, None], cells.mean, atol=1e-12)


@cache
def of_the_frame(formula: str) -> hm.CellSums:
    return hm.statistics(FORMULAS[formula][0], with_gaps(rows()), **GAPS)


@pytest.mark.parametrize(("formula", "name"), thinned(4, FROM_SOURCES, SOURCES))
def test_every_source_gives_the_sums_of_the_frame(formula: str, name: str, tmp_path: Path) -> None:
    text, source = FORMULAS[formula][0], SOURCES[name](with_gaps(rows()), tmp_path)
    assert_same_cells(hm.statistics(text, source, **GAPS), of_the_frame(formula))


@pytest.mark.parametrize("name", ONCE)
def test_what_can_be_read_once_is_read_once(name: str) -> None:
    known = hm.statistics(FORMULAS["smooth"][0], rows())
    with pytest.raises(hm.DataError, match="can be passed over once"):
        hm.statistics(FORMULAS["smooth"][0], ONCE[name](rows()))
    assert_same_cells(hm.statistics(FORMULAS["smooth"][0], ONCE[name](rows()), like=known), known)


def test_the_first_rows_may_lie_far_from_the_others() -> None:
    n = 50_000
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"t": np.linspace(0, 1, n) ** 20, "g": rng.integers(0, 9, n)})
    data["h"], data["y"] = data["g"] // 3, 1e6 * data["t"] + rng.normal(size=n)
    text = "y ~ t + (1 | h) + (1 | g)"
    found = hm.statistics(text, lambda: (data[k : k + 500] for k in range(0, n, 500)))
    X = np.column_stack([np.ones(n), data["t"]])
    exact = np.linalg.lstsq(X, data["y"], rcond=None)[1][0]
    best = found.cells.around(found.origin, found.centred())
    assert best.whole()[1][-1, -1] * n == pytest.approx(exact, rel=1e-11)


# Addition ----------------------------------------------------------------------------------------


@settings(max_examples=max(5, settings().max_examples // 8))
@given(
    cuts=st.lists(st.integers(0, N), max_size=4),
    formula=st.sampled_from(sorted(FORMULAS)),
    seed=st.integers(0, 99),
)
def test_any_split_adds_up(cuts: list[int], formula: str, seed: int) -> None:
    data, text = rows().sample(frac=1, random_state=seed), FORMULAS[formula][0]
    whole = hm.statistics(text, data, weights="w")
    ends = sorted({0, *cuts, N})
    parts = [hm.statistics(text, data.iloc[low:high], weights="w", like=whole)
             for low, high in pairwise(ends) if high - low > 1]  # fmt: skip
    if sum(map(len, parts)) == N:
        assert_same_cells(sum(parts), whole)
        assert_same_cells(sum(parts[::-1]), whole)


@pytest.mark.parametrize("formula", ["nested", "strata", "smooths by word"])
def test_sums_of_cells_are_a_vector_space(formula: str) -> None:
    data, text = rows(), FORMULAS[formula][0]
    whole = hm.statistics(text, data)
    a, b = (hm.statistics(text, part, like=whole) for part in (data[:200], data[200:]))
    assert_same_cells(a + b, b + a, 1e-11)
    assert_same_cells(a + b - b, a, 1e-9)
    with pytest.raises(hm.DataError, match=r"have rows of \d+ cells? that these don't have"):
        _ = a - b
    with pytest.raises(hm.DataError, match="no rows are left"):
        _ = a - a
    with pytest.raises(hm.DataError, match="build both of one formula"):
        _ = a + hm.statistics("y ~ z + (1 | a) + (1 | c)", data)


def test_other_knots_are_no_sum() -> None:
    data, text = rows(), FORMULAS["smooth"][0]
    with pytest.raises(hm.DataError, match=re.escape("what s(x) knows of its rows differs")):
        _ = hm.statistics(text, data) + hm.statistics(text, data[:200])


# Models ------------------------------------------------------------------------------------------

SMALLER = {
    "a factor less": ("nested", "y ~ x + offset(z) + (1 + x | a)"),
    "slopes less": ("crossed", "y ~ word + (1 | b)"),
    "one sigma": ("strata", "y ~ x + (1 | b)"),
    "no curve": ("smooth", "y ~ z + (1 | b)"),
    "alone": ("own spreads", "y ~ x"),
}


@pytest.mark.parametrize("name", SMALLER)
def test_smaller_formulas_are_those_of_the_rows(name: str) -> None:
    whole, smaller = SMALLER[name]
    data = rows()
    found = hm.Model.from_statistics(hm.statistics(FORMULAS[whole][0], data, weights="w"), smaller)
    expected = hm.Model(smaller, data, weights="w")
    assert repr(found) == repr(expected)
    mine, theirs = (log_likelihood(each.design, np.random.default_rng(1))
                    for each in (found, expected))  # fmt: skip
    assert mine == pytest.approx(theirs, rel=1e-10)


@pytest.mark.parametrize(
    ("formula", "message"),
    [("y ~ z + offset(z) + (1 | a)", "no column 'z'"), ("y ~ x + (1 | a)", "another offset"),
     ("y ~ x + offset(z) + (1 | c)", "formula names 'c', not a column")],
)  # fmt: skip
def test_what_the_sums_do_not_have_is_told(formula: str, message: str) -> None:
    with pytest.raises(hm.DataError, match=message):
        hm.Model.from_statistics(hm.statistics(FORMULAS["nested"][0], rows()), formula)


def test_columns_that_say_nothing_are_told() -> None:
    data = rows().assign(two=lambda frame: 2 * frame["x"] + 1, same=3.0)
    for text, message in (
        ("y ~ x + two + (1 | a) + (1 | c)", "two is a linear combination of x"),
        ("y ~ same + (1 | a) + (1 | c)", "column 'same' is constant"),
    ):
        with pytest.raises(hm.DataError, match=message):
            hm.Model.from_statistics(hm.statistics(text, data))


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    text = "y ~ x + s(z, k=5) + (1 | a) + (1 | c)"
    return hm.Model.from_statistics(hm.statistics(text, rows())).fit(**FAST)


def test_a_fit_predicts_and_is_saved_and_loaded(fit: hm.Fit, tmp_path: Path) -> None:
    assert fit.model.program_name != "gaussian"
    fit.save(tmp_path / "fit.nc")
    loaded, new = hm.load(tmp_path / "fit.nc"), rows(9)
    np.testing.assert_array_equal(loaded.predict(new), fit.predict(new))
    assert f"{N} rows" in repr(loaded)
    assert len(fit.group_effects("a")) == 6
    for door in (fit.loo, fit.kfold, fit.predict, fit.plot_check):
        with pytest.raises(hm.HiermixError, match="statistics hold rows that were merged"):
            door()


@pytest.mark.parametrize("by", ["a", "c"])
def test_groups_are_left_out_as_their_rows_would_be(fit: hm.Fit, by: str) -> None:
    """The same draws, with the rows and with those that stand for them."""
    theirs = hm.Model(str(fit.design.formula), rows()).design
    found, expected = (
        group_densities.log_densities(fit.posterior.on(each), held_out.units(each, by)[1])
        for each in (fit.design, theirs)
    )
    order = [expected[1].tolist().index(label) for label in found[1]]
    np.testing.assert_allclose(found[0], expected[0][order], rtol=1e-9)
    with ignored_warnings(hm.HiermixWarning):  # of 120 draws
        assert fit.loo(by=by).n_data_points == len(order)
    with pytest.raises(hm.DataError, match="statistics hold rows that were merged"):
        fit.loo(by=np.arange(fit.design.rows))


def test_one_factor_keeps_whole_groups_where_that_is_asked_for() -> None:
    text = "y ~ x + (1 + x | b)"
    found = hm.statistics(text, rows(), weights="w", whole_groups=True)
    assert isinstance(found, hm.CellSums)
    model, expected = hm.Model.from_statistics(found), hm.Model(text, rows(), weights="w")
    assert repr(model) == repr(expected)
    without = hm.Model.from_statistics(hm.statistics(text, rows(), weights="w"))
    with pytest.raises(hm.DataError, match=r"hm\.statistics\(\.\.\., whole_groups=True\)"):
        without.fit(**FAST | {"algorithm": "laplace"}).loo(by="b")


def test_sums_are_saved_and_loaded(tmp_path: Path) -> None:
    for name in ("smooths by word", "strata", "related"):
        found = hm.statistics(FORMULAS[name][0], rows(), weights="w")
        found.save(tmp_path / "sums.nc")
        again = hm.CellSums.load(tmp_path / "sums.nc")
        assert repr(again) == repr(found)
        assert_same_cells(again + found, found + found)


def test_numbers_that_tell_all_rows_apart_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_sums, "_MOST", 500)
    with pytest.raises(hm.DataError, match=r"cells \(combinations of 'z'\) of 360 rows so far"):
        hm.statistics(["y ~ x", "sigma ~ z"], lambda: pieces(rows()))
