"""``mo(x)``: an effect of an ordered predictor that goes one way, in steps of any size.

In a product of terms, ``mo(x):z``, it is the effect of one unit of the rest.
"""

from dataclasses import dataclass

from hiermix.formula.equations import MU
from hiermix.formula.sums import columns, uses
from hiermix.formula.terms.special_calls import Call, text
from hiermix.formula.tokens import Reader, Use


@dataclass(frozen=True)
class Monotonic:
    """A column of ordered categories or whole numbers."""

    column: str
    times: str = ""
    """The rest of the product that it stands in."""
    equation: str = MU
    id: str | None = None
    """Effects of one equation and one id share the way among their steps alike."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it names."""
        return self.column, *(columns(self.times) if self.times else ())

    @property
    def uses(self) -> tuple[Use, ...]:
        """Its column by its levels, and those of the rest as any sum has them."""
        return Use(self.column, "category"), *(uses(self.times) if self.times else ())

    @property
    def call(self) -> str:
        """The same as results name it: without an id, and the rest of its product."""
        return text("mo", [self.column], {})

    def __str__(self) -> str:
        call = text("mo", [self.column], {"id": self.id})
        return f"{call}:{self.times}" if self.times else call


def read(reader: Reader) -> Monotonic:
    """Read ``mo(x, id="a")``."""
    call = Call(reader, 'mo(x, id="a")')
    column = call.column("x")
    of = call.words("id")
    call.done()
    return Monotonic(column, id=of)
