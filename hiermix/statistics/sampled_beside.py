"""Effects of the location that were integrated out beside sampled ones of log sigma."""

import numpy as np

from hiermix.design.effect_parts import Parts
from hiermix.statistics.conditional_effects import Hyperdraws
from hiermix.statistics.integrated_effects import hyperdraws
from hiermix.statistics.patterned_effects import PatternedFactors
from hiermix.statistics.patterns import Patterned
from hiermix.typing import Drawn, FloatArray


def completed(rows: Patterned, parts: Parts, drawn: Drawn, seed: int) -> Drawn:
    """Add effects of the location, and put all in the order of the factors as they were."""
    assert drawn.r is not None
    r = np.concatenate([drawn.r, *_location(rows, parts, drawn, seed)], axis=-1)
    at = parts.places
    L = drawn.L[..., at[:, None], at]
    return drawn._replace(r=parts.joined(r), sd=drawn.sd[..., at], L=L)


def _location(rows: Patterned, parts: Parts, drawn: Drawn, seed: int) -> list[FloatArray]:
    """Draw the effects (chain, draw, Q J) of each factor of the location."""
    assert drawn.r is not None
    draws, sampled = hyperdraws(drawn), sum(len(each.effects) for each in parts.others)
    S = len(draws.b)
    given = Hyperdraws(
        np.concatenate([draws.b, drawn.r.reshape(S, -1)], axis=1),
        draws.own,
        draws.Lambda[:, sampled:, sampled:],
    )
    labels = {each.name: each.spelled for each in parts.of_location}
    effects = PatternedFactors(rows, given, labels, seed).all_levels()
    return [effects[each.name].reshape(-1, S).T.reshape(*drawn.r.shape[:2], -1)
            for each in parts.of_location]  # fmt: skip
