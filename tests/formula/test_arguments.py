"""Arguments of functions in formulas: which are taken, and what is said of any other."""

import pytest

import hiermix as hm
from hiermix.formula.arguments import TAKES, usage
from hiermix.formula.formula import parse

TAKEN = [
    "poly(x, 2)", "poly(x, degree=2, raw=True)", "bs(x, df=4, degree=2)", "bs(x, knots=[1, 2.5])",
    "cr(x, df=5, constraints=None)", "C(x, contr.treatment('a'))", "C(x, levels=['b', 'a'])",
    "scale(x, center=False)", "round(x, 1)", "np.round(x, decimals=-1)", "maximum(x, 0)",
    "where(x > 1, x, 0)", "fourier(x, 'week', 2)", "trend(x, changepoints=[1, 2])",
    "standardize(x, ddof=0)", "np.log(x + 1)", "C(x, contr.sum)", "C(x, Treatment(reference=1))",
]  # fmt: skip
REFUSED = [
    ("poly(x, 2, True, 4)", r"poly\(\) has no place for 4 values\. It is poly\(x, degree=, raw=\)"),
    ("poly(x, degre=2)", r"has no place for 'degre'\. Did you mean 'degree'"),
    ("poly(x, 2, degree=3)", r"poly\(\) has its degree twice"),
    ("poly(degree=2, raw=x)", r"poly\(\) needs x: poly\(x, degree=, raw=\)"),
    ("poly(x, 0)", r"poly\(\): degree is a whole number from 1 up, not 0"),
    ("poly(x, 1.5)", "degree is a whole number from 1 up, not 1.5"),
    ("poly(x, z)", "degree is a whole number from 1 up, not z"),
    ("poly(x, raw='yes')", "raw is .*, not 'yes'"),
    ("bs(x, knots=3)", "knots is .*, not 3"),
    ("bs(x, knots=['a'])", r"knots is .*, not \['a'\]"),
    ("bs(x, extrapolation='far')", "extrapolation is .*, not 'far'"),
    ("log(x, 2)", r"log\(\) has no place for 2 values\. It is log\(x\)"),
    ("np.log(x, base=2)", r"np\.log\(\) has no place for 'base'\.  ?It is np\.log\(x\)"),
    ("round(x, 1.5)", "decimals is a whole number, not 1.5"),
    ("C(x, contr.treatment, ['a'])", r"C\(\) has no place for 3 values"),
]


@pytest.mark.parametrize("term", TAKEN)
def test_what_is_taken_is_read(term: str) -> None:
    assert str(parse(str(parse(f"y ~ {term}")))) == str(parse(f"y ~ {term}"))


@pytest.mark.parametrize(("term", "words"), REFUSED)
def test_what_is_not_is_told_with_the_way_it_is_written(term: str, words: str) -> None:
    with pytest.raises(hm.FormulaError, match=words):
        parse(f"y ~ {term}")


@pytest.mark.parametrize("name", [each for each in TAKES if "." not in each])
def test_the_way_it_is_written_names_every_argument(name: str) -> None:
    shown = usage(name)
    assert shown.startswith(f"{name}(")
    assert all(each in shown for each in TAKES[name] if each != "*")
