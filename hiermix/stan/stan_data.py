"""The dict that an engine hands to a program; its response is in `responses`."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hiermix.design.design import Design
from hiermix.design.effect_sizes import EffectSizes
from hiermix.design.groupings import Grouping
from hiermix.families import category_equations
from hiermix.families.correlations import pairs
from hiermix.families.family import Family
from hiermix.families.own_parameter import OwnParameter
from hiermix.families.prior import TOGETHER, Prior
from hiermix.families.priors import PriorTable, b_name, coded
from hiermix.stan import imputed_data, level_data, monotonic_data, shrinkage_data
from hiermix.statistics.repeated_rows import Repeats
from hiermix.statistics.within_between import Within
from hiermix.tuning.bounds import Bounds
from hiermix.tuning.coordinates import Coordinates
from hiermix.tuning.population_scale import Following
from hiermix.tuning.program_tuning import Tuning
from hiermix.typing import FloatArray, IntArray, StanData

_ANY = Prior("normal", (0.0, 1.0))
"""Stands where no prior is read."""


class Columns(NamedTuple):
    """Columns of X of all equations, each set of them once."""

    values: FloatArray
    """(rows, columns)"""
    start: Mapping[str, int]
    """Columns before those of an equation of the formula."""
    x_mean: FloatArray
    """(P,) what was subtracted from the columns of each equation in turn."""


def coordinates(
    design: Design, family: Family, table: PriorTable, at: Coordinates, pull: FloatArray
) -> StanData:
    """Build what every program reads: coordinates, sizes and the numbers of the priors.

    `pull` are the precisions (P,) of the normal priors that stood for those of the coefficients
    where the coordinates were found.
    """
    blocks = [size for grouping in design.groupings for size in grouping.blocks]
    steps = monotonic_data.places(design)
    shapes = monotonic_data.shapes(design, table)
    at = monotonic_data.around(at, len(b_names(design)), steps, shapes)
    b = monotonic_data.own_priors(steps, b_priors(design, table))
    sd = sd_priors(design.groupings, table)
    b_prior, b_par = coded([_ANY if each.shrinks else each for each in b], positive=False)
    sd_prior, sd_par = coded(sd, positive=True)
    bounds = Bounds.of(b, np.linalg.norm(at.scale[: len(b)], axis=1))
    data = {
        "D": len(at.center),
        "center": np.concatenate([bounds.started(at.center[: len(b)]), at.center[len(b) :]]),
        "scale": at.scale,
        "P": len(b),
        "E": sum(blocks),
        "B": len(blocks),
        "block": np.array(blocks, dtype=np.int64),
        **_tails(df_priors(design.groupings, table)),
        **_spreads(EffectSizes.concatenated([each.spreads for each in design.groupings])),
        "sd_bend": at.bend if len(at.bend) else np.zeros(len(sd)),
        "sd_spread": _spread(design, at),
        **_following(at.following, sum(blocks)),
        **_bounds(bounds),
        "b_prior": np.where([each.shrinks for each in b], 0, b_prior).astype(np.int64),
        "b_par": b_par,
        "sd_prior": sd_prior,
        "sd_par": sd_par,
        "lkj": np.array(lkj_shapes(design.groupings, table)),
    }
    data |= imputed_data.priors(family, table)
    own = [each.name if each.name in table else "" for each in family.own]
    data = monotonic_data.added(data, steps, b, shapes)
    return shrinkage_data.added(data, b, own, at, pull)


def _tails(df: Sequence[Prior]) -> StanData:
    code, par = coded(df, positive=True)
    return {"tails": len(df), "df_prior": code, "df_par": par}


def _bounds(found: Bounds) -> StanData:
    ends = np.column_stack([found.lower, found.upper])
    known = np.isfinite(ends)
    return {
        "limited": len(found.places),
        "limited_b": found.places + 1,
        "sides": known.astype(np.int64) @ [1, 2],
        "bound_par": np.column_stack([np.where(known, ends, 0.0), found.width]),
    }


def bounds(data: StanData) -> Bounds:
    """Return the bounds that a program is handed."""
    sides, par = np.asarray(data["sides"]), np.asarray(data["bound_par"])
    lower = np.where(sides & 1, par[:, 0], -np.inf)
    upper = np.where(sides & 2, par[:, 1], np.inf)
    return Bounds(np.asarray(data["limited_b"]) - 1, lower, upper, par[:, 2])


def _spreads(found: EffectSizes) -> StanData:
    return {"S": found.spreads, "sd_of": found.of + 1, "length_of": found.length + 1,
            "frequency": found.frequency}  # fmt: skip


def sizes(data: StanData) -> EffectSizes:
    """Return which spreads sds are made of, as a program is handed them."""
    of, length = (np.asarray(data[name]) - 1 for name in ("sd_of", "length_of"))
    return EffectSizes(of, length, np.asarray(data["frequency"]), int(data["S"]))


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
    """Sd of each log spread, which come last but for the correlations."""
    spreads = sum(each.spreads.spreads for each in design.groupings)
    tails = sum(each.heavy for each in design.groupings)
    end = len(at.center) - tails - sum(pairs(each.blocks) for each in design.groupings)
    return np.sqrt(np.sum(at.scale[end - spreads : end] ** 2, axis=1))


def b_names(design: Design) -> Sequence[str]:
    """Prior names of the population coefficients, in the programs' order."""
    return [
        category_equations.named(b_name(term), each.name)
        if design.alike
        else b_name(term, each.name)
        for each in design.reported
        for term in each.terms
    ]


