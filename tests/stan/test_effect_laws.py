"""Effects that are not alike and independent: log density of the programs against scipy."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.engines.embedded import Embedded
from tests.stan.test_gaussian_density import POINTS, PRIORS, compare_gradient, reference

STRATA = {
    "intercepts": ("y ~ x + (1 | gr(g, by=f))", (1, 1, 1)),
    "slopes": ("y ~ x + (x | gr(g, by=f))", (2, 2, 2)),
    "apart": ("y ~ x + (x || gr(g, by=f))", (1,) * 6),
}


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    g = rng.integers(0, 9, 60)
    x = rng.normal(3, 2, 60)
    y = 1 + 0.5 * x + rng.normal(size=9)[g] + rng.normal(size=60)
    return pd.DataFrame(
        {"y": y, "x": x, "g": [f"g{i}" for i in g], "f": np.array(list("abc"))[g % 3]}
    )


@pytest.mark.parametrize("case", STRATA)
def test_a_spread_for_each_stratum(case: str) -> None:
    formula, blocks = STRATA[case]
    data = frame()
    priors = PRIORS | ({"cor": "lkj(1.7)"} if max(blocks) > 1 else {})
    model = hm.Model(formula, data, priors=priors)
    assert model.program_name == "random_slope"
    plain = np.column_stack([np.ones(60), data["x"]])[:, : sum(blocks) // 3]
    Z = np.hstack([plain * (data["f"] == each).to_numpy()[:, None] for each in "abc"])
    handed = model.stan_data()
    points = np.random.default_rng(5).normal(0, 1.5, (POINTS, int(handed["D"])))
    found, gradient = Embedded().log_density(model._posterior.program, handed, points)
    expected = [reference(model, point, blocks, 1.7, Z) for point in points]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    compare_gradient(model, points[:5], gradient[:5])
