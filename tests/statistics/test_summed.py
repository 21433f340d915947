"""Statistics of any rows from any source: those of the pandas frame, whatever the batches."""

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

import hiermix as hm
from hiermix.design import batches, sources
from hiermix.statistics import moved
from tests.combinations import thinned
from tests.row_sources import GAPS, ONCE, SOURCES, FakeSpark, arrow, parquet, pieces, with_gaps
from tests.same_sums import assert_same

pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

N = 300
FORMULAS = {
    "plain": "y ~ x + z + (1 + x | g)",
    "no intercept": "y ~ 0 + x + word + (1 | g)",
    "transforms": "y ~ poly(x, 2) + bs(z, df=4) + scale(x):z + (1 | g)",
    "categories": "y ~ C(k, contr.sum) * x + word:flag + (0 + x | g)",
    "function of the response": "np.log(v) ~ center(x) + np.abs(z) + (z || g)",
    "dates": "y ~ trend(day, 2) + fourier(day, 'week') + offset(x) + (1 | word:k)",
    "late level": "y ~ last + x + (1 | g)",
    "alone": "y ~ x",
}


def rows(n: int = N) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    place = np.arange(n)
    frame = pd.DataFrame(
        {
            "x": rng.normal(50, 2, n),
            "z": rng.exponential(size=n),
            "g": rng.choice(["north", "south", "east", "west"], n),
            "k": rng.integers(1, 4, n),
            "w": rng.uniform(0.5, 2, n),
            "flag": rng.integers(0, 2, n).astype(bool),
            "word": rng.choice(["no", "yes", "perhaps"], n),
            "day": pd.Timestamp("2024-03-28") + pd.to_timedelta(place % 100, unit="D"),
            "last": np.where(place < n - 4, "early", "late"),
            "unused": [f"note {each}" for each in place],
        }
    )
    frame["y"] = 1e3 + frame["x"] + frame["g"].map(len) + rng.normal(size=n) + 0.01 * place
    frame["v"] = np.exp(frame["y"] / 1e3)
    return frame


@cache
def of_the_frame(formula: str) -> hm.Statistics:
    return hm.statistics(FORMULAS[formula], with_gaps(rows()), **GAPS)


@pytest.mark.parametrize(("formula", "name"), thinned(3, FORMULAS, SOURCES))
def test_every_source_gives_the_statistics_of_the_frame(
    formula: str, name: str, tmp_path: Path
) -> None:
    expected = of_the_frame(formula)
    assert expected.dropped == (0 if formula == "late levels" else 6)
    found = hm.statistics(FORMULAS[formula], SOURCES[name](with_gaps(rows()), tmp_path), **GAPS)
    assert_same(found, expected)


@pytest.mark.parametrize("name", ONCE)
def test_what_can_be_read_once_is_read_once(name: str) -> None:
    assert_same(
        hm.statistics(FORMULAS["plain"], ONCE[name](rows())),
        hm.statistics(FORMULAS["plain"], rows()),
    )
    with pytest.raises(hm.DataError, match="can be passed over once"):
        hm.statistics(FORMULAS["categories"], ONCE[name](rows()))
    known = hm.statistics(FORMULAS["categories"], rows())
    assert_same(hm.statistics(FORMULAS["categories"], ONCE[name](rows()), like=known), known)


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_statistics_of_a_frame_are_those_of_its_rows(formula: str) -> None:
    """Against matrices worked out by a model of the frame, summed by numpy."""
    data = rows()
    found = hm.statistics(FORMULAS[formula], data, weights="w")
    design = hm.Model(FORMULAS[formula], data, weights="w").design
    X, w = design.X(), data["w"].to_numpy()
    assert design.response is not None
    y = design.response - (0 if design.offset is None else design.offset)
    model = hm.Model.from_statistics(found)
    gram = model._sums.gram(model.design)
    x = X - gram.x_mean
    e = y - x @ gram.b_hat
    scale = np.sqrt(np.einsum("np,np,n->p", x, x, w))
    np.testing.assert_allclose(x.T @ (w * e) / scale, 0, atol=1e-9 * np.sqrt(w @ e**2))
    np.testing.assert_allclose(gram.XtX / scale / scale[:, None],
                               (x.T * w) @ x / scale / scale[:, None], atol=1e-10)  # fmt: skip
    assert gram.rss == pytest.approx(w @ e**2, rel=1e-10)
    for each in design.groupings:
        Z = design.Z(each.name)
        for level, label in enumerate(each.levels):
            mine = each.rows_of(label)
            z, wz = Z[mine], Z[mine] * w[mine, None]
            assert model.design.groupings[0].levels[level] == label
            np.testing.assert_allclose(gram.ZtZ[level], wz.T @ z, rtol=1e-10)
            np.testing.assert_allclose(gram.ZtR[level][:, 1:] / scale, -wz.T @ x[mine] / scale,
                                       atol=1e-9 * np.abs(z).max() * np.sqrt(N))  # fmt: skip


