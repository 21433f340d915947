"""Other places where a mode may be than the one that the quick fit found.

Spreads small and large, and as each level's own least squares have them; the family's own
parameters likewise; draws from the priors of all of them; coefficients with their priors left out;
and, where the density of some row isn't concave, coefficients and effects that go through a few
rows of each level picked at random, as robust regression does (elemental sets; Rousseeuw, 1984).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hiermix.design.effect_sizes import EffectSizes
from hiermix.families.correlations import pairs, unconstrained
from hiermix.families.own_parameter import OwnParameter
from hiermix.families.prior import Prior
from hiermix.statistics.gram import Gram
from hiermix.tuning.penalised import Penalised, population, share
from hiermix.tuning.points import Point
from hiermix.tuning.problem import Problem
from hiermix.typing import FloatArray

_SMALL, _LARGE = -3.0, 1.5
"""On the log scale, from the quick fit's sds."""
_APART = 2.0
"""Likewise, both ways, of the family's own parameters."""
_DRAWN, _ELEMENTAL = 3, 12
_TOLD = 1e-10
"""Least eigenvalue of the rows of a level, in units of their size, that tells its effects."""
_MOST_ALONE = 6
"""Sds up to which each is made small while the others are kept; coordinates of the family's own
parameters up to which each is moved alone."""


@dataclass(frozen=True)
class Hyper:
    """What guesses of everything but the effects need of a model."""

    own: Sequence[tuple[OwnParameter, Prior]]
    sd: Sequence[Prior]
    sizes: EffectSizes
    """What sds the effects have by the spreads, of all factors."""
    b: Sequence[Prior]
    least_squares: FloatArray
    """(P,) coefficients without their priors."""
    levels: Sequence[tuple[Gram, Sequence[int]]]
    """Statistics and blocks of each factor."""


def around(
    at: Point, model: Hyper, problem: Problem | None = None, found: Penalised | None = None
) -> tuple[Point, ...]:
    """Return guesses; those of effects only for a problem and its quick fit."""
    of_effects = [] if problem is None or found is None else elemental(at, problem, found)
    return (*hyper(at, model), *of_effects)


def hyper(at: Point, model: Hyper) -> Iterator[Point]:
    """Yield points whose effects are left to the rest."""
    at = replace(at, r=np.zeros(0))
    E = len(at.log_sd)
    if E:
        yield replace(at, log_sd=at.log_sd + _SMALL)
        yield replace(at, log_sd=at.log_sd + _LARGE)
        yield _of_each_level(at, model)
    for step in np.eye(E) if 1 < E <= _MOST_ALONE else ():
        yield replace(at, log_sd=at.log_sd + _SMALL * step)
    if not any(own.of_thresholds for own, _ in model.own):
        for step in _steps(at, model):
            yield replace(at, own=at.own + _APART * step)
            yield replace(at, own=at.own - _APART * step)
        if all(own.single for own, _ in model.own):
            yield from _drawn(at, model)
    if any(prior.distribution != "normal" for prior in model.b):
        yield replace(at, b=model.least_squares)
        yield replace(at, b=np.array([prior.normal[0] for prior in model.b]))


def _steps(at: Point, model: Hyper) -> FloatArray:
    """Return which coordinates of own parameters are moved together: rows of zeros and ones."""
    A = len(at.own)
    if A <= _MOST_ALONE:
        return np.eye(A)
    ends = np.cumsum([own.size or 1 for own, _ in model.own])
    of = np.searchsorted(ends, np.arange(A), side="right")
    return np.asarray(of == np.arange(len(ends))[:, None], dtype=np.float64)


def _of_each_level(at: Point, model: Hyper) -> Point:
    """Return the sds and correlations of each level's own least squares."""
    sds, cor = [], []
    known = np.exp(model.sizes.log_sds(at.log_sd))
    Es = np.cumsum([0, *(gram.Q for gram, _ in model.levels)])
    Cs = np.cumsum([0, *(pairs(blocks) for _, blocks in model.levels)])
    for i, (gram, blocks) in enumerate(model.levels):
        own = _least_squares(gram)
        if len(own) <= gram.Q:
            sds.append(known[Es[i] : Es[i + 1]])
            cor.append(at.cor[Cs[i] : Cs[i + 1]])
            continue
        sd = np.maximum(own.std(axis=0), 1e-300)
        sds.append(sd)
        scaled = (own - own.mean(axis=0)) / sd
        cor.append(unconstrained(scaled.T @ scaled / len(own), blocks))
    sds.append(known[Es[-1] :])  # coefficients of a block stay as they are
    log_sd = np.log(model.sizes.pooled(np.concatenate(sds), at.log_sd))
    return replace(at, log_sd=log_sd, cor=_beside_tails(np.concatenate(cor), at))


