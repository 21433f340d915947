"""``mo(x)``: an effect of an ordered predictor that goes one way, in steps of any size."""

from dataclasses import dataclass

from hiermix.formula.equations import MU
from hiermix.formula.terms.special_calls import Call, text
from hiermix.formula.tokens import Reader, Use


@dataclass(frozen=True)
class Monotonic:
    """A column of ordered categories or whole numbers."""

    column: str
    equation: str = MU

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it names."""
        return (self.column,)

    @property
    def uses(self) -> tuple[Use, ...]:
        """Its column, by its levels."""
        return (Use(self.column, "category"),)

    def __str__(self) -> str:
        return text("mo", [self.column], {})


def read(reader: Reader) -> Monotonic:
    """Read ``mo(x)``."""
    call = Call(reader, "mo(x)")
    column = call.column("x")
    call.done()
    return Monotonic(column)