def test_the_first_rows_may_lie_far_from_the_others() -> None:
    """The pilot of the first days is no pilot of a thousand: it takes another pass."""
    n = 50_000
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"t": np.linspace(0, 1, n) ** 20, "g": rng.integers(0, 9, n)})
    data["y"] = 1e6 * data["t"] + rng.normal(size=n)
    found = hm.statistics("y ~ t + (1 | g)", lambda: (data[k : k + 500] for k in range(0, n, 500)))
    X = np.column_stack([np.ones(n), data["t"]])
    exact = np.linalg.lstsq(X, data["y"], rcond=None)[1][0]
    best = moved.least_squares(found.sums, found.centre)
    assert moved.around(found.sums, found.centre, best).ete == pytest.approx(exact, rel=1e-11)


# Addition ----------------------------------------------------------------------------------------


@settings(max_examples=max(15, settings().max_examples // 4))
@given(
    cuts=st.lists(st.integers(0, N), max_size=4),
    formula=st.sampled_from(sorted(FORMULAS)),
    seed=st.integers(0, 99),
)
def test_any_split_adds_up(cuts: list[int], formula: str, seed: int) -> None:
    data = rows().sample(frac=1, random_state=seed)
    whole = hm.statistics(FORMULAS[formula], data, weights="w")
    ends = [0, *sorted(cuts), N]
    parts = [
        hm.statistics(FORMULAS[formula], data.iloc[low:high], weights="w", like=whole)
        for low, high in pairwise(ends)
        if high - low > 1
    ]
    lost = sum(high - low for low, high in pairwise(ends) if high - low == 1)
    if not lost:
        assert_same(sum(parts[1:], parts[0]), whole)
        assert_same(sum(parts), whole)
        assert_same(sum(parts[::-1]), whole)


def test_statistics_are_a_vector_space() -> None:
    data, text = rows(), FORMULAS["plain"]
    parts = (data[:90], data[90:150], data[150:])
    a, b, c = (hm.statistics(text, each) for each in parts)  # each around a pilot of its own
    assert_same(a + b, b + a, 1e-11)
    assert_same((a + b) + c, a + (b + c), 1e-11)
    assert_same(a + b - b, a, 1e-10)
    assert_same(a + b + c, hm.statistics(text, data), 1e-11)
    assert len(a + b) == 150


def test_new_groups_are_taken_in_and_old_ones_leave() -> None:
    data = rows()
    north = data["g"] == "north"
    text = "y ~ x + (1 + x | g)"
    without, alone, all_of_them = (
        hm.statistics(text, data[some]) for some in (~north, north, north | ~north)
    )
    both = without + alone
    assert both.levels.tolist() == ["east", "north", "south", "west"]
    assert_same(both, all_of_them, 1e-11)
    left = both - alone
    assert left.levels.tolist() == without.levels.tolist()
    assert_same(left, without, 1e-10)


def test_what_subtraction_cannot_do_is_told() -> None:
    data, text = rows(), "y ~ x + (1 | g)"
    some, rest = (hm.statistics(text, part) for part in (data[:100], data[100:]))
    with pytest.raises(hm.DataError, match=r"rows of g 'east', 'north', .*subtract what was"):
        _ = some - rest
    with pytest.raises(hm.DataError, match="no rows are left"):
        _ = some - some
    huge = hm.statistics(text, data.assign(w=1e9), weights="w")
    few = hm.statistics(text, data[:100].assign(w=1e-3), weights="w")
    with pytest.raises(hm.DataError, match=r"too little to keep ten of its digits"):
        _ = (huge + few) - huge


def test_other_codings_are_no_sum_and_say_which() -> None:
    data = rows()
    whole = hm.statistics("y ~ word + scale(x)", data)
    fewer = data[data["word"] != "yes"]
    with pytest.raises(hm.DataError, match="'word' has the levels 'no', 'perhaps', 'yes' here and"):
        _ = whole + hm.statistics("y ~ word + scale(x)", fewer)
    part = hm.statistics("y ~ scale(x)", data[:200])
    with pytest.raises(hm.DataError, match=re.escape("what scale(x) knows of its rows differs")):
        _ = hm.statistics("y ~ scale(x)", data) + part
    with pytest.raises(hm.DataError, match="build both of one formula"):
        _ = whole + part
    with pytest.raises(hm.DataError, match="'word' has 1 level that the fit never saw: 'new'"):
        hm.statistics("y ~ word + scale(x)", data.assign(word="new"), like=whole)
    assert_same(whole + hm.statistics("y ~ word + scale(x)", fewer, like=whole) -
                hm.statistics("y ~ word + scale(x)", fewer, like=whole), whole, 1e-10)  # fmt: skip


def test_labels_that_read_the_same_in_two_batches_are_told() -> None:
    data = rows().assign(g=lambda frame: frame["k"])
    text = "y ~ x + (1 | g)"
    one, two = hm.statistics(text, data), hm.statistics(text, data.assign(g=data["k"].astype(str)))
    with pytest.raises(hm.DataError, match=r"labels 1 \(int\) and '1' \(text\) of 'g' read the"):
        _ = one + two
    assert (one + hm.statistics(text, data.assign(g=data["k"] + 0.0))).levels.tolist() == [1, 2, 3]


def test_missing_rows_are_counted_or_told_with_their_place() -> None:
    data = rows().assign(x=lambda frame: frame["x"].where(frame.index != 211))
    found = hm.statistics("y ~ x", lambda: pieces(data), missing="drop")
    assert (len(found), found.dropped) == (N - 1, 1)
    with pytest.raises(hm.DataError, match=r"'x' has 1 missing value \(row 211\)"):
        hm.statistics("y ~ x", lambda: pieces(data))
    with pytest.raises(hm.DataError, match="no complete rows"):
        hm.statistics("y ~ x", data.assign(x=np.nan), missing="drop")


def test_weights_may_be_zero_in_some_batches_and_not_in_all() -> None:
    data = rows().assign(w=np.where(np.arange(N) < 130, 0.0, 1.0))
    found = hm.statistics("y ~ x", lambda: pieces(data), weights="w")
    assert found.sums.n == N - 130
    with pytest.raises(hm.DataError, match="must not all be zero: column 'w' has no other value"):
        hm.statistics("y ~ x", lambda: pieces(data.assign(w=0.0)), weights="w")
    with pytest.raises(hm.DataError, match=r"not negative: column 'w' has -1, -1"):
        hm.statistics("y ~ x", lambda: pieces(data.assign(w=-1.0)), weights="w")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"x": 1e200}, "squares of x"), ({"y": 1e200}, "column 'y' goes up to 1e.200"),
     ({"x": np.inf}, "column 'x' has 1 infinite value")],
)  # fmt: skip
def test_numbers_that_have_no_squares_are_told(change: Any, message: str) -> None:
    data = rows()
    for name, value in change.items():
        data.loc[250, name] = value
    with pytest.raises(hm.DataError, match=message):
        hm.statistics("y ~ x + (1 | g)", lambda: pieces(data))


