"""Equations of predictors with missing values: what is read, and what is refused with the way."""

import pytest

import hiermix as hm
from hiermix.formula.formula import parse
from hiermix.formula.imputations import in_order


@pytest.mark.parametrize(
    ("texts", "canonical", "imputed"),
    [
        (["y~mi(x)+z+(1|g)", "x|mi()~z+(1|g)"],
         "y ~ mi(x) + z + (1 | g); x | mi() ~ z + (1 | g)", ("x",)),
        (["y ~ z * mi(x)", "x | mi( ) ~ 1"], "y ~ z * mi(x); x | mi() ~ 1", ("x",)),
        (["y ~ mi(`a b`)", "`a b` | mi() ~ z", "sigma ~ z"],
         "y ~ mi(`a b`); `a b` | mi() ~ z; sigma ~ z", ("a b",)),
        (["y ~ mi(x) + mi(w)", "x | mi() ~ mi(w)", "w | mi() ~ z"],
         "y ~ mi(x) + mi(w); x | mi() ~ mi(w); w | mi() ~ z", ("x", "w")),
    ],
)  # fmt: skip
def test_equations_are_read_and_written_again(
    texts: list[str], canonical: str, imputed: tuple[str, ...]
) -> None:
    formula = parse(texts)
    assert (str(formula), formula.imputed) == (canonical, imputed)
    assert parse(str(formula)) == formula


def test_each_predictor_comes_after_those_that_its_equation_needs() -> None:
    formula = parse(["y ~ mi(a) + mi(b)", "a | mi() ~ mi(b) + mi(c)", "b | mi() ~ 1",
                     "c | mi() ~ mi(b)"])  # fmt: skip
    assert in_order(formula.equations) == ("b", "c", "a")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["y ~ mi(x)"], r"mi\(x\) needs an equation .* 'x \| mi\(\) ~ ...'"),
        (["y ~ z", "x | mi() ~ z"], r"stands nowhere as mi\(x\)"),
        (["y ~ mi(x) + x", "x | mi() ~ z"], r"stands as mi\(x\) in every term"),
        (["y ~ mi(x) + (x | g)", "x | mi() ~ z"], r"stands as mi\(x\) in every term"),
        (["y ~ mi(x) + s(x)", "x | mi() ~ z"], r"stands as mi\(x\) in every term"),
        (["y ~ mi(x) + (1 | x)", "x | mi() ~ z"], r"stands as mi\(x\) in every term"),
        (["y ~ mi(x) + C(x)", "x | mi() ~ z"], r"stands as mi\(x\) in every term"),
        (["y ~ mi(x)", "x | mi() ~ x"], r"stands as mi\(x\) in every term"),
        (["y ~ mi(x) + (mi(x) | g)", "x | mi() ~ z"], "not in a bar"),
        (["y ~ mi(x) + offset(mi(x))", "x | mi() ~ z"], "not in a bar, an offset"),
        (["mi(y) ~ z"], "not in a bar, an offset or the response"),
        (["y ~ np.log(mi(x))", "x | mi() ~ z"], "inside no other function"),
        (["y ~ mi(x + 1)", "x | mi() ~ z"], "takes the name of a column"),
        (["y ~ mi(x)", "x | mi(2) ~ z"], r"x \| mi\(\) ~ z"),
        (["y ~ mi(x)", "x | me() ~ z"], r"x \| mi\(\) ~ z"),
        (["y ~ mi(x)", "x | mi() ~ 1", "x | mi() ~ z"], "'x' has an equation already"),
        (["y ~ mi(x)", "x | mi() ~ mi(w)", "w | mi() ~ mi(x)"], "need each other"),
        (["y ~ mi(x)", "x | mi() ~ z", "sigma ~ mi(x)"], "location of the response"),
        (["y ~ mi(x)", "x | mi() ~ y"], "on both sides"),
        (["y | mi() ~ x"], "missing='predict'"),
    ],
)
def test_what_cannot_stand_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(hm.FormulaError, match=message):
        parse(texts)
