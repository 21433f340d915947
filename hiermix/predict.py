"""Predictions: linear predictor, mean and response draws, for old and new rows and groups.

Rows are worked through in pieces, all draws of a row together; nothing of the size rows x groups
is made. What a row and a group get does not depend on the pieces or on what stands beside them.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hiermix.design import Design, Grouping
from hiermix.errors import ArgumentError, did_you_mean
from hiermix.families import Family
from hiermix.layout import Layout, Which, lay_out
from hiermix.new_groups import NewEffects, check_policy
from hiermix.streamed import write
from hiermix.streams import RowStreams, row_hashes
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

type Effects = str | Sequence[str]
"""``"all"``, ``"none"``, or the names of grouping factors."""

KINDS = ("linear", "mean", "response")
_ROWS = 65_536
_ENTRIES = 500_000


def factors(design: Design, group_effects: Effects) -> tuple[str, ...]:
    """Return the grouping factors whose effects enter a prediction."""
    names = tuple(each.name for each in design.groupings)
    if group_effects == "all":
        return names
    if group_effects == "none":
        return ()
    wanted = (group_effects,) if isinstance(group_effects, str) else tuple(group_effects)
    for name in wanted:
        if name not in names:
            near = did_you_mean(str(name), ("all", "none", *names))
            known = ", ".join(map(repr, names)) or "none"
            raise ArgumentError(
                f"group_effects names {name!r}, not a grouping factor.{near} Write 'all', 'none' "
                f"or a list of: {known}"
            )
    return tuple(name for name in names if name in wanted)


def check_kind(kind: str) -> str:
    """Return the option `kind`."""
    if kind not in KINDS:
        near = did_you_mean(str(kind), KINDS)
        raise ArgumentError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}.{near}")
    return kind


class Piece(NamedTuple):
    """Some rows and the draws of their linear predictor."""

    rows: slice
    eta: FloatArray
    """(n, S)"""


@dataclass(frozen=True, eq=False)
class Predictor:
    """The linear predictor of a design's rows under the draws of a fit."""

    design: Design
    family: Family
    layout: Layout
    new: NewEffects
    seed: int

    @cached_property
    def hashes(self) -> np.ndarray:
        """Which stream of random numbers each row has."""
        return row_hashes(self.design)

    def pieces(self) -> Iterator[Callable[[], Piece]]:
        """Yield pieces of rows, each made when it is called."""
        size = max(1, _ENTRIES // self.layout.draws)
        for start in range(0, self.design.rows, _ROWS):
            block = _Block(self, slice(start, min(start + _ROWS, self.design.rows)))
            for first in range(start, block.rows.stop, size):
                yield block.piece(slice(first, min(first + size, block.rows.stop)))

    def own(self) -> dict[str, FloatArray]:
        """Return the family's own parameters, shaped to broadcast against (n, S)."""
        return self.layout.own

    def effects(self, grouping: Grouping, rows: slice) -> FloatArray:
        """Return the effects (Q, n, S) of the groups of some rows."""
        codes = grouping.codes[rows]
        r = self.layout.r[grouping.name]
        known = (codes >= 0) & (codes < len(grouping.levels))
        if known.all():
            return r.take(codes, axis=1)
        found = np.empty((len(r), len(codes), r.shape[2]))
        found[:, known] = r[:, codes[known]]
        for code in np.unique(codes[codes >= len(grouping.levels)]):
            label = grouping.new_levels[code - len(grouping.levels)]
            found[:, codes == code] = self.new.of_level(grouping, label)[:, None]
        for place in np.flatnonzero(codes < 0):
            hash_, same = self.hashes[rows.start + place].tolist()
            found[:, place] = self.new.of_row(grouping, (hash_, same))
        return found


class _Block:
    """The matrices of some rows: formulas are read once for many pieces."""

    def __init__(self, predictor: Predictor, rows: slice) -> None:
        design = predictor.design
        self.predictor = predictor
        self.rows = rows
        self.X = design.X(rows)
        self.groupings = [each for each in design.groupings if each.name in predictor.layout.r]
        self.Z = [design.Z(each.name, rows) for each in self.groupings]

    def piece(self, rows: slice) -> Callable[[], Piece]:
        return lambda: Piece(rows, self.eta(rows))

    def eta(self, rows: slice) -> FloatArray:
        inside = slice(rows.start - self.rows.start, rows.stop - self.rows.start)
        eta: FloatArray = self.X[inside] @ self.predictor.layout.b
        offset = self.predictor.design.offset
        if offset is not None:
            eta += offset[rows, None]
        for grouping, Z in zip(self.groupings, self.Z, strict=True):
            effects = self.predictor.effects(grouping, rows)
            for k, label in enumerate(grouping.effects):
                if label != "Intercept":
                    effects[k] *= Z[inside, k, None]
                eta += effects[k]
        return eta


def predictor(
    tree: "xr.DataTree",
    design: Design,
    family: Family,
    *,
    group_effects: Effects = "all",
    new_groups: str = "error",
    seed: int | None = None,
    draws: Which = None,
) -> Predictor:
    """Join a design, the fit's own or one of new rows, with the draws of a fit.

    Parameters
    ----------
    tree : DataTree
        The fit's.
    design : Design
        ``fit.design``, or what `rows_on` made of new rows.
    family : Family
        The fit's.
    group_effects : str or sequence of str
        Which grouping factors enter.
    new_groups : str
        What levels get that the fit never saw.
    seed : int, optional
        The fit's own by default.
    draws : sequence of int, optional
        Which draws, counted through the chains; all by default.
    """
    seed = int(tree.attrs["seed"]) if seed is None else seed
    own = tuple(each.name for each in family.own)
    layout = lay_out(tree, design, own, factors(design, group_effects), draws)
    return Predictor(design, family, layout, NewEffects(layout, new_groups, seed), seed)


def rows_on(
    fitted: Design,
    new_data: pd.DataFrame | None,
    *,
    group_effects: Effects = "all",
    new_groups: str = "error",
    offset: ArrayLike | None = None,
) -> Design:
    """Put rows through the door of the fit; None stands for the fitted rows."""
    wanted = factors(fitted, group_effects)
    check_policy(new_groups)
    if new_data is None:
        return fitted
    return fitted.on(new_data, groups=wanted, new_groups=new_groups, offset=offset)


def linear(
    tree: "xr.DataTree",
    design: Design,
    family: Family,
    *,
    group_effects: Effects = "all",
    draws: Which = None,
) -> FloatArray:
    """Return the linear predictor (n, S) of rows of known groups, as a whole."""
    source = predictor(tree, design, family, group_effects=group_effects, draws=draws)
    eta = np.empty((design.rows, source.layout.draws))
    for make in source.pieces():
        piece = make()
        eta[piece.rows] = piece.eta
    return eta


type Part = tuple[slice, FloatArray]
"""Rows, and their draws (n, S)."""


def parts(source: Predictor, kind: str) -> Iterator[Callable[[], Part]]:
    """Yield the pieces of a prediction, each made when it is called."""
    for make in source.pieces():
        yield partial(_part, source, make, kind)


def _part(source: Predictor, make: Callable[[], Piece], kind: str) -> Part:
    rows, eta = make()
    if kind == "linear":
        return rows, eta
    if kind == "mean":
        return rows, source.family.mean(eta, source.own())
    return rows, _response(source, rows, eta)


def _response(source: Predictor, rows: slice, eta: FloatArray) -> FloatArray:
    """Draw responses; every row has a stream of its own."""
    streams = RowStreams(source.seed, "response")
    own = source.own()
    drawn = np.empty_like(eta)
    for place, (hash_, same) in enumerate(source.hashes[rows].tolist()):
        drawn[place] = source.family.draw(streams.at((hash_, same)), eta[place], own)
    return drawn


def draw_matrix(source: Predictor, kind: str) -> FloatArray:
    """Return the draws of a prediction (n, S)."""
    out = np.empty((source.design.rows, source.layout.draws))

    def put(job: Callable[[], Part]) -> None:
        rows, part = job()
        out[rows] = part

    _each(put, source, kind)
    return out


def quantile_matrix(source: Predictor, kind: str, probs: Sequence[float]) -> FloatArray:
    """Return quantiles (len(probs), n) of a prediction, whose draws are never held all at once."""
    wanted = check_probs(probs)
    out = np.empty((len(wanted), source.design.rows))

    def put(job: Callable[[], Part]) -> None:
        rows, part = job()
        out[:, rows] = sorted_quantiles(part, wanted)

    _each(put, source, kind)
    return out


def check_probs(probs: Sequence[float]) -> FloatArray:
    """Return probabilities as an array."""
    wanted = np.atleast_1d(np.asarray(probs, dtype=np.float64))
    if wanted.ndim != 1 or not len(wanted) or not np.all((wanted >= 0) & (wanted <= 1)):
        raise ArgumentError(f"quantiles must be between 0 and 1, not {probs!r}")
    return wanted


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


def _each(put: Callable[[Callable[[], Part]], None], source: Predictor, kind: str) -> None:
    """Work through the parts of a prediction on all cores."""
    if kind == "response":
        _ = source.hashes  # made once, before threads ask for it
    with ThreadPoolExecutor(_cores()) as pool:
        try:
            for _ in pool.map(put, parts(source, kind)):
                pass
        except BaseException:  # so that Ctrl-C doesn't wait for the parts still to come
            pool.shutdown(cancel_futures=True)
            raise


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# What a user gets ------------------------------------------------------------------------------


def result(
    tree: "xr.DataTree",
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
    if into is not None:
        empty = labelled(tree, kind, np.empty((0, source.layout.draws)), np.arange(0))
        return write(in_pieces(tree, source, kind), empty, source.design.rows, Path(into))
    return labelled(tree, kind, draw_matrix(source, kind), np.arange(source.design.rows))


def labelled(tree: "xr.DataTree", kind: str, flat: FloatArray, rows: np.ndarray) -> "xr.DataArray":
    """Label draws (n, S) as (chain, draw, row); a view, nothing is copied."""
    import xarray as xr

    posterior = tree["posterior"]
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    return xr.DataArray(
        np.moveaxis(flat.reshape(len(flat), *shape), 0, -1),
        dims=("chain", "draw", "row"),
        coords={"chain": posterior["chain"], "draw": posterior["draw"], "row": rows},
        name=kind,
    )


def in_pieces(tree: "xr.DataTree", source: Predictor, kind: str) -> Iterator["xr.DataArray"]:
    """Yield a prediction in pieces of rows, in order."""
    numbers = np.arange(source.design.rows)
    for job in parts(source, kind):
        rows, part = job()
        yield labelled(tree, kind, part, numbers[rows])


def quantile_array(source: Predictor, kind: str, probs: Sequence[float]) -> "xr.DataArray":
    """Return quantiles labelled as (quantile, row)."""
    import xarray as xr

    return xr.DataArray(
        quantile_matrix(source, kind, probs),
        dims=("quantile", "row"),
        coords={"quantile": check_probs(probs), "row": np.arange(source.design.rows)},
        name=kind,
    )
