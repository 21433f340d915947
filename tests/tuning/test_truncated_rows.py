"""The quick fit of responses with bounds: it ends at the mode, in coordinates as wide as that."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import hiermix as hm
from hiermix.engines.embedded import Embedded


def within(seed: int, middle: float, n: int = 160, groups: int = 16) -> pd.DataFrame:
    """Normal responses of which those below -1 were never recorded: the fewer, the lower."""
    rng = np.random.default_rng(seed)
    u = rng.normal(0, 0.6, groups)
    found = pd.DataFrame({"x": rng.normal(size=40 * n), "g": rng.integers(0, groups, 40 * n)})
    found["y"] = middle + 0.5 * found["x"] + u[found["g"]] + rng.normal(size=len(found))
    return found[found["y"] > -1].head(n)


@pytest.mark.parametrize("middle", [0.5, -0.5, -1.0])
def test_the_quick_fit_ends_near_the_mode(middle: float) -> None:
    """However much of the normal is cut off: in a few sds, from where chains find it.

    The mode by scipy, at the quick fit's effects.
    """
    model = hm.Model("y | trunc(lb=-1) ~ x + (1 | g)", within(3, middle))
    data, program = model.stan_data(), model._posterior.program
    D, K = int(data["D"]), int(data["K"])

    def downhill(raw: np.ndarray) -> tuple[float, np.ndarray]:
        # The effects are in coordinates of their own in which they hardly move.
        value, slope = Embedded().log_density(program, data, np.append(raw, np.zeros(K))[None])
        return -float(value[0]), -slope[0, :D]

    found = optimize.minimize(downhill, np.zeros(D), jac=True, method="BFGS")
    assert np.abs(found.x).max() < 8
    widths = np.sqrt(np.diag(found.hess_inv))
    assert np.all((widths > 0.4) & (widths < 2.5))


def correlation(curvature: np.ndarray) -> float:
    return float(curvature[0, 1] / np.sqrt(curvature[0, 0] * curvature[1, 1]))


def test_the_intercept_follows_sigma_where_bounds_tie_them_together() -> None:
    """By the curvature of the log density itself, of two parameters and no group effects."""
    rows = within(4, -1.0, groups=1)
    model = hm.Model("y | trunc(lb=-1) ~ 1", rows, effects="sampled")
    data, program = model.stan_data(), model._posterior.program
    h = 1e-3
    steps = h * np.vstack([np.eye(2), -np.eye(2)])
    _, slopes = Embedded().log_density(program, data, steps)
    curvature = -(slopes[:2] - slopes[2:]) / (2 * h)
    back = np.linalg.inv(data["scale"])
    plain = correlation(back.T @ curvature @ back)
    assert plain > 0.85
    assert abs(correlation(curvature)) < plain - 0.2
