"""A quick penalised fit in numpy that tunes the programs which sample their group effects.

Factor by factor (backfitting), with the effects of the other factors held at their conditional
means, the model has one grouping factor and its integrated-out density gives mode, curvature and
effects. The result only tunes the sampler: the posterior is the same whatever it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hiermix.design import Design
from hiermix.effects import Hyperdraws, mean_effects
from hiermix.gram import Gram, rotate, statistics
from hiermix.standardise import (
    Coordinates,
    Hyperpriors,
    block_cholesky,
    inverse_root,
    pairs,
    standardise,
)
from hiermix.typing import FloatArray

_ROUNDS = 5


@dataclass(frozen=True)
class FactorFit:
    """What the penalised fit says of one grouping factor."""

    gram: Gram
    """Statistics with the effects of the other factors subtracted, and working weights."""
    coordinates: Coordinates
    """Of the model in which only this factor varies."""
    effects: FloatArray
    """(J, Q) conditional means."""


def backfit(
    design: Design,
    response: FloatArray,
    weights: FloatArray | None,
    priors: Mapping[str, Hyperpriors],
) -> dict[str, FactorFit]:
    """Fit every grouping factor given the others.

    Parameters
    ----------
    design : Design
        The model's design.
    response, weights : array, shape (rows,)
        Working response and weights.
    priors : mapping of str to Hyperpriors
        For each grouping factor.
    """
    fits: dict[str, FactorFit] = {}
    contribution = {grouping.name: np.zeros(design.rows) for grouping in design.groupings}
    for _ in range(_ROUNDS if len(contribution) > 1 else 1):
        for grouping in design.groupings:
            name = grouping.name
            others = sum(part for key, part in contribution.items() if key != name)
            fit = _fit(design, name, response - others, weights, priors[name])
            fits[name] = fit
            rows = fit.effects[grouping.codes]
            contribution[name] = np.einsum("nq,nq->n", design.Z(name), rows)
    return fits


def _fit(
    design: Design, name: str, response: FloatArray, weights: FloatArray | None, priors: Hyperpriors
) -> FactorFit:
    gram = statistics(design, name, response, weights)
    coordinates = standardise(rotate(gram), priors)
    P, Q = len(gram.b_hat), gram.Q
    b, phi = coordinates.center[:P], coordinates.center[P:]
    sigma, Lambda = unpack(phi, Q, priors)
    draws = Hyperdraws(b[None], np.array([sigma]), Lambda[None])
    return FactorFit(gram, coordinates, mean_effects(gram, draws)[0])


def unpack(phi: FloatArray, Q: int, priors: Hyperpriors) -> tuple[float, FloatArray]:
    """Residual sd and Lambda at a point phi = ([log sigma,] log sd, correlations)."""
    known = priors.sigma is None
    sd = phi[(not known) :][:Q]
    L, _ = block_cholesky(phi[(not known) + Q :], priors.blocks)
    return 1.0 if known else float(np.exp(phi[0])), np.exp(sd)[:, None] * L


@dataclass(frozen=True)
class Tuning:
    """What a program that samples its effects is handed besides the data."""

    coordinates: Coordinates
    b_hat: FloatArray
    """(P,)"""
    ZtWZ: Sequence[FloatArray]
    """For each factor (J, Q, Q)."""
    ZtWR: Sequence[FloatArray]
    """For each factor (J, Q, 1 + P)."""


def tune(
    fits: Sequence[FactorFit],
    priors: Sequence[Hyperpriors],
    own: Coordinates,
) -> Tuning:
    """Put the fits of all factors together.

    Each population coefficient is absorbed by one factor only, the one that leaves the least
    information on it: two factors that both make up for the intercept make it mix worst.

    Parameters
    ----------
    fits, priors : sequences, one element a factor
        From `backfit`.
    own : Coordinates
        Of the family's own parameters.
    """
    last = fits[-1].gram
    P = len(last.b_hat)
    b_hat = fits[-1].coordinates.center[:P]
    sigmas = [unpack(f.coordinates.center[P:], f.gram.Q, p)[0] for f, p in zip(fits, priors, strict=True)]
    explained = np.array([_explained(f, p) for f, p in zip(fits, priors, strict=True)])
    absorbs = explained.argmax(axis=0)
    precision = last.XtX / sigmas[-1] ** 2 + np.diag([1 / p.scale**2 for p in priors[0].b])
    ZtWZ, ZtWR = [], []
    for m, (fit, prior, sigma) in enumerate(zip(fits, priors, sigmas, strict=True)):
        columns = np.concatenate([[True], absorbs == m])
        ZtR = _around(fit.gram, b_hat) * columns / sigma**2
        precision -= _information(fit, prior, ZtR)
        ZtWZ.append(fit.gram.ZtZ / sigma**2)
        ZtWR.append(ZtR)
    return Tuning(_join(fits, priors, own, b_hat, inverse_root(precision)), b_hat, ZtWZ, ZtWR)


def _around(gram: Gram, b: FloatArray) -> FloatArray:
    """Z'e and -Z'X with the residuals taken around `b`."""
    ZtR = gram.ZtR.copy()
    ZtR[:, :, 0] += gram.ZtR[:, :, 1:] @ (b - gram.b_hat)
    return ZtR


def _information(fit: FactorFit, priors: Hyperpriors, ZtR: FloatArray) -> FloatArray:
    """Information on b (P, P) that the factor's effects take away, from scaled statistics."""
    P = len(fit.gram.b_hat)
    sigma, Lambda = unpack(fit.coordinates.center[P:], fit.gram.Q, priors)
    A = np.eye(fit.gram.Q) + Lambda.T @ fit.gram.ZtZ @ Lambda / sigma**2
    U = Lambda.T @ ZtR[:, :, 1:]
    return np.einsum("jqa,jqb->ab", U, np.linalg.solve(A, U), optimize=True)


def _explained(fit: FactorFit, priors: Hyperpriors) -> FloatArray:
    P = len(fit.gram.b_hat)
    sigma, _ = unpack(fit.coordinates.center[P:], fit.gram.Q, priors)
    return np.diag(_information(fit, priors, fit.gram.ZtR / sigma**2))


def _join(
    fits: Sequence[FactorFit],
    priors: Sequence[Hyperpriors],
    own: Coordinates,
    b: FloatArray,
    b_scale: FloatArray,
) -> Coordinates:
    """Coordinates of all parameters in the programs' order: b, own, sd, correlations."""
    P = len(b)
    sd = [_block(f, p, slice(0, f.gram.Q)) for f, p in zip(fits, priors, strict=True)]
    cor = [
        _block(f, p, slice(f.gram.Q, f.gram.Q + pairs(p.blocks)))
        for f, p in zip(fits, priors, strict=True)
    ]
    parts = [Coordinates(b, b_scale), own, *sd, *cor]
    center = np.concatenate([part.center for part in parts])
    scale = np.zeros((len(center), len(center)))
    at = 0
    for part in parts:
        end = at + len(part.center)
        scale[at:end, at:end] = part.scale
        at = end
    assert at == len(center) and P <= at
    return Coordinates(center, scale)


def _block(fit: FactorFit, priors: Hyperpriors, which: slice) -> Coordinates:
    """Marginal coordinates of some of (log sd, correlations) of one factor."""
    start = len(fit.gram.b_hat) + (priors.sigma is not None)
    rows = slice(start + which.start, start + which.stop)
    root = fit.coordinates.scale[rows]
    covariance = root @ root.T
    scale = np.linalg.cholesky(covariance) if len(covariance) else covariance
    return Coordinates(fit.coordinates.center[rows], scale)
