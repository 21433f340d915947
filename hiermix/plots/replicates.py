"""Replicated responses: what the model would have seen, beside what was seen."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hiermix.design.design import Design
from hiermix.families.family import Family
from hiermix.prediction import predict
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

DRAWS = 300
ROWS = 20_000


@dataclass(frozen=True, eq=False)
class Replicates:
    """Rows of a fit, their responses, and responses drawn for them."""

    design: Design
    """At most `ROWS` rows, chosen at random."""
    y: FloatArray
    mean: FloatArray
    """(n, S) the mean response in each draw."""
    drawn: FloatArray
    """(n, S) a response from each draw: at most `DRAWS`, spread over the chains."""

    def note(self, rows: int) -> str:
        """Say which part of the fitted rows this is, if not all."""
        n = self.design.rows
        return "" if n == rows else f"{n:,} rows of {rows:,}, chosen at random"


def replicates(tree: "xr.DataTree", design: Design, family: Family) -> Replicates:
    """Draw responses for the fitted rows; the same each time."""
    if design.rows > ROWS:
        rng = np.random.default_rng(int(tree.attrs["seed"]))
        design = design.take(np.sort(rng.choice(design.rows, ROWS, replace=False)))
    posterior = tree["posterior"]
    total = posterior.sizes["chain"] * posterior.sizes["draw"]
    some = np.linspace(0, total - 1, min(total, DRAWS)).astype(np.intp)
    source = predict.predictor(tree, design, family, draws=some)
    mean = predict.draw_matrix(source, "mean")
    assert design.observed is not None
    return Replicates(design, design.observed, mean, predict.draw_matrix(source, "response"))
