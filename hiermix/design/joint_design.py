"""Several responses as one design: a row for each response that a row of the frame has.

Rows stand response by response; each has the columns of its own response and zeros in those of
the others, so that to everything that adds up rows this is a design like any other, whose units
are the rows of the frame and whose positions are the responses: see `series`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, override

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hiermix.design import frames
from hiermix.design.batches import Rows
from hiermix.design.design import Design
from hiermix.design.equation import Equation
from hiermix.design.frames import NewRows
from hiermix.design.groupings import Grouping, labels_array
from hiermix.design.plan import Labels
from hiermix.design.series import Series
from hiermix.errors import ArgumentError
from hiermix.formula.equations import MU, qualified
from hiermix.formula.terms.residual_terms import Unstructured
from hiermix.typing import FloatArray, IntArray

DIM = "response"
"""Dim of results along which responses lie."""


class Responses(Unstructured):
    """Residuals of the responses of one row: each has an sd, each pair of them a correlation."""

    def __str__(self) -> str:
        return "a model of several responses"


class ResponseEffects(Grouping):
    """A factor whose effects enter the equations of responses: a row has those of its own."""

    @property
    @override
    def constant(self) -> tuple[bool, ...]:
        return (False,) * len(self.effects)

    @property
    @override
    def of_location(self) -> tuple[str, ...]:
        return self.effects

    @override
    def of_equation(self, name: str) -> list[int]:
        return list(range(len(self.effects))) if name == MU else super().of_equation(name)


@dataclass(frozen=True, eq=False)
class Joint(Design):
    """Designs of several responses of the rows of one frame, one below the other."""

    of_responses: tuple[Design, ...] = field(kw_only=True)
    places: Mapping[str, tuple[tuple[int, int], ...]] = field(kw_only=True)
    """Of each effect of a factor: of which response it is, and its column in that one's Z."""
    x_mean: FloatArray = field(kw_only=True)
    """(P,) what columns of X have subtracted: nothing, but for programs."""
    unit: FloatArray = field(kw_only=True)
    """(responses,) what rows are divided by: ones, but for programs."""

    @property
    @override
    def parts(self) -> tuple[Design, ...]:
        return self.of_responses

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the responses."""
        return tuple(each.response_name for each in self.parts)

    @property
    @override
    def reported(self) -> tuple[Equation, ...]:
        return tuple(Equation(each.response_name, each.terms) for each in self.parts)

    @property
    def units(self) -> IntArray:
        """(rows,) which row of the frame each row belongs to."""
        assert self.series is not None
        return self.series.unit

    @override
    def X(self, rows: Rows = slice(None), equation: str = MU) -> FloatArray:
        found = np.zeros((self._number(rows), len(self.terms)))
        ends = np.cumsum([len(each.terms) for each in self.parts])
        for k, here, inside in self._pieces(rows):
            block = slice(int(ends[k]) - len(self.parts[k].terms), int(ends[k]))
            found[here, block] = (self.parts[k].X(inside) - self.x_mean[block]) / self.unit[k]
        return found

    @override
    def Z(self, name: str, rows: Rows = slice(None)) -> FloatArray:
        grouping = self.grouping(name)
        places = self.places[grouping.name]
        found = np.zeros((self._number(rows), len(places)))
        origin = np.zeros(len(places)) if grouping.origin is None else grouping.origin
        for k, here, inside in self._pieces(rows):
            mine = [q for q, (part, _) in enumerate(places) if part == k]
            if mine:
                Z = self.parts[k].Z(name, inside)[:, [places[q][1] for q in mine]]
                at = np.arange(len(found))[here]
                found[at[:, None], mine] = (Z - origin[mine]) / self.unit[k]
        return found

    def of_response(self, k: int) -> slice:
        """Return the rows of a response."""
        sizes = [each.rows for each in self.parts]
        return slice(sum(sizes[:k]), sum(sizes[: k + 1]))

    def _number(self, rows: Rows) -> int:
        return len(range(*rows.indices(self.rows))) if isinstance(rows, slice) else len(rows)

    def _pieces(self, rows: Rows) -> Iterator[tuple[int, Rows, Rows]]:
        """Yield a response, its places among some rows, and which of its own rows these are."""
        ends = np.cumsum([each.rows for each in self.parts])
        if isinstance(rows, slice) and rows.step in (None, 1):
            first, stop, _ = rows.indices(self.rows)
            for k, end in enumerate(ends.tolist()):
                start = end - self.parts[k].rows
                low, high = max(first, start), min(stop, end)
                if low < high:
                    yield k, slice(low - first, high - first), slice(low - start, high - start)
            return
        wanted = np.arange(self.rows)[rows]
        part = np.searchsorted(ends, wanted, side="right")
        for k in np.unique(part).tolist():
            here = np.flatnonzero(part == k)
            yield k, here, wanted[here] - (ends[k] - self.parts[k].rows)

    def in_units(self, unit: FloatArray, x_mean: FloatArray) -> Joint:
        """Return the rows as programs have them: centred by response, and divided by a unit."""
        sizes = [each.rows for each in self.parts]
        by_row, location = np.repeat(unit, sizes), self.equations[0]
        if location.offset is not None:
            location = replace(location, offset=location.offset / by_row)
        response = None if self.response is None else self.response / by_row
        return replace(
            self, unit=unit, x_mean=x_mean, response=response, equations=(location,)
        )  # fmt: skip

    @override
    def take(self, rows: NDArray[np.intp]) -> Joint:
        ends = np.cumsum([each.rows for each in self.parts])
        part = np.searchsorted(ends, rows, side="right")
        rows = rows[np.argsort(part, kind="stable")]
        inside = [rows[part[np.argsort(part, kind="stable")] == k] - (end - each.rows)
                  for k, (end, each) in enumerate(zip(ends, self.parts, strict=True))]  # fmt: skip
        response = None if self.response is None else self.response[rows]
        return replace(
            self,
            of_responses=tuple(map(Design.take, self.parts, inside)),
            rows=len(rows),
            equations=tuple(each.take(rows) for each in self.equations),
            groupings=tuple(each.take(rows) for each in self.groupings),
            response=response,
            series=self.series and self.series.take(rows),
        )

    @override
    def on(
        self,
        new_data: NewRows,
        *,
        groups: Collection[str] | None = None,
        new_groups: str | None = None,
        weights: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        trials: bool = False,
    ) -> Joint:
        rows = frames.new_rows(new_data)
        rows = rows if self.calendar is None else self.calendar.joined_to(rows)
        given: Any = rows
        parts = tuple(
            each.on(given, groups=groups, new_groups=new_groups, weights=weights, offset=offset,
                    trials=trials) for each in self.parts
        )  # fmt: skip
        frame = reduce(_beside, (each.frame for each in parts))
        unit = np.tile(np.arange(len(frame)), len(parts))
        groupings = tuple(_on(each, parts) for each in self.groupings)
        return stacked(self, parts, groupings, unit, frame)

    @property
    @override
    def predictors(self) -> tuple[str, ...]:
        return _distinct(each.predictors for each in self.parts)

    @property
    @override
    def response_columns(self) -> tuple[str, ...]:
        return _distinct(each.response_columns for each in self.parts)

    @override
    def levels_of(self, name: str) -> Labels:
        return next((found for each in self.parts if (found := each.levels_of(name))), ())


def _distinct(several: Iterator[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in several for name in names))


def _beside(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Put the columns of other rows of one frame beside."""
    return one.assign(**{str(name): other[name] for name in other if name not in one})


