"""Answers about means of models whose residuals go together, for rows that name no position."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.errors import DataError
from hiermix.posterior import no_pooling


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


@pytest.mark.parametrize("residuals", ["unstr(visit, by=id)", "ar(visit, by=id)"])
def test_a_group_alone_is_its_generalised_least_squares(residuals: str) -> None:
    rng = np.random.default_rng(5)
    law = np.array([[1.0, 0.7, 0.5], [0.7, 1.4, 0.8], [0.5, 0.8, 2.0]])
    data = pd.DataFrame({"id": np.repeat(np.arange(24), 3), "visit": np.tile([0, 1, 2], 24)})
    data["site"], data["x"] = data["id"] // 4, rng.normal(size=72)
    noise = rng.multivariate_normal(np.zeros(3), law, 24)
    data["y"] = 1 + data["x"] + (data["site"] - 2.5) + noise.ravel()
    data = data[rng.random(72) > 0.1]
    fit = hm.Model(f"y ~ x + (1 | site) + {residuals}", data).fit(
        seed=1, chains=1, warmup=200, draws=50, progress=False
    )
    medians = fit.data["posterior"].to_dataset().median(("chain", "draw"))
    if residuals.startswith("ar"):
        apart = np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
        R = float(medians["sigma"]) ** 2 * float(medians["rho"]) ** apart
    else:
        R = np.eye(3)
        R[[0, 0, 1], [1, 2, 2]] = R[[1, 2, 2], [0, 0, 1]] = [
            float(fit[f"cor_residual[{pair}]"].median()) for pair in ("0, 1", "0, 2", "1, 2")
        ]
        R *= np.outer(medians["sd_residual"], medians["sd_residual"])
    slope = float(fit["b[x]"].mean())
    expected = []
    for _, rows in data.groupby("site"):
        top = bottom = 0.0
        for _, unit in rows.groupby("id"):
            precision = np.linalg.inv(R[np.ix_(unit["visit"], unit["visit"])])
            top += precision.sum(axis=0) @ (unit["y"] - slope * unit["x"])
            bottom += precision.sum()
        expected.append(top / bottom)
    found = no_pooling.per_group(fit.posterior, "site")[:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    fit.plot_shrinkage("site")
