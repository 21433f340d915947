"""Designs: columns, levels and codes against numbers made by hand; new rows by the same door."""

import re
import tracemalloc
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hiermix.design import batches, specs
from hiermix.design.build import build
from hiermix.design.design import Design
from hiermix.errors import ArgumentError, DataError, FormulaError
from hiermix.formula.formula import parse
from hiermix.formula.names import CONTRASTS, TRANSFORMS
from hiermix.formula.terms import Group

ROWS = 60
RNG = np.random.default_rng(7)
DATA = pd.DataFrame(
    {
        "y": RNG.normal(size=ROWS),
        "x": RNG.normal(size=ROWS),
        "z": RNG.uniform(1, 2, size=ROWS),
        "t": RNG.permutation(["c", "a", "b"] * 20),
        "k": RNG.permutation([10, 2, 1, 5] * 15),
        "flag": RNG.permutation([True, False] * 30),
        "g": RNG.permutation([f"g{group}" for group in range(12)] * 5),
        "h": RNG.permutation([3, 1, 2] * 20),
        "my col": RNG.normal(size=ROWS),
        "log": RNG.normal(size=ROWS),
        "n": RNG.integers(5, 9, size=ROWS),
    }
)
X, Z, K = (DATA[name].to_numpy(float) for name in ("x", "z", "k"))
ONE = np.ones(ROWS)
IS = {level: (DATA["t"] == level).to_numpy(float) for level in "abc"}
IS_K = {level: (DATA["k"] == level).to_numpy(float) for level in (1, 2, 5, 10)}


def made(text: str, data: pd.DataFrame = DATA, **options: Any) -> Design:
    return build(parse(text), data, **options)


COLUMNS: list[tuple[str, Mapping[str, Any]]] = [
    ("1", {"Intercept": ONE}),
    ("0", {}),
    ("x", {"Intercept": ONE, "x": X}),
    ("0 + x", {"x": X}),
    ("x * z", {"Intercept": ONE, "x": X, "z": Z, "x:z": X * Z}),
    ("x:z + z", {"Intercept": ONE, "z": Z, "x:z": X * Z}),
    ("t", {"Intercept": ONE, "t[T.b]": IS["b"], "t[T.c]": IS["c"]}),
    ("0 + t", {"t[a]": IS["a"], "t[b]": IS["b"], "t[c]": IS["c"]}),
    ("t:x", {"Intercept": ONE, **{f"t[{level}]:x": IS[level] * X for level in "abc"}}),
    (
        "x + t:x",
        {"Intercept": ONE, "x": X, "t[T.b]:x": IS["b"] * X, "t[T.c]:x": IS["c"] * X},
    ),
    (
        "C(t, contr.treatment('b'))",
        {
            "Intercept": ONE,
            "C(t, contr.treatment('b'))[T.a]": IS["a"],
            "C(t, contr.treatment('b'))[T.c]": IS["c"],
        },
    ),
    (
        "C(t, Sum)",
        {
            "Intercept": ONE,
            "C(t, Sum)[S.a]": IS["a"] - IS["c"],
            "C(t, Sum)[S.b]": IS["b"] - IS["c"],
        },
    ),
    ("C(k)", {"Intercept": ONE, **{f"C(k)[T.{level}]": IS_K[level] for level in (2, 5, 10)}}),
    (
        "k:x + C(k)",
        {
            "Intercept": ONE,
            **{f"C(k)[T.{level}]": IS_K[level] for level in (2, 5, 10)},
            "k:x": K * X,
        },
    ),
    ("flag", {"Intercept": ONE, "flag": DATA["flag"].to_numpy(float)}),
    ("np.log(z) + exp(x)", {"Intercept": ONE, "np.log(z)": np.log(Z), "exp(x)": np.exp(X)}),
    ("I(x > 0)", {"Intercept": ONE, "I(x > 0)": (X > 0).astype(float)}),
    ("I(t == 'a')", {"Intercept": ONE, "I(t == 'a')": IS["a"]}),
    ("I(x**2 / z)", {"Intercept": ONE, "I(x ** 2 / z)": X**2 / Z}),
    ("np.where(x > 0, x, 0)", {"Intercept": ONE, "np.where(x > 0, x, 0)": np.maximum(X, 0)}),
    ("center(x)", {"Intercept": ONE, "center(x)": X - X.mean()}),
    ("scale(x)", {"Intercept": ONE, "scale(x)": (X - X.mean()) / X.std(ddof=1)}),
    ("`my col`", {"Intercept": ONE, "my col": DATA["my col"].to_numpy()}),
    ("np.exp(`my col`)", {"Intercept": ONE, "np.exp(my col)": np.exp(DATA["my col"].to_numpy())}),
    ("log + log(z)", {"Intercept": ONE, "log": DATA["log"].to_numpy(), "log(z)": np.log(Z)}),
]


