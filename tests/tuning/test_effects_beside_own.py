"""Group effects follow the family's own parameters: beside the closed form of lognormal rows."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.families import soft_ends
from hiermix.tuning.coordinates import Coordinates
from hiermix.tuning.own_beside_population import bounded


def frame(rows: int = 160) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    g = rng.integers(0, 9, rows)
    x, u = rng.normal(size=rows), 0.5 * rng.normal(size=9)
    y = 0.3 + np.exp(0.2 + 0.3 * x + u[g] + 0.4 * rng.normal(size=rows))
    return pd.DataFrame({"y": y, "x": x, "g": g})


def test_they_move_as_the_residuals_of_their_rows_do() -> None:
    """Z'e / sigma^2 of each level, where e = log(y - ndt) moves with the coordinate of ndt."""
    rows = frame()
    model = hm.Model("y ~ x + (x || g)", rows, family="shifted_lognormal")
    data = model.stan_data()
    log_sigma, at = data["center"][2:4]
    first, variance = rows["y"].min(), np.exp(2 * log_sigma)

    def ndt_of(t: float) -> float:
        return float(soft_ends.inside(np.array(t), 0.0, first, 0.2 * first))

    ndt, slope = ndt_of(at), (ndt_of(at + 1e-5) - ndt_of(at - 1e-5)) / 2e-5
    residual = -slope / (rows["y"] - ndt)  # how log(y - ndt) moves with ndt's coordinate
    Z = np.stack([np.ones(len(rows)), rows["x"]], axis=1)
    g = rows["g"].to_numpy()
    of_ndt = np.stack([Z[g == j].T @ residual[g == j] / variance for j in range(9)])
    np.testing.assert_allclose(data["along_own"][:, 1::2], of_ndt, rtol=1e-4)


def test_they_hold_still_where_the_fit_has_no_peak() -> None:
    """What both tell each other can't be more than either knows."""
    one = Coordinates(np.zeros(1), np.eye(1))
    assert bounded(one, one, np.full((1, 1), 0.9))
    assert not bounded(one, one, np.full((1, 1), 1.1))
    assert bounded(one, Coordinates(np.zeros(0), np.zeros((0, 0))), np.zeros((1, 0)))


@pytest.mark.parametrize("how", ["centered", "noncentered"])
def test_they_hold_still_in_coordinates_that_data_do_not_tune(how: Any) -> None:
    model = hm.Model("y ~ x + (1 | g)", frame(), family="gamma", parameterisation=how)
    assert model.stan_data()["own_moving"] == 0


def test_numbers_pushed_away_from_the_ends_are_between_them() -> None:
    t = np.linspace(-2.0, 4.0, 25)
    inside = soft_ends.inside(t, 0.5, 2.0, 0.3)
    assert ((inside > 0.5) & (inside < 2.0)).all()
    back = [soft_ends.outside(float(each), 0.5, 2.0, 0.3) for each in inside[8:17]]
    np.testing.assert_allclose(back, t[8:17], atol=1e-12)
    steps = [soft_ends.inside(t + by, 0.5, 2.0, 0.3) for by in (-1e-5, 1e-5)]
    np.testing.assert_allclose(
        soft_ends.log_slope(t, 0.5, 2.0, 0.3), np.log((steps[1] - steps[0]) / 2e-5), atol=1e-4
    )
    assert soft_ends.outside(9.0, 0.5, 2.0, 0.3) > 2.0


@pytest.mark.slow
def test_a_shift_that_is_known_costs_no_effective_draws() -> None:
    """Reaction times of twelve persons at default settings, eight seeds."""
    from arviz_stats import ess

    rng = np.random.default_rng(7)
    g, x = np.arange(240) % 12, rng.normal(size=240)
    u = 0.3 * rng.normal(size=12)
    y = 0.25 + np.exp(-0.7 + 0.4 * x + u[g] + 0.4 * rng.normal(size=240))
    model = hm.Model(
        "y ~ x + (1 | g)", pd.DataFrame({"y": y, "x": x, "g": g}), family="shifted_lognormal"
    )
    for seed in range(8):
        fit = model.fit(seed=seed, progress=False)
        assert not fit.data.sample_stats["diverging"].any()
        for name in ("Intercept", "b", "sigma", "ndt", "sd_g"):
            assert float(np.min(ess(fit.data.posterior[name], method="bulk"))) > 1500, name
