"""Responses of which is known that they lie in an interval: log probability, mean and draw.

One mechanism for censoring and truncation. A censored row has the probability of the interval that
its response lies in, in place of a density; a truncated one has that of its bounds taken away.
Rows bring the ends as ``low`` and ``high`` (NaN where the response was observed), and the bounds
as ``least`` and ``most``: above the one, not above the other, in the manner of distribution
functions. Of counts, ends are whole numbers.
"""

from collections.abc import Callable

import numpy as np

from hiermix.design.design import Design
from hiermix.families.links import Own
from hiermix.typing import FloatArray, IntArray

type Support = tuple[float, float]
"""The number up to which no response lies, and that up to which all do."""
type Tails = Callable[[FloatArray, FloatArray, Own], tuple[FloatArray, FloatArray]]
"""Log probabilities of at most y and of more than y, at a linear predictor."""
type Values = Callable[[FloatArray, FloatArray, Own], FloatArray]
type Draw = Callable[[np.random.Generator, FloatArray, Own], FloatArray]

_INSIDE = 0.5
"""A number at which every family has a distribution function."""
_ROUNDS = 4
"""Draws that fall outside are tried again so often, before they are found by bisection."""


def known(design: Design) -> bool:
    """Tell whether some responses are intervals, or have bounds."""
    censored = design.censored is not None and bool(design.censored.any())
    return censored or design.limits.truncated


def of_rows(design: Design, support: Support, *, whole: bool) -> dict[str, FloatArray]:
    """Return the ends and bounds that rows bring; `whole` where responses are whole numbers."""
    limits, y, codes = design.limits, design.response, design.censored
    least = np.full(design.rows, -np.inf) if limits.least is None else limits.least
    most = np.full(design.rows, np.inf) if limits.most is None else limits.most
    # Up to where nothing was seen: bounds themselves can be.
    least = np.ceil(least) - 1 if whole else np.nextafter(least, -np.inf)
    most = np.floor(most) if whole else most
    found = {"least": least, "most": most} if limits.truncated else {}
    if codes is not None and y is not None and codes.any():
        end = y if limits.end is None else limits.end
        low = np.maximum(np.where(codes == -1, -np.inf, y), least)
        high = np.where(codes == -1, y, np.where(codes == 1, np.inf, end))
        if whole:
            high = np.floor(high)
        exact = codes == 0
        found["low"] = np.where(exact, np.nan, low)
        found["high"] = np.where(exact, np.nan, np.minimum(high, most))
    return {name: _in_support(values, support) for name, values in found.items()}


def moved(beside: Own, to: Callable[[FloatArray], FloatArray]) -> dict[str, FloatArray]:
    """Return what rows bring with ends and bounds on another scale."""
    found = dict(beside)
    for name in {"low", "high", "least", "most"} & found.keys():
        ends = found[name]
        infinite = np.isinf(ends)
        found[name] = np.where(infinite, ends, to(np.where(infinite, 1.0, ends)))
    return found


def _in_support(ends: FloatArray, support: Support) -> FloatArray:
    """Send ends that no response lies beyond to infinity."""
    ends = np.where(ends <= support[0], -np.inf, ends)
    return np.where(ends >= support[1], np.inf, ends)


def stand_in(design: Design) -> FloatArray:
    """Return a response for each row: where it is an interval, the middle of that."""
    assert design.response is not None
    if design.censored is None or design.limits.end is None:
        return design.response
    ends = np.where(np.isinf(design.limits.end), design.response, design.limits.end)
    return np.where(design.censored == 2, (design.response + ends) / 2, design.response)


def as_seen(design: Design, draws: FloatArray, rows: slice = slice(None)) -> FloatArray:
    """Return draws (n, S) of some rows as they would have been seen.

    Those within what is known of a censored response count as the response itself.
    """
    ends = of_rows(design, (-np.inf, np.inf), whole=False)
    if "low" not in ends:
        return draws
    low, high = ends["low"][rows, None], ends["high"][rows, None]
    assert design.response is not None
    return np.where((draws > low) & (draws <= high), design.response[rows, None], draws)