@pytest.mark.parametrize(("text", "expected"), COLUMNS, ids=[text for text, _ in COLUMNS])
def test_population_columns(text: str, expected: Mapping[str, Any]) -> None:
    found = made(f"y ~ {text}")
    assert found.terms == tuple(expected)
    assert found.X().dtype == np.float64
    assert found.X().shape == (ROWS, len(expected))
    for column, values in zip(found.X().T, expected.values(), strict=True):
        np.testing.assert_allclose(column, values, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("term", ["poly(x, 3)", "poly(x, 3, raw=True)"])
def test_polynomials_span_what_powers_span(term: str) -> None:
    powers = np.vander(X, 4)
    basis = made(f"y ~ {term}").X()
    fitted = basis @ np.linalg.lstsq(basis, DATA["y"], rcond=None)[0]
    expected = powers @ np.linalg.lstsq(powers, DATA["y"], rcond=None)[0]
    np.testing.assert_allclose(fitted, expected, rtol=1e-8)


@pytest.mark.parametrize("term", ["bs(x, df=5)", "cr(x, df=5)", "cc(x, df=4)"])
def test_splines_have_a_column_per_degree_of_freedom(term: str) -> None:
    found = made(f"y ~ 0 + {term}")
    assert len(found.terms) == int(re.findall("df=(.)", term)[0])
    assert np.linalg.matrix_rank(found.X()) == len(found.terms)


EFFECTS = [
    ("(1 | g)", {"g": (("Intercept",), (1,))}),
    ("(x | g)", {"g": (("Intercept", "x"), (2,))}),
    ("(x || g)", {"g": (("Intercept", "x"), (1, 1))}),
    ("(0 + x | g)", {"g": (("x",), (1,))}),
    ("(0 + t | g)", {"g": (("t[a]", "t[b]", "t[c]"), (3,))}),
    ("(0 + C(k) | g)", {"g": (tuple(f"C(k)[{level}]" for level in (1, 2, 5, 10)), (4,))}),
    ("(t | g)", {"g": (("Intercept", "t[T.b]", "t[T.c]"), (3,))}),
    ("(t || g)", {"g": (("Intercept", "t[T.b]", "t[T.c]"), (1, 1, 1))}),
    ("(poly(x, 2) | g)", {"g": (("Intercept", "poly(x, 2)[1]", "poly(x, 2)[2]"), (3,))}),
    ("(1 | g) + (0 + x | g)", {"g": (("Intercept", "x"), (1, 1))}),
    ("(1 + x | g) + (0 + z | g)", {"g": (("Intercept", "x", "z"), (2, 1))}),
    ("(0 + z | g) + (1 | h) + (x | g)", {"g": (("z", "Intercept", "x"), (1, 2)),
                                         "h": (("Intercept",), (1,))}),
    ("(1 | h/g)", {"h": (("Intercept",), (1,)), "h:g": (("Intercept",), (1,))}),
    ("(x || h/g)", {"h": (("Intercept", "x"), (1, 1)), "h:g": (("Intercept", "x"), (1, 1))}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), EFFECTS, ids=[text for text, _ in EFFECTS])
def test_varying_effects(text: str, expected: Mapping[str, Any]) -> None:
    found = made(f"y ~ x + {text}")
    assert {each.name: (each.effects, each.blocks) for each in found.groupings} == expected
    assert list(expected) == [each.name for each in found.groupings]
    columns = {"Intercept": ONE, "x": X, "z": Z}
    columns |= {f"t[{level}]": IS[level] for level in "abc"}
    columns |= {f"t[T.{level}]": IS[level] for level in "bc"}
    for each in found.groupings:
        for column, effect in zip(found.Z(each.name).T, each.effects, strict=True):
            if effect in columns:
                np.testing.assert_array_equal(column, columns[effect])


def test_levels_are_sorted_and_codes_point_at_them() -> None:
    found = made("y ~ x + (1 | g) + (1 | h)")
    g, h = found.groupings
    assert list(h.levels) == [1, 2, 3]
    assert list(g.levels) == sorted(set(DATA["g"]))
    assert (g.levels[g.codes] == DATA["g"]).all()
    assert (h.levels[h.codes] == DATA["h"]).all()
    assert g.codes.dtype == np.int32
    assert g.columns == ("g",)
    assert len(g.new_levels) == 0


def test_levels_of_an_interaction_are_the_pairs_that_occur() -> None:
    (pair,) = made("y ~ x + (1 | h:g)").groupings
    written = DATA["h"].astype(str) + ":" + DATA["g"]
    assert (pair.levels[pair.codes] == written).all()
    assert sorted(pair.levels) == sorted(set(written))
    assert pair.columns == ("h", "g")
    # In the order of h, then g: 2:g11 after 2:g10, whatever the text.
    order = sorted(set(zip(DATA["h"], DATA["g"], strict=True)))
    assert list(pair.levels) == [f"{h}:{g}" for h, g in order]


def test_categories_keep_their_order() -> None:
    data = DATA.assign(t=pd.Categorical(DATA["t"], ["c", "b", "a", "d"]))
    data["h"] = pd.Categorical(data["h"], [2, 3, 1])
    found = made("y ~ t + (1 | h)", data)
    assert found.terms == ("Intercept", "t[T.b]", "t[T.a]")
    assert list(found.groupings[0].levels) == [2, 3, 1]
    assert (found.groupings[0].levels[found.groupings[0].codes] == DATA["h"]).all()


@pytest.mark.parametrize(
    ("text", "rest", "specs"),
    [
        ("y ~ x + (x | g)", "y ~ x", [Group("g", "1 + x")]),
        ("y ~ x + (t || h/g)", "y ~ x", [Group("h/g", "t", correlated=False)]),
        ("y ~ (1 | g) + (0 + x | g)", "y ~ 1", [Group("g"), Group("g", "0 + x")]),
    ],
)
def test_group_specs_give_the_identical_design(text: str, rest: str, specs: list[Group]) -> None:
    written, specified = made(text), build(parse(rest, specs), DATA)
    assert written.formula == specified.formula
    assert np.array_equal(written.X(), specified.X())
    for one, other in zip(written.groupings, specified.groupings, strict=True):
        assert (one.name, one.effects, one.blocks) == (other.name, other.effects, other.blocks)
        assert np.array_equal(one.codes, other.codes)
        assert np.array_equal(one.levels, other.levels)
        assert np.array_equal(written.Z(one.name), specified.Z(other.name))


EVERYTHING = (
    "np.exp(y) ~ poly(x, 2) * t + bs(z, df=4) + C(k, contr.helmert) + scale(`my col`) "
    "+ offset(np.log(z)) + (poly(x, 2) || g) + (0 + t | h/g)"
)


@pytest.mark.parametrize("rows", [slice(0, 1), slice(7, 31), slice(50, 99), slice(None, None, 7)])
def test_some_rows_are_rows_of_the_whole(rows: slice) -> None:
    found = made(EVERYTHING)
    assert np.array_equal(found.X(rows), found.X()[rows])
    for each in found.groupings:
        assert np.array_equal(found.Z(each.name, rows), found.Z(each.name)[rows])


def test_slices_of_a_pass_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made(EVERYTHING)
    monkeypatch.setattr(batches, "SLICE", 7)
    cut = made(EVERYTHING)
    assert cut.terms == whole.terms
    assert np.array_equal(cut.X(), whole.X())
    with pytest.raises(DataError, match="w is a linear combination of x: drop one"):
        made("y ~ x + w", DATA.assign(w=3 - DATA["x"]))
    with pytest.raises(DataError, match=re.escape("not a finite number in 1 row (row 33)")):
        made("y ~ np.log(z)", DATA.assign(z=np.where(np.arange(ROWS) == 33, -1.0, Z)))


@pytest.mark.parametrize("text", [EVERYTHING, "y ~ x + (1 + x | g)", "y ~ t + (t | h:g)"])
def test_new_rows_go_through_the_same_door(text: str) -> None:
    fitted = made(text)
    new = DATA.sample(23, random_state=5)
    found = fitted.on(new, new_groups="error")
    np.testing.assert_array_equal(found.X(), fitted.X()[new.index])
    assert fitted.response is not None
    assert found.response is not None
    np.testing.assert_array_equal(found.response, fitted.response[new.index])
    for one, other in zip(found.groupings, fitted.groupings, strict=True):
        np.testing.assert_array_equal(one.codes, other.codes[new.index])
        np.testing.assert_array_equal(found.Z(one.name), fitted.Z(one.name)[new.index])
        assert one.levels is other.levels
    if fitted.offset is not None:
        assert found.offset is not None
        np.testing.assert_array_equal(found.offset, fitted.offset[new.index])


def test_taken_rows_are_rows_of_the_whole() -> None:
    fitted, rows = made(EVERYTHING, weights="z"), np.array([3, 59, 3, 0])
    found = fitted.take(rows)
    np.testing.assert_array_equal(found.X(), fitted.X()[rows])
    np.testing.assert_array_equal(found.Z("g"), fitted.Z("g")[rows])
    np.testing.assert_array_equal(found.grouping("h:g").codes, fitted.grouping("h:g").codes[rows])
    for name in ("response", "weights", "offset"):
        np.testing.assert_array_equal(getattr(found, name), getattr(fitted, name)[rows])
    assert found.rows == len(found.frame) == 4
    assert found.trials is None


def test_new_rows_are_centred_and_scaled_as_the_fit_was() -> None:
    fitted = made("y ~ scale(x) + center(z)")
    found = fitted.on(DATA.assign(x=100.0, z=1.5).iloc[:3]).X()
    np.testing.assert_allclose(found[:, 1], (100 - X.mean()) / X.std(ddof=1))
    np.testing.assert_allclose(found[:, 2], 1.5 - Z.mean())


def test_a_spline_beyond_the_fit_is_refused() -> None:
    fitted = made("y ~ bs(x, df=4)")
    with pytest.raises(DataError, match=re.escape("bs() knows values from")):
        fitted.on(DATA.assign(x=100.0))


def test_a_new_inner_level_in_an_old_outer_one() -> None:
    fitted = made("y ~ x + (1 | h/g)")
    new = DATA.iloc[:4].assign(h=[1, 1, 9, 2], g=["g0", "new", "g0", "new"])
    found = fitted.on(new, new_groups="sample")
    h, pair = found.groupings
    assert h.codes.tolist() == [0, 0, 3, 1]
    assert h.new_levels.tolist() == [9]
    assert pair.new_levels.tolist() == ["1:new", "2:new", "9:g0"]
    assert pair.codes[1:].tolist() == [len(pair.levels), len(pair.levels) + 2, len(pair.levels) + 1]


def test_a_pair_with_one_label_missing_is_missing() -> None:
    fitted = made("y ~ x + (1 | h:g)")
    new = DATA.iloc[:3].assign(g=[None, DATA["g"][1], DATA["g"][2]], h=[1, DATA["h"][1], None])
    assert (fitted.on(new).groupings[0].codes < 0).tolist() == [True, False, True]


def test_labels_keep_their_type_and_match_by_value() -> None:
    fitted = made("y ~ x + (1 | h)")
    for dtype in ("int8", "float64", "category", "Int64", "object"):
        found = fitted.on(DATA.assign(h=DATA["h"].astype(dtype)), new_groups="error")
        assert np.array_equal(found.groupings[0].codes, fitted.groupings[0].codes)


def test_response_of_new_rows() -> None:
    fitted = made("y ~ x + (1 | g)")
    assert fitted.on(DATA.drop(columns="y")).response is None
    partly = fitted.on(DATA.assign(y=DATA["y"].where(DATA["y"] > 0))).response
    assert partly is not None
    assert np.array_equal(np.isnan(partly), DATA["y"] <= 0)
    empty = fitted.on(DATA.assign(y=None)).response
    assert empty is not None
    assert np.isnan(empty).all()


def test_a_transformed_response() -> None:
    found = made("np.log(z) ~ x")
    assert found.response_name == "np.log(z)"
    assert found.response is not None
    np.testing.assert_allclose(found.response, np.log(Z))


def test_a_response_that_is_divided_has_no_slash_in_its_name() -> None:
    found = made("{y / 10} ~ x")
    assert found.response_name == "I(y ÷ 10)"
    np.testing.assert_allclose(found.response, DATA["y"] / 10)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("y ~ x + offset(z) + offset(np.log(z))", {}),
        ("y ~ x + offset(np.log(z))", {"offset": "z"}),
        ("y ~ x + offset(np.log(z))", {"offset": Z}),
    ],
)
def test_offsets_are_added(text: str, options: dict[str, Any]) -> None:
    found = made(text, **options).offset
    assert found is not None
    np.testing.assert_allclose(found, Z + np.log(Z))


