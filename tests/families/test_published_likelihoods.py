"""Log likelihoods of ordered categories at the estimates of R's packages: their conventions, ours.

The wine data of Randall (1989), as in R's package ordinal: 72 ratings of bitterness by temperature
and contact. Estimates and log likelihoods are those of ``ordinal::clm`` (2022.11-16), and of
``stats::glm`` on a row for each step that is come to, R 4.2.2.
"""

import numpy as np
import pytest

from hiermix.families.table import find

COUNTS = {  # by warm and contact, of ratings 1 to 5
    (0, 0): (4, 9, 5, 0, 0),
    (0, 1): (1, 7, 8, 2, 0),
    (1, 0): (0, 5, 8, 3, 2),
    (1, 1): (0, 1, 5, 7, 5),
}
FITTED = [
    # family, link, thresholds, warm, contact, log of disc where warm, log likelihood
    ("ordinal", "logit", (-1.344383411, 1.250808798, 3.466886926, 5.006404204),
     2.503102008, 1.527797658, 0.0, -86.49192337),
    ("ordinal", "probit", (-0.7732627288, 0.7360214898, 2.0446804639, 2.9413449823),
     1.4993745784, 0.8677435389, 0.0, -85.76114836),
    # clm(rating ~ temp + contact, scale = ~temp): its log of the scale is minus that of disc.
    ("ordinal", "logit", (-1.35204176991, 1.27300175728, 3.61702305450, 5.29823628545),
     2.62941843044, 1.58784375509, -0.09535916685, -86.43946288),
    ("sratio", "logit", (-1.4820544982, 0.8929962466, 2.6771937943, 3.5464841576),
     2.2285558311, 1.2389481735, 0.0, -86.17970395),
    ("sratio", "cloglog", (-1.7400832137, 0.1564949149, 1.4561193739, 2.0523830132),
     1.6057601799, 0.8597099407, 0.0, -86.63407921),
    ("cratio", "probit", (-0.8554064978, 0.5312519311, 1.5868623835, 2.0998233234),
     1.3223398009, 0.7291553510, 0.0, -85.70042438),
    ("cratio", "cloglog", (-0.3854145572, 0.9844034524, 2.0279947117, 2.6039114455),
     1.3484158058, 0.7466440615, 0.0, -85.75022675),
]  # fmt: skip


@pytest.mark.parametrize(
    ("family", "link", "threshold", "warm", "contact", "disc", "expected"), FITTED
)
def test_ratings_of_wine(
    family: str, link: str, threshold: tuple[float, ...], warm: float, contact: float,
    disc: float, expected: float,
) -> None:  # fmt: skip
    rows = [(cell, rating, n) for cell, counts in COUNTS.items()
            for rating, n in enumerate(counts, 1)]  # fmt: skip
    is_warm, has_contact = np.array([cell for cell, _, _ in rows]).T
    y = np.array([[float(rating)] for _, rating, _ in rows])
    eta = (warm * is_warm + contact * has_contact)[:, None]
    own = {"threshold": np.array([threshold]), "disc": np.exp(disc * is_warm)[:, None]}
    found = find(family, link).log_density(y, eta, own)[:, 0]
    times = np.array([n for _, _, n in rows])
    assert times @ found == pytest.approx(expected, abs=1e-7)
