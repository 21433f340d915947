"""Calibration of slopes that are shrunk: ``n ~ x + w + v + (1 | g)`` of counts.

The units of counts don't hang on the response, so that the prior is known before the data.
"""

import warnings

import numpy as np
import pandas as pd
from scene import Scene
from simulate import DRAWS, THIN, Array, Rng

import hiermix as hm

ROWS, LEVELS = 60, 6
PRIORS = {"horseshoe": "horseshoe(3, 0.3, 4, 1, 6)", "r2d2": "r2d2(0.3, 5, 0.8)"}
X = np.random.default_rng(1).normal(size=(ROWS, 3)) * [1, 2, 0.5]


def ranks(case: str, replicate: int) -> dict[str, int]:
    """Rank of every true value among the draws of one fit."""
    rng = np.random.default_rng([list(PRIORS).index(case), replicate, 5])
    sds, true = _drawn(case, rng)
    b, sd, intercept = rng.normal(0, sds), rng.exponential(0.4), rng.normal(0.5, 0.5)
    g, r = np.arange(ROWS) % LEVELS, rng.normal(0, sd, LEVELS)
    eta = intercept + (X - X.mean(axis=0)) @ b + r[g]
    data = pd.DataFrame(X, columns=list("xwv")).assign(g=g, n=rng.poisson(np.exp(eta)))
    priors = {"b": PRIORS[case], "Intercept": "normal(0.5, 0.5)", "sd": "exponential(2.5)"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = hm.Model("n ~ x + w + v + (1 | g)", data, family="poisson", priors=priors).fit(
            seed=replicate, chains=1, warmup=300, draws=DRAWS * THIN, engine="embedded", cores=1,
            progress=False, adapt_delta=0.9,
        )  # fmt: skip
    draws = fit.data.posterior.to_dataset().isel(chain=0)
    true |= {f"b {k}": b[k] for k in range(3)} | {f"b_sd {k}": sds[k] for k in range(3)}
    true |= {"sd": sd, "effect": r[0]}
    found = {name: draws[name].to_numpy() for name in true if name in draws}
    found |= {f"{name} {k}": draws[name].to_numpy()[:, k] for name in ("b", "b_sd")
              for k in range(3)}  # fmt: skip
    found |= {"sd": draws["sd_g"].to_numpy()[:, 0], "effect": draws["r_g"].to_numpy()[:, 0, 0]}
    return {key: int(np.sum(found[key][THIN - 1 :: THIN] < value)) for key, value in true.items()}


def _drawn(case: str, rng: Rng) -> tuple[Array, dict[str, float]]:
    """Prior sds of the slopes, and the global parameters that they follow from."""
    unit = 1 / X.std(axis=0)
    if case == "horseshoe":
        tau, lam = 0.3 * abs(rng.standard_t(4)), np.abs(rng.standard_t(3, 3))
        slab = 1 / np.sqrt(rng.gamma(3, 1 / 3))
        free = tau * lam
        sds = slab * free / np.sqrt(slab**2 + free**2)
        return unit * sds, {"horseshoe_global": tau, "horseshoe_slab": slab}
    r2 = rng.beta(1.5, 3.5)
    return unit * np.sqrt(r2 / (1 - r2) * rng.dirichlet([0.8] * 3)), {"r2d2_R2": r2}


SCENE = Scene("shrunk", 100, tuple(PRIORS), ranks)


if __name__ == "__main__":
    SCENE.main()
