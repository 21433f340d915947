"""Sums over rows under patterned residuals, for the programs that integrate the effects out."""

from collections.abc import Sequence

import numpy as np

from hiermix.families.own_parameter import OwnParameter
from hiermix.families.priors import PriorTable, coded
from hiermix.stan import stan_data
from hiermix.statistics.autoregression import AutoRegression
from hiermix.statistics.patterns import Groups, Patterned, Precision
from hiermix.statistics.strata import Strata
from hiermix.statistics.unstructured import Unstructured
from hiermix.typing import FloatArray, IntArray, StanData

_SPARSE = 2.0
"""Numbers up to which matrices of all patterns may grow, to each that isn't zero."""


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
        **_groups(rows.rotated, rows.precision.patterns),
    }


def of_residuals(precision: Precision, own: Sequence[OwnParameter], table: PriorTable) -> StanData:
    """Build what says how the precision of the residuals mixes its patterns."""
    if isinstance(precision, Strata):
        return {
            "rows_of": precision.rows,
            "known_variance": precision.variance,
            "A": int(precision.one_sigma),
            "X_sigma": precision.X,
            "known_sigma": precision.known,
        }
    if isinstance(precision, AutoRegression):
        return {
            "row_count": float(precision.size),
            "gap_count": len(precision.gaps),
            "step_gap": precision.gaps,
            "pairs_of": precision.number,
            "rho_least": own[1].least,
        }
    assert isinstance(precision, Unstructured)
    names = own[0].prior_names
    codes, rows = coded([table[name] for name in names], positive=True)
    every = np.arange(precision.T) % len(names)
    return {
        "position_unit": precision.unit,
        "position_prior": codes[every],
        "position_par": rows[every],
        "position_count": precision.T,
        "kinds": len(precision.kinds),
        "kind_size": np.array([len(each) for each in precision.kinds], dtype=np.int64),
        "units_of": precision.number,
        "position_of": np.concatenate(precision.kinds) + 1,
        "lkj_residual": table[own[1].name].arguments[0],
    }


def _groups(groups: Groups, patterns: int) -> StanData:
    """Build what there is of groups, each with all its patterns where that takes little more."""
    sizes = np.bincount(groups.group, minlength=groups.J)
    order = np.argsort(-sizes, kind="stable")
    far = groups.C.any()
    found: StanData = {
        "J": groups.J,
        "groups": groups.count[order],
        "first_cell": np.concatenate([[1], 1 + np.cumsum(sizes[order])]),
        "far_columns": groups.C.shape[1] * groups.C.shape[2] if far else 0,
        "C": _flat(groups.C[order]) if far else np.zeros((groups.J, 0)),
    }
    if groups.J * patterns <= _SPARSE * len(groups.group):
        return found | _abreast(groups, order, patterns)
    return found | _in_cells(groups, order, sizes)


def _abreast(groups: Groups, order: IntArray, patterns: int) -> StanData:
    """Build matrices of all patterns of a group, next to each other, entry by entry."""
    none = np.zeros(0, dtype=np.int64)

    def spread(cells: FloatArray) -> FloatArray:
        found = np.zeros((groups.J, patterns, *cells.shape[1:]))
        found[groups.group, groups.pattern] = cells
        return found[order]

    lower = spread(stan_data.lower(groups.ZtKZ)).swapaxes(1, 2)
    return {
        "turns": 0,
        "turn_width": none,
        "cells": 0,
        "pattern_of_cell": none,
        "abreast": patterns,
        "ZtKZ": _flat(lower),
        "ZtKA": _flat(spread(groups.ZtKA).swapaxes(1, 2)),
    }


def _in_cells(groups: Groups, order: IntArray, sizes: IntArray) -> StanData:
    """Build the cells in the order of fewer sums: those with many patterns first."""
    turn = np.arange(len(groups.group)) - (np.cumsum(sizes) - sizes)[groups.group]
    place, width = np.argsort(order)[groups.group], np.bincount(turn)
    by_turn = len(width) <= groups.J
    cells = np.lexsort((place, turn) if by_turn else (turn, place))
    return {
        "turns": len(width) if by_turn else 0,
        "turn_width": width[: len(width) if by_turn else 0],
        "cells": len(cells),
        "pattern_of_cell": groups.pattern[cells] + 1,
        "abreast": 1,
        "ZtKZ": stan_data.lower(groups.ZtKZ[cells]),
        "ZtKA": _flat(groups.ZtKA[cells]),
    }


def _flat(matrices: FloatArray) -> FloatArray:
    """(n, a, ...) to (n, a ...)."""
    return matrices.reshape(len(matrices), int(np.prod(matrices.shape[1:])))
