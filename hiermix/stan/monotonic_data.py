"""What a program is handed of monotonic effects, and what a chart reads of it again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hiermix.design.design import Design
from hiermix.errors import PriorError
from hiermix.families.prior import Prior
from hiermix.families.priors import PriorTable, coded, shares_name
from hiermix.tuning.coordinates import Coordinates
from hiermix.typing import FloatArray, IntArray, StanData

_SPREAD = 1.28
"""Sd of the logarithm of an exponential variable: a share before its sum."""
_LEAST = 0.1
"""Of a spread of log shares, and of a share, in units of an equal one."""


@dataclass(frozen=True)
class Monotonic:
    """Places of monotonic effects among the population coefficients, and their numbers of steps."""

    at: IntArray
    size: IntArray
    leader: IntArray
    """Which of them has the shares of each: itself, or one before it, by their id."""

    def slices(self) -> list[slice]:
        """Return the places of each."""
        return [slice(k, k + n) for k, n in zip(self.at.tolist(), self.size.tolist(), strict=True)]

    def steps(self, b: FloatArray) -> FloatArray:
        """Coefficients of the steps from what is sampled in their places."""
        b = b.copy()
        each: list[FloatArray] = []
        for here, leader in zip(self.slices(), self.leader.tolist(), strict=True):
            logs = np.concatenate([[0.0], b[here][1:]])
            own = np.exp(logs - np.logaddexp.reduce(logs))
            each.append(own if leader == len(each) else each[leader])
            b[here] = b[here][0] * len(own) * each[-1]
        return b

    def sampled(self, b: FloatArray) -> FloatArray:
        """Undo `steps`; steps of the other direction than the mean are next to nothing.

        What stands in the places of shares that are those of others is zero.
        """
        b = b.copy()
        for k, here in enumerate(self.slices()):
            mean, shares = b[here].mean(), _shares(b[here], 1e-12)
            b[here] = [mean, *np.log(shares[1:] / shares[0])] if self.own(k) else 0.0
            b[here.start] = mean
        return b

    def own(self, k: int) -> bool:
        """Tell whether an effect has shares of its own."""
        return int(self.leader[k]) == k


def _shares(steps: FloatArray, least: float) -> FloatArray:
    """Shares of steps that go the way of their mean, `least` times an equal one at least."""
    size = np.sign(steps.mean() or 1.0) * steps
    size = np.maximum(size, least * max(float(np.abs(steps).mean()), 1e-300))
    return np.asarray(size / size.sum())


def places(design: Design) -> Monotonic:
    """Find the monotonic effects among the coefficients of all equations."""
    found = [(each.start, each.stop) for each in design.step_places]
    ends = np.array(found, dtype=np.int64).reshape(-1, 2)
    steps = design.steps
    leaders = [steps.index(each.shared or each) for each in steps]
    return Monotonic(ends[:, 0], ends[:, 1] - ends[:, 0], np.array(leaders, dtype=np.int64))


def own_priors(found: Monotonic, priors: Sequence[Prior]) -> list[Prior]:
    """Return priors of what is sampled: none that is read in the places of log shares."""
    each = list(priors)
    if len(found.at) and any(prior.shrinks for prior in priors):
        raise PriorError(
            "slopes that are shrunk together stand beside no monotonic effect yet: give each slope "
            "a prior of its own"
        )
    for here in found.slices():
        rest = slice(here.start + 1, here.stop)
        each[rest] = [Prior("normal", (0.0, 1.0))] * (here.stop - rest.start)
    return each


def shapes(design: Design, table: PriorTable) -> list[FloatArray]:
    """Return the numbers of the Dirichlet priors of the shares of each."""
    leaders = (each.shared or each for each in design.steps)
    priors = (table[shares_name(each.term, each.equation)] for each in leaders)
    return [np.broadcast_to(prior.arguments, len(each.labels)).astype(np.float64)
            for prior, each in zip(priors, design.steps, strict=True)]  # fmt: skip


def added(
    data: StanData, found: Monotonic, priors: Sequence[Prior], shapes: Sequence[FloatArray]
) -> StanData:
    """Return the data of a program with its monotonic effects."""
    code, par = coded([priors[k] for k in found.at], positive=False)
    b_prior = np.asarray(data["b_prior"]).copy()
    for here in found.slices():
        b_prior[here] = 0
    return data | {"b_prior": b_prior, "monotonic": len(found.at), "steps_at": found.at + 1,
                   "steps": found.size, "step_prior": code, "step_par": par,
                   "shares_of": found.leader + 1,
                   "share_shape": np.concatenate([np.zeros(0), *shapes])}  # fmt: skip


def of_levels(design: Design, x_mean: FloatArray) -> StanData:
    """Return which varying columns are made of steps, and what these need beside their columns."""
    keys = [(each.equation, each.term) for each in design.steps]
    effects = [(each, k) for each in design.groupings for k in range(len(each.effects))]
    made = [each.moved[k] if each.moved else None for each, k in effects]
    places = [0 if one is None else 1 + keys.index((one.equation, one.term)) for one in made]
    origin = [
        0.0 if one is None or each.origin is None else each.origin[k]
        for (each, k), one in zip(effects, made, strict=True)
    ]
    return {
        "moved_by": np.array(places, dtype=np.int64),
        "moved_origin": np.array(origin),
        "moved_mean": x_mean if any(places) else np.zeros(0),
        "moved_b": len(x_mean) if any(places) else 0,
    }


def around(at: Coordinates, P: int, found: Monotonic, shapes: Sequence[FloatArray]) -> Coordinates:
    """Return coordinates of mean steps and log shares, by those of steps of any direction."""
    if not len(found.at):
        return at
    center, scale = _coordinates(at.center, at.scale, P, found, shapes)
    return replace(at, center=center, scale=scale, following=None)


def _coordinates(
    center: FloatArray, scale: FloatArray, P: int, found: Monotonic, shapes: Sequence[FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Center and scale: shares have a spread by what the quick fit knows of its steps."""
    center, scale = center.copy(), scale.copy()
    covariance = scale[:P, :P] @ scale[:P, :P].T
    T = np.eye(P)
    for here in found.slices():
        T[here] = 0.0
        T[here.start, here] = 1 / (here.stop - here.start)
    known = [k for k in range(P) if T[k].any()]
    scale[:P, :P] = 0.0
    root = np.linalg.cholesky((T @ covariance @ T.T)[np.ix_(known, known)])
    scale[np.ix_(known, known)] = root
    for k, (here, shape) in enumerate(zip(found.slices(), shapes, strict=True)):
        steps, n = center[here], here.stop - here.start
        if not found.own(k):  # what is sampled there is a standard normal, and nothing else
            rest = slice(here.start + 1, here.stop)
            center[here] = [steps.mean(), *np.zeros(n - 1)]
            scale[rest, rest] = np.eye(n - 1)
            continue
        shares = _shares(steps, _LEAST)
        sd = np.sqrt(np.diag(covariance)[here]) / np.maximum(np.abs(steps), 1e-300)
        spread = float(np.clip(np.median(sd), _LEAST, _SPREAD))
        rest = slice(here.start + 1, here.stop)
        # What the prior knows beyond one of ones, which knows nothing: as many steps seen.
        said = np.maximum(shape - 1, 0.0).mean() * spread**2
        logs = (np.log(shares) + said * np.log(shape)) / (1 + said)
        spread = spread / np.sqrt(1 + said)
        center[here] = [steps.mean(), *(logs[1:] - logs[0])]
        scale[rest, rest] = spread * np.linalg.cholesky(np.eye(n - 1) + 1.0)
    return center, scale


def of(data: StanData) -> Monotonic:
    """Return the monotonic effects of a program with its data."""
    at, leader = np.asarray(data["steps_at"]) - 1, np.asarray(data["shares_of"]) - 1
    return Monotonic(at, np.asarray(data["steps"]), leader)
