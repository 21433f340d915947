"""Location and spread of the linear predictor to expect from the data: what default priors say.

A weight of two counts as a row that was seen twice. The location is where a model of an intercept
alone would put it, offsets, censoring and zeros allowed for; it need not be exact.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from hiermix.design.design import Design
from hiermix.families import continuous, known_ends, links, tails
from hiermix.families.links import Own
from hiermix.typing import FloatArray

_MOST_ROWS = 20_000
"""Rows that a location is worked out from where that takes a search."""


def of_response(design: Design, link: str) -> tuple[float, float]:
    """Mean and sd of the response, less its offset."""
    return _known_moments(design, links.unchanged, (-np.inf, np.inf))


def of_log(design: Design, link: str) -> tuple[float, float]:
    """Mean and sd of the logarithm of the response, less its offset."""
    return _known_moments(design, np.log, (0.0, np.inf))


def of_log_later(design: Design, link: str) -> tuple[float, float]:
    """Mean and sd of the logarithm of what a response has above half of the smallest one."""
    half = earliest(design) / 2
    return _known_moments(
        design, lambda y: np.log(np.maximum(y - half, 1e-3 * half)), (0.0, np.inf)
    )


def earliest(design: Design) -> float:
    """Return the smallest response; of one that lies in an interval, at most the upper end."""
    assert design.response is not None
    y, codes = design.response, design.censored
    if codes is None or (codes == 1).all():
        return float(y.min())
    ends = y if design.limits.end is None else np.where(codes == 2, design.limits.end, y)
    return float(ends[codes != 1].min())


def of_angles(design: Design, link: str) -> tuple[float, float]:
    """Where the mean direction is, by its link; no further than its link can bear."""
    y, w = response(design), weights(design)
    direction = np.arctan2(w @ np.sin(y), w @ np.cos(y))
    location = np.clip(np.tan(direction / 2), -5.0, 5.0)
    return float(location) - float(np.average(offsets(design), weights=w)), 1.0


def robust(design: Design, link: str) -> tuple[float, float]:
    """Median and median absolute deviation, scaled to the sd of a normal."""
    if design.censored is not None:
        return _known_moments(design, links.unchanged, (-np.inf, np.inf))
    y, w = less_offset(response(design), design), weights(design)
    location = _median(y, w)
    return location, 1.4826 * _median(np.abs(y - location), w) or _moments(y, w)[1]


def of_mean(design: Design, link: str) -> tuple[float, float]:
    """Where expected and observed totals are equal; a spread of 1 is what a link makes of most."""
    y, w, offset = response(design), weights(design), offsets(design)
    trials = np.ones(len(y)) if design.trials is None else design.trials
    total = float(w @ y)
    if link == "log":
        return float(np.log(max(total, 0.5)) - _log_sum(offset, w)), 1.0
    size = float(w @ trials)
    share = (total + 0.5) / (size + 1)

    def excess(at: float) -> float:
        return float(w @ (trials * links.inverse_link(link, at + offset))) - share * size

    return _root(excess, links.link_of(link, share) - float(np.average(offset, weights=w))), 1.0


def of_times(design: Design, link: str) -> tuple[float, float]:
    """Of constant hazard: the time that was lived through for each event that was seen."""
    w, offset = weights(design), offsets(design)
    seen = w if design.censored is None else w * (design.censored != 1)
    lived = float(w @ (response(design) * np.exp(-offset)))
    return float(np.log(lived / max(float(seen.sum()), 0.5))), 1.0


def of_positive_poisson(design: Design, link: str) -> tuple[float, float]:
    """Of the counts above zero alone, mean mu / (1 - exp(-mu)): zeros have a second cause."""
    return _of_positive(design, np.inf)


def of_positive_negative_binomial(design: Design, link: str) -> tuple[float, float]:
    """As for Poisson counts, with the shape that their mean and mean square ask for."""
    y, w = _positive(design)[:2]
    return _of_positive(design, _shape(y, w) if len(y) else 1.0)


def of_positive(design: Design, link: str) -> tuple[float, float]:
    """As `of_mean`, of responses above zero alone."""
    return of_mean(_some(design, response(design) > 0), link)


def of_log_positive(design: Design, link: str) -> tuple[float, float]:
    """As `of_log`, of responses above zero alone."""
    location, spread = of_log(_some(design, response(design) > 0), link)
    return location, spread or 1.0


def of_inside(design: Design, link: str) -> tuple[float, float]:
    """As `of_mean`, of shares that are neither zero nor one."""
    y = response(design)
    return of_mean(_some(design, (y > 0) & (y < 1)), link)


def _some(design: Design, which: np.ndarray) -> Design:
    """Return some rows of a design, or all of it where there would be none."""
    return design.take(np.flatnonzero(which)) if which.any() else design


def of_categories(design: Design, link: str) -> tuple[float, float]:
    """Log odds between categories lie around zero."""
    return 0.0, 1.0


def response(design: Design) -> FloatArray:
    """Return the response, which the rows of a fit have; of an interval its middle."""
    return known_ends.stand_in(design)


def weights(design: Design) -> FloatArray:
    """Return the weight of each row; equal ones where there are none, or all of them are zero."""
    if design.weights is None or not design.weights.any():
        return np.ones(design.rows)
    return design.weights


def precisions(design: Design) -> FloatArray | None:
    """Return the weight of each row, over its variance where that is known and all there is."""
    if not design.formula.beside.known_errors:
        return design.weights
    assert design.limits.se is not None
    return np.asarray(weights(design) / design.limits.se**2)


def of_known_variances(design: Design) -> float:
    """Minus twice what known variances of rows add to the log density."""
    assert design.limits.se is not None
    return float(weights(design) @ np.log(2 * np.pi * design.limits.se**2))


def offsets(design: Design) -> FloatArray:
    """Return the offset of each row, of the response's location; zeros where there is none."""
    return design.equations[0].known(design.rows)


