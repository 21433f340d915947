"""Names for the types that pass between the rooms of the package."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

type FloatArray = NDArray[np.float64]
type IntArray = NDArray[np.int64]
type StanData = dict[str, int | float | FloatArray | IntArray]
"""What an engine is handed: Python ints and floats, int64 and float64 arrays, nothing else."""


class Drawn(NamedTuple):
    """Draws of a program's parameters, each (chain, draw, ...), whatever it calls them."""

    b: FloatArray
    """Population coefficients (P,), of centred columns."""
    sd: FloatArray
    """(E,) of all factors."""
    L: FloatArray
    """(E, E) Cholesky factor of the correlations."""
    own: Mapping[str, FloatArray]
    """The family's own parameters."""
    r: FloatArray | None = None
    """Effects, factor after factor, effect after effect, level by level; None: integrated out."""
