"""Effects of one factor that enter several equations, as factors of their own.

A program may integrate the effects of the response's location out and sample those of another
equation: of a factor that has both it knows two, of equal levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import override

import numpy as np

from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.formula.equations import MU
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class PartOfFactor(Grouping):
    """The effects of a factor that enter one equation."""

    whole: str = field(kw_only=True)
    """The factor."""

    @property
    @override
    def sd_names(self) -> list[tuple[str, ...]]:
        return [(f"sd[{self.whole}, {each}]", f"sd[{self.whole}]", "sd") for each in self.sds]

    @property
    @override
    def cor_name(self) -> str:
        return f"cor[{self.whole}]"


@dataclass(frozen=True, eq=False)
class Parts:
    """A design whose factors have effects in one equation each: those of the location come last."""

    design: Design
    """Of the parts."""
    whole: Design
    """As it was."""
    places: IntArray
    """(E,) of the effects of the whole among those of the parts, factor after factor."""

    @property
    def of_location(self) -> tuple[Grouping, ...]:
        """Factors whose effects enter the response's location."""
        return tuple(each for each in self.design.groupings if MU in each.equations)

    @property
    def others(self) -> tuple[Grouping, ...]:
        """Factors whose effects enter another equation."""
        return tuple(each for each in self.design.groupings if MU not in each.equations)

    def joined(self, r: FloatArray) -> FloatArray:
        """Effects (..., K) of the factors as they were from those of the parts.

        Both factor after factor, effect after effect, level by level.
        """
        sizes = [len(each.levels) for each in self.design.groupings for _ in each.effects]
        ends = np.cumsum(sizes)
        each = [np.arange(ends[place] - sizes[place], ends[place]) for place in self.places]
        return r[..., np.concatenate(each)]


def can_be_taken_apart(grouping: Grouping) -> bool:
    """Tell whether no effects of a factor that enter different equations are correlated."""
    ends = np.cumsum(grouping.blocks)
    blocks = zip(ends - grouping.blocks, ends, strict=True)
    return all(len(set(grouping.equations[start:end])) == 1 for start, end in blocks)


def by_equation(design: Design) -> Parts:
    """Take factors with effects in several equations apart; see `can_be_taken_apart`."""
    found: list[tuple[Grouping, list[int]]] = []
    effects, at = dict(design._plan.effects), 0
    for grouping in design.groupings:
        equations = tuple(dict.fromkeys(grouping.equations))
        for equation in equations:
            some = grouping.of_equation(equation)
            part = grouping
            if len(equations) > 1:
                part = _part(grouping, equation, some)
                terms = zip(design._plan.roles.factors[grouping.name],
                            design._plan.effects[grouping.name], strict=True)  # fmt: skip
                effects[part.name] = tuple(spec for term, spec in terms
                                           if term.equation == equation)  # fmt: skip
            found.append((part, [at + place for place in some]))
        at += len(grouping.effects)
    found.sort(key=lambda each: MU in each[0].equations)
    groupings = tuple(part for part, _ in found)
    order = [place for _, places in found for place in places]
    plan = replace(design._plan, effects=effects)
    return Parts(replace(design, groupings=groupings, _plan=plan), design, np.argsort(order))


def _part(grouping: Grouping, equation: str, places: Sequence[int]) -> PartOfFactor:
    """Return the effects of one equation; those of the location keep the factor's name."""
    ends = np.cumsum(grouping.blocks)
    name = grouping.name if equation == MU else f"{grouping.name} | {equation}"
    return PartOfFactor(
        whole=grouping.name,
        name=name,
        columns=grouping.columns,
        effects=tuple(grouping.effects[k] for k in places),
        terms=tuple(grouping.terms[k] for k in places),
        equations=(equation,) * len(places),
        places=tuple(range(len(places))),
        blocks=tuple(size for size, end in zip(grouping.blocks, ends, strict=True)
                     if grouping.equations[end - 1] == equation),
        levels=grouping.levels,
        codes=grouping.codes,
        new_levels=grouping.new_levels,
        origin=None if grouping.origin is None else grouping.origin[list(places)],
    )  # fmt: skip
