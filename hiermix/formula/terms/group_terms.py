"""Group terms: effects that vary over the levels of a factor."""

from dataclasses import dataclass, replace

from hiermix.formula.equations import MU
from hiermix.formula.names import in_results, quoted
from hiermix.formula.terms.protocols import Grouped, Special
from hiermix.formula.terms.smooths import FactorSmooth


@dataclass(frozen=True)
class GroupTerm:
    """One bar: effects that vary over the levels of a grouping factor."""

    effects: str
    factor: tuple[str, ...]
    correlated: bool
    equation: str = MU
    """The equation that the effects enter."""
    key: str | None = None
    """Terms of one factor and one key are correlated, whatever equations they enter."""
    how: Grouped | None = None
    """The special call in the place of the factor, if there is one."""
    curve: FactorSmooth | None = None
    """The curve that varies, of a term that was written as a smooth."""
    specials: tuple[Special, ...] = ()
    """Varying terms that are more than columns."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it names, but for those of plain terms that vary."""
        mine = self.factor if self.how is None else self.how.columns
        return *mine, *(name for each in self.specials for name in each.columns)

    @property
    def name(self) -> str:
        """The factor as results name it, ``"a:b"`` for an interaction."""
        if self.how is not None:
            return self.how.name
        return in_results(":".join(self.factor))

    def __str__(self) -> str:
        if self.curve is not None:
            return str(self.curve)
        plain = ":".join(quoted(column) for column in self.factor)
        factor = plain if self.how is None else str(self.how)
        bar = "||" if not self.correlated else "|" if self.key is None else f"| {self.key} |"
        effects = " + ".join([self.effects, *map(str, self.specials)])
        return f"({effects} {bar} {factor})"


def entering(term: GroupTerm, equation: str) -> GroupTerm:
    """Return a group term as one of another equation."""
    specials = tuple(replace(each, equation=equation) for each in term.specials)  # type: ignore[type-var]
    return replace(term, equation=equation, specials=specials)


@dataclass(frozen=True)
class Group:
    """A grouping spec: a bar without bar syntax.

    Parameters
    ----------
    by
        The grouping column, or ``"a:b"``, or ``"a/b"`` for b nested in a.
    effects
        What varies: ``"1"`` intercepts, ``"1 + x"`` intercepts and slopes, ``"0 + x"`` slopes.
    correlated
        Whether the effects of one level are correlated.
    """

    by: str
    effects: str = "1"
    correlated: bool = True
