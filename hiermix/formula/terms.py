"""Group terms: effects that vary over the levels of a factor."""

from dataclasses import dataclass

from hiermix.formula.names import in_results, quoted


@dataclass(frozen=True)
class GroupTerm:
    """One bar: effects that vary over the levels of a grouping factor."""

    effects: str
    factor: tuple[str, ...]
    correlated: bool

    @property
    def name(self) -> str:
        """The factor as results name it, ``"a:b"`` for an interaction."""
        return in_results(":".join(self.factor))

    def __str__(self) -> str:
        factor = ":".join(quoted(column) for column in self.factor)
        return f"({self.effects} {'|' if self.correlated else '||'} {factor})"


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