def b_priors(design: Design, table: PriorTable) -> list[Prior]:
    """Priors of the population coefficients; an intercept that thresholds replace has theirs."""
    names = b_names(design)
    return [table[name if name in table else "threshold"] for name in names]


def sd_priors(groupings: Sequence[Grouping], table: PriorTable) -> list[Prior]:
    """Priors of the spreads, factor after factor."""
    return [table[names[0]] for each in groupings for names in each.sd_names]


def df_priors(groupings: Sequence[Grouping], table: PriorTable) -> list[Prior]:
    """Priors of the degrees of freedom of effects that are t-distributed, factor after factor."""
    return [table[f"df[{each.name}]"] for each in groupings if each.heavy]


def lkj_shapes(groupings: Sequence[Grouping], table: PriorTable) -> list[float]:
    """LKJ shape of every block; blocks of one effect have no correlation and any shape."""
    return [
        table[each.cor_name].arguments[0] if size > 1 else 1.0
        for each in groupings
        for size in each.blocks
    ]


def own_priors(family: Family, table: PriorTable) -> StanData:
    """Build the priors of the family's own parameters; none counts for one with an equation."""
    return priors_of(family.own, table)


def priors_of(own: Sequence[OwnParameter], table: PriorTable) -> StanData:
    """Build the priors of own parameters in their order; those of correlations are apart."""
    table = {name: prior for name, prior in table.items() if prior.distribution not in TOGETHER}
    each = [coded([table.get(one.name, _ANY)], positive=one.positive) for one in own]
    return {
        "own_count": len(own),
        "own_prior": np.concatenate([_ints([]), *(code for code, _ in each)]),
        "own_par": np.concatenate([np.empty((0, 4)), *(row for _, row in each)]),
    }


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
        "R": lower(within.R),
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


def lower(A: FloatArray) -> FloatArray:
    """Lower triangles (J, Q, Q) row by row, one row a group."""
    rows, columns = np.tril_indices(A.shape[1])
    return np.ascontiguousarray(A[:, rows, columns])


def rows(design: Design, X: Columns, repeats: Repeats) -> StanData:
    """Build the rows for the programs that sample the effects.

    Parameters
    ----------
    design : Design
        The fitted rows.
    X : Columns
        Population columns of all equations, centred where there is an intercept.
    repeats : Repeats
        Which rows to hand over; none to sample the prior.
    """
    which = repeats.first
    return {
        "N": len(which),
        **_predictors(design, X, which),
        **_effects(design, which),
        **monotonic_data.of_levels(design, X.x_mean),
    }


def _predictors(design: Design, X: Columns, which: IntArray) -> StanData:
    """Build the linear predictors but for the effects of groups."""
    return {
        "predictors": len(design.equations),
        "P_of": _ints([len(each.terms) for each in design.equations]),
        "columns_X": X.values.shape[1],
        "X_at": _ints([X.start[each.columns] for each in design.equations]),
        "X": X.values[which],
        "known": np.column_stack([each.known(design.rows)[which] for each in design.equations]),
    }


