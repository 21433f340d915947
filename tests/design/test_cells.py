"""Interactions whose categories don't occur in all combinations: left out, said, and refused."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.design.build import build
from hiermix.design.design import Design
from hiermix.formula.formula import parse

LEVELS = {"a": ["p", "q", "r"], "b": ["u", "v"], "k": [1, 2]}


def full(repeats: int = 6) -> pd.DataFrame:
    """Return every combination of a, b and k a few times."""
    cells = pd.MultiIndex.from_product(LEVELS.values(), names=LEVELS).to_frame(index=False)
    data = pd.concat([cells] * repeats, ignore_index=True)
    rng = np.random.default_rng(5)
    rows = len(data)
    return data.assign(
        y=rng.normal(size=rows), x=rng.normal(size=rows), g=rng.permutation(np.arange(rows) % 6)
    )


def lacking(data: pd.DataFrame, a: str = "q", b: str = "v") -> pd.DataFrame:
    return data[(data["a"] != a) | (data["b"] != b)]


def built(text: str, data: pd.DataFrame) -> Design:
    with pytest.warns(hm.HiermixWarning, match=r"combinations? of a:b has no rows") as said:
        design = build(parse(text), data)
    assert all(str(each.message).count("left out") == 1 for each in said)
    return design


FORMULAS = (
    "y ~ a * b",
    "y ~ a:b + x",
    "y ~ 0 + a:b",
    "y ~ C(a, contr.sum) * b",
    "y ~ a / b",
    "y ~ a * b * x",
)


@pytest.mark.filterwarnings("ignore:.*of a.b.k have no rows")
@pytest.mark.parametrize("text", [*FORMULAS, "y ~ a * b * C(k)"])
@pytest.mark.parametrize("empty", [("q", "v"), ("p", "u")])
def test_what_is_left_spans_what_all_columns_span(text: str, empty: tuple[str, str]) -> None:
    """The reference cell may be the empty one: then a column is a sum of others, and not zero."""
    data, rows = full(), lacking(full(), *empty)
    design = built(text, rows)
    X = design.X()
    every = build(parse(text), data).on(rows).X()
    assert np.linalg.matrix_rank(X) == X.shape[1] == len(design.terms)
    assert np.linalg.matrix_rank(np.hstack([X, every])) == X.shape[1]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_cell_without_rows_is_refused_in_new_data_by_name(text: str) -> None:
    data = full()
    design = built(text, lacking(data))
    rows = np.flatnonzero((data["a"] == "q") & (data["b"] == "v"))
    message = rf"a:b has 1 combination .* a='q', b='v' \(rows {rows[0]}, {rows[1]}, "
    with pytest.raises(hm.DataError, match=message):
        design.on(data)
    seen = lacking(data).iloc[::-1]
    np.testing.assert_array_equal(design.on(seen).X(), design.X()[::-1])


def test_nested_categories_are_combinations_too() -> None:
    data = full()
    data["b"] = data["a"] + data["b"]
    with pytest.warns(hm.HiermixWarning, match="12 combinations of a:b have no rows"):
        design = build(parse("y ~ a * b"), data)
    assert np.linalg.matrix_rank(design.X()) == len(design.terms) == data["b"].nunique()


def test_a_bar_loses_the_columns_that_no_row_has() -> None:
    data = full()
    design = built("y ~ x + (0 + a:b | g)", lacking(data))
    assert len(design.groupings[0].effects) == 5
    assert design.Z("g").any(axis=0).all()
    with pytest.raises(hm.DataError, match="a='q', b='v'"):
        design.on(data, new_groups="error")
    design.on(data, groups=(), new_groups="error")  # the bar isn't asked for


def test_other_combinations_are_refused_as_ever() -> None:
    data = lacking(full()).assign(z=lambda frame: 2 * frame["x"])
    with pytest.raises(hm.DataError, match="z is a linear combination of x"):
        build(parse("y ~ a * b + x + z"), data)
    nested = full().assign(b=lambda frame: frame["a"] + frame["b"])
    with pytest.raises(hm.DataError, match="is a linear combination"):
        build(parse("y ~ a + b"), nested)


def test_categories_may_be_worked_out() -> None:
    data = full().assign(x=lambda frame: np.where(frame["b"] == "v", 1.0, -1.0))
    with pytest.warns(hm.HiermixWarning, match="1 combination of a:x > 0 has no rows"):
        design = build(parse("y ~ a * C(x > 0)"), lacking(data))
    assert np.linalg.matrix_rank(design.X()) == len(design.terms) == 5
    with pytest.raises(hm.DataError, match=r"a='q', x > 0=1\.0"):
        design.on(data)


def test_categories_that_all_meet_are_kept_in_silence() -> None:
    assert len(build(parse("y ~ a * b"), full()).terms) == 6


def test_a_fit_predicts_the_means_of_its_cells(tmp_path: object) -> None:
    """With little prior weight; those of a loaded fit are the same."""
    data = lacking(full(40)).reset_index(drop=True)
    data["y"] += 3 * (data["a"] == "q") * (data["b"] == "u") + 2 * (data["a"] == "r")
    with pytest.warns(hm.HiermixWarning, match="has no rows"):
        model = hm.Model("y ~ a * b + (1 | g)", data)
    fit = model.fit(seed=3, chains=1, draws=400, progress=False)
    mean = fit.predict(data, group_effects="none").mean(("chain", "draw")).to_numpy()
    cells = data.assign(mean=mean).groupby(["a", "b"])[["y", "mean"]].mean()
    sd = 1 / np.sqrt(data.groupby(["a", "b"]).size().min())
    assert (cells["y"] - cells["mean"]).abs().max() < 3 * sd
    fit.save(f"{tmp_path}/fit.nc")
    loaded = hm.load(f"{tmp_path}/fit.nc")
    again = loaded.predict(data, group_effects="none").mean(("chain", "draw"))
    np.testing.assert_allclose(again, mean)
    with pytest.raises(hm.DataError, match="a='q', b='v'"):
        loaded.predict(data.head(1).assign(a="q", b="v"))
