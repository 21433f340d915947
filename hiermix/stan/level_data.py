"""Which levels of its grouping factors each row has, as programs that sample effects read it."""

from collections.abc import Sequence

import numpy as np

from hiermix.design.curve_factors import CurveFactor
from hiermix.design.groupings import Grouping
from hiermix.typing import IntArray, StanData


def of_rows(groupings: Sequence[Grouping], which: IntArray) -> StanData:
    """Build the levels of some rows: one of each factor, or a column of a basis for each level."""
    codes = [np.zeros((0, len(which)), dtype=np.int64)]
    bases, count = [np.zeros((len(which), 0))], []
    for each in groupings:
        if isinstance(each, CurveFactor):
            bases.append(each.basis(which))
            count.append(0)
        else:
            codes.append(each.codes[which][None].astype(np.int64) + 1)
            count.append(1)
    return {
        "levels_of": np.array(count, dtype=np.int64),
        "level": np.concatenate(codes),
        "columns_part": 0,
        "part_Z": np.zeros((len(which), 0)),
        "columns_basis": sum(each.shape[1] for each in bases),
        "basis_Z": np.hstack(bases),
    }
