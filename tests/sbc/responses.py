"""Calibration of several Gaussian responses, each missing in some rows."""

import warnings

import numpy as np
import pandas as pd
from scene import Scene
from simulate import DRAWS, THIN

import hiermix as hm

ROWS, LEVELS = 40, 6
CASES = {
    "two responses": ["y1 ~ x + (1 | p | g)", "y2 ~ x + (1 | p | g)"],
    "without groups": ["y1 ~ x", "y2 ~ x"],
}
PRIORS = {"Intercept": "normal(0.3, 0.5)", "b": "normal(0, 0.3)",
          "sd_residual[y1]": "exponential(2)", "sd_residual[y2]": "exponential(1)",
          "cor_residual": "lkj(1)"}  # fmt: skip
OF_GROUPS = {"sd": "exponential(2)", "cor": "lkj(1)"}
RNG = np.random.default_rng(4)
X, G = RNG.gamma(2, 2, ROWS), np.arange(ROWS) % LEVELS
MISSING = np.zeros((ROWS, 2), dtype=bool)
MISSING[:8, 0], MISSING[8:14, 1] = True, True


def correlated(sd: np.ndarray, cor: float) -> np.ndarray:
    """Covariance of two numbers."""
    return np.outer(sd, sd) * np.array([[1, cor], [cor, 1]])


def ranks(case: str, replicate: int) -> dict[str, int]:
    """Rank of every true value among the draws of one fit."""
    rng = np.random.default_rng([list(CASES).index(case), replicate, 8])
    grouped = case == "two responses"
    sigma, sd = rng.exponential([0.5, 1.0]), rng.exponential(0.5, 2) * grouped
    rho, cor = rng.uniform(-1, 1, 2)
    intercept, b = rng.normal(0.3, 0.5, 2), rng.normal(0, 0.3, 2)
    r = rng.multivariate_normal(np.zeros(2), correlated(sd, cor), LEVELS)
    centre = np.array([X[~MISSING[:, k]].mean() for k in range(2)])
    eta = intercept + b * (X[:, None] - centre) + r[G]
    y = eta + rng.multivariate_normal(np.zeros(2), correlated(sigma, rho), ROWS)
    y[MISSING] = np.nan
    data = pd.DataFrame({"y1": y[:, 0], "y2": y[:, 1], "x": X, "g": G})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = hm.Model(CASES[case], data, priors=PRIORS | (OF_GROUPS if grouped else {})).fit(
            seed=replicate, chains=1, warmup=300, draws=DRAWS * THIN, engine="embedded", cores=1,
            progress=False, adapt_delta=0.9,
        )  # fmt: skip
        rows = fit.predict(data.iloc[[0, 9, 30]]).isel(chain=0).transpose("draw", "row", ...)
    draws = fit.data.posterior.isel(chain=0)
    true = {"b1": b[0], "b2": b[1], "sigma1": sigma[0], "sigma2": sigma[1], "rho": rho,
            "row 0": eta[0, 0], "row 9": eta[9, 1], "row 30": eta[30, 1]}  # fmt: skip
    found = {
        "b1": draws["b_y1"][:, 0], "b2": draws["b_y2"][:, 0],
        "sigma1": draws["sd_residual"][:, 0], "sigma2": draws["sd_residual"][:, 1],
        "rho": draws["cor_residual"][:, 0],
        "row 0": rows[:, 0, 0], "row 9": rows[:, 1, 1], "row 30": rows[:, 2, 1],
    }  # fmt: skip
    if grouped:
        true |= {"sd1": sd[0], "sd2": sd[1], "cor": cor, "effect": r[0, 1]}
        found |= {"sd1": draws["sd_g"][:, 0], "sd2": draws["sd_g"][:, 1],
                  "cor": draws["cor_g"][:, 0], "effect": draws["r_g"][:, 0, 1]}  # fmt: skip
    return {key: int(np.sum(found[key].to_numpy()[THIN - 1 :: THIN] < value))
            for key, value in true.items()}  # fmt: skip


SCENE = Scene("responses", 200, tuple(CASES), ranks)


if __name__ == "__main__":
    SCENE.main()
