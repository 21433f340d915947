"""The equation of a further parameter: ``sigma ~ x + (1 | g)``, on the parameter's link.

Or of a predictor with missing values, ``x | mi() ~ z + (1 | g)``.
"""

from dataclasses import dataclass

from hiermix.formula.names import quoted

MU = "mu"
"""The equation that a formula's own right side is: of the response's location."""


@dataclass(frozen=True)
class EquationText:
    """What stands right of the tilde in one equation, but for its group terms."""

    name: str
    population: str
    offsets: tuple[str, ...]
    imputes: bool = False
    """Whether it is of a predictor with missing values: ``x | mi() ~ z``."""

    @property
    def pieces(self) -> tuple[str, ...]:
        """Texts of sums of terms."""
        return self.population, *self.offsets


def qualified(name: str, equation: str) -> str:
    """Name of an effect of an equation, as results have it: ``sigma_x``; ``x`` of mu."""
    return name if equation == MU else f"{equation}_{name}"


def written(equation: EquationText, groups: str, left: str = "") -> str:
    """Put an equation together again, in the canonical form."""
    offsets = [f"offset({text})" for text in equation.offsets]
    right = " + ".join([equation.population, *offsets, *([groups] if groups else [])])
    left = left or quoted(equation.name) + (" | mi()" if equation.imputes else "")
    return f"{left} ~ {right}"