def _least_squares(gram: Gram) -> FloatArray:
    """Effects (levels, Q) by least squares, of the levels whose rows tell them all."""
    size = np.sqrt(np.einsum("jqq->jq", gram.ZtZ))
    told = (size > 0).all(axis=1)
    size, ZtZ = size[told], gram.ZtZ[told]
    scaled = ZtZ / (size[:, :, None] * size[:, None, :])
    full = np.linalg.eigvalsh(scaled)[:, 0] > _TOLD if gram.Q and told.any() else np.zeros(0, bool)
    right = gram.ZtR[told][full, :, :1] / size[full][:, :, None]
    return np.asarray(np.linalg.solve(scaled[full], right)[:, :, 0] / size[full])


def _drawn(at: Point, model: Hyper) -> Iterator[Point]:
    """Yield draws from the priors of sds and own parameters."""
    rng = np.random.default_rng(0)
    for _ in range(_DRAWN):
        own = [each.coordinate(each.quantile(prior, rng.uniform(0.01, 0.99)))
               for each, prior in model.own]  # fmt: skip
        log_sd = np.log([_positive(prior, rng) for prior in model.sd])
        cor = 0.5 * rng.standard_normal(sum(pairs(blocks) for _, blocks in model.levels))
        yield replace(at, own=np.array(own), log_sd=log_sd, cor=_beside_tails(cor, at))


def _beside_tails(cor: FloatArray, at: Point) -> FloatArray:
    """Return unconstrained correlations, and after them what else a point has there."""
    return np.concatenate([cor, at.cor[len(cor) :]])


def _positive(prior: Prior, rng: np.random.Generator) -> float:
    """Draw from the part of a prior above zero, between its 1 % and 99 % quantiles."""
    frozen = prior.frozen()
    return float(frozen.isf(frozen.sf(0.0) * rng.uniform(0.01, 0.99)))


# Effects -----------------------------------------------------------------------------------------


def elemental(at: Point, problem: Problem, found: Penalised) -> Iterator[Point]:
    """Yield points whose coefficients and effects go through a few rows.

    Every other one keeps the population's coefficients.
    """
    if problem.family.concave or len(problem.names) > 1:
        return
    rng = np.random.default_rng(0)
    for turn in range(_ELEMENTAL):
        b = at.b
        if turn % 2 or not problem.design.groupings:
            b = b + _of_population(problem, found.working - population(problem, b), rng)
        rest, r = found.working - population(problem, b), [np.zeros(0)]
        for name, fit in found.fits.items():
            if name is not None:
                effects = _of_levels(problem, name, rest, 3 * fit.Lambda, rng)
                rest = rest - share(problem.design, name, effects)
                r.append(effects.T.ravel())
        yield replace(at, b=b, r=np.concatenate(r))


def _of_population(problem: Problem, rest: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Coefficients (P,) through as many rows as there are coefficients."""
    rows = rng.permutation(problem.design.rows)[: len(problem.x_mean)]
    X = problem.design.X(rows) - problem.x_mean
    prior = np.diag(1 / np.sqrt(problem.b_precision))
    return np.asarray(_through(X[None], rest[None, rows], prior)[0])


def _of_levels(
    problem: Problem, name: str, rest: FloatArray, Lambda: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Effects (J, Q) through as many rows of each level, picked at random, as there are effects."""
    grouping = problem.design.grouping(name)
    J, Q = len(grouping.levels), len(Lambda)
    if not grouping.factor.partitions:  # whose levels have no rows of their own
        return np.zeros((J, Q))
    level, rows, place = grouping.factor.picked(Q, rng)
    Z, e = np.zeros((J, Q, Q)), np.zeros((J, Q))
    Z[level, place] = problem.design.Z(name, rows)
    e[level, place] = rest[rows]
    return _through(Z, e, Lambda)


def _through(Z: FloatArray, e: FloatArray, Lambda: FloatArray) -> FloatArray:
    """Coefficients (J, Q), of prior root Lambda, that come within 1 % of e (J, n)."""
    A = Z @ Lambda
    size = np.maximum(np.einsum("jnq,jnq->j", A, A), 1e-300)[:, None, None]
    inner = A @ A.swapaxes(1, 2) + 1e-2 * size * np.eye(Z.shape[1])
    v = A.swapaxes(1, 2) @ np.linalg.solve(inner, e[:, :, None])
    return np.asarray(v[:, :, 0] @ Lambda.T)
