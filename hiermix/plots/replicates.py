"""Replicated responses: what the model would have seen, beside what was seen."""

from dataclasses import dataclass

import numpy as np

from hiermix.design.design import Design
from hiermix.families import known_ends
from hiermix.families.family import Family, needs_one_a_row
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import predict
from hiermix.prediction.pieces import draw_matrix
from hiermix.typing import FloatArray

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
    family: Family

    def note(self, rows: int) -> str:
        """Say which part of the fitted rows this is, if not all."""
        n = self.design.rows
        return "" if n == rows else f"{n:,} rows of {rows:,}, chosen at random"


def replicates(posterior: Posterior) -> Replicates:
    """Draw responses for the fitted rows; the same each time."""
    needs_one_a_row(posterior.family, "a plot of replicated responses")
    posterior.design.check_rows("a plot of replicated responses")
    design, total = posterior.design, posterior.size
    if design.rows > ROWS:
        rng = np.random.default_rng(posterior.seed)
        design = design.take(np.sort(rng.choice(design.rows, ROWS, replace=False)))
    some = np.linspace(0, total - 1, min(total, DRAWS)).astype(np.intp)
    source = predict.predictor(posterior.on(design), draws=some)
    mean = draw_matrix(source, "mean")
    assert design.observed is not None
    drawn = known_ends.as_seen(design, draw_matrix(source, "response"))
    return Replicates(design, design.observed, mean, drawn, posterior.family)