def test_an_offset_that_is_no_column_is_asked_for_again() -> None:
    fitted = made("y ~ x", offset=Z)
    with pytest.raises(DataError, match="pass offset= for the new rows"):
        fitted.on(DATA.iloc[:3])
    found = fitted.on(DATA.iloc[:3], offset=[1.0, 2.0, 3.0]).offset
    assert found is not None
    assert found.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("text", "options"), [("y | trials(n) ~ x", {}), ("y ~ x", {"trials": "n"})]
)
def test_trials(text: str, options: dict[str, Any]) -> None:
    found = made(text, **options)
    assert found.trials is not None
    assert found.trials.tolist() == DATA["n"].tolist()
    assert str(found.formula) == "y | trials(n) ~ x"
    assert found.on(DATA.drop(columns="n")).trials is None


def test_trials_said_twice() -> None:
    with pytest.raises(ArgumentError, match="trials is '20', but the formula says 'n'"):
        made("y | trials(n) ~ x", trials=20)
    assert made("y | trials(n) ~ x", trials="n").trials is not None
    with pytest.raises(ArgumentError, match=re.escape("trials is 2.5: pass the name of a column")):
        made("y ~ x", trials=2.5)


@pytest.mark.parametrize("coded", [["none", "right", "left"], [0, 1, -1], [0.0, 1.0, -1.0]])
def test_censoring(coded: list[Any]) -> None:
    found = made("y | cens(c) ~ x", DATA.assign(c=coded * 20)).censored
    assert found is not None
    assert found[:3].tolist() == [0.0, 1.0, -1.0]


