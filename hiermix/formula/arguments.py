"""What the functions of a formula take: how many arguments, by which names, and of which kind.

Libraries would take a wrong one in silence, or answer with words of their own.
"""

import ast
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hiermix.errors import FormulaError, did_you_mean
from hiermix.formula.names import unaliased


class Kind(NamedTuple):
    """What a value that names no column must be."""

    words: str
    holds: Callable[[Any], bool]


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _whole(least: int) -> Kind:
    return Kind(
        f"a whole number from {least} up",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least,
    )


def _one_of(*words: object) -> Kind:
    return Kind(f"one of {', '.join(map(repr, words))}", lambda value: value in words)


_NUMBER = Kind("a number", _number)
_NUMBERS = Kind("a list of numbers", lambda value: _is_list(value) and all(map(_number, value)))
_LABEL = Kind("a level", lambda value: isinstance(value, str | int | float))
_LABELS = Kind("a list of levels", lambda value: _is_list(value) and len(value) > 0)
_TRUTH = Kind("True or False", lambda value: isinstance(value, bool))
_ANY = Kind("", lambda value: True)
_COLUMN = None
"""Columns and expressions of them; an argument that has to be there."""


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


type Takes = Mapping[str, Kind | None]
_ONE: Takes = {"x": _COLUMN}
_TWO: Takes = {"x": _COLUMN, "y": _COLUMN}
_BOUNDS: Takes = {"lower_bound": _NUMBER, "upper_bound": _NUMBER}
_OUTSIDE: Takes = {"extrapolation": _one_of("raise", "clip", "na", "zero", "extend")}
_CUBIC: Takes = {
    "x": _COLUMN, "df": _whole(2), "knots": _NUMBERS, **_BOUNDS,
    "constraints": Kind("'center' or None", lambda value: value is None or value == "center"),
    **_OUTSIDE,
}  # fmt: skip
_BASE: Takes = {"base": _LABEL}
_HELMERT: Takes = {"reverse": _TRUTH, "scale": _TRUTH}

_SINGLE = (
    *("I", "mi", "center", "log", "log1p", "log2", "log10", "exp", "expm1", "exp2", "sqrt", "cbrt"),
    *("square", "reciprocal", "abs", "sign", "floor", "ceil", "sin", "cos", "tan", "tanh"),
    "arctan",
)

TAKES: Mapping[str, Takes] = {
    **dict.fromkeys(_SINGLE, _ONE),
    "C": {"x": _COLUMN, "contrasts": _ANY, "*": _ANY, "levels": _LABELS,
          "spans_intercept": _TRUTH},
    "bs": {"x": _COLUMN, "df": _whole(0), "knots": _NUMBERS, "degree": _whole(0),
           "include_intercept": _TRUTH, **_BOUNDS, **_OUTSIDE},
    "cc": _CUBIC, "cr": _CUBIC, "cs": _CUBIC,
    "poly": {"x": _COLUMN, "degree": _whole(1), "raw": _TRUTH},
    "scale": {"x": _COLUMN, "center": _TRUTH, "scale": _TRUTH, "ddof": _whole(0)},
    "standardize": {"x": _COLUMN, "center": _TRUTH, "rescale": _TRUTH, "ddof": _whole(0)},
    "fourier": {"time": _COLUMN, "period": _COLUMN, "order": _whole(1)},
    "trend": {"time": _COLUMN, "changepoints": _ANY},
    "round": {"x": _COLUMN, "decimals": Kind("a whole number", lambda value: type(value) is int)},
    "maximum": _TWO, "minimum": _TWO,
    "where": {"condition": _COLUMN, **_TWO},
    "contr.treatment": _BASE, "contr.SAS": _BASE, "Treatment": {"reference": _LABEL},
    "contr.sum": {}, "Sum": {},
    "contr.helmert": _HELMERT, "Helmert": _HELMERT,
    "contr.diff": {"backward": _TRUTH}, "Diff": {"backward": _TRUTH},
    "contr.poly": {"scores": _NUMBERS}, "Poly": {"scores": _NUMBERS},
}  # fmt: skip
"""Function to its arguments in order; those after ``*`` have names alone."""


def check(function: str, node: ast.Call) -> None:
    """Raise unless a call has the arguments that the function takes.

    Raises
    ------
    FormulaError
        An argument too many, without a place, missing, given twice, or of another kind.
    """
    takes = TAKES.get(function.removeprefix("np."))
    if takes is None:
        return
    given = _given(function, node, takes)
    for name, kind in takes.items():
        if name not in given and kind is _COLUMN:
            raise FormulaError(f"{function}() needs {name}: {usage(function)}")
        if name in given and kind is not _COLUMN:
            _check_value(function, name, kind, given[name])


def _given(function: str, node: ast.Call, takes: Takes) -> dict[str, ast.expr]:
    """Return the arguments of a call by name."""
    places = list(takes)
    if "*" in takes:
        places = places[: places.index("*")]
    if len(node.args) > len(places):
        _refuse(function, f"{len(node.args)} values")
    given = dict(zip(places, node.args, strict=False))
    for keyword in node.keywords:
        name = str(keyword.arg)
        if name not in takes:
            _refuse(function, repr(name), did_you_mean(name, takes))
        if name in given:
            raise FormulaError(f"{function}() has its {name} twice")
        given[name] = keyword.value
    return given


def usage(function: str) -> str:
    """Return how a function is written: ``poly(x, degree=, raw=)``."""
    takes = TAKES.get(function.removeprefix("np."), _ONE)
    names = [name if kind is _COLUMN else f"{name}=" for name, kind in takes.items() if name != "*"]
    return f"{function}({', '.join(names)})"


def _refuse(function: str, what: str, near: str = "") -> None:
    raise FormulaError(f"{function}() has no place for {what}.{near} It is {usage(function)}")


def _check_value(function: str, name: str, kind: Kind, node: ast.expr) -> None:
    """Raise for a value of another kind; sums of numbers and the like are left to the function."""
    if kind is _ANY:
        return
    try:
        value = ast.literal_eval(node)
        fits = value is None or kind.holds(value)
    except ValueError:
        fits = not any(isinstance(each, ast.Name | ast.Call) for each in ast.walk(node))
    if not fits:
        shown = unaliased(ast.unparse(node))
        raise FormulaError(f"{function}(): {name} is {kind.words}, not {shown}")
