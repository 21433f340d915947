"""Arithmetic of named draws, read from text without running any Python."""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hiermix.errors import ArgumentError, did_you_mean
from hiermix.typing import FloatArray

type Read = Callable[[], FloatArray]
"""Reads the draws of what a name stands for."""

_SHOWN = 30

_ARITHMETIC: Mapping[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.Pow: operator.pow,
    ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip
_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "abs": np.abs, "exp": np.exp, "log": np.log, "sqrt": np.sqrt,
}  # fmt: skip


def taken_out(
    statement: str, at: Callable[[str, int], tuple[Read, int] | None]
) -> tuple[str, dict[str, tuple[str, Read]]]:
    """Put a placeholder for every name, from left to right.

    Parameters
    ----------
    statement
        What somebody wrote.
    at
        Returns what reads the name that starts at a place, and where it ends; or None.
    """
    found: dict[str, tuple[str, Read]] = {}
    parts, place = [], 0
    while place < len(statement):
        inside = re.match(r"[\w.]", statement[place - 1 : place])
        taken = None if inside else at(statement, place)
        if taken is None:
            parts.append(statement[place])
            place += 1
            continue
        read, end = taken
        found[f"_p{len(found)}_"] = statement[place:end], read
        parts.append(f" _p{len(found) - 1}_ ")
        place = end
    return "".join(parts), found


@dataclass(frozen=True)
class Reader:
    """Works out an expression of placeholders, numbers and the few functions allowed."""

    statement: str
    text: str
    """The statement with a placeholder for every name."""
    found: Mapping[str, tuple[str, Read]]
    """Placeholders, what they stand for, and what reads it."""
    known: list[str]
    nothing: str = "is nothing in this fit"
    """What is said of a name that is not known."""

    def value(self, node: ast.expr) -> Any:
        """Return the draws of an expression."""
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return np.float64(number)
            case ast.Name(id=name) if name in self.found:
                return self.found[name][1]()
            case ast.UnaryOp(op=op, operand=inner) if type(op) in _ARITHMETIC:
                return _ARITHMETIC[type(op)](self.value(inner))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return _ARITHMETIC[type(op)](self.value(left), self.value(right))
            case ast.BinOp(op=ast.BitXor()):
                raise ArgumentError(f"hypothesis {self.statement!r}: write a power as x ** 2")
            case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in _FUNCTIONS:
                return _FUNCTIONS[name](self.value(inner))
        raise self.unknown(ast.unparse(node))

    def unknown(self, text: str) -> ArgumentError:
        """Return what is said of a text that names nothing."""
        for placeholder, (name, _) in self.found.items():
            text = text.replace(placeholder, name)
        more = len(self.known) - _SHOWN
        known = ", ".join(self.known[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
        return ArgumentError(
            f"hypothesis {self.statement!r}: {text!r} {self.nothing}."
            f"{did_you_mean(text, self.known)} Known: {known}"
        )
