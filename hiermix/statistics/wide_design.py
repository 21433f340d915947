"""A design with the columns of factors behind those of X: coefficients of one dense block.

Beside a factor whose levels hold whole series stand the columns of smooths, and levels of factors
around it: each is a column whose coefficient is normal around zero, with the sd of its effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import override

import numpy as np

from hiermix.design.batches import Rows
from hiermix.design.curve_factors import main_factor
from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.formula.equations import MU
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True)
class Block:
    """The columns W behind those of X, factor by factor, effect after effect, level by level."""

    names: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    """Levels of each factor."""
    columns: tuple[slice, ...] = ()
    """Those of each factor."""
    effect: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """(W,) place of the effect of each column among those of all factors."""
    own: slice = slice(0, 0)
    """Places of the effects of the factor that isn't in the block."""

    @property
    def W(self) -> int:  # noqa: N802, as in the formulas
        """Number of columns."""
        return len(self.effect)


@dataclass(frozen=True, eq=False)
class Wide(Design):
    """Rows whose X has the columns of a block behind its own; the other factor is left."""

    inner: Design = field(kw_only=True)
    beside: tuple[Grouping, ...] = field(kw_only=True)

    @override
    def X(self, rows: Rows = slice(None), equation: str = MU) -> FloatArray:
        inner = self.inner
        return np.column_stack([inner.X(rows), *(_columns(inner, g, rows) for g in self.beside)])

    @override
    def Z(self, name: str, rows: Rows = slice(None)) -> FloatArray:
        return self.inner.Z(name, rows)


def widened(design: Design) -> tuple[Design, Block]:
    """Return a design as sums take it, and its block; as it is where it has none."""
    main = main_factor(design.groupings)
    beside = tuple(each for each in design.groupings if each is not main)
    places = _places(design)
    own = slice(0, 0) if main is None else places[main.name]
    if not beside:
        return design, Block(own=own)
    sizes = tuple(len(each.levels) for each in beside)
    ends = np.cumsum([0, *(each.total for each in beside)]).tolist()
    effect = [np.repeat(np.arange(places[each.name].start, places[each.name].stop),
                        len(each.levels)) for each in beside]  # fmt: skip
    block = Block(
        tuple(each.name for each in beside), sizes,
        tuple(map(slice, ends[:-1], ends[1:])), np.concatenate(effect), own,
    )  # fmt: skip
    labels = tuple(f"{each.name}[{k}]" for each in beside for k in range(each.total))
    location = design.equations[0]
    known = {each.name: getattr(design, each.name) for each in fields(Design)}
    known["equations"] = (replace(location, terms=(*location.terms, *labels)),)
    known["groupings"] = () if main is None else (main,)
    return Wide(**known, inner=design, beside=beside), block


def _columns(design: Design, grouping: Grouping, rows: Rows) -> FloatArray:
    """(n, Q J) the columns of Z, each as much as a row has of a level."""
    factor, Z = grouping.factor.on(rows), design.Z(grouping.name, rows)
    return np.concatenate([each.toarray() for each in factor.columns(Z)], axis=1)


def _places(design: Design) -> dict[str, slice]:
    """Return the places of the effects of each factor among those of all."""
    return dict(_each_place(design))


def _each_place(design: Design) -> Iterator[tuple[str, slice]]:
    start = 0
    for each in design.groupings:
        yield each.name, slice(start, start + len(each.effects))
        start += len(each.effects)
