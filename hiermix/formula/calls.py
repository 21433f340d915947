"""Python expressions in a formula: which are allowed, and how they use columns."""

import ast
import keyword
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NoReturn

from hiermix.errors import FormulaError, did_you_mean
from hiermix.formula import arguments, foreign_syntax
from hiermix.formula.names import (
    ALIAS,
    CONTRASTS,
    FUNCTION_WORDS,
    QUOTED_ALIAS,
    TRANSFORMS,
    alias,
    quoted,
    unaliased,
)
from hiermix.formula.tokens import Reader, Token, Use, column_of, tokens_of


def expression_uses(text: str) -> tuple[Use, ...]:
    """Return how a Python expression, with identifiers in place of backticks, uses columns."""
    return tuple(dict.fromkeys(_uses(check_expression(text))))


def aliased(text: str, call: Callable[[str], str] = str) -> str:
    """Return a piece of a parsed formula with identifiers in place of backticks.

    What `call` returns takes the place of each call that is not inside another.
    """
    words = [
        alias(token.text[1:-1]) if token.kind == "quoted" else token.text
        for token in tokens_of(text)
    ]
    parts, start = [], 0
    for end in _ends(words):
        inside = end > start + 1  # a name, its brackets and what they hold
        part = "".join(words[start:end])
        parts.append(call(part) if inside else part)
        start = end
    return "".join(parts)


def _ends(words: Sequence[str]) -> Iterator[int]:
    """Yield where each word ends, a call being one word."""
    place = 0
    while place < len(words):
        name = words[place]
        place += 1
        if place < len(words) and words[place] == "(" and name[0].isidentifier():
            depth = 0
            while True:
                depth += (words[place] == "(") - (words[place] == ")")
                place += 1
                if depth == 0:
                    break
        yield place


def check_expression(text: str) -> ast.expr:
    """Return the tree of a Python expression that a formula may hold, or raise."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        _allow(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        shown = unaliased(text.strip())
        raise FormulaError(f"{shown!r} can't be read: it is not allowed in a formula") from None
    return tree


def called(text: str) -> list[str]:
    """Return the names of the functions that a formula's text calls, in order."""
    found = re.findall(r"([^\W\d][\w.]*)\(", text)
    return [name for name in dict.fromkeys(found) if name in TRANSFORMS]


def is_call(reader: Reader, place: int | None = None) -> bool:
    """Tell whether the name at a place, the current one by default, has a bracket behind it.

    There is no space between them.
    """
    place = reader.place if place is None else place
    both = reader.tokens[place : place + 2]
    if len(both) < 2:
        return False
    name, after = both
    return after.text == "(" and after.start == name.start + len(name.text)


def offset_of(reader: Reader) -> str:
    """Read ``offset(...)`` and return what stands in it."""
    reader.next()
    start, end = reader.place + 1, reader.closing()
    if end == start:
        reader.fail("offset() takes a column, or an expression such as offset(np.log(x))")
    first = reader.tokens[start]
    if end == start + 1 and first.kind in ("name", "quoted"):
        text = quoted(column_of(reader, first))
    else:
        text = _expression(reader, start, end)
    reader.place = end + 1
    return text


def call(reader: Reader) -> str:
    """Read a call and return it in the canonical way."""
    start = reader.place
    reader.next()
    end = reader.closing() + 1
    text = _expression(reader, start, end)
    reader.place = end
    return text


def braces(reader: Reader) -> str:
    """Read ``{...}``, an expression without a function, and return it as ``I(...)``."""
    start, end = reader.place + 1, reader.closing()
    if end == start:
        reader.fail("nothing stands between the braces")
    text = _expression(reader, start, end)
    reader.place = end + 1
    return text


def _expression(reader: Reader, start: int, end: int) -> str:
    """Read the tokens from start to end as Python, check them and write them canonically."""
    tokens = reader.tokens[start:end]
    try:
        after = [*tokens[1:], Token("end", "", 0)]
        words = [_identifier(token, next_.text) for token, next_ in zip(tokens, after, strict=True)]
        text = _quote_calls(" ".join(words))
        tree = check_expression(text)
    except FormulaError as error:
        reader.fail(str(error), tokens[0])
    found = list(_uses(tree))
    if not found:
        reader.fail("a call that names no column is no term", tokens[0])
    reader.uses.extend(found)
    canonical = QUOTED_ALIAS.sub(
        lambda match: quoted(bytes.fromhex(match[1]).decode()), ast.unparse(tree)
    )
    return canonical if isinstance(tree, ast.Call) else f"I({canonical})"


