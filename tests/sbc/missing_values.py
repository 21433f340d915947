"""Calibration of models whose predictors have missing values, more often the larger the response.

As in `simulate`; ``python tests/sbc/missing_values.py`` adds missing replicates.
"""

import warnings

import numpy as np
import pandas as pd
from scene import Scene
from simulate import DRAWS, THIN, expit

import hiermix as hm

ROWS, LEVELS = 40, 6
CASES = {"missing gaussian": "gaussian", "missing bernoulli": "bernoulli"}
FORMULAS = ["y ~ 0 + one + mi(x) + z + (1 | g)", "x | mi() ~ 0 + one + z + (1 | g)"]
"""Without intercepts, whose priors would hold at means that are simulated too."""
PRIORS = {"b": "normal(0, 1)", "b_x": "normal(0, 1)", "sd": "exponential(2)",
          "sigma_x": "exponential(1)"}  # fmt: skip
RNG = np.random.default_rng(5)
Z, G = RNG.normal(size=ROWS), np.arange(ROWS) % LEVELS


def ranks(case: str, replicate: int) -> dict[str, int]:
    """Rank of every true value among the draws of one fit."""
    family = CASES[case]
    rng = np.random.default_rng([list(CASES).index(case), replicate, 9])
    b, b_x, sigma = rng.normal(size=3), rng.normal(size=2), rng.exponential(size=2)
    sd = rng.exponential(0.5, 2)
    r = sd[:, None] * rng.normal(size=(2, LEVELS))
    x = b_x[0] + b_x[1] * Z + r[1, G] + rng.normal(0, sigma[1], ROWS)
    eta = b[0] + b[1] * x + b[2] * Z + r[0, G]
    y = rng.normal(eta, sigma[0]) if family == "gaussian" else rng.random(ROWS) < expit(eta)
    gone = rng.random(ROWS) < expit(y - 1.0)
    gone[0], gone[1:4] = True, False
    data = pd.DataFrame({"y": y.astype(float), "x": np.where(gone, np.nan, x), "z": Z, "g": G})
    own = {"sigma": "exponential(1)"} if family == "gaussian" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = hm.Model(FORMULAS, data.assign(one=1.0), family=family, priors=PRIORS | own).fit(
            seed=replicate, chains=1, warmup=300, draws=DRAWS * THIN, engine="embedded", cores=1,
            progress=False, adapt_delta=0.9,
        )  # fmt: skip
    draws = fit.data.posterior.isel(chain=0)
    slopes, of_x = draws["b"].to_numpy(), draws["b_x"].to_numpy()
    sds = draws["sd_g"].to_numpy()
    true = {"b[x]": b[1], "b[z]": b[2], "b_x[z]": b_x[1], "sd": sd[0], "sd of x": sd[1],
            "sigma_x": sigma[1], "missing value": x[0]}  # fmt: skip
    terms = draws["term"].to_numpy().tolist()
    found = {"b[x]": slopes[:, terms.index("mi(x)")], "b[z]": slopes[:, terms.index("z")],
             "b_x[z]": of_x[:, 1], "sd": sds[:, 0], "sd of x": sds[:, 1],
             "sigma_x": draws["sigma_x"].to_numpy(),
             "missing value": draws["mi_x"].to_numpy()[:, 0]}  # fmt: skip
    return {key: int(np.sum(found[key][THIN - 1 :: THIN] < value)) for key, value in true.items()}


SCENE = Scene("missing_values", 100, tuple(CASES), ranks)


if __name__ == "__main__":
    SCENE.main()