def log_density(
    density: Values, tails: Tails, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Log density of responses, or log probability of what is known of them."""
    found = density(y, eta, own)
    if "low" in own:
        known = log_between(tails, own["low"], own["high"], eta, own)
        found = np.where(np.isnan(own["low"]), found, known)
    if "least" in own:
        found = found - log_between(tails, own["least"], own["most"], eta, own)
    return found


def log_between(
    tails: Tails, low: FloatArray, high: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    """Log probability of more than `low` and at most `high`, by the tail that keeps its digits."""
    below_low, above_low = _tails_at(tails, low, eta, own)
    below_high, above_high = _tails_at(tails, high, eta, own)
    larger, smaller = np.minimum(below_high, above_low), np.minimum(below_low, above_high)
    with np.errstate(invalid="ignore"):
        found = larger + np.log(-np.expm1(smaller - larger))
    return np.where(larger == -np.inf, -np.inf, found)


def _tails_at(
    tails: Tails, ends: FloatArray, eta: FloatArray, own: Own
) -> tuple[FloatArray, FloatArray]:
    """Tails at ends, of which some are infinite, and others missing."""
    below, above = tails(np.where(np.isfinite(ends), ends, _INSIDE), eta, own)
    below = np.where(np.isposinf(ends), 0.0, np.where(np.isneginf(ends), -np.inf, below))
    above = np.where(np.isposinf(ends), -np.inf, np.where(np.isneginf(ends), 0.0, above))
    return below, above


def truncated_mean(
    mean: FloatArray, excess: Values, tails: Tails, eta: FloatArray, own: Own
) -> FloatArray:
    """Mean of responses within their bounds: each end adds its excess, by how likely they are."""
    least, most = own["least"], own["most"]
    moved = _excess_at(excess, least, eta, own) - _excess_at(excess, most, eta, own)
    inside = np.exp(log_between(tails, least, most, eta, own))
    with np.errstate(invalid="ignore"):
        return np.fmin(np.fmax(mean + moved / inside, least), most)


def _excess_at(excess: Values, ends: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    found = excess(np.where(np.isfinite(ends), ends, _INSIDE), eta, own)
    return np.where(np.isfinite(ends), found, 0.0)


# Draws -------------------------------------------------------------------------------------------


def truncated_draw(
    draw: Draw, tails: Tails, rng: np.random.Generator, eta: FloatArray, own: Own,
    support: Support, *, whole: bool,
) -> FloatArray:  # fmt: skip
    """Draw responses within their bounds."""
    y = draw(rng, eta, own)
    own = {name: np.broadcast_to(values, y.shape) for name, values in own.items()}
    eta = np.broadcast_to(eta, y.shape)
    for _ in range(_ROUNDS):
        out = ~((y > own["least"]) & (y <= own["most"]))
        if not out.any():
            return y
        y[out] = draw(rng, eta[out], {name: values[out] for name, values in own.items()})
    out = ~((y > own["least"]) & (y <= own["most"]))
    here = {name: values[out] for name, values in own.items()}
    u = rng.random(int(out.sum()))
    y[out] = _by_bisection(tails, u, eta[out], here, support, whole=whole)
    return y


def _by_bisection(
    tails: Tails, u: FloatArray, eta: FloatArray, own: Own, support: Support, *, whole: bool
) -> FloatArray:
    """Quantiles u of responses within their bounds, among all numbers there are between these."""
    least, most = own["least"], own["most"]
    target = np.log(u) + log_between(tails, least, most, eta, own)
    low, high = _place(np.maximum(least, support[0])), _place(np.minimum(most, support[1]))
    for _ in range(64):
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        at = np.floor(_number(middle)) if whole else _number(middle)
        enough = log_between(tails, least, np.fmax(at, least), eta, own) >= target
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    found = np.floor(_number(high)) if whole else _number(high)
    # Bounds so far out that their probability is zero in numbers: the nearest one.
    lost = ~np.isfinite(target) | ~np.isfinite(found)
    first = np.fmax(least, 0) + 1.0 if whole else np.nextafter(least, np.inf)
    return np.where(lost, np.where(np.isfinite(most), most, first), found)


def _place(x: FloatArray) -> IntArray:
    """Place of a number among all of its precision, in order."""
    bits = np.asarray(x, dtype=np.float64).view(np.int64)
    return np.where(bits >= 0, bits, -(bits & np.int64(2**63 - 1)))


def _number(place: IntArray) -> FloatArray:
    size = np.abs(place).view(np.float64)
    return np.where(place < 0, -size, size)