def test_censoring_unheard_of() -> None:
    with pytest.raises(DataError, match=re.escape("censoring column 'c' has 'maybe' (row 1)")):
        made("y ~ x", DATA.assign(c=["none", "maybe"] + ["none"] * 58), censored="c")


@pytest.mark.parametrize("weights", ["z", Z, list(Z)])
def test_weights(weights: Any) -> None:
    found = made("y ~ x", weights=weights).weights
    assert found is not None
    assert np.array_equal(found, Z)


def test_arrays_are_cut_with_the_rows() -> None:
    data = DATA.assign(x=DATA["x"].where(DATA["x"] > -1))
    kept = (DATA["x"] > -1).to_numpy()
    found = made("y ~ x", data, missing="drop", weights=Z, offset=Z)
    assert found.weights is not None
    assert found.offset is not None
    assert np.array_equal(found.weights, Z[kept])
    assert np.array_equal(found.offset, Z[kept])
    assert np.array_equal(found.frame.index, DATA.index[kept])
    for length in (59, 61):
        with pytest.raises(DataError, match=f"weights has {length} values, the data 60 rows"):
            made("y ~ x", data, missing="drop", weights=np.ones(length))


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "Int64", "float32"])
def test_whole_numbers_do_not_overflow(dtype: str) -> None:
    data = DATA.assign(k=(DATA["k"] * 12).astype(dtype))
    found = made("y ~ I(k**9) + k:n", data.assign(n=data["k"])).X()
    np.testing.assert_allclose(found[:, 1], (12 * K) ** 9, rtol=1e-12)
    np.testing.assert_allclose(found[:, 2], (12 * K) ** 2, rtol=1e-12)


