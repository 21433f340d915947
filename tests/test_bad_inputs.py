"""One test for each row of the table of bad inputs that a design answers, with its message."""

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hiermix.design import group_checks
from hiermix.design.build import build
from hiermix.design.design import Design
from hiermix.design.plan import Given, Outcomes, ResponseRule
from hiermix.errors import ArgumentError, DataError, FormulaError, HiermixWarning
from hiermix.formula import formula

ROWS, GROUPS = 40, 8


def frame(**columns: Any) -> pd.DataFrame:
    """Return 40 rows in 8 groups with an intercept, a predictor and a factor."""
    rng = np.random.default_rng(20)
    base = {
        "y": rng.normal(size=ROWS),
        "x": rng.normal(size=ROWS),
        "g": [f"g{row % GROUPS}" for row in range(ROWS)],
        "treat": ["abc"[row % 3] for row in range(ROWS)],
    }
    return pd.DataFrame(base | columns)


def put(column: str, row: int | list[int], value: object, **columns: Any) -> pd.DataFrame:
    data = frame(**columns)
    if isinstance(value, str):
        data[column] = data[column].astype(object)
    data.loc[row, column] = value
    return data


def design(text: str, data: Any, **options: Any) -> Design:
    return build(formula.parse(text), data, **options)


def refuses(message: str, text: str, data: Any, **options: Any) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        design(text, data, **options)


def warns(message: str, text: str, data: Any, **options: Any) -> Design:
    with pytest.warns(HiermixWarning, match=re.escape(message)):
        return design(text, data, **options)


MODEL = "y ~ x + (1 | g)"


# Missing and infinite values ---------------------------------------------------------------------

WAY_OUT = "Rows are never dropped unasked: pass missing='drop' to fit the other 39."


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [(1, "y", np.nan), (2, "x", np.nan), (3, "g", None), (2, "treat", None)],
)
def test_row_1_to_3_missing_values(row: int, column: str, value: object) -> None:
    message = f"column {column!r} has 1 missing value (row 3). {WAY_OUT}"
    refuses(message, "y ~ x + treat + (1 | g)", put(column, 3, value))


def test_rows_dropped_unasked() -> None:
    data = put("x", [3, 5, 7, 11], np.nan)
    refuses("column 'x' has 4 missing values (rows 3, 5, 7, ...)", MODEL, data)
    assert design(MODEL, data, missing="drop").rows == 36


def test_missing_values_of_two_columns_are_both_named() -> None:
    data = put("y", 3, np.nan)
    data.loc[[4, 5], "x"] = np.nan
    refuses(
        "column 'y' has 1 missing value (row 3); column 'x' has 2 missing values (rows 4, 5). "
        "Rows are never dropped unasked: pass missing='drop' to fit the other 37.",
        MODEL,
        data,
    )


def test_a_missing_value_in_an_unused_column_does_not_matter() -> None:
    assert design(MODEL, put("treat", 3, None)).rows == ROWS


def test_index_labels_are_added_where_they_differ_from_positions() -> None:
    data = put("y", 3, np.nan).set_axis([f"r{row}" for row in range(ROWS)])
    refuses("column 'y' has 1 missing value (row 3; index 'r3')", MODEL, data)


def test_missing_has_three_values() -> None:
    with pytest.raises(ArgumentError, match="missing='predict'"):
        design(MODEL, frame(), missing="impute")


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_row_4_infinite_response(value: float) -> None:
    refuses("column 'y' has 1 infinite value (row 3)", MODEL, put("y", 3, value))


def test_row_5_infinite_predictor() -> None:
    refuses("column 'x' has 2 infinite values (rows 3, 9)", MODEL, put("x", [3, 9], np.inf))
    refuses("column 'z' has 1 infinite value (row 3)", "y ~ x + (z | g)", put(
        "z", 3, np.inf, z=np.arange(ROWS) / 3))  # fmt: skip


def test_row_5_a_transform_that_gives_no_number() -> None:
    data = frame(z=np.r_[-1.0, 0.0, np.arange(1.0, 39.0)])
    refuses("term 'np.log(z)' is not a finite number in 2 rows (rows 0, 1)", "y ~ np.log(z)", data)
    refuses("term 'np.log(z)' is not a finite number", "y ~ x + (np.log(z) | g)", data)
    refuses(
        "term 'log(z)' is not a finite number in 2 rows (rows 0, 1)", "log(z) ~ x + (1 | g)", data
    )


