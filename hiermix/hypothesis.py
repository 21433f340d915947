"""Probability statements about parameters: ``"floor < 0"``, read without running any Python.

Names are those of the summary: a population term, ``Intercept``, the family's own parameters,
``sd[county, floor]``, ``cor[county, Intercept, floor]``, and the coefficient of one level,
``county[ST LOUIS, floor]``. With them: numbers, ``+ - * / **``, ``abs exp log sqrt``, and
``< <= > >=``.
"""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix.categories import further, named, views
from hiermix.design import Design, Grouping
from hiermix.draws import pairs
from hiermix.errors import ArgumentError, did_you_mean
from hiermix.group_tables import coefficient_draws
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

type Read = Callable[[], FloatArray]
"""Reads the draws (chain, draw) of one parameter."""

_COMPARE: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_ARITHMETIC: Mapping[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.Pow: operator.pow,
    ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip
_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "abs": np.abs, "exp": np.exp, "log": np.log, "sqrt": np.sqrt,
}  # fmt: skip


def table(
    tree: "xr.DataTree", design: Design, statements: tuple[str, ...], prob: float
) -> pd.DataFrame:
    """One row a statement.

    Columns: estimate (left side less right side; of ``a < b < c``, its middle), sd, interval,
    probability that the statement holds, and the Monte-Carlo error of that probability.
    """
    if not 0 < prob < 1:
        raise ArgumentError(f"prob must be between 0 and 1, not {prob!r}")
    if not statements:
        raise ArgumentError("state a hypothesis, such as 'floor < 0'")
    rows = [_row(tree, design, statement, prob) for statement in statements]
    return pd.DataFrame(rows, index=pd.Index(statements, name="hypothesis"))


def _row(tree: "xr.DataTree", design: Design, statement: str, prob: float) -> dict[str, float]:
    from arviz_stats.base.array import array_stats

    value, holds = evaluate(tree, design, statement)
    tails = [(1 - prob) / 2, (1 + prob) / 2]
    low, high = np.quantile(value, tails)
    sure = bool(holds.all() or not holds.any())
    error = 0.0 if sure else float(array_stats.mcse(holds.astype(float), chain_axis=0, draw_axis=1))
    return {
        "estimate": float(value.mean()), "sd": float(value.std(ddof=1)),
        f"q{100 * tails[0]:g}": float(low), f"q{100 * tails[1]:g}": float(high),
        "probability": float(holds.mean()), "mcse": error,
    }  # fmt: skip


def evaluate(tree: "xr.DataTree", design: Design, statement: str) -> tuple[FloatArray, np.ndarray]:
    """Return draws (chain, draw) of what is compared, and whether the statement holds in each."""
    if not isinstance(statement, str):
        raise ArgumentError(f"a hypothesis is text such as 'floor < 0', not {statement!r}")
    text, found = _take_names(statement, tree, design)
    comparison = _parse(text, statement)
    shape = (tree["posterior"].sizes["chain"], tree["posterior"].sizes["draw"])
    reader = _Reader(statement, found, [name for name, _ in _known(tree, design)])
    with np.errstate(all="ignore"):
        sides = [np.broadcast_to(reader.value(side), shape) for side in
                 (comparison.left, *comparison.comparators)]  # fmt: skip
    if not np.isfinite(sides).all():
        raise ArgumentError(f"hypothesis {statement!r} is not a finite number in some draws")
    steps = zip(comparison.ops, sides[:-1], sides[1:], strict=True)
    holds = np.logical_and.reduce([_COMPARE[type(op)](a, b) for op, a, b in steps])
    value = sides[0] - sides[1] if len(sides) == 2 else sides[1]
    return np.array(value, dtype=np.float64), holds


def _parse(text: str, statement: str) -> ast.Compare:
    """Read one comparison; anything else is refused."""
    try:
        parsed = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        parsed = None
    if not isinstance(parsed, ast.Compare) or len(parsed.ops) > 2:
        raise ArgumentError(
            f"hypothesis {statement!r} is no comparison: write it as 'floor < 0' or "
            "'-0.1 < floor < 0.1'"
        )
    if any(type(op) not in _COMPARE for op in parsed.ops):
        raise ArgumentError(
            f"hypothesis {statement!r}: compare with <, <=, > or >=. A single value has "
            "probability zero; ask for an interval around it"
        )
    return parsed


class _Reader:
    """Works out an expression of placeholders, numbers and the few functions allowed."""

    def __init__(self, statement: str, found: Mapping[str, Read], known: list[str]) -> None:
        self.statement = statement
        self.found = found
        self.known = known

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return np.float64(number)
            case ast.Name(id=name) if name in self.found:
                return self.found[name]()
            case ast.UnaryOp(op=op, operand=inner) if type(op) in _ARITHMETIC:
                return _ARITHMETIC[type(op)](self.value(inner))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return _ARITHMETIC[type(op)](self.value(left), self.value(right))
            case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in _FUNCTIONS:
                return _FUNCTIONS[name](self.value(inner))
        raise self._unknown(node)

    def _unknown(self, node: ast.expr) -> ArgumentError:
        text = ast.unparse(node)
        near = did_you_mean(text, self.known)
        return ArgumentError(
            f"hypothesis {self.statement!r}: {text!r} is nothing in this fit.{near} "
            f"Known: {', '.join(self.known)}"
        )


