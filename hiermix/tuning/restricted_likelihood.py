"""Log density of sds and correlations with effects and population integrated out.

The restricted likelihood of mixed models, with priors. Numbers in brackets are equations of
docs/how-it-samples.md.
"""

from dataclasses import dataclass

import numpy as np

from hiermix.families.prior import Prior
from hiermix.statistics.within_between import Within, quadratic
from hiermix.tuning.coordinates import Hyperpriors
from hiermix.tuning.mode import LARGEST_LOG
from hiermix.typing import FloatArray

_STEP = 1e-5


class Restricted:
    """Log density of phi = (log sigma, log sd, correlations), population integrated out."""

    def __init__(self, within: Within, priors: Hyperpriors) -> None:
        self.within, self.priors = within, priors
        self.known_sigma = priors.sigma is None
        self.precision = priors.b_precision
        self.location = np.array([prior.normal[0] for prior in priors.b]) - within.b_hat
        self.left = quadratic(within)
        self.left_root = root_of(self.left[1:, 1:])
        self.prior = priors.log_scales(self._sigma_prior())

    @property
    def sd_places(self) -> range:
        """Places of the log sds in phi."""
        before = 0 if self.known_sigma else 1
        return range(before, before + len(self.priors.sd))

    def _sigma_prior(self) -> tuple[Prior, ...]:
        return () if self.priors.sigma is None else (self.priors.sigma,)

    def sigma(self, phi: FloatArray) -> float:
        """Residual sd."""
        return 1.0 if self.known_sigma else float(np.exp(phi[0]))

    def root(self, phi: FloatArray) -> FloatArray:
        """Lambda = diag(sd) L, (..., Q, Q), of phi (..., n)."""
        return self.priors.root(phi[..., self.sd_places.start :])

    def _solve(self, phi: FloatArray) -> "_Solved":
        """Work out V, T and d of (8)."""
        w = self.within
        # 1. V_j = sigma^2 I + R_j Lambda Lambda' R_j', whitened.
        sigma, Lambda = self.sigma(phi), self.root(phi)
        B = w.R @ Lambda[w.order]
        V = sigma**2 * np.eye(w.Q) + B @ B.swapaxes(1, 2)
        white, log_det = _whiteners(V)
        inverse = white.swapaxes(1, 2) @ white
        between = (white @ w.QtR).reshape(-1, w.QtR.shape[2])
        # 2. T, within groups and between them.
        T = self.left / sigma**2 + between.T @ between
        # 3. d, by the root of a sum of squares, not of the sum: some directions have next to none.
        squares = [self.left_root / sigma, between[:, 1:], np.diag(np.sqrt(self.precision))]
        root = inverse_of_rows(np.concatenate(squares))
        d = root @ (root.T @ (self.precision * self.location - T[1:, 0]))
        return _Solved(sigma, B, inverse, log_det, T, root, d)

    def population(self, phi: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Conditional mode of the population coefficients and a root of their covariance."""
        solved = self._solve(phi)
        return self.within.b_hat + solved.d, solved.root

    def value_and_gradient(self, phi: FloatArray) -> tuple[float, FloatArray]:
        """Log density (7) and gradient; group sums analytic, small matrices by differences."""
        nowhere = -np.inf, np.zeros(len(phi))
        if np.abs(phi).max(initial=0.0) > LARGEST_LOG:
            return nowhere
        try:
            s, w = self._solve(phi), self.within
        except np.linalg.LinAlgError:  # correlations that round to one
            return nowhere
        one_d = np.concatenate([[1.0], s.d])
        off = s.d - self.location
        degrees = w.n - float(w.groups.sum()) * w.Q
        # 1. The value.
        log_prior, gradient = self.prior.value_and_gradient(phi)
        value = log_prior - 0.5 * (
            2 * degrees * np.log(s.sigma) + w.groups @ s.log_det + one_d @ s.T @ one_d
            + off @ (self.precision * off) - 2 * np.sum(np.log(np.diag(s.root)))
        )  # fmt: skip
        # 2. The gradient of an integral over b is the mean of the gradient over b: quadratic forms
        # gain a column for each direction in which b is uncertain.
        spread = np.zeros((len(one_d), len(one_d)))
        spread[:, 0] = one_d
        spread[1:, 1:] = s.root
        Y = s.inverse @ (w.QtR @ spread)
        counted = s.inverse * w.groups[:, None, None]
        # 3. Minus half the derivative of log det and quadratic forms in V, times two B.
        dB = Y @ (Y.swapaxes(1, 2) @ s.B) - counted @ s.B
        dLambda = np.zeros((w.Q, w.Q))
        dLambda[w.order] = _over_groups(w.R.swapaxes(1, 2), dB)
        trace = float(np.trace(counted, axis1=1, axis2=2).sum())
        d_log_sigma = -(degrees + s.sigma**2 * trace) + (
            np.sum(spread * (self.left @ spread)) / s.sigma**2 + s.sigma**2 * np.sum(Y**2)
        )
        return value, gradient + self.chain(phi, dLambda, d_log_sigma)

    def chain(self, phi: FloatArray, dLambda: FloatArray, d_log_sigma: float) -> FloatArray:
        """From the gradient in Lambda and log sigma to the gradient in phi."""
        steps = _STEP * np.eye(len(phi))
        slope = (self.root(phi + steps) - self.root(phi - steps)) / (2 * _STEP)
        gradient = np.sum(dLambda * slope, axis=(1, 2))
        if not self.known_sigma:
            gradient[0] += d_log_sigma
        return np.asarray(gradient)


@dataclass(frozen=True)
class _Solved:
    sigma: float
    B: FloatArray
    """(J, Q, Q) R Lambda."""
    inverse: FloatArray
    """(J, Q, Q) of V = sigma^2 I + B B'."""
    log_det: FloatArray
    """(J,) of V."""
    T: FloatArray
    root: FloatArray
    """Upper triangular root of the covariance of the population."""
    d: FloatArray


def _whiteners(V: FloatArray) -> tuple[FloatArray, FloatArray]:
    """W_j with W_j'W_j = V_j^-1, and log determinants of V_j, whatever the units of their rows."""
    size = np.sqrt(np.diagonal(V, axis1=1, axis2=2))
    C = np.linalg.cholesky(V / (size[:, :, None] * size[:, None, :]))
    log_det = 2 * np.sum(np.log(size * np.diagonal(C, axis1=1, axis2=2)), axis=1)
    return np.linalg.inv(C) / size[:, None, :], log_det


def root_of(A: FloatArray) -> FloatArray:
    """S with S'S = A, positive semidefinite, whatever the units of its rows."""
    size = np.sqrt(np.diag(A))
    scaled = A / np.outer(*[np.where(size > 0, size, 1.0)] * 2)
    values, vectors = np.linalg.eigh(scaled)
    return np.asarray(np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T * size)


def inverse_of_rows(G: FloatArray) -> FloatArray:
    """Upper triangular S with S S' = (G'G)^-1, whatever the units of the columns of G."""
    size = np.sqrt(np.sum(G**2, axis=0))
    R = np.linalg.qr(G / size, mode="r")
    return np.asarray(np.linalg.inv(R) * np.sign(np.diag(R)) / size[:, None])


def _over_groups(A: FloatArray, B: FloatArray) -> FloatArray:
    """Sum over groups of A_j B_j, as one product of matrices."""
    J, a, b = A.shape
    return A.swapaxes(0, 1).reshape(a, J * b) @ B.reshape(J * b, B.shape[2])


def inverse_root(A: FloatArray) -> FloatArray:
    """S with S S' = A^-1, whatever the units of the rows of A."""
    size = np.sqrt(np.diag(A))
    chol = np.linalg.cholesky(A / np.outer(size, size))
    return np.asarray(np.linalg.inv(chol).T / size[:, None])
