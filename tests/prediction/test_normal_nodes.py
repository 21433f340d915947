"""Averages over normal variables: by Gauss and Hermite, by the trapezoid rule, by many points."""

import numpy as np
import pytest
from scipy import integrate, special, stats

from hiermix.prediction.normal_nodes import joint_nodes, normal_nodes

INVERSE_LINKS = {
    "logit": special.expit,
    "probit": special.ndtr,
    "cloglog": lambda eta: -np.expm1(-np.exp(np.minimum(eta, 700))),
}


def exactly(link: str, mean: float, sd: float) -> float:
    """By quadrature; of the probit there is a closed form."""
    if link == "probit":
        return float(special.ndtr(mean / np.hypot(1, sd)))

    def weighed(z: float) -> float:
        return float(INVERSE_LINKS[link](mean + sd * z) * stats.norm.pdf(z))

    bends = [at for at in (-mean / sd,) if abs(at) < 9]
    return integrate.quad(weighed, -9, 9, points=bends, epsabs=1e-12, limit=300)[0]


@pytest.mark.parametrize("sd", [1e-3, 0.3, 1.0, 1.001, 3.0, 12.0, 40.0])
@pytest.mark.parametrize("link", INVERSE_LINKS)
def test_probabilities_are_averaged_to_a_millionth(link: str, sd: float) -> None:
    nodes, weights = normal_nodes(sd)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    for mean in (-2.0, 0.0, 1.3):
        found = float(weights @ INVERSE_LINKS[link](mean + sd * nodes))
        assert found == pytest.approx(exactly(link, mean, sd), abs=2e-6)


@pytest.mark.parametrize("sd", [0.5, 1.0, 2.0, 4.0])
def test_lognormal_means_have_their_closed_form(sd: float) -> None:
    nodes, weights = normal_nodes(sd)
    assert weights @ np.exp(sd * nodes) == pytest.approx(np.exp(sd**2 / 2), rel=1e-6)


@pytest.mark.parametrize(("sd", "dimensions"), [(0.8, 2), (2.0, 2), (0.8, 3), (3.0, 3)])
def test_several_variables_are_a_single_one_of_their_length(sd: float, dimensions: int) -> None:
    """By a product of rules; or, to a thousandth, by points that fill the space evenly."""
    points, weights = joint_nodes(sd, dimensions)
    assert points.shape == (len(weights), dimensions)
    np.testing.assert_allclose(weights @ points, 0, atol=1e-9)
    direction = np.ones(dimensions) / np.sqrt(dimensions)
    found = float(weights @ special.expit(0.7 + sd * points @ direction))
    scattered = len(np.unique(weights)) == 1
    assert found == pytest.approx(exactly("logit", 0.7, sd), abs=1e-3 if scattered else 2e-6)
