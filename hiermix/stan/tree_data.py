"""Nested factors for the program that integrates the effects of all of them out."""

from dataclasses import replace

import numpy as np

from hiermix.stan import stan_data
from hiermix.statistics.tree import Tree
from hiermix.typing import IntArray, StanData


def statistics(tree: Tree, blocks: list[tuple[int, ...]]) -> StanData:
    """Build the sufficient statistics; levels inside one level stand together.

    Parameters
    ----------
    tree : Tree
        Statistics of the rows.
    blocks : list of tuple of int
        Sizes of the blocks of correlated effects of each factor.
    """
    orders = _orders(tree)
    leaves, above = orders[-1], orders[-2]
    w = tree.within
    within = replace(w, R=w.R[leaves], QtR=w.QtR[leaves], groups=w.groups[leaves])
    sizes = [len(each.own) for each in tree.levels]
    carried = [each.carried for each in tree.levels]
    columns = max(int(each.own.max()) for each in tree.levels) + 1
    return stan_data.statistics(within, blocks[-1]) | {
        "T": len(tree.levels),
        "Q": np.array(sizes, dtype=np.int64),
        "J": np.array([each.size for each in tree.levels], dtype=np.int64),
        "last": np.array([end for each in blocks for end in stan_data.ends(each)], dtype=np.int64),
        "C": np.array([*carried[1:], columns], dtype=np.int64),
        "column_of": np.concatenate([each.own for each in tree.levels]) + 1,
        "QtA": tree.QtA[leaves].reshape(len(leaves), -1),
        "loose": len(tree.loose),
        "loose_column": tree.loose + 1,
        "AtA": stan_data.lower(tree.AtA[above]),
        "AtR": tree.AtR[above].reshape(len(above), -1),
        "start_inside": _first(tree, orders),
    }


def _orders(tree: Tree) -> list[IntArray]:
    """Return the order of each factor's levels in which those inside one level stand together."""
    orders = [np.arange(tree.levels[0].size)]
    for each in tree.levels[1:]:
        place = np.argsort(orders[-1])
        orders.append(np.argsort(place[each.above], kind="stable"))
    return orders


def _first(tree: Tree, orders: list[IntArray]) -> IntArray:
    """First of the levels inside each level, from 1, and one behind the last, factor by factor."""
    found = []
    for order, outer, inner in zip(orders, tree.levels, tree.levels[1:], strict=False):
        count = np.bincount(inner.above, minlength=outer.size)[order]
        found.append(np.concatenate([[1], 1 + np.cumsum(count)]))
    return np.concatenate(found)
