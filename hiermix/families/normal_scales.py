"""Scales on which responses of a family are normal: Gaussian ones as they are, others by logs."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hiermix.design.design import Design
from hiermix.families.links import unchanged
from hiermix.families.numerics import exp, positive
from hiermix.typing import FloatArray


class NormalScale(NamedTuple):
    """Takes a response to the scale on which it is normal, and back."""

    to: Callable[[FloatArray], FloatArray]
    back: Callable[[FloatArray], FloatArray]
    log_slope: Callable[[FloatArray], FloatArray]
    """What a density on that scale lacks to be one of the response: log of the slope of `to`."""

    def design(self, design: Design) -> Design:
        """Return a design with its responses on that scale."""
        if self.to is unchanged or design.response is None:
            return design
        return replace(design, response=self.to(design.response))


def _positive_exp(x: FloatArray) -> FloatArray:
    return positive(exp(x))


def _log_inverse(y: FloatArray) -> FloatArray:
    return -np.log(y)


AS_GIVEN = NormalScale(unchanged, unchanged, np.zeros_like)
LOGS = NormalScale(np.log, _positive_exp, _log_inverse)
