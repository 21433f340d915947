"""Calibration by simulation: intervals cover at their rate, for later rows and for new groups.

The simulator is written in numpy, apart from hiermix. Coverage of one data set is an average of
dependent rows, so the error of the rate is taken between data sets.
"""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm

SETS = 120
GROUPS, TIMES, LATER, NEW = 12, 6, 3, 6
FORMULA = "y ~ t + (1 + t | g)"
PRIORS = {
    "Intercept": "normal(0, 5)",
    "b": "normal(0, 1)",
    "sd[g, Intercept]": "normal(0, 2)",
    "sd[g, t]": "normal(0, 0.5)",
    "sigma": "exponential(1)",
    "cor[g]": "lkj(1)",
}
"""The prior that data are drawn from: with the same one, coverage is exact on average."""


def simulate(rng: np.random.Generator) -> pd.DataFrame:
    """Groups with intercepts and slopes in t, every parameter drawn from `PRIORS`."""
    slope = rng.normal(0, 1)
    # The prior of the intercept is that at the mean of the fitted times.
    intercept = rng.normal(0, 5) - slope * (TIMES - 1) / 2
    sd = np.abs(rng.normal(0, [2.0, 0.5]))
    cor = rng.uniform(-1, 1)
    cov = np.outer(sd, sd) * np.array([[1, cor], [cor, 1]])
    r = rng.multivariate_normal([0, 0], cov, size=GROUPS + NEW)
    sigma = rng.exponential(1)
    g, t = np.divmod(np.arange((GROUPS + NEW) * (TIMES + LATER)), TIMES + LATER)
    mean = intercept + r[g, 0] + (slope + r[g, 1]) * t
    y = mean + sigma * rng.standard_normal(len(g))
    return pd.DataFrame({"y": y, "t": t, "g": [f"g{k:02d}" for k in g]})


@pytest.fixture(scope="module")
def coverage() -> pd.DataFrame:
    """Shares held by 50 % and 90 % intervals, a row for every data set."""
    found = []
    for seed in range(SETS):
        data = simulate(np.random.default_rng([7, seed]))
        old = data["g"] < f"g{GROUPS:02d}"
        past = data[old & (data["t"] < TIMES)]
        later = data[old & (data["t"] >= TIMES)]
        fit = hm.Model(FORMULA, past, priors=PRIORS).fit(
            seed=seed, chains=2, warmup=300, draws=400, progress=False
        )
        found.append(
            shares(fit, later, "later", "error") | shares(fit, data[~old], "new", "sample")
        )
    return pd.DataFrame(found)


def shares(fit: hm.Fit, rows: pd.DataFrame, name: str, policy: str) -> dict[str, float]:
    ends = fit.predict(
        rows, kind="response", new_groups=policy, quantiles=[0.05, 0.25, 0.75, 0.95]
    ).to_numpy()
    y = rows["y"].to_numpy()
    return {
        f"{name} 50": float(np.mean((ends[1] <= y) & (y <= ends[2]))),
        f"{name} 90": float(np.mean((ends[0] <= y) & (y <= ends[3]))),
    }


@pytest.mark.slow
@pytest.mark.parametrize("which", ["later", "new"])
@pytest.mark.parametrize("nominal", [50, 90])
def test_intervals_cover_at_their_rate(coverage: pd.DataFrame, which: str, nominal: int) -> None:
    found = coverage[f"{which} {nominal}"]
    error = found.std() / np.sqrt(len(found))
    # 400 draws a chain: interval ends are themselves known to about 1 % of probability.
    assert abs(found.mean() - nominal / 100) < 3.5 * error + 0.005