# Sources that are none ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere/*.parquet", r"there is no file nowhere/\*\.parquet"),
        ("nowhere.parquet", "there is no file nowhere.parquet"),
        (3, "data is a int"),
        (lambda: iter([]), "no complete rows"),
        (rows().drop(columns="x"), "formula names 'x', not a column"),
        (lambda: pieces(rows().drop(columns="x")), "formula names 'x', not a column"),
        (pl.LazyFrame({"y": [1.0]}), "formula names 'x', not a column"),
        (pd.concat([rows(), rows()[["x"]]], axis=1), "column 'x' appears 2 times"),
    ],
    ids=["glob", "file", "number", "nothing", "frame", "frames", "polars", "twice"],
)
def test_what_holds_no_rows_is_told(source: Any, message: str) -> None:
    with pytest.raises(hm.DataError, match=message):
        hm.statistics("y ~ x", source)


def test_files_that_are_broken_or_lack_a_column_are_named(tmp_path: Path) -> None:
    parquet(rows(), tmp_path)
    pq.write_table(arrow(rows().drop(columns="x")), tmp_path / "part9.parquet")
    with pytest.raises(hm.DataError, match=r"part9\.parquet has no column 'x'"):
        hm.statistics("y ~ x", tmp_path)
    whole = (tmp_path / "part0.parquet").read_bytes()
    (tmp_path / "part9.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(hm.DataError, match=r"part9\.parquet can't be read as Parquet"):
        hm.statistics("y ~ x", tmp_path)


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        (["y ~ mi(x)", "x | mi() ~ z"], {}, r"know nothing of missing values, mi\(x\)"),
        ("y | cens(flag) ~ x", {}, r"no trials\(\), cens\(\)"),
        ("y ~ x", {"weights": np.ones(N)}, "weights must be the name of a column"),
    ],
    ids=["missing", "censored", "weights"],
)
def test_what_has_no_sums_is_told(formula: Any, options: Any, message: str) -> None:
    with pytest.raises(hm.HiermixError, match=message):
        hm.statistics(formula, rows(), **options)


# Elsewhere ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("formula", ["plain", "transforms"])
def test_spark_calls_the_same_function_on_its_batches(formula: str) -> None:
    found = hm.statistics(FORMULAS[formula], FakeSpark(rows()), weights="w")
    assert_same(found, hm.statistics(FORMULAS[formula], rows(), weights="w"))


def test_batches_of_a_file_have_a_greatest_size(tmp_path: Path) -> None:
    table = arrow(pd.DataFrame({"x": np.arange(batches.BATCH * 2 + 5.0)}))
    pq.write_table(table, tmp_path / "long.parquet")
    found = sources.source(tmp_path / "long.parquet", ["x"])
    sizes = found.fold(lambda each: [len(batch) for batch in each], list.__add__)
    assert sum(sizes) == len(table)
    assert max(sizes) == batches.BATCH


def test_what_statistics_say_of_themselves() -> None:
    found = hm.statistics("y ~ x + (1 + x | g)", rows())
    assert len(found) == N
    assert repr(found).splitlines()[:4] == [
        "Statistics of y ~ x + (1 + x | g)",
        "rows     300",
        "terms    Intercept, x",
        "group    g: 4 levels; Intercept, x",
    ]
    assert "MB" in repr(found)
