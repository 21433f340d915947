"""Calibration where the effects of one of several factors are integrated out, others sampled."""

import warnings

import numpy as np
import pandas as pd
from scene import Scene
from shared_parts import bends
from simulate import DRAWS, THIN, Array

import hiermix as hm

ROWS, LEVELS, OTHERS, KNOTS = 120, 50, 10, 6
CASES = {
    "crossed": "y ~ x + (1 + x | g) + (1 | h)",
    "crossed strata": "y ~ s(x, k=6) + (1 | gr(g, by=arm)) + (1 | h)",
}
PRIORS = {"Intercept": "normal(0.3, 0.7)", "b": "normal(0, 0.5)", "sd": "exponential(2)",
          "sigma": "exponential(2)"}  # fmt: skip
RNG = np.random.default_rng(11)
X, G, H = RNG.normal(size=ROWS), np.arange(ROWS) % LEVELS, RNG.integers(0, OTHERS, ROWS)
X -= X.mean()
BENDS = bends(X, KNOTS)


def ranks(case: str, replicate: int) -> dict[str, int]:
    """Rank of every true value among the draws of one fit."""
    rng = np.random.default_rng([list(CASES).index(case), replicate, 12])
    sd, sigma = rng.exponential(0.5, 3), rng.exponential(0.5)
    intercept, b, of_h = rng.normal(0.3, 0.7), rng.normal(0, 0.5), rng.normal(0, sd[2], OTHERS)
    noise, slopes = rng.normal(size=(LEVELS, 2)), case == "crossed"
    true = {"b": b, "sigma": sigma, "sd h": sd[2], "effect h": of_h[0]}
    eta = intercept + b * X + of_h[H]
    if slopes:
        cor = 2 * rng.beta(2, 2) - 1  # LKJ(2) of two effects
        own = np.sqrt(1 - cor**2) * noise[:, 1]
        r = np.column_stack([sd[0] * noise[:, 0], sd[1] * (cor * noise[:, 0] + own)])
        eta += r[G, 0] + r[G, 1] * X
        true |= {"cor": cor, "effect 1": r[0, 1]}
    else:
        curve, r = rng.exponential(0.5), noise[:, :1] * sd[np.arange(LEVELS) % 2, None]
        eta += BENDS @ rng.normal(0, curve, BENDS.shape[1]) + r[G, 0]
        true |= {"curve": curve}
    true |= {"sd 0": sd[0], "sd 1": sd[1], "effect 0": r[0, 0], "row 0": eta[0]}
    data = pd.DataFrame({"x": X, "g": G, "h": H, "y": rng.normal(eta, sigma)})
    data["arm"] = np.where(data["g"] % 2 == 0, "a", "b")
    priors = PRIORS | ({"cor": "lkj(2)"} if slopes else {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = hm.Model(CASES[case], data, priors=priors).fit(
            seed=replicate, chains=1, warmup=300, draws=DRAWS * THIN, engine="embedded", cores=1,
            progress=False, adapt_delta=0.9,
        )  # fmt: skip
    assert fit.data.attrs["program"] == "crossed"
    found = _draws(fit, data)
    return {key: int(np.sum(found[key][THIN - 1 :: THIN] < value)) for key, value in true.items()}


def _draws(fit: hm.Fit, data: pd.DataFrame) -> dict[str, Array]:
    """Draws of all quantities, as far as there are."""
    draws = fit.data.posterior.to_dataset().isel(chain=0)
    found = {"sigma": draws["sigma"], "b": draws["b"][:, 0], "sd h": draws["sd_h"][:, 0]}
    found |= {f"sd {k}": draws["sd_g"][:, k] for k in range(draws["sd_g"].shape[1])}
    r = draws["r_g"].sel(g=0)
    found |= {f"effect {k}": r[:, k] for k in range(r.shape[1])}
    found |= {"effect h": draws["r_h"].sel(h=0)[:, 0]}
    found |= {"row 0": fit.predict(data.head(1), kind="linear").isel(chain=0, row=0)}
    found |= {"curve": draws["sd_smooth"][:, 0]} if "sd_smooth" in draws else {}
    found |= {"cor": draws["cor_g"][:, 0]} if "cor_g" in draws else {}
    return {name: values.to_numpy() for name, values in found.items()}


SCENE = Scene("pair_sums", 200, tuple(CASES), ranks)


if __name__ == "__main__":
    SCENE.main()