def _on(fitted: Grouping, parts: Sequence[Design]) -> Grouping:
    """Return the codes of new rows, which are those of each response that has the factor."""
    known = [each for part in parts for each in part.groupings if each.name == fitted.name]
    codes = np.tile(known[0].codes, len(parts))
    return replace(fitted, codes=codes, new_levels=labels_array(list(known[0].new_levels)))


def stacked(
    like: Design,
    parts: tuple[Design, ...],
    groupings: tuple[Grouping, ...],
    unit: IntArray,
    frame: pd.DataFrame,
    places: Mapping[str, tuple[tuple[int, int], ...]] | None = None,
) -> Joint:
    """Return the designs of responses as one.

    Parameters
    ----------
    like : Design
        A joint one of other rows; or that of the first response, with the formula of all.
    parts : tuple of Design
        Those of the responses.
    groupings : tuple of Grouping
        The factors, with codes of all rows.
    unit : array, shape (rows,)
        Which row of the frame each row belongs to.
    frame : DataFrame
        The columns that the formulas use.
    places : mapping, optional
        Those of the effects; of another joint design by default.
    """
    names = tuple(each.response_name for each in parts)
    terms = [qualified(term, each.response_name) for each in parts for term in each.terms]
    response = np.concatenate([_or_missing(each.response, each.rows) for each in parts])
    offset = None
    if any(each.offset is not None for each in parts):
        offset = np.concatenate([each.equations[0].known(each.rows) for each in parts])
    place = np.repeat(np.arange(len(parts), dtype=np.float64), [each.rows for each in parts])
    labels = tuple(range(len(frame)))
    shared = {name: value for name, value in like.__dict__.items()
              if name in Design.__dataclass_fields__}  # fmt: skip
    return Joint(**shared | {
        "frame": frame,
        "rows": len(response),
        "equations": (Equation(MU, tuple(terms), offset),),
        "groupings": groupings,
        "response_name": ", ".join(names),
        "response": None if all(each.response is None for each in parts) else response,
        "series": Series(Responses(DIM), unit, labels, place, names),
        "of_responses": parts,
        "places": like.places if isinstance(like, Joint) and places is None else places or {},
        "x_mean": np.zeros(len(terms)),
        "unit": np.ones(len(parts)),
    })  # fmt: skip


def check_one_response(design: Design, what: str) -> None:
    """Raise where there are several responses.

    Raises
    ------
    ArgumentError
        There are.
    """
    if design.parts:
        names = ", ".join(repr(each.response_name) for each in design.parts)
        raise ArgumentError(f"{what} is for one response, and there are several: {names}")


def by_response(joint: Joint) -> dict[str, FloatArray]:
    """Return each response for the rows of the frame; missing where a row lacks it."""
    found = {}
    for k, part in enumerate(joint.parts):
        values = np.full(len(joint.frame), np.nan)
        if part.response is not None:
            values[joint.units[joint.of_response(k)]] = part.response
        found[part.response_name] = values
    return found


def _or_missing(response: FloatArray | None, rows: int) -> FloatArray:
    return np.full(rows, np.nan) if response is None else response
