"""Sums of simulated responses: those of rows that are drawn and added up densely, in law."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.statistics.simulated import simulated
from hiermix.statistics.summed import Statistics
from hiermix.typing import FloatArray

J, SIGMA, DRAWS = 6, 0.8, 2_000


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(51)
    g = rng.integers(0, J, 60)
    x, z = 5 + rng.normal(size=60), rng.normal(size=60)
    return pd.DataFrame({"g": g, "x": x, "z": z, "y": 30 + x + rng.normal(size=60)})


def ours(found: Statistics) -> FloatArray:
    """Every number of the sums in which the response stands."""
    each = found.sums
    return np.concatenate([each.Xte, each.Zte.ravel(), [each.ete]])


def dense(
    found: Statistics, X: FloatArray, Z: FloatArray, g: FloatArray, y: FloatArray
) -> FloatArray:
    """Return the same of responses (rows, draws)."""
    centre = found.centre
    X, Z = X - centre.pilot.center, Z - centre.z
    e = y - (X @ centre.pilot.b)[:, None]
    inside = (np.arange(len(found.levels))[:, None] == g).astype(float)
    Zte = np.einsum("jn,nq,ns->jqs", inside, Z, e)
    return np.vstack([X.T @ e, Zte.reshape(-1, y.shape[1]), np.sum(e**2, axis=0)])


@pytest.mark.parametrize(
    "formula",
    ["y ~ x + z + (1 + x | g)", "y ~ x + z", "y ~ x + (0 + z | g)", "y ~ 0 + x + (1 | g)"],
)
def test_means_and_covariances_are_those_of_rows(data: pd.DataFrame, formula: str) -> None:
    found = hm.statistics(formula, data)
    assert isinstance(found, Statistics)
    rng = np.random.default_rng(52)
    columns = {"Intercept": np.ones(len(data)), "x": data["x"], "z": data["z"]}
    labels = found.coding.plan.population.labels
    population = ["Intercept", *(each for each in labels if each != "Intercept")]
    b = np.array([2.0, 1.5, -0.7])[: len(population)] * [each in labels for each in population]
    specs = next(iter(found.coding.plan.effects.values()), ())
    varying = [label for spec in specs for label in spec.labels]
    r = rng.normal(size=(len(found.levels), len(varying)))
    X = np.column_stack([columns[each] for each in population])
    Z = np.column_stack([np.empty((len(data), 0)), *(columns[each] for each in varying)])
    g = data["g"].to_numpy()
    mean = X @ b + (np.sum(Z * r[g], axis=1) if varying else 0.0)
    y = mean[:, None] + SIGMA * rng.standard_normal((len(data), DRAWS))
    rows = dense(found, X, Z, g, y).T
    mine = np.array([ours(simulated(found, b, r, SIGMA, rng)) for _ in range(DRAWS)])
    spread, error = rows.std(axis=0, ddof=1), np.sqrt(2 / DRAWS)
    assert np.all(np.abs(mine.mean(axis=0) - rows.mean(axis=0)) < 5.5 * error * spread + 1e-9)
    assert np.allclose(mine.std(axis=0, ddof=1), spread, rtol=5.5 * error / np.sqrt(2), atol=1e-9)
    some = spread > 1e-9
    apart = np.corrcoef(mine[:, some].T) - np.corrcoef(rows[:, some].T)
    assert np.all(np.abs(apart) < 5.5 * error)
