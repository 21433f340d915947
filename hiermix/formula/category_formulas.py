"""Formulas of unordered categories: one for all but the first, or one for some of them.

Where one formula says all, and categories have nothing in common but that, results have a dim of
categories. Else each category has an equation under its name, as parameters of a family have, and
that of the response is empty: the linear predictor of the reference is zero.
"""

from collections.abc import Sequence
from dataclasses import replace

from hiermix.errors import DataError, FormulaError, did_you_mean, quoted
from hiermix.formula.equations import MU, EquationText
from hiermix.formula.formula import Formula
from hiermix.formula.terms import registry
from hiermix.formula.terms.group_terms import entering


def differ(formula: Formula) -> bool:
    """Tell whether categories have formulas of their own, effects that go together, or curves."""
    keys = any(term.key for term in formula.groups)
    return bool(formula.further or formula.specials) or keys


def spread(formula: Formula, labels: Sequence[object]) -> Formula:
    """Give each category but the first an equation: its own, or what the response's says.

    Raises
    ------
    FormulaError
        An equation of the reference or of no category, an offset of the response.
    """
    if len(labels) < 2:  # what is said of the response elsewhere
        return formula
    reference, *names = map(str, labels)
    _check(formula, reference, names)
    given = {each.name: each for each in formula.further}
    rest = [name for name in names if name not in given]
    mine = [each for each in formula.groups if each.equation == MU]
    groups = [entering(each, name) for name in rest for each in mine]
    specials = [each for each in formula.specials if each.equation == MU]
    copied = [registry.entering(each, name) for name in rest for each in specials]
    return replace(
        formula,
        population="0",
        groups=(*groups, *(each for each in formula.groups if each.equation != MU)),
        further=tuple(given.get(name) or EquationText(name, formula.population, ())
                      for name in names),
        specials=(*copied, *(each for each in formula.specials if each.equation != MU)),
    )  # fmt: skip


def check_all_there(formula: Formula, labels: Sequence[object]) -> None:
    """Raise where rows that are left out were all of a category that has an equation."""
    gone = [each.name for each in formula.further if each.name not in [*map(str, labels)]]
    if gone:
        raise DataError(
            f"no row of category {gone[0]!r} of {formula.response!r} is complete: drop its rows "
            "before the fit"
        )


def _check(formula: Formula, reference: str, names: Sequence[str]) -> None:
    if formula.offsets:
        raise FormulaError(
            "unordered categories have several linear predictors: an offset stands in the formula "
            f"of one of them, such as {quoted(f'{names[0]} ~ offset(x)')}"
        )
    for each in formula.further:
        if each.name == reference:
            raise FormulaError(
                f"{each.name!r} is the first category, the reference, which has no formula: log "
                f"odds against it are those of {', '.join(names)}"
            )
        if each.name not in names:
            near = did_you_mean(each.name, names)
            raise FormulaError(
                f"{each.name!r} is no category of {formula.response!r} with a formula.{near} "
                f"Those are {', '.join(names)}"
            )
    bad = [name for name in names if name == MU or "/" in name or "`" in name]
    if bad:
        raise FormulaError(
            f"category {bad[0]!r} can't name a formula: call it otherwise, without / and `"
        )