def _identifier(token: Token, after: str) -> str:
    """Return a token with an identifier for a column whose name means something else."""
    if token.kind == "name" and re.search(r"(^|\.)__", token.text):
        raise FormulaError(f"{token.text!r} is not allowed in a formula")
    if token.kind == "quoted":
        return alias(token.text[1:-1])
    if keyword.iskeyword(token.text) and token.text not in ("None", "True", "False"):
        raise FormulaError(foreign_syntax.keyword(token.text))
    shadows = token.kind == "name" and token.text in FUNCTION_WORDS - set(CONTRASTS)
    return alias(token.text) if shadows and after not in ("(", "=") else token.text


def _quote_calls(text: str) -> str:
    """Read ``Q("a b")``, patsy's way to quote a column, as the column itself."""
    return re.sub(
        r"\bQ \( (?:\"([^\"\\]+)\"|'([^'\\]+)') \)",
        lambda match: alias(match[1] or match[2]),
        text,
    )


_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.BitAnd, ast.BitOr)


_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)


def _refuse(node: ast.AST, why: str = "") -> NoReturn:
    raise FormulaError(f"{unaliased(ast.unparse(node))!r} is not allowed in a formula{why}")


def _allow(node: ast.AST) -> None:
    """Raise unless the tree is made of names, constants, arithmetic and listed calls alone."""
    match node:
        case ast.Call():
            _allow_call(node)
        case ast.BinOp(left, operator, right):
            _allow_arithmetic(node, operator, left, right)
        case ast.UnaryOp(ast.UAdd() | ast.USub() | ast.Invert(), operand):
            _allow_arithmetic(node, ast.Add(), operand)
        case ast.Compare(left, [operator], [right]) if isinstance(operator, _COMPARISONS):
            _allow(left)
            _allow(right)
        case ast.List(elements) | ast.Tuple(elements):
            for element in elements:
                _allow(element)
        case _ if not _is_plain(node):
            _refuse(node)


def _is_plain(node: ast.AST) -> bool:
    """Tell whether a leaf of the tree is a column, a contrast, a number, text or None."""
    match node:
        case ast.Name(name):
            return not name.startswith("__") or ALIAS.fullmatch(name) is not None
        case ast.Constant(value):
            return value is None or type(value) in (bool, int, float, str)
    return isinstance(node, ast.Attribute) and ast.unparse(node) in CONTRASTS


def _allow_arithmetic(node: ast.AST, operator: ast.operator, *operands: ast.expr) -> None:
    """Arithmetic is for numbers: repeated text, lists or towers of powers could eat the machine."""
    power = isinstance(operator, ast.Pow) and any(map(_names_column, operands))
    if not (power or isinstance(operator, _OPERATORS)):
        _refuse(node)
    for operand in operands:
        if isinstance(operand, ast.List | ast.Tuple) or (
            isinstance(operand, ast.Constant) and not isinstance(operand.value, int | float)
        ):
            _refuse(node)
        _allow(operand)


def _names_column(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Name) for inner in ast.walk(node))


def _allow_call(node: ast.Call) -> None:
    function = ast.unparse(node.func)
    if function not in TRANSFORMS:
        why = foreign_syntax.function(function) or did_you_mean(function, TRANSFORMS)
        _refuse(node.func, f": it is not one of the functions hiermix knows.{why}")
    for keyword_ in node.keywords:
        if keyword_.arg is None or keyword_.arg.startswith("_"):
            _refuse(node)
        _allow(keyword_.value)
    for argument in node.args:
        _allow(argument)
    arguments.check(function, node)


def _uses(
    node: ast.AST, how: Literal["category", "number", "compared"] = "number", by: str = "I"
) -> Iterator[Use]:
    match node:
        case ast.Name(name):
            if name not in CONTRASTS:
                yield Use(unaliased(name), how, by)
        case ast.Attribute():  # a contrast, such as contr.sum
            return
        case ast.Call():
            yield from _call_uses(node)
        case ast.Compare(left, _, [right]):
            text = any(
                isinstance(side, ast.Constant) and isinstance(side.value, str)
                for side in (left, right)
            )
            for side in (left, right):
                yield from _uses(side, "compared" if text else how, by)
        case _:
            for inner in ast.iter_child_nodes(node):
                yield from _uses(inner, how, by)


def _call_uses(node: ast.Call) -> Iterator[Use]:
    function = ast.unparse(node.func)
    for argument in (*node.args, *(keyword_.value for keyword_ in node.keywords)):
        marked = function == "C" and isinstance(argument, ast.Name)
        yield from _uses(argument, "category" if marked else "number", function)
