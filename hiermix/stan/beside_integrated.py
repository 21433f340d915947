"""Factors that are sampled beside ones whose effects are integrated out, which come last."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.stan import stan_data
from hiermix.tuning.points import Point
from hiermix.tuning.program_tuning import Tuning
from hiermix.typing import FloatArray, StanData


def factors(design: Design, integrated: Sequence[Grouping], tuning: Tuning) -> StanData:
    """Build the factors that are sampled; the ends of bars and columns are those of all factors."""
    sampled = tuple(each for each in design.groupings if each not in integrated)
    data = stan_data.factors(replace(design, groupings=sampled), tuning)
    for each in integrated:
        none: FloatArray = np.zeros((len(tuning.b_hat), len(each.effects)))
        data["last"] = np.append(data["last"], stan_data.ends(each.blocks))
        data["column"] = np.hstack([np.asarray(data["column"]), none])
    return data


def point(near: Point | None, integrated: Sequence[Grouping]) -> Point | None:
    """Return a point with effects of these factors, which the fit finds."""
    if near is None:
        return None
    return replace(near, r=np.append(near.r, np.zeros(sum(each.total for each in integrated))))
