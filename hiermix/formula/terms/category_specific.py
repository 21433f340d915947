"""``cs(x)``: effects that differ from threshold to threshold of ordered categories.

The threshold above each category but the last has an equation of its own, ``cs1``, ``cs2``, ..., in
which it stands for the intercept; ``cs(x)`` is the same columns in all of them.
"""

from dataclasses import dataclass

from hiermix.formula.equations import MU
from hiermix.formula.sums import columns, joined, sum_of, uses
from hiermix.formula.tokens import Reader, Use


@dataclass(frozen=True)
class CategorySpecific:
    """A sum of terms."""

    effects: str
    equation: str = MU

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it names."""
        return tuple(columns(self.effects))

    @property
    def uses(self) -> tuple[Use, ...]:
        """Its columns, as any sum has them."""
        return tuple(uses(self.effects))

    def __str__(self) -> str:
        return f"cs({self.effects})"


def read(reader: Reader) -> CategorySpecific:
    """Read ``cs(x + z)``."""
    name = reader.next()
    reader.take("(")
    side = sum_of(reader, until=")")
    if not reader.take(")"):
        reader.fail("cs(x + z) has a sum of terms")
    if not side.terms:
        reader.fail("cs() has no term: thresholds differ by themselves", name)
    return CategorySpecific(joined(side.terms, intercept=True, explicit=False))
