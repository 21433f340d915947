"""Formulas: what each form is read as, and that the canonical text says the same."""

import re
from dataclasses import fields

import pytest

from hiermix.errors import FormulaError
from hiermix.formula.formula import Formula, parse
from hiermix.formula.response_terms import ResponseTerms
from hiermix.formula.sums import columns, uses
from hiermix.formula.terms import Group, GroupTerm
from hiermix.formula.tokens import Use

SAID = {each.name for each in fields(ResponseTerms)}


def made(**parts: object) -> Formula:
    """Return a formula y ~ 1 but for some parts."""
    base = {
        "text": "",
        "response": "y",
        "population": "1",
        "groups": (),
        "offsets": (),
    }
    beside = ResponseTerms(**{name: parts.pop(name) for name in SAID & parts.keys()})
    return Formula(**(base | {"beside": beside} | parts))  # type: ignore[arg-type]


def bar(effects: str, *factor: str, correlated: bool = True) -> GroupTerm:
    return GroupTerm(effects, factor, correlated)


FORMS = [
    # the population part
    ("y ~ 1", made()),
    ("y~x", made(population="x")),
    ("y ~ 1 + x", made(population="x")),
    ("y ~ 0 + x", made(population="0 + x")),
    ("y ~ x - 1", made(population="0 + x")),
    ("y ~ -1 + x", made(population="0 + x")),
    ("y ~ 0", made(population="0")),
    ("y ~ x * z", made(population="x * z")),
    ("y ~ x:z + x", made(population="x:z + x")),
    ("y ~ x*z - x", made(population="x * z - x")),
    ("y ~ (x+z)**2", made(population="(x + z)**2")),
    ("y ~ (x+z)^2", made(population="(x + z)**2")),
    ("y ~ a/b", made(population="a / b")),
    ("y ~ poly(x,2)", made(population="poly(x, 2)")),
    ("y ~ C(t, contr.sum)", made(population="C(t, contr.sum)")),
    ('y ~ C(t,Treatment("a"))', made(population="C(t, Treatment('a'))")),
    ("y ~ np.log( x )", made(population="np.log(x)")),
    ("y ~ I((x > 1) & (z < 2))", made(population="I((x > 1) & (z < 2))")),
    ("y ~ {x+1}", made(population="I(x + 1)")),
    ("y ~ {np.log(x)}", made(population="np.log(x)")),
    ("y ~ `a b`", made(population="`a b`")),
    ("y ~ `x`", made(population="x")),
    ("y ~ np.log(`a b`)", made(population="np.log(`a b`)")),
    ("y ~ Q('a b') + x", made(population="I(`a b`) + x")),
    ("y ~ I(Q('a b') + 1)", made(population="I(`a b` + 1)")),
    ("y ~ bs(x, knots=[1, 2])", made(population="bs(x, knots=[1, 2])")),
    ("y ~\n  x\n  + z", made(population="x + z")),
    # bars
    ("y ~ (1 | g)", made(groups=(bar("1", "g"),))),
    ("y ~ (1|g) + x", made(population="x", groups=(bar("1", "g"),))),
    ("y ~ x + (x | g)", made(population="x", groups=(bar("1 + x", "g"),))),
    ("y ~ (1 + x | g)", made(groups=(bar("1 + x", "g"),))),
    ("y ~ (x + 1 | g)", made(groups=(bar("1 + x", "g"),))),
    ("y ~ (x || g)", made(groups=(bar("1 + x", "g", correlated=False),))),
    ("y ~ (0 + x | g)", made(groups=(bar("0 + x", "g"),))),
    ("y ~ (x - 1 | g)", made(groups=(bar("0 + x", "g"),))),
    ("y ~ (x * t | g)", made(groups=(bar("1 + x * t", "g"),))),
    ("y ~ (1 | a/b)", made(groups=(bar("1", "a"), bar("1", "a", "b")))),
    ("y ~ (1 | a/b/c)", made(groups=(bar("1", "a"), bar("1", "a", "b"), bar("1", "a", "b", "c")))),
    ("y ~ (1 | a:b)", made(groups=(bar("1", "a", "b"),))),
    ("y ~ (1 | a) + (1 | b)", made(groups=(bar("1", "a"), bar("1", "b")))),
    ("y ~ (1 | g) + (0 + x | g)", made(groups=(bar("1", "g"), bar("0 + x", "g")))),
    ("y ~ (poly(x,2) | g)", made(groups=(bar("1 + poly(x, 2)", "g"),))),
    ("y ~ (C(t) || g)", made(groups=(bar("1 + C(t)", "g", correlated=False),))),
    ("y ~ (`a b` | `the g`)", made(groups=(bar("1 + `a b`", "the g"),))),
    ("y ~ ((x + z)**2 | g)", made(groups=(bar("1 + (x + z)**2", "g"),))),
    # offsets
    ("y ~ x + offset(z)", made(population="x", offsets=("z",))),
    ("y ~ offset(`a b`)", made(offsets=("`a b`",))),
    ("y ~ offset(np.log(z)) + offset(w)", made(offsets=("np.log(z)", "w"))),
    ("y ~ offset(z + w)", made(offsets=("I(z + w)",))),
    ("y ~ (1 | g) + offset(z) + x", made(population="x", groups=(bar("1", "g"),), offsets=("z",))),
    # responses
    ("np.log(y) ~ 1", made(response="np.log(y)")),
    ("{y/10} ~ 1", made(response="I(y / 10)")),
    ("`the y` ~ 1", made(response="`the y`")),
    ("y | trials(size) ~ 1", made(trials="size")),
    ("y | trials(20) ~ 1", made(trials="20")),
    ("y | trials(`n of`) ~ 1", made(trials="n of")),
    ("y | cens(censored) ~ 1", made(censored="censored")),
    ("y | trials(n) + cens(c) ~ 1", made(trials="n", censored="c")),
    ("y|cens( c,`up to`)~1", made(censored="c", end="up to")),
    ("y | cens(y2=b, censored=c) ~ 1", made(censored="c", end="b")),
    ("y | trunc(lb=0) ~ 1", made(least=0.0)),
    ("y | trunc(ub = -1.5e3) ~ 1", made(most=-1500.0)),
    ("y | trunc(0, most) | cens(c) ~ 1", made(least=0.0, most="most", censored="c")),
    ("y | trunc(lb, ub = `a b`) ~ 1", made(least="lb", most="a b")),
    ("y | rate(hours) ~ x", made(population="x", rate="hours")),
]


