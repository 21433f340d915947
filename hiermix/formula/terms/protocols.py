"""What every special term is: see the package's own words."""

from typing import Protocol

from hiermix.formula.tokens import Use


class Special(Protocol):
    """What was written as a special call right of a tilde."""

    @property
    def equation(self) -> str:
        """The equation that it enters."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it names."""

    @property
    def uses(self) -> tuple[Use, ...]:
        """Those that go to formulaic's encoder."""

    def __str__(self) -> str: ...


class Grouped(Protocol):
    """What was written as a special call right of a bar."""

    @property
    def factor(self) -> tuple[str, ...]:
        """Columns that hold labels."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it names, those of labels among them."""

    @property
    def name(self) -> str:
        """The factor as results name it."""

    def __str__(self) -> str: ...
