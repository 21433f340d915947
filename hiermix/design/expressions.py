"""Expressions that a formula works out row by row: truth values count as 0 and 1, in full digits.

Formulaic reads a formula with such expressions taken out: it finds their values in columns of its
frame, under names that stand for their texts.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from hiermix.design import kinds
from hiermix.errors import DataError
from hiermix.formula.calls import aliased, check_expression
from hiermix.formula.names import TRANSFORMS, alias_of, unaliased
from hiermix.typing import FloatArray

type Expressions = Mapping[str, ast.expr]
"""Names in formulaic's frame, and what gives their values."""

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_LOGIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def by_row(function: str) -> bool:
    """Tell whether a function of formulas works row by row, and so here."""
    return function == "I" or TRANSFORMS.get(function, "").startswith("numpy:")


# Taking them out ---------------------------------------------------------------------------------


def taken_out(text: str) -> tuple[str, Expressions]:
    """Return a piece of a parsed formula as formulaic gets it, and the expressions taken out."""
    found: dict[str, ast.expr] = {}

    def stand_in(node: ast.expr) -> str:
        return ast.unparse(_without(node, found))

    return aliased(text, lambda call: stand_in(check_expression(call))), found


def _without(node: ast.expr, found: dict[str, ast.expr]) -> ast.expr:
    """Return an expression with names in place of the largest parts that work row by row."""
    if isinstance(node, ast.Name | ast.Constant | ast.Attribute) or not _names(node):
        return node
    if _works_by_row(node):
        name = alias_of(ast.unparse(node))
        found[name] = node
        return ast.Name(name)
    if isinstance(node, ast.Call):
        node.args = [_without(argument, found) for argument in node.args]
        for keyword in node.keywords:
            keyword.value = _without(keyword.value, found)
    elif isinstance(node, ast.BinOp):
        _no_truth(node)
        node.left, node.right = _without(node.left, found), _without(node.right, found)
    return node


def _works_by_row(node: ast.expr) -> bool:
    return not any(
        isinstance(inner, ast.List | ast.Tuple)
        or (isinstance(inner, ast.Call) and not by_row(ast.unparse(inner.func)))
        for inner in ast.walk(node)
    )


def _names(node: ast.expr) -> bool:
    """Tell whether an expression names a column."""
    names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return not names <= TRANSFORMS.keys()


def _no_truth(node: ast.BinOp) -> None:
    """Raise for sums of truth values that hang on the rows of the fit: they would not count."""
    for operand in (node.left, node.right):
        if isinstance(operand, ast.Compare) and not _works_by_row(operand):
            raise DataError(
                f"{unaliased(ast.unparse(node))!r} calculates with a comparison that depends on "
                "all rows: make that column before the fit"
            )


# Working them out --------------------------------------------------------------------------------


def worked_out(expressions: Expressions, part: pd.DataFrame) -> pd.DataFrame:
    """Return rows of formulaic's frame with the columns that the expressions give."""
    if not expressions:
        return part
    columns = {name: part[name] for name in part}
    with np.errstate(all="ignore"):
        values = {name: _column(node, columns, len(part)) for name, node in expressions.items()}
    return part.assign(**values)


def _column(node: ast.expr, columns: Mapping[Any, pd.Series], rows: int) -> FloatArray:
    value = np.asarray(_value(node, columns))
    if value.dtype.kind not in "biuf":
        raise DataError(f"{unaliased(ast.unparse(node))!r} gives {value.dtype} values, not numbers")
    return np.broadcast_to(value.astype(np.float64), (rows,))


def _value(node: ast.expr, columns: Mapping[Any, pd.Series]) -> Any:
    def of(operand: ast.expr) -> Any:
        return _value(operand, columns)

    match node:
        case ast.Name(name):
            return columns[name]
        case ast.BinOp(left, sign, right) if type(sign) in _LOGIC:
            return _LOGIC[type(sign)](of(left), of(right))
        case ast.BinOp(left, sign, right):
            return _ARITHMETIC[type(sign)](_number(left, of(left)), _number(right, of(right)))
        case ast.UnaryOp(ast.Invert(), operand):
            return ~of(operand)
        case ast.UnaryOp(sign, operand):
            number = _number(operand, of(operand))
            return -number if isinstance(sign, ast.USub) else number
        case ast.Compare(left, [sign], [right]):
            return _COMPARISONS[type(sign)](of(left), of(right))
        case ast.Call(function, arguments, keywords):
            numbers = [_number(argument, of(argument)) for argument in arguments]
            named = {str(each.arg): of(each.value) for each in keywords}
            return _function(ast.unparse(function))(*numbers, **named)
        case ast.Constant(value):
            return value
    raise AssertionError("formulas were read before")


def _number(node: ast.expr, value: Any) -> Any:
    """Return what arithmetic counts with: truth values and whole numbers as 64-bit floats."""
    if not isinstance(value, pd.Series | np.ndarray):
        return value
    if value.dtype.kind in "biu":
        return value.astype(np.float64)
    if value.dtype.kind in "Mm":
        text = unaliased(ast.unparse(node))
        held = kinds.what(pd.Series(value))
        raise DataError(
            f"{text!r} gives {held}, and arithmetic takes numbers: write trend({text}) for years, "
            "or make the number before the fit"
        )
    return value


@cache
def _function(name: str) -> Callable[..., Any]:
    module, _, attribute = TRANSFORMS[name].partition(":")
    function: Callable[..., Any] = getattr(import_module(module), attribute)
    return function
