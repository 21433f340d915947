"""``ar(time, by=g)`` and ``unstr(visit, by=id)``: residuals that go together."""

from dataclasses import dataclass

from hiermix.formula.equations import MU
from hiermix.formula.terms.special_calls import Call, text
from hiermix.formula.terms.special_calls import column as written
from hiermix.formula.tokens import Reader, Use


@dataclass(frozen=True)
class Residuals:
    """Which rows belong together, and where each stands among them."""

    place: str
    """Column of times or positions."""
    by: str | None = None
    """Column that names series or units; one for all rows without."""
    equation: str = MU

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it names."""
        return (self.place,) if self.by is None else (self.place, self.by)

    @property
    def uses(self) -> tuple[Use, ...]:
        """None goes to formulaic: times and labels are read as they stand."""
        return ()


class AutoRegression(Residuals):
    """Residuals of a series are correlated the less the further apart they are in time."""

    def __str__(self) -> str:
        return text("ar", [self.place], {"by": written(self.by)})


class Unstructured(Residuals):
    """Each position of a unit has a residual sd, each pair of them a correlation."""

    def __str__(self) -> str:
        return text("unstr", [self.place], {"by": written(self.by)})


def read_autoregression(reader: Reader) -> AutoRegression:
    """Read ``ar(time, by=g)``."""
    call = Call(reader, "ar(time, by=g)")
    place, by = call.column("time"), call.optional_column("by", by_place=False)
    call.done()
    if by == place:
        call.fail(f"ar(): by is another column than {place!r}")
    return AutoRegression(place, by)


def read_unstructured(reader: Reader) -> Unstructured:
    """Read ``unstr(visit, by=id)``."""
    call = Call(reader, "unstr(visit, by=id)")
    place, by = call.column("visit"), call.column("by")
    call.done()
    if by == place:
        call.fail(f"unstr(): by is another column than {place!r}")
    return Unstructured(place, by)
