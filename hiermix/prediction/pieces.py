"""Works through a prediction piece by piece, on all cores: as draws, as quantiles, or reduced."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from hiermix.posterior.intervals import levels, sorted_quantiles
from hiermix.prediction.predictor import Job, Pieces
from hiermix.typing import FloatArray


def draw_matrix(source: Pieces, kind: str) -> FloatArray:
    """Return the draws of a prediction (n, S), or (n, S, C) of categories or responses."""
    out = np.empty((source.design.rows, *source.shape(kind)))

    def put(job: Job) -> None:
        rows, part = job()
        out[rows] = part

    _each(put, source, kind)
    return out


def quantile_matrix(source: Pieces, kind: str, probs: Sequence[float]) -> FloatArray:
    """Return quantiles (len(probs), n, ...) of a prediction, whose draws are never held at once."""
    wanted = levels(probs)
    out = np.empty((len(wanted), source.design.rows, *source.shape(kind)[1:]))

    def put(job: Job) -> None:
        rows, part = job()
        draws_last = np.ascontiguousarray(np.moveaxis(on_a_line(source, kind, part), 1, -1))
        flat = sorted_quantiles(draws_last.reshape(-1, draws_last.shape[-1]), wanted)
        out[:, rows] = flat.reshape(len(wanted), *draws_last.shape[:-1])

    _each(put, source, kind)
    return out


def on_a_line(source: Pieces, kind: str, part: FloatArray) -> FloatArray:
    """Return draws (n, S, ...) as numbers: angles within half a turn of their mean direction."""
    family = getattr(source, "family", None)  # of several responses there are none
    if family is None or kind == "linear":
        return part
    found: FloatArray = family.summed_up(part)[1]
    return found


def reduced(
    source: Pieces, kind: str, reduce: Callable[[slice, FloatArray], FloatArray]
) -> FloatArray:
    """Return what is made of the draws (n, S, ...) of some rows, for all rows.

    Draws are never held at once.
    """
    parts: dict[int, FloatArray] = {}

    def put(job: Job) -> None:
        rows, part = job()
        parts[rows.start] = reduce(rows, part)

    _each(put, source, kind)
    if not parts:
        return reduce(slice(0, 0), np.empty((0, *source.shape(kind))))
    return np.concatenate([parts[start] for start in sorted(parts)])


def _each(put: Callable[[Job], None], source: Pieces, kind: str) -> None:
    """Work through the parts of a prediction on all cores."""
    if kind == "response" or any(each.has_missing for each in source.design.groupings):
        _ = source.hashes  # made once, before threads ask for it
    with ThreadPoolExecutor(cores()) as pool:
        try:
            for _ in pool.map(put, source.jobs(kind)):
                pass
        except BaseException:  # so that Ctrl-C doesn't wait for the parts still to come
            pool.shutdown(cancel_futures=True)
            raise


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
