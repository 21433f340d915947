"""Sums over rows under patterned residuals, for the programs that integrate the effects out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hiermix.families.own_parameter import OwnParameter
from hiermix.families.priors import PriorTable, coded
from hiermix.stan import stan_data
from hiermix.statistics.autoregression import AutoRegression
from hiermix.statistics.patterns import Groups, Patterned, Precision
from hiermix.statistics.scaled_residuals import PositionSds, Scaled
from hiermix.statistics.strata import Strata
from hiermix.statistics.unstructured import Unstructured
from hiermix.typing import FloatArray, IntArray, StanData

_SPARSE = 2.0
"""Numbers up to which matrices of all patterns may grow, to each that isn't zero."""


def statistics(rows: Patterned, blocks: Sequence[int], before: int = 0) -> StanData:
    """Build the sums; `blocks` are the sizes of the factor's blocks of correlated effects.

    So many effects come `before` those that the sums know.
    """
    return {
        "P_mu": rows.P,
        "mu_hat": rows.b_hat[: rows.P],
        "patterns": rows.precision.patterns,
        "square_count": len(rows.roots),
        "K_root": rows.roots[:, : 1 + rows.P],
        "sign_of_square": rows.sign,
        "pattern_of_square": rows.pattern_of_root + 1,
        "last_in": np.array(stan_data.ends(blocks), dtype=np.int64),
        "E_in": sum(blocks),
        "E_before": before + rows.block.own.start,
        **_block(rows, before),
        **_groups(rows.rotated, rows.precision.patterns, rows.block.W),
    }


def _block(rows: Patterned, before: int) -> StanData:
    """Build the sums of the columns whose coefficients are integrated out beside groups."""
    R, P, W = rows.precision.patterns, rows.P, rows.block.W
    products = np.zeros((R, W, 1 + P + W))
    each = (rows.sign[:, None] * rows.roots[:, 1 + P :])[:, :, None] * rows.roots[:, None]
    np.add.at(products, rows.pattern_of_root, each)
    return {
        "NW": W,
        "effect_of": rows.block.effect + before + 1,
        "w_hat": rows.b_hat[P:],
        "WtKA": _flat(products[:, :, : 1 + P]),
        "WtKW": _flat(products[:, :, 1 + P :]),
    }


def of_residuals(precision: Precision, own: Sequence[OwnParameter], table: PriorTable) -> StanData:
    """Build what says how the precision of the residuals mixes its patterns."""
    if isinstance(precision, Strata):
        return _strata(precision) | {"A": int(precision.one_sigma)}
    assert isinstance(precision, Scaled)
    sds = precision.sds
    found = _positions(sds) if isinstance(sds, PositionSds) else _strata(sds)
    found |= {
        "inner_count": precision.correlations.patterns,
        "inner_pattern": precision.inner + 1,
        "one_stratum": precision.one + 1,
        "other_stratum": precision.other + 1,
    }
    if isinstance(precision.correlations, AutoRegression):
        return found | _in_time(precision.correlations, own)
    assert isinstance(precision.correlations, Unstructured)
    return found | _at_positions(precision.correlations, sds, own, table)


def _in_time(series: AutoRegression, own: Sequence[OwnParameter]) -> StanData:
    return {
        "A": len(own),
        "gap_count": len(series.gaps),
        "step_gap": series.gaps,
        "pairs_of": series.number,
        "rho_least": own[-1].least,
    }


def _at_positions(
    units: Unstructured, sds: Strata | PositionSds, own: Sequence[OwnParameter], table: PriorTable
) -> StanData:
    *of_sds, correlations = own
    unit = sds.unit if isinstance(sds, PositionSds) else np.ones(units.T)
    codes, rows = np.ones(1, dtype=np.int64), np.zeros((1, 4))
    for each in of_sds:
        codes, rows = coded([table[name] for name in each.prior_names], positive=True)
    every = np.arange(units.T) % len(codes)
    return {
        "position_unit": unit,
        "sd_count": units.T * len(of_sds),
        "position_prior": codes[every],
        "position_par": rows[every],
        "position_count": units.T,
        "kinds": len(units.kinds),
        "kind_size": np.array([len(each) for each in units.kinds], dtype=np.int64),
        "units_of": units.number,
        "position_of": np.concatenate(units.kinds) + 1,
        "lkj_residual": table[correlations.name].arguments[0],
    }


