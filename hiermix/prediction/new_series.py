"""Rows of series that the fit never saw, with a response: what they say of later ones of theirs."""

from dataclasses import replace

import numpy as np

from hiermix.design.series import no_repeats
from hiermix.errors import DataError, at_rows
from hiermix.prediction import series_densities
from hiermix.prediction.level_clusters import Ints, clusters, observed
from hiermix.prediction.new_groups import NewEffects
from hiermix.prediction.predictor import Predictor
from hiermix.prediction.residual_laws import Before
from hiermix.typing import FloatArray


def check_levels(source: Predictor) -> None:
    """Raise where rows of new levels belong to series that the fit has seen in others.

    Raises
    ------
    DataError
        They do; or rows of a new series that tell of it repeat a time or position.
    """
    series = source.design.series
    if series is None:
        return
    fresh = np.flatnonzero(series.new & observed(source.design))
    no_repeats(series, source.design.frame.index, fresh)
    for levels, rows in clusters(source.design, list(source.layout.r)):
        old = rows[~series.new[rows]]
        if len(old):
            raise DataError(
                f"{series.term}: rows of new levels of {levels[0][0].name!r} belong to series of "
                f"the fit {at_rows(np.sort(old), source.design.frame.index)}: a series lies within "
                "one level. Give new series names of their own"
            )


def learned(source: Predictor) -> Ints:
    """Return the rows with a response of new series whose levels are none that are updated."""
    design = source.design
    if design.series is None or design.parts:
        return np.empty(0, dtype=np.intp)
    new = design.series.new
    if not new.any():
        return np.empty(0, dtype=np.intp)
    fresh = np.flatnonzero(new & observed(design))
    inside = [rows for _, rows in clusters(design, list(source.layout.r))]
    return np.setdiff1d(fresh, np.concatenate([np.empty(0, dtype=np.intp), *inside]))


def log_density(source: Predictor, rows: Ints) -> FloatArray:
    """Log density (S,) of rows of new series, given the effects of their levels."""
    plain = replace(source, new=NewEffects(source.layout, "population", source.seed))
    found = series_densities.log_density(plain.law, rows, plain.residuals)
    return found + source.log_slopes(rows).sum()


def carried_on(source: Predictor, rows: Ints) -> Predictor:
    """Return a predictor that carries the residuals of rows that it has learned from on."""
    series = source.design.series
    if series is None:
        return source
    known = np.zeros(source.design.rows, dtype=bool)
    known[rows] = True
    return replace(source, before=(Before(series, source.standard_residuals, known),))
