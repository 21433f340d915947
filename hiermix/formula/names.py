"""What may be called in a formula, and how names of columns are written."""

import keyword
import re

_ELEMENTWISE = (
    *("log", "log1p", "log2", "log10", "exp", "expm1", "exp2", "sqrt", "cbrt", "square"),
    *("reciprocal", "abs", "sign", "floor", "ceil", "round", "maximum", "minimum", "where"),
    *("sin", "cos", "tan", "tanh", "arctan"),
)


CONTRASTS: dict[str, str] = {
    "contr.treatment": "formulaic.transforms.contrasts:TreatmentContrasts",
    "contr.sum": "formulaic.transforms.contrasts:SumContrasts",
    "contr.helmert": "formulaic.transforms.contrasts:HelmertContrasts",
    "contr.diff": "formulaic.transforms.contrasts:DiffContrasts",
    "contr.poly": "formulaic.transforms.contrasts:PolyContrasts",
    "contr.SAS": "formulaic.transforms.contrasts:SASContrasts",
    "Treatment": "formulaic.transforms.patsy_compat:Treatment",
    "Sum": "formulaic.transforms.contrasts:SumContrasts",
    "Helmert": "formulaic.transforms.contrasts:HelmertContrasts",
    "Diff": "formulaic.transforms.contrasts:DiffContrasts",
    "Poly": "formulaic.transforms.contrasts:PolyContrasts",
}
"""Contrasts that may stand in ``C(x, ...)``: name in a formula -> module:attribute."""


TRANSFORMS: dict[str, str] = {
    "C": "hiermix.formula.levels:C",
    "I": "formulaic.transforms:identity",
    "mi": "formulaic.transforms:identity",
    "bs": "hiermix.formula.splines:bs",
    "cc": "hiermix.formula.splines:cc",
    "cr": "hiermix.formula.splines:cr",
    "cs": "hiermix.formula.splines:cr",
    "poly": "hiermix.formula.splines:poly",
    "center": "formulaic.transforms:center",
    "scale": "formulaic.transforms:scale",
    "standardize": "formulaic.transforms.patsy_compat:standardize",
    "fourier": "hiermix.formula.transforms:fourier",
    "trend": "hiermix.formula.transforms:trend",
    **CONTRASTS,
    **{name: f"numpy:{name}" for name in _ELEMENTWISE},
    **{f"np.{name}": f"numpy:{name}" for name in _ELEMENTWISE},
}
"""Every function a formula may call: name in a formula -> module:attribute, imported when used.

A function must either work element by element or be one of formulaic's stateful transforms.
"""


FUNCTION_WORDS = frozenset(name.partition(".")[0] for name in TRANSFORMS)


QUOTED_ALIAS = re.compile(r"__q([0-9a-f]+)")


ALIAS = re.compile(r"__([qe])((?:[0-9a-f]{2})+)")


def quoted(column: str) -> str:
    """Return a column's name as a formula writes it: in backticks unless it is a plain word."""
    return column if is_word(column) else f"`{column}`"


def in_results(name: str) -> str:
    """Return a name as results have it: a slash would read as a path in a tree of data."""
    return name.replace("/", "÷")


def alias(column: str) -> str:
    """Return an identifier that stands for the column where only identifiers will do."""
    return column if is_word(column) else f"__q{column.encode().hex()}"


def alias_of(expression: str) -> str:
    """Return an identifier that stands for an expression."""
    return f"__e{expression.encode().hex()}"


def unaliased(label: str) -> str:
    """Return a label with the columns' own names, and expressions as they are written."""

    def name(match: re.Match[str]) -> str:
        text = bytes.fromhex(match[2]).decode()
        return unaliased(text) if match[1] == "e" else text

    return ALIAS.sub(name, label)


def is_word(column: str) -> bool:
    """Tell whether a column's name can stand in an expression and means nothing else there."""
    special = column.startswith("__") or column in FUNCTION_WORDS or keyword.iskeyword(column)
    return column.isidentifier() and not special
