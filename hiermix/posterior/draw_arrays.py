"""Posterior draws laid out for prediction: the draw last, so that a row's draws lie together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from hiermix.design.groupings import Grouping
from hiermix.design.level_steps import joined
from hiermix.posterior import level_step_draws
from hiermix.posterior.on_demand import is_on_demand
from hiermix.typing import FloatArray, IntArray

if TYPE_CHECKING:
    import xarray as xr

type Which = Sequence[int] | NDArray[np.int64] | None
"""Which draws, counted through the chains; None for all."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Draws of everything that a linear predictor and a family need; S draws."""

    b: FloatArray
    """(P, S) population coefficients, in the order of the design's terms."""
    own: dict[str, FloatArray]
    """(S, ...) the family's own parameters that have no equation."""
    of: dict[str, FloatArray]
    """(P, S) population coefficients of those that have one."""
    r: "dict[str, LevelEffects]"
    """Effects of each grouping factor."""
    Lambda: dict[str, FloatArray]
    """(S, Q, Q) Cholesky factor of the covariance of the effects of one level."""
    df: dict[str, FloatArray] = field(default_factory=dict)
    """(S,) degrees of freedom of factors whose effects are t-distributed."""
    gaps: dict[str, FloatArray] = field(default_factory=dict)
    """(n, S) missing values of predictors in the rows of the fit."""

    @property
    def draws(self) -> int:
        """Number of draws."""
        return int(self.b.shape[1])

    def take(self, draws: NDArray[np.intp]) -> "Layout":
        """Return some of the draws, in the order asked for."""
        return Layout(
            b=self.b[:, draws],
            own={name: values[draws] for name, values in self.own.items()},
            of={name: b[:, draws] for name, b in self.of.items()},
            r={name: effects.some(draws) for name, effects in self.r.items()},
            Lambda={name: values[draws] for name, values in self.Lambda.items()},
            df={name: values[draws] for name, values in self.df.items()},
            gaps={name: values[:, draws] for name, values in self.gaps.items()},
        )


def flat(array: "xr.DataArray", draws: Which, *dims: str) -> FloatArray:
    """Return draws through the chains first, then the other dims in the order asked for."""
    array = array.transpose("chain", "draw", *dims) if dims else array
    values = array.to_numpy()
    found = values.reshape(values.shape[0] * values.shape[1], *values.shape[2:])
    return found if draws is None else found[draws]


class LevelEffects(Protocol):
    """Effects of one factor, in the order of its levels; Q effects, J levels, S draws."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (Q, J, S)."""
        ...

    def at(self, levels: NDArray[np.integer], effects: Sequence[int] | None = None) -> FloatArray:
        """Return some effects, all by default, of some levels (Q, n, S), which may repeat."""
        ...

    def blocks(self) -> Iterator[tuple[slice, FloatArray]]:
        """Yield the effects (Q, n, S) of all levels, as many at a time as memory is for."""
        ...

    def some(self, draws: NDArray[np.intp]) -> "LevelEffects":
        """Return some of the draws."""
        ...


