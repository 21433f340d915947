"""Where chains start: in the modes of the posterior, further out than the modes' spread.

Modes are climbed to from every guess, in the density that is sampled, and weighed by Laplace's
approximation: log density plus log volume. Chains that start overdispersed, and in different modes
where there are several, give R-hat its power (Gelman and Rubin, 1992).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hiermix.engines import embedded
from hiermix.errors import EngineError
from hiermix.stan.assemble import Assembled
from hiermix.stan.chart import Chart
from hiermix.tuning import descent
from hiermix.tuning.mode import mode as newton
from hiermix.tuning.points import Point
from hiermix.typing import FloatArray, IntArray

type Density = Callable[[FloatArray], tuple[float, FloatArray]]
"""Log density and its gradient; minus infinity and NaN where there is none."""

_PLAUSIBLE, _KNOWN = 7.0, 25.0
"""Logs of how many times the weight of a mode the best one has: up to the first, chains start in
it as in the best; up to the second, the last chain does, so that R-hat shows what there is."""
_DIP = 1.0
"""Fall of the log density between two points that makes them belong to two modes."""
_OVERDISPERSED, _DF, _TAIL = 2.0, 5.0, 2.0
"""Sds that chains start wide, at least; degrees of freedom; how much further the tail may take one:
from very far out a chain may not find its way back in any warmup."""
_LOWEST = 50.0
"""Fall of the log density for each coordinate, a normal's at ten sds, below which no chain starts:
far above its responses a log link's falls by 1e60, and no step is short enough to come back."""
_WIDEST = 3.0
"""Sds in the program's coordinates, beyond which no chain starts along a flat direction."""
_FLAT = 1e-6
"""Least curvature of any direction."""
_FAR = 4.0
"""Coordinates of the best mode from which on the program gets new ones."""
_SAME = 0.5
"""Distance in every coordinate within which two points are one."""
_SHAKEN, _TRIED = 0.1, 100
_ROUNDS, _SETTLED = 5, 0.2
_LEAP = 2.0
"""Coordinates from a point within which the slope of the log volume there holds."""
_STEP, _FURTHER = 1e-2, 0.1
"""Steps of differences, of the gradient and of the log volume."""


@dataclass(frozen=True)
class Mode:
    """A mode in a program's coordinates, and the normal distribution that touches it there."""

    at: FloatArray
    """(D + K,)"""
    log_density: float
    log_volume: float
    root: FloatArray
    """(D, D) of the covariance of raw."""
    along: FloatArray
    """(K, D) how the mean of z moves with raw."""
    free: Sequence[tuple[slice, FloatArray]]
    """For each factor its places among z, and roots (J, Q, Q) of the covariances given raw."""

    @property
    def log_weight(self) -> float:
        """Log of its part of the posterior, but for a constant: (19) of docs/how-it-samples.md."""
        return self.log_density + self.log_volume

    def draw(self, rng: np.random.Generator, width: float) -> FloatArray:
        """Draw a deviation from the mode, of `width` sds."""
        raw = self.root @ rng.standard_normal(len(self.root))
        return width * np.concatenate([raw, self.along @ raw + self.deviation(rng)])

    def deviation(self, rng: np.random.Generator) -> FloatArray:
        """Draw what z (K,) differs from where raw takes it."""
        z = np.zeros(len(self.along))
        for places, root in self.free:
            J, Q, _ = root.shape
            z[places] = (root @ rng.standard_normal((J, Q, 1)))[:, :, 0].T.ravel()
        return z


class Started(NamedTuple):
    """A program in the coordinates of the best mode, and the modes in these."""

    ready: Assembled
    modes: list[Mode]


