"""The dict that an engine hands to a program. The only file that knows Stan's data names."""

from collections.abc import Mapping, Sequence

import numpy as np

from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.families import thresholds
from hiermix.families.categories import Stacked
from hiermix.families.family import Family, category_count
from hiermix.families.priors import Prior, PriorTable, b_name, coded
from hiermix.statistics.repeats import Repeats
from hiermix.statistics.within import Within
from hiermix.tuning.coordinates import Coordinates, pairs
from hiermix.tuning.following import Following
from hiermix.tuning.tuned import Tuning
from hiermix.typing import FloatArray, IntArray, StanData

_LARGEST_COUNT = 10_000
"""Beyond it a sum over all smaller counts costs more than it saves."""


def coordinates(design: Design, table: PriorTable, at: Coordinates) -> StanData:
    """Build what every program reads: coordinates, sizes and the numbers of the priors."""
    blocks = [size for grouping in design.groupings for size in grouping.blocks]
    b = b_priors(design, table)
    sd = sd_priors(design.groupings, table)
    b_prior, b_par = coded(b, positive=False)
    sd_prior, sd_par = coded(sd, positive=True)
    return {
        "D": len(at.center),
        "center": at.center,
        "scale": at.scale,
        "P": len(b),
        "E": len(sd),
        "B": len(blocks),
        "block": np.array(blocks, dtype=np.int64),
        "sd_bend": at.bend if len(at.bend) else np.zeros(len(sd)),
        "sd_spread": _spread(design, at),
        **_following(at.following, len(sd)),
        "b_prior": b_prior,
        "b_par": b_par,
        "sd_prior": sd_prior,
        "sd_par": sd_par,
        "lkj": np.array(lkj_shapes(design.groupings, table)),
    }


def _following(found: Following | None, E: int) -> StanData:
    if found is None:
        none = np.zeros((0, 0))
        return {"followers": 0, "rest": none, "reach": np.zeros((0, E)), "hold": none}
    return {
        "followers": len(found.reach),
        "rest": found.rest,
        "reach": found.reach,
        "hold": found.hold,
    }


def _spread(design: Design, at: Coordinates) -> FloatArray:
    """Sd of each log sd, which come last but for the correlations."""
    effects = sum(len(each.effects) for each in design.groupings)
    end = len(at.center) - sum(pairs(each.blocks) for each in design.groupings)
    return np.sqrt(np.sum(at.scale[end - effects : end] ** 2, axis=1))


def b_names(design: Design) -> Sequence[str]:
    """Prior names of the population coefficients, in the programs' order."""
    return design.b_names if isinstance(design, Stacked) else [*map(b_name, design.terms)]


def b_priors(design: Design, table: PriorTable) -> list[Prior]:
    """Priors of the population coefficients; an intercept that thresholds replace has theirs."""
    names = b_names(design)
    return [table[name if name in table else "threshold"] for name in names]


def sd_priors(groupings: Sequence[Grouping], table: PriorTable) -> list[Prior]:
    """Priors of the sds, factor after factor."""
    return [table[f"sd[{each.name}, {effect}]"] for each in groupings for effect in each.effects]


def lkj_shapes(groupings: Sequence[Grouping], table: PriorTable) -> list[float]:
    """LKJ shape of every block; blocks of one effect have no correlation and any shape."""
    return [
        table[f"cor[{each.name}]"].arguments[0] if size > 1 else 1.0
        for each in groupings
        for size in each.blocks
    ]


def own_priors(names: Mapping[str, bool], table: PriorTable) -> StanData:
    """Build the priors of the family's own parameters; `names` says which are positive."""
    data: StanData = {}
    for name, positive in names.items():
        code, row = coded([table[name]], positive=positive)
        data[f"{name}_prior"] = int(code[0])
        data[f"{name}_par"] = row[0]
    return data


