"""Mode and curvature of the integrated-out density: the coordinates in which a program samples.

The sampler's metric adaptation adds a floor of about 1e-5 to every variance, while the variance of
log sigma is 1 / 2N. So programs sample ``raw`` with ``theta = center + scale raw``, where raw is
near standard normal whatever the units and the number of rows. The density here need not be
exact in its priors (non-normal priors of population coefficients count as normal ones of the same
scale): whatever center and scale are, the program's posterior is the same.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

import numpy as np

from hiermix.families.correlations import pairs
from hiermix.families.prior import Prior
from hiermix.statistics.within_between import Within
from hiermix.tuning.coordinates import Coordinates, Hyperpriors
from hiermix.tuning.mode import bend_of, mode, mode_near
from hiermix.tuning.restricted_likelihood import Restricted
from hiermix.typing import FloatArray


class Target(Protocol):
    """A log density of phi, population integrated out, as `Restricted` has it."""

    @property
    def sd_places(self) -> range:
        """Places of the log sds in phi."""
        ...

    def value_and_gradient(self, phi: FloatArray) -> tuple[float, FloatArray]:
        """Log density and its gradient."""
        ...

    def population(self, phi: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Conditional mode of the population coefficients and a root of their covariance."""
        ...


def standardise(
    within: Within, priors: Hyperpriors, start: FloatArray | None = None
) -> Coordinates:
    """Find the coordinates for one grouping factor.

    Parameters
    ----------
    within : Within
        Sufficient statistics; those of no rows standardise the prior.
    priors : Hyperpriors
        Numbers of the priors.
    start : array, optional
        (log sigma, log sds, correlations) to search from, where a mode is known.
    """
    start = _start(within, priors) if start is None else start
    return at_mode(Restricted(within, priors), start, _guess(within, priors))


def of_round(
    within: Within, priors: Hyperpriors, start: FloatArray | None, last: Coordinates | None
) -> Coordinates:
    """Find the coordinates for statistics that change from round to round; nothing is bent.

    Parameters
    ----------
    within, priors, start
        As above; the mode is to be the one next to `start`, were there a higher one.
    last : Coordinates, optional
        Of the round before. Near them, curvatures are taken for those that were found there.
    """
    target, first = Restricted(within, priors), start
    if start is None:
        first = _start(within, priors)
    if last is not None:
        phi, root = _hyper(last, len(priors.b))
        found = mode_near(target.value_and_gradient, phi, root, first if start is None else None)
        if found is not None:
            return _around(target, found, root)
        if start is not None:
            first = phi
    assert first is not None
    return _around(target, *mode(target.value_and_gradient, first, _guess(within, priors)))


def settled(within: Within, priors: Hyperpriors, last: Coordinates) -> Coordinates:
    """Find all of the coordinates, from those of the last round."""
    return at_mode(Restricted(within, priors), *_hyper(last, len(priors.b)))


def at_mode(target: "Target", start: FloatArray, guess: FloatArray) -> Coordinates:
    """Find the coordinates around the mode next to (log sigma, log sds, correlations)."""
    phi, root = mode(target.value_and_gradient, start, guess)
    bend = [bend_of(target.value_and_gradient, phi, root, i) for i in target.sd_places]
    return replace(_around(target, phi, root), bend=np.array(bend))


def _around(target: "Target", phi: FloatArray, root: FloatArray) -> Coordinates:
    """Put the population beside the rest."""
    b, of_b = target.population(phi)
    P, D = len(b), len(b) + len(phi)
    scale = np.zeros((D, D))
    scale[:P, :P] = of_b
    scale[P:, P:] = root
    return Coordinates(np.concatenate([b, phi]), scale, np.zeros(len(target.sd_places)))


def _hyper(at: Coordinates, P: int) -> tuple[FloatArray, FloatArray]:
    """Return center and scale of all but the population."""
    return at.center[P:], at.scale[P:, P:]


def around(within: Within, priors: Hyperpriors, log_sd: float, spread: float) -> Coordinates:
    """Coordinates for a factor of one effect whose log sd is known to be about there."""
    phi = np.array([log_sd])
    b, root = Restricted(within, priors).population(phi)
    P = len(b)
    scale = np.zeros((P + 1, P + 1))
    scale[:P, :P], scale[P, P] = root, spread
    return Coordinates(np.concatenate([b, phi]), scale, np.zeros(1))


def _start(within: Within, priors: Hyperpriors) -> FloatArray:
    """Where the search begins: half the residual variance between groups, half within.

    Where groups are far apart, at what each group's own fit says.
    """
    size = np.zeros(within.Q)
    size[within.order] = np.einsum("jkq,jkq->q", within.R, within.R) / (within.n or 1.0)
    medians = [typical(prior) for prior in priors.sd]
    size = priors.sizes.over(size, np.log(medians))
    if priors.sigma is None:
        residual = max((t * np.sqrt(s) for t, s in zip(medians, size, strict=True)), default=1.0)
    else:
        residual = typical(priors.sigma)
    if within.n:  # of rows that are fitted exactly, rounding is left
        residual = max(np.sqrt(within.whole / within.n), 1e-6 * residual)
    sigma = residual / np.sqrt(2)
    sd = as_large(sigma, size, medians)
    if within.far and within.rss > 0:
        sigma = np.sqrt(within.rss / within.n)
        own = priors.sizes.pooled(within.spread(), np.log(medians))
        sd = np.maximum(own, as_large(sigma, size, own))
    log_sigma = [] if priors.sigma is None else [np.log(sigma)]
    return np.concatenate([log_sigma, np.log(sd), np.zeros(pairs(priors.blocks))])


def as_large(sigma: float, size: FloatArray, otherwise: Iterable[float]) -> FloatArray:
    """Return spreads whose effects vary as much as residuals; others where they add nothing."""
    return np.array([sigma / np.sqrt(s) if s > 0 else each
                     for s, each in zip(size, otherwise, strict=True)])  # fmt: skip


def typical(prior: Prior) -> float:
    """Median of a scale under its prior."""
    frozen = prior.frozen()
    return float(frozen.isf(frozen.sf(0.0) / 2))


def _guess(within: Within, priors: Hyperpriors) -> FloatArray:
    """Rough posterior sd of each element of phi."""
    J = float(within.groups.sum())
    sigma = [] if priors.sigma is None else [1 / np.sqrt(2 * within.n + 1)]
    sd = 1 / np.sqrt(2 * priors.sizes.told(np.full(within.Q, J)) + 1)
    cor = np.full(pairs(priors.blocks), 1 / np.sqrt(J + 1))
    return np.concatenate([sigma, sd, cor])
