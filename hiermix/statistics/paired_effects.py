"""Effects of the factor that was integrated out beside factors whose effects were sampled."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hiermix.design.groupings import Grouping
from hiermix.keyed_streams import Streams
from hiermix.statistics.conditional_effects import Hyperdraws, conditional, level_by_level
from hiermix.statistics.integrated_effects import hyperdraws
from hiermix.statistics.level_pairs import LevelPairs
from hiermix.typing import Drawn, FloatArray, IntArray


def completed(pairs: LevelPairs, last: Grouping, drawn: Drawn, seed: int) -> Drawn:
    """Add effects of the last factor, drawn given the rest, behind those that were sampled."""
    assert drawn.r is not None
    K, Q = len(pairs.pilot.r), len(last.effects)
    r = drawn.r.reshape(-1, K)
    streams = Streams(seed, "integrated", last.name)
    labels = last.spelled
    given = _Given(pairs, hyperdraws(drawn), r.T - pairs.pilot.r[:, None])
    found = level_by_level(np.arange(len(labels)), labels, streams, (Q, len(r)), given.drawn)
    behind = found.reshape(-1, len(r)).T.reshape(*drawn.r.shape[:2], -1)
    return drawn._replace(r=np.concatenate([drawn.r, behind], axis=2))


@dataclass(frozen=True, eq=False)
class _Given:
    """Draws of everything else."""

    pairs: LevelPairs
    draws: Hyperdraws
    delta: FloatArray
    """(K, S) sampled effects, from the pilot."""

    def drawn(self, levels: IntArray, noise: FloatArray) -> FloatArray:
        """Return effects (Q, n, S) of some levels: (5) of docs/how-it-samples.md."""
        Q = noise.shape[1]
        Ze = np.matmul(self._whole[levels, :, None], self._one_d)[:, :, 0]
        for a, ZtW in enumerate(self.pairs.ZtW):
            Ze[:, a] -= ZtW[levels] @ self.delta
        Lambda = self.draws.Lambda[:, -Q:, -Q:]
        return conditional(self.pairs.ZtZ[levels], Ze, self.draws.sigma, Lambda, noise)

    @cached_property
    def _whole(self) -> FloatArray:
        return self.pairs.whole

    @cached_property
    def _one_d(self) -> FloatArray:
        """(1 + P, S) what e and -X are combined with."""
        draws = self.draws
        return np.vstack([np.ones(len(draws.b)), (draws.b - self.pairs.pilot.b).T])
