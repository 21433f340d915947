"""An engine for tests: no sampling, it answers with given or simple normal draws."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hiermix.engines.protocol import Samples, Settings, named_stats, trouble
from hiermix.stan.programs import Program
from hiermix.stan.variables import SIZE
from hiermix.typing import FloatArray, StanData


@dataclass(frozen=True)
class Call:
    """What one call of `Fake.sample` was given."""

    program: Program
    data: StanData
    settings: Settings
    keep: tuple[str, ...]
    inits: FloatArray | None


@dataclass
class Fake:
    """Records what it is asked and answers at once.

    Parameters
    ----------
    draws : mapping, optional
        Variable -> (chain, draw, *shape), returned as they are.
    shapes : callable, optional
        From the Stan data to variable -> shape, for standard normal draws that depend on the
        seed alone. Variables in neither have the shape of the coordinates.
    raises : exception, optional
        Raised instead of an answer: an `EngineError`, or ``KeyboardInterrupt()``.
    """

    draws: Mapping[str, FloatArray] = field(default_factory=dict)
    shapes: Callable[[StanData], Mapping[str, tuple[int, ...]]] = lambda _data: {}
    raises: BaseException | None = None
    calls: list[Call] = field(default_factory=list)
    name: str = "fake"
    version: str = "fake 1"

    def sample(
        self,
        program: Program,
        data: StanData,
        settings: Settings,
        *,
        keep: Sequence[str],
        inits: FloatArray | None = None,
    ) -> Samples:
        """Record the call; raise, or return draws of the variables in ``keep``."""
        self.calls.append(Call(program, data, settings, tuple(keep), inits))
        if self.raises is not None:
            raise self.raises
        shapes = self.shapes(data)
        rng = np.random.default_rng(settings.seed)
        size = (settings.chains, settings.draws)
        drawn = {
            name: rng.standard_normal((*size, *shapes.get(name, _default(data)))) for name in keep
        }
        stats = named_stats(_calm(size))
        return Samples(
            draws=drawn | {name: self.draws[name] for name in keep if name in self.draws},
            stats=stats,
            engine=self.name,
            version=self.version,
            seconds={"compile": 0.0, "sampling": 0.0},
            messages=trouble(stats, settings),
        )

    def log_density(
        self, program: Program, data: StanData, points: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the log density of independent standard normals, and its gradient."""
        return -0.5 * (points**2).sum(axis=1), -points


def _default(data: StanData) -> tuple[int, ...]:
    return (int(data[SIZE]),) if SIZE in data else ()


def _calm(size: tuple[int, int]) -> dict[str, FloatArray]:
    constant = {
        "accept_stat__": 0.8,
        "stepsize__": 0.5,
        "treedepth__": 3,
        "n_leapfrog__": 7,
        "divergent__": 0,
    }
    stats = {name: np.full(size, float(value)) for name, value in constant.items()}
    slope = np.arange(size[0] * size[1], dtype=np.float64).reshape(size)
    return {"lp__": -slope, "energy__": slope} | stats
