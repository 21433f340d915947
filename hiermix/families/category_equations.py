"""Unordered categories: an equation for each but the first, all on the columns of one.

Draws of the program are taken apart along a dim ``category``. Categories that have formulas of
their own have equations by name instead, as parameters of a family: see `category_formulas`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.families.priors import Slot
from hiermix.typing import Drawn, FloatArray, IntArray

if TYPE_CHECKING:
    import xarray as xr


def expand(design: Design) -> Design:
    """Give each category but the first an equation, and effects of its own, which share columns.

    Where each has one already, that of the response, which is empty, is left out.
    """
    if not design.alike:
        return replace(design, equations=design.equations[1:])
    names = further(design)
    return replace(
        design,
        equations=tuple(replace(design.equations[0], name=name) for name in names),
        groupings=tuple(_expanded(each, names) for each in design.groupings),
    )


def further(design: Design) -> list[str]:
    """Return the labels of categories that draws have a dim for, without the reference."""
    return [str(label) for label in design.categories[1:]] if design.alike else []


def _expanded(grouping: Grouping, names: Sequence[str]) -> Grouping:
    """Give each category effects of its own, which vary apart from those of the others."""
    K, Q = len(names), len(grouping.effects)
    return replace(
        grouping,
        effects=tuple(f"{name}, {effect}" for name in names for effect in grouping.effects),
        terms=grouping.terms * K,
        equations=tuple(name for name in names for _ in range(Q)),
        places=grouping.places * K,
        blocks=grouping.blocks * K,
    )


def stack_slots(slots: Sequence[Slot], design: Design) -> list[Slot]:
    """Give each category slots of its own, but for the shape of correlations, which they share.

    ``b[B, x]`` is more special than ``b[x]``, ``Intercept[B]`` than ``Intercept``.
    """
    found: list[Slot] = []
    for slot in slots:
        if slot.name.startswith("cor["):
            found.append(slot)
            continue
        names = [named(slot.name, category) for category in further(design)]
        found += [replace(slot, names=(name, *slot.names), unit=None) for name in names]
    return found


def named(name: str, category: str | None) -> str:
    """Name of a parameter in the linear predictor of a category; the name itself for None."""
    if category is None:
        return name
    kind, _, inside = name.partition("[")
    if not inside:
        return f"{name}[{category}]"
    if kind == "b":
        return f"b[{category}, {inside}"
    # A factor may be called mm(a, b): the comma behind it is the first one in no bracket.
    commas = [k for k, each in enumerate(inside) if each == ","]
    outside = (k for k in commas if inside.count("(", 0, k) == inside.count(")", 0, k))
    end = next(outside, commas[0])
    return f"{kind}[{inside[:end]}, {category}, {inside[end + 2 :]}"


def take_apart(
    drawn: Drawn, effects: Mapping[str, FloatArray], design: Design
) -> list[tuple[Drawn, Mapping[str, FloatArray]]]:
    """Take the draws of all categories apart: for each those of a design without categories.

    Those of a design that has none are its only part.
    """
    if not design.alike:
        return [(drawn, effects)]
    K, P = len(further(design)), len(design.terms)
    sizes = {each.name: len(each.effects) for each in design.groupings}
    found: list[tuple[Drawn, Mapping[str, FloatArray]]] = []
    for c in range(K):
        mine = _places(list(sizes.values()), c, K)
        part = drawn._replace(
            b=drawn.b[..., c * P : (c + 1) * P],
            sd=drawn.sd[..., mine],
            L=drawn.L[..., mine[:, None], mine],
        )
        r = {name: effects[name][..., c * Q : (c + 1) * Q] for name, Q in sizes.items()}
        found.append((part, r))
    return found


def _places(sizes: Sequence[int], category: int, K: int) -> IntArray:
    """Places of one category's effects among those of all factors."""
    found, at = [np.zeros(0, dtype=np.int64)], 0
    for Q in sizes:
        found.append(at + category * Q + np.arange(Q))
        at += K * Q
    return np.concatenate(found)


def join(datasets: Sequence["xr.Dataset"], design: Design) -> "xr.Dataset":
    """Join what `take_apart` has apart along ``category``, which follows chain and draw."""
    import xarray as xr

    if not design.alike:
        return datasets[0]
    joined = xr.concat(datasets, "category").assign_coords(category=np.array(further(design)))
    return joined.transpose("chain", "draw", "category", ...)