def start(assembled: Callable[[Point | None], Assembled]) -> Started:
    """Find the modes, and put the program together for the best one.

    Parameters
    ----------
    assembled : callable
        From a point to the program in the coordinates of the mode next to it; of the mode that
        the quick fit finds for None.
    """
    ready = assembled(None)
    chart, density = Chart(ready.data), embedded.density(ready.program, ready.data)
    modes = find(density, chart, map(chart.coordinates, ready.guesses))
    if not modes or np.abs(modes[0].at).max(initial=0.0) < _FAR:
        return Started(ready, modes)
    points = [chart.point(mode.at) for mode in modes]
    ready = assembled(points[0])
    chart, density = Chart(ready.data), embedded.density(ready.program, ready.data)
    return Started(ready, find(density, chart, map(chart.coordinates, points)))


def find(density: Density, chart: Chart, guesses: Iterable[FloatArray]) -> list[Mode]:
    """Climb from the quick fit and from every guess; return the modes worth a chain, best first.

    Parameters
    ----------
    density : callable
        Log density of the program.
    chart : Chart
        Its coordinates.
    guesses : iterable of array
        Coordinates (D + K,) to climb from.
    """
    posterior = _Posterior(density, chart)
    begun, found = list[FloatArray](), list[FloatArray]()
    # Not quite from the quick fit, which symmetry may have left on a saddle.
    beside = _SHAKEN * np.random.default_rng(0).standard_normal(chart.size)
    for guess in (beside, *guesses):
        first = posterior.given_spreads(guess)
        if first is None or any(np.abs(first - other).max() < _SAME for other in begun):
            continue
        begun.append(first)
        top = posterior.top(first, found)
        joined = [posterior.joined(top, other) for other in found]
        if not any(joined):
            found.append(top)
        elif posterior.integrated(top) > posterior.integrated(found[joined.index(True)]) + _DIP:
            found[joined.index(True)] = top  # the other was a saddle, or on the way
    touched = [mode for mode in map(posterior.normal, found) if mode is not None]
    modes = sorted(touched, key=lambda mode: -mode.log_weight)
    return [mode for mode in modes if mode.log_weight > modes[0].log_weight - _KNOWN]


def inits(started: Started, chains: int, seed: int) -> FloatArray:
    """Draw a point for each chain, around its mode: twice as wide, of a Student t."""
    (program, data), modes = (started.ready.program, started.ready.data), started.modes
    density, size = embedded.density(program, data), Chart(data).size
    rng = np.random.default_rng([seed, 1])
    if not modes:
        return np.array([_somewhere(density, size, rng) for _ in range(chains)])
    points = []
    for mode in _shared_out(modes, chains):
        width = _OVERDISPERSED * np.clip(np.sqrt(_DF / rng.chisquare(_DF)), 1.0, _TAIL)
        points.append(_accepted(density, mode, mode.draw(rng, width)))
    return np.array(points)


def _somewhere(density: Density, size: int, rng: np.random.Generator) -> FloatArray:
    """Return a point that has a density, ever nearer to zero: the quick fit found no mode."""
    for width in np.geomspace(1.0, 1e-3, _TRIED):
        point = width * rng.standard_normal(size)
        value, gradient = density(point)
        if np.isfinite(value) and np.isfinite(gradient).all():
            return point
    raise EngineError(
        f"chains can't start: no parameters were found, at {_TRIED} places near what data and "
        "priors say, under which all rows have a density. Some of them have none under a mean out "
        "of its range (a link such as log or logit keeps it inside), or under a prior far from "
        "them; of a likelihood that is your own look at the responses at its ends"
    )


def plausible(modes: Sequence[Mode]) -> list[Mode]:
    """Return the modes, best first, that count as much as the best one."""
    return [mode for mode in modes if mode.log_weight > modes[0].log_weight - _PLAUSIBLE]


def _shared_out(modes: Sequence[Mode], chains: int) -> list[Mode]:
    """Mode of each chain: the plausible ones in turn; of the others the best for the last."""
    likely = plausible(modes)
    each = [likely[chain % len(likely)] for chain in range(chains)]
    if len(likely) < len(modes) and len(likely) < chains:
        each[-1] = modes[len(likely)]
    return each


