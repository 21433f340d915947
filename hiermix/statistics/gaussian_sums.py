"""What sums of rows say of the rows that they are of, whatever they keep of each."""

from dataclasses import replace
from typing import Any, Self

import pandas as pd

from hiermix.design.coding import Coding
from hiermix.design.design import Design
from hiermix.errors import DataError
from hiermix.families import table
from hiermix.families.family import Family
from hiermix.families.normal_scales import NormalScale
from hiermix.typing import FloatArray

DIGITS = 1e-6
"""Share of a sum that must be left of it by a subtraction: it keeps ten digits then."""
NEAR = 1e4
"""How many times the least squares sums may be around an origin: they keep twelve digits then."""


def check_left(rows: int, taken: int, lacking: str) -> None:
    """Raise where rows to take away are not there, `lacking` says of what, or none would be left.

    Raises
    ------
    DataError
        With what is lacking.
    """
    if lacking or taken > rows:
        raise DataError(
            f"the statistics to take away have rows{lacking} that these don't have: subtract what "
            "was added"
        )
    if taken == rows:
        raise DataError("no rows are left: nothing can be fitted to statistics of no rows")


def check_digits(shares: FloatArray) -> None:
    """Raise where next to nothing is left of some sum, so that rounding of the whole counts.

    Raises
    ------
    DataError
        With the share that is left.
    """
    least = shares.min()
    if least < DIGITS:
        raise DataError(
            f"the difference would be {least:.1g} of a sum, too little to keep ten of its digits: "
            "build the statistics of the rows that are left from them"
        )


class GaussianSums:
    """Sums of rows for Gaussian models."""

    coding: Coding
    rows: int
    dropped: int

    def __len__(self) -> int:
        """Return the number of rows that were added up."""
        return self.rows

    def __radd__(self, other: object) -> Self:
        """Return these sums for ``sum([...])``, which starts from zero."""
        return self if other == 0 else NotImplemented

    @property
    def formula(self) -> str:
        """The formula, in its canonical form."""
        return str(self.coding.formula)

    @property
    def family(self) -> Family:
        """The family, whose models need sums alone."""
        return table.find(self.coding.family)

    @property
    def said(self) -> dict[str, Any]:
        """Options of a model of these sums."""
        return {"link": None, "success": None, "weights": self.coding.weights}


def _normal_scale(coding: Coding) -> NormalScale:
    """Return the scale on which responses are normal, and added up."""
    found = table.find(coding.family).normal
    assert found is not None
    return found


def encoded(coding: Coding, design: Design, frame: pd.DataFrame) -> Design:
    """Put rows through the encoding of a design, with their responses as they are added up."""
    return _normal_scale(coding).design(design.on(frame))


def as_given(coding: Coding, design: Design) -> Design:
    """Take the responses of a design of sums back to the scale of the rows."""
    assert design.response is not None
    return replace(design, response=_normal_scale(coding).back(design.response))