@dataclass(frozen=True, eq=False)
class Kept:
    """Effects that stand in memory."""

    values: FloatArray
    """(Q, J, S)"""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (Q, J, S)."""
        Q, J, S = self.values.shape
        return Q, J, S

    def at(self, levels: NDArray[np.integer], effects: Sequence[int] | None = None) -> FloatArray:
        """Return some effects of some levels (Q, n, S)."""
        if effects is None or len(effects) == len(self.values):
            return self.values.take(levels, axis=1)
        return np.array([self.values[k].take(levels, axis=0) for k in effects])

    def blocks(self) -> Iterator[tuple[slice, FloatArray]]:
        """Yield all."""
        yield slice(0, self.shape[1]), self.values

    def some(self, draws: NDArray[np.intp]) -> "Kept":
        """Return some of the draws."""
        return Kept(self.values[:, :, draws])


@dataclass(frozen=True, eq=False)
class OnDemand:
    """Effects that are drawn when they are asked for."""

    array: "xr.DataArray"
    """(chain, draw, level, effect), lazy, with levels and effects in the order of the factor."""
    grouping: Grouping
    draws: Which = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (Q, J, S)."""
        chains, length, J, _ = self.array.shape
        return (
            len(self.grouping.effects),
            J,
            chains * length if self.draws is None else len(self.draws),
        )

    def at(self, levels: NDArray[np.integer], effects: Sequence[int] | None = None) -> FloatArray:
        """Return some effects of some levels (Q, n, S)."""
        once, places = np.unique(levels, return_inverse=True)
        found = self._drawn(once)
        some = found if effects is None else found[list(effects)]
        return some[:, places]

    def blocks(self) -> Iterator[tuple[slice, FloatArray]]:
        """Yield blocks of levels."""
        for levels in blocks_of(self.array):
            yield levels, self._drawn(np.arange(levels.start, levels.stop))

    def some(self, draws: NDArray[np.intp]) -> "OnDemand":
        """Return some of the draws."""
        before = np.arange(self.shape[2]) if self.draws is None else np.asarray(self.draws)
        return OnDemand(self.array, self.grouping, before[draws])

    def _drawn(self, levels: IntArray) -> FloatArray:
        found, strata = flat(self.array[:, :, levels], self.draws), self.grouping.strata
        found = found if strata is None else strata.spread_out(found, levels)
        return found.transpose(2, 1, 0)


_BLOCK = 8_000_000
"""Numbers of a block of levels."""


def blocks_of(effects: "xr.DataArray") -> Iterator[slice]:
    """Yield slices of the levels of effects (chain, draw, ..., level, effect)."""
    J = effects.shape[-2]
    size = max(1, _BLOCK // max(1, effects.size // max(J, 1)))
    for start in range(0, J, size):
        yield slice(start, min(start + size, J))


def effects(posterior: "xr.Dataset", grouping: Grouping, draws: Which = None) -> LevelEffects:
    """Return the effects of a factor, in the order of its levels."""
    name = grouping.name
    r = posterior[f"r_{name}"].sel({grouping.dim: list(grouping.of_level)})
    position = {label: place for place, label in enumerate(r[r.dims[2]].to_numpy().tolist())}
    places = [position[label] for label in grouping.levels.tolist()]
    if places != list(range(len(position))):
        r = r[:, :, places]
    if is_on_demand(r):
        return OnDemand(r, grouping, draws)
    found = flat(r, draws, *map(str, r.dims[2:]))
    if grouping.strata is not None:
        found = grouping.strata.spread_out(found)
    return Kept(np.ascontiguousarray(found.transpose(2, 1, 0)))


def spread(posterior: "xr.Dataset", grouping: Grouping, draws: Which = None) -> FloatArray:
    """Return Cholesky factors (S, Q, Q) of the covariance of the effects of one level."""
    if grouping.moved and not grouping.joined:
        small = spread(posterior, joined(grouping), draws)
        sizes = level_step_draws.sizes(posterior, grouping)
        S = sizes.reshape(-1, sizes.shape[-1])
        return level_step_draws.roots(small, S if draws is None else S[draws], grouping)
    name, Q = grouping.name, len(grouping.effects)
    sd = flat(posterior[f"sd_{name}"], draws, f"{name}_effect")[:, grouping.spreads.of]
    cor = np.broadcast_to(np.eye(Q), (len(sd), Q, Q)).copy()
    if grouping.pairs:
        found = flat(posterior[f"cor_{name}"], draws, f"{name}_pair")
        for place, (i, j) in enumerate(grouping.pairs):
            cor[:, i, j] = cor[:, j, i] = found[:, place]
    return sd[:, :, None] * _cholesky(cor)


def _cholesky(cor: FloatArray) -> FloatArray:
    """Cholesky factors of correlations that rounding may have left just short of definite."""
    Q = cor.shape[-1]
    L = np.zeros_like(cor)
    for j in range(Q):
        rest = cor[:, j, j] - np.sum(L[:, j, :j] ** 2, axis=1)
        L[:, j, j] = np.sqrt(np.maximum(rest, 1e-16))
        for i in range(j + 1, Q):
            inner = np.sum(L[:, i, :j] * L[:, j, :j], axis=1)
            L[:, i, j] = (cor[:, i, j] - inner) / L[:, j, j]
    return L
