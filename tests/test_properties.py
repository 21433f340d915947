"""Properties: a formula's round trip, no frame that crashes a design, order that never matters."""

import warnings
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hiermix.design.build import build
from hiermix.design.design import Design
from hiermix.errors import FormulaError, HiermixError, HiermixWarning
from hiermix.formula.formula import Formula, parse

# Formulas ----------------------------------------------------------------------------------------

space = st.sampled_from(["", " ", "  ", "\n"])
column = st.sampled_from(["x", "z", "t", "`a b`", "größe", "`it's`", "log", "`1`"])
expression = st.deferred(
    lambda: (
        column
        | st.sampled_from(["2", "1.5", "1e-3"])
        | st.builds("{}{}{}".format, expression, st.sampled_from("+-*/"), expression)
        | st.builds("({} > {})".format, expression, expression)
        | st.builds("np.exp({})".format, expression)
    )
)
call = st.one_of(
    st.builds("I({})".format, expression),
    st.builds("{{{}}}".format, expression),
    st.builds("poly({}, {})".format, expression, st.integers(1, 4)),
    st.builds("C({}, contr.sum)".format, column),
    st.builds("bs({}, df={})".format, column, st.integers(3, 6)),
)
atom = st.deferred(lambda: column | call | st.builds("({})".format, total))
term = st.builds(
    lambda atoms, operators: "".join(
        part for pair in zip(atoms, [*operators, ""], strict=False) for part in pair
    ),
    st.lists(atom, min_size=1, max_size=3),
    st.lists(st.sampled_from(["*", ":", " * ", "/", " in "]), min_size=2, max_size=2),
).map(lambda text: text.removesuffix(" in ").rstrip("*:/ "))
total = st.builds(
    lambda terms, signs: "".join(f"{sign}{each}" for sign, each in zip(signs, terms, strict=False))[
        1:
    ],
    st.lists(term | st.sampled_from(["0", "1"]), min_size=1, max_size=3),
    st.lists(st.sampled_from(["+", " + ", "-"]).map(lambda sign: sign), min_size=3, max_size=3),
).map(lambda text: text.strip(" +-"))
factor = st.lists(st.sampled_from(["g", "h", "`the k`"]), min_size=1, max_size=3, unique=True)
bar = st.builds(
    lambda effects, sign, names, between: f"({effects} {sign} {between.join(names)})",
    total, st.sampled_from(["|", "||"]), factor, st.sampled_from([":", "/"]),
)  # fmt: skip


@st.composite
def formulas(draw: st.DrawFn) -> str:
    parts = [draw(total), *draw(st.lists(bar | st.just("offset(w)"), max_size=2))]
    left = draw(st.sampled_from(["y", "np.log(y)", "y | trials(n)", "`the y`|cens(c)", "{y / 10}"]))
    gap = draw(space)
    return f"{left}{gap}~{gap}" + f"{gap}+{gap}".join(parts)


def read(text: str) -> Formula | None:
    try:
        return parse(text)
    except FormulaError:
        return None


@given(formulas())
def test_a_formula_survives_the_round_trip(text: str) -> None:
    formula = read(text)
    assume(formula is not None)
    assert formula is not None
    assert parse(str(formula)) == formula
    assert str(parse(str(formula))) == str(formula)


@given(
    st.text(alphabet="yxgab01.+-*/:^|~(){}[],'\"`=<>!_&% \n\\λ", max_size=40).map("y ~ x{}".format)
)
def test_any_text_is_a_formula_or_a_formula_error(text: str) -> None:
    formula = read(text)
    if formula is not None:
        assert parse(str(formula)) == formula


# Frames ------------------------------------------------------------------------------------------

