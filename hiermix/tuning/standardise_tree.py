"""Coordinates of a model whose nested factors are all integrated out: its mode and curvature."""

import numpy as np

from hiermix.families.correlations import pairs
from hiermix.statistics.tree import Tree
from hiermix.tuning.coordinates import Coordinates, Hyperpriors
from hiermix.tuning.population_scale import common
from hiermix.tuning.standardise import as_large, at_mode, typical
from hiermix.tuning.tree_likelihood import TreeRestricted
from hiermix.typing import FloatArray


def standardise(tree: Tree, priors: Hyperpriors, start: FloatArray | None = None) -> Coordinates:
    """Find the coordinates; arguments as in `standardise.standardise`, priors of all factors."""
    start = _start(tree, priors) if start is None else start
    target = TreeRestricted(tree, priors)
    at = at_mode(target, start, _guess(tree, priors))
    Lambda = priors.root(at.center[len(priors.b) + target.sd_places.start :])
    shared = np.concatenate([common(gram) for gram in tree.grams], axis=1)
    return at.follow(priors.b_precision, shared, Lambda)


def _start(tree: Tree, priors: Hyperpriors) -> FloatArray:
    """Where the search begins: as much of the variance in rows as in the effects of each factor."""
    within, n = tree.within, tree.within.n or 1.0
    size = np.concatenate([np.einsum("jqq->q", gram.ZtZ) for gram in tree.grams]) / n
    medians = [typical(prior) for prior in priors.sd]
    size = priors.sizes.over(size, np.log(medians))
    residual = 1.0 if priors.sigma is None else typical(priors.sigma)
    if within.n:  # of rows that are fitted exactly, rounding is left
        whole = max(within.whole, *(gram.rss for gram in tree.grams))
        residual = max(np.sqrt(whole / n), 1e-6 * residual)
    part = residual / np.sqrt(1 + len(tree.grams))
    sigma = np.sqrt(within.rss / n) if within.far and within.rss > 0 else part
    sd = as_large(float(part), size, medians)
    log_sigma = [] if priors.sigma is None else [np.log(sigma)]
    return np.concatenate([log_sigma, np.log(sd), np.zeros(pairs(priors.blocks))])


def _guess(tree: Tree, priors: Hyperpriors) -> FloatArray:
    """Rough posterior sd of each coordinate but those of the population."""
    levels = np.concatenate([np.full(gram.Q, len(gram.ZtZ)) for gram in tree.grams])
    sd = 1 / np.sqrt(2 * priors.sizes.told(levels) + 1)
    least = min(len(gram.ZtZ) for gram in tree.grams)
    cor = np.full(pairs(priors.blocks), 1 / np.sqrt(least + 1))
    sigma = [] if priors.sigma is None else [1 / np.sqrt(2 * tree.within.n + 1)]
    return np.concatenate([sigma, sd, cor])
