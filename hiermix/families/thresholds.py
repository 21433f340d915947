"""Thresholds between ordered categories: coordinates, and how the log density bends in them.

Programs sample the logarithms of the gaps between thresholds, counted from one of them, the
anchor, which the intercept stands for (with its sign turned). The anchor lies in the middle of
the responses: a threshold beyond a category that is hardly used is uncertain, and all others,
counted from there, would be too. Where categories come step by step thresholds have no order, and
are sampled as they stand, counted from the anchor.
"""

from dataclasses import dataclass

import numpy as np

from hiermix.design.design import Design
from hiermix.families import linear_scale, ordinal
from hiermix.typing import FloatArray, IntArray


def below(design: Design) -> FloatArray:
    """(C - 1,) share of responses below each threshold, half a response added to each category."""
    y, w = linear_scale.response(design).astype(np.int64) - 1, linear_scale.weights(design)
    counts = np.bincount(y, w, minlength=len(design.categories)) + 0.5
    return np.asarray(np.cumsum(counts)[:-1] / counts.sum())


def anchor(design: Design) -> int:
    """Threshold, counted from 0, that parts the responses most evenly."""
    return int(np.argmin(np.abs(below(design) - 0.5)))


def from_gaps(theta: FloatArray, anchor: int) -> FloatArray:
    """Thresholds, counted from the anchor, of the logarithms of their gaps."""
    return _steps(len(theta), anchor) @ np.exp(theta)


def from_differences(theta: FloatArray, anchor: int) -> FloatArray:
    """Thresholds in any order, counted from the anchor, of those but the anchor."""
    return np.insert(theta, anchor, 0.0)


def _steps(gaps: int, anchor: int) -> FloatArray:
    """Matrix (gaps + 1, gaps) that adds up gaps from the anchor."""
    all_from_first = np.tri(gaps + 1, gaps, -1)
    return np.asarray(all_from_first - all_from_first[anchor])


def start(design: Design, link: str) -> FloatArray:
    """Gaps that the shares of the categories alone ask for."""
    from scipy.special import logit, ndtri

    at = logit(below(design)) if link == "logit" else ndtri(below(design))
    return np.log(np.diff(at))


@dataclass(frozen=True)
class Gaps:
    """Log density of the log gaps, given the linear predictors, each with half of its weight.

    The prior that the thresholds have is left out: a standard normal stands for it.
    """

    link: str
    category: IntArray
    """(rows,) counted from 1."""
    etas: tuple[FloatArray, ...]
    weight: FloatArray
    """(rows,) of each log density of a row."""
    anchor: int
    disc: FloatArray | None = None
    """(rows,) by which predictors and thresholds are multiplied, where it is not one."""

    def value_and_gradient(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """Return log density and gradient."""
        value, slope, _ = self._of_thresholds(theta)
        chain = _steps(len(theta), self.anchor) * np.exp(theta)
        return value - 0.5 * float(theta @ theta), chain.T @ slope - theta

    def curvature(self, theta: FloatArray) -> FloatArray:
        """Minus the Hessian."""
        _, slope, bend = self._of_thresholds(theta)
        chain = _steps(len(theta), self.anchor) * np.exp(theta)
        return np.eye(len(theta)) + chain.T @ bend @ chain - np.diag(chain.T @ slope)

    def _of_thresholds(self, theta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Log density of the rows, and its gradient and minus its Hessian in the thresholds."""
        own = {"threshold": from_gaps(theta, self.anchor)}
        bounds = len(theta) + 3  # with those at infinity
        value, slope, bend = 0.0, np.zeros(bounds), np.zeros((bounds, bounds))

        def by_bound(category: IntArray, values: FloatArray) -> FloatArray:
            return np.bincount(category, self.weight * values, bounds)

        d: FloatArray | float = 1.0
        if self.disc is not None:
            d, own = self.disc, {"threshold": own["threshold"] * self.disc[:, None]}
        for eta in self.etas:
            log_p, first, second = ordinal.ordinal_bends(self.link, self.category, d * eta, own)
            lower, upper = self.category - 1, self.category
            value += float(self.weight @ log_p)
            slope += by_bound(lower, d * first[0]) + by_bound(upper, d * first[1])
            bend -= np.diag(by_bound(lower, d**2 * second[0]) + by_bound(upper, d**2 * second[1]))
            across = by_bound(lower, d**2 * second[2])[:-1]
            bend -= np.diag(across, 1) + np.diag(across, -1)
        return value, slope[1:-1], bend[1:-1, 1:-1]
