"""Moments of bundles: rows that go together stand side by side, as one wide row.

What ties the rows of a series or a unit together asks for products between them, and so for the
moments of all their columns next to each other. Bundles of one kind have rows at the same places.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from hiermix.errors import DataError, count
from hiermix.statistics import cell_moments
from hiermix.statistics.cell_moments import CellMoments, Origin
from hiermix.statistics.repeated_rows import stacked
from hiermix.typing import FloatArray

type Kind = tuple[object, ...]
"""Labels of the places at which a bundle has rows, in order."""
type Bundles = Mapping[Kind, CellMoments]
"""Cell by cell; the columns of each place stand behind those of the one before it."""
type OriginOf = Callable[[object], Origin]
"""What the columns of a place are counted from."""

_MOST = 200_000_000
"""Numbers that moments may be: they stand in memory."""


def together(parts: Sequence[Bundles]) -> dict[Kind, CellMoments]:
    """Return the moments of the bundles of all parts, cells in the order of their keys."""
    kinds = dict.fromkeys(kind for each in parts for kind in each)
    found = {
        kind: cell_moments.together([each[kind] for each in parts if kind in each]).in_order()
        for kind in kinds
    }
    size = sum(each.squares.size for each in found.values())
    if size > _MOST:
        cells = sum(map(len, found.values()))
        raise DataError(
            f"{cells:,} cells of rows that go together, by their groups and places, so far: their "
            "sums take more memory than is sensible. Leave columns or groups out, or fit a sample"
        )
    return found


def without(bundles: Bundles, others: Bundles) -> dict[Kind, CellMoments]:
    """Return the moments of bundles less those of others among them.

    Raises
    ------
    DataError
        Some of the others are not among them.
    """
    found = together([bundles, {kind: each.negative() for kind, each in others.items()}])
    lacking = sum(int((each.number < 0).sum()) for each in found.values())
    if lacking:
        raise DataError(
            f"the statistics to take away have rows of {count(lacking, 'cell')} that these don't "
            "have: subtract what was added"
        )
    some = {kind: each.take(np.flatnonzero(each.number > 0)) for kind, each in found.items()}
    return {kind: each for kind, each in some.items() if len(each)}


def around(bundles: Bundles, here: OriginOf, there: OriginOf) -> dict[Kind, CellMoments]:
    """Return the moments counted from other origins."""
    from scipy.linalg import block_diag

    found = {}
    for kind, each in bundles.items():
        steps = [here(place).step(there(place)) for place in kind]
        shift = np.concatenate([move for _, move in steps])
        found[kind] = each.moved(block_diag(*(T for T, _ in steps)), shift)
    return found


def columns(
    bundles: Bundles, origin: OriginOf, places: Callable[[object], Sequence[int]]
) -> dict[Kind, CellMoments]:
    """Return the moments of some columns of each place, and of its response."""
    found = {}
    for kind, each in bundles.items():
        starts = _starts(kind, origin)
        at = [
            start + k
            for place, start in zip(kind, starts, strict=False)
            for k in (*places(place), len(origin(place).center))
        ]
        found[kind] = each.columns(at)
    return found


def _starts(kind: Kind, origin: OriginOf) -> list[int]:
    """Return where the columns of each place start, and where the last ones end."""
    wide = [len(origin(place).center) + 1 for place in kind]
    return [0, *np.cumsum(wide).tolist()]


def side_by_side(rows: Sequence[pd.DataFrame], own: Sequence[str]) -> pd.DataFrame:
    """Return the keys of bundles: those of the first place's rows, and their own ones of each."""
    found = rows[0].drop(columns=list(own)).reset_index(drop=True)
    each = {of_place(name, k): one[name].array for k, one in enumerate(rows) for name in own}
    return found.assign(**each)


def of_place(name: str, place: int) -> str:
    """Return the name of a key that the rows at each place of a bundle have of their own."""
    return f"{name} ({place})"


def keys_of(
    keys: pd.DataFrame, names: Sequence[str], own: Sequence[str], place: int
) -> pd.DataFrame:
    """Return keys of bundles as those of the rows at one of their places."""
    held = {name: keys[of_place(name, place) if name in own else name] for name in names}
    return pd.DataFrame(held, index=keys.index)


def rows_of(
    bundles: Bundles,
    origin: OriginOf,
    names: Sequence[str],
    own: Sequence[str] = (),
    only: Collection[object] | None = None,
) -> CellMoments:
    """Return the moments of rows, one by one, of places that have the same columns.

    Parameters
    ----------
    bundles : mapping
        Moments of bundles.
    origin : callable
        What the columns of a place are counted from.
    names, own : sequence of str
        Keys, and those among them that each place has of its own.
    only : collection, optional
        The places, all by default.
    """
    parts = list(_place_by_place(bundles, origin, names, own, only))
    rest = ("number", "weight", "mean", "squares")
    return CellMoments(
        stacked([each.keys for each in parts]),
        *(np.concatenate([getattr(each, name) for each in parts]) for name in rest),
    )


def _place_by_place(
    bundles: Bundles,
    origin: OriginOf,
    names: Sequence[str],
    own: Sequence[str],
    only: Collection[object] | None,
) -> Iterator[CellMoments]:
    for kind, each in bundles.items():
        starts = _starts(kind, origin)
        for k, place in enumerate(kind):
            if only is None or place in only:
                keys = keys_of(each.keys, names, own, k)
                yield replace(each.columns(range(starts[k], starts[k + 1])), keys=keys)


def of_rows(keys: pd.DataFrame, wide: FloatArray) -> CellMoments:
    """Return the moments of bundles by the keys (bundles, ...) and the columns of each."""
    with np.errstate(over="ignore", invalid="ignore"):  # said when all rows are in
        return cell_moments.of_rows(keys.reset_index(drop=True), wide, None)