@pytest.mark.parametrize(
    "text", ["y ~ x * z", "y ~ x + (x:z | g)", "y ~ (x + z)**2", "y ~ x + (x * z || g)"]
)
def test_a_product_that_overflows_is_refused_at_fit_and_in_new_data(text: str) -> None:
    z = np.linspace(1, 2, ROWS)
    fitted, huge = design(text, frame(z=z)), put("x", 3, 1e200, z=z)
    huge.loc[3, "z"] = 1e200
    message = "term 'x:z' is not a finite number in 1 row (row 3)"
    refuses(message, text, huge)
    with pytest.raises(DataError, match=re.escape(message)):
        fitted.on(huge)


def test_row_6_a_group_whose_rows_are_all_missing() -> None:
    data = put("y", [0, 8, 16, 24, 32], np.nan)
    refuses("column 'y' has 5 missing values (rows 0, 8, 16, ...)", MODEL, data)
    fitted = warns("group 'g0' has no rows left", MODEL, data, missing="drop")
    assert list(fitted.grouping("g").levels) == [f"g{group}" for group in range(1, GROUPS)]


def test_row_6_several_groups() -> None:
    data = put("y", [row for row in range(ROWS) if row % GROUPS < 2], np.nan)
    warns("2 groups have no rows left in 'g'", MODEL, data, missing="drop")


@pytest.mark.parametrize("missing", ["error", "drop"])
def test_row_7_every_row_incomplete(missing: str) -> None:
    data = put("y", 3, np.nan).assign(x=np.nan)
    refuses("column 'x' has 40 missing values", MODEL, data, missing=missing)
    refuses("every row has a missing value", MODEL, data, missing=missing)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean", "string"])
def test_row_45_nullable_types(dtype: str) -> None:
    values = {"string": ["a", "b"], "boolean": [True, False]}.get(dtype, [1, 2])
    data = frame(z=pd.array(values * 20, dtype=dtype))
    data.loc[3, "z"] = pd.NA
    refuses(f"column 'z' has 1 missing value (row 3). {WAY_OUT}", "y ~ z + (1 | g)", data)
    fitted = design("y ~ z + (1 | g)", data, missing="drop")
    assert np.isfinite(fitted.X()).all()
    assert fitted.X().shape == (39, 2)


# The frame ---------------------------------------------------------------------------------------


def test_row_8_no_rows() -> None:
    refuses("data has no rows", MODEL, frame().iloc[:0])


def test_row_9_one_row() -> None:
    refuses("data has 1 row; 2 or more are needed", MODEL, frame().iloc[:1])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "data is None: pass a pandas DataFrame"),
        ({"y": [1.0, 2.0]}, "data is a dict: pass a pandas DataFrame"),
        (np.zeros((3, 2)), "data is a ndarray: pass a pandas DataFrame"),
        (
            pd.DataFrame(np.zeros((3, 2)), columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])),
            "columns are a MultiIndex",
        ),
    ],
    ids=["None", "dict", "array", "MultiIndex"],
)
def test_row_43_no_frame(data: object, message: str) -> None:
    refuses(message, MODEL, data)


def test_row_24_unknown_column() -> None:
    refuses(
        "formula names 'xx', not a column. Did you mean 'x'? Columns: y, x, g, treat",
        "y ~ xx + (1 | g)",
        frame(),
    )


@pytest.mark.parametrize(
    "text",
    [
        *("yy ~ x", "y ~ (1 | gg)", "y ~ x + (xx | g)", "y ~ offset(xx)", "y ~ np.log(xx)"),
        *("y | trials(n) ~ x", "y | cens(c) ~ x"),
    ],
)
def test_row_24_wherever_the_name_stands(text: str) -> None:
    refuses("not a column", text, frame())


def test_row_27_duplicate_column_name() -> None:
    data = pd.concat([frame(), frame()[["x"]]], axis=1)
    refuses("column 'x' appears 2 times", MODEL, data)


def test_row_28_column_names_that_are_no_text() -> None:
    data = frame().assign(**{"0": 1.0}).rename(columns={"0": 0})
    assert design(MODEL, data).rows == ROWS
    refuses("formula names '0', but that column's name is int 0, not text", "y ~ `0`", data)


def test_row_38_column_names_with_a_space() -> None:
    data = frame().rename(columns={"x": "my x", "g": "the group", "y": "mother's y"})
    fitted = design("`mother's y` ~ `my x` + np.exp(`my x`) + (`my x` | `the group`)", data)
    assert fitted.terms == ("Intercept", "my x", "np.exp(my x)")
    assert fitted.response_name == "mother's y"
    assert np.array_equal(fitted.X()[:, 1], data["my x"])
    assert fitted.groupings[0].name == "the group"


