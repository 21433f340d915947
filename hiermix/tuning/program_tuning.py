"""What the programs that sample their group effects are handed besides rows and priors.

Coordinates, and for each factor the weights and working residuals of the penalised fit, to which
its effects are tuned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from hiermix.design.batches import slices
from hiermix.design.design import Design
from hiermix.families.correlations import pairs
from hiermix.families.prior import Prior
from hiermix.statistics import nested
from hiermix.statistics.gram import Gram
from hiermix.statistics.nested import Pair
from hiermix.statistics.related_levels import Turned
from hiermix.tuning import (
    common_parts,
    effects_beside_own,
    own_beside_population,
    population_scale,
    related_tuning,
    weights_by_own,
)
from hiermix.tuning.common_parts import Common
from hiermix.tuning.coordinates import Coordinates, Hyperpriors
from hiermix.tuning.penalised import FactorFit, Penalised
from hiermix.tuning.problem import Problem
from hiermix.tuning.restricted_likelihood import inverse_root
from hiermix.typing import FloatArray

_CENTRED = 1e4


@dataclass(frozen=True)
class Tuning:
    """What a program that samples its effects is handed besides the data."""

    coordinates: Coordinates
    b_hat: FloatArray
    """(P,)"""
    least_squares: FloatArray
    """(P,) of the working responses, without priors and effects."""
    ZtWZ: Sequence[FloatArray]
    """For each factor (J, Q, Q)."""
    ZtWR: Sequence[FloatArray]
    """For each factor (J, Q, 1 + P): Z'W e, then -Z'WX of the coefficients it absorbs."""
    along_own: Sequence[FloatArray]
    """For each factor (J, Q, A): how Z'W e moves with the family's own parameters; none where
    the fit can't tell."""
    weight_by_own: FloatArray
    """(M, A) how the log weights of each factor grow with these; zero where they needn't."""
    within: Sequence[tuple[Pair, FloatArray]] = ()
    """Nested factors, and Z_inner' W Z_outer (J_inner, Q_inner, Q_outer)."""
    apart: Mapping[str, tuple[Common, FloatArray]] = field(default_factory=dict)
    """What levels have in common, and K (P, Q) with X K = Z, of factors where it is apart."""
    roots: Mapping[str, FloatArray] = field(default_factory=dict)
    """(J, J) of factors whose levels are related: effects from independent ones that are tuned."""


