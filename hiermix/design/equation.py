"""Equation: one linear predictor, by name, with its columns and its offset."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hiermix.design import response_checks
from hiermix.design.plan import Plan
from hiermix.design.response import array_of
from hiermix.design.specs import Spec, one_column
from hiermix.formula.equations import MU
from hiermix.typing import FloatArray


@dataclass(frozen=True, eq=False)
class Equation:
    """One linear predictor of a design's rows, but for the effects of groups."""

    name: str
    """``"mu"``, a parameter of the family, or a category."""
    terms: tuple[str, ...]
    """Labels of its population columns, ``"Intercept"`` first if it has one."""
    offset: FloatArray | None = None
    """(rows,) the sum of its offsets."""
    columns: str = MU
    """The equation of the formula whose columns it has: all categories have those of mu."""
    beside_threshold: bool = False
    """Whether a threshold stands for its intercept, which is none of its terms."""

    @property
    def intercepts(self) -> int:
        """How many of its terms are an intercept: the first one, or none."""
        return int("Intercept" in self.terms)

    @property
    def level(self) -> bool:
        """Whether an intercept or a threshold takes up where its columns lie."""
        return bool(self.intercepts) or self.beside_threshold

    def known(self, rows: int) -> FloatArray:
        """Return the offset of each row; zeros where there is none."""
        return np.zeros(rows) if self.offset is None else self.offset

    def take(self, rows: NDArray[np.intp]) -> Equation:
        """Return the equation of some of its rows, by position."""
        return self if self.offset is None else replace(self, offset=self.offset[rows])


def equations_of(
    plan: Plan, frame: pd.DataFrame, encoded: pd.DataFrame, given: ArrayLike | None
) -> tuple[Equation, ...]:
    """Return the equations of some rows; an offset that is given as an array is one of mu."""
    found = []
    for name, spec in plan.populations.items():
        parts = [] if given is None or name != MU else [_checked_array(given, frame)]
        parts += [_offset(each, frame, encoded) for each in plan.offsets[name]]
        offset = np.asarray(np.sum(parts, axis=0), dtype=np.float64) if parts else None
        found.append(Equation(name, spec.labels, offset, name, spec.beside_threshold))
    return tuple(found)


def _checked_array(given: ArrayLike, frame: pd.DataFrame) -> FloatArray:
    values = array_of("offset", given, len(frame))
    response_checks.usable_offset("the array", values, frame.index)
    return values


def _offset(spec: Spec, frame: pd.DataFrame, encoded: pd.DataFrame) -> FloatArray:
    values = one_column(spec, encoded)
    response_checks.usable_offset(f"offset({spec.labels[0]})", values, frame.index)
    return values
