"""What stands behind the response's bar, such as ``trials(n)`` or ``cens(c, y2)``.

A kind is one row of `_KINDS`: the names of its arguments, which a formula may write or leave out,
and for each whether a number may stand in place of a column.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

from hiermix.formula.names import quoted
from hiermix.formula.tokens import Reader, Token, column_of

type Amount = str | float
"""A column's name, or one number for all rows; True where something is said to be so."""


@dataclass(frozen=True)
class ResponseTerms:
    """What a formula says beside its response, each None where it does not."""

    trials: str | None = None
    """A column, or a whole number as text."""
    censored: str | None = None
    end: str | None = None
    """Upper ends of responses that are known to lie in an interval."""
    least: Amount | None = None
    most: Amount | None = None
    """Bounds beyond which no response is seen."""
    rate: str | None = None
    """A column: how long, or over how much, events were counted."""
    se: str | None = None
    """A column: standard errors that are known."""
    sigma: bool | None = None
    """Whether there is a residual sd beside these; None where that is not said."""
    items: str | None = None
    """A column: items that have thresholds of their own."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named."""
        return tuple(str(each) for name, each in self._said() if _is_column(name, each))

    @property
    def known_errors(self) -> bool:
        """Whether standard errors are all there is of residuals."""
        return self.se is not None and not self.sigma

    @property
    def offsets(self) -> tuple[str, ...]:
        """What they add to the linear predictor of the response."""
        return () if self.rate is None else (f"np.log({quoted(self.rate)})",)

    def _said(self) -> Iterator[tuple[str, Amount]]:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and value is not False:
                yield each.name, value

    def __str__(self) -> str:
        said = dict(self._said())
        return "".join(kind.written(name, said) for name, kind in _KINDS.items())


NOTHING_BESIDE = ResponseTerms()


class _Argument(NamedTuple):
    name: str
    field: str
    numbers: str = ""
    """Which numbers may stand here: none, ``"whole"`` ones, ``"any"``, or ``"truth"`` values."""
    default: bool = False
    """Whether it may be left out."""


class _Kind(NamedTuple):
    arguments: tuple[_Argument, ...]
    named: bool = False
    """Whether its canonical text names them."""

    def written(self, name: str, said: Mapping[str, Amount]) -> str:
        """Return the canonical text, ``""`` where nothing is said."""
        texts = [
            (f"{each.name}=" if self.named or each.numbers == "truth" else "")
            + _text(each.field, said[each.field])
            for each in self.arguments
            if each.field in said
        ]
        return f" | {name}({', '.join(texts)})" if texts else ""


_KINDS = {
    "trials": _Kind((_Argument("size", "trials", "whole"),)),
    "cens": _Kind((_Argument("censored", "censored"), _Argument("y2", "end", default=True))),
    "trunc": _Kind(
        (
            _Argument("lb", "least", "any", default=True),
            _Argument("ub", "most", "any", default=True),
        ),
        named=True,
    ),
    "rate": _Kind((_Argument("time", "rate"),)),
    "thres": _Kind((_Argument("gr", "items"),), named=True),
    "se": _Kind((_Argument("se", "se"), _Argument("sigma", "sigma", "truth", default=True))),
}


def _is_column(field: str, value: Amount) -> bool:
    return isinstance(value, str) and not (field == "trials" and value.isdecimal())


def _text(field: str, value: Amount) -> str:
    if isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return f"{value:.17g}"
    return quoted(value) if _is_column(field, value) else value


def read_terms(reader: Reader) -> ResponseTerms:
    """Read everything behind the response's bar, up to the tilde."""
    found: dict[str, Amount] = {}
    seen: set[str] = set()
    while reader.take("|") or (seen and reader.take("+")):
        _read_one(reader, found, seen)
    found = {name: value for name, value in found.items() if value is not False}
    return ResponseTerms(**found)  # type: ignore[arg-type]


def _read_one(reader: Reader, found: dict[str, Amount], seen: set[str]) -> None:
    name = reader.next()
    if name.text == "mi":
        reader.fail(
            "mi() is for predictors, x | mi() ~ z: rows whose response is missing are left out "
            "with missing='drop', or predicted with missing='predict'", name,
        )  # fmt: skip
    if name.text not in _KINDS:
        shown = [
            f"{each}({', '.join(argument.name for argument in kind.arguments)})"
            for each, kind in _KINDS.items()
        ]
        reader.fail(f"right of the response's bar stands {' or '.join(shown)}", name)
    if name.text in seen:
        reader.fail(f"{name.text}() stands here twice", name)
    seen.add(name.text)
    if not reader.take("("):
        reader.fail(f"write {name.text}(column)")
    _read_arguments(reader, name.text, _KINDS[name.text].arguments, found)
    for each in _KINDS[name.text].arguments:
        if each.field not in found and not each.default:
            reader.fail(f"{name.text}() takes the name of a column", name)
    if not any(each.field in found for each in _KINDS[name.text].arguments):
        reader.fail(f"{name.text}() says nothing: write {name.text}(lb=0), for example", name)


def _read_arguments(
    reader: Reader, kind: str, arguments: tuple[_Argument, ...], found: dict[str, Amount]
) -> None:
    places = iter(arguments)
    while not reader.take(")"):
        named = reader.tokens[reader.place + 1 : reader.place + 2]
        start = reader.token
        if start.kind == "name" and named and named[0].text == "=":
            reader.place += 2
            argument = next((each for each in arguments if each.name == start.text), None)
        else:
            argument = next(places, None)
        if argument is None or argument.field in found:
            names = " and ".join(each.name for each in arguments)
            reader.fail(f"{kind}() takes {names}, once each", start)
        found[argument.field] = _value(reader, kind, argument)
        if not reader.take(",") and not reader.at(")"):
            reader.fail(f"{kind}() takes the name of a column")


def _value(reader: Reader, kind: str, argument: _Argument) -> Amount:
    sign = reader.next() if reader.at("-", "+") else None
    value = reader.next()
    if argument.numbers == "truth":
        if value.text not in ("True", "False") or sign is not None:
            reader.fail(f"{kind}({argument.name}=) is True or False", value)
        return value.text == "True"
    if value.kind == "number" and _allowed(argument, value, sign):
        if argument.numbers == "whole":
            return value.text
        return float(value.text) * (-1 if sign is not None and sign.text == "-" else 1)
    if value.kind not in ("name", "quoted") or sign is not None:
        number = " or a number" if argument.numbers else ""
        reader.fail(f"{kind}() takes the name of a column{number}", value)
    return column_of(reader, value)


def _allowed(argument: _Argument, value: Token, sign: Token | None) -> bool:
    if argument.numbers == "whole":
        return value.text.isdecimal() and sign is None
    return argument.numbers == "any"