def _positions(sds: PositionSds) -> StanData:
    """Build the positions as strata without an equation."""
    none = np.zeros(len(sds.rows))
    return {
        "strata_count": len(sds.rows),
        "rows_of": sds.rows,
        "known_variance": none,
        "X_sigma": np.zeros((len(sds.rows), 0)),
        "known_sigma": none,
    }


def _strata(precision: Strata) -> StanData:
    return {
        "strata_count": precision.patterns,
        "rows_of": precision.rows,
        "known_variance": precision.variance,
        "X_sigma": precision.X,
        "known_sigma": precision.known,
    }


def of_effects(precision: Strata) -> StanData:
    """Build the same where effects that are sampled enter log sigma."""
    return _strata(precision) | {
        "E_sigma": precision.Z.shape[1],
        "Z_sigma": precision.Z,
        "r_sigma": precision.at.T + 1,
    }


def _groups(groups: Groups, patterns: int, W: int) -> StanData:
    """Build what there is of groups, each with all its patterns where that takes little more.

    The last W columns are those of a block.
    """
    end = groups.ZtKA.shape[2] - W
    block = groups.ZtKA[:, :, end:]
    groups = replace(groups, C=groups.C[:, :, :end], ZtKA=groups.ZtKA[:, :, :end])
    sizes = np.bincount(groups.group, minlength=groups.J)
    order = np.argsort(-sizes, kind="stable")
    far = groups.C.any()
    found: StanData = {
        "J_in": groups.J,
        "groups": groups.count[order],
        "first_cell": np.concatenate([[1], 1 + np.cumsum(sizes[order])]),
        "far_columns": groups.C.shape[1] * groups.C.shape[2] if far else 0,
        "C": _flat(groups.C[order]) if far else np.zeros((groups.J, 0)),
    }
    if groups.J * patterns <= _SPARSE * len(groups.group):
        return found | _abreast(groups, block, order, patterns)
    return found | _in_cells(groups, block, order, sizes)


def _abreast(groups: Groups, block: FloatArray, order: IntArray, patterns: int) -> StanData:
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
        "cell_count": 0,
        "pattern_of_cell": none,
        "abreast": patterns,
        "ZtKZ": _flat(lower),
        "ZtKA": _flat(spread(groups.ZtKA).swapaxes(1, 2)),
        "ZtKW": _some(_flat(np.moveaxis(spread(block), 1, 3)), block),
    }


def _in_cells(groups: Groups, block: FloatArray, order: IntArray, sizes: IntArray) -> StanData:
    """Build the cells in the order of fewer sums: those with many patterns first."""
    turn = np.arange(len(groups.group)) - (np.cumsum(sizes) - sizes)[groups.group]
    place, width = np.argsort(order)[groups.group], np.bincount(turn)
    by_turn = len(width) <= groups.J
    cells = np.lexsort((place, turn) if by_turn else (turn, place))
    return {
        "turns": len(width) if by_turn else 0,
        "turn_width": width[: len(width) if by_turn else 0],
        "cell_count": len(cells),
        "pattern_of_cell": groups.pattern[cells] + 1,
        "abreast": 1,
        "ZtKZ": stan_data.lower(groups.ZtKZ[cells]),
        "ZtKA": _flat(groups.ZtKA[cells]),
        "ZtKW": _some(_flat(block[cells]), block),
    }


def _some(sums: FloatArray, block: FloatArray) -> FloatArray:
    """Return the sums of a block; none where it has no columns."""
    return sums if block.shape[2] else np.zeros((0, 0))


def _flat(matrices: FloatArray) -> FloatArray:
    """(n, a, ...) to (n, a ...)."""
    return matrices.reshape(len(matrices), int(np.prod(matrices.shape[1:])))