ROWS = 12
oddities = st.sampled_from(
    [None, np.nan, pd.NA, np.inf, -np.inf, 1e300, 1e-300, True, 0, 1, "1", "", "a", "b", 1j,
     ("a", 1), date(2024, 1, 1), pd.Timestamp("2024-01-01"), pd.Interval(0, 1), b"a", 2**70]
)  # fmt: skip
cells = st.one_of(
    st.lists(st.floats(width=64), min_size=ROWS, max_size=ROWS),
    st.lists(st.floats(-1e6, 1e6), min_size=ROWS, max_size=ROWS),
    st.lists(st.integers(-3, 3), min_size=ROWS, max_size=ROWS),
    st.lists(st.booleans(), min_size=ROWS, max_size=ROWS),
    st.lists(st.sampled_from("abc"), min_size=ROWS, max_size=ROWS),
    st.lists(oddities, min_size=ROWS, max_size=ROWS).map(
        lambda values: pd.Series(values, dtype=object)
    ),
    st.lists(st.dates(), min_size=ROWS, max_size=ROWS),
    st.lists(st.sampled_from("abc"), min_size=ROWS, max_size=ROWS).map(pd.Categorical),
    st.lists(st.integers(0, 3) | st.none(), min_size=ROWS, max_size=ROWS).map(
        lambda values: pd.array(values, dtype="Int64")
    ),
    st.lists(st.sampled_from(["a", "b", None]), min_size=ROWS, max_size=ROWS).map(
        lambda values: pd.array(values, dtype="string")
    ),
    st.lists(st.timedeltas(), min_size=ROWS, max_size=ROWS),
)


