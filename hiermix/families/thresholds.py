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
from hiermix.design.items import places
from hiermix.families import linear_scale, ordinal
from hiermix.families.item_thresholds import THRESHOLDS_AT, of_items
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True)
class Ladder:
    """Thresholds of the response, or of items one after the other.

    The first one's anchor is what all are counted from. Coordinates are the logarithms of the gaps
    of all, and then how far the anchors of the others are from that of the first.
    """

    sizes: tuple[int, ...]
    """Categories of each."""
    anchors: tuple[int, ...]
    """Threshold of each, counted from 0, that parts its responses most evenly."""

    @property
    def gaps(self) -> int:
        """Number of gaps."""
        return sum(self.sizes) - 2 * len(self.sizes)

    @property
    def coordinates(self) -> int:
        """Number of coordinates."""
        return self.gaps + len(self.sizes) - 1

    def values(self, theta: FloatArray) -> FloatArray:
        """(T,) thresholds, counted from the first anchor."""
        found, at = [], 0
        for place, (size, anchor) in enumerate(zip(self.sizes, self.anchors, strict=True)):
            end = at + size - 2
            own = from_gaps(theta[at:end], anchor)
            found.append(own + theta[self.gaps + place - 1] if place else own)
            at = end
        return np.concatenate(found)

    def chain(self, theta: FloatArray) -> FloatArray:
        """(T, coordinates) derivatives of the same."""
        from scipy.linalg import block_diag

        steps = [_steps(size - 2, anchor)
                 for size, anchor in zip(self.sizes, self.anchors, strict=True)]  # fmt: skip
        rows = np.repeat(np.arange(len(self.sizes)), [size - 1 for size in self.sizes])
        apart = np.equal.outer(rows, np.arange(1, len(self.sizes))).astype(float)
        return np.hstack([block_diag(*steps) * np.exp(theta[: self.gaps]), apart])


def ladder(design: Design) -> Ladder:
    """Return the thresholds of a design, by its rows."""
    each = _below(design)
    anchors = tuple(int(np.argmin(np.abs(share - 0.5))) for share in each)
    return Ladder(tuple(len(share) + 1 for share in each), anchors)


def _below(design: Design) -> list[FloatArray]:
    """(C - 1,) share of responses below each threshold of each item.

    Half a response is added to each category.
    """
    y, w = linear_scale.response(design).astype(np.int64) - 1, linear_scale.weights(design)
    items, codes, C = design.items, design.limits.item, len(design.categories)
    sizes: tuple[int, ...] = (C,)
    if items is not None and codes is not None:
        sizes, y = items.sizes, y + C * codes.astype(np.int64)
    counts = np.bincount(y, w, minlength=C * len(sizes)).reshape(-1, C) + 0.5
    each = [own[:size] for own, size in zip(counts, sizes, strict=True)]
    return [np.asarray(np.cumsum(own)[:-1] / own.sum()) for own in each]


def anchor(design: Design) -> int:
    """Threshold, counted from 0, that parts the responses most evenly."""
    return ladder(design).anchors[0]


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
    """Coordinates that the shares of the categories alone ask for."""
    from scipy.special import logit, ndtri

    to = logit if link == "logit" else ndtri
    each, anchors = [to(share) for share in _below(design)], ladder(design).anchors
    gaps = [np.log(np.diff(at)) for at in each]
    middle = np.array([at[place] for at, place in zip(each, anchors, strict=True)])
    return np.concatenate([*gaps, middle[1:] - middle[0]])


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
    ladder: Ladder
    item: IntArray
    """(rows,) from 0."""
    disc: FloatArray | None = None
    """(rows,) by which predictors and thresholds are multiplied, where it is not one."""

    def value_and_gradient(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """Return log density and gradient."""
        value, slope, _ = self._of_thresholds(theta)
        chain = self.ladder.chain(theta)
        return value - 0.5 * float(theta @ theta), chain.T @ slope - theta

    def curvature(self, theta: FloatArray) -> FloatArray:
        """Minus the Hessian."""
        _, slope, bend = self._of_thresholds(theta)
        chain = self.ladder.chain(theta)
        of_gaps = np.arange(len(theta)) < self.ladder.gaps  # which bend with their logarithms
        turn = np.diag(np.where(of_gaps, chain.T @ slope, 0.0))
        return np.asarray(np.eye(len(theta)) + chain.T @ bend @ chain - turn)

    def _of_thresholds(self, theta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Log density of the rows, and its gradient and minus its Hessian in the thresholds."""
        sizes = np.array(self.ladder.sizes)
        starts = np.cumsum([0, *(sizes + 1)])  # with bounds at infinity around those of each item
        bounds, place = int(starts[-1]), starts[self.item] + self.category
        inner = np.setdiff1d(np.arange(bounds), [*starts[:-1], *(starts[1:] - 1)])
        own: dict[str, FloatArray] = {"threshold": self.ladder.values(theta)}
        if len(sizes) > 1:
            own = dict(of_items(own | {THRESHOLDS_AT: self._places()}))
        value, slope, bend = 0.0, np.zeros(bounds), np.zeros((bounds, bounds))

        def by_bound(category: IntArray, values: FloatArray) -> FloatArray:
            return np.bincount(category, self.weight * values, bounds)

        d: FloatArray | float = 1.0
        if self.disc is not None:
            d, own = self.disc, {"threshold": own["threshold"] * self.disc[:, None]}
        for eta in self.etas:
            log_p, first, second = ordinal.ordinal_bends(self.link, self.category, d * eta, own)
            lower, upper = place - 1, place
            value += float(self.weight @ log_p)
            slope += by_bound(lower, d * first[0]) + by_bound(upper, d * first[1])
            bend -= np.diag(by_bound(lower, d**2 * second[0]) + by_bound(upper, d**2 * second[1]))
            across = by_bound(lower, d**2 * second[2])[:-1]
            bend -= np.diag(across, 1) + np.diag(across, -1)
        return value, slope[inner], bend[np.ix_(inner, inner)]

    def _places(self) -> FloatArray:
        """(rows, most thresholds) places of the thresholds of each row."""
        return np.asarray(places(self.ladder.sizes)[self.item], dtype=np.float64)
