"""Which levels of its grouping factors each row has, as programs that sample effects read it."""

from collections.abc import Sequence

import numpy as np

from hiermix.design.curve_factors import SplineFactor
from hiermix.design.groupings import Grouping
from hiermix.design.shared_levels import SharedLevels
from hiermix.typing import IntArray, StanData


def of_rows(groupings: Sequence[Grouping], which: IntArray) -> StanData:
    """Build the levels of some rows: one of each factor, several, or a column of a basis each."""
    codes = [np.zeros((0, len(which)), dtype=np.int64)]
    bases, parts = [np.zeros((len(which), 0))], [np.zeros((len(which), 0))]
    count = []
    for each in groupings:
        if isinstance(each, SplineFactor):
            bases.append(each.basis(which))
            count.append(0)
        elif isinstance(each, SharedLevels):
            codes.append(each.codes[which].T.astype(np.int64) + 1)
            loads = each.loads(which, range(len(each.effects)))
            parts.append(np.swapaxes(loads, 1, 2).reshape(len(which), -1))
            count.append(each.codes.shape[1])
        else:
            codes.append(each.codes[which][None].astype(np.int64) + 1)
            count.append(1)
    return {
        "levels_of": np.array(count, dtype=np.int64),
        "level": np.concatenate(codes),
        "columns_part": sum(each.shape[1] for each in parts),
        "part_Z": np.hstack(parts),
        "columns_basis": sum(each.shape[1] for each in bases),
        "basis_Z": np.hstack(bases),
    }