def _effects(design: Design, which: IntArray) -> StanData:
    """Build the columns of the effects of groups, and where each enters."""
    groupings, names = design.groupings, [each.name for each in design.equations]
    Z = [design.Z(each.name)[which] for each in groupings]
    before = np.cumsum([0, *(part.shape[1] for part in Z)]).tolist()
    places = [start + place for each, start in zip(groupings, before, strict=False)
              for place in each.places]  # fmt: skip
    enters = [names.index(name) for each in groupings for name in each.equations]
    return {
        **level_data.of_rows(groupings, which),
        "columns_Z": before[-1],
        "Z": np.concatenate([*Z, np.empty((len(which), 0))], axis=1),
        "Z_at": _ints([place + 1 for place in places]),
        "constant": _ints([one for each in groupings for one in each.constant]),
        "predictor_of": _ints([place + 1 for place in enters]),
    }


def own_equations(family: Family, design: Design) -> IntArray:
    """Place among the equations of each of the family's own parameters; 0: one number."""
    names = [each.name for each in design.equations]
    return _ints([names.index(own.name) + 1 if own.name in names else 0 for own in family.own])


def factors(design: Design, tuning: Tuning) -> StanData:
    """Build the grouping factors and their tuning, by the penalised fit, for the same programs."""
    J = [len(each.levels) for each in design.groupings]
    Q = [len(each.effects) for each in design.groupings]
    ZtWZ = _stack([lower(part) for part in tuning.ZtWZ])
    ZtWR = _stack([part.reshape(len(part), -1) for part in tuning.ZtWR])
    return {
        "M": len(design.groupings),
        "Q": _ints(Q),
        "J": _ints(J),
        "last": _ints([end for each in design.groupings for end in ends(each.blocks)]),
        "K": int(np.dot(J, Q)),
        "b_hat": tuning.b_hat,
        "cells": ZtWZ.shape[1],
        "ZtWZ": ZtWZ,
        "columns": ZtWR.shape[1],
        "ZtWR": ZtWR,
        **_along_own(tuning),
        **_weight_by_own(tuning),
        "heavy": _ints([each.heavy for each in design.groupings]),
        **_related(design, tuning),
        **_apart(design, tuning, J, Q),
        **_nested(design, tuning),
    }


def _along_own(tuning: Tuning) -> StanData:
    """Build how effects move with the family's own parameters; nothing where they don't."""
    moving = [each for each in tuning.along_own if each.any()]
    along = _stack([part.reshape(len(part), -1) for part in tuning.along_own])
    return {
        "own_moving": moving[0].shape[2] if moving else 0,
        "own_columns": along.shape[1] if moving else 0,
        "along_own": along if moving else np.zeros((sum(map(len, tuning.ZtWR)), 0)),
    }


def _weight_by_own(tuning: Tuning) -> StanData:
    """Build how the weights of each factor grow with them; nothing where they don't."""
    grown = tuning.weight_by_own
    grown = grown if grown.any() else np.zeros((len(grown), 0))
    return {"own_weighing": grown.shape[1], "weight_by_own": grown}


def _related(design: Design, tuning: Tuning) -> StanData:
    """Build the roots of related levels, factor below factor."""
    root = _stack(
        [tuning.roots[each.name] for each in design.groupings if each.name in tuning.roots]
    )
    return {
        "related": _ints([each.name in tuning.roots for each in design.groupings]),
        "related_levels": len(root),
        "relatives": root.shape[1],
        "related_root": root,
    }


def ends(blocks: Sequence[int]) -> list[int]:
    """Last effect of the bar of each effect, counted from one."""
    return np.repeat(np.cumsum(blocks), blocks).tolist()


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


def _ints(values: Sequence[int] | Sequence[bool]) -> IntArray:
    return np.array(values, dtype=np.int64)


def _stack(parts: Sequence[FloatArray]) -> FloatArray:
    """Stack matrices of different widths, zeros to the right of the narrow ones."""
    width = max((part.shape[1] for part in parts), default=0)
    padded = [np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts]
    return np.concatenate(padded) if padded else np.empty((0, width))
