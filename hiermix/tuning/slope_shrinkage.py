"""Slopes whose prior sds are parameters: the regularised horseshoe and R2D2.

The sds follow from local and global parameters, all on scales without bounds, which are a program's
last coordinates. Given them the slopes are tuned to what the rows say of them, as the effects of
groups are: (34) and (35) of docs/how-it-samples.md. The arithmetic is that of
`parts/shrinkage_functions.stanfunctions`.

Sources: Piironen and Vehtari (2017), Sparsity information and regularization in the horseshoe;
Zhang, Naughton, Bondell and Reich (2022), Bayesian regression using a prior on the model fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hiermix.families.prior import Prior
from hiermix.tuning.coordinates import Coordinates
from hiermix.typing import FloatArray, IntArray, Shrunk

KINDS = ("horseshoe", "r2d2")
_LARGEST = 100.0
"""Of a coordinate: what lies beyond has no density to speak of."""


@dataclass(frozen=True)
class Shrinkage:
    """Which slopes are shrunk, by which prior, and what the rows say of all coefficients."""

    kind: str
    places: IntArray
    """(n,) among the population coefficients."""
    unit: FloatArray
    """(n,) what an sd of one means."""
    arguments: tuple[float, ...]
    own: int | None
    """Place of the residual sd among the family's own parameters, in which sds are counted."""
    told: FloatArray
    """(P, P) precision that the rows give to the coefficients."""
    told_at: FloatArray
    """(P,) that precision times where they have them, from `origin`."""
    origin: FloatArray
    """(P,) locations of the priors."""
    width: FloatArray
    """(P,) scales of the priors of those that aren't shrunk."""

    @property
    def size(self) -> int:
        """Number of coordinates: a local one a slope, and the global ones."""
        return len(self.places) + len(self.start) - 1

    @property
    def start(self) -> tuple[float, ...]:
        """Where a local coordinate and each global one start."""
        if self.kind == "r2d2":
            mean = self.arguments[0]
            return 0.0, float(np.log(mean / (1 - mean)))
        return 0.0, float(np.log(self.arguments[1])) - 1.0, 2 * float(np.log(self.arguments[3]))

    def sds(self, own: FloatArray, local: FloatArray) -> FloatArray:
        """Return the prior sds (n,) at the family's own and the shrinkage's coordinates."""
        n = len(self.places)
        unit = self.unit * (1.0 if self.own is None else np.exp(own[self.own]))
        local = np.clip(local, -_LARGEST, _LARGEST)
        if self.kind == "r2d2":
            share = np.exp(local[:n] - np.logaddexp.reduce(local[:n]))
            return np.asarray(unit * np.sqrt(share) * np.exp(local[n] / 2))
        log_sd, log_slab = local[:n] + local[n], local[n + 1] / 2
        return np.asarray(unit * np.exp(log_sd - 0.5 * np.logaddexp(0, 2 * (log_sd - log_slab))))

    def overall(self, local: FloatArray) -> FloatArray:
        """Return the global parameters as results have them: scale and slab, or R2."""
        rest = local[len(self.places) :]
        if self.kind == "r2d2":
            return np.asarray(1 / (1 + np.exp(-rest)))
        return np.exp(rest * [1.0, 0.5])

    def drawn(self, sds: FloatArray, local: FloatArray) -> Shrunk:
        """Return draws of the sds (..., n), and of the coordinates that they follow from."""
        each = [self.overall(row) for row in local.reshape(-1, local.shape[-1])]
        overall = np.array(each).reshape(*local.shape[:-1], -1)
        return Shrunk(self.kind, self.places.tolist(), sds, overall)

    def slopes(self, raw: FloatArray, sds: FloatArray) -> FloatArray:
        """Return the coefficients (P,) of standard coordinates (P,), given the sds."""
        t, C = self._tuned(sds)
        v = np.linalg.solve(C.T, raw + np.linalg.solve(C, t * self.told_at))
        return self.origin + t * v

    def raw(self, b: FloatArray, sds: FloatArray) -> FloatArray:
        """Undo `slopes`."""
        t, C = self._tuned(sds)
        return np.asarray(C.T @ ((b - self.origin) / t) - np.linalg.solve(C, t * self.told_at))

    def _tuned(self, sds: FloatArray) -> tuple[FloatArray, FloatArray]:
        t = self.width.copy()
        t[self.places] = sds
        A = t[:, None] * self.told * t + np.eye(len(t))
        return t, np.linalg.cholesky((A + A.T) / 2)


def find(
    priors: Sequence[Prior], at: Coordinates, pull: FloatArray, own: int | None
) -> Shrinkage | None:
    """Find which slopes are shrunk; None where none is.

    Parameters
    ----------
    priors : sequence of Prior
        Of the population coefficients.
    at : Coordinates
        Around the mode of the quick fit, which has normal priors.
    pull : array, shape (P,)
        The precisions of these.
    own : int or None
        Place of the residual sd among the family's own parameters.
    """
    places = np.array([k for k, each in enumerate(priors) if each.shrinks], dtype=np.int64)
    if not len(places):
        return None
    P = len(priors)
    one = priors[places[0]]
    origin, width = np.array([each.normal for each in priors]).T
    root = np.linalg.inv(at.scale[:P, :P])
    precision = root.T @ root
    values, vectors = np.linalg.eigh(width[:, None] * (precision - np.diag(pull)) * width)
    told = (vectors * np.maximum(values, 0.0)) @ vectors.T / np.outer(width, width)
    by_own = own is not None and one.distribution == "r2d2"
    spread = 1.0 if by_own else one.spread
    unit = spread * np.array([priors[k].unit for k in places.tolist()])
    told_at = precision @ (at.center[:P] - origin)
    return Shrinkage(one.distribution, places, unit, one.arguments, own if by_own else None,
                     told, told_at, origin,
                     width)  # fmt: skip
