"""Effects of levels that the fit never saw: zero, or drawn from the fitted spread."""

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any, get_args

import numpy as np

from hiermix import options
from hiermix.design.groupings import Grouping
from hiermix.keyed_streams import Streams, generator
from hiermix.posterior.draw_arrays import Layout
from hiermix.typing import FloatArray, NewGroups

POLICIES = get_args(NewGroups.__value__)
_CACHED = 16_000_000


def check_policy(new_groups: str) -> str:
    """Return the option `new_groups`, which names a policy."""
    options.one_of("new_groups", new_groups, POLICIES)
    return new_groups


class NewEffects:
    """Effects (Q, S) of new levels, and of rows without a label.

    Parameters
    ----------
    layout : Layout
        Draws of the spread of each factor.
    new_groups : str
        The policy. Under "error" there are no new levels.
    seed : int
        Seed of the streams, one for each factor and label.
    known : mapping, optional
        Effects (Q, S) by factor and label that are known already: those updated by data.
    category : str, optional
        Category of the response whose linear predictor they enter: each has streams of its own.
    """

    def __init__(
        self,
        layout: Layout,
        new_groups: str,
        seed: int,
        known: dict[tuple[str, str], FloatArray] | None = None,
        category: str | None = None,
    ) -> None:
        self._layout = layout
        self.sampled = new_groups in ("sample", "update")
        self._seed = seed
        self._category = () if category is None else (category,)
        self._known = known or {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave the cache here: it can't be copied."""
        return {name: value for name, value in self.__dict__.items() if name != "_drawn"}

    @cached_property
    def _drawn(self) -> Callable[[str, str], FloatArray]:
        largest = max((r.shape[0] for r in self._layout.r.values()), default=1) * self._layout.draws
        return lru_cache(max(1, _CACHED // max(1, largest)))(self._draw)

    def of_level(self, grouping: Grouping, label: object) -> FloatArray:
        """Return the effects of a new level: the same for all of its rows."""
        name = str(label)
        if (grouping.name, name) in self._known:
            return self._known[grouping.name, name]
        return self._drawn(grouping.name, name) if self.sampled else self._zero(grouping)

    def of_row(self, grouping: Grouping, row: tuple[int, int]) -> FloatArray:
        """Return the effects of a row without a label: it is taken for a group of its own."""
        if not self.sampled:
            return self._zero(grouping)
        streams = Streams(self._seed, "row", grouping.name, *self._category)
        return self._scaled(grouping.name, streams.at(row))

    def _zero(self, grouping: Grouping) -> FloatArray:
        return np.zeros((len(grouping.effects), self._layout.draws))

    def _draw(self, factor: str, label: str) -> FloatArray:
        return self._scaled(factor, generator(self._seed, "effect", factor, label, *self._category))

    def _scaled(self, factor: str, rng: np.random.Generator) -> FloatArray:
        """Draw from N(0, Sigma), a fresh one for every draw of Sigma; or from Student's t."""
        Lambda = self._layout.Lambda[factor]
        S, Q, _ = Lambda.shape
        drawn = np.asarray(np.einsum("sij,sj->is", Lambda, rng.standard_normal((S, Q))))
        df = self._layout.df.get(factor)
        return drawn if df is None else drawn * np.sqrt(df / rng.chisquare(df))