class Information(Protocol):
    """What rows say of effects beside each other and beside the population."""

    def cross(self, pair: Pair, Lambdas: Mapping[str, FloatArray]) -> FloatArray:
        """Z_inner'V^-1 Z_outer of each inner level, with factors inside it integrated out."""
        ...

    def of_population(self, along: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Return what rows say of the population where effects (J, Q, P) move along with it.

        Second derivatives (P, P) of the log density by its coefficients, with the sign turned, and
        (P, A) by these and the own parameters.
        """
        ...


@dataclass(frozen=True)
class OfRows:
    """The same, of the rows of a penalised fit."""

    problem: Problem
    found: Penalised

    def cross(self, pair: Pair, Lambdas: Mapping[str, FloatArray]) -> FloatArray:
        """Z_inner'V^-1 Z_outer of each inner level, with factors inside it integrated out."""
        return nested.cross(self.problem.design, pair, self.found.weights, Lambdas)

    def of_population(self, along: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Return what rows say of the population where effects (J, Q, P) move along with it."""
        design, weights = self.problem.design, self.found.weights
        P = len(self.problem.x_mean)
        total, cross = np.zeros((P, P)), np.zeros((P, self.found.by_own.shape[1]))
        for rows in slices(design.rows if weights.any() else 0):
            X = design.X(rows) - self.problem.x_mean
            for name, by_level in along.items():
                shift = design.grouping(name).factor.gather(by_level, rows)
                X = X + np.einsum("nq,nqp->np", design.Z(name, rows), shift)
            total += X.T @ (X * weights[rows, None])
            cross += X.T @ self.found.by_own[rows]
        return total, cross


def tune(
    problem: Problem,
    found: Penalised,
    parameterisation: str,
    information: Information | None = None,
    integrated: Mapping[str, FactorFit] | None = None,
) -> Tuning:
    """Put the fits of all factors together, in the program's centred X.

    Parameters
    ----------
    problem : Problem
        The model.
    found : Penalised
        Its penalised fit.
    parameterisation : {"auto", "centered", "noncentered"}
        Weights of the fit; very large ones; none.
    information : Information, optional
        What rows say of several factors at once; by default of rows with the fit's weights.
    integrated : mapping, optional
        Factors whose effects are not sampled, which come after the others.

    Notes
    -----
    Each population coefficient is absorbed by one factor only, the one that leaves the least
    information on it: two factors that both make up for the intercept make it mix worst.

    Numbers in brackets are equations of docs/how-it-samples.md.
    """
    # 1. The fit, in the program's X, and which factors are nested, crossed, absorbing.
    fits, own = found.fits, found.own
    last = list(fits.values())[-1]
    shift = _recentring(problem, last.gram)
    b_hat = np.linalg.solve(shift, last.b)
    named = {name: fit for name, fit in fits.items() if name is not None}
    tuned = parameterisation == "auto"
    of = OfRows(problem, found) if information is None else information
    within = _nested(problem, named, of) if tuned else []
    apart = _apart(problem, named) if tuned else {}
    related = related_tuning.turns(problem.design, named)
    ZtR = {name: _around(fit.gram, last.b, shift) for name, fit in named.items()}
    absorbs = _absorbs(named, ZtR, within)
    # 2. Factor by factor, the outer ones first: W_j and s_j (14), less what outer effects take, and
    #    K_j, how effects move along with b (15), without what levels have in common (17).
    ZtWZ, ZtWR = [], []
    moved: dict[str, FloatArray] = {}
    along: dict[str, FloatArray] = {}
    for name, fit in named.items():
        W, R = _tuned_to(fit, ZtR[name] * absorbs[name], parameterisation, related.get(name))
        outward = R[:, :, 1:].copy()
        for pair, Z in within:
            if pair.inner == name:
                outer = named[pair.outer]
                R[:, :, 0] += np.einsum("jqk,jk->jq", Z, outer.effects[pair.above])
                outward -= Z @ (outer.Lambda @ moved[pair.outer])[pair.above]
        ZtWZ.append(W)
        ZtWR.append(R)
        inverse = np.linalg.inv(np.eye(len(fit.Lambda)) + fit.Lambda.T @ W @ fit.Lambda)
        moved[name] = inverse @ (fit.Lambda.T @ outward)
        if name in apart:
            moved[name] = apart[name][0].project(moved[name], inverse)
        along[name] = fit.Lambda @ moved[name]
        if name in related:
            along[name] = np.einsum("jk,kqp->jqp", related[name].root, along[name])
    # 3. Coordinates (6): of b by its curvature (15), of the rest by the factors' own fits.
    told, cross = of.of_population(along)
    population = Coordinates(b_hat, inverse_root(_precision(problem, moved) + told))
    taken = np.zeros((len(own.center),) * 2)
    for name, fit in named.items():
        taken += _taken(problem.design, name, fit, found.by_own)
    own = own_beside_population.beside_effects(own, taken)
    both = own_beside_population.together(population, own, cross)
    grown = weights_by_own.growths(problem, found, named) * tuned
    moving = []
    moves = own_beside_population.bounded(population, own, cross)
    for (name, fit), growth in zip(named.items(), grown, strict=True) if moves else ():
        columns = _beside_own(problem, found, name, named, ZtR[name], absorbs[name], both, growth)
        R = _tuned_to(fit, columns, parameterisation, related.get(name))[1]
        moving.append(R[:, :, ZtR[name].shape[2] :])
    every = named | dict(integrated or {})
    spread = [_spread(fit, problem.priors[name]) for name, fit in every.items()]
    df = [_freedom(each.df) for each in problem.priors.values() if each.df is not None]
    parts = [both, *(sd for sd, _ in spread), *(cor for _, cor in spread), *df]
    at = _diagonal(parts)
    # 4. With few levels, those of b follow the sds (10).
    if named and tuned and not apart and not integrated:
        at = _follow(at, problem, named, shift, absorbs)
    least_squares = np.linalg.solve(shift, last.gram.b_hat)
    roots = {name: each.root for name, each in related.items()}
    return Tuning(at, b_hat, least_squares, ZtWZ, ZtWR, moving, grown, within, apart, roots)


def _freedom(prior: Prior) -> Coordinates:
    """Coordinate of degrees of freedom, which data tell little about: as the prior has it."""
    low, middle, high = np.log(np.maximum(prior.frozen().ppf([0.16, 0.5, 0.84]) - 1, 0.1))
    return Coordinates(np.array([middle]), np.array([[max((high - low) / 2, 0.1)]]))


def _follow(
    at: Coordinates,
    problem: Problem,
    fits: Mapping[str, FactorFit],
    shift: FloatArray,
    absorbs: Mapping[str, FloatArray],
) -> Coordinates:
    """Let each coefficient follow the sds of the factor that absorbs it.

    The effects of other factors don't move along with it.
    """
    from scipy.linalg import block_diag

    shared = [
        np.linalg.solve(shift, population_scale.common(fit.gram)) * absorbs[name][1:, None]
        for name, fit in fits.items()
    ]
    Lambda = block_diag(*(fit.Lambda for fit in fits.values()))
    return at.follow(problem.b_precision, np.concatenate(shared, axis=1), Lambda)


def _apart(problem: Problem, fits: Mapping[str, FactorFit]) -> dict[str, tuple[Common, FloatArray]]:
    """Find what the levels of each factor have in common, where that is worth its cost.

    It is with crossed factors, and with nested ones that have few levels. With one factor the
    population follows it instead.
    """
    alike = [fit for name, fit in fits.items() if problem.design.grouping(name).factor.partitions]
    few = len(alike) > 1 and any(population_scale.few_levels(fit.gram) for fit in alike)
    if not few and not nested.crossed(problem.design, problem.pairs):
        return {}
    column = common_parts.columns(problem.design, problem.x_mean)
    found = {}
    # What levels have in common is taken from b after its bounds, and after steps that go one way
    # were made of their mean and shares: from those nothing.
    held = np.array([prior.bounded for prior in next(iter(problem.priors.values())).b])
    for steps in problem.answered.step_places:
        held[steps] = True
    for name, fit in fits.items():
        K, shared = column[name], common_parts.find(fit.gram.ZtZ, fit.Lambda)
        grouping = problem.design.grouping(name)
        if grouping.heavy or grouping.covariance is not None:
            continue  # what they have in common is neither normal nor a mean of independent ones
        if K is not None and shared is not None:
            found[name] = shared, np.where(held[:, None], 0.0, K)
    return found


def _nested(
    problem: Problem, fits: Mapping[str, FactorFit], of: Information
) -> list[tuple[Pair, FloatArray]]:
    """Pairs of nested factors, with what the effects of one take away from the other."""
    Lambdas = {name: fit.Lambda for name, fit in fits.items()}
    both = (pair for pair in problem.pairs if pair.inner in fits and pair.outer in fits)
    return [(pair, of.cross(pair, Lambdas)) for pair in both]


def _absorbs(
    fits: Mapping[str, FactorFit],
    ZtR: Mapping[str, FloatArray],
    within: Sequence[tuple[Pair, FloatArray]],
) -> dict[str, FloatArray]:
    """Columns of ZtR (1 + P) to keep: factors nested in one absorb what it absorbs."""
    outermost = {name: name for name in fits}
    for pair, _ in reversed(within):
        outermost[pair.inner] = pair.outer
    roots = [name for name in fits if outermost[name] == name]
    # What factors nested in a root take away is missing from its own X'WX.
    whole = np.max([np.diag(fit.gram.XtX) for fit in fits.values()], axis=0, initial=0.0)
    explained = np.array(
        [_explained(fits[name], ZtR[name]) + whole - np.diag(fits[name].gram.XtX) for name in roots]
    )
    best = explained.argmax(axis=0) if roots else np.zeros(0)
    return {name: np.concatenate([[True], best == roots.index(outermost[name])]) for name in fits}


def _recentring(problem: Problem, gram: Gram) -> FloatArray:
    """T with X T = the program's X, where X is centred at its weighted means."""
    T = np.eye(len(gram.b_hat))
    if "Intercept" in problem.design.terms and gram.n:
        T[0, 1:] = gram.x_mean[1:] - problem.x_mean[1:]
    return T


def _around(gram: Gram, b: FloatArray, shift: FloatArray) -> FloatArray:
    """Z'We and -Z'WX with the residuals taken around `b`, in the program's X."""
    ZtX = gram.ZtR[:, :, 1:]
    Zte = gram.ZtR[:, :, 0] + ZtX @ (b - gram.b_hat)
    return np.concatenate([Zte[:, :, None], ZtX @ shift], axis=2)


def _explained(fit: FactorFit, ZtR: FloatArray) -> FloatArray:
    """Information on each population coefficient that the factor's effects take away."""
    U = fit.Lambda.T @ ZtR[:, :, 1:]
    return np.asarray(np.einsum("jqp,jqp->p", U, np.linalg.solve(fit.shrinkage(), U)))


def _tuned_to(
    fit: FactorFit, ZtR: FloatArray, parameterisation: str, related: Turned | None
) -> tuple[FloatArray, FloatArray]:
    """Return the same, of independent effects where levels are related."""
    W, R = _weighed(fit, ZtR, parameterisation)
    if related is None:
        return W, R
    return related_tuning.weighed(related, fit, W, R, turned=parameterisation == "auto")


def _weighed(
    fit: FactorFit, ZtR: FloatArray, parameterisation: str
) -> tuple[FloatArray, FloatArray]:
    """Weights and working residuals of the parameterisation asked for."""
    if parameterisation == "auto":
        return (fit.gram.ZtZ, ZtR) if fit.integrals is None else _of_integrals(fit, ZtR)
    W, R = np.zeros_like(fit.gram.ZtZ), np.zeros_like(ZtR)
    if parameterisation == "centered":
        W += _CENTRED * np.diag(1 / np.sum(fit.Lambda**2, axis=1))
        R[:, :, 0] = np.einsum("jqk,jk->jq", W, fit.effects)
    return W, R


def _of_integrals(fit: FactorFit, ZtR: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weights and working residuals with which effects don't move along with their sd."""
    assert fit.integrals is not None
    told = fit.gram.ZtZ[:, 0, 0]
    tuned = fit.integrals.tuned()
    W, s, shift = (
        np.where(fit.integrals.single, new, old)
        for new, old in zip(tuned, (told, ZtR[:, 0, 0], told), strict=True)
    )
    R = ZtR * np.divide(shift, told, out=np.ones_like(told), where=told > 0)[:, None, None]
    R[:, 0, 0] = s
    return W[:, None, None], R


def _beside_own(
    problem: Problem, found: Penalised, name: str, fits: Mapping[str, FactorFit], ZtR: FloatArray,
    absorbs: FloatArray, both: Coordinates, growth: FloatArray,
) -> FloatArray:  # fmt: skip
    """Return columns (J, Q, 1 + P + A) whose last ones say how effects move with own parameters."""
    # Coefficients that other factors absorb move as they do with these.
    others = ZtR * (1 - absorbs)
    columns = effects_beside_own.columns(problem, found, name, fits, others, both)
    columns[:, :, ZtR.shape[2] :] -= weights_by_own.accounted(fits[name], ZtR[:, :, 0], growth)
    return columns


def _precision(problem: Problem, moved: Mapping[str, FloatArray]) -> FloatArray:
    """Return what the priors add to the curvature (15) of the population coefficients."""
    total = np.diag(problem.b_precision)
    for each in moved.values():
        total += np.einsum("jqa,jqb->ab", each, each)
    return total


def _taken(design: Design, name: str, fit: FactorFit, by_own: FloatArray) -> FloatArray:
    """Curvature (A, A) of the own parameters that effects take away as they move along."""
    Z, scatter = design.Z(name), design.grouping(name).factor.scatter
    cross = np.zeros((Z.shape[1], by_own.shape[1], len(fit.effects)))
    for a, column in enumerate(by_own.T):
        cross[:, a] = scatter(Z * column[:, None]).T
    return np.asarray(np.einsum("qaj,jqk,kbj->ab", cross, fit.covariance(), cross))


def _spread(fit: FactorFit, priors: Hyperpriors) -> tuple[Coordinates, Coordinates]:
    """Marginal coordinates of the log sds and of the correlations of one factor."""
    P, Q = len(fit.gram.b_hat), fit.gram.Q
    ends = P + Q, P + Q + pairs(priors.blocks)
    sd = replace(_marginal(fit.coordinates, P, ends[0]), bend=fit.coordinates.bend)
    return sd, _marginal(fit.coordinates, *ends)


def _marginal(coordinates: Coordinates, start: int, end: int) -> Coordinates:
    root = coordinates.scale[start:end]
    scale = np.linalg.cholesky(root @ root.T) if len(root) else np.zeros((0, 0))
    return Coordinates(coordinates.center[start:end], scale)


def _diagonal(parts: Sequence[Coordinates]) -> Coordinates:
    """Coordinates of all parameters in the programs' order: b, own, sd, correlations."""
    from scipy.linalg import block_diag

    return Coordinates(
        np.concatenate([part.center for part in parts]),
        np.asarray(block_diag(*(part.scale for part in parts))),
        np.concatenate([part.bend for part in parts]),
    )
