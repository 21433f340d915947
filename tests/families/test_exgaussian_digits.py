"""The exgaussian keeps its digits where its normal part is next to nothing."""

import numpy as np
import pytest
from scipy import stats

from hiermix.families import table

SIGMA = [1e-3, 1e-6, 1e-9]


@pytest.mark.parametrize("sigma", SIGMA)
def test_density_is_that_of_the_exponential(sigma: float) -> None:
    """Far above its start the normal part multiplies the density by exp(rate^2 / 2)."""
    y, beta = np.array([0.7, 2.0, 9.0]), 1.3
    own = {"sigma": np.array([sigma]), "beta": np.array([beta])}
    found = table.FAMILIES["exgaussian"].log_density(y, np.array([beta]), own)
    expected = stats.expon.logpdf(y, scale=beta) + 0.5 * (sigma / beta) ** 2
    np.testing.assert_allclose(found, expected, rtol=1e-12)
