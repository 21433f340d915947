"""Posterior draws laid out for prediction: the draw last, so that a row's draws lie together."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.posterior.draws import pairs
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
    """(S, ...) the family's own parameters."""
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
            r={name: values[:, :, draws] for name, values in self.r.items()},
            Lambda={name: values[draws] for name, values in self.Lambda.items()},
        )


def lay_out(
    tree: "xr.DataTree",
    design: Design,
    own: Sequence[str],
    factors: Collection[str],
    draws: Which = None,
    category: str | None = None,
) -> Layout:
    """Lay out draws, aligned by label.

    Parameters
    ----------
    tree : DataTree
        The fit's.
    design : Design
        Any design with the terms and groupings of the fit.
    own : sequence of str
        Names of the family's own parameters.
    factors : collection of str
        Grouping factors wanted.
    draws : sequence of int, optional
        Which draws, counted through the chains; all by default.
    category : str, optional
        The category whose linear predictor is wanted, where each has one.
    """
    posterior = tree["posterior"].to_dataset()
    if category is not None:
        posterior = posterior.sel(category=category, drop=True)
    chosen = [each for each in design.groupings if each.name in factors]
    return Layout(
        b=_population(posterior, design, draws),
        own={name: _flat(posterior[name], draws) for name in own},
        r={each.name: _effects(posterior, each, draws) for each in chosen},
        Lambda={each.name: spread(posterior, each, draws) for each in chosen},
    )


def _flat(array: "xr.DataArray", draws: Which, *dims: str) -> FloatArray:
    """Draws through the chains first, then the other dims in the order asked for."""
    array = array.transpose("chain", "draw", *dims) if dims else array
    values = array.to_numpy()
    flat = values.reshape(-1, *values.shape[2:])
    return flat if draws is None else flat[draws]


def _population(posterior: "xr.Dataset", design: Design, draws: Which) -> FloatArray:
    slopes = [term for term in design.terms if term != "Intercept"]
    parts = []
    if "Intercept" in design.terms:  # thresholds may stand in its place
        intercept = posterior.get("Intercept", 0.0 * posterior["chain"] * posterior["draw"])
        parts.append(_flat(intercept, draws)[:, None])
    if slopes:
        parts.append(_flat(posterior["b"].sel(term=slopes), draws, "term"))
    if not parts:
        number = posterior.sizes["chain"] * posterior.sizes["draw"]
        return np.empty((0, number if draws is None else len(draws)))
    return np.ascontiguousarray(np.hstack(parts).T)


def _effects(posterior: "xr.Dataset", grouping: Grouping, draws: Which) -> FloatArray:
    name = grouping.name
    r = posterior[f"r_{name}"].sel({f"{name}_effect": list(grouping.effects)})
    position = {label: place for place, label in enumerate(r[r.dims[2]].to_numpy().tolist())}
    places = [position[label] for label in grouping.levels.tolist()]
    flat = _flat(r, draws, *map(str, r.dims[2:]))
    if places != list(range(len(position))):
        flat = flat[:, places]
    return np.ascontiguousarray(flat.transpose(2, 1, 0))


def spread(posterior: "xr.Dataset", grouping: Grouping, draws: Which = None) -> FloatArray:
    """Return Cholesky factors (S, Q, Q) of the covariance of the effects of one level."""
    name, Q = grouping.name, len(grouping.effects)
    sd = _flat(posterior[f"sd_{name}"], draws, f"{name}_effect")
    cor = np.broadcast_to(np.eye(Q), (len(sd), Q, Q)).copy()
    together = pairs(grouping)
    if together:
        flat = _flat(posterior[f"cor_{name}"], draws, f"{name}_pair")
        for place, (i, j) in enumerate(together):
            cor[:, i, j] = cor[:, j, i] = flat[:, place]
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