def test_row_44_a_duplicate_index_aligns_nothing() -> None:
    text = "y ~ x + treat + I(x * 2 + (x > 0)) + (1 + x | g)"
    plain, doubled = design(text, frame()), design(text, frame().set_axis([0] * ROWS))
    assert np.array_equal(plain.X(), doubled.X())
    assert np.array_equal(plain.Z("g"), doubled.Z("g"))


# Predictors --------------------------------------------------------------------------------------


def test_row_14_constant_predictor() -> None:
    message = "column 'x' is constant (1.0) and the model has an intercept"
    refuses(message, MODEL, frame(x=1.0))
    refuses(message, MODEL, frame(x=1))
    assert design("y ~ 0 + x + (1 | g)", frame(x=1.0)).terms == ("x",)


@pytest.mark.parametrize("text", ["(1 + w | g)", "(w || g)", "(1 | g) + (0 + w | g)"])
def test_row_14_constant_beside_the_intercept_of_a_group(text: str) -> None:
    message = "column 'w' is constant (2.0) and the model has an intercept"
    refuses(message, f"y ~ x + {text}", frame(w=2))
    assert design("y ~ x + (0 + w | g)", frame(w=2)).groupings[0].effects == ("w",)


def test_row_14_one_level() -> None:
    refuses("column 'treat' has one level ('a')", "y ~ treat + (1 | g)", frame(treat="a"))


def test_row_15_linearly_dependent_predictors() -> None:
    x = frame()["x"]
    refuses(
        "x2 is a linear combination of x: drop one", "y ~ x + x2 + (1 | g)", frame(x2=2 * x + 1)
    )
    refuses(
        "x3 is a linear combination of x and x2: drop one",
        "y ~ x + x2 + x3",
        frame(x2=x**2, x3=3 * x - x**2),
    )


def test_row_15_more_predictors_than_rows() -> None:
    few = pd.DataFrame(np.random.default_rng(2).normal(size=(6, 8)), columns=list("abcdefyz"))
    refuses(
        "6 rows can't tell 7 population coefficients apart, whatever their priors",
        "y ~ a + b + c + d + e + f", few,
    )  # fmt: skip
    refuses("b is a linear combination of a", "y ~ a + b + c + d + e + f", few.assign(b=few["a"]))


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_row_15_whatever_the_units(scale: float) -> None:
    x = frame()["x"] * scale
    assert len(design("y ~ x + x2", frame(x=x, x2=x + 1e-3 * frame()["y"] * scale)).terms) == 3
    refuses("x2 is a linear combination of x", "y ~ x + x2", frame(x=x, x2=x / 7))


def test_row_15_of_many_columns_three_are_named() -> None:
    total = frame()["x"] + sum(np.eye(ROWS)[row] for row in range(6))
    spikes = {f"s{row}": np.eye(ROWS)[row] for row in range(6)}
    message = "total is a linear combination of x, s0, s1 and 4 others: drop one"
    refuses(message, f"y ~ x + {' + '.join(spikes)} + total", frame(total=total, **spikes))


def test_row_37_a_huge_scale_is_no_dependence() -> None:
    data = frame()
    fitted = design(MODEL, data.assign(x=data["x"] * 1e12, y=data["y"] + 1e9))
    assert np.array_equal(fitted.X()[:, 1], data["x"] * 1e12)
    assert fitted.response is not None
    assert np.array_equal(fitted.response, data["y"] + 1e9)


NUMBERS = [1.0, 2.5, 3.0, 4.0]


@pytest.mark.parametrize(
    "values",
    [
        np.array(NUMBERS * 10, dtype=object),
        pd.Series([str(number) for number in NUMBERS * 10]),
        np.array([str(number) for number in NUMBERS * 10], dtype=object),
    ],
    ids=["object", "str", "object of text"],
)
@pytest.mark.parametrize("term", ["x", "np.log(x)", "x:treat"])
def test_text_or_object_numbers_turned_into_dummies(values: Any, term: str) -> None:
    data = frame(x=values)
    refuses(
        f"column 'x' has dtype {data['x'].dtype} but holds numbers: "
        "use data['x'].astype(float), or C(x) for categories",
        f"y ~ {term} + (1 | g)",
        data,
    )
    fitted = design("y ~ C(x) + (1 | g)", data)
    assert len(fitted.terms) == 4


def test_row_29_numbers_and_text_together() -> None:
    refuses("column 'x' mixes text ('a') and other values (1)", MODEL, frame(x=[1, "a"] * 20))


