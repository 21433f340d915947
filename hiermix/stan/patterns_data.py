"""Sums over rows under patterned residuals, for the programs that integrate the effects out."""

from collections.abc import Sequence

import numpy as np

from hiermix.stan import stan_data
from hiermix.statistics.patterns import Groups, Patterned
from hiermix.typing import FloatArray, IntArray, StanData


def statistics(rows: Patterned, blocks: Sequence[int]) -> StanData:
    """Build the sums; `blocks` are the sizes of the blocks of correlated effects."""
    return {
        "P_mu": len(rows.b_hat),
        "b_hat": rows.b_hat,
        "patterns": rows.precision.patterns,
        "square_count": len(rows.roots),
        "K_root": rows.roots,
        "sign_of_square": rows.sign,
        "pattern_of_square": rows.pattern_of_root + 1,
        "last": np.array(stan_data.ends(blocks), dtype=np.int64),
        **_groups(rows.rotated),
    }


def _groups(groups: Groups) -> StanData:
    """Build what there is of groups: those with many patterns first, turn after turn."""
    sizes = np.bincount(groups.group, minlength=groups.J)
    order = np.argsort(-sizes, kind="stable")
    turn = np.arange(len(groups.group)) - (np.cumsum(sizes) - sizes)[groups.group]
    cells = np.lexsort((np.argsort(order)[groups.group], turn))
    width: IntArray = np.bincount(turn)
    return {
        "J": groups.J,
        "groups": groups.count[order],
        "turns": len(width),
        "turn_width": width,
        "cells": len(cells),
        "pattern_of_cell": groups.pattern[cells] + 1,
        "ZtKZ": stan_data.lower(groups.ZtKZ[cells]),
        "ZtKA": _flat(groups.ZtKA[cells]),
        "C": _flat(groups.C[order]),
    }


def _flat(matrices: FloatArray) -> FloatArray:
    return matrices.reshape(len(matrices), matrices.shape[1] * matrices.shape[2])