def good_frame(rows: int = 36) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    return pd.DataFrame(
        {
            "y": rng.uniform(1, 2, rows),
            "x": rng.permutation(np.arange(rows) % 9 + 1).astype(float),
            "z": rng.uniform(0.5, 2, rows),
            "g": rng.permutation(np.arange(rows) % 6),
            "h": rng.permutation(["u", "v", "w"] * (rows // 3)),
        }
    )


HUGE = good_frame(12).assign(x=1e200, z=1e200)
# Mostly good, so that what is odd in one column isn't hidden behind another's error.
frames = st.dictionaries(st.sampled_from("yxzgh"), cells, max_size=2).map(
    lambda odd: good_frame(ROWS).assign(**odd)
)
ASKED = (
    "y ~ x + (1 | g)",
    "y ~ x + z + (1 + x || g)",
    "y ~ x * z + (0 + x | g:h)",
    "y ~ C(x) + (C(z) | g/h)",
    "y ~ poly(x, 2) + (1 | g)",
    "y ~ np.log(x) + I(z > 1) + offset(z)",
    "np.log(y) ~ bs(x, df=4) + (1 | g) + (1 | h)",
    "y | trials(x) ~ z",
    "y | cens(x) ~ z + scale(z):x",
    "y ~ g + x:z + (1 | g)",
)
asked = st.sampled_from(ASKED)


def built(text: str, data: pd.DataFrame, **options: Any) -> Design | None:
    """Return the design, or None where hiermix says why there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HiermixWarning)
        try:
            return build(parse(text), data, **options)
        except HiermixError:
            return None


@given(
    asked,
    frames,
    st.sampled_from(["error", "drop"]),
    st.sampled_from([None, "x", "z"]),
)
def test_any_frame_gives_a_design_or_a_hiermix_error(
    text: str, data: pd.DataFrame, missing: str, weights: str | None
) -> None:
    found = built(text, data, missing=missing, weights=weights)
    if found is None:
        return
    assert found.response is not None
    assert np.isfinite(found.response).all()
    assert np.isfinite(found.X()).all()
    assert found.X().shape == (found.rows, len(found.terms))
    for each in found.groupings:
        assert np.isfinite(found.Z(each.name)).all()
        assert found.Z(each.name).shape == (found.rows, len(each.effects))
        assert sum(each.blocks) == len(each.effects)
        assert set(each.codes) == set(range(len(each.levels)))


# Free searches found products that overflow though their parts are finite.
@example("y ~ x * z + (0 + x | g:h)", HUGE)
@example("y ~ x + z + (1 + x:z || g)", HUGE)
@example("y ~ g + x:z + (1 | g)", HUGE)
@given(st.sampled_from([text for text in ASKED if "cens" not in text]), frames)
def test_any_new_frame_gives_a_design_or_a_hiermix_error(text: str, data: pd.DataFrame) -> None:
    fitted = build(parse(text), good_frame())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HiermixWarning)
        try:
            found = fitted.on(data)
        except HiermixError:
            return
    assert found.terms == fitted.terms
    assert np.isfinite(found.X()).all()
    assert all(np.isfinite(found.Z(each.name)).all() for each in found.groupings)
    for each, old in zip(found.groupings, fitted.groupings, strict=True):
        assert each.levels is old.levels
        assert each.codes.max() < len(each.levels) + len(each.new_levels)


# Order -------------------------------------------------------------------------------------------

ordered = st.sampled_from(
    [
        "y ~ x + (1 + x | g)",
        "y ~ x * t + (t || g) + (1 | h)",
        "y ~ poly(x, 2) + C(k) + (1 | h/g)",
        "y ~ scale(x) + bs(z, df=4) + offset(z) + (0 + t | g:h)",
    ]
)


def frame_of(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = 48
    return pd.DataFrame(
        {
            "y": rng.normal(size=rows),
            "x": rng.normal(size=rows),
            "z": rng.uniform(1, 2, size=rows),
            "t": rng.permutation(list("abc") * 16),
            "k": rng.permutation([10, 9, 1] * 16),
            "g": rng.permutation([f"g {group}" for group in range(8)] * 6),
            "h": rng.permutation([3, 20, 100, 1] * 12),
        }
    )


def same(found: Design, expected: Design, rows: Any) -> None:
    """Assert that a design has some rows of another."""
    assert found.terms == expected.terms
    assert found.response is not None
    assert expected.response is not None
    np.testing.assert_array_equal(found.response, expected.response[rows])
    np.testing.assert_allclose(found.X(), expected.X()[rows], rtol=1e-9, atol=1e-11)
    for one, other in zip(found.groupings, expected.groupings, strict=True):
        assert (one.name, one.effects, one.blocks) == (other.name, other.effects, other.blocks)
        np.testing.assert_array_equal(one.levels, other.levels)
        np.testing.assert_array_equal(one.codes, other.codes[rows])
        np.testing.assert_allclose(
            found.Z(one.name), expected.Z(one.name)[rows], rtol=1e-9, atol=1e-11
        )


@given(ordered, st.integers(0, 99), st.randoms(use_true_random=False))
def test_order_and_index_never_matter(text: str, seed: int, random: Any) -> None:
    data = frame_of(seed)
    expected = built(text, data)
    assume(expected is not None)
    assert expected is not None
    rows = random.sample(range(len(data)), len(data))
    names = random.sample(list(data.columns), data.shape[1])
    shuffled = data.iloc[rows][names].set_axis(random.choices("pqr", k=len(data)))
    found = built(text, shuffled.assign(unused=1))
    assert found is not None
    same(found, expected, rows)
    same(expected.on(shuffled, new_groups="error"), expected, rows)


@given(st.integers(0, 99), st.randoms(use_true_random=False))
def test_category_order_changes_nothing_but_the_order(seed: int, random: Any) -> None:
    data = frame_of(seed)
    expected = build(parse("y ~ x + (0 + x + t | g)"), data)
    levels = random.sample(sorted(set(data["g"])), 8)
    kinds = random.sample("abcd", 4)
    found = build(
        parse("y ~ x + (0 + x + t | g)"),
        data.assign(g=pd.Categorical(data["g"], levels), t=pd.Categorical(data["t"], kinds)),
    )
    assert list(found.groupings[0].levels) == levels
    one, other = found.groupings[0], expected.groupings[0]
    assert (one.levels[one.codes] == other.levels[other.codes]).all()
    columns = [other.effects.index(effect) for effect in one.effects]
    np.testing.assert_array_equal(found.Z("g"), expected.Z("g")[:, columns])


@given(st.integers(0, 99), st.integers(1, 47))
def test_new_rows_one_by_one_are_the_rows_together(seed: int, row: int) -> None:
    data = frame_of(seed)
    fitted = build(parse("y ~ x * t + poly(z, 2) + (x || g) + (1 | h:k)"), data)
    one = fitted.on(data.iloc[[row]], new_groups="error")
    same(one, fitted, [row])


def test_a_property_would_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    data = frame_of(1)
    design = build(parse("y ~ x + (1 | g)"), data)
    with pytest.raises(AssertionError):
        same(design, design, np.arange(len(data))[::-1])
