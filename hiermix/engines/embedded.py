"""The embedded engine: stanli, Stan's compiler, math and NUTS in one wheel."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING

import numpy as np

from hiermix.engines import compiled, draw_columns, gradients, progress
from hiermix.engines.protocol import Samples, Settings, last_lines, named_stats, trouble
from hiermix.errors import EngineError
from hiermix.stan.programs import Program
from hiermix.typing import FloatArray, StanData

if TYPE_CHECKING:
    import stanli

_REPORTS = 50
"""Times that each chain moves the progress bar."""


class Embedded:
    """Samples in this process, without a C++ toolchain."""

    name = "embedded"

    @property
    def version(self) -> str:
        """Name and version of the engine."""
        import stanli

        return f"stanli {stanli.__version__}"

    def sample(
        self,
        program: Program,
        data: StanData,
        settings: Settings,
        *,
        keep: Sequence[str],
        inits: FloatArray | None = None,
    ) -> Samples:
        """Draw from the program's posterior and return the variables in ``keep``."""
        task = partial(self._sample, program, data, settings, keep, inits)
        if min(settings.chains, settings.cores or settings.chains) > 1:
            return task()
        # One chain at a time runs in the thread that asks, and not in one of stanli's own.
        return gradients.where_they_work(task)

    def _sample(
        self,
        program: Program,
        data: StanData,
        settings: Settings,
        keep: Sequence[str],
        inits: FloatArray | None,
    ) -> Samples:
        start = time.perf_counter()
        model = _model(program, data)
        ready = time.perf_counter()
        compiled.forget()  # what comes next is another fit
        fit = _run(model, program, settings, inits)
        sampled = time.perf_counter()
        stats = named_stats(_stat_columns(fit))
        return Samples(
            draws=draw_columns.take(fit.draws(), fit.names, keep, program),
            stats=stats,
            engine=self.name,
            version=self.version,
            seconds={"compile": ready - start, "sampling": sampled - ready},
            messages=trouble(stats, settings),
        )

    def log_density(
        self, program: Program, data: StanData, points: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return log density and gradient at unconstrained points, one a row."""
        model = _model(program, data)
        values = np.full(len(points), -np.inf)
        gradients = np.full(points.shape, np.nan)
        for row, point in enumerate(points):
            try:
                values[row], gradients[row] = model.log_prob_grad(point)
            except RuntimeError:
                continue  # the program rejects this point
        return values, gradients


def density(program: Program, data: StanData) -> Callable[[FloatArray], tuple[float, FloatArray]]:
    """Return the program's log density and gradient, at a point on the unconstrained scale.

    Where the program rejects the point: -inf, and a gradient of NaN.
    """
    model = _model(program, data)

    def at(point: FloatArray) -> tuple[float, FloatArray]:
        try:
            value, gradient = model.log_prob_grad(point)
        except RuntimeError:
            return -np.inf, np.full(len(point), np.nan)
        return float(value), gradient

    return at


def _model(program: Program, data: StanData) -> "stanli.Model":
    with _engine_errors(program):
        return compiled.model(program, data)


def _run(
    model: "stanli.Model", program: Program, settings: Settings, inits: FloatArray | None
) -> "stanli.Fit":
    iterations = settings.warmup + settings.draws
    with _engine_errors(program), progress.shown(settings) as report:
        return _reporting(report)(
            model,
            chains=settings.chains,
            seed=settings.seed,
            warmup=settings.warmup,
            samples=settings.draws,
            delta=settings.adapt_delta,
            max_depth=settings.max_treedepth,
            inits=inits,
            parallel_chains=settings.cores,
            refresh=max(1, iterations // _REPORTS),
        )


def _reporting(report: progress.Report) -> Callable[..., "stanli.Fit"]:
    """Return stanli's sampler, with our report in the place of the lines that it prints.

    It prints through functions of its module. A copy that finds others under their names leaves
    alone what all threads share: that module, and sys.stdout.
    """
    import stanli

    def line(chain: int, iteration: int, _total: int, _warmup: int) -> None:
        report(chain, iteration)

    def ended(*_: object) -> None:
        """Say nothing: `Samples` carries timings and trouble."""

    sample = stanli.Model.sample
    names = {"_print_sample_progress": line, "_print_sample_reports": ended}
    copied = FunctionType(sample.__code__, vars(stanli) | names)
    copied.__kwdefaults__ = sample.__kwdefaults__
    return copied


def _stat_columns(fit: "stanli.Fit") -> dict[str, FloatArray]:
    import stanli

    return {name: fit.sampler_stats[:, :, i] for i, name in enumerate(stanli.SAMPLER_COLUMNS)}


@contextmanager
def _engine_errors(program: Program) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise EngineError(
            f"the embedded engine failed on program {program.name!r}:\n{last_lines(str(error))}"
        ) from error
