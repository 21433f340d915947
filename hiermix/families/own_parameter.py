"""A parameter that only this family has: its coordinates, values, bounds and default prior."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hiermix.design.design import Design
from hiermix.families import links, soft_ends, thresholds
from hiermix.families.correlations import below_diagonal, block_cholesky, size_of
from hiermix.families.prior import Prior
from hiermix.typing import FloatArray

type Transform = Literal[
    "log", "log_above_one", "logit", "identity", "within", "pushed", "correlations", "gaps",
    "differences",
]  # fmt: skip

_PUSHED = 0.2
"""Part of an interval over which a number is pushed away from its ends."""


@dataclass(frozen=True)
class OwnParameter:
    """A parameter that only this family has, and its default prior given the response's scale.

    Programs sample its logarithm, that of what it has above one, its logit, itself, the logit of
    its place within bounds, itself pushed away from them as in `soft_ends`, correlations as in
    `correlations`, or for the thresholds between C ordered categories C - 2 differences, or the
    logarithms of their gaps; see `thresholds`.
    """

    name: str
    default: Callable[[float], Prior]
    transform: Transform = "log"
    size: int | None = None
    """Of a vector of numbers, how many; None of one number."""
    least: float = 0.0
    """Of one "within" bounds, or "pushed" away from them: above this and below `most`."""
    most: float = 1.0
    learned: bool = True
    """Is it learned where it has no equation? Else it is one there."""
    spread: float = 1.0
    """Of its linear predictor, to expect."""
    labels: tuple[str, ...] = ()
    """Of a vector whose numbers have priors of their own, what each is called."""
    of_rows: "Callable[[OwnParameter, Design], OwnParameter] | None" = None
    """Makes its default, and its bounds, what the rows ask for."""

    def on(self, design: Design) -> "OwnParameter":
        """Return it as the rows of a design have it."""
        return self if self.of_rows is None else self.of_rows(self, design)

    @property
    def positive(self) -> bool:
        """Whether a prior is cut off at zero."""
        unbounded = self.of_thresholds or self.transform in ("correlations", "identity")
        return not unbounded and self.least >= 0

    @property
    def of_thresholds(self) -> bool:
        """Whether it is the thresholds between ordered categories."""
        return self.transform in ("gaps", "differences")

    @property
    def bounds(self) -> tuple[float, float]:
        """Where a prior is cut off, at most."""
        bounded = self.transform in ("within", "pushed")
        return (self.least, self.most) if bounded else (-np.inf, np.inf)

    @property
    def push(self) -> float:
        """Over what one that is "pushed" is pushed away from its bounds."""
        return _PUSHED * (self.most - self.least)

    @property
    def prior_names(self) -> tuple[str, ...]:
        """Names of its priors: one, or those of its numbers."""
        return tuple(f"{self.name}[{label}]" for label in self.labels) or (self.name,)

    @property
    def single(self) -> bool:
        """Whether it is one number."""
        return not self.of_thresholds and self.size is None

    def coordinates(self, design: Design) -> int:
        """How many coordinates the programs give it."""
        if self.transform == "gaps":
            return thresholds.ladder(design).coordinates
        return category_count(design) - 2 if self.of_thresholds else self.size or 1

    def value(self, theta: FloatArray, design: Design) -> FloatArray:
        """Value at its coordinates; of thresholds that less the anchor's."""
        if self.transform == "log":
            return np.exp(theta)
        if self.transform == "log_above_one":
            return 1 + np.exp(theta)
        if self.transform == "logit":
            return links.inverse_link("logit", theta)
        if self.transform == "identity":
            return theta
        if self.transform == "pushed":
            return soft_ends.inside(theta, *self.bounds, self.push)
        if self.transform == "within":
            return self.least + (self.most - self.least) * links.inverse_link("logit", theta)
        if self.transform == "correlations":
            return below_diagonal(block_cholesky(theta, [size_of(theta.shape[-1])]))
        if self.transform == "gaps":
            return thresholds.ladder(design).values(theta)
        return thresholds.from_differences(theta, thresholds.anchor(design))

    @property
    def ends(self) -> tuple[float, float]:
        """Between which numbers it lies."""
        if self.transform == "identity":
            return -np.inf, np.inf
        if self.transform in ("within", "pushed"):
            return self.bounds
        return float(
            self.transform == "log_above_one"
        ), 1.0 if self.transform == "logit" else np.inf

    def quantile(self, prior: Prior, above: float) -> float:
        """Value that lies under a share of what a prior has between the ends."""
        frozen, (low, high) = prior.frozen(), self.ends
        beyond = frozen.sf(high)
        return float(frozen.isf(beyond + (frozen.sf(low) - beyond) * above))

    def coordinate(self, value: float) -> float:
        """Undo `value`, of one number."""
        if self.transform == "identity":
            return value
        if self.transform == "log_above_one":
            return float(np.log(value - 1))
        if self.transform == "pushed":
            return float(soft_ends.outside(value, *self.bounds, self.push))
        if self.transform in ("logit", "within"):
            share = min((value - self.least) / (self.most - self.least), 1 - 1e-6)
            return float(np.log(share / (1 - share)))
        return float(np.log(value))

    def by_row(self, eta: FloatArray) -> FloatArray:
        """Value of a parameter that has an equation, at its linear predictor."""
        if self.transform == "logit":
            return links.inverse_link("logit", eta)
        if self.transform == "identity":
            return eta
        return links.inverse_link("log", eta) + (self.transform == "log_above_one")

    def location(self, scale: float) -> float:
        """Linear predictor at the median of the default prior."""
        prior = self.default(scale).frozen()
        median, least = float(prior.median()), float(self.transform == "log_above_one")
        if self.transform in ("logit", "identity"):
            return links.link_of(self.transform, median)
        if median <= least:  # half of it is cut off
            median = float(prior.isf(prior.sf(least) / 2))
        return float(np.log(median - least))

    def log_jacobian(self, theta: FloatArray) -> FloatArray:
        """Log derivative (...) of the value in the coordinates (..., n), but for a constant."""
        if self.transform == "pushed":
            return np.asarray(np.sum(soft_ends.log_slope(theta, *self.bounds, self.push), axis=-1))
        if self.transform in ("logit", "within"):
            return np.asarray(-np.sum(np.logaddexp(0, theta) + np.logaddexp(0, -theta), axis=-1))
        straight = self.transform in ("identity", "differences")
        return np.asarray(np.sum(theta * (not straight), axis=-1))


def by_parameter(
    own: Sequence[OwnParameter], theta: FloatArray, design: Design
) -> Iterator[tuple[OwnParameter, FloatArray]]:
    """Yield each parameter with its coordinates, on the last axis of those of all."""
    at = 0
    for each in own:
        end = at + each.coordinates(design)
        yield each, theta[..., at:end]
        at = end


def category_count(design: Design) -> int:
    """Return the number of categories of the response."""
    return len(design.categories)
