"""The formula of a model: read for a family, and checked for what has no equation there."""

from collections.abc import Collection, Sequence

from hiermix.errors import FormulaError, did_you_mean
from hiermix.families.family import Family
from hiermix.formula import foreign_syntax, several_responses, threshold_formulas
from hiermix.formula.equations import MU
from hiermix.formula.formula import Formula
from hiermix.formula.names import quoted
from hiermix.formula.sums import terms
from hiermix.formula.terms import Group
from hiermix.formula.threshold_formulas import threshold_of


def read(
    text: str | Sequence[str], groups: Sequence[Group], family: Family, known: Collection[object]
) -> Formula:
    """Read a formula for columns that are `known`, of one response or of several."""
    parameters = [own.name for own in family.own]
    known = () if family.unordered else known  # a category may be called as a column is
    parsed = several_responses.read(
        text, groups, family=family.name, parameters=parameters, known=known
    )
    check_equations(family, parsed)
    return parsed


def check_equations(family: Family, formula: Formula) -> None:
    """Raise for the equation of what is no parameter of the family.

    Raises
    ------
    FormulaError
        It is none, or one that can't vary over rows.
    """
    for part in formula.parts or (formula,):
        _check_counted(family, part)
    found = threshold_formulas.specific(formula)
    if found and not family.in_steps:
        raise FormulaError(
            f"{found[0]}: effects that differ between thresholds are for families 'sratio', "
            f"'cratio' and 'acat', not {family.name!r}. Cumulative probabilities would cross"
        )
    if formula.beside.items is not None:
        _check_items(family, formula, formula.beside.items)
    if family.unordered:  # those of categories, which the rows name
        return
    fixed = ("pushed", "within")  # numbers of all rows, between bounds
    known = [own.name for own in family.own
             if not own.of_thresholds and own.transform not in fixed]  # fmt: skip
    for each in formula.further:
        if each.imputes or (family.in_steps and threshold_of(each.name)):
            continue
        if each.name not in known:
            listed = ", ".join(known) or "none"
            raise FormulaError(
                f"family {family.name!r} has no parameter {each.name!r} for an equation."
                f"{did_you_mean(each.name, known)} Parameters that may have one: {listed}"
            )


def _check_items(family: Family, formula: Formula, item: str) -> None:
    """Raise where thresholds of items are of another family, or items shift all of theirs too."""
    if family.form != "ordered":
        instead = (
            f"thresholds differ by item with cs({quoted(item)})" if family.in_steps
            else "other families have no cumulative thresholds"
        )  # fmt: skip
        raise FormulaError(
            f"thres(gr={quoted(item)}) is for family 'ordinal', not {family.name!r}: {instead}"
        )
    for term in terms(formula.population):
        if term in (quoted(item), f"C({quoted(item)})"):
            raise FormulaError(
                f"{term} shifts all thresholds of an item, which are its own by thres(gr="
                f"{quoted(item)}): leave {term} out"
            )
    for bar in formula.groups:
        if bar.factor == (item,) and bar.equation == MU and not bar.effects.startswith("0"):
            raise FormulaError(
                f"{bar} shifts all thresholds of an item, which are its own by thres(gr="
                f"{quoted(item)}): leave it out, or write (0 + x | {quoted(item)}) for slopes"
            )


def _check_counted(family: Family, formula: Formula) -> None:
    """Raise where counts of categories are the response of another family, or none of this."""
    if family.counted and not formula.counted:
        raise FormulaError(
            f"the response of family {family.name!r} is columns of counts, one a category: write "
            f"c(a, b, c) ~ ..., not {formula.response} ~ ...; labels, a row each, are of family "
            "'categorical'"
        )
    if formula.counted and not family.counted:
        if len(formula.counted) > 2:
            raise FormulaError(
                "counts of several categories are for family='multinomial': "
                f"{formula.response} ~ ..., not for family {family.name!r}"
            )
        raise FormulaError(foreign_syntax.successes("cbind", ", ".join(formula.counted)))
