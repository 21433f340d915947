"""Points of a posterior: the same numbers whatever the coordinates of a program are."""

from dataclasses import dataclass, field

import numpy as np

from hiermix.typing import FloatArray


@dataclass(frozen=True)
class Point:
    """Values of everything that is sampled."""

    b: FloatArray
    """(P,) of the program's X."""
    own: FloatArray
    """(A,) the family's own parameters: logarithms, logits, logarithms of gaps."""
    log_sd: FloatArray
    """(E,)"""
    cor: FloatArray
    """Unconstrained correlations, then logarithms of degrees of freedom of effects, less one."""
    r: FloatArray
    """(K,) factor after factor, effect after effect, level by level; none: as the rest has them.

    Behind them coordinates of missing values, which are standard normal given the rest.
    """
    local: FloatArray = field(default_factory=lambda: np.zeros(0))
    """Coordinates of the prior sds of slopes that are shrunk."""
