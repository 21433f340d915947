"""Names of what programs declare: outputs that are kept, and unconstrained points."""

from collections.abc import Mapping, Sequence

import numpy as np

from hiermix.tuning.slope_shrinkage import Shrinkage
from hiermix.typing import Drawn, FloatArray, StanData

SIZE, EFFECTS = "D", "K"
"""Data that say how many coordinates there are, and how many effects are sampled beside."""
_COORDINATES, _STANDARD = "raw", "z"
_SHARED, _EFFECTS, _FREEDOM = ("b", "sd", "L"), "r", "df"
_SHRUNK, _SPREADS = ("b_sd", "local"), "spread"
_GAP, _GAP_SDS = "mi_away", "mi_sd"
GAPS = "mi_gaps"
"""How many missing values of predictors are sampled, behind the effects."""


def kept(own: Sequence[str], data: StanData) -> tuple[str, ...]:
    """Return the outputs to keep of a program with its data; `own` is called as in the family."""
    beside = ([_EFFECTS] if EFFECTS in data else []) + ([_FREEDOM] if data.get("tails") else [])
    beside += [_SPREADS] if np.any(data.get("length_of")) else []
    beside += ([_GAP_SDS] if data.get("mi_N") else []) + ([_GAP] if data.get(GAPS) else [])
    return (*_SHARED, *beside, *(_SHRUNK if data["shrunk"] else []), *own)


def drawn(
    draws: Mapping[str, FloatArray],
    own: Mapping[str, bool],
    shrinkage: Shrinkage | None,
    imputed: Sequence[str] = (),
) -> Drawn:
    """Return what an engine kept, by what it is; own parameters with whether they are numbers.

    Programs that know equations have a number as a vector of one element; `imputed` are the names
    of the residual sds of predictors with missing values.
    """
    b, sd, L = (draws[name] for name in _SHARED)
    parts = {
        name: draws[name].reshape(b.shape[:2]) if number else draws[name]
        for name, number in own.items()
    }
    parts |= {name: draws[_GAP_SDS][..., place] for place, name in enumerate(imputed)}
    shrunk = None if shrinkage is None else shrinkage.drawn(*(draws[name] for name in _SHRUNK))
    return Drawn(b, sd, L, parts, draws.get(_EFFECTS), shrunk, draws.get(_FREEDOM),
                 draws.get(_SPREADS), draws.get(_GAP))  # fmt: skip


def parameters(data: StanData, points: FloatArray) -> list[dict[str, FloatArray]]:
    """Return unconstrained points, one a row, as programs declare them."""
    if EFFECTS not in data:
        return [{_COORDINATES: point} for point in points]
    size = int(data[SIZE])
    return [{_COORDINATES: point[:size], _STANDARD: point[size:]} for point in points]
