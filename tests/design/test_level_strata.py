"""Strata of levels: what they need of the data, and what they make of columns and labels."""

import re

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.errors import FormulaError

FORMULA = "y ~ x + (1 + x | gr(g, by=f))"


def frame(**columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(6), 4)
    return pd.DataFrame(
        {"y": rng.normal(size=24), "x": rng.normal(5, 1, 24), "g": [f"g{i}" for i in g],
         "f": np.where(g < 3, "A", "B"), "z": g % 2, **columns}
    )  # fmt: skip


def test_every_stratum_has_effects_of_its_own() -> None:
    (grouping,) = hm.Model(FORMULA, frame()).design.groupings
    assert grouping.effects == ("Intercept:fA", "x:fA", "Intercept:fB", "x:fB")
    assert grouping.of_level == ("Intercept", "x")
    assert grouping.blocks == (2, 2)
    assert grouping.pairs == [(0, 1), (2, 3)]


def test_columns_are_those_of_the_stratum_and_zero_elsewhere() -> None:
    data = frame()
    design = hm.Model(FORMULA, data).design
    inside = (data["f"] == "A").to_numpy()[:, None]
    plain = np.column_stack([np.ones(24), data["x"]])
    np.testing.assert_array_equal(design.Z("g"), np.hstack([plain * inside, plain * ~inside]))
    some = np.array([20, 3, 3])
    np.testing.assert_array_equal(design.take(some).Z("g"), design.Z("g")[some])
    np.testing.assert_array_equal(design.on(data.iloc[some]).Z("g"), design.Z("g")[some])


def test_terms_and_equations_share_the_strata() -> None:
    text = "(1 | p | gr(g, by=f))"
    model = hm.Model(
        [f"y ~ {text} + (0 + x | gr(g, by=f))", f"sigma ~ {text}"], frame(x=0.1 * np.arange(24) - 1)
    )
    (grouping,) = model.design.groupings
    assert grouping.effects == (
        "Intercept:fA", "sigma_Intercept:fA", "x:fA",
        "Intercept:fB", "sigma_Intercept:fB", "x:fB",
    )  # fmt: skip
    assert grouping.blocks == (2, 1, 2, 1)
    assert grouping.of_location == ("Intercept", "x")


def test_default_priors_are_scaled_by_what_lies_in_a_stratum() -> None:
    data = frame()
    data.loc[data["f"] == "B", "x"] *= 10
    strata = hm.Model(FORMULA, data).priors
    for each in "AB":
        inside = data["f"] == each
        ratio = strata[f"sd[g, Intercept:f{each}]"].scale / strata[f"sd[g, x:f{each}]"].scale
        assert ratio == pytest.approx(np.std(data.loc[inside, "x"]))


def test_where_x_is_zero_does_not_matter() -> None:
    near, far = (hm.Model(FORMULA, frame(x=frame()["x"] + shift)) for shift in (0, 1000))
    for name in ("R", "QtR", "sd_par"):
        np.testing.assert_allclose(near.stan_data()[name], far.stan_data()[name], atol=1e-7)


@pytest.mark.parametrize("dtype", ["object", "category", "int", "float", "bool"])
def test_strata_of_any_kind(dtype: str) -> None:
    data = frame(f=frame()["z"].astype(dtype))
    grouping = hm.Model("y ~ (1 | gr(g, by=f))", data).design.grouping("g")
    names = ("False", "True") if dtype == "bool" else ("0", "1")
    assert grouping.effects == tuple(f"Intercept:f{each}" for each in names)


WRONG: list[tuple[str, dict[str, object], type[Exception], str]] = [
    (FORMULA, {"f": list("AB") * 12}, hm.DataError,
     "6 levels of 'g' have rows of more than one 'f': 'g0', 'g1', 'g2', ..."),
    (FORMULA, {"f": ["B"] + ["A"] * 11 + ["B"] * 12}, hm.DataError,
     "1 level of 'g' has rows of more than one 'f': 'g0'"),
    (FORMULA, {"f": "A"}, hm.DataError, "column 'f' has one value ('A')"),
    (FORMULA, {"f": [None] + ["A"] * 11 + ["B"] * 12}, hm.DataError,
     "column 'f' has 1 missing value (row 0)"),
    ("y ~ (1 | gr(g, by=ff))", {}, hm.DataError, "formula names 'ff', not a column"),
    ("y ~ (1 | gr(g, by=y))", {}, hm.FormulaError, "'y' is on both sides"),
    ("y ~ (1 | g) + (0 + x | gr(g, by=f))", {}, FormulaError,
     "group terms of one factor say the same in gr()"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "columns", "error", "message"), WRONG)
def test_what_is_no_stratum(
    formula: str, columns: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        hm.Model(formula, frame(**columns))


def test_a_stratum_of_one_level_is_remarked() -> None:
    with pytest.warns(hm.HiermixWarning, match="'g' has one level only where 'f' is 'A'"):
        hm.Model(FORMULA, frame(f=["A"] * 4 + ["B"] * 20))
