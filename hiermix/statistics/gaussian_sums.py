"""What sums of rows say of the rows that they are of, whatever they keep of each."""

from typing import Any

import pandas as pd

from hiermix.design.coding import Coding
from hiermix.design.design import Design
from hiermix.families import table
from hiermix.families.family import Family
from hiermix.families.normal_scales import NormalScale

DIGITS = 1e-6
"""Share of a sum that must be left of it by a subtraction: it keeps ten digits then."""
NEAR = 1e4
"""How many times the least squares sums may be around an origin: they keep twelve digits then."""


class GaussianSums:
    """Sums of rows for Gaussian models."""

    coding: Coding
    rows: int
    dropped: int

    def __len__(self) -> int:
        """Return the number of rows that were added up."""
        return self.rows

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


def normal_scale(coding: Coding) -> NormalScale:
    """Return the scale on which responses are normal, and added up."""
    found = table.find(coding.family).normal
    assert found is not None
    return found


def encoded(coding: Coding, design: Design, frame: pd.DataFrame) -> Design:
    """Put rows through the encoding of a design, with their responses as they are added up."""
    return normal_scale(coding).design(design.on(frame))