@pytest.mark.parametrize(("text", "formula"), FORMS, ids=[text for text, _ in FORMS])
def test_forms(text: str, formula: Formula) -> None:
    read = parse(text)
    assert read == formula
    assert read.text == text


@pytest.mark.parametrize("text", [text for text, _ in FORMS])
def test_the_canonical_text_says_the_same(text: str) -> None:
    read = parse(text)
    assert parse(str(read)) == read
    assert str(parse(str(read))) == str(read)


SPECS = [
    ("(1 | g)", Group("g")),
    ("(1 + x | g)", Group("g", "1 + x")),
    ("(x || g)", Group("g", "x", correlated=False)),
    ("(0 + x | a:b)", Group("a:b", "0+x")),
    ("(1 | a/b)", Group("a/b")),
    ("(poly(x, 2) | `the g`)", Group("`the g`", "poly(x, 2)")),
]


@pytest.mark.parametrize(("term", "spec"), SPECS, ids=[term for term, _ in SPECS])
def test_a_spec_is_a_bar(term: str, spec: Group) -> None:
    assert parse("y ~ z", [spec]) == parse(f"y ~ z + {term}")


def test_specs_come_after_bars() -> None:
    assert [term.name for term in parse("y ~ (1 | a)", [Group("b"), Group("c")]).groups] == [
        "a",
        "b",
        "c",
    ]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Group("g) + (1 | h"), "an operator is missing"),
        (Group("g", "1 | g"), "a group term has one bar"),
        (Group("g", ""), "nothing stands left of the bar"),
        (Group(""), "a grouping factor is missing"),
        (Group("the g"), "put a name with a space in backticks"),
        (Group("g", "I(x.values)"), "not allowed in a formula"),
        ("(1 | g)", "groups holds a str"),
        (Group(3), "by is int, not text"),  # type: ignore[arg-type]
    ],
)
def test_a_spec_is_checked_as_a_bar_is(spec: Group, message: str) -> None:
    with pytest.raises(FormulaError, match=re.escape(message)):
        parse("y ~ x", [spec])