def test_row_29_text_where_a_function_needs_numbers() -> None:
    refuses("column 'treat' holds text, and np.log() needs numbers", "y ~ np.log(treat)", frame())
    told = pd.Categorical(frame()["treat"])
    for text in (
        "y ~ s(treat)",
        "y ~ hsgp(treat)",
        'y ~ s(treat, g, bs="fs")',
        "y ~ poly(treat, 2)",
    ):
        refuses("column 'treat' holds categories, and ", text, frame(treat=told))
    assert design("y ~ I(treat == 'a')", frame(treat=told)).terms[1] == "I(treat == 'a')"


def test_row_30_unused_levels_are_dropped_and_counted() -> None:
    data = frame()
    data["treat"] = pd.Categorical(data["treat"], categories=["z", "c", "b", "a", "w"])
    data["g"] = pd.Categorical(data["g"], categories=[*sorted(set(data["g"])), "nobody"])
    fitted = design("y ~ treat + (1 | g)", data)
    assert fitted.terms == ("Intercept", "treat[T.b]", "treat[T.a]")
    assert len(fitted.grouping("g").levels) == GROUPS
    assert fitted.unused_levels == {"treat": 2, "g": 1}


def test_row_46_complex_numbers() -> None:
    data = frame(z=np.ones(ROWS) * 1j)
    refuses("column 'z' holds complex numbers", "y ~ z + (1 | g)", data)
    refuses("column 'z' holds complex numbers", "z ~ x + (1 | g)", data)


def test_dates_are_no_numbers() -> None:
    data = frame(when=pd.date_range("2024-01-01", periods=ROWS))
    refuses("column 'when' holds dates", "y ~ when + (1 | g)", data)


# The response ------------------------------------------------------------------------------------


def test_row_16_constant_response() -> None:
    refuses("response 'y' is constant (5.0)", MODEL, frame(y=5))
    assert design(MODEL, frame(y=5), continuous=False).rows == ROWS


def test_row_20_whole_counts_stored_as_float() -> None:
    fitted = design(MODEL, frame(y=np.arange(ROWS).astype(float)))
    assert fitted.response is not None
    assert fitted.response.tolist() == list(range(ROWS))


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_row_23_text_response(dtype: str) -> None:
    data = frame(y=pd.Series(["yes", "no"] * 20).astype(dtype))
    refuses("column 'y' holds " + ("categories" if dtype == "category" else "text"), MODEL, data)


def test_row_23_numbers_as_text() -> None:
    refuses("but holds numbers: use data['y'].astype(float)", MODEL, frame(y=["1.5", "2"] * 20))


def test_a_familys_rule_gets_the_values_the_name_and_the_trials() -> None:
    def success(given: Given) -> Outcomes:
        assert given.name == "y"
        assert given.trials.tolist() == [20.0] * ROWS
        return Outcomes((given.column == "yes").to_numpy(float), ("no", "yes"))

    rule = ResponseRule(success)
    fitted = design("y | trials(20) ~ x", frame(y=["yes", "no"] * 20), response_rule=rule)
    assert fitted.response is not None
    assert fitted.response[:3].tolist() == [1.0, 0.0, 1.0]
    assert fitted.categories == ()


def test_a_rule_is_told_the_labels_of_the_fit() -> None:
    told = []

    def rule(given: Given) -> Outcomes:
        told.append(given.labels)
        return Outcomes(np.arange(float(len(given.column))), ("a", "b"))

    data = frame(y=["a", "b"] * 20)
    fitted = design(MODEL, data, response_rule=ResponseRule(rule, "unordered"))
    assert (fitted.categories, fitted.unordered) == (("a", "b"), True)
    fitted.on(data[:1])
    fitted.outcomes(data["y"])
    assert told == [(), ("a", "b"), ("a", "b")]


def test_row_53_weights() -> None:
    refuses(
        "weights must be finite and not negative: column 'w' has -1, -1 (rows 2, 5)",
        MODEL, put("w", [2, 5], -1.0, w=1.0), weights="w",
    )  # fmt: skip
    refuses(
        "column 'w' has 1 missing value (row 2)", MODEL, put("w", 2, np.nan, w=1.0), weights="w"
    )
    refuses(
        "weights: column 'w' has dtype object but holds numbers: use data['w'].astype(float)",
        MODEL, frame(w=np.ones(ROWS).astype(object)), weights="w",
    )  # fmt: skip
    refuses("weights has 39 values, the data 40 rows", MODEL, frame(), weights=np.ones(39))
    refuses("weights must be finite and not negative: the array has nan (row 4)", MODEL, frame(),
            weights=np.where(np.arange(ROWS) == 4, np.nan, 1.0))  # fmt: skip
    refuses("weights must be the name of a column or one number per row", MODEL, frame(),
            weights=["a"] * ROWS)  # fmt: skip
    refuses(
        "weights names 'ww', not a column. Did you mean 'w'?", MODEL, frame(w=1.0), weights="ww"
    )