# Names -----------------------------------------------------------------------------------------


def _take_names(statement: str, tree: "xr.DataTree", design: Design) -> tuple[str, dict[str, Read]]:
    """Put a placeholder for every name: labels may hold anything, so Python can't read them."""
    found: dict[str, Read] = {}

    def hold(read: Read) -> str:
        found[f"_p{len(found)}_"] = read
        return f" _p{len(found) - 1}_ "

    text = statement
    known = dict(_known(tree, design))
    bracketed = [name for name in known if "[" in name]
    for names in (bracketed, None, [name for name in known if "[" not in name]):
        if names is None:
            text = _take_levels(text, tree, design, hold)
            continue
        for name in sorted(names, key=len, reverse=True):
            pattern = r"\s*,\s*".join(map(re.escape, re.split(r",\s*", name)))
            place = re.compile(rf"(?<![\w.\[]){pattern}(?![\w\[])")
            while match := place.search(text):
                text = text[: match.start()] + hold(known[name]) + text[match.end() :]
    return text, found


def _known(tree: "xr.DataTree", design: Design) -> Iterator[tuple[str, Read]]:
    """Every name but those of levels, and what reads it."""
    for category, posterior in views(tree["posterior"].to_dataset(), design):
        for name, read in _parameters(posterior, design):
            yield named(name, category), read
            if category is None and name.startswith("b["):
                yield name.removeprefix("b[").removesuffix("]"), read


def _parameters(posterior: "xr.Dataset", design: Design) -> Iterator[tuple[str, Read]]:
    """Names of the parameters of one linear predictor, and of the family's own."""
    for variable in posterior.data_vars:
        if posterior[variable].dims == ("chain", "draw"):
            yield str(variable), posterior[variable].to_numpy
    if "b" in posterior:
        for term in posterior["term"].to_numpy().tolist():
            yield f"b[{term}]", posterior["b"].sel(term=term).to_numpy
    for each in design.groupings:
        for effect in each.effects:
            where = {f"{each.name}_effect": effect}
            yield f"sd[{each.name}, {effect}]", posterior[f"sd_{each.name}"].sel(where).to_numpy
        for i, j in pairs(each):
            first, second = each.effects[i], each.effects[j]
            where = {f"{each.name}_pair": f"{first}, {second}"}
            read = posterior[f"cor_{each.name}"].sel(where).to_numpy
            yield f"cor[{each.name}, {first}, {second}]", read
            yield f"cor[{each.name}, {second}, {first}]", read


def _take_levels(
    text: str, tree: "xr.DataTree", design: Design, hold: Callable[[Read], str]
) -> str:
    """Put placeholders for coefficients of levels, ``county[ST LOUIS, floor]``."""
    for each in design.groupings:
        effects = _effects(design, each)
        grouping = replace(each, effects=tuple(effects))
        start = re.compile(rf"(?<!\w){re.escape(grouping.name)}\s*\[")
        while opened := start.search(text):
            (level, effect), end = _level_and_effect(text, opened.end(), grouping)
            draws = coefficient_draws(tree, design, grouping.name)
            read = draws.sel({draws.dims[-2]: level} | effects[effect]).to_numpy
            text = text[: opened.start()] + hold(read) + text[end:]
    return text


def _effects(design: Design, grouping: Grouping) -> dict[str, dict[Any, Any]]:
    """How the effects of a factor are written, and where each is among the draws."""
    found: dict[str, dict[Any, Any]] = {}
    for category in further(design) or (None,):
        for effect in grouping.effects:
            where = {f"{grouping.name}_effect": effect}
            if category is None:
                found[effect] = where
            else:
                found[f"{category}, {effect}"] = where | {"category": category}
    return found


def _level_and_effect(text: str, start: int, grouping: Grouping) -> tuple[tuple[object, str], int]:
    """Read a level and an effect up to the bracket that closes them; labels may hold brackets."""
    labels = {str(level): level for level in grouping.levels}
    for closing in re.finditer(r"\]", text[start:]):
        inside = text[start : start + closing.start()].strip()
        for effect in grouping.effects:
            label = inside.removesuffix(effect).rstrip()
            if label.endswith(",") and inside.endswith(effect):
                label = label.removesuffix(",").strip()
                label = label if label in labels else label.strip("'\"")
                if label in labels:
                    return (labels[label], effect), start + closing.end()
        if len(grouping.effects) == 1 and inside.strip("'\"") in labels:
            return (labels[inside.strip("'\"")], grouping.effects[0]), start + closing.end()
    asked = text[start:].partition("]")[0]
    near = did_you_mean(asked.partition(",")[0].strip(), labels)
    raise ArgumentError(
        f"{grouping.name}[{asked}] names no level and effect of {grouping.name}.{near} "
        f"Write {grouping.name}[level, effect]; effects: {'; '.join(grouping.effects)}"
    )
