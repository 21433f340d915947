"""Newton's way to a mode with few gradients; curvature there, and the bend of log sds."""

from collections.abc import Callable

import numpy as np

from hiermix.typing import FloatArray

LARGEST_LOG = 340.0
"""Of a scale whose square is a number."""


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


def bend_of(
    function: Callable[[FloatArray], tuple[float, FloatArray]],
    phi: FloatArray,
    root: FloatArray,
    i: int,
) -> float:
    """Bend of element i, (9): the density two sds below the center becomes a normal's."""
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
