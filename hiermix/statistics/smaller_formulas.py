"""A smaller formula, of the same columns, for sums that were made for a larger one."""

from collections.abc import Mapping

from hiermix.design.coding import Coding
from hiermix.errors import DataError
from hiermix.formula.formula import Formula, parse
from hiermix.formula.terms.residual_terms import Residuals

_SAME = {"response": "response", "offsets": "offset", "beside": "term beside the response"}
"""What a smaller formula has as the statistics have it, and what it is called."""


def smaller(coding: Coding, formula: str, also: Mapping[str, str] | None = None) -> Coding:
    """Return how the columns of a smaller formula are coded.

    Parameters
    ----------
    coding : Coding
        Of the formula that the sums were made for.
    formula : str
        The smaller one.
    also : mapping of str to str, optional
        Further parts that must be as they were, and what they are called.

    Raises
    ------
    DataError
        A part is another one than that of the statistics.
    """
    parsed = parse(formula)
    for part, name in (_SAME | dict(also or {})).items():
        if getattr(parsed, part) != getattr(coding.formula, part):
            raise DataError(
                f"{formula!r} has another {name} than the statistics, which are of "
                f"{str(coding.formula)!r}"
            )
    known = _residuals(coding.formula)
    for term in _residuals(parsed):
        if term not in known:
            what = f"of {known[0]}" if known else "of independent residuals"
            raise DataError(f"{formula!r} has {term}, and the statistics are {what}")
    return coding.on_formula(parsed)


def _residuals(formula: Formula) -> list[Residuals]:
    return [each for each in formula.specials if isinstance(each, Residuals)]
