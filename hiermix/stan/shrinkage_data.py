"""What a program is handed of slopes that are shrunk, and what a chart reads of it again."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hiermix.families.prior import Prior
from hiermix.stan.variables import SIZE
from hiermix.tuning.coordinates import Coordinates
from hiermix.tuning.slope_shrinkage import KINDS, Shrinkage, find
from hiermix.typing import FloatArray, StanData

_SD = "sigma"
"""The family's own parameter in which sds of slopes are counted, where it is one number."""


def added(
    data: StanData,
    priors: Sequence[Prior],
    own: Sequence[str],
    at: Coordinates,
    pull: FloatArray,
) -> StanData:
    """Return the data of a program with what shrinks its slopes, if anything does.

    Parameters
    ----------
    data : dict
        With the coordinates.
    priors : sequence of Prior
        Of the population coefficients.
    own : sequence of str
        The family's own parameters, those that have an equation without a name.
    at : Coordinates
        Around the mode of the quick fit.
    pull : array, shape (P,)
        Precisions of the priors of the coefficients there.
    """
    found = find(priors, at, pull, own.index(_SD) if _SD in own else None)
    return data | (_none() if found is None else _some(data, found))


def _some(data: StanData, found: Shrinkage) -> StanData:
    """Coordinates come last; the population follows the slopes' sds instead of the effects'."""
    P, n = len(found.origin), len(found.places)
    D, E = int(data[SIZE]), int(data["E"])
    start = np.array([found.start[0]] * n + [*found.start[1:]])
    scale = np.eye(D + len(start))
    scale[:D, :D] = data["scale"]
    return {
        SIZE: D + len(start),
        "center": np.concatenate([data["center"], start]),
        "scale": scale,
        "followers": 0, "rest": np.zeros((0, 0)), "hold": np.zeros((0, 0)),
        "reach": np.zeros((0, E)),
        "shrunk_by": KINDS.index(found.kind) + 1,
        "shrunk": n,
        "locals": len(start),
        "shrunk_b": found.places + 1,
        "shrunk_unit": found.unit,
        "unit_own": 0 if found.own is None else found.own + 1,
        "shrinkage_par": np.array([*found.arguments, *[0.0] * (5 - len(found.arguments))]),
        "told_P": P,
        "told": found.told,
        "told_at": found.told_at,
        "b_origin": found.origin,
        "b_width": found.width,
    }  # fmt: skip


def _none() -> StanData:
    none = np.zeros(0)
    return {
        "shrunk_by": 0, "shrunk": 0, "locals": 0, "shrunk_b": none.astype(np.int64),
        "shrunk_unit": none, "unit_own": 0, "shrinkage_par": np.zeros(5), "told_P": 0,
        "told": np.zeros((0, 0)), "told_at": none, "b_origin": none, "b_width": none,
    }  # fmt: skip


def of(data: StanData) -> Shrinkage | None:
    """Return what shrinks the slopes of a program with its data; None where nothing does."""
    if not data["shrunk"]:
        return None
    each: dict[str, Any] = {
        name: np.asarray(data[name])
        for name in ("told", "told_at", "b_origin", "b_width", "shrunk_b", "shrunk_unit")
    }
    own = int(data["unit_own"])
    return Shrinkage(
        kind=KINDS[int(data["shrunk_by"]) - 1],
        places=each["shrunk_b"] - 1,
        unit=each["shrunk_unit"],
        arguments=tuple(np.asarray(data["shrinkage_par"]).tolist()),
        own=own - 1 if own else None,
        told=each["told"],
        told_at=each["told_at"],
        origin=each["b_origin"],
        width=each["b_width"],
    )
