"""Reads a bracket with a bar, or a grouping spec."""

from collections.abc import Sequence

from hiermix.errors import FormulaError
from hiermix.formula.calls import is_call
from hiermix.formula.special_products import varying
from hiermix.formula.sums import BAR_HELP, joined, stray
from hiermix.formula.terms import Group, GroupTerm, registry
from hiermix.formula.terms.effect_laws import EffectLaw
from hiermix.formula.terms.memberships import MemberCovariates, Memberships
from hiermix.formula.terms.protocols import Grouped, Special
from hiermix.formula.tokens import Reader, Token, checked_text, column_of


def bar(reader: Reader) -> list[GroupTerm]:
    """Read one bracket with a bar; ``a/b`` gives a term for a and one for a:b."""
    opening = reader.next()
    if reader.at("|", "||"):
        reader.fail(f"nothing stands left of the bar: {BAR_HELP}")
    side = varying(reader)
    effects = joined(side.terms, side.intercept, explicit=True)
    correlated = reader.next().text == "|"
    key = _key(reader) if correlated else None
    how = _special(reader)
    factors = _factors(reader) if how is None else [how.factor]
    if reader.at("|", "||"):
        reader.fail(f"a group term has one bar: {BAR_HELP}")
    if not reader.take(")"):
        reader.fail(
            "a grouping factor is a column, a:b or a/b; for two factors write two terms, "
            "and put a name with a space in backticks"
        )
    if effects == "0" and not side.specials:
        reader.fail(f"nothing varies in this group term: {BAR_HELP}", opening)
    _check_covariates(reader, side.specials, how, opening)
    return [
        GroupTerm(
            effects, factor, correlated, key=key, how=_says_more(how),
            specials=tuple(side.specials),
        )
        for factor in factors
    ]  # fmt: skip


def _check_covariates(
    reader: Reader, specials: Sequence[Special], how: Grouped | None, opening: Token
) -> None:
    """Raise for covariates of memberships beside none, or beside another number of them."""
    for each in specials:
        if not isinstance(each, MemberCovariates):
            continue
        if not isinstance(how, Memberships):
            reader.fail(f"{each} stands beside memberships: (1 + {each} | mm(g1, g2))", opening)
        if len(each.columns) != len(how.factor):
            reader.fail(
                f"{each} has {len(each.columns)} columns, and {how.name} {len(how.factor)}: one "
                "for each membership",
                opening,
            )


def _key(reader: Reader) -> str | None:
    """Read the name between two bars, which correlates terms: ``(x | p | g)``."""
    name, bars = reader.token, reader.tokens[reader.place + 1 : reader.place + 2]
    if name.kind != "name" or [each.text for each in bars] != ["|"]:
        return None
    reader.place += 2
    if "." in name.text:
        reader.fail("between two bars stands a plain word, as in (x | p | g)", name)
    return name.text


def _special(reader: Reader) -> Grouped | None:
    """Read a special call in the place of a factor, if there is one."""
    known = reader.token.text in registry.GROUPS and is_call(reader)
    return registry.GROUPS[reader.token.text](reader) if known else None


def _says_more(how: Grouped | None) -> Grouped | None:
    """Return a special call; None for one that says no more than the factor does."""
    return None if isinstance(how, EffectLaw) and how.plain else how


def _factors(reader: Reader) -> list[tuple[str, ...]]:
    factors = [_interaction(reader)]
    while reader.take("/"):
        factors.append((*factors[-1], *_interaction(reader)))
    return factors


def _interaction(reader: Reader) -> tuple[str, ...]:
    names = [_factor(reader)]
    while reader.take(":"):
        names.append(_factor(reader))
    return tuple(names)


def _factor(reader: Reader) -> str:
    token = reader.next()
    if token.kind not in ("name", "quoted"):
        reader.fail(f"a grouping factor is missing right of the bar: {BAR_HELP}", token)
    if reader.at("("):
        reader.fail("a grouping factor is a column: make the column before the fit", token)
    return column_of(reader, token)


def bars_of(spec: object) -> list[GroupTerm]:
    """Return the group terms of a spec, read as the text that says the same."""
    if not isinstance(spec, Group):
        raise FormulaError(f"groups holds a {type(spec).__name__}: write Group('g', '1 + x')")
    effects, by = checked_text(spec.effects, "effects"), checked_text(spec.by, "by")
    reader = Reader(f"({effects} {'|' if spec.correlated else '||'} {by})")
    terms = bar(reader)
    if any(term.key for term in terms):
        raise FormulaError(f"effects {effects!r}: a group term has one bar: {BAR_HELP}")
    if reader.token.kind != "end":
        stray(reader)
    return terms
