"""Coordinates of a model whose residuals have a precision that mixes patterns."""

import numpy as np

from hiermix.families.correlations import pairs
from hiermix.statistics.patterns import Patterned
from hiermix.tuning.coordinates import Coordinates, Hyperpriors
from hiermix.tuning.patterned_likelihood import PatternedRestricted
from hiermix.tuning.population_scale import common
from hiermix.tuning.standardise import as_large, at_mode, typical
from hiermix.typing import FloatArray


def standardise(target: PatternedRestricted, start: FloatArray | None = None) -> Coordinates:
    """Find the coordinates; from (further, own, log sds, correlations) where a mode is known."""
    rows, priors = target.rows, target.priors
    at = at_mode(target, _start(rows, priors) if start is None else start, _guess(rows, priors))
    if not priors.sd:
        return at
    Lambda, block = priors.root(at.center[len(priors.b) + target.before :]), rows.block
    if not block.W:
        return at.follow(priors.b_precision, common(rows.gram), Lambda)
    shared = np.zeros((rows.P, len(Lambda)))
    shared[:, block.own] = common(rows.gram)[: rows.P]
    return at.follow(priors.b_precision, shared, Lambda)


def _start(rows: Patterned, priors: Hyperpriors) -> FloatArray:
    """Where the search begins: half the residual variance between groups, half within."""
    within = rows.within
    own = np.zeros(within.Q)
    own[within.order] = np.einsum("jkq,jkq->q", within.R, within.R) / (within.n or 1.0)
    medians = [typical(prior) for prior in priors.sd]
    size = priors.sizes.over(_of_all(rows, priors, own), np.log(medians))
    residual = np.sqrt(max(within.whole, 1e-300) / within.n) if within.n else 1.0
    sigma = residual / np.sqrt(1 + (within.Q > 0))
    sd = as_large(float(sigma), size, medians)
    if within.far and within.rss > 0:
        sigma = np.sqrt(within.rss / within.n)
        spread = _of_all(rows, priors, within.spread())
        sd = np.maximum(priors.sizes.pooled(spread, np.log(medians)), sd)
    return np.concatenate(
        [*rows.precision.start(float(sigma)), np.log(sd), np.zeros(pairs(priors.blocks))]
    )


def _guess(rows: Patterned, priors: Hyperpriors) -> FloatArray:
    J = float(rows.groups.J)
    levels = _of_all(rows, priors, np.full(rows.within.Q, J))
    levels += np.bincount(rows.block.effect, minlength=len(levels))
    sd = 1 / np.sqrt(2 * priors.sizes.told(levels) + 1)
    cor = np.full(pairs(priors.blocks), 1 / np.sqrt(J + 1))
    return np.concatenate([rows.precision.guess(), sd, cor])


def _of_all(rows: Patterned, priors: Hyperpriors, own: FloatArray) -> FloatArray:
    """(E,) numbers of the effects of the factor beside a block (Q,); zeros for the block's."""
    if not rows.block.W:
        return own
    found = np.zeros(len(priors.sizes.of))
    found[rows.block.own] = own
    return found
