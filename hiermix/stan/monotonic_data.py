"""What a program is handed of monotonic effects, and what a chart reads of it again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hiermix.design.design import Design
from hiermix.errors import PriorError
from hiermix.families.prior import Prior
from hiermix.families.priors import coded
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

    def slices(self) -> list[slice]:
        """Return the places of each."""
        return [slice(k, k + n) for k, n in zip(self.at.tolist(), self.size.tolist(), strict=True)]

    def steps(self, b: FloatArray) -> FloatArray:
        """Coefficients of the steps from what is sampled in their places."""
        b = b.copy()
        for here in self.slices():
            logs = np.concatenate([[0.0], b[here][1:]])
            shares = np.exp(logs - np.logaddexp.reduce(logs))
            b[here] = b[here][0] * len(shares) * shares
        return b

    def sampled(self, b: FloatArray) -> FloatArray:
        """Undo `steps`; steps of the other direction than the mean are next to nothing."""
        b = b.copy()
        for here in self.slices():
            mean, shares = b[here].mean(), _shares(b[here], 1e-12)
            b[here] = [mean, *np.log(shares[1:] / shares[0])]
        return b


def _shares(steps: FloatArray, least: float) -> FloatArray:
    """Shares of steps that go the way of their mean, `least` times an equal one at least."""
    size = np.sign(steps.mean() or 1.0) * steps
    size = np.maximum(size, least * max(float(np.abs(steps).mean()), 1e-300))
    return np.asarray(size / size.sum())


def places(design: Design) -> Monotonic:
    """Find the monotonic effects among the coefficients of all equations."""
    found = [(each.start, each.stop) for each in design.step_places]
    ends = np.array(found, dtype=np.int64).reshape(-1, 2)
    return Monotonic(ends[:, 0], ends[:, 1] - ends[:, 0])


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


def added(data: StanData, found: Monotonic, priors: Sequence[Prior]) -> StanData:
    """Return the data of a program with its monotonic effects."""
    code, par = coded([priors[k] for k in found.at], positive=False)
    b_prior = np.asarray(data["b_prior"]).copy()
    for here in found.slices():
        b_prior[here] = 0
    return data | {"b_prior": b_prior, "monotonic": len(found.at), "steps_at": found.at + 1,
                   "steps": found.size, "step_prior": code, "step_par": par}  # fmt: skip


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


def around(at: Coordinates, P: int, found: Monotonic) -> Coordinates:
    """Return coordinates of mean steps and log shares, by those of steps of any direction."""
    if not len(found.at):
        return at
    center, scale = _coordinates(at.center, at.scale, P, found)
    return replace(at, center=center, scale=scale, following=None)


def _coordinates(
    center: FloatArray, scale: FloatArray, P: int, found: Monotonic
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
    for here in found.slices():
        steps, n = center[here], here.stop - here.start
        shares = _shares(steps, _LEAST)
        sd = np.sqrt(np.diag(covariance)[here]) / np.maximum(np.abs(steps), 1e-300)
        spread = float(np.clip(np.median(sd), _LEAST, _SPREAD))
        rest = slice(here.start + 1, here.stop)
        center[here] = [steps.mean(), *np.log(shares[1:] / shares[0])]
        scale[rest, rest] = spread * np.linalg.cholesky(np.eye(n - 1) + 1.0)
    return center, scale


def of(data: StanData) -> Monotonic:
    """Return the monotonic effects of a program with its data."""
    return Monotonic(np.asarray(data["steps_at"]) - 1, np.asarray(data["steps"]))
