"""Mode and curvature of the integrated-out density: the coordinates in which a program samples.

The sampler's metric adaptation adds a floor of about 1e-5 to every variance, while the variance of
log sigma is 1 / 2N. So programs sample ``raw`` with ``theta = center + scale raw``, where raw is
near standard normal whatever the units and the number of rows. The density here need not be
exact in its priors (non-normal priors of population coefficients count as normal ones of the same
scale): whatever center and scale are, the program's posterior is the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hiermix.families.priors import Prior
from hiermix.statistics.within import Within, quadratic
from hiermix.tuning.following import Following, follow
from hiermix.typing import FloatArray

_LARGEST_LOG = 340.0
"""Of a scale whose square is a number."""


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
    """(E,) one for each sd."""
    following: Following | None = None
    """How the scale of the population coefficients follows the sds; None where it doesn't."""

    def follow(self, prior: FloatArray, shared: FloatArray, Lambda: FloatArray) -> "Coordinates":
        """Let the population follow the sds; arguments as in `following.follow`."""
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
    lkj: Sequence[float]
    """Shape of each block."""
    blocks: Sequence[int]
    near: FloatArray | None = None
    """(P,) where the coefficients are, if a mode is known: a normal prior stands for each there."""

    @property
    def b_precision(self) -> FloatArray:
        """(P,) precisions of the priors of the population coefficients."""
        if self.near is None:
            return np.array([1 / prior.scale for prior in self.b]) ** 2
        return np.array([_pull(prior, at) for prior, at in zip(self.b, self.near, strict=True)])


def _pull(prior: Prior, at: float) -> float:
    """Precision of the normal prior that pulls as much towards the location from there."""
    away = max(abs(at - prior.location), 0.1 * prior.scale)
    h = 1e-3 * away
    low, high = prior.frozen().logpdf(prior.location + away + np.array([-h, h]))
    return max(float(low - high) / (2 * h * away), 1e-8 * prior.scale**-2)


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
    target = _Restricted(within, priors)
    start = _start(within, priors) if start is None else start
    phi, curvature = mode(target.value_and_gradient, start, _guess(within, priors))
    b, root = target.population(phi)
    P, D = len(b), len(b) + len(phi)
    scale = np.zeros((D, D))
    scale[:P, :P] = root
    scale[P:, P:] = curvature
    sds = range(priors.sigma is not None, (priors.sigma is not None) + within.Q)
    bend = np.array([_bend(target.value_and_gradient, phi, curvature, i) for i in sds])
    return Coordinates(np.concatenate([b, phi]), scale, bend)


def effects_root(phi: FloatArray, blocks: Sequence[int]) -> FloatArray:
    """Lambda = diag(sd) L, (Q, Q), from log sds and unconstrained correlations."""
    Q = sum(blocks)
    L, _ = block_cholesky(phi[Q:], blocks)
    return np.asarray(np.exp(phi[:Q])[:, None] * L)


def block_cholesky(raw: FloatArray, blocks: Sequence[int]) -> tuple[FloatArray, float]:
    """Cholesky factor of correlations from unconstrained numbers, and the log Jacobian.

    The transform is Stan's (canonical partial correlations; Lewandowski, Kurowicka and Joe,
    2009): block by block along the diagonal.
    """
    L = np.eye(sum(blocks))
    at, q, log_jacobian = 0, 0, 0.0
    for size in blocks:
        for i in range(1, size):
            log_left = 0.0  # of what correlations so far leave, however close to one they are
            for j in range(i):
                L[q + i, q + j] = np.tanh(raw[at]) * np.exp(0.5 * log_left)
                log_rest = 2 * (np.log(2) - np.logaddexp(raw[at], -raw[at]))
                log_jacobian += log_rest + 0.5 * log_left
                log_left += log_rest
                at += 1
            L[q + i, q + i] = np.exp(0.5 * log_left)
        q += size
    return L, log_jacobian


