"""``gr(g, by=f, cov="A", dist="student")``: the law of the effects of a factor's levels."""

from collections.abc import Sequence
from dataclasses import dataclass

from hiermix.errors import FormulaError
from hiermix.formula.names import in_results
from hiermix.formula.terms.group_terms import GroupTerm
from hiermix.formula.terms.special_calls import Call, text
from hiermix.formula.terms.special_calls import column as written
from hiermix.formula.tokens import Reader

_DISTRIBUTIONS = ("gaussian", "student")


@dataclass(frozen=True)
class EffectLaw:
    """A grouping factor, and what its effects are but normal, alike and independent."""

    column: str
    by: str | None = None
    """Column of the strata, each of which has sds and correlations of its own."""
    cov: str | None = None
    """Name in ``data2`` of the covariance between levels."""
    dist: str = "gaussian"

    @property
    def factor(self) -> tuple[str, ...]:
        """Columns that hold labels."""
        return (self.column,)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it names."""
        return (self.column,) if self.by is None else (self.column, self.by)

    @property
    def name(self) -> str:
        """The factor as results name it."""
        return in_results(self.column)

    @property
    def plain(self) -> bool:
        """Whether it says no more than the factor's name does."""
        return self == EffectLaw(self.column)

    def __str__(self) -> str:
        dist = None if self.dist == "gaussian" else self.dist
        return text("gr", [self.column],
                    {"by": written(self.by), "cov": self.cov, "dist": dist})  # fmt: skip


def read(reader: Reader) -> EffectLaw:
    """Read ``gr(g, by=f, cov="A", dist="student")``."""
    call = Call(reader, 'gr(g, by=f, cov="A", dist="student")')
    column = call.column("g")
    by = call.optional_column("by", by_place=False)
    cov = call.words("cov")
    dist = call.word("dist", "gaussian", _DISTRIBUTIONS)
    call.done()
    if by == column:
        call.fail(f"gr(): by is another column than {column!r}")
    if cov is not None and (by is not None or dist == "student"):
        call.fail("gr(): cov stands without by and dist")
    return EffectLaw(column, by, cov, dist)


def law_of(terms: Sequence[GroupTerm]) -> EffectLaw | None:
    """Return what the terms of one factor say of its effects; None where nothing is said.

    Raises
    ------
    FormulaError
        They say different things.
    """
    laws = {term.how if isinstance(term.how, EffectLaw) else None for term in terms}
    if len(laws) > 1:
        raise FormulaError(
            f"{' and '.join(map(str, terms))}: group terms of one factor say the same in gr(): its "
            "levels have one distribution"
        )
    return laws.pop()
