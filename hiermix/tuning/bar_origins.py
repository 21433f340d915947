"""Where the priors of a correlated bar hold: at the mean of its columns, as the intercept's does.

In ``(1 + x | g)`` the sd of the intercept and its correlation with the slope depend on where x is
zero, which says nothing of the data. So programs have the columns of such a bar less their means,
and results are moved back to x = 0: ``r = S r'``, ``Lambda = S Lambda'``, where S takes the means
times the slopes off the intercept. A prior that a user writes for the sd of an intercept is for
x = 0, where it is reported, and leaves its bar there.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from hiermix.design import checks
from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.families.priors import canonical
from hiermix.statistics.column_spreads import Spreads
from hiermix.typing import Drawn, FloatArray

_FAR = 4
"""Sds from zero beyond which the place of a prior matters."""

type Origins = Mapping[str, FloatArray]
"""For each factor (Q,) what its columns of Z have subtracted in the program."""


def choose(design: Design, spreads: Spreads, written: Collection[str]) -> dict[str, FloatArray]:
    """Find the origins of every factor; warn where its columns can't be moved.

    Parameters
    ----------
    design : Design
        The fitted rows.
    spreads : Spreads
        Means and spreads of the columns of Z.
    written : collection of str
        Names of the priors that the user wrote.
    """
    names, found = {canonical(name) for name in written}, {}
    for each in design.groupings:
        origin = np.zeros(len(each.effects))
        mean = spreads.z_mean[each.name]
        far = np.abs(mean) > _FAR * spreads.z_size[each.name]
        for equation in dict.fromkeys(each.equations):
            fixed = far & (np.array(each.equations) == equation)
            bars = [
                bar
                for bar in each.bars
                if (each.terms[bar[0]], each.equations[bar[0]]) == ("Intercept", equation)
            ]
            written_for = (each.sd_names[each.spreads.of[bar[0]]] for bar in bars)
            if not bars or not names.isdisjoint(map(canonical, chain(*written_for))):
                continue
            for first, *slopes in bars:
                origin[slopes] = mean[slopes]
                fixed[[first, *slopes]] = False
            _warn(each, fixed)
        found[each.name] = origin
    return found


def with_known(origins: Origins, known: Origins) -> Origins:
    """Return origins, those of another model where its factor has as many effects."""
    same = {name: each for name, each in known.items()
            if name in origins and len(each) == len(origins[name])}  # fmt: skip
    return {**origins, **same}


def _warn(grouping: Grouping, fixed: NDArray[np.bool_]) -> None:
    """Say that priors hold far from the data, where effects vary apart from the intercept."""
    labels = grouping.of_level * (len(fixed) // max(1, len(grouping.of_level)))
    names = [effect for effect, far in zip(labels, fixed, strict=True) if far]
    if names:
        checks.warn(
            f"{names[0]!r} lies more than {_FAR} sds from zero and varies over {grouping.name!r} "
            "independently of the intercept, which is the one at zero: what the model says depends "
            f"on where {names[0]!r} is zero. Write center({names[0]}), or a single | for ||."
        )


def blocks(grouping: Grouping) -> list[slice]:
    """Places of the effects of each bar."""
    ends = np.cumsum(grouping.blocks).tolist()
    return [slice(end - size, end) for end, size in zip(ends, grouping.blocks, strict=True)]


def centred(design: Design, origins: Origins) -> Design:
    """Return the design whose Z has the origins subtracted."""
    groupings = [replace(each, origin=origins[each.name]) for each in design.groupings]
    return replace(design, groupings=tuple(groupings))


def at_zero(drawn: Drawn, groupings: Sequence[Grouping], origins: Origins) -> Drawn:
    """Move draws of the sds and roots of the correlations of some factors back to x = 0."""
    sd, L, at = drawn.sd.copy(), drawn.L.copy(), 0
    for each in groupings:
        S = shear(each, origins[each.name])
        these = slice(at, at + len(S))
        at = these.stop
        if np.array_equal(S, np.eye(len(S))):
            continue
        Lambda = S @ (sd[..., these, None] * L[..., these, these])
        size = np.linalg.norm(Lambda, axis=-1)
        sd[..., these] = size
        L[..., these, these] = Lambda / np.where(size > 0, size, 1.0)[..., None]
    return drawn._replace(sd=sd, L=L)


def effects_at_zero(
    effects: Mapping[str, FloatArray], groupings: Sequence[Grouping], origins: Origins
) -> dict[str, FloatArray]:
    """Move draws of effects (chain, draw, level, effect) back to x = 0."""
    moved = {}
    for each in groupings:
        S = shear(each, origins[each.name])
        same = np.array_equal(S, np.eye(len(S)))
        moved[each.name] = effects[each.name] if same else effects[each.name] @ S.T
    return moved


def shear(grouping: Grouping, origin: FloatArray) -> FloatArray:
    """S (Q, Q): effects at x = 0 from those at the origin, (11) of docs/how-it-samples.md."""
    S = np.eye(len(origin))
    for bar in grouping.bars:
        S[bar[0], bar] -= origin[bar]
    return S
