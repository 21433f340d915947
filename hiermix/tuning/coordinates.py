"""Coordinates in which a program samples, and what they are made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from hiermix.design.effect_sizes import EffectSizes
from hiermix.families.correlations import block_cholesky, lkj, pairs
from hiermix.families.prior import Prior, log_densities
from hiermix.tuning.population_scale import Following, follow
from hiermix.typing import FloatArray

_STEP = 1e-5
"""Of differences."""


@dataclass(frozen=True)
class Coordinates:
    """``theta = center + scale raw``: population, family, log sd, unconstrained correlations.

    A log sd whose posterior runs on towards zero is bent down to
    ``theta - bend softplus(-t)^2 / 2``, where t is theta's distance from its center in sds: a
    normal t then reaches far below.
    """

    center: FloatArray
    """(D,)"""
    scale: FloatArray
    """(D, D)"""
    bend: FloatArray = field(default_factory=lambda: np.zeros(0))
    """(S,) one for each spread."""
    following: Following | None = None
    """How the scale of the population coefficients follows the sds; None where it doesn't."""

    def follow(self, prior: FloatArray, shared: FloatArray, Lambda: FloatArray) -> "Coordinates":
        """Let the population follow the sds; arguments as in `population_scale.follow`."""
        P = len(prior)
        following = follow(self.scale[:P, :P], prior, shared, Lambda)
        if following is None:
            return self
        scale = self.scale.copy()
        scale[:P, :P] = following.scale
        return replace(self, scale=scale, following=following)


@dataclass(frozen=True)
class Hyperpriors:
    """Priors of one grouping factor and the population, in the order of theta."""

    b: Sequence[Prior]
    sigma: Prior | None
    """None where the residual scale is known to be 1 (working models of other families)."""
    sd: Sequence[Prior]
    """(S,) of the spreads."""
    sizes: EffectSizes
    """What sds the effects have by these."""
    lkj: Sequence[float]
    """Shape of each block."""
    blocks: Sequence[int]
    df: Prior | None = None
    """Of the degrees of freedom of effects that are t-distributed."""
    near: FloatArray | None = None
    """(P,) where the coefficients are, if a mode is known: a normal prior stands for each there."""

    @property
    def b_precision(self) -> FloatArray:
        """(P,) precisions of the priors of the population coefficients."""
        if self.near is None:
            return np.array([1 / prior.normal[1] for prior in self.b]) ** 2
        return np.array([_pull(prior, at) for prior, at in zip(self.b, self.near, strict=True)])

    def root(self, phi: FloatArray) -> FloatArray:
        """Lambda = diag(sd) L, (..., E, E), from log spreads and unconstrained correlations."""
        S = self.sizes.spreads
        sds = np.exp(self.sizes.log_sds(phi[..., :S]))
        return np.asarray(sds[..., None] * block_cholesky(phi[..., S:], self.blocks))

    def log_scales(self, before: Sequence[Prior] = ()) -> "LogScales":
        """Return the log prior of the log spreads, log scales before them, and correlations."""
        return LogScales(log_densities((*before, *self.sd)), self.blocks, self.lkj)


class LogScales(NamedTuple):
    """Log prior of (log scales, unconstrained correlations)."""

    of_scales: Callable[[FloatArray], FloatArray]
    blocks: Sequence[int]
    shapes: Sequence[float]

    def value_and_gradient(self, at: FloatArray) -> tuple[float, FloatArray]:
        """Log density with the Jacobians of the transforms, but for a constant."""
        logs, raw = np.split(at, [len(at) - pairs(self.blocks)])
        low, middle, high = self.of_scales(np.exp(logs + np.array([[-_STEP], [0.0], [_STEP]])))
        of_cor, along_cor = lkj(raw, self.blocks, self.shapes)
        along = (high - low) / (2 * _STEP) + 1.0
        value = float(middle.sum() + logs.sum()) + float(of_cor)
        return value, np.concatenate([along, along_cor])


def _pull(prior: Prior, at: float) -> float:
    """Precision of the normal prior that pulls as much towards the location from there."""
    if prior.bounded or prior.shrinks:
        return float(prior.normal[1] ** -2)
    away = max(abs(at - prior.location), 0.1 * prior.scale)
    h = 1e-3 * away
    low, high = prior.frozen().logpdf(prior.location + away + np.array([-h, h]))
    return max(float(low - high) / (2 * h * away), 1e-8 * prior.scale**-2)
