"""Effects that a program integrated out: what draws them, given draws of all the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hiermix.design.groupings import Grouping
from hiermix.design.level_strata import Strata
from hiermix.statistics.conditional_effects import Hyperdraws, OneFactor
from hiermix.statistics.gram import Gram
from hiermix.statistics.patterned_effects import PatternedFactors
from hiermix.statistics.patterns import Patterned
from hiermix.statistics.related_levels import Related, RelatedFactor
from hiermix.statistics.tree import Tree
from hiermix.statistics.tree_effects import NestedFactors
from hiermix.typing import Drawn, FloatArray, IntArray


class Conditional(Protocol):
    """Draws effects of some levels."""

    def of_levels(self, name: str, levels: IntArray) -> FloatArray:
        """Return effects (Q, len(levels), S) of some levels of a factor, by their places."""
        ...

    def all_levels(self) -> dict[str, FloatArray]:
        """Return effects (Q, J, S) of all levels of each factor."""
        ...

    def drawn_with(self, name: str, levels: IntArray) -> int:
        """Return how many numbers a draw of some levels takes."""
        ...


@dataclass(frozen=True, eq=False)
class IntegratedEffects:
    """Effects of every grouping factor, at x = 0, drawn when they are asked for."""

    conditional: Conditional
    shears: Mapping[str, FloatArray]
    """(Q, Q) of each factor: effects at x = 0 from those of the program."""
    shape: tuple[int, int]
    """Chains, and draws in each."""
    strata: Mapping[str, Strata]
    """Of the factors that have some: a level has the effects of its stratum."""

    def of_levels(self, name: str, levels: IntArray) -> FloatArray:
        """Return effects (chain, draw, level, effect) of some levels of a factor.

        Draws of a level lie together in memory.
        """
        return self._labelled(name, self.conditional.of_levels(name, levels), levels)

    def all_levels(self) -> dict[str, FloatArray]:
        """Return effects (chain, draw, level, effect) of all levels of each factor."""
        found = self.conditional.all_levels()
        return {name: self._labelled(name, r, None) for name, r in found.items()}

    def nbytes(self, groupings: Sequence[Grouping]) -> int:
        """Return how many bytes the effects of all levels take."""
        return 8 * self.draws * sum(len(each.levels) * len(each.of_level) for each in groupings)

    def nbytes_of_levels(self, name: str, levels: IntArray) -> int:
        """Return how many bytes it takes to draw some levels."""
        return 8 * self.draws * self.conditional.drawn_with(name, levels)

    @property
    def draws(self) -> int:
        """Number of draws."""
        return self.shape[0] * self.shape[1]

    def _labelled(self, name: str, r: FloatArray, levels: IntArray | None) -> FloatArray:
        S = self.shears[name]
        for i, j in zip(*np.nonzero(S - np.eye(len(S))), strict=True):
            for level, slopes in zip(r[i], r[j], strict=True):  # products of one stay in cache
                level += S[i, j] * slopes  # which stay
        found = r.reshape(*r.shape[:2], *self.shape).transpose(2, 3, 1, 0)
        return found if name not in self.strata else self.strata[name].own(found, levels)


def integrated_effects(
    gram: Gram | Related | Tree | Patterned,
    draws: Hyperdraws,
    groupings: Sequence[Grouping],
    shears: Mapping[str, FloatArray],
    seed: int,
    shape: tuple[int, int],
) -> IntegratedEffects:
    """Return what draws the effects of some factors, from the statistics of the rows."""
    strata = {each.name: each.strata for each in groupings if each.strata is not None}
    labels = {each.name: each.spelled for each in groupings}
    if isinstance(gram, Tree):
        return IntegratedEffects(NestedFactors(gram, draws, labels, seed), shears, shape, strata)
    if isinstance(gram, Patterned):
        return IntegratedEffects(PatternedFactors(gram, draws, labels, seed), shears, shape, strata)
    (one,) = groupings
    if isinstance(gram, Related):
        alone = OneFactor(gram.gram, draws, one.name, labels[one.name], seed)
        return IntegratedEffects(RelatedFactor(alone, gram.root), shears, shape, strata)
    found = OneFactor(gram, draws, one.name, labels[one.name], seed)
    return IntegratedEffects(found, shears, shape, strata)


def hyperdraws(drawn: Drawn) -> Hyperdraws:
    """Return the draws of a program, chain after chain."""
    S, E = drawn.b.shape[0] * drawn.b.shape[1], drawn.sd.shape[-1]
    return Hyperdraws(
        drawn.b.reshape(S, -1),
        {name: each.reshape(S, *each.shape[2:]) for name, each in drawn.own.items()},
        (drawn.sd[..., None] * drawn.L).reshape(S, E, E),
    )


def split(r: FloatArray, groupings: Sequence[Grouping]) -> dict[str, FloatArray]:
    """Return sampled effects (chain, draw, level, effect) of each factor.

    Stan's flat order is factor after factor, effect after effect, level by level.
    """
    found, at = {}, 0
    for each in groupings:
        shape = (len(each.effects), len(each.levels))
        part = r[..., at : at + shape[0] * shape[1]]
        found[each.name] = part.reshape(*r.shape[:2], *shape).swapaxes(-1, -2)
        at += shape[0] * shape[1]
    return found
