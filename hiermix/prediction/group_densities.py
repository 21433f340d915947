"""Densities of whole groups of rows together, with what only these rows inform integrated out.

A level all of whose rows are left out together is, to the rest of the data, a level that was never
seen: its effect is integrated over its distribution, exactly in Gaussian models, by quadrature of
one or two effects or importance sampling of more in others. Draws of everything else are weighed by
what comes out (Vehtari et al., 2016; Merkle, Furr and Rabe-Hesketh, 2019). A level with other rows
keeps the effect of each draw, and rows whose residuals go together with others are given these.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.errors import ArgumentError, DataError
from hiermix.families.family import needs_numbers
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import predict, series_densities, update
from hiermix.prediction.predictor import Predictor
from hiermix.typing import FloatArray, IntArray

type Bools = NDArray[np.bool_]


def log_densities(
    posterior: Posterior, labels: np.ndarray, left: IntArray | None = None
) -> tuple[FloatArray, pd.Index]:
    """Return the log density (J, S) of the rows of each label in each draw, and the labels.

    With `left` only of those rows, of whole labels, which the draws know nothing of.
    """
    needs_numbers(posterior.family, "leave-one-group-out")
    for each in posterior.design.groupings:
        if each.covariance is not None:
            raise ArgumentError(
                f"levels of {each.name!r} are related: one that is left out is known in part by "
                "the others. kfold(groups=...) refits, and loo(by='row') leaves out rows"
            )
    unit, names = pd.factorize(labels)
    without = unseen(posterior.design, unit)
    source = predict.predictor(posterior.on(without), new_groups="population")
    asked = np.ones(len(unit), dtype=bool)
    if left is not None:
        asked[:] = False
        asked[left] = True
    found = np.zeros((len(names), posterior.size))
    rest = asked.copy()
    for rows, log_density in _together(source, asked):
        found[unit[rows[0]]] += log_density
        rest[rows] = False
    if source.design.series is not None:
        known = None if left is None else ~asked
        for place, log_density in _of_series(source, unit, rest, known):
            found[place] += log_density
    else:
        for rows, log_density in _row_by_row(source, np.flatnonzero(rest)):
            np.add.at(found, unit[rows], log_density)
    some = np.unique(unit[asked])
    return found[some], pd.Index(names)[some]


def unseen(design: Design, unit: IntArray) -> Design:
    """Return the design in which a level all of whose rows are of one unit was never seen."""
    return replace(design, groupings=tuple(_without(each, unit) for each in design.groupings))


def _without(grouping: Grouping, unit: IntArray) -> Grouping:
    factor, J = grouping.factor, len(grouping.levels)
    inside = factor.gather(factor.one_of(unit)) == unit
    alone = np.flatnonzero((factor.scatter((~inside).astype(float)) == 0) & (factor.counts() > 0))
    code = np.arange(J)
    code[alone] = J + np.arange(len(alone))
    codes = factor.gather(code).astype(grouping.codes.dtype)
    return replace(grouping, codes=codes, new_levels=grouping.levels[alone])


def _together(source: Predictor, asked: Bools) -> Iterator[tuple[IntArray, FloatArray]]:
    """Yield rows asked for that share levels to be integrated out, and their log density (S,)."""
    for cluster in update.in_clusters(source):
        if not asked[cluster.rows[0]]:
            continue
        for each, _ in cluster.levels:
            update.check_effects(each, "leave-one-group-out", "kfold(groups=...) refits instead")
        if cluster.q > update.MOST:
            raise DataError(
                f"leaving out one group takes out {len(cluster.levels):,} levels that share rows: "
                "too many to integrate over at once. kfold(groups=...) refits instead"
            )
        yield cluster.rows, cluster.log_density()


def _of_series(
    source: Predictor, unit: IntArray, rest: Bools, known: Bools | None
) -> Iterator[tuple[int, FloatArray]]:
    """Yield labels and the log density (S,) of their rows, given others of their series.

    These are those `known`, or all that are of another label.
    """
    for place in np.unique(unit[rest]).tolist():
        mine = unit == place
        others = np.flatnonzero(~mine if known is None else known)
        rows = np.flatnonzero(mine & rest)
        found = series_densities.log_density_beside(source.law, rows, others, source.residuals)
        yield place, found + source.log_slopes(rows).sum()


def _row_by_row(source: Predictor, rows: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
    """Yield the log densities (n, S) of rows all of whose levels have other rows, in pieces."""
    design = source.design.take(rows)
    for job in replace(source, design=design).jobs("log_density"):
        here, found = job()
        yield rows[here], found