def less_offset(y: FloatArray, design: Design) -> FloatArray:
    """Return values of the rows, less the offset if there is one."""
    return y if design.offset is None else y - design.offset


# Pieces ------------------------------------------------------------------------------------------


def _known_moments(
    design: Design, to: Callable[[FloatArray], FloatArray], support: known_ends.Support
) -> tuple[float, float]:
    """Mean and sd of responses on another scale, less offsets.

    Where some are censored: by maximum likelihood of a normal.
    """
    y, w = less_offset(to(response(design)), design), weights(design)
    mean, sd = _moments(y, w)
    if design.censored is None or not design.censored.any() or not sd > 0:
        return mean, sd
    every = max(1, len(y) // _MOST_ROWS)
    ends = known_ends.of_rows(design, support, whole=False)
    own = known_ends.moved(ends, lambda each: less_offset(to(each), design))
    own = {name: own[name][::every] for name in ("low", "high")}
    return _maximum_likelihood(y[::every], w[::every], own, (mean, sd))


def _maximum_likelihood(
    y: FloatArray, w: FloatArray, ends: Own, start: tuple[float, float]
) -> tuple[float, float]:
    """Mean and sd of a normal, of which some draws are known to lie between ends alone."""
    from scipy.optimize import minimize

    mean, sd = start
    density = partial(continuous.normal_log_density, "identity")
    within = partial(tails.normal_tails, "identity")

    def loss(at: FloatArray) -> float:
        own = {**ends, "sigma": np.full(1, sd * np.exp(at[1]))}
        with np.errstate(all="ignore"):
            found = known_ends.log_density(density, within, y, np.full(1, mean + sd * at[0]), own)
        # Where nearly all is censored one way the maximum is far out: no farther than this.
        return -float(w @ found) / float(w.sum()) + 1e-3 * float(at @ at)

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-3})
    return mean + sd * float(found.x[0]), sd * float(np.exp(found.x[1]))


def _moments(y: FloatArray, w: FloatArray) -> tuple[float, float]:
    mean = float(np.average(y, weights=w))
    return mean, float(np.sqrt(np.average((y - mean) ** 2, weights=w)))


def _median(y: FloatArray, w: FloatArray) -> float:
    """Weighted median; halfway between two values where the weights below and above are equal."""
    order = np.argsort(y)
    below = np.cumsum(w[order])
    half = below[-1] / 2
    low, high = np.searchsorted(below, [half * (1 - 1e-12), half * (1 + 1e-12)])
    return float((y[order[low]] + y[order[min(high, len(y) - 1)]]) / 2)


def _log_sum(offset: FloatArray, w: FloatArray) -> float:
    """Log of the weighted sum of exp(offset)."""
    largest = float(offset.max())
    return largest + float(np.log(w @ np.exp(offset - largest)))


def _root(function: Callable[[float], float], near: float) -> float:
    """Where an increasing function is zero, within 50 of a first guess."""
    from scipy.optimize import brentq

    low, high = near - 50.0, near + 50.0
    if not function(low) < 0 < function(high):
        return near
    return float(brentq(function, low, high, xtol=1e-6))


def _positive(design: Design) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return counts above zero, their weights and offsets; of many rows a part, evenly spread."""
    y, w = response(design), weights(design)
    rows = np.flatnonzero((y > 0) & (w > 0))
    rows = rows[:: max(1, len(rows) // _MOST_ROWS)]
    return y[rows], w[rows], offsets(design)[rows]


def _of_positive(design: Design, shape: float) -> tuple[float, float]:
    y, w, offset = _positive(design)
    if not len(y):
        return of_mean(design, "log")

    def excess(at: float) -> float:
        return float(w @ (_mean_above_zero(np.exp(at + offset), shape) - y))

    near = float(np.log(w @ y) - _log_sum(offset, w))
    # Where every positive count is a one the mean above zero says: as small as can be.
    return max(_root(excess, near), near - 5.0), 1.0


def _mean_above_zero(mu: FloatArray, shape: float) -> FloatArray:
    """Mean of a count of mean mu, given that it is above zero; Poisson where shape is infinite."""
    log_none = -mu if np.isinf(shape) else -shape * np.log1p(mu / shape)
    mu = np.maximum(mu, 1e-12)
    return np.asarray(mu / np.maximum(-np.expm1(log_none), 1e-12))


def _shape(y: FloatArray, w: FloatArray) -> float:
    """Shape of a negative binomial that has the first two moments of its positive counts.

    Above zero E y^2 / E y = 1 + mu (1 + 1 / shape), whatever the number of zeros.
    """
    mean, square = float(np.average(y, weights=w)), float(np.average(y**2, weights=w))
    size = max(square / mean - 1, 1e-6)

    def excess(log_shape: float) -> float:
        shape = float(np.exp(log_shape))
        return float(_mean_above_zero(np.array([size / (1 + 1 / shape)]), shape)[0]) - mean

    if excess(np.log(1e4)) <= 0:
        return float("inf")  # no more spread than Poisson counts have
    return float(np.exp(_root(excess, 0.0))) if excess(np.log(0.05)) < 0 else 0.05
