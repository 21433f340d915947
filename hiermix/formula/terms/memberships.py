"""``mm(g1, g2, weights=cbind(w1, w2))``: rows of several levels; ``mmc(x1, x2)``: x of each."""

from dataclasses import dataclass

from hiermix.formula.equations import MU
from hiermix.formula.names import in_results, quoted
from hiermix.formula.terms.special_calls import Call, Written, text
from hiermix.formula.tokens import Reader, Use


@dataclass(frozen=True)
class Memberships:
    """Columns that hold labels of one factor, and how much each counts for a row."""

    factor: tuple[str, ...]
    weights: tuple[str, ...] = ()
    """A column for each; none: all the same."""
    scale: bool = True
    """Whether the weights of a row are divided by their sum."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it names."""
        return *self.factor, *self.weights

    @property
    def name(self) -> str:
        """The factor as results name it."""
        return in_results(f"mm({', '.join(self.factor)})")

    def __str__(self) -> str:
        weights = None
        if self.weights:
            weights = Written(f"cbind({', '.join(map(quoted, self.weights))})")
        return text("mm", self.factor,
                    {"weights": weights, "scale": None if self.scale else False})  # fmt: skip


def read(reader: Reader) -> Memberships:
    """Read ``mm(g1, g2, weights=cbind(w1, w2), scale=True)``."""
    call = Call(reader, "mm(g1, g2, weights=cbind(w1, w2), scale=True)")
    columns = call.columns()
    weights = call.several("weights", "cbind")
    scale = call.truth("scale", default=True)
    call.done()
    if len(columns) < 2:
        call.fail("mm() takes two columns of labels or more; for one, write the column")
    if len(set(columns)) < len(columns):
        call.fail("mm() has a column of labels twice")
    if weights and len(weights) != len(columns):
        call.fail(f"mm() has {len(columns)} columns of labels and {len(weights)} of weights")
    return Memberships(columns, weights, scale)


@dataclass(frozen=True)
class MemberCovariates:
    """Columns of which each is a predictor of one membership of a row: a slope of the levels."""

    columns: tuple[str, ...]
    equation: str = MU

    @property
    def uses(self) -> tuple[Use, ...]:
        """Numbers, all of them."""
        return tuple(Use(column, "number", "mmc") for column in self.columns)

    @property
    def label(self) -> str:
        """The effect as results name it."""
        return in_results(f"mmc({', '.join(self.columns)})")

    def __str__(self) -> str:
        return text("mmc", self.columns, {})


def read_covariates(reader: Reader) -> MemberCovariates:
    """Read ``mmc(x1, x2)``."""
    call = Call(reader, "mmc(x1, x2), left of the bar of mm(g1, g2)")
    columns = call.columns()
    call.done()
    if len(columns) < 2:
        call.fail("mmc() takes a column for each membership of a row: two or more")
    return MemberCovariates(columns)