def test_row_53_offset() -> None:
    refuses(
        "column 'o' has 1 infinite value (row 2)", MODEL, put("o", 2, np.inf, o=1.0), offset="o"
    )
    refuses("an offset must be finite: offset(np.log(o)) has -inf (row 2)",
            "y ~ x + offset(np.log(o))", put("o", 2, 0.0, o=1.0))  # fmt: skip
    refuses("an offset must be finite: the array has nan (row 0)", MODEL, frame(),
            offset=np.r_[np.nan, np.ones(39)])  # fmt: skip


# Grouping factors --------------------------------------------------------------------------------


def test_row_10_one_group_only() -> None:
    refuses(
        "grouping column 'g' has one level ('only'): the spread between groups can't be learned. "
        "Drop (1 | g).",
        MODEL,
        frame(g="only"),
    )


def test_row_11_as_many_levels_as_rows() -> None:
    data = frame(g=[f"g{row}" for row in range(ROWS)])
    warns("can't be told from sigma", MODEL, data)
    design(MODEL, data, continuous=False)


def test_row_12_groups_with_one_row() -> None:
    data = frame(g=["a", *(f"g{row % 5}" for row in range(ROWS - 1))])
    assert len(design(MODEL, data).grouping("g").levels) == 6


@pytest.mark.parametrize(("levels", "remarked"), [(2, True), (4, True), (5, False)])
def test_row_13_few_levels(levels: int, remarked: bool) -> None:
    remark = group_checks.few_levels("g", levels)
    assert (f"'g' has {levels} levels" in remark) == remarked


@pytest.mark.parametrize(
    ("labels", "levels"),
    [
        ([3, 1, 2, 1], [1, 2, 3]),
        ([0.5, 1.0, 0.5, 1.0], [0.5, 1.0]),
        ([True, False, False, True], [False, True]),
        (["b", "", "a (x, [y])", "\u00fcñ"], ["", "a (x, [y])", "b", "\u00fcñ"]),
    ],
    ids=["int", "float", "bool", "text"],
)
def test_row_31_and_34_labels_are_kept(labels: list[object], levels: list[object]) -> None:
    found = design(MODEL, frame(g=labels * 10)).grouping("g").levels
    assert list(found) == levels
    assert [type(label) for label in found] == [type(label) for label in levels]


def test_row_32_grouping_by_a_continuous_column() -> None:
    data = frame(z=np.linspace(0.1, 0.9, ROWS))
    warns("column 'z' has 40 different values in 40 rows: is it a group?", "y ~ x + (1 | z)", data)


@pytest.mark.parametrize("boxed", [False, True])
def test_row_33_dates_become_iso_text(boxed: bool) -> None:
    days = pd.date_range("2024-01-30", periods=4).repeat(10)
    data = frame(g=days.date if boxed else days)
    fitted = design(MODEL, data)
    levels = ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"]
    assert list(fitted.grouping("g").levels) == levels
    text = fitted.on(data.assign(g=data["g"].astype(str).str[:10]))
    assert np.array_equal(text.grouping("g").codes, fitted.grouping("g").codes)


def test_row_33_times_keep_their_hour() -> None:
    data = frame(g=pd.date_range("2024-01-30", periods=4, freq="6h").repeat(10))
    assert design(MODEL, data).grouping("g").levels[1] == "2024-01-30T06:00:00"


def test_labels_1_and_text_1_merged() -> None:
    data = frame(g=pd.Series([1, "1", 2, 3] * 10, dtype=object))
    refuses("labels 1 (int) and '1' (text) of 'g' read the same", MODEL, data)


def test_row_35_true_and_1() -> None:
    data = frame(g=pd.Series([True, 1, 2, 3] * 10, dtype=object))
    refuses("labels True (bool) and 1 (int) of 'g' read the same", MODEL, data)


