"""Answers about means of models whose residuals go together, for rows that name no position."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.errors import DataError


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    rng = np.random.default_rng(2)
    units, visits = np.repeat(np.arange(40), 3), np.tile(["a", "b", "c"], 40)
    data = pd.DataFrame({"x": rng.normal(size=120), "visit": visits, "id": units})
    data["arm"] = np.where(units % 2, "new", "old")
    data["y"] = 1 + 0.5 * data["x"] + (data["arm"] == "new") + rng.normal(size=(40, 3)).ravel()
    model = hm.Model("y ~ x + arm + unstr(visit, by=id)", data)
    return model.fit(seed=1, chains=2, warmup=300, draws=300, progress=False)


def test_means_and_comparisons_need_no_position(fit: hm.Fit) -> None:
    b = fit.data["posterior"]["b"]
    arm = b.sel(term="arm[T.old]").to_numpy().ravel()
    found = fit.comparisons(variables="arm").draws.to_numpy().ravel()
    np.testing.assert_allclose(abs(found.mean()), abs(arm.mean()), rtol=1e-6)
    means = fit.means("arm").table()["estimate"]
    np.testing.assert_allclose(abs(means.iloc[1] - means.iloc[0]), abs(arm.mean()), rtol=1e-6)
    new = pd.DataFrame({"x": [0.0, 1.0], "arm": "old"})
    linear = fit.predict(new, kind="mean").mean(("chain", "draw")).to_numpy()
    np.testing.assert_allclose(np.diff(linear), b.sel(term="x").mean(), rtol=1e-6)


def test_responses_need_one(fit: hm.Fit) -> None:
    with pytest.raises(DataError, match="the new rows lack 'visit'"):
        fit.predict(pd.DataFrame({"x": [0.0], "arm": "old"}), kind="response")
