"""``hsgp(x, k=20, by=f, c=1.5)``: a curve of x that is a Gaussian process, in k columns."""

from dataclasses import dataclass
from typing import ClassVar

from hiermix.formula.terms.smooths import CurveTerm
from hiermix.formula.terms.special_calls import Call, Written
from hiermix.formula.tokens import Reader

DEFAULT_SIZE, DEFAULT_FACTOR = 20, 1.5
_USAGE = "hsgp(x, k=20, by=f, c=1.5, lower=0, upper=10)"


@dataclass(frozen=True)
class Process(CurveTerm):
    """A process of squared-exponential covariance: k is the number of its columns."""

    word: ClassVar[str] = "hsgp"
    default_size: ClassVar[int] = DEFAULT_SIZE

    size: int = DEFAULT_SIZE
    factor: float = DEFAULT_FACTOR
    """c, how far its columns reach, in half widths of the range."""
    lower: float | None = None
    upper: float | None = None
    """Ends of the range, those of the rows where they are not written."""

    @property
    def further(self) -> dict[str, Written | None]:
        """What else was written, beside k and by."""
        factor = None if self.factor == DEFAULT_FACTOR else self.factor
        each = {"c": factor, "lower": self.lower, "upper": self.upper}
        return {name: None if value is None else Written(repr(value).removesuffix(".0"))
                for name, value in each.items()}  # fmt: skip


def read(reader: Reader) -> Process:
    """Read ``hsgp(x, k=20, by=f, c=1.5, lower=0, upper=10)``."""
    call = Call(reader, _USAGE)
    column = call.column("x")
    size = call.whole("k", DEFAULT_SIZE, 1)
    by = call.optional_column("by", by_place=False)
    factor = call.number("c", DEFAULT_FACTOR, 1.0)
    lower, upper = call.optional_number("lower"), call.optional_number("upper")
    call.done()
    if by == column:
        call.fail(f"hsgp(): by is another column than {column!r}")
    if lower is not None and upper is not None and not lower < upper:
        call.fail("hsgp(): lower is below upper")
    return Process(column, size, by, factor=factor, lower=lower, upper=upper)
