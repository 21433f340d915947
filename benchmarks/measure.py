"""What the benchmarks share: simulated data, effective draws a second, tables, peak memory."""

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hiermix.engines.embedded import Embedded
from hiermix.engines.protocol import Settings
from hiermix.stan.programs import Program
from hiermix.typing import FloatArray, StanData

PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Run:
    """Sampling by one program."""

    name: str
    seconds: float
    ess: float
    """Smallest bulk effective size over Intercept, b, sd, cor and sigma."""
    steps: float
    """Mean leapfrog steps a draw."""

    @property
    def rate(self) -> float:
        """Effective draws a second."""
        return self.ess / self.seconds


def two_level(rows: int, groups: int, seed: int = 0) -> pd.DataFrame:
    """Simulate intercepts and slopes that vary over groups: columns y, x, g."""
    rng = np.random.default_rng(seed)
    g = rng.integers(0, groups, rows)
    x = rng.normal(size=rows)
    effects = rng.normal(size=(groups, 2)) @ np.array([[1.0, 0.2], [0.0, 0.5]])
    y = 1 + 0.5 * x + effects[g, 0] + effects[g, 1] * x + rng.normal(size=rows)
    return pd.DataFrame({"y": y, "x": x, "g": g})


def smallest_ess(arrays: Sequence[FloatArray]) -> float:
    """Smallest bulk effective size over arrays of draws (chain, draw, ...)."""
    from arviz_base import from_dict
    from arviz_stats import ess

    tree = from_dict({"posterior": {f"v{i}": array for i, array in enumerate(arrays)}})
    sizes = ess(tree, method="bulk")
    return min(float(sizes[name].min()) for name in sizes.data_vars)


def by_hand(name: str, data: StanData, settings: Settings, keep: Sequence[str]) -> Run:
    """Sample a program of this folder on the embedded engine."""
    program = Program(name, PROGRAMS / f"{name}.stan")
    start = time.process_time()
    samples = Embedded().sample(program, data, settings, keep=keep)
    seconds = time.process_time() - start
    arrays = [_free(samples.draws[variable]) for variable in keep]
    steps = float(samples.stats["n_steps"].mean())
    return Run(name, seconds, smallest_ess(arrays), steps)


def _free(draws: FloatArray) -> FloatArray:
    """Below the diagonal of Cholesky factors, everything of other variables."""
    if draws.ndim < 4:
        return draws
    rows, columns = np.tril_indices(draws.shape[-1], -1)
    return draws[..., rows, columns]


def by_hiermix(fit: Any, name: str = "hiermix") -> Run:
    """Read time and effective size off a fit."""
    import json

    posterior = fit.data.posterior
    names = [each for each in posterior.data_vars if not str(each).startswith("r_")]
    steps = float(fit.data.sample_stats["n_steps"].mean())
    seconds = json.loads(fit.data.attrs["seconds"])["sampling"]
    return Run(name, seconds, smallest_ess([posterior[each].to_numpy() for each in names]), steps)


def population(model: Any) -> StanData:
    """Build what the row-wise programs read of rows and population, with the model's priors."""
    design, priors = model.design, model.priors
    slopes = [term for term in design.terms if term != "Intercept"]
    location, scale = priors["Intercept"].arguments
    return {
        "N": design.rows,
        "Y": design.response,
        "K": len(design.terms),
        "Kc": len(slopes),
        "X": design.X(),
        "b_scale": np.array([priors[f"b[{term}]"].scale for term in slopes]),
        "intercept_location": location,
        "intercept_scale": scale,
    }


def beside(
    model: Any, handed: StanData, names: Sequence[str], keep: Sequence[str], settings: Settings
) -> list[Run]:
    """Sample with hiermix and with each row-wise program, at the same settings.

    Seconds are those of the processor, of hiermix from formula to result.
    """
    return [whole(model, settings), *(by_hand(name, handed, settings, keep) for name in names)]


def whole(model: Any, settings: Settings, name: str = "hiermix") -> Run:
    """Fit with hiermix, in seconds of the processor, with all that a fit does."""
    _load_libraries()
    start = time.process_time()
    fit = model.fit(seed=settings.seed, chains=settings.chains, warmup=settings.warmup,
                    draws=settings.draws, adapt_delta=settings.adapt_delta,
                    engine="embedded")  # fmt: skip
    seconds = time.process_time() - start
    return replace(by_hiermix(fit, name), seconds=seconds)


@cache
def _load_libraries() -> None:
    """Have a small fit load what the first fit of a process loads."""
    import hiermix as hm

    hm.Model("y ~ x + (1 + x | g)", two_level(200, 20)).fit(
        seed=1, chains=1, warmup=100, draws=50, progress=False
    )


def table(runs: Sequence[Run]) -> str:
    """Markdown: effective draws a second and how many times the first row has of each."""
    lines = ["| program | seconds | smallest bulk ESS | steps a draw | ESS / s | hiermix is |",
             "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    lines += [
        f"| {run.name} | {run.seconds:.2f} | {run.ess:.0f} | {run.steps:.1f} | {run.rate:.1f} | "
        f"{runs[0].rate / run.rate:.1f} x |"
        for run in runs
    ]
    return "\n".join(lines)


def peak() -> float:
    """Peak resident memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of a call, and what it returned."""
    start = time.perf_counter()
    value = call()
    return time.perf_counter() - start, value