def unconstrained(R: FloatArray, blocks: Sequence[int]) -> FloatArray:
    """Undo `block_cholesky`, from correlations, which may be very nearly one."""
    found, q = [], 0
    for size in blocks:
        part = R[q : q + size, q : q + size]
        L = np.linalg.cholesky(part + 1e-13 * np.eye(size))
        for i in range(1, size):
            left = 1.0
            for j in range(i):
                partial = np.clip(L[i, j] / np.sqrt(left), -1 + 1e-13, 1 - 1e-13)
                found.append(float(np.arctanh(partial)))
                left = max(left * (1 - partial**2), 1e-26)
        q += size
    return np.array(found)


def pairs(blocks: Sequence[int]) -> int:
    """Return the number of correlations in blocks of these sizes."""
    return sum(size * (size - 1) // 2 for size in blocks)


class _Restricted:
    """Log density of phi = (log sigma, log sd, correlations), population integrated out."""

    def __init__(self, within: Within, priors: Hyperpriors) -> None:
        self.within, self.priors = within, priors
        self.known_sigma = priors.sigma is None
        self.precision = priors.b_precision
        self.location = np.array([prior.location for prior in priors.b]) - within.b_hat
        self.left = quadratic(within)
        self.left_root = _root(self.left[1:, 1:])
        self.frozen = [prior.frozen() for prior in (*self._sigma_prior(), *priors.sd)]

    def _sigma_prior(self) -> tuple[Prior, ...]:
        return () if self.priors.sigma is None else (self.priors.sigma,)

    def unpack(self, phi: FloatArray) -> tuple[float, FloatArray]:
        """Sigma, and Lambda = diag(sd) L."""
        sigma = 1.0 if self.known_sigma else float(np.exp(phi[0]))
        rest = phi if self.known_sigma else phi[1:]
        return sigma, effects_root(rest, self.priors.blocks)

    def prior(self, phi: FloatArray) -> tuple[float, FloatArray]:
        """Log prior of phi with the Jacobians of its transforms, and its gradient."""
        scales, h = len(self.frozen), 1e-5
        lp, gradient = 0.0, np.zeros(len(phi))
        for i, distribution in enumerate(self.frozen):
            low, at, high = distribution.logpdf(np.exp(phi[i] + np.array([-h, 0.0, h])))
            lp += float(at) + phi[i]
            gradient[i] = (high - low) / (2 * h) + 1.0
        raw = phi[scales:]
        for i, step in enumerate(h * np.eye(len(raw))):
            gradient[scales + i] = (self._cor(raw + step) - self._cor(raw - step)) / (2 * h)
        return lp + self._cor(raw), gradient

    def _cor(self, raw: FloatArray) -> float:
        L, log_jacobian = block_cholesky(raw, self.priors.blocks)
        return log_jacobian + _lkj(L, self.priors.blocks, self.priors.lkj)

    def _solve(self, phi: FloatArray) -> "_Solved":
        w = self.within
        sigma, Lambda = self.unpack(phi)
        B = w.R @ Lambda[w.order]
        V = sigma**2 * np.eye(w.Q) + B @ B.swapaxes(1, 2)
        white, log_det = _whiteners(V)
        inverse = white.swapaxes(1, 2) @ white
        between = (white @ w.QtR).reshape(-1, w.QtR.shape[2])
        T = self.left / sigma**2 + between.T @ between
        # The root of a sum of squares, not of the sum: some directions may have next to none of it.
        squares = [self.left_root / sigma, between[:, 1:], np.diag(np.sqrt(self.precision))]
        root = _inverse_of_rows(np.concatenate(squares))
        d = root @ (root.T @ (self.precision * self.location - T[1:, 0]))
        return _Solved(sigma, B, inverse, log_det, T, root, d)

    def population(self, phi: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Conditional mode of the population coefficients and a root of their covariance."""
        solved = self._solve(phi)
        return self.within.b_hat + solved.d, solved.root

    def value_and_gradient(self, phi: FloatArray) -> tuple[float, FloatArray]:
        """Log density and gradient; the group sums analytic, small matrices by differences."""
        nowhere = -np.inf, np.zeros(len(phi))
        if np.abs(phi).max(initial=0.0) > _LARGEST_LOG:
            return nowhere
        try:
            s, w = self._solve(phi), self.within
        except np.linalg.LinAlgError:  # correlations that round to one
            return nowhere
        one_d = np.concatenate([[1.0], s.d])
        off = s.d - self.location
        degrees = w.n - float(w.groups.sum()) * w.Q
        log_prior, gradient = self.prior(phi)
        value = log_prior - 0.5 * (
            2 * degrees * np.log(s.sigma) + w.groups @ s.log_det + one_d @ s.T @ one_d
            + off @ (self.precision * off) - 2 * np.sum(np.log(np.diag(s.root)))
        )  # fmt: skip
        # The gradient of an integral over b is the mean of the gradient over b: quadratic forms
        # gain a column for each direction in which b is uncertain.
        spread = np.zeros((len(one_d), len(one_d)))
        spread[:, 0] = one_d
        spread[1:, 1:] = s.root
        Y = s.inverse @ (w.QtR @ spread)
        counted = s.inverse * w.groups[:, None, None]
        # Minus half the derivative of log det and quadratic forms in V, times two B.
        dB = Y @ (Y.swapaxes(1, 2) @ s.B) - counted @ s.B
        dLambda = np.zeros((w.Q, w.Q))
        dLambda[w.order] = _over_groups(w.R.swapaxes(1, 2), dB)
        trace = float(np.trace(counted, axis1=1, axis2=2).sum())
        d_log_sigma = -(degrees + s.sigma**2 * trace) + (
            np.sum(spread * (self.left @ spread)) / s.sigma**2 + s.sigma**2 * np.sum(Y**2)
        )
        return value, gradient + self._chain(phi, dLambda, d_log_sigma)

    def _chain(self, phi: FloatArray, dLambda: FloatArray, d_log_sigma: float) -> FloatArray:
        """From the gradient in Lambda and log sigma to the gradient in phi."""
        gradient = np.zeros(len(phi))
        for i in range(len(phi)):
            step = np.zeros(len(phi))
            step[i] = 1e-5
            up, down = phi + step, phi - step
            slope = (self.unpack(up)[1] - self.unpack(down)[1]) / 2e-5
            gradient[i] = np.sum(dLambda * slope)
        if not self.known_sigma:
            gradient[0] += d_log_sigma
        return gradient


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


def _lkj(L: FloatArray, blocks: Sequence[int], shapes: Sequence[float]) -> float:
    diagonal, q, lp = np.log(np.diag(L)), 0, 0.0
    for size, shape in zip(blocks, shapes, strict=True):
        for i in range(1, size):
            lp += (size - i - 1 + 2 * (shape - 1)) * diagonal[q + i]
        q += size
    return lp


def _start(within: Within, priors: Hyperpriors) -> FloatArray:
    """Where the search begins: half the residual variance between groups, half within.

    Where groups are far apart, at what each group's own fit says.
    """
    size = np.zeros(within.Q)
    size[within.order] = np.einsum("jkq,jkq->q", within.R, within.R) / (within.n or 1.0)
    typical = [_typical(prior) for prior in priors.sd]
    if priors.sigma is None:
        residual = max((t * np.sqrt(s) for t, s in zip(typical, size, strict=True)), default=1.0)
    else:
        residual = _typical(priors.sigma)
    if within.n:  # of rows that are fitted exactly, rounding is left
        residual = max(np.sqrt(within.whole / within.n), 1e-6 * residual)
    sigma = residual / np.sqrt(2)
    sd = [sigma / np.sqrt(s) if s > 0 else t for s, t in zip(size, typical, strict=True)]
    if within.far and within.rss > 0:
        sigma = np.sqrt(within.rss / within.n)
        sd = [max(each, sigma / np.sqrt(s)) for each, s in zip(within.spread(), size, strict=True)]
    log_sigma = [] if priors.sigma is None else [np.log(sigma)]
    return np.concatenate([log_sigma, np.log(sd), np.zeros(pairs(priors.blocks))])


def _typical(prior: Prior) -> float:
    """Median of a scale under its prior."""
    frozen = prior.frozen()
    return float(frozen.isf(frozen.sf(0.0) / 2))


def _guess(within: Within, priors: Hyperpriors) -> FloatArray:
    """Rough posterior sd of each element of phi."""
    J = float(within.groups.sum())
    sigma = [] if priors.sigma is None else [1 / np.sqrt(2 * within.n + 1)]
    sd = np.full(within.Q, 1 / np.sqrt(2 * J + 1))
    cor = np.full(pairs(priors.blocks), 1 / np.sqrt(J + 1))
    return np.concatenate([sigma, sd, cor])


def mode(
    function: Callable[[FloatArray], tuple[float, FloatArray]],
    start: FloatArray,
    guess: FloatArray,
    bends: Callable[[FloatArray], FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Find a mode and a root of the inverse curvature there, by damped Newton steps.

    Parameters
    ----------
    function : callable
        Log density and its gradient.
    start, guess : array
        Where to begin, and rough sds.
    bends : callable, optional
        Minus the Hessian; by differences of the gradient without.
    """
    phi, root = start, np.diag(guess)
    if not len(start):
        return phi, root
    value, gradient = function(phi)
    for _ in range(60):
        curvature = root.T @ bends(phi) @ root if bends else _curvature(function, phi, root)
        eigenvalues, vectors = np.linalg.eigh(curvature)
        # Flat or convex directions get a step of their present scale, at most tenfold wider.
        root = root @ vectors / np.sqrt(np.maximum(np.abs(eigenvalues), 1e-2))
        whitened = root.T @ gradient
        settled = np.linalg.norm(whitened) < 1e-2 and eigenvalues.min() > 0.5
        step = root @ whitened
        step /= max(1.0, np.abs(step).max())
        for _ in range(30):
            new_value, new_gradient = function(phi + step)
            if new_value > value - 1e-9 * abs(value):
                break
            step = step / 3
        phi, value, gradient = phi + step, new_value, new_gradient
        if settled:
            break
    return phi, root


def _bend(
    function: Callable[[FloatArray], tuple[float, FloatArray]],
    phi: FloatArray,
    root: FloatArray,
    i: int,
) -> float:
    """Bend of element i that makes the density two sds below the center a normal's."""
    covariance = root @ root.T
    spread = np.sqrt(covariance[i, i])
    line = covariance[i] / spread

    def log_density(t: float, bend: float) -> float:
        slack = np.log1p(np.exp(-t))
        slope = 1 + bend / spread * slack * -np.expm1(-slack)
        return function(phi + line * (t - bend / spread * slack**2 / 2))[0] + float(np.log(slope))

    def excess(bend: float) -> float:
        return log_density(-2.0, bend) - log_density(0.0, bend) + 2.0

    low, high = 0.0, 2.0
    if excess(low) < 0.1:
        return 0.0
    for _ in range(8):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return (low + high) / 2


def _curvature(
    function: Callable[[FloatArray], tuple[float, FloatArray]], at: FloatArray, root: FloatArray
) -> FloatArray:
    """Minus the Hessian in whitened coordinates, by central differences of the gradient."""
    h = 0.03
    columns = [
        root.T @ (function(at - h * column)[1] - function(at + h * column)[1]) / (2 * h)
        for column in root.T
    ]
    H = np.array(columns)
    return (H + H.T) / 2


def _whiteners(V: FloatArray) -> tuple[FloatArray, FloatArray]:
    """W_j with W_j'W_j = V_j^-1, and log determinants of V_j, whatever the units of their rows."""
    size = np.sqrt(np.diagonal(V, axis1=1, axis2=2))
    C = np.linalg.cholesky(V / (size[:, :, None] * size[:, None, :]))
    log_det = 2 * np.sum(np.log(size * np.diagonal(C, axis1=1, axis2=2)), axis=1)
    return np.linalg.inv(C) / size[:, None, :], log_det


def _root(A: FloatArray) -> FloatArray:
    """S with S'S = A, positive semidefinite, whatever the units of its rows."""
    size = np.sqrt(np.diag(A))
    scaled = A / np.outer(*[np.where(size > 0, size, 1.0)] * 2)
    values, vectors = np.linalg.eigh(scaled)
    return np.asarray(np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T * size)


def _inverse_of_rows(G: FloatArray) -> FloatArray:
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
