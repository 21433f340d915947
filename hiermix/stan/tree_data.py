"""Nested and crossed factors for the program that integrates the effects of all of them out."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from hiermix.stan import stan_data
from hiermix.statistics.tree import Level, Tree
from hiermix.tuning.restricted_likelihood import root_of
from hiermix.typing import FloatArray, IntArray, StanData

_NOBODY = Level("", 0, np.zeros(0, dtype=np.int64), 0, np.zeros(0, dtype=np.int64), slice(0, 0))
"""The innermost factor where there is none: without levels or effects."""


def statistics(tree: Tree, blocks: list[tuple[int, ...]]) -> StanData:
    """Build the sufficient statistics; levels inside one level stand together.

    Parameters
    ----------
    tree : Tree
        Statistics of the rows.
    blocks : list of tuple of int
        Sizes of the blocks of correlated effects of each factor, in the order of the model.
    """
    orders = _orders(tree)
    leaves, above = orders[-1], orders[-2] if len(orders) > 1 else _ints([])
    levels = tree.levels or (_NOBODY,)
    w = tree.within
    within = replace(w, R=w.R[leaves], QtR=w.QtR[leaves], groups=w.groups[leaves])
    column_of = np.zeros(sum(map(sum, blocks)), dtype=np.int64)
    for each in tree.levels:
        column_of[each.effects] = each.own + 1
    return stan_data.statistics(within, blocks[tree.innermost] if tree.levels else ()) | {
        "T": len(levels),
        "Q": _ints(len(each.own) for each in levels),
        "J": _ints(each.size for each in levels),
        "at": _ints(each.effects.start for each in levels),
        "last": _ints(end for each in blocks for end in stan_data.ends(each)),
        "C": _ints(each.carried for each in levels),
        "column_of": column_of,
        "crossed": len(tree.crossed),
        "Q_crossed": _ints(each.effects.stop - each.effects.start for each in tree.crossed),
        "J_crossed": _ints(each.size for each in tree.crossed),
        "at_crossed": _ints(each.effects.start for each in tree.crossed),
        "NW": tree.W,
        "root_XtX": root_of(w.XtX),
        "along": tree.along,
        "QtA": _flat(tree.QtA[leaves]),
        "loose": len(tree.loose),
        "loose_column": tree.loose + 1,
        "parents": len(above),
        "AtA": stan_data.lower(tree.AtA[above]),
        "AtR": _flat(tree.AtR[above]),
        "start_inside": _start_inside(tree, orders),
    }


def _flat(matrices: FloatArray) -> FloatArray:
    return matrices.reshape(len(matrices), matrices.shape[1] * matrices.shape[2])


def _ints(values: Iterable[int]) -> IntArray:
    return np.array(list(values), dtype=np.int64)


def _orders(tree: Tree) -> list[IntArray]:
    """Return the order of each factor's levels in which those inside one level stand together."""
    orders = [np.arange(tree.levels[0].size if tree.levels else 0)]
    for each in tree.levels[1:]:
        place = np.argsort(orders[-1])
        orders.append(np.argsort(place[each.above], kind="stable"))
    return orders


def _start_inside(tree: Tree, orders: list[IntArray]) -> IntArray:
    """First of the levels inside each level, from 1, and one behind the last, factor by factor."""
    found = []
    for order, outer, inner in zip(orders, tree.levels, tree.levels[1:], strict=False):
        count = np.bincount(inner.above, minlength=outer.size)[order]
        found.append(np.concatenate([[1], 1 + np.cumsum(count)]))
    return np.concatenate([_ints([]), *found])
