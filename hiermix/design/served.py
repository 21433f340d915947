"""Special terms that a design can make something of; others are refused."""

from hiermix.design import level_steps
from hiermix.errors import FormulaError
from hiermix.formula.formula import Formula
from hiermix.formula.terms.category_specific import CategorySpecific
from hiermix.formula.terms.effect_laws import EffectLaw
from hiermix.formula.terms.memberships import MemberCovariates, Memberships
from hiermix.formula.terms.monotonic import Monotonic
from hiermix.formula.terms.residual_terms import Residuals
from hiermix.formula.terms.smooths import CurveTerm

KINDS: tuple[type, ...] = (
    CategorySpecific, CurveTerm, EffectLaw, MemberCovariates, Memberships, Monotonic, Residuals,
)  # fmt: skip
"""Those of `hiermix.formula.terms` that can be fitted."""


def check_served(formula: Formula, *, unordered: bool, weighted: bool) -> None:
    """Raise for special terms that can be read, but not fitted."""
    if formula.imputed:
        _check_imputed(formula, unordered=unordered, weighted=weighted)
    written = (*formula.all_specials, *(term.how for term in formula.groups if term.how))
    for each in written:
        if not isinstance(each, KINDS):
            raise FormulaError(f"{each} can be read, but not yet fitted")
    for each in formula.specials:
        if isinstance(each, MemberCovariates):
            raise FormulaError(
                f"{each} is a slope of levels of which a row has several: it stands left of a bar "
                f"alone, (1 + {each} | mm(g1, g2))"
            )
    level_steps.check(formula)


def _check_imputed(formula: Formula, *, unordered: bool, weighted: bool) -> None:
    """Raise for what can't stand beside predictors with missing values."""
    shown = f"{formula.imputed[0]} | mi()"
    if unordered:
        raise FormulaError(
            f"{shown}: predictors of categories without an order have no equation yet"
        )
    if weighted:
        raise FormulaError(
            f"{shown}: a weight counts a row several times, and each time would have a missing "
            "value of its own: repeat the rows instead"
        )
    for each in formula.specials:
        if isinstance(each, Residuals):
            raise FormulaError(
                f"{shown} stands beside rows with residuals of their own: leave out {each}"
            )
