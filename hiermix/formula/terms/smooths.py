"""``s(x, k=10, by=f)``: a curve of x, as smooth as the data ask for."""

from dataclasses import dataclass

from hiermix.formula.equations import MU
from hiermix.formula.terms.special_calls import Call, text
from hiermix.formula.terms.special_calls import column as written
from hiermix.formula.tokens import Reader, Use

DEFAULT_SIZE = 10
LEAST_SIZE = 3


@dataclass(frozen=True)
class Smooth:
    """A curve of a column; with a curve for each level of another, or times another."""

    column: str
    size: int = DEFAULT_SIZE
    """k, the dimension of the curves that it can be: a straight line is two of it."""
    by: str | None = None
    equation: str = MU

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it names."""
        return (self.column,) if self.by is None else (self.column, self.by)

    @property
    def uses(self) -> tuple[Use, ...]:
        """Its column is numbers, and `by` as it stands."""
        own = Use(self.column, "number", "s")
        return (own,) if self.by is None else (own, Use(self.by, "bare"))

    @property
    def label(self) -> str:
        """What results call it, in its equation."""
        return text("s", [self.column], {"by": written(self.by)})

    def __str__(self) -> str:
        size = None if self.size == DEFAULT_SIZE else self.size
        return text("s", [self.column], {"k": size, "by": written(self.by)})


def read(reader: Reader) -> Smooth:
    """Read ``s(x, k=10, by=f)``."""
    call = Call(reader, "s(x, k=10, by=f)")
    column = call.column("x")
    size = call.whole("k", DEFAULT_SIZE, LEAST_SIZE)
    by = call.optional_column("by", by_place=False)
    call.done()
    if by == column:
        call.fail(f"s(): by is another column than {column!r}")
    return Smooth(column, size, by)