def statistics(within: Within, blocks: Sequence[int]) -> StanData:
    """Build the sufficient statistics for the programs that integrate the effects out."""
    J = len(within.R)
    return {
        "N": float(within.n),
        "b_hat": within.b_hat,
        "XtX": within.XtX,
        "rss": within.rss,
        "J": J,
        "groups": within.groups,
        "R": _lower(within.R),
        "order": within.order + 1,
        **_places(within.order, blocks),
        "QtR": within.QtR.reshape(J, within.Q * within.QtR.shape[2]),
    }


def _places(order: IntArray, blocks: Sequence[int]) -> StanData:
    """Find the entries of Lambda[order] that aren't zero, in the first a rows of column k."""
    starts = np.repeat(np.cumsum([0, *blocks])[:-1], blocks)
    entry = (starts[order][:, None] == starts) & (order[:, None] >= np.arange(len(order)))
    first, last = np.ones((2, len(order), len(order)), dtype=np.int64)
    for a in range(len(order)):
        for k in range(len(order)):
            places = np.flatnonzero(entry[: a + 1, k])
            if len(places):
                first[a, k], last[a, k] = places[0] + 1, places[-1] + 1
    return {"entry_first": first, "entry_last": last}


def _lower(A: FloatArray) -> FloatArray:
    """Lower triangles (J, Q, Q) row by row, one row a group."""
    rows, columns = np.tril_indices(A.shape[1])
    return np.ascontiguousarray(A[:, rows, columns])


def rows(design: Design, X: FloatArray, repeats: Repeats) -> StanData:
    """Build the rows for the programs that sample the effects.

    Parameters
    ----------
    design : Design
        The fitted rows.
    X : array, shape (rows, P)
        Population design, centred if there is an intercept.
    repeats : Repeats
        Which rows to hand over; none to sample the prior.
    """
    which = repeats.first
    groupings = design.groupings
    Z = [design.Z(each.name)[which] for each in groupings]
    effects = [effect for each in groupings for effect in each.effects]
    codes = [each.codes[which].astype(np.int64) + 1 for each in groupings]
    return {
        "N": len(which),
        "X": X[which],
        "known": np.zeros(len(which)) if design.offset is None else design.offset[which],
        "level": np.array(codes, dtype=np.int64).reshape(len(groupings), len(which)),
        "Z": np.concatenate([*Z, np.empty((len(which), 0))], axis=1),
        "constant": _ints([effect == "Intercept" for effect in effects]),
    }


def factors(design: Design, tuning: Tuning) -> StanData:
    """Build the grouping factors and their tuning, by the penalised fit, for the same programs."""
    J = [len(each.levels) for each in design.groupings]
    Q = [len(each.effects) for each in design.groupings]
    ZtWZ = _stack([_lower(part) for part in tuning.ZtWZ])
    ZtWR = _stack([part.reshape(len(part), -1) for part in tuning.ZtWR])
    return {
        "M": len(design.groupings),
        "Q": _ints(Q),
        "J": _ints(J),
        "K": int(np.dot(J, Q)),
        "b_hat": tuning.b_hat,
        "cells": ZtWZ.shape[1],
        "ZtWZ": ZtWZ,
        "columns": ZtWR.shape[1],
        "ZtWR": ZtWR,
        **_apart(design, tuning, J, Q),
        **_nested(design, tuning),
    }


def _apart(design: Design, tuning: Tuning, J: Sequence[int], Q: Sequence[int]) -> StanData:
    """Build what levels have in common, factor below factor, where it is sampled apart."""
    share = np.zeros(sum(J))
    extent = np.zeros(len(J))
    column = np.zeros((len(tuning.b_hat), sum(Q)))
    for place, each in enumerate(design.groupings):
        if each.name in tuning.apart:
            shared, K = tuning.apart[each.name]
            share[sum(J[:place]) : sum(J[: place + 1])] = shared.share
            extent[place] = shared.extent
            column[:, sum(Q[:place]) : sum(Q[: place + 1])] = K
    flags = [each.name in tuning.apart for each in design.groupings]
    return {"apart": _ints(flags), "share": share, "extent": extent, "column": column}