def test_a_frame_is_never_changed_and_numbers_are_not_copied() -> None:
    before = DATA.copy(deep=True)
    found = made("y ~ x + poly(z, 2) + t + C(k) + (x | g)")
    found.X(), found.Z("g"), found.on(DATA)
    pd.testing.assert_frame_equal(DATA, before)
    assert np.shares_memory(found.frame["x"].to_numpy(), DATA["x"].to_numpy())
    assert list(found.frame.columns) == ["y", "x", "z", "t", "k", "g"]


def test_memory_is_of_the_size_of_the_frame() -> None:
    rows = 400_000
    rng = np.random.default_rng(3)
    data = pd.DataFrame(
        {
            "y": rng.normal(size=rows),
            "x": rng.normal(size=rows),
            "g": rng.integers(0, 1000, size=rows),
        }
    )
    made("y ~ x + (1 + x | g)", data.iloc[:5000])  # imports
    tracemalloc.start()
    found = made("y ~ x + (1 + x | g)", data)
    for start in range(0, rows, batches.SLICE):
        (
            found.X(slice(start, start + batches.SLICE)),
            found.Z("g", slice(start, start + batches.SLICE)),
        )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * data.memory_usage().sum()


def test_a_formula_sees_the_listed_functions_alone() -> None:
    context = specs._context()
    names = {name.partition(".")[0] for name in TRANSFORMS}
    assert set(context) == names
    assert set(vars(context["np"])) == {
        name.removeprefix("np.") for name in TRANSFORMS if name.startswith("np.")
    }
    assert set(vars(context["contr"])) == {
        name.removeprefix("contr.") for name in CONTRASTS if name.startswith("contr.")
    }