def test_row_35_pairs_that_read_the_same() -> None:
    data = frame(a=["a:b", "a"] * 20, b=["c", "b:c"] * 20)
    refuses("of 'a:b' read the same", "y ~ x + (1 | a:b)", data)


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ([("a", 1), ("b", 2)] * 20, "tuple"),
        (pd.cut(np.arange(ROWS), 4), "Interval"),
        (pd.arrays.IntervalArray.from_breaks(range(ROWS + 1)), "Interval"),
    ],
    ids=["tuple", "cut", "interval"],
)
def test_row_36_labels_of_other_kinds(labels: Any, kind: str) -> None:
    data = frame().assign(g=pd.Series(labels))
    refuses(f"labels of 'g' are {kind}s", MODEL, data)
    refuses("data['g'].astype(str)", MODEL, data)


@pytest.mark.parametrize("missing", ["error", "drop"])
def test_row_36_labels_that_can_not_be_looked_up(missing: str) -> None:
    data = frame(g=pd.Series([["a"], ["b"], None, ["a"]] * 10))
    refuses("column 'g' holds lists, such as ['a']", MODEL, data, missing=missing)


def test_row_42_grouping_column_also_as_a_population_factor() -> None:
    warns("it is in the model twice", "y ~ g + (1 | g)", frame())
    year = np.arange(ROWS) % 8
    design("y ~ year + (1 | year)", frame(year=year))  # a trend and deviations: no repetition
    warns("it is in the model twice", "y ~ C(year) + (1 | year)", frame(year=year))


@pytest.mark.parametrize("name", ["chain", "draw"])
def test_row_49_names_reserved_by_arviz(name: str) -> None:
    data = frame().rename(columns={"g": name})
    refuses("reserved by ArviZ", f"y ~ x + (1 | `{name}`)", data)


@pytest.mark.parametrize("name", ["chain", "draw", "row"])
def test_responses_with_the_name_of_a_dim_are_refused(name: str) -> None:
    data = frame().rename(columns={"y": name})
    refuses(f"response '{name}': results have a dim of that name", f"{name} ~ x", data)
    design(f"np.exp({name}) ~ x", data)


def test_row_49_names_that_collide() -> None:
    data = frame(g_effect=[f"h{row % 5}" for row in range(ROWS)])
    refuses("'g_effect' is reserved for the effects of 'g'", "y ~ (1 | g) + (1 | g_effect)", data)


def test_row_39_slopes_that_repeat() -> None:
    refuses("group terms repeat 'x' for 'g'", "y ~ (x | g) + (0 + x | g)", frame())


# Formulas ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("y ~ x + (1 | g", 8),
        ("y ~ x) + z", 5),
        ("y ~ x +", 7),
        ("y ~ x + * z", 8),
        ("y ~ x + + z", 8),
        ("y ~ x z", 6),
        ("y ~ x ** y", 9),
        ("y ~ 'x", 4),
        ("y ~ `x", 4),
        ("y ~ x ~ z", 6),
        ("y ~ (1 | g)) + x", 11),
        ("y ~ x | g", 6),
        ("y ~ x * (1 | g)", 8),
        ("y ~ poly(x, 2", 8),
        ("y ~", 3),
    ],
)
def test_row_25_a_caret_under_the_place(text: str, place: int) -> None:
    with pytest.raises(FormulaError) as caught:
        formula.parse(text)
    _, shown, pointer = str(caught.value).splitlines()
    assert (shown, pointer) == (f"    {text}", " " * (4 + place) + "^")


@pytest.mark.parametrize("text", ["y + x", "~ x", "", "x + (1 | g)"])
def test_row_26_no_response(text: str) -> None:
    with pytest.raises(FormulaError, match=re.escape("formula needs a response: y ~ ...")):
        formula.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "y ~ (1 | g) + (1 | g)",
        "y ~ (1 | g) + (x | g)",
        "y ~ (x || g) + (1 | g)",
        "y ~ (1 | a/b) + (1 | a)",
        "y ~ (1 | a:b) + (1 | b:a)",
    ],
)
def test_row_39_intercepts_that_repeat(text: str) -> None:
    with pytest.raises(FormulaError, match=r"group terms repeat the intercept for '[agb:]+'"):
        formula.parse(text)


@pytest.mark.parametrize("text", ["y ~ (x | p | g | h)", "y ~ (| g)", "y ~ (x | g |)", "y ~ (x |)"])
def test_row_40_bars_that_say_nothing(text: str) -> None:
    with pytest.raises(FormulaError, match=re.escape("write (1 | g) for intercepts")):
        formula.parse(text)


@pytest.mark.parametrize(
    "text", ["y ~ y", "y ~ np.log(y)", "y ~ x + (y | g)", "y ~ (1 | y)", "np.log(y) ~ x + y"]
)
def test_row_41_response_on_both_sides(text: str) -> None:
    with pytest.raises(FormulaError, match="response 'y' is on both sides"):
        formula.parse(text)


