"""Names for the array types that pass between the rooms of the package."""

import numpy as np
from numpy.typing import NDArray

type FloatArray = NDArray[np.float64]
type IntArray = NDArray[np.int64]
type StanData = dict[str, int | float | FloatArray | IntArray]
"""What an engine is handed: Python ints and floats, int64 and float64 arrays, nothing else."""
