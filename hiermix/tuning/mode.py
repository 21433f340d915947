"""Newton's way to a mode with few gradients; curvature there, and the bend of log sds."""

from collections.abc import Callable

import numpy as np

from hiermix.typing import FloatArray

LARGEST_LOG = 340.0
"""Of a scale whose square is a number."""


_SETTLED = 1e-2
"""Gradient, in sds, of a mode that has been found; a step more is taken there."""
_NEARER = 0.3
"""Part of the gradient that a step may leave for its curvature to serve once more."""

type Function = Callable[[FloatArray], tuple[float, FloatArray]]
"""A log density and its gradient."""


def mode(
    function: Function,
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
        Where to begin; rough sds, or a root of the inverse curvature that is known there.
    bends : callable, optional
        Minus the Hessian; by differences of the gradient without.
    """
    phi, root = start, np.diag(guess) if guess.ndim == 1 else guess
    if not len(start):
        return phi, root
    value, gradient = function(phi)
    for _ in range(60):
        curvature = root.T @ bends(phi) @ root if bends else _curvature(function, phi, root)
        eigenvalues, vectors = np.linalg.eigh(curvature)
        # Flat or convex directions get a step of their present scale, at most tenfold wider.
        root = root @ vectors / np.sqrt(np.maximum(np.abs(eigenvalues), 1e-2))
        away = np.linalg.norm(root.T @ gradient)
        settled = away < _SETTLED and eigenvalues.min() > 0.5
        phi, value, gradient = _step(function, phi, value, gradient, root)
        if settled:
            break
        # A step costs a gradient, curvature two for each coordinate.
        while _SETTLED < (left := np.linalg.norm(root.T @ gradient)) < _NEARER * away:
            away = left
            phi, value, gradient = _step(function, phi, value, gradient, root)
    return phi, root


def mode_near(
    function: Function, start: FloatArray, root: FloatArray, elsewhere: FloatArray | None = None
) -> FloatArray | None:
    """Find a mode from one nearby, whose curvature is known; None where that is of no use.

    Parameters
    ----------
    function : callable
        Log density and its gradient.
    start, root : array
        The other mode, and a root of the inverse curvature there.
    elsewhere : array, optional
        Where the density must not be higher.
    """
    phi, (value, gradient) = start, function(start)
    if elsewhere is not None and not function(elsewhere)[0] <= value:
        return None
    away = np.inf
    while (left := np.linalg.norm(root.T @ gradient)) > _SETTLED:
        if not left < _NEARER * away:
            return None
        away = left
        phi, value, gradient = _step(function, phi, value, gradient, root)
    return phi


def _step(
    function: Function, phi: FloatArray, value: float, gradient: FloatArray, root: FloatArray
) -> tuple[FloatArray, float, FloatArray]:
    """Take Newton's step, or as much of it as doesn't lead downwards."""
    step = root @ (root.T @ gradient)
    step /= max(1.0, np.abs(step).max())
    for _ in range(30):
        new_value, new_gradient = function(phi + step)
        if new_value > value - 1e-9 * abs(value):
            break
        step = step / 3
    return phi + step, new_value, new_gradient


def bend_of(
    function: Function,
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


def _curvature(function: Function, at: FloatArray, root: FloatArray) -> FloatArray:
    """Minus the Hessian in whitened coordinates, by central differences of the gradient."""
    h = 0.03
    columns = [
        root.T @ (function(at - h * column)[1] - function(at + h * column)[1]) / (2 * h)
        for column in root.T
    ]
    H = np.array(columns)
    return (H + H.T) / 2