@pytest.mark.parametrize(
    "call",
    [
        "__import__('os').system('touch owned')",
        "I(__import__('os').system('touch owned'))",
        "{__import__('os').system('touch owned')}",
        "poly(x, __import__('os').system('touch owned'))",
        "C(x, levels=[__import__('os').system('touch owned')])",
        "x.values",
        "x.__class__",
        "I(x.values)",
        "np.log(x).__class__",
        "np.random.rand(3)",
        "np.load('file')",
        "np.fromfile('file')",
        "lambda x: x",
        "I(lambda: x)",
        "I((lambda: x)())",
        "[x for x in z]",
        "I([x for x in z])",
        "I({1: x})",
        "I(x[0])",
        "I(x if x else z)",
        "I(x and z)",
        "I(x := 3)",
        "I(f'{x}')",
        "I(b'x')",
        "I(*x)",
        "C(**x)",
        "C(x, _state=1)",
        "eval('x')",
        "exec('x')",
        "open('x')",
        "getattr(x, 'values')",
        "print(x)",
        "lag(x)",
        "hashed(x)",
        "I(9**9**9**9)",
        "I(x**9**9**9)",
        "I('x' * 999999999)",
        "I([1] * 999999999)",
        "I(1 << 999999999)",
        "I(x @ z)",
        "`x` + I(`a`.b)",
        "__builtins__",
        "I(__builtins__)",
        "I(None .__class__)",
        "x; z",
        "x = 3",
        "%x%",
        "$x",
        "I(__q61)",
    ],
)
@pytest.mark.parametrize("where", ["y ~ {}", "y ~ x + ({} | g)", "{} ~ x", "y ~ offset({})"])
def test_row_51_a_formula_runs_no_python(
    call: str, where: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = where.replace("{}", call)
    with pytest.raises(FormulaError) as caught:
        build(formula.parse(text), frame(z=1.0))
    assert not list(tmp_path.iterdir())
    if where == "y ~ {}":
        assert "not allowed in a formula" in str(caught.value)


def test_row_51_backticks_hide_nothing() -> None:
    refuses("not a column", "y ~ `__import__('os')` + I(`open`)", frame())
    refuses("not a column", "y ~ I(`__import__`)", frame())


def test_row_51_a_builtin_is_no_column() -> None:
    refuses("formula names 'open', not a column", "y ~ I(open)", frame())


# New data ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted() -> Design:
    return design("y ~ x + treat + (1 + x | g)", frame())


def on(fitted: Design, data: pd.DataFrame, **options: Any) -> Design:
    return fitted.on(data, **options)


def test_row_n1_unseen_group(fitted: Design) -> None:
    new = frame().iloc[:4].assign(g=["A", "g1", "B", "A"])
    message = (
        "2 labels of 'g' were not in the fit: 'A', 'B'. new_groups='population' sets their effect "
        "to zero, 'sample' draws it from the fitted spread."
    )
    with pytest.raises(DataError, match=re.escape(message)):
        fitted.on(new, new_groups="error")
    grouping = fitted.on(new, new_groups="sample").grouping("g")
    assert grouping.codes.tolist() == [8, 1, 9, 8]
    assert grouping.new_levels.tolist() == ["A", "B"]


@pytest.mark.parametrize("written", [str, float, "Int64", "category"])
def test_row_n11_labels_of_another_type(written: Any) -> None:
    fitted = design(MODEL, frame(g=np.arange(ROWS) % 8))
    new = frame(g=pd.Series(np.arange(ROWS) % 8).astype(written))
    on_new = fitted.on(new, new_groups="error").grouping("g")
    assert np.array_equal(on_new.codes, fitted.grouping("g").codes)


def test_an_unseen_factor_level_read_as_the_reference(fitted: Design) -> None:
    message = (
        "column 'treat' has 1 level that the fit never saw: 'd' (row 2). Allowed: 'a', 'b', 'c'"
    )
    with pytest.raises(DataError, match=re.escape(message)):
        fitted.on(put("treat", 2, "d"))


@pytest.mark.parametrize("term", ["C(k)", "k:x + C(k)", "C(k, contr.sum)", "C(k + 1)"])
def test_row_n2_for_numbers_as_categories(term: str) -> None:
    fitted = design(f"y ~ {term}", frame(k=np.arange(ROWS) % 4))
    with pytest.raises(DataError, match=r"fit never saw.*9"):
        fitted.on(frame(k=np.arange(ROWS) % 4).replace({"k": {3: 9 - ("+ 1" in term)}}))


def test_row_n2_for_group_effects() -> None:
    fitted = design("y ~ x + (treat | g)", frame())
    with pytest.raises(DataError, match="column 'treat' has 1 level that the fit never saw: 'd'"):
        fitted.on(put("treat", 2, "d"))


@pytest.mark.parametrize("policy", ["error", "update"])
def test_row_n3_missing_label(fitted: Design, policy: str) -> None:
    with pytest.raises(DataError, match=re.escape("column 'g' has 1 missing label (row 3)")):
        fitted.on(put("g", 3, None), new_groups=policy)


@pytest.mark.parametrize("policy", ["population", "sample"])
def test_row_n3_by_policy(fitted: Design, policy: str) -> None:
    assert fitted.on(put("g", 3, None), new_groups=policy).grouping("g").codes[3] == -1


def test_row_n4_missing_column(fitted: Design) -> None:
    with pytest.raises(DataError, match=r"formula names 'x', not a column\..*Columns: y, g, treat"):
        fitted.on(frame().drop(columns="x"))
    with pytest.raises(DataError, match="formula names 'g', not a column"):
        fitted.on(frame().drop(columns="g"))


def test_row_n4_columns_of_groups_not_wanted_may_miss(fitted: Design) -> None:
    assert fitted.on(frame().drop(columns="g"), groups=()).grouping("g").codes.max() == -1


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "column 'x' has 1 missing value (row 3)"), (np.inf, "1 infinite value (row 3)")],
)
def test_row_n5_predictors_that_are_no_numbers(fitted: Design, value: float, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        fitted.on(put("x", 3, value))


def test_row_n5_a_missing_level(fitted: Design) -> None:
    with pytest.raises(DataError, match=re.escape("column 'treat' has 1 missing value (row 3)")):
        fitted.on(put("treat", 3, None))


@pytest.mark.parametrize(
    "change",
    [lambda x: x.astype(str), lambda x: x.astype(object), lambda x: x.astype("category")],
    ids=["text", "object", "category"],
)
def test_row_n6_a_number_arrives_as_text(fitted: Design, change: Callable[[Any], Any]) -> None:
    data = frame()
    with pytest.raises(DataError, match="column 'x' was numeric in the fit"):
        fitted.on(data.assign(x=change(data["x"])))


def test_row_n7_no_rows(fitted: Design) -> None:
    empty = fitted.on(frame().iloc[:0])
    assert empty.X().shape == (0, 4)
    assert empty.Z("g").shape == (0, 2)
    assert empty.grouping("g").codes.shape == (0,)


def test_labels_misaligned_at_prediction(fitted: Design) -> None:
    data = frame()
    data["g"] = pd.Categorical(data["g"], categories=sorted(set(data["g"]))[::-1])
    data["treat"] = pd.Categorical(data["treat"], categories=["d", "c", "b", "a"])
    new = data.assign(more=1)[["more", "treat", "g", "x"]].sample(frac=1, random_state=3)
    shuffled = fitted.on(new, new_groups="error")
    assert np.array_equal(shuffled.X(), fitted.X()[new.index])
    assert np.array_equal(shuffled.Z("g"), fitted.Z("g")[new.index])
    assert np.array_equal(shuffled.grouping("g").codes, fitted.grouping("g").codes[new.index])
    assert shuffled.response is None


def test_row_n8_one_row(fitted: Design) -> None:
    one = fitted.on(frame().iloc[[17]], new_groups="error")
    assert np.array_equal(one.X(), fitted.X()[[17]])
    assert one.grouping("g").codes.tolist() == [1]


def test_good_input_is_silent() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        design("y ~ x * treat + poly(x, 3) + (1 + x | g)".replace("x * treat", "treat"), frame())


NUMBERS = {
    "unseen groups": (lambda f: f.predict(f.design.frame.head(2).assign(g=[98, 99])), "98, 99"),
    "unseen level": (
        lambda f: f.predict(f.design.frame.head(1).assign(k=np.array([67]))), "67",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers_in_messages_are_plain(case: str) -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"y": rng.normal(size=40), "g": np.arange(40) % 8, "k": np.arange(40) % 3})
    from hiermix import Model

    fit = Model("y ~ C(k) + (1 | g)", data).fit(
        draws=10, warmup=50, chains=1, seed=1, progress=False
    )
    provoke, shown = NUMBERS[case]
    with pytest.raises(DataError) as caught:
        provoke(fit)
    assert shown in str(caught.value)
    assert "np." not in str(caught.value)
