"""Pareto-smoothed importance sampling of many rows against ArviZ, which works row by row."""

import arviz_stats  # noqa: F401  (gives arrays their .azstats)
import numpy as np
import pytest
import xarray as xr

import hiermix as hm
from hiermix.prediction import psis


def densities(draws: int) -> np.ndarray:
    """Log densities (row, draw): easy rows, heavy tails, wide ranges, hardly any information."""
    rng = np.random.default_rng(draws)
    mean, size = rng.normal(0, 3, (150, 1)), rng.lognormal(0, 0.5, (150, 1))
    found = -0.5 * (0.3 * rng.normal(size=(150, draws)) + mean) ** 2 * size
    found[0] *= 1e3
    found[1] = -rng.exponential(400, draws)
    found[2] = -0.5 * rng.standard_t(2, draws) ** 2
    found[3] *= 1e-9
    found[4] += 1e4
    return found


@pytest.mark.parametrize(
    ("draws", "efficiency"), [(4000, 0.9), (1000, 0.3), (400, 1.4), (100, 1.0)]
)
def test_rows_are_those_of_arviz(draws: int, efficiency: float) -> None:
    values = densities(draws)
    each = xr.DataArray(values.reshape(150, 1, draws), dims=("row", "chain", "draw"))
    expected = each.azstats.loo(sample_dims=["chain", "draw"], r_eff=efficiency)
    found = psis.leave_one_out(values, psis.tail_size(draws, efficiency))
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-10)


def test_rows_that_say_nothing_have_the_density_of_every_draw() -> None:
    """A weight of zero: ArviZ raises."""
    elpd, k, p = psis.leave_one_out(np.full((2, 400), -1.5), psis.tail_size(400, 1.0))
    np.testing.assert_allclose(elpd, -1.5, rtol=1e-14)
    np.testing.assert_allclose(p, 0, atol=1e-14)
    np.testing.assert_array_equal(k, 0)


def test_too_few_draws_are_told() -> None:
    with pytest.raises(hm.DataError, match="leave-one-out needs 25 draws or more: there are 20"):
        psis.tail_size(20, 1.0)