def test_a_spec_repeats_no_bar() -> None:
    with pytest.raises(FormulaError, match="group terms repeat the intercept for 'g'"):
        parse("y ~ (1 | g)", [Group("g")])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y ~ 2 * x", "a number other than 0 and 1 is no term; for a multiple write I(2 * x)"),
        ("y ~ x**10", "the power of terms is a whole number from 1 to 9"),
        ("y ~ 'x'", "text is no term"),
        ("y ~ x - (1 | g)", "a group term can't be taken away"),
        ("y ~ x - offset(z)", "an offset can't be taken away"),
        ("y ~ offset()", "offset() takes a column"),
        ("y ~ (0 | g)", "nothing varies in this group term"),
        ("y ~ (1 | a + b)", "for two factors write two terms"),
        ("y ~ (1 | C(g))", "a grouping factor is a column"),
        ("y ~ x | g", "a group term stands in brackets"),
        ("y ~ ((1 | g))", "a group term stands on its own"),
        ("y + z ~ x", "the response is one column"),
        ("(y) ~ x", "the response is a column"),
        ("3 ~ x", "the response is a column"),
        (
            "y | weights(w) ~ x",
            "bar stands trials(size) or cens(censored, y2) or trunc(lb, ub)",
        ),
        ("y | trials(n) + trials(m) ~ x", "trials() stands here twice"),
        ("y | trials ~ x", "write trials(column)"),
        ("y | trials(n + 1) ~ x", "trials() takes the name of a column"),
        ("y | cens(1) ~ x", "cens() takes the name of a column"),
        ("y | cens() ~ x", "cens() takes the name of a column"),
        ("y | cens(y2=b) ~ x", "cens() takes the name of a column"),
        ("y | cens(c, b, a) ~ x", "cens() takes censored and y2, once each"),
        ("y | cens(c, censored=b) ~ x", "cens() takes censored and y2, once each"),
        ("y | trunc() ~ x", "trunc() says nothing"),
        ("y | trunc(low=1) ~ x", "trunc() takes lb and ub, once each"),
        ("y | trunc(lb=-x) ~ x", "trunc() takes the name of a column or a number"),
        ("y | trunc(lb=0 ub=1) ~ x", "trunc() takes"),
        ("y | rate(2) ~ x", "rate() takes the name of a column"),
        ("y | trials(-2) ~ x", "trials() takes the name of a column"),
        ("y | trials(2.5) ~ x", "trials() takes the name of a column"),
        ("y | ~ x", "right of the response's bar"),
        ("y ~ {}", "nothing stands between the braces"),
        ("y ~ ()", "a term is missing before ')'"),
        ("y ~ x.values", "if it is a column, write `x.values`"),
        ("y ~ C(3)", "names no column"),
        ("y ~ I('a')", "names no column"),
        ("y ~ ploy(x, 2)", "Did you mean 'poly'?"),
        ("y ~ (x]", "'(' is not closed"),
        ("y ~ poly(x,,2)", "can't be read"),
        ("y ~ " + "(" * 50 + "x" + ")" * 50, "nested too deep"),
        ("y ~ " + "x + " * 5000 + "x", "10,000 are the most"),
        ("y ~ I(" + "-" * 5000 + "x)", "can't be read"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(FormulaError, match=re.escape(message)):
        parse(text)


@pytest.mark.parametrize("text", [None, 3, b"y ~ x", {"y": "x"}])
def test_a_formula_is_text(text: object) -> None:
    with pytest.raises(FormulaError, match=r"formula is \w+, not text"):
        parse(text)  # type: ignore[arg-type]


USES = [
    ("x", [Use("x", "bare")]),
    ("`a b`:x", [Use("a b", "bare"), Use("x", "bare")]),
    ("C(t)", [Use("t", "category", "C")]),
    ("C(t, Sum)", [Use("t", "category", "C")]),
    ("C(t > 1)", [Use("t", "number", "C")]),
    ("poly(x, 2)", [Use("x", "number", "poly")]),
    ("np.log(x + np.exp(z))", [Use("x", "number", "np.log"), Use("z", "number", "np.exp")]),
    ("I(t == 'a')", [Use("t", "compared", "I")]),
    ("I(x > 1)", [Use("x", "number", "I")]),
    ("log + `np`", [Use("log", "bare"), Use("np", "bare")]),
    ("log(log)", [Use("log", "number", "log")]),
]


@pytest.mark.parametrize(("text", "found"), USES, ids=[text for text, _ in USES])
def test_how_columns_are_used(text: str, found: list[Use]) -> None:
    population = parse(f"y ~ {text}").population
    assert list(uses(population)) == found
    assert columns(population) == tuple(dict.fromkeys(use.column for use in found))
