"""Predictions for old and new rows and groups: as draws, as quantiles, in pieces, in a file."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from hiermix import options
from hiermix.design import row_labels
from hiermix.design.design import Design
from hiermix.design.frames import NewRows
from hiermix.engines.protocol import LARGEST_SEED
from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.families.family import Family, needs_numbers
from hiermix.formula.names import in_results
from hiermix.posterior.arrays import Which
from hiermix.posterior.posterior import Posterior
from hiermix.prediction.files import write
from hiermix.prediction.new_groups import NewEffects, check_policy
from hiermix.prediction.predictor import Job, Predictor
from hiermix.prediction.update import with_updated
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

type Effects = str | Sequence[str]
"""``"all"``, ``"none"``, or the names of grouping factors."""

KINDS = ("linear", "mean", "response", "probability")


def factors(design: Design, group_effects: Effects) -> tuple[str, ...]:
    """Return the grouping factors whose effects enter a prediction."""
    names = tuple(each.name for each in design.groupings)
    if group_effects == "all":
        return names
    if group_effects == "none":
        return ()
    wanted = options.names("group_effects", group_effects)
    wanted = tuple(in_results(str(name)) for name in wanted)
    for name in wanted:
        if name not in names:
            near = did_you_mean(str(name), ("all", "none", *names))
            known = ", ".join(map(repr, names)) or "none"
            raise ArgumentError(
                f"group_effects names {name!r}, not a grouping factor.{near} Write 'all', 'none' "
                f"or a list of: {known}"
            )
    return tuple(name for name in names if name in wanted)


def check_kind(kind: str, family: Family, kinds: Sequence[str] = KINDS) -> str:
    """Return the option `kind`; only categories have a probability each."""
    options.one_of("kind", kind, kinds)
    if kind == "probability" and not (family.unordered or family.thresholds):
        raise ArgumentError(
            "kind='probability' is for the categories of families 'ordinal' and 'categorical': "
            f"family {family.name!r} has kind='mean' and kind='response'"
        )
    return kind


def predictor(
    posterior: Posterior,
    *,
    group_effects: Effects = "all",
    new_groups: str = "error",
    seed: int | None = None,
    draws: Which = None,
) -> Predictor:
    """Return what predicts the rows of a posterior's design: those fitted, or new ones.

    Parameters
    ----------
    posterior : Posterior
        The fit's, or ``posterior.on(rows)`` with what `rows_on` made of new rows.
    group_effects : str or sequence of str
        Which grouping factors enter.
    new_groups : str
        What levels get that the fit never saw.
    seed : int, optional
        The fit's own by default.
    draws : sequence of int, optional
        Which draws, counted through the chains; all by default.
    """
    design, family = posterior.design, posterior.family
    seed = posterior.seed if seed is None else options.whole("seed", seed, 0, LARGEST_SEED)
    if new_groups == "update":
        needs_numbers(family, "new_groups='update'")
    wanted = factors(design, group_effects)

    def of(equation: str | None) -> Predictor:
        layout = posterior.layout(wanted, equation, draws)
        new = NewEffects(layout, new_groups, seed, category=equation)
        return Predictor(design, family, layout, new, seed)

    each = tuple(map(of, posterior.equations))
    if family.unordered:
        return replace(each[0], categories=each)
    return with_updated(each[0]) if new_groups == "update" else each[0]


def rows_on(
    fitted: Design,
    new_data: NewRows | None,
    *,
    group_effects: Effects = "all",
    new_groups: str = "error",
    offset: ArrayLike | None = None,
    kind: str = "mean",
) -> Design:
    """Put rows through the door of the fit; None stands for the fitted rows."""
    wanted = factors(fitted, group_effects)
    check_policy(new_groups)
    if new_data is None:
        return fitted
    return fitted.on(
        new_data, groups=wanted, new_groups=new_groups, offset=offset, trials=kind != "linear"
    )


def draw_matrix(source: Predictor, kind: str) -> FloatArray:
    """Return the draws of a prediction (n, S), or (n, S, C) of categories."""
    out = np.empty((source.design.rows, *source.shape(kind)))

    def put(job: Job) -> None:
        rows, part = job()
        out[rows] = part

    _each(put, source, kind)
    return out


def quantile_matrix(source: Predictor, kind: str, probs: Sequence[float]) -> FloatArray:
    """Return quantiles (len(probs), n, ...) of a prediction, whose draws are never held at once."""
    wanted = check_probs(probs)
    out = np.empty((len(wanted), source.design.rows, *source.shape(kind)[1:]))

    def put(job: Job) -> None:
        rows, part = job()
        draws_last = np.ascontiguousarray(np.moveaxis(part, 1, -1))
        flat = sorted_quantiles(draws_last.reshape(-1, draws_last.shape[-1]), wanted)
        out[:, rows] = flat.reshape(len(wanted), *draws_last.shape[:-1])

    _each(put, source, kind)
    return out


def reduced(
    source: Predictor, kind: str, reduce: Callable[[slice, FloatArray], FloatArray]
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


def check_probs(probs: Sequence[float]) -> FloatArray:
    """Return probabilities as an array."""
    given = np.atleast_1d(np.asarray(probs))
    fits = given.ndim == 1 and len(given) and given.dtype.kind in "iuf"
    if not fits or not np.all((given >= 0) & (given <= 1)):
        raise ArgumentError(f"quantiles must be between 0 and 1, not {quoted(probs)}")
    return given.astype(np.float64)


def sorted_quantiles(part: FloatArray, probs: FloatArray) -> FloatArray:
    """Return quantiles (len(probs), n) over the last axis, which is sorted in place.

    Sorting short contiguous rows is faster than selecting from them; the definition is numpy's.
    """
    part.sort(axis=1)
    at = probs * (part.shape[1] - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, part.shape[1] - 1)
    share = at - low
    return np.asarray((part[:, low] * (1 - share) + part[:, high] * share).T)


def _each(put: Callable[[Job], None], source: Predictor, kind: str) -> None:
    """Work through the parts of a prediction on all cores."""
    if kind == "response" or any(each.has_missing for each in source.design.groupings):
        _ = source.hashes  # made once, before threads ask for it
    with ThreadPoolExecutor(_cores()) as pool:
        try:
            for _ in pool.map(put, source.jobs(kind)):
                pass
        except BaseException:  # so that Ctrl-C doesn't wait for the parts still to come
            pool.shutdown(cancel_futures=True)
            raise


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# What a user gets ------------------------------------------------------------------------------


def result(
    posterior: Posterior,
    source: Predictor,
    kind: str,
    *,
    quantiles: Sequence[float] | None = None,
    into: str | Path | None = None,
) -> "xr.DataArray":
    """Return a prediction as draws, as quantiles, or in a file."""
    if quantiles is not None and into is not None:
        raise ArgumentError("quantiles= and into= exclude each other: quantiles fit in memory")
    if quantiles is not None:
        return quantile_array(source, kind, quantiles)
    rows = row_labels.coords(source.design)
    if into is not None:
        empty = labelled(posterior, kind, np.empty((0, *source.shape(kind))), np.arange(0), source)
        return write(in_pieces(posterior, source, kind), empty, rows, options.path(into))
    numbers = np.arange(source.design.rows)
    return _named(labelled(posterior, kind, draw_matrix(source, kind), numbers, source), rows)


def labelled(
    posterior: Posterior,
    kind: str,
    flat: FloatArray,
    rows: np.ndarray,
    source: Predictor | None = None,
) -> "xr.DataArray":
    """Label draws (n, S, ...) as (chain, draw, row, ...); a view, nothing is copied."""
    import xarray as xr

    chains = {dim: posterior.draws[dim] for dim in ("chain", "draw")}
    apart = {} if source is None else _categories(source, kind)
    weighed = None if source is None else source.weighed
    return xr.DataArray(
        np.moveaxis(flat.reshape(len(flat), *posterior.shape, *flat.shape[2:]), 0, 2),
        dims=("chain", "draw", "row", *apart),
        coords={**chains, "row": rows, **apart},
        name=kind,
        attrs={} if weighed is None else weighed.attrs(),
    )


def _categories(source: Predictor, kind: str) -> dict[str, list[str]]:
    """Return the labels of a prediction that has a number for each category."""
    if len(source.shape(kind)) == 1:
        return {}
    names = [str(label) for label in source.design.categories]
    return {"category": names[1:] if kind == "linear" else names}


def in_pieces(posterior: Posterior, source: Predictor, kind: str) -> Iterator["xr.DataArray"]:
    """Yield a prediction in pieces of rows, in order."""
    names, numbers = row_labels.coords(source.design), np.arange(source.design.rows)
    for job in source.jobs(kind):
        rows, part = job()
        yield _named(labelled(posterior, kind, part, numbers[rows], source), names.isel(row=rows))


def _named(found: "xr.DataArray", rows: "xr.Dataset") -> "xr.DataArray":
    return found.drop_vars("row").assign_coords(rows.coords)


def quantile_array(source: Predictor, kind: str, probs: Sequence[float]) -> "xr.DataArray":
    """Return quantiles labelled as (quantile, row), and category where there are several."""
    import xarray as xr

    rows, apart = row_labels.coords(source.design), _categories(source, kind)
    return xr.DataArray(
        quantile_matrix(source, kind, probs),
        dims=("quantile", "row", *apart),
        coords={"quantile": check_probs(probs), **rows.coords, **apart},
        name=kind,
        attrs={} if source.weighed is None else source.weighed.attrs(),
    )
