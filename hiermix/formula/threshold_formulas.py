"""Equations of thresholds between ordered categories: ``cs(x)`` is the same columns in all of them.

They are called ``cs1``, ``cs2``, ..., for the threshold above the first category, the second, and
so on; in each the threshold stands for the intercept.
"""

import re
from dataclasses import replace

from hiermix.errors import FormulaError
from hiermix.formula.equations import EquationText
from hiermix.formula.formula import Formula
from hiermix.formula.sums import terms
from hiermix.formula.terms.category_specific import CategorySpecific

_NAME = re.compile(r"cs([1-9][0-9]*)")


def name_of(threshold: int) -> str:
    """Name of the equation of a threshold, counted from 1."""
    return f"cs{threshold}"


def threshold_of(name: str) -> int | None:
    """Return the threshold that an equation of this name is of, if it is one."""
    found = _NAME.fullmatch(name)
    return None if found is None else int(found[1])


def specific(formula: Formula) -> list[CategorySpecific]:
    """Return what was written as ``cs(x)``."""
    return [each for each in formula.specials if isinstance(each, CategorySpecific)]


def spread(formula: Formula, thresholds: int) -> Formula:
    """Give each threshold an equation with the terms of ``cs(x)``.

    Raises
    ------
    FormulaError
        The terms stand beside ``cs(x)`` too; an equation of no threshold.
    """
    _check(formula, thresholds)
    found = specific(formula)
    if not found:
        return formula
    text = " + ".join(each.effects for each in found)
    names = map(name_of, range(1, thresholds + 1))
    return replace(
        formula,
        further=(*formula.further, *(EquationText(name, text, ()) for name in names)),
        specials=tuple(each for each in formula.specials if each not in found),
    )


def _check(formula: Formula, thresholds: int) -> None:
    names = [each.name for each in formula.further]
    for name in names:
        if (threshold_of(name) or 0) > thresholds:
            raise FormulaError(
                f"{name!r} is the equation of no threshold: there are {thresholds}, the last one "
                f"is {name_of(thresholds)!r}"
            )
    own = [each for each in formula.further if threshold_of(each.name)]
    if len(own) == thresholds:
        everywhere = set.intersection(*(set(terms(each.population)) for each in own))
        for term in terms(formula.population):
            if term in everywhere - {"0", "1"}:
                raise FormulaError(
                    f"{term} stands in the formula of the response and in those of all thresholds: "
                    "its effects there say all, leave it out of the former"
                )
    found = specific(formula)
    if found and own:
        raise FormulaError(f"{found[0]} is in the equations of all thresholds: write it there")
    for each in found:
        both = [term for term in terms(each.effects) if term in terms(formula.population)]
        if both:
            raise FormulaError(
                f"{both[0]} stands in {each} and beside it: its effects at all thresholds say "
                "all, leave it out beside"
            )
