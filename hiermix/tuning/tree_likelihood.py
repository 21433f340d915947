"""Log density of sds and correlations of nested factors, effects and population integrated out.

The restricted likelihood of `restricted_likelihood`, with more than one factor. Numbers in brackets
are equations of docs/how-it-samples.md.
"""

from typing import NamedTuple

import numpy as np

from hiermix.statistics.small_matrices import product, sandwich
from hiermix.statistics.tree import Tree
from hiermix.statistics.tree_algebra import Eliminated, eliminate
from hiermix.statistics.tree_effects import in_units, together
from hiermix.statistics.within_between import quadratic
from hiermix.tuning.coordinates import Hyperpriors
from hiermix.tuning.mode import LARGEST_LOG
from hiermix.tuning.restricted_likelihood import Restricted, inverse_of_rows, root_of
from hiermix.typing import FloatArray


class TreeRestricted(Restricted):
    """Log density of phi = (log sigma, log sd, correlations), population integrated out.

    Effects of crossed factors, in units of their sds, are integrated out along with the
    population: coefficients of a normal prior like any other.
    """

    def __init__(self, tree: Tree, priors: Hyperpriors) -> None:
        super().__init__(tree.within.first(len(priors.b)), priors)
        self.tree = tree
        self.precision = np.concatenate([self.precision, np.ones(tree.W)])
        self.location = np.concatenate([self.location, np.zeros(tree.W)])
        self.left = quadratic(tree.within)

    def _solved(self, phi: FloatArray) -> "_State":
        sigma, Lambda = self.sigma(phi), self.root(phi)
        parts = [Lambda[None, each, each] / sigma for each in self.tree.places]
        up = eliminate(self.tree, parts, np.eye(len(self.left))[None])
        # 1. T of (8) in all columns: what lies within the levels of the innermost factor and
        # between them, less what the effects of the others take.
        T = self.left.copy()
        for each in up:
            T += each.sign * each.squares()[0]
        T /= sigma**2
        # 2. In units of the sds of crossed factors.
        units = in_units(self.tree, Lambda)
        form = units.T @ T @ units
        squares = [root_of(form[1:, 1:]), np.diag(np.sqrt(self.precision))]
        root = inverse_of_rows(np.concatenate(squares))
        d = root @ (root.T @ (self.precision * self.location - form[1:, 0]))
        return _State(sigma, up, T, root, d, units)

    def population(self, phi: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Conditional mode of the population coefficients and a root of their covariance."""
        state, P = self._solved(phi), len(self.priors.b)
        root = state.root[:P] if self.tree.W else state.root
        if self.tree.W:
            size = np.linalg.norm(root, axis=1)
            scaled = root / size[:, None]
            root = size[:, None] * np.linalg.cholesky(scaled @ scaled.T)
        return self.tree.within.b_hat[:P] + state.d[:P], root

    def value_and_gradient(self, phi: FloatArray) -> tuple[float, FloatArray]:
        """Log density (7) and its gradient, by what is known of the effects: (24)."""
        nowhere = -np.inf, np.zeros(len(phi))
        if np.abs(phi).max(initial=0.0) > LARGEST_LOG:
            return nowhere
        try:
            with np.errstate(all="ignore"):
                s = self._solved(phi)
        except np.linalg.LinAlgError:  # correlations that round to one
            return nowhere
        log_prior, gradient = self.prior.value_and_gradient(phi)
        value = log_prior + self._value(s)
        return (value, gradient + self._slope(phi, s)) if np.isfinite(value) else nowhere

    def _value(self, s: "_State") -> float:
        at, off = s.units @ [1.0, *s.d], s.d - self.location
        log_det = sum(float(np.log(each.d).sum()) for each in s.up)
        return -0.5 * float(
            2 * self.within.n * np.log(s.sigma) + log_det + at @ s.T @ at
            + off @ (self.precision * off) - 2 * np.sum(np.log(np.diag(s.root)))
        )  # fmt: skip

    def _slope(self, phi: FloatArray, s: "_State") -> FloatArray:
        # 1. Quadratic forms gain a column for each direction in which b is uncertain.
        spread = np.zeros((1 + len(s.d),) * 2)
        spread[:, 0] = 1.0, *s.d
        spread[1:, 1:] = s.root
        columns = s.units @ spread
        pull = s.T @ columns
        slopes = _slopes(s, columns)
        dLambda = np.zeros((sum(self.priors.blocks),) * 2)
        for place, slope in zip(self.tree.places, slopes, strict=True):
            dLambda[place, place] = slope / s.sigma
        # 2. In Lambda of crossed factors, of which only the form knows.
        first = 1 + len(self.priors.b)
        for factor in self.tree.crossed:
            rows = slice(first + factor.columns.start, first + factor.columns.stop)
            shape = (-1, factor.size, len(spread))
            dLambda[factor.effects, factor.effects] = -np.einsum(
                "ajc,kjc->ak", pull[rows].reshape(shape), spread[rows].reshape(shape)
            )
        # 3. In log sigma with Lambda as it is: V grows along with sigma less what Lambda doesn't.
        Lambdas = [each.Lambda[:, :, 0, 0] for each in s.up]
        held = sum(np.sum(A * B) for A, B in zip(slopes, Lambdas, strict=True))
        return self.chain(phi, dLambda, float(np.sum(columns * pull)) - self.within.n - held)


class _State(NamedTuple):
    sigma: float
    up: list[Eliminated]
    T: FloatArray
    """T of (8) in all columns."""
    root: FloatArray
    """Upper triangular root of the covariance of the population."""
    d: FloatArray
    units: FloatArray
    """What (1, d) is as combinations of e and the columns."""


class _Known(NamedTuple):
    """What is known of u, the sums of the effects around a factor in each column."""

    mean: FloatArray
    """(C, K, 1, J)"""
    covariance: FloatArray
    """(C, C, 1, J) in units of sigma squared."""


def _slopes(state: _State, spread: FloatArray) -> list[FloatArray]:
    """Gradient in Lambda / sigma of each factor, the outermost first: (24)."""
    known = _Known(np.zeros((0, spread.shape[1], 1, 1)), np.zeros((0, 0, 1, 1)))
    found = []
    for each in state.up:
        one = each.mixed(spread)
        known = _Known(*(part[..., one.level.above] for part in known))
        w = one.back(one.given(known.mean))
        along = one.back(one.K)
        told = one.information() - sandwich(one.reach(), known.covariance, along)
        slope = np.einsum("qksj,cksj->qc", one.score(known.mean), w) / state.sigma**2
        found.append(slope - told.sum(axis=(2, 3)))
        known = _inside(one, known, w, along)
    return found


def _inside(one: Eliminated, known: _Known, w: FloatArray, along: FloatArray) -> _Known:
    """Return what is known for the levels inside, with the effects of one more factor."""
    own = one.level.own
    mean = together(one, known.mean, product(one.Lambda, w))
    embed = np.zeros((len(mean), *along.shape[1:]))
    for c in range(len(known.mean)):
        embed[c, c] = 1.0
    embed[own] -= product(one.Lambda, along)
    covariance = sandwich(embed, known.covariance, embed)
    covariance[np.ix_(own, own)] += sandwich(one.Lambda, one.covariance(), one.Lambda)
    return _Known(mean, covariance)
