"""What sums of rows say of the rows that they are of, whatever they keep of each."""

from typing import Any

from hiermix.design.coding import Coding
from hiermix.families import table
from hiermix.families.family import Family

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
        """The family whose models need sums alone."""
        return table.find("gaussian", None)

    @property
    def said(self) -> dict[str, Any]:
        """Options of a model of these sums."""
        return {"link": None, "success": None, "weights": self.coding.weights}
