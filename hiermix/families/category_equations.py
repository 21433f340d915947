"""Unordered categories: a linear predictor for each but the first, on one design.

To the penalised fit the rows are stacked, once for each further category, with columns and effects
of their own: one design with more rows. The program reads every row once. Its draws are taken apart
along a dim ``category``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from hiermix.design.batches import Rows
from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.families.priors import Slot, b_name
from hiermix.typing import Drawn, FloatArray, IntArray

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Stacked(Design):
    """The rows of a design once for each further category: all of the second category first."""

    base: Design = field(kw_only=True)
    x_mean: FloatArray = field(kw_only=True)
    """(P,) subtracted from the columns of X of the base."""
    b_names: tuple[str, ...] = field(kw_only=True)
    """Prior names of the terms."""

    def X(self, rows: Rows = slice(None)) -> FloatArray:  # noqa: N802
        """Return the population design, centred, in the columns of each row's category."""
        return self._spread(rows, lambda here: self.base.X(here) - self.x_mean)

    def Z(self, name: str, rows: Rows = slice(None)) -> FloatArray:  # noqa: N802
        """Return the design of the varying coefficients, in the columns of the category."""
        return self._spread(rows, lambda here: self.base.Z(name, here))

    def _spread(self, rows: Rows, of_base: Callable[[Rows], FloatArray]) -> FloatArray:
        place = np.arange(self.rows)[rows]
        category, row = np.divmod(place, self.base.rows)
        values = of_base(row)
        out = np.zeros((len(place), self.rows // self.base.rows, values.shape[1]))
        out[np.arange(len(place)), category] = values
        return out.reshape(len(place), -1)

    def log_odds_against(self, eta: FloatArray) -> FloatArray:
        """Log of the sum of exp(eta) over the other categories of the row, the first included.

        Given those, whether a row is in a category is Bernoulli with logit eta less this.
        """
        each = eta.reshape(-1, self.base.rows)
        first = np.zeros((1, each.shape[1]))
        others = [
            np.logaddexp.reduce(np.concatenate([first, np.delete(each, c, axis=0)]), axis=0)
            for c in range(len(each))
        ]
        return np.concatenate(others)


def stack(design: Design, x_mean: FloatArray) -> Stacked:
    """Stack the rows of a design; the response is whether a row is in the category."""
    assert design.response is not None
    names = further(design)
    K = len(names)
    shared = {each.name: getattr(design, each.name) for each in fields(Design)} | {
        "rows": K * design.rows,
        "terms": tuple(f"{name}, {term}" for name in names for term in design.terms),
        "groupings": tuple(_stacked_grouping(each, names) for each in design.groupings),
        "response": (design.response == np.arange(2, K + 2)[:, None]).ravel().astype(np.float64),
        "weights": None if design.weights is None else np.tile(design.weights, K),
        "offset": None,
    }
    b_names = tuple(named(b_name(term), name) for name in names for term in design.terms)
    return Stacked(**shared, base=design, x_mean=x_mean, b_names=b_names)


def further(design: Design) -> list[str]:
    """Return the labels of unordered categories but the first, the reference; else none."""
    return [str(label) for label in design.categories[1:]] if design.unordered else []


def _stacked_grouping(grouping: Grouping, names: Sequence[str]) -> Grouping:
    """Give each category effects of its own, which vary apart from those of the others."""
    return replace(
        grouping,
        effects=tuple(f"{name}, {effect}" for name in names for effect in grouping.effects),
        blocks=grouping.blocks * len(names),
        codes=np.tile(grouping.codes, len(names)),
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
        found += [replace(slot, names=(name, *slot.names)) for name in names]
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
    group, _, effect = inside.partition(", ")
    return f"{kind}[{group}, {category}, {effect}"


def take_apart(
    drawn: Drawn, effects: Mapping[str, FloatArray], design: Design
) -> list[tuple[Drawn, Mapping[str, FloatArray]]]:
    """Take the draws of the stacked design apart: for each category those of a plain one."""
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
    """Join the posteriors of the categories along ``category``, which follows chain and draw."""
    import xarray as xr

    joined = xr.concat(datasets, "category").assign_coords(category=np.array(further(design)))
    return joined.transpose("chain", "draw", "category", ...)
