"""Special calls: what is written, read again as the same, with a caret under what is wrong."""

import re
from dataclasses import replace

import pytest

from hiermix.errors import FormulaError
from hiermix.formula.formula import parse
from hiermix.formula.terms.effect_laws import EffectLaw
from hiermix.formula.terms.memberships import Memberships
from hiermix.formula.terms.smooths import Smooth
from hiermix.formula.tokens import Use

RIGHT = [
    ("s(x)", Smooth("x"), "s(x)"),
    ("s( x , k = 10 )", Smooth("x"), "s(x)"),
    ("s(x, k=5)", Smooth("x", 5), "s(x, k=5)"),
    ("s(x=x, by=f)", Smooth("x", by="f"), "s(x, by=f)"),
    ("s(`blood pressure`, by=`a b`)", Smooth("blood pressure", by="a b"), None),
    ("s(s)", Smooth("s"), "s(s)"),
]


@pytest.mark.parametrize(("text", "term", "shown"), RIGHT, ids=[text for text, *_ in RIGHT])
def test_a_special_term_is_read_and_written(text: str, term: Smooth, shown: str | None) -> None:
    formula = parse(f"y ~ z + {text} + (1 | g)")
    assert formula.specials == (term,)
    assert formula.population == "z"
    assert str(formula) == f"y ~ z + {shown or text} + (1 | g)"
    assert parse(str(formula)) == formula


GROUPS = [
    ("gr(g, by=f)", EffectLaw("g", by="f"), None),
    ("gr( `a b` ,by = `f g` )", EffectLaw("a b", by="f g"), "gr(`a b`, by=`f g`)"),
    ('gr(g=g, cov="A")', EffectLaw("g", cov="A"), "gr(g, cov='A')"),
    ("gr(g, by=f, dist='student')", EffectLaw("g", by="f", dist="student"), None),
    ("mm(a, b)", Memberships(("a", "b")), "mm(a, b)"),
    ("mm(a, b, c, scale=False)", Memberships(("a", "b", "c"), scale=False), None),
    ("mm(a, b, weights=cbind(u, `v w`))", Memberships(("a", "b"), ("u", "v w")), None),
    ("mm(a,b,weights = cbind(u,v), scale=True)", Memberships(("a", "b"), ("u", "v")),
     "mm(a, b, weights=cbind(u, v))"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "how", "shown"), GROUPS, ids=[text for text, *_ in GROUPS])
def test_a_special_factor_is_read_and_written(
    text: str, how: Memberships, shown: str | None
) -> None:
    formula = parse(f"y ~ x + (1 + x | {text})")
    (term,) = formula.groups
    assert (term.how, term.factor, term.name) == (how, how.factor, how.name)
    assert str(formula) == f"y ~ x + (1 + x | {shown or text})"
    assert parse(str(formula)) == formula


def test_a_special_term_enters_its_equation_and_names_its_columns() -> None:
    formula = parse(["y ~ s(x) + (1 | mm(a, b, weights=cbind(u, v)))", "sigma ~ s(z, by=f)"])
    assert formula.specials == (Smooth("x"), Smooth("z", by="f", equation="sigma"))
    assert set(formula.predictors) == {"x", "z", "f", "a", "b", "u", "v"}
    assert formula.specials[1].uses == (Use("z", "number", "s"), Use("f", "bare"))
    assert parse(str(formula)) == replace(formula, text=str(formula))
    with pytest.raises(FormulaError, match="'y' is on both sides"):
        parse("y ~ s(x, by=y)")


WRONG = [
    ("y ~ s()", "s() needs x", ")"),
    ("y ~ s(x, k=2)", "k is a whole number from 3 up, not 2", "2"),
    ("y ~ s(x, k=2.5)", "k is a whole number from 3 up, not 2.5", "2.5"),
    ("y ~ s(x, k=z)", "k is a whole number from 3 up, not z", "z)"),
    ("y ~ s(x, z)", "a second column is a factor g", "s(x, z)"),
    ("y ~ s(x, g, z)", "s() has no place for this", "z)"),
    ("y ~ s(x, kk=4)", "s() has no place for 'kk'. Did you mean 'k'?", "kk"),
    ("y ~ s(x, k=4, k=5)", "s() has its k twice", "k=5"),
    ("y ~ s(k=4, x)", "arguments without a name come first", "x)"),
    ("y ~ s(x,, k=4)", "an argument is missing", ", k"),
    ("y ~ s(log(x))", "x is the name of a column", "log"),
    ("y ~ s('x')", "x is the name of a column", "'x'"),
    ("y ~ s(x, by=x)", "by is another column than 'x'", "s("),
    ("y ~ s(x):z", "s() is a term of its own", ":"),
    ("y ~ z - s(x)", "s() can't be taken away", "s("),
    ("y ~ z:s(x)", "write s(x) as a term of its own", "s("),
    ("y ~ (s(x) | g)", "write s(x) as a term of its own", "s("),
    ("y ~ (1 | mm(a))", "mm() takes two columns of labels or more", "mm"),
    ("y ~ (1 | mm(a, a))", "mm() has a column of labels twice", "mm"),
    ("y ~ (1 | mm(a, b, weights=u))", "2 columns of labels and 1 of weights", "mm"),
    ("y ~ (1 | mm(a, b, weights=cbind(u)))", "2 columns of labels and 1 of weights", "mm"),
    ("y ~ (1 | mm(a, b, scale=1))", "scale is True or False, not 1", "1)"),
    ("y ~ (1 | mm(a, b, scales=True))", "no place for 'scales'. Did you mean 'scale'?", "scales"),
    ("y ~ (1 | mm(a, b)/c)", "a grouping factor is a column", "/"),
    ("y ~ (1 | gr(by=f))", "gr() needs g", ")"),
    ("y ~ (1 | gr(g, f))", "gr() has no place for this", "f)"),
    ("y ~ (1 | gr(g, by=g))", "by is another column than 'g'", "gr("),
    ("y ~ (1 | gr(g, cov=A))", 'cov is a text, such as "A"', "A)"),
    ("y ~ (1 | gr(g, dist='cauchy'))", "dist is one of 'gaussian', 'student'", "'cauchy'"),
    ("y ~ (1 | gr(g, by=f, cov='A'))", "cov stands without by and dist", "gr("),
    ("y ~ (1 | gr(g, bye=f))", "no place for 'bye'. Did you mean 'by'?", "bye"),
]


@pytest.mark.parametrize(("text", "message", "at"), WRONG, ids=[text for text, *_ in WRONG])
def test_what_is_wrong_is_said_with_a_caret(text: str, message: str, at: str) -> None:
    with pytest.raises(FormulaError, match=re.escape(message)) as raised:
        parse(text)
    shown, pointer = str(raised.value).splitlines()[-2:]
    assert shown[pointer.index("^") :].startswith(at)


def test_a_column_may_be_called_like_a_special_call() -> None:
    formula = parse("y ~ s + mm + s(s) + (s | mm)")
    assert formula.population == "s + mm"
    assert parse(str(formula)) == formula


def test_a_law_that_says_nothing_is_no_law() -> None:
    assert str(parse("y ~ x + (1 | gr(g))")) == "y ~ x + (1 | g)"
    assert parse("y ~ x + (1 | gr(g))").groups == parse("y ~ x + (1 | g)").groups
