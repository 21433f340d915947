"""Sums, products and powers of terms, written in one canonical way."""

from collections.abc import Iterator, Sequence
from typing import NoReturn

from hiermix.formula import foreign_syntax
from hiermix.formula.calls import braces, call, is_call
from hiermix.formula.names import quoted
from hiermix.formula.terms import GroupTerm
from hiermix.formula.terms.protocols import Special
from hiermix.formula.tokens import Reader, Token, Use, column_of

_HIGHEST_POWER = 9


BAR_HELP = "write (1 | g) for intercepts, (x | g) for intercepts and slopes that vary over g"


def uses(text: str) -> tuple[Use, ...]:
    """Return how a piece of a parsed formula uses columns, in the order of first mention."""
    reader = Reader(text)
    sum_of(reader, until="")
    return tuple(dict.fromkeys(reader.uses))


def columns(text: str) -> tuple[str, ...]:
    """Return the columns that a piece of a parsed formula names."""
    return tuple(dict.fromkeys(use.column for use in uses(text)))


def terms(text: str) -> tuple[str, ...]:
    """Return the terms of a sum that a parsed formula holds."""
    return tuple(term for _, term in sum_of(Reader(text), until="").terms)


class Side:
    """The right side of a formula, or the left side of a bar."""

    def __init__(self) -> None:
        self.terms: list[tuple[str, str]] = []  # sign, text
        self.intercept = True
        self.bars: list[GroupTerm] = []
        self.offsets: list[str] = []
        self.specials: list[Special] = []

    def add(self, sign: str, text: str) -> None:
        """Take a term, or the intercept that 0 and 1 take away and bring."""
        if text in ("0", "1"):
            self.intercept = (sign == "+") == (text == "1")
        else:
            self.terms.append((sign, text))


def signs(reader: Reader, until: str) -> Iterator[str]:
    """Yield the sign of each term of a sum; the caller reads the term between two signs."""
    sign = reader.next().text if reader.at("+", "-") else "+"
    while True:
        yield sign
        if reader.token.kind == "end" or (until and reader.at(*until.split())):
            return
        if not reader.at("+", "-"):
            stray(reader)
        sign = reader.next().text


def stray(reader: Reader) -> NoReturn:
    """Raise for what can't follow a term."""
    token = reader.token
    if token.text == "~":
        reader.fail("a formula has one ~")
    if token.text in ("|", "||"):
        reader.fail(f"a group term stands in brackets: {BAR_HELP}")
    if token.kind in ("other", "foreign"):
        reader.fail(f"{token.text!r} is not allowed in a formula")
    reader.fail(f"an operator is missing before {token.text!r}")


def no_minus(reader: Reader, sign: str, what: str) -> None:
    """Raise for a minus before what has no negative."""
    if sign == "-":
        reader.fail(f"{what} can't be taken away: leave it out")


def joined(terms: Sequence[tuple[str, str]], intercept: bool, *, explicit: bool) -> str:
    """Put a sum together: ``0 +`` where there is no intercept, ``1`` where nothing else is."""
    shown = "0" if not intercept else "1" if explicit or not terms else ""
    text = shown
    for sign, term in terms:
        text += f" {sign} {term}" if text else term if sign == "+" else f"1 - {term}"
    return text


def sum_of(reader: Reader, until: str) -> Side:
    """Read a sum of terms up to a token, or to the end."""
    side = Side()
    for sign in signs(reader, until):
        side.add(sign, product(reader))
    return side


def product(reader: Reader) -> str:
    """Read powers joined by operators that are stronger than a plus."""
    text = power(reader)
    while reader.at("*", "/", ":", "in"):
        operator = reader.next().text
        text += operator if operator == ":" else f" {operator} "
        text += power(reader)
    return text


def power(reader: Reader) -> str:
    """Read an atom, or a power of one."""
    text = atom(reader)
    if not reader.at("**", "^"):
        return text
    reader.next()
    exponent = reader.next()
    if exponent.kind in ("name", "quoted"):
        reader.fail(foreign_syntax.NONLINEAR, exponent)
    if not exponent.text.isdecimal() or not 1 <= int(exponent.text) <= _HIGHEST_POWER:
        reader.fail(f"the power of terms is a whole number from 1 to {_HIGHEST_POWER}", exponent)
    return f"{text}**{exponent.text}"


def atom(reader: Reader) -> str:
    """Read a column, a call, a bracket, 0 or 1."""
    if reader.token.kind == "name" and is_call(reader):
        return call(reader)
    if reader.at("{"):
        return braces(reader)
    if reader.at("("):
        return _brackets(reader)
    token = reader.next()
    if token.kind in ("name", "quoted"):
        column = column_of(reader, token)
        reader.uses.append(Use(column, "bare"))
        return quoted(column)
    if token.text in ("0", "1"):
        return token.text
    return _no_atom(reader, token)


def _no_atom(reader: Reader, token: Token) -> NoReturn:
    if token.kind == "number":
        reader.fail("a number other than 0 and 1 is no term; for a multiple write I(2 * x)", token)
    if token.kind == "string":
        reader.fail("text is no term; a column's name stands in backticks", token)
    if token.kind in ("other", "foreign"):
        reader.fail(f"{token.text!r} is not allowed in a formula", token)
    found = f"before {token.text!r}" if token.text else "at the end"
    reader.fail(f"a term is missing {found}", token)


def _brackets(reader: Reader) -> str:
    if reader.has_bar():
        reader.fail(f"a group term stands on its own, after a +: {BAR_HELP}")
    reader.next()
    inside = reader.place
    side = sum_of(reader, until=")")
    reader.next()
    if any(token.text in ("0", "1") for token in reader.tokens[inside : reader.place]):
        # Inside brackets 1 is a member of the sum, not the intercept of the formula.
        return f"({joined(side.terms, side.intercept, explicit=True)})"
    return f"({joined(side.terms, True, explicit=False)})"