def test_a_transform_added_to_the_list_can_be_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TRANSFORMS, "hypot", "numpy:hypot")
    specs._context.cache_clear()
    np.testing.assert_allclose(made("y ~ hypot(x, z)").X()[:, 1], np.sqrt(X**2 + Z**2))
    specs._context.cache_clear()


def test_two_terms_of_one_name() -> None:
    with pytest.raises(DataError, match="two terms are called 'Intercept'"):
        made("y ~ Intercept", DATA.assign(Intercept=X))


def test_a_transform_with_wrong_arguments() -> None:
    with pytest.raises(FormulaError, match=r"poly\(\) has no place for 'degrees'\. Did you mean"):
        made("y ~ poly(x, degrees=2)")


def test_a_function_writes_into_no_column() -> None:
    """A second array is where numpy puts what it works out."""
    data = DATA.copy()
    with pytest.raises(FormulaError, match=r"log\(\) has no place for 2 values"):
        made("y ~ log(x, z)", data)
    pd.testing.assert_frame_equal(data, DATA)


@pytest.mark.parametrize(
    "call", ["I(x.values)", "__import__('os')", "I(__import__('os').getpid())"]
)
def test_a_spec_checks_every_call_once_more(call: str) -> None:
    """What formulaic would evaluate is read again just before it does, whoever wrote it."""
    with pytest.raises(FormulaError, match="not allowed in a formula"):
        specs.fit_spec(call, DATA[["x"]])


@pytest.mark.parametrize(
    "term", ["C(k // 1)", "C(I(k * 2), contr.sum)", "C(round(k)):x", "x * C(k + h, Sum)"]
)
def test_a_term_that_meets_a_new_level_is_an_error_whatever_is_done_with_warnings(
    term: str,
) -> None:
    fitted = made(f"y ~ {term}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError, match=r"C\(\.\.\.\) has 1 level that the fit never saw: \d"):
            fitted.on(DATA.assign(k=1000, h=3))


def test_levels_that_a_term_does_not_list_are_an_error() -> None:
    with pytest.raises(
        DataError, match=r"never saw: 10, 5\. Allowed: 2, 1$|5, 10\. Allowed: 2, 1$"
    ):
        made("y ~ C(k, levels=[2, 1])")
    np.testing.assert_array_equal(made("y ~ C(k, levels=[5, 1, 2, 10])").X()[:, 1], IS_K[1])
