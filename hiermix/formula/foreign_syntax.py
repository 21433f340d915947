"""What other tools' formulas say, and how it is written here."""

import re

NONLINEAR = (
    "no non-linear formulas: write the program in Stan, or make it linear, by a function of the "
    "predictor such as log(x) or of the response, or by a smooth curve such as bs(x, df=5)"
)
DOT = (
    "'.' does not stand for all other columns: name them, for example "
    "'y ~ ' + ' + '.join(data.columns.drop('y'))"
)
SUCCESSES = ("cbind", "p", "prop", "proportion")
"""R's cbind(k, n - k), bambi's p(k, n) and its other names."""
_FUNCTIONS = {
    "factor": "write C(x)",
    "as.factor": "write C(x)",
    "Surv": "write time | cens(c), with c 'right' where the time is censored",
    "Surv2": "write time | cens(c), with c 'right' where the time is censored",
    "ordered": "write C(x, contr.poly)",
    "ns": "write cr(x, df=5)",
    "mo": "write mo(x) after a +, in a product mo(x):z or mo(x) * z, or left of a bar",
    "gp": "write hsgp(x, k=20), a Gaussian process in k columns",
    "hsgp": "write hsgp(x) as a term of its own, after a +",
    "mmc": "write it left of the bar of memberships, (1 + mmc(x1, x2) | mm(a, b))",
    "s": 'write s(x) as a term of its own, after a +, or s(x, g, bs="fs") to vary by group',
    "t2": "write t2(x, z) as a term of its own, after a +",
    "te": "write t2(x, z), a surface of another penalty, as brms does",
    "ti": "write t2(x, z), which has the curves of x and z in it",
    "mvbind": "write a formula for each response, ['y1 ~ x', 'y2 ~ x']",
    "nl": NONLINEAR,
    "nlf": NONLINEAR,
}


def function(name: str) -> str:
    """Return what to write instead of a function of another tool, ``""`` if it is unknown."""
    if re.fullmatch("SS[a-z]+[0-9]?", name):
        return f" It is a non-linear curve, and there are {NONLINEAR}"
    if name in SUCCESSES:
        return " Successes out of trials stand on the left: k | trials(n)"
    return f" For it, {_FUNCTIONS[name]}" if name in _FUNCTIONS else ""


def successes(name: str, arguments: str) -> str:
    """Return the answer to a pair of successes and failures, or of successes and trials."""
    first, _, second = (part.strip() for part in arguments.partition(","))
    k, other = first or "k", second or "n"
    rest = re.fullmatch(rf"(\S+)\s*-\s*{re.escape(k)}", other)
    if name != "cbind" or rest:
        way = f"write {k} | trials({rest[1] if rest else other})"
    else:
        way = f"make a column of trials, n = {k} + {other}, and write {k} | trials(n)"
    return f"{name}() is not known here: for successes out of trials {way}"


def keyword(word: str) -> str:
    """Return the answer to a word of Python that may be a column's name."""
    return f"{word!r} is not allowed in a formula; if it is a column, write `{word}`"
