"""Sums over rows of what is linear in the coefficients: rows are summed first, draws enter last.

The sum of x'b + z'r over rows is (sum of x)'b + (sum of z, by level)'r. Its cost is that of the
rows plus that of levels x draws, and not of rows x draws.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hiermix.design.batches import slices
from hiermix.design.factor import Factor
from hiermix.design.groupings import Grouping
from hiermix.families import links
from hiermix.formula.equations import MU
from hiermix.prediction.predictor import Predictor
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def is_linear(source: Predictor, kind: str) -> bool:
    """Tell whether what is expected is the linear predictor itself."""
    family, bounded = source.family, source.design.limits.truncated
    if source.named:  # the sums below are those of one equation
        return False
    straight = family.linked_mean is links.mean and family.link == "identity" and not bounded
    return kind == "linear" or (kind == "mean" and straight)


def linear_sums(
    source: Predictor, cell: NDArray[np.intp], weight: FloatArray, cells: int
) -> FloatArray:
    """Sum the linear predictor of the rows of each cell (cells, S), or (cells, S, C - 1)."""
    design = source.design
    X = np.zeros((cells, len(design.terms)))
    Z: dict[str, list[csr_array]] = {name: [] for name in source.layout.r}
    for rows in slices(design.rows):
        matrices = source.matrices(rows)
        here, by = cell[rows], weight[rows]
        X += Factor(here, cells).scatter(by[:, None] * matrices.X[MU])
        for name, part in matrices.Z.items():
            grouping = design.grouping(name)
            mine = part[:, grouping.of_equation(MU)]
            factor = grouping.with_new
            found = [factor.scatter_by(here, cells, by * column, rows, effect)
                     for effect, column in enumerate(mine.T)]  # fmt: skip
            before = Z[name] or [0 * each for each in found]
            Z[name] = [one + other for one, other in zip(before, found, strict=True)]
    given = np.zeros(design.rows) if design.offset is None else design.offset
    offset = Factor(cell, cells).scatter(weight * given)[:, None]
    each = [_drawn(part, X, Z) + offset for part in source.categories or (source,)]
    return np.stack(each, axis=-1) if source.categories else each[0]


def _drawn(source: Predictor, X: FloatArray, Z: "dict[str, list[csr_array]]") -> FloatArray:
    """Multiply sums by draws (cells, S)."""
    found: FloatArray = X @ source.layout.b
    for name, sums in Z.items():
        grouping = source.design.grouping(name)
        for places, r in _effects(source, grouping):
            for part, effect in zip(sums, r[grouping.of_equation(MU)], strict=True):
                chosen = part[:, places]
                if chosen.nnz:
                    found += chosen @ effect
    return found


def _effects(source: Predictor, grouping: Grouping) -> Iterator[tuple[slice, FloatArray]]:
    """Yield effects (Q, levels, S) of known levels, then of each new one, and where they stand."""
    known = len(grouping.levels)
    yield from source.layout.r[grouping.name].blocks()
    for place, label in enumerate(grouping.new_levels):
        effect = source.new.of_level(grouping, label)[:, None]
        yield slice(known + place, known + place + 1), effect
