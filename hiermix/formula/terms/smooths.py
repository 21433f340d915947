"""``s(x, k=10, by=f)``, ``s(x, g, bs="fs")``: curves of x, as smooth as the data ask for.

``s(hour, bs="cc", lower=0, upper=24)`` is one that ends where it begins.
"""

from dataclasses import dataclass
from typing import ClassVar

from hiermix.formula.equations import MU
from hiermix.formula.terms.special_calls import Call, Written, text
from hiermix.formula.terms.special_calls import column as written
from hiermix.formula.tokens import Reader, Use

_USAGE = 's(x, k=10, by=f), s(x, bs="cc", lower=0, upper=24), or s(x, g, bs="fs")'
DEFAULT_SIZE = 10
LEAST_SIZE = 3


@dataclass(frozen=True)
class CurveTerm:
    """A curve of a column; with a curve for each level of another, or times another."""

    word: ClassVar[str] = "s"
    default_size: ClassVar[int] = DEFAULT_SIZE

    column: str
    size: int = DEFAULT_SIZE
    """k, how much it can bend at most."""
    by: str | None = None
    equation: str = MU

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it names."""
        return (self.column,) if self.by is None else (self.column, self.by)

    @property
    def uses(self) -> tuple[Use, ...]:
        """Its column is numbers, and `by` as it stands."""
        own = Use(self.column, "number", self.word)
        return (own,) if self.by is None else (own, Use(self.by, "bare"))

    @property
    def label(self) -> str:
        """What results call it: without how much it can bend."""
        return text(self.word, [self.column], {"by": written(self.by)})

    @property
    def further(self) -> dict[str, Written | None]:
        """What else was written, beside k and by."""
        return {}

    def __str__(self) -> str:
        size = None if self.size == self.default_size else self.size
        return text(self.word, [self.column], {"k": size, "by": written(self.by), **self.further})


@dataclass(frozen=True)
class Smooth(CurveTerm):
    """A spline: k is the dimension of its curves, of which a straight line is two."""

    period: tuple[float, float] | None = None
    """Ends of the period of one that recurs."""

    @property
    def further(self) -> dict[str, Written | None]:
        """What else was written, beside k and by."""
        if self.period is None:
            return {}
        lower, upper = (Written(repr(end).removesuffix(".0")) for end in self.period)
        return {"bs": Written("'cc'"), "lower": lower, "upper": upper}


@dataclass(frozen=True)
class FactorSmooth(CurveTerm):
    """A curve for each level of a factor, lines included, as smooth as each other."""

    factor: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it names."""
        return (self.column, self.factor)

    @property
    def label(self) -> str:
        """What results call it: without how much it can bend."""
        return text(self.word, [self.column, self.factor], {})

    def __str__(self) -> str:
        size = None if self.size == self.default_size else self.size
        return text(self.word, [self.column, self.factor], {"k": size, "bs": "fs"})


def read(reader: Reader) -> CurveTerm:
    """Read ``s(x, k=10, by=f)`` or ``s(x, g, bs="fs")``."""
    call = Call(reader, _USAGE)
    column, factor = call.column("x"), call.optional_column("g")
    size = call.whole("k", DEFAULT_SIZE, LEAST_SIZE)
    by = call.optional_column("by", by_place=False)
    kind = call.word("bs", "cr", ("cr", "cc", "fs"))
    period = _period(call, cyclic=kind == "cc")
    call.done()
    if column in (by, factor):
        call.fail(f"s(): {'by' if by else 'g'} is another column than {column!r}")
    if (kind == "fs") != (factor is not None):
        call.fail('s(): a second column is a factor g, with bs="fs"; a surface is t2(x, z)')
    if factor is None:
        return Smooth(column, size, by, period=period)
    if by is not None:
        call.fail('s(): bs="fs" stands without by')
    return FactorSmooth(column, size, factor=factor)


def _period(call: Call, *, cyclic: bool) -> tuple[float, float] | None:
    """Take the ends of the period of a cyclic curve; raise where others have some."""
    lower, upper = call.optional_number("lower"), call.optional_number("upper")
    if not cyclic:
        if lower is not None or upper is not None:
            call.fail('s(): lower and upper are the ends of the period of bs="cc"')
        return None
    if lower is None or upper is None:
        call.fail(
            's(): bs="cc" needs lower and upper, the ends of the period: 0 and 24 for hours. Those '
            "of the rows would make the last hour the first one"
        )
    if not lower < upper:
        call.fail("s(): lower is below upper")
    return lower, upper