def _nested(design: Design, tuning: Tuning) -> StanData:
    """Build the pairs of nested factors, one below the other."""
    names = [each.name for each in design.groupings]
    crossed = _stack([Z.reshape(len(Z), -1) for _, Z in tuning.within])
    above = [pair.above + 1 for pair, _ in tuning.within]
    return {
        "pairs": len(tuning.within),
        "inner": _ints([names.index(pair.inner) + 1 for pair, _ in tuning.within]),
        "outer": _ints([names.index(pair.outer) + 1 for pair, _ in tuning.within]),
        "members": len(crossed),
        "above": np.concatenate([np.zeros(0, dtype=np.int64), *above]),
        "crosses": crossed.shape[1],
        "ZtWZ_outer": crossed,
    }


def response(design: Design, family: Family, repeats: Repeats) -> StanData:
    """Build the response in the form that the family's program reads.

    Rows that repeat are added up: their weights; of successes and of Poisson counts the numbers
    themselves, times their weights.
    """
    assert design.response is not None
    y = design.response
    weight = np.ones(design.rows) if design.weights is None else design.weights
    which = repeats.first
    data: StanData = {"weight": repeats.total(weight), "y": y[which]}
    match family.data:
        case "log":
            data["y"] = np.log(data["y"])
        case "successes":
            data = _successes(design, y, weight, repeats)
        case "events":
            data = _events(y, weight, repeats)
        case "counts":
            reached = _reached(y[which], repeats.total(weight))
            data |= {"top": len(reached), "reached": reached}
        case "trials":
            assert design.trials is not None
            data["trials"] = design.trials[which]
        case "times":
            right = np.zeros(design.rows) if design.censored is None else design.censored
            data["event"] = 1.0 - right[which]
        case "categories":
            data |= {
                "y": y[which].astype(np.int64),
                "C": category_count(design),
                "anchor": thresholds.anchor(design) + 1,
            }
        case "chosen":
            data = _chosen(design, y, weight, repeats)
    if len(family.links) > 1:
        data["link"] = family.links.index(family.link) + 1
    return data


def _reached(y: FloatArray, weight: FloatArray) -> FloatArray:
    """Weight of the rows whose count reaches 1, 2, ...; empty for very large counts."""
    if not len(y) or y.max() > _LARGEST_COUNT:
        return np.zeros(0)
    at = np.bincount(y.astype(np.int64), weight)
    return at[:0:-1].cumsum()[::-1].copy()


def _successes(design: Design, y: FloatArray, weight: FloatArray, repeats: Repeats) -> StanData:
    from scipy.special import gammaln

    n = np.ones(design.rows) if design.trials is None else design.trials
    choose = gammaln(n + 1) - gammaln(y + 1) - gammaln(n - y + 1)
    return {
        "successes": repeats.total(weight * y),
        "trials": repeats.total(weight * n),
        "base": float(weight @ choose) if len(repeats.first) else 0.0,
    }


def _chosen(design: Design, y: FloatArray, weight: FloatArray, repeats: Repeats) -> StanData:
    C = category_count(design)
    chosen = [repeats.total(weight * (y == category)) for category in range(2, C + 1)]
    return {"C": C, "weight": repeats.total(weight), "chosen": np.column_stack(chosen)}


def _events(y: FloatArray, weight: FloatArray, repeats: Repeats) -> StanData:
    from scipy.special import gammaln

    return {
        "y": repeats.total(weight * y),
        "exposure": repeats.total(weight),
        "base": -float(weight @ gammaln(y + 1)) if len(repeats.first) else 0.0,
    }


def _ints(values: Sequence[int] | Sequence[bool]) -> IntArray:
    return np.array(values, dtype=np.int64)


def _stack(parts: Sequence[FloatArray]) -> FloatArray:
    """Stack matrices of different widths, zeros to the right of the narrow ones."""
    width = max((part.shape[1] for part in parts), default=0)
    padded = [np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts]
    return np.concatenate(padded) if padded else np.empty((0, width))
