"""Predictors with missing values: ``mi(x)`` among the terms, ``x | mi() ~ z`` for its equation.

In each column of a sum such a predictor is a factor of its own, once: what its missing value adds
to a linear predictor is a number times that value.
"""

from collections.abc import Iterator, Sequence

from hiermix.errors import FormulaError
from hiermix.formula.calls import aliased
from hiermix.formula.equations import MU, EquationText
from hiermix.formula.names import QUOTED_ALIAS, alias, quoted, unaliased
from hiermix.formula.terms import GroupTerm
from hiermix.formula.terms.monotonic import Monotonic
from hiermix.formula.terms.protocols import Special
from hiermix.formula.tokens import Reader, column_of


def left_side(reader: Reader) -> tuple[str, bool]:
    """Read what stands left of an equation, and its tilde; return a name, and whether it imputes.

    A parameter stands alone, a predictor with missing values has ``| mi()`` behind it.
    """
    name = reader.next()
    imputes = name.kind in ("name", "quoted") and reader.take("|")
    if imputes:
        for text in ("mi", "(", ")"):
            if not reader.take(text):
                reader.fail("the equation of a predictor with missing values is x | mi() ~ z")
    if name.kind not in ("name", "quoted") or not reader.take("~"):
        reader.fail("an equation of a parameter starts with its name: sigma ~ x", name)
    return column_of(reader, name), imputes


def wanted(text: str) -> tuple[str, ...]:
    """Return the columns that stand as ``mi(x)`` in a sum of a parsed formula."""
    return tuple(_plain(call) for call in _calls(text))


def check(
    equations: Sequence[EquationText],
    groups: Sequence[GroupTerm],
    specials: Sequence[Special],
    response: str,
) -> None:
    """Raise for ``mi()`` where it can't stand, and for predictors that lack an equation or a use.

    Raises
    ------
    FormulaError
        With what to write instead.
    """
    _check_places(equations, groups, specials, response)
    used = [column for each in equations for column in wanted(each.population)]
    imputed = [each.name for each in equations if each.imputes]
    for column in used:
        if column not in imputed:
            raise FormulaError(
                f"mi({quoted(column)}) needs an equation for the missing values: add "
                f"'{quoted(column)} | mi() ~ ...' to the list of formulas"
            )
    named = [name for each in specials for name in each.columns]
    named += [name for term in groups for name in term.columns]
    pieces = [piece for each in equations for piece in each.pieces]
    pieces += [each.effects for each in groups]
    for column in imputed:
        if column not in used:
            raise FormulaError(
                f"{column!r} has an equation for its missing values, and stands nowhere as "
                f"mi({quoted(column)}): write y ~ mi({quoted(column)})"
            )
        places = sum(_mentions(piece, column) for piece in pieces)
        if places > used.count(column) or column in named:
            raise FormulaError(
                f"{column!r} has an equation for its missing values, so it stands as "
                f"mi({quoted(column)}) in every term that it is in"
            )
    in_order(equations)


def _check_places(
    equations: Sequence[EquationText],
    groups: Sequence[GroupTerm],
    specials: Sequence[Special],
    response: str,
) -> None:
    offsets = [text for each in equations for text in each.offsets]
    times = [each.times for each in specials if isinstance(each, Monotonic)]
    for text in (*(each.effects for each in groups), response, *offsets, *times):
        for call in _calls(text):
            raise FormulaError(
                f"{unaliased(call)} stands among the population terms of an equation, not in "
                "a bar, an offset or the response, nor in a product with mo()"
            )
    for each in equations:
        of_parameter = each.name != MU and not each.imputes
        for column in wanted(each.population) if of_parameter else ():
            raise FormulaError(
                f"{each.name} ~ mi({quoted(column)}): a predictor with missing values enters "
                "the location of the response, and equations of other predictors, alone"
            )


def _mentions(piece: str, column: str) -> int:
    """Count the places where a sum names a column."""
    calls, rest = _taken_apart(piece)
    return [name for text in (*calls, rest) for name in _names(text)].count(column)


def _taken_apart(text: str) -> tuple[list[str], str]:
    """Return the outermost calls of a sum, and the sum without them; identifiers, no backticks."""
    calls: list[str] = []

    def taken(call: str) -> str:
        calls.append(call)
        return "1"

    return calls, aliased(text, taken)


def _names(text: str) -> list[str]:
    reader = Reader(QUOTED_ALIAS.sub(lambda match: f"`{unaliased(match[0])}`", text))
    return [token.text.strip("`") for token in reader.tokens if token.kind in ("name", "quoted")]


def _calls(text: str) -> Iterator[str]:
    """Yield every call of ``mi`` in a sum, with identifiers in place of backticks."""
    for call in _taken_apart(text)[0]:
        if call.startswith("mi("):
            yield call
        elif "mi" in _names(call):
            raise FormulaError(
                f"mi() stands inside no other function, as in {unaliased(call)}: a predictor with "
                "missing values enters as it is. Transform the column in the data instead"
            )


def _plain(call: str) -> str:
    """Return the column of ``mi(x)``."""
    inside = call.removeprefix("mi(").removesuffix(")")
    column = unaliased(inside)
    if inside != alias(column):
        raise FormulaError(f"mi() takes the name of a column, not {column}")
    return column


def in_order(equations: Sequence[EquationText]) -> tuple[str, ...]:
    """Return the predictors with missing values, each behind those that its equation needs.

    Raises
    ------
    FormulaError
        Equations need each other in a circle.
    """
    needs = {each.name: set(wanted(each.population)) for each in equations if each.imputes}
    found: list[str] = []
    while needs:
        ready = [name for name, others in needs.items() if others <= set(found)]
        if not ready:
            names = " and ".join(f"{quoted(name)} | mi()" for name in needs)
            raise FormulaError(
                f"the equations of {names} need each other: leave one of them out of the other"
            )
        found += ready
        needs = {name: others for name, others in needs.items() if name not in ready}
    return tuple(found)
