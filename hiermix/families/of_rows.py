"""Own parameters whose default priors, and bounds, the rows of a design say."""

from dataclasses import replace
from functools import partial

import numpy as np

from hiermix.design.design import Design
from hiermix.families import linear_scale
from hiermix.families.own_parameter import OwnParameter
from hiermix.families.prior import Prior


def in_units_of_the_mean(own: OwnParameter, design: Design) -> OwnParameter:
    """Return a parameter that has the units of the response, as a precision has not."""
    location, _ = linear_scale.of_mean(design, "log")
    return replace(own, default=partial(_precision_of, mean=float(np.exp(location))))


def _precision_of(scale: float, mean: float) -> Prior:
    return Prior("inv_gamma", (0.4, 0.3 * mean))


def in_units_of_a_dispersion(own: OwnParameter, design: Design) -> OwnParameter:
    """Return a dispersion, variance over mean^1.5 or so, with a wide prior in its units."""
    location, _ = linear_scale.of_mean(design, "log")
    return replace(own, default=partial(_dispersion_of, mean=float(np.exp(location))))


def _dispersion_of(scale: float, mean: float) -> Prior:
    return Prior("student_t", (3.0, 0.0, 2.5 * float(np.sqrt(mean))))


def before_all_responses(own: OwnParameter, design: Design) -> OwnParameter:
    """Return a time that passes before any response can come: as good as uniform up to the first.

    With an equation each row has one, below its own response alone: what bounds that is the
    likelihood.
    """
    first = linear_scale.earliest(design)
    default = partial(_up_to, first=first)
    if own.name in [each.name for each in design.equations]:
        return replace(own, default=default)
    return replace(own, default=default, transform="pushed", most=first)


def _up_to(scale: float, first: float) -> Prior:
    return Prior("normal", (first / 2, 2 * first))
