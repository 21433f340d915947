"""Log density of sds and correlations of nested factors, effects and population integrated out.

The restricted likelihood of `restricted_likelihood`, with more than one factor. Numbers in brackets
are equations of docs/how-it-samples.md.
"""

from typing import NamedTuple

import numpy as np

from hiermix.statistics.small_matrices import product, sandwich
from hiermix.statistics.tree import Tree
from hiermix.statistics.tree_algebra import Eliminated, eliminate
from hiermix.statistics.tree_effects import together
from hiermix.tuning.coordinates import Hyperpriors
from hiermix.tuning.mode import LARGEST_LOG
from hiermix.tuning.restricted_likelihood import Restricted, inverse_of_rows, root_of
from hiermix.typing import FloatArray


class TreeRestricted(Restricted):
    """Log density of phi = (log sigma, log sd, correlations), population integrated out."""

    def __init__(self, tree: Tree, priors: Hyperpriors) -> None:
        super().__init__(tree.within, priors)
        self.tree = tree

    def _eliminated(self, phi: FloatArray) -> "_State":
        sigma, Lambda = self.unpack(phi)
        parts = [Lambda[None, each, each] / sigma for each in self.tree.places]
        up = eliminate(self.tree, parts, np.eye(len(self.location) + 1)[None])
        # T of (8): what lies within the levels of the innermost factor and between them, less
        # what the effects of the others take.
        T = self.left.copy()
        for each in up:
            T += each.sign * np.einsum("aksj,alsj->kl", each.h / each.d[:, None], each.h)
        T /= sigma**2
        squares = [root_of(T[1:, 1:]), np.diag(np.sqrt(self.precision))]
        root = inverse_of_rows(np.concatenate(squares))
        d = root @ (root.T @ (self.precision * self.location - T[1:, 0]))
        return _State(sigma, up, T, root, d)

    def population(self, phi: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Conditional mode of the population coefficients and a root of their covariance."""
        state = self._eliminated(phi)
        return self.within.b_hat + state.d, state.root

    def value_and_gradient(self, phi: FloatArray) -> tuple[float, FloatArray]:
        """Log density (7) and its gradient, by what is known of the effects: (24)."""
        nowhere = -np.inf, np.zeros(len(phi))
        if np.abs(phi).max(initial=0.0) > LARGEST_LOG:
            return nowhere
        try:
            with np.errstate(all="ignore"):
                s = self._eliminated(phi)
        except np.linalg.LinAlgError:  # correlations that round to one
            return nowhere
        one_d = np.concatenate([[1.0], s.d])
        off = s.d - self.location
        # 1. The value.
        log_prior, gradient = self.prior(phi)
        log_det = sum(float(np.log(each.d).sum()) for each in s.up)
        value = log_prior - 0.5 * (
            2 * self.within.n * np.log(s.sigma) + log_det + one_d @ s.T @ one_d
            + off @ (self.precision * off) - 2 * np.sum(np.log(np.diag(s.root)))
        )  # fmt: skip
        if not np.isfinite(value):
            return nowhere
        # 2. Quadratic forms gain a column for each direction in which b is uncertain.
        spread = np.zeros((len(one_d), len(one_d)))
        spread[:, 0] = one_d
        spread[1:, 1:] = s.root
        slopes = _slopes(s, spread)
        # 3. In log sigma with Lambda as it is: V grows along with sigma less what Lambda doesn't.
        Lambdas = [each.Lambda[:, :, 0, 0] for each in s.up]
        held = sum(np.sum(A * B) for A, B in zip(slopes, Lambdas, strict=True))
        quadratic = float(np.sum(spread * (s.T @ spread)))
        dLambda = np.zeros((self.tree.places[-1].stop,) * 2)
        for place, slope in zip(self.tree.places, slopes, strict=True):
            dLambda[place, place] = slope / s.sigma
        return value, gradient + self.chain(phi, dLambda, quadratic - self.within.n - held)


class _State(NamedTuple):
    sigma: float
    up: list[Eliminated]
    T: FloatArray
    """(1 + P, 1 + P) of (8)."""
    root: FloatArray
    """Upper triangular root of the covariance of the population."""
    d: FloatArray


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
