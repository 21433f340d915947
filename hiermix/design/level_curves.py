"""``s(x, g, bs="fs")``: a curve for each level of a factor, as effects that vary over it.

The whole basis of a natural spline varies: an intercept, the slope of its line, and what bends it.
The first two have sds of their own; what bends shares one, so that the curves are as smooth as
each other (mgcv's factor-smooth interaction).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hiermix.design.natural_splines import NaturalSpline
from hiermix.typing import FloatArray


@dataclass(frozen=True, eq=False)
class LevelCurve:
    """The curve that the levels of a factor have."""

    factor: str
    """Its name in results."""
    curve: NaturalSpline

    @property
    def label(self) -> str:
        """What results call it, in its equation."""
        return self.curve.label

    @property
    def effects(self) -> tuple[str, ...]:
        """Labels of the effects that a level has."""
        inside = ("intercept", "linear", *map(str, range(1, self.curve.size + 1)))
        return tuple(f"{self.label}[{each}]" for each in inside)

    @property
    def spreads(self) -> tuple[str, ...]:
        """Labels of their sds, the last of which all that bends it has."""
        return (*self.effects[:2], self.label)

    def matrix(self, part: pd.DataFrame) -> FloatArray:
        """(n, Q) of some rows of an encoded frame, one column an effect."""
        return np.column_stack(
            [np.ones(len(part)), self.curve.straight(part), self.curve.bent(part)]
        )

    def along(self, x: FloatArray) -> FloatArray:
        """(n, Q) the same at some values of its column."""
        return np.column_stack([np.ones(len(x)), self.curve.along(x)])
