"""Descent along gradients, on one thread: the matrices of a model are small."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def lowest(
    function: Callable[[FloatArray], tuple[float, FloatArray]], start: FloatArray, tolerance: float
) -> FloatArray:
    """Return the lowest point (D,) that L-BFGS finds of a function with its gradient.

    For matrices of forty rows, more threads cost nothing but their waiting.
    """
    from scipy.optimize import minimize

    with _blas().limit(limits=1, user_api="blas"):
        found = minimize(
            function, start, jac=True, method="L-BFGS-B",
            options={"maxiter": 150, "maxfun": 300, "ftol": tolerance, "maxcor": 20},
        )  # fmt: skip
    return np.asarray(found.x)


@cache
def _blas() -> "ThreadpoolController":
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
