"""Posterior draws laid out for prediction: the draw last, so that a row's draws lie together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hiermix.design.groupings import Grouping
from hiermix.typing import FloatArray

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
    r: dict[str, FloatArray]
    """(Q, J, S) effects of each grouping factor, in the order of its levels."""
    Lambda: dict[str, FloatArray]
    """(S, Q, Q) Cholesky factor of the covariance of the effects of one level."""

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
            r={name: values[:, :, draws] for name, values in self.r.items()},
            Lambda={name: values[draws] for name, values in self.Lambda.items()},
        )


def flat(array: "xr.DataArray", draws: Which, *dims: str) -> FloatArray:
    """Return draws through the chains first, then the other dims in the order asked for."""
    array = array.transpose("chain", "draw", *dims) if dims else array
    values = array.to_numpy()
    found = values.reshape(-1, *values.shape[2:])
    return found if draws is None else found[draws]


def effects(posterior: "xr.Dataset", grouping: Grouping, draws: Which = None) -> FloatArray:
    """Return the effects (Q, J, S) of a factor, in the order of its levels."""
    name = grouping.name
    r = posterior[f"r_{name}"].sel({grouping.dim: list(grouping.of_level)})
    position = {label: place for place, label in enumerate(r[r.dims[2]].to_numpy().tolist())}
    places = [position[label] for label in grouping.levels.tolist()]
    found = flat(r, draws, *map(str, r.dims[2:]))
    if places != list(range(len(position))):
        found = found[:, places]
    if grouping.strata is not None:
        found = grouping.strata.spread_out(found)
    return np.ascontiguousarray(found.transpose(2, 1, 0))


def spread(posterior: "xr.Dataset", grouping: Grouping, draws: Which = None) -> FloatArray:
    """Return Cholesky factors (S, Q, Q) of the covariance of the effects of one level."""
    name, Q = grouping.name, len(grouping.effects)
    sd = flat(posterior[f"sd_{name}"], draws, f"{name}_effect")
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
