"""Special terms that a design can make something of; others are refused."""

from hiermix.errors import FormulaError
from hiermix.formula.formula import Formula
from hiermix.formula.terms.effect_laws import EffectLaw

KINDS: tuple[type, ...] = (EffectLaw,)
"""Those of `hiermix.formula.terms` that can be fitted."""


def check_served(formula: Formula) -> None:
    """Raise for special terms that can be read, but not yet fitted."""
    written = (*formula.specials, *(term.how for term in formula.groups if term.how))
    for each in written:
        if not isinstance(each, KINDS):
            raise FormulaError(f"{each} can be read, but not yet fitted")
