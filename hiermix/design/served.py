"""Special terms that a design can make something of; others are refused."""

from hiermix.errors import FormulaError
from hiermix.formula.formula import Formula
from hiermix.formula.terms.category_specific import CategorySpecific
from hiermix.formula.terms.effect_laws import EffectLaw
from hiermix.formula.terms.memberships import Memberships
from hiermix.formula.terms.monotonic import Monotonic
from hiermix.formula.terms.residual_terms import Residuals
from hiermix.formula.terms.smooths import CurveTerm

KINDS: tuple[type, ...] = (
    CategorySpecific, CurveTerm, EffectLaw, Memberships, Monotonic, Residuals,
)  # fmt: skip
"""Those of `hiermix.formula.terms` that can be fitted."""


def check_served(formula: Formula) -> None:
    """Raise for special terms that can be read, but not fitted."""
    written = (*formula.specials, *(term.how for term in formula.groups if term.how))
    for each in written:
        if not isinstance(each, KINDS):
            raise FormulaError(f"{each} can be read, but not yet fitted")
