"""Special terms among those of a sum, alone or, where they may, in products with other terms."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from hiermix.formula.calls import is_call
from hiermix.formula.sums import Side, no_minus, power, product, signs
from hiermix.formula.terms import registry
from hiermix.formula.terms.monotonic import Monotonic
from hiermix.formula.terms.protocols import Special
from hiermix.formula.tokens import Reader

_ENDS = ("+", "-", "|", "||", "~")


def add_term(side: Side, reader: Reader, sign: str) -> None:
    """Read what stands between two signs, special or not, and add it to a side."""
    if _multiplied(reader):
        no_minus(reader, sign, "mo()")
        for term in _product(reader):
            if isinstance(term, str):
                side.add("+", term)
            else:
                side.specials.append(term)
    elif registry.at_special(reader):
        no_minus(reader, sign, f"{reader.token.text}()")
        side.specials.append(registry.special(reader))
    else:
        side.add(sign, product(reader))


def varying(reader: Reader) -> Side:
    """Read the left side of a bar."""
    side = Side()
    for sign in signs(reader, until="| ||"):
        if (reader.token.text in registry.VARYING and is_call(reader)) or _multiplied(reader):
            add_term(side, reader, sign)
        else:
            side.add(sign, product(reader))
    return side


def _multiplied(reader: Reader) -> bool:
    """Tell whether the term at the current place is a product with ``mo(x)`` in it."""
    place, found, several = reader.place, False, False
    while place < len(reader.tokens) and reader.tokens[place].text not in (*_ENDS, ")"):
        text = reader.tokens[place].text
        if text in ("(", "{"):
            place = reader.closing(place)
        found |= text == "mo" and is_call(reader, place)
        several |= text in (":", "*", "/", "^", "**", "in")
        place += 1
    return found and several


def _product(reader: Reader) -> Iterator[str | Special]:
    """Read ``mo(x) * z:w`` and yield its terms: of ``*`` each factor and their products."""
    factors = [_interaction(reader)]
    while reader.take("*"):
        factors.append(_interaction(reader))
    if reader.at("/", "in", "^", "**"):
        reader.fail("mo() stands in products with : and * alone")
    for size in range(1, len(factors) + 1):
        for some in combinations(factors, size):
            yield _term(reader, [one for factor in some for one in factor])


def _interaction(reader: Reader) -> list[str | Monotonic]:
    parts = [_factor(reader)]
    while reader.take(":"):
        parts.append(_factor(reader))
    return parts


def _factor(reader: Reader) -> str | Monotonic:
    if not (reader.at("mo") and is_call(reader)):
        return power(reader)
    found = registry.RIGHT_SIDE["mo"](reader)
    assert isinstance(found, Monotonic)
    return found


def _term(reader: Reader, parts: Sequence[str | Monotonic]) -> str | Special:
    rest = list(dict.fromkeys(part for part in parts if isinstance(part, str)))
    effects = list(dict.fromkeys(part for part in parts if isinstance(part, Monotonic)))
    if len(effects) > 1:
        reader.fail("a product has one mo(): steps times steps are no monotonic effect")
    return replace(effects[0], times=":".join(rest)) if effects else ":".join(rest)
