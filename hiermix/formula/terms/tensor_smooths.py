"""``t2(x, z, k=5)``: a surface over two columns, as smooth along each as the data ask for."""

from dataclasses import dataclass
from typing import ClassVar

from hiermix.formula.terms.smooths import LEAST_SIZE, CurveTerm
from hiermix.formula.terms.special_calls import Call, text
from hiermix.formula.tokens import Reader, Use

DEFAULT_SIZE = 5
"""Of the curves of either column."""


@dataclass(frozen=True)
class TensorSmooth(CurveTerm):
    """Products of curves of two columns; k is the dimension of the curves of each."""

    word: ClassVar[str] = "t2"
    default_size: ClassVar[int] = DEFAULT_SIZE

    size: int = DEFAULT_SIZE
    other: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it names."""
        return self.column, self.other

    @property
    def uses(self) -> tuple[Use, ...]:
        """Both are numbers."""
        return tuple(Use(name, "number", self.word) for name in self.columns)

    @property
    def label(self) -> str:
        """What results call it: without how much it can bend."""
        return text(self.word, self.columns, {})

    def __str__(self) -> str:
        size = None if self.size == self.default_size else self.size
        return text(self.word, self.columns, {"k": size})


def read(reader: Reader) -> TensorSmooth:
    """Read ``t2(x, z, k=5)``."""
    call = Call(reader, "t2(x, z, k=5)")
    columns = call.columns()
    size = call.whole("k", DEFAULT_SIZE, LEAST_SIZE)
    call.done()
    if len(set(columns)) != 2 or len(columns) != 2:
        call.fail("t2() is a surface over two columns")
    return TensorSmooth(columns[0], size, other=columns[1])