def _accepted(density: Density, mode: Mode, step: FloatArray) -> FloatArray:
    """Come back towards the mode until the density is within reach of it."""
    least = mode.log_density - _LOWEST * len(step)
    for _ in range(30):
        value, gradient = density(mode.at + step)
        if value > least and np.isfinite(gradient).all():
            break
        step = step / 2
    return np.asarray(mode.at + step)


# Modes -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Posterior:
    """The density that is sampled.

    Its joint mode is no mode of the posterior: with many effects it lies where they leave no
    volume. So (b, own, sds, correlations) are climbed along with the log volume of the effects,
    which makes it Laplace's approximation to the density with the effects integrated out.
    """

    density: Density
    chart: Chart

    def given_spreads(self, start: FloatArray) -> FloatArray | None:
        """Climb along coefficients and effects; None where there is no density.

        Effects that are far from their modes would widen the spreads, and with wide spreads the
        narrow modes of the effects are gone.
        """
        if not np.isfinite(start).all() or not np.isfinite(self.density(start)[0]):
            return None
        free = np.r_[: self.chart.P, self.chart.D : self.chart.size]
        return self._highest(start, free, np.zeros(len(start)))

    def top(self, start: FloatArray, known: Sequence[FloatArray] = ()) -> FloatArray:
        """Climb along all coordinates, with the slope of the log volume as it is on the way.

        Not far at once, since the slope changes, and not to where there is less. Who comes to a top
        that is known need not climb on.
        """
        at, every = start, np.arange(self.chart.size)
        if not self.chart.K:
            at = self._highest(at, every, np.zeros(len(at)))
            near = (other for other in known if np.abs(at - other).max() < _SAME)
            there = next(near, None)
            return self._by_newton(at) if there is None else there
        height = self.integrated(at)
        for _ in range(_ROUNDS):
            before, at = at, self._highest(at, every, self._tilt(at))
            for other in known:
                if np.abs(at - other).max() < _SAME:
                    return other
            below, height = height, self.integrated(at)
            if not height > below - _DIP:
                return before
            if np.abs(at - before)[: self.chart.D].max(initial=0.0) < _SETTLED:
                break
        return at

    def _by_newton(self, at: FloatArray) -> FloatArray:
        """Climb on with all curvatures at hand: few coordinates, but maybe on a knife's edge."""
        with np.errstate(all="ignore"):
            try:
                top, _ = newton(self.density, at, np.full(len(at), 0.1))
            except np.linalg.LinAlgError:
                return at
        return top if self.density(top)[0] > self.density(at)[0] else at

    def joined(self, one: FloatArray, other: FloatArray) -> bool:
        """Say whether the log density hardly falls on the way from one point to the other."""
        if np.abs(one - other).max(initial=0.0) < _SAME:
            return True
        least = min(self.integrated(one), self.integrated(other)) - _DIP
        way = np.linspace(0.1, 0.9, 9)
        return all(self.integrated((1 - t) * one + t * other) > least for t in way)

    def normal(self, at: FloatArray) -> Mode | None:
        """Fit a normal distribution at a mode: levels are independent given the rest.

        None where curvatures are no numbers: at the edge of what can be computed is no mode.
        """
        chart = self.chart
        D = chart.D
        columns = [self._curvature(at, step) for step in np.eye(D, chart.size)]
        H = np.array(columns).reshape(D, chart.size)
        free, log_volume = self._given_rest(at)
        with np.errstate(all="ignore"):
            along = _along(free, H[:, D:])
            of_raw = H[:, :D] + H[:, D:] @ along
        if not np.isfinite(of_raw).all():
            return None
        root, volume = _root(of_raw[None])
        return Mode(at, self.density(at)[0], log_volume + volume, root[0], along, free)

    def _highest(self, start: FloatArray, free: IntArray, tilt: FloatArray) -> FloatArray:
        """Climb along some of the coordinates, on a density that is tilted around the start."""
        at, unit = start.copy(), max(abs(self.density(start)[0]), 1.0)

        def falling(part: FloatArray) -> tuple[float, FloatArray]:
            at[free] = part
            value, gradient = self.density(at)
            if not np.isfinite(value):
                return unit * 1e10, np.zeros(len(free))
            moved = np.tanh((at - start) / _LEAP)
            tilted = gradient + tilt * (1 - moved**2)
            return -value - _LEAP * float(tilt @ moved), -tilted[free]

        if not len(free):
            return start
        at[free] = descent.lowest(falling, start[free], 1e-3 / unit)
        return at

    def integrated(self, at: FloatArray) -> float:
        """Log density with the effects integrated out, but for a constant."""
        return self.density(at)[0] + self._volume(at)

    def _volume(self, at: FloatArray) -> float:
        """Log volume of the effects given the rest."""
        return self._given_rest(at)[1]

    def _given_rest(self, at: FloatArray) -> tuple[list[tuple[slice, FloatArray]], float]:
        """Places of each factor, roots (J, Q, Q) of its covariances; log volume of them all."""
        found = [_root(block) for block in self._blocks(at)]
        places = [places for places, _, _ in self.chart.independent]
        roots = [root for root, _ in found]
        return list(zip(places, roots, strict=True)), sum(volume for _, volume in found)

    def _tilt(self, at: FloatArray) -> FloatArray:
        """Slope of the log volume along all but effects and coefficients.

        The effects move along with the others, as their modes do.
        """
        chart = self.chart
        slope = np.zeros(chart.size)
        free, _ = self._given_rest(at)
        for i in range(chart.P, chart.D):
            step = np.eye(1, chart.size, i)[0]
            step[chart.D :] = _along(free, self._curvature(at, step)[None, chart.D :])[:, 0]
            step *= _FURTHER
            slope[i] = (self._volume(at + step) - self._volume(at - step)) / (2 * _FURTHER)
        return slope

    def _blocks(self, at: FloatArray) -> Iterator[FloatArray]:
        """Yield minus the Hessians (J, Q, Q) of the effects of each level, factor by factor.

        All levels are moved at once, up or down at random: what little they have to do with each
        other cancels out (Bekas, Kokiopoulou and Saad, 2007).
        """
        D, rng = self.chart.D, np.random.default_rng(0)
        for places, J, Q in self.chart.independent:
            block, signs = np.empty((J, Q, Q)), rng.choice([-1.0, 1.0], J)
            for k in range(Q):
                step = np.zeros(self.chart.size)
                step[D:][places][k * J : (k + 1) * J] = signs
                column = self._curvature(at, step)[D:][places]
                block[:, :, k] = (column.reshape(Q, J) * signs).T
            yield block

    def _curvature(self, at: FloatArray, step: FloatArray) -> FloatArray:
        """Minus the Hessian times `step`, by a central difference."""
        up, down = self.density(at + _STEP * step)[1], self.density(at - _STEP * step)[1]
        with np.errstate(all="ignore"):
            H = (down - up) / (2 * _STEP)
        return np.where(np.isfinite(H), H, 0.0)


def _along(free: Sequence[tuple[slice, FloatArray]], H: FloatArray) -> FloatArray:
    """(K, D) how the effects move along the others, by the mixed part (D, K) of minus the Hessian.

    `free` are the places of each factor, and roots (J, Q, Q) of its covariances given the rest.
    """
    D, K = H.shape
    along = np.zeros((K, D))
    for places, root in free:
        J, Q, _ = root.shape
        crossed = H[:, places].reshape(D, Q, J).transpose(2, 1, 0)
        moved = -root @ (root.swapaxes(1, 2) @ crossed)
        along[places] = moved.transpose(1, 0, 2).reshape(Q * J, D)
    return along


def _root(H: FloatArray) -> tuple[FloatArray, float]:
    """Root of the inverse of H (J, n, n), nowhere wider than the widest, and its log volume."""
    eigenvalues, vectors = np.linalg.eigh((H + H.swapaxes(-1, -2)) / 2)
    width = 1 / np.sqrt(np.maximum(eigenvalues, _WIDEST**-2))
    volume = -0.5 * np.log(np.maximum(np.abs(eigenvalues), _FLAT)).sum()
    return vectors * width[:, None, :], float(volume)
