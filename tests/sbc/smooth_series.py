"""Calibration of smooths and of factors around series, which are integrated out in one block.

``python tests/sbc/smooth_series.py`` adds missing replicates.
"""

import warnings

import numpy as np
import pandas as pd
from scene import Scene
from shared_parts import bends
from simulate import DRAWS, THIN, Array

import hiermix as hm

UNITS, TIMES, SITES, KNOTS = 12, 6, 4, 5
FORMULA = "y ~ s(x, k=5) + (1 | site) + (1 | g) + ar(t, by=g)"
PRIORS = {
    "Intercept": "normal(0.3, 0.7)", "b": "normal(0, 0.2)", "sd": "exponential(2)",
    "sd_smooth": "exponential(2)", "sigma": "exponential(1)",
    "rho": "normal(0.2, 0.5, lower=-1, upper=1)",
}  # fmt: skip
RNG = np.random.default_rng(11)
G, T = np.divmod(np.arange(UNITS * TIMES), TIMES)
X = RNG.uniform(0, 10, len(G))
BENDS = bends(X, KNOTS)


def _rho(rng: np.random.Generator) -> float:
    value = rng.normal(0.2, 0.5)
    return value if -1 < value < 1 else _rho(rng)


def _residuals(rng: np.random.Generator, sigma: float, rho: float) -> Array:
    found = sigma * rng.normal(size=(UNITS, TIMES))
    for t in range(1, TIMES):
        found[:, t] = rho * found[:, t - 1] + np.sqrt(1 - rho**2) * found[:, t]
    return found.ravel()


def ranks(case: str, replicate: int) -> dict[str, int]:
    """Rank of every true value among the draws of one fit."""
    rng = np.random.default_rng([replicate, 41])
    intercept, slope = rng.normal(0.3, 0.7), rng.normal(0, 0.2)
    of_site, of_g, bent = rng.exponential(0.5, 3)
    sigma, rho = rng.exponential(1.0), _rho(rng)
    mu = intercept + slope * (X - X.mean()) + BENDS @ rng.normal(0, bent, BENDS.shape[1])
    mu += rng.normal(0, of_site, SITES)[G % SITES] + rng.normal(0, of_g, UNITS)[G]
    true = {"sd_site": of_site, "sd_g": of_g, "sd_smooth": bent, "sigma": sigma, "rho": rho,
            "b": slope, "row 0": mu[0], "row 31": mu[31]}  # fmt: skip
    y = mu + _residuals(rng, sigma, rho)
    data = pd.DataFrame({"x": X, "t": T, "g": G, "site": G % SITES, "y": y})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = hm.Model(FORMULA, data, priors=PRIORS).fit(
            seed=replicate, chains=1, warmup=300, draws=DRAWS * THIN, engine="embedded", cores=1,
            progress=False, adapt_delta=0.9,
        )  # fmt: skip
        rows = fit.predict(kind="linear").isel(chain=0).transpose("draw", "row").to_numpy()
    draws = fit.data.posterior.isel(chain=0)
    found = {"row 0": rows[:, 0], "row 31": rows[:, 31]}
    found |= {name: draws[name].to_numpy() for name in ("sigma", "rho")}
    several = ("sd_site", "sd_g", "sd_smooth", "b")
    found |= {name: draws[name].to_numpy()[:, 0] for name in several}
    return {key: int(np.sum(found[key][THIN - 1 :: THIN] < value)) for key, value in true.items()}


SCENE = Scene("smooth_series", 200, ("autoregressive",), ranks)


if __name__ == "__main__":
    SCENE.main()
