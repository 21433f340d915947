"""Adds up the moments of batches of rows, whose levels come as they come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from hiermix.design.batches import slices
from hiermix.design.coding import Coding, complete
from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.design.tables import Table
from hiermix.statistics import moments
from hiermix.statistics.gaussian_sums import encoded
from hiermix.statistics.moments import Moments
from hiermix.statistics.moved import Centre, placed
from hiermix.typing import FloatArray, IntArray


@dataclass(eq=False)
class Summing:
    """Sums over the rows so far."""

    coding: Coding
    centre: Centre
    missing: str
    sums: Moments = field(init=False)
    place: dict[object, int] = field(default_factory=dict)
    """Of each level so far."""
    counts: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    rows: int = 0
    dropped: int = 0

    def __post_init__(self) -> None:
        self.sums = moments.none(self.centre.pilot, 0, len(self.centre.z))

    def take(self, batches: Iterable[Table]) -> Summing:
        """Add the rows of batches."""
        empty = self.coding.design({})
        design = replace(
            empty, groupings=tuple(replace(g, origin=self.centre.z) for g in empty.groupings)
        )
        for rows in complete(self.coding.roles, batches, self.missing):
            self.dropped += rows.dropped
            if len(rows.frame):
                self._add(encoded(self.coding, design, rows.frame))
        return self

    def _add(self, design: Design) -> None:
        self.rows += design.rows
        grouping = own_levels(design)
        places = np.zeros(0, dtype=np.int64) if grouping is None else self._places(grouping)
        for rows in slices(design.rows):
            with np.errstate(over="ignore", invalid="ignore"):  # said when all rows are in
                part = of_slice(design, grouping, rows, self.centre)
            self.sums = _added(self.sums, part, places)
        if grouping is not None:
            self.counts[places] += grouping.factor.counts()

    def _places(self, grouping: Grouping) -> IntArray:
        """Return the places of the levels of a batch; make room for those that are new."""
        known = self.place
        levels = grouping.levels.tolist()
        places = np.array([known.setdefault(level, len(known)) for level in levels], dtype=np.int64)
        before = len(self.counts)
        if len(known) > before:
            self.sums = placed(self.sums, np.arange(before), len(known))
            self.counts = np.concatenate([self.counts, np.zeros(len(known) - before, np.int64)])
        return places


def own_levels(design: Design) -> Grouping | None:
    """Return the grouping factor of a batch, if there is one, with the levels that it has."""
    if not design.groupings:
        return None
    found = design.groupings[0]
    return replace(found, levels=found.new_levels, new_levels=found.levels)


def of_slice(design: Design, grouping: Grouping | None, rows: slice, centre: Centre) -> Moments:
    """Return the moments of a slice of encoded rows; its levels are those of the batch."""
    assert design.response is not None
    y = design.response[rows]
    if design.offset is not None:
        y = y - design.offset[rows]
    w = None if design.weights is None else design.weights[rows]
    factor = None if grouping is None else grouping.factor.on(rows)
    Z = np.empty((0, 0)) if grouping is None else design.Z(grouping.name, rows)
    return moments.of_rows(centre.pilot, with_intercept(design, rows), y, w, Z, factor)


def with_intercept(design: Design, rows: slice = slice(None)) -> FloatArray:
    """Return the columns of X, after a constant one."""
    X = design.X(rows)
    return X if "Intercept" in design.terms else np.column_stack([np.ones(len(X)), X])


def _added(total: Moments, part: Moments, places: IntArray) -> Moments:
    """Add the moments of a slice, its levels at their places; in place, where levels are many."""
    for mine, its in ((total.ZtZ, part.ZtZ), (total.ZtX, part.ZtX), (total.Zte, part.Zte)):
        mine[places] += its
    return replace(
        total, n=total.n + part.n, XtX=total.XtX + part.XtX, Xte=total.Xte + part.Xte,
        ete=total.ete + part.ete,
    )  # fmt: skip


def first_centre(coding: Coding, batches: Iterable[Table], missing: str) -> Centre:
    """Return means and a least-squares fit of some rows; zeros where there are none."""
    design = coding.design({})
    parts = complete(coding.roles, batches, missing)
    each = [encoded(coding, design, rows.frame) for rows in parts if len(rows.frame)]
    grouping = design.groupings[0] if design.groupings else None
    effects = () if grouping is None else grouping.effects
    constant = effects.index("Intercept") if "Intercept" in effects else None
    z = np.zeros(len(effects))
    if grouping is not None and constant is not None and each:
        z = np.concatenate([rows.Z(grouping.name) for rows in each]).mean(axis=0)
        z[constant] = 0.0
    P = len(design.terms) + ("Intercept" not in design.terms)
    if not each:
        return Centre(moments.Pilot(np.zeros(P), np.zeros(P)), z, constant)
    X = np.concatenate([with_intercept(rows) for rows in each])
    y = np.concatenate([_response(rows) for rows in each])
    center = X.mean(axis=0)
    center[0] = 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # said when all rows are in
        return Centre(moments.fitted_pilot(X, y, center), z, constant)


def _response(design: Design) -> FloatArray:
    assert design.response is not None
    return design.response if design.offset is None else design.response - design.offset
