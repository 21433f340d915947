"""The formula of a model: read for a family, and checked for what has no equation there."""

from collections.abc import Collection, Sequence

from hiermix.families.family import Family
from hiermix.formula import several_responses
from hiermix.formula.formula import Formula
from hiermix.formula.terms import Group


def read(
    text: str | Sequence[str], groups: Sequence[Group], family: Family, known: Collection[object]
) -> Formula:
    """Read a formula for columns that are `known`, of one response or of several."""
    parameters = [own.name for own in family.own]
    known = () if family.unordered else known  # a category may be called as a column is
    parsed = several_responses.read(
        text, groups, family=family.name, parameters=parameters, known=known
    )
    family.check_equations(parsed)
    return parsed
