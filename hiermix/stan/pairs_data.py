"""Sums over levels and pairs of levels, as `crossed.stan` reads them."""

import numpy as np

from hiermix.stan import stan_data
from hiermix.statistics.level_pairs import LevelPairs
from hiermix.typing import FloatArray, IntArray, StanData


def statistics(pairs: LevelPairs) -> StanData:
    """Build what rows say; levels with the most pairs come first."""
    level, column, values = _entries(pairs)
    count = np.bincount(level, minlength=len(pairs.ZtZ))
    order = np.argsort(-count, kind="stable")
    place = np.argsort(order)[level]
    rank = np.arange(len(level)) - (np.cumsum(count) - count)[level]
    by_rank = np.lexsort((place, rank))
    J, Q = pairs.pilot.effects.shape
    ZtW, W_column, entry = _alike(column[by_rank], values[by_rank])
    WtW = pairs.WtW.tocoo()
    below = WtW.row > WtW.col
    of_rank = np.bincount(rank) if len(rank) else np.zeros(0, dtype=np.int64)
    return {
        "Q_in": Q,
        "J_in": J,
        "N": pairs.n,
        "rss": pairs.rss,
        "sampled_hat": pairs.pilot.r,
        "effects_hat": pairs.pilot.effects[order],
        "Xte": pairs.Xte,
        "Wte": pairs.Wte,
        "XtX": pairs.XtX,
        "WtX": pairs.WtX,
        "WtW_diagonal": pairs.WtW.diagonal(),
        "W_entries": int(below.sum()),
        "WtW": WtW.data[below],
        "WtW_row": WtW.row[below].astype(np.int64) + 1,
        "WtW_column": WtW.col[below].astype(np.int64) + 1,
        "ZtZ": stan_data.lower(pairs.ZtZ[order]),
        "ZtR": pairs.ZtR[order].reshape(J, -1),
        "W_products": len(ZtW),
        "ZtW": ZtW,
        "W_column": W_column + 1,
        "W_listed": len(entry),
        "W_entry": entry + 1,
        "W_ranks": len(of_rank),
        "W_of_rank": of_rank.astype(np.int64),
    }


def _entries(pairs: LevelPairs) -> tuple[IntArray, IntArray, FloatArray]:
    """Level, column and values (n, Q) of the products that aren't zero for some effect."""
    some = abs(pairs.ZtW[0])
    for each in pairs.ZtW[1:]:
        some = some + abs(each)
    level, column = (each.astype(np.int64) for each in some.nonzero())
    order = np.lexsort((column, level))
    level, column = level[order], column[order]
    values = [np.asarray(each[level, column]).ravel() for each in pairs.ZtW]
    return level, column, np.column_stack(values)


def _alike(column: IntArray, values: FloatArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Keep each product of a column once, and which of these an entry is; where that is fewer."""
    rows, which = np.unique(np.column_stack([column, values]), axis=0, return_inverse=True)
    if 2 * len(rows) > len(column):
        return values, column, np.zeros(0, dtype=np.int64)
    return rows[:, 1:], rows[:, 0].astype(np.int64), np.asarray(which, dtype=np.int64).ravel()
