"""From the moments of rows that go together to a design: weighted bundles that stand for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from hiermix.design.coding import Coding
from hiermix.design.design import Design
from hiermix.design.level_covariance import Matrices
from hiermix.design.series import Series, check_positions, no_pairs
from hiermix.formula.terms.residual_terms import AutoRegression, Residuals
from hiermix.statistics import bundles, cell_design
from hiermix.statistics.bundles import Bundles, Kind
from hiermix.statistics.cell_coding import own_columns
from hiermix.statistics.cell_design import Chosen
from hiermix.statistics.cell_moments import CellMoments, Origin, stand_ins, together
from hiermix.statistics.repeated_rows import stacked
from hiermix.statistics.series_pieces import GAP, MONTHS, PAIR, Pieces
from hiermix.statistics.series_rows import residuals_of
from hiermix.statistics.series_times import Calendar
from hiermix.typing import FloatArray, IntArray


class Sums(NamedTuple):
    """Sums whose series are whole."""

    coding: Coding
    origin: Origin
    bundles: Bundles
    every: CellMoments
    rows: int


class StandIns(NamedTuple):
    """Bundles of one kind that have the moments of all of it."""

    kind: Kind
    keys: pd.DataFrame
    """(bundles, keys)"""
    columns: FloatArray
    """(bundles, places, K + 1)"""
    weight: FloatArray
    """(bundles,)"""

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.weight) * len(self.kind)


def design_of(
    sums: Sums,
    pieces: Pieces,
    calendar: Calendar,
    formula: str | None,
    data2: Matrices | None,
) -> Design:
    """Return the design of bundles of rows that have the moments of all, for a formula.

    Raises
    ------
    DataError
        The formula has a column that is not there, or one that says nothing.
    """
    chosen = cell_design.chosen(sums.coding, sums.every.names, formula)
    term = residuals_of(chosen.coding)
    if term is None:
        return cell_design.design_of(
            sums.coding, sums.every, sums.origin, sums.rows, formula, data2
        )  # fmt: skip
    best = sums.every.fitted(sums.origin, [chosen.places[each] for each in chosen.population])
    found = list(_stand_ins(sums, chosen, best))
    if isinstance(term, AutoRegression):
        series = _in_time(term, found, calendar, pieces, sums.bundles.get(PAIR))
    else:
        series = _at_positions(term, found, calendar, pieces)
    rows = np.concatenate([each.columns.reshape(each.size, -1) for each in found])
    own = own_columns(sums.coding.roles)
    frame = stacked([_of_rows(each, chosen.keys, own) for each in found])
    weight = np.concatenate([_repeated(each, _weight(each)) for each in found])
    return cell_design.built(chosen, best, frame, rows, weight, sums.rows, data2, series)


def _stand_ins(sums: Sums, chosen: Chosen, best: Origin) -> Iterator[StandIns]:
    own = own_columns(sums.coding.roles)
    moved = bundles.around(sums.bundles, lambda place: sums.origin, lambda place: best)
    some = bundles.columns(moved, lambda place: best, lambda place: chosen.places)
    for kind, moments in some.items():
        names = [name for name in chosen.keys if name not in own]
        names += [bundles.of_place(name, k) for k in range(len(kind)) for name in chosen.keys
                  if name in own]  # fmt: skip
        names += [GAP, MONTHS] if kind == PAIR else []
        cells = together([moments], names).in_order()
        cell, values, weight = stand_ins(cells)
        keys = cells.keys.iloc[cell].reset_index(drop=True)
        yield StandIns(kind, keys, values.reshape(len(values), len(kind), -1), weight)


def _of_rows(each: StandIns, names: Sequence[str], own: Sequence[str]) -> pd.DataFrame:
    """Return the keys of each row, bundle by bundle."""
    n, places = len(each.keys), range(len(each.kind))
    rows = stacked([bundles.keys_of(each.keys, names, own, k) for k in places])
    by_bundle = (np.arange(n)[:, None] + n * np.arange(len(each.kind))).ravel()
    return rows.iloc[by_bundle].reset_index(drop=True)


def _repeated(each: StandIns, values: FloatArray) -> FloatArray:
    return np.repeat(values, len(each.kind))


def _weight(each: StandIns) -> FloatArray:
    """Weight of the rows: pairs are of rows that are there by themselves as well."""
    return 0.0 * each.weight if each.kind == PAIR else each.weight


def _units(found: Sequence[StandIns]) -> IntArray:
    """Return which bundle each row belongs to."""
    wide = np.concatenate([np.full(len(each.weight), len(each.kind)) for each in found])
    return np.repeat(np.arange(len(wide)), wide)


def _in_time(
    term: Residuals, found: Sequence[StandIns], calendar: Calendar, pieces: Pieces,
    pairs: CellMoments | None,
) -> Series:  # fmt: skip
    if pairs is None:
        raise no_pairs(term)
    name = MONTHS if calendar.monthly else GAP
    place, weight = [], []
    for each in found:
        start = np.zeros(len(each.weight))
        gap = each.keys[name].to_numpy(dtype=float) if each.kind == PAIR else None
        place.append(start if gap is None else np.column_stack([start, gap]).ravel())
        weight.append(start if gap is None else _repeated(each, each.weight))
    series = Series(
        term, _units(found), tuple(pieces.labels), np.concatenate(place), form=calendar.form,
        even=False, monthly=calendar.monthly, weight=np.concatenate(weight),
    )  # fmt: skip
    series = series.in_steps(
        pairs.keys[name].to_numpy(dtype=float), pairs.number.astype(np.float64), 0.0
    )
    times = pieces.first.month if calendar.monthly else pieces.first.time
    return replace(series, origin=float(times.min()))


def _at_positions(
    term: Residuals, found: Sequence[StandIns], calendar: Calendar, pieces: Pieces
) -> Series:
    seen = list(dict.fromkeys(place for each in found for place in each.kind))
    positions = calendar.in_order(seen)
    check_positions(term, positions)
    if not any(len(each.kind) > 1 for each in found):
        raise no_pairs(term)
    code = {label: float(place) for place, label in enumerate(positions)}
    place = [np.tile([code[at] for at in each.kind], len(each.weight)) for each in found]
    weight = np.concatenate([_repeated(each, each.weight) for each in found])
    return Series(
        term, _units(found), tuple(pieces.labels), np.concatenate(place), tuple(positions),
        weight=weight,
    )  # fmt: skip
