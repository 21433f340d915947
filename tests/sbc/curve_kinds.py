"""Calibration of Gaussian processes, and of curves of levels: their sds, lengths and values."""

import warnings

import numpy as np
import pandas as pd
from scene import Scene
from shared_parts import bends
from simulate import DRAWS, THIN, Array

import hiermix as hm

ROWS, LEVELS, KNOTS, COLUMNS, FACTOR = 60, 5, 4, 7, 1.5
PROCESS, CURVES = "hsgp(x, k=7)", "s(x, g, bs='fs', k=4)"
CASES = {
    "integrated process": ("gaussian", f"y ~ {PROCESS} + (1 | g)"),
    "sampled process": ("poisson", f"y ~ {PROCESS} + (1 | g)"),
    "integrated curves": ("gaussian", f"y ~ {CURVES}"),
    "sampled curves": ("poisson", f"y ~ {CURVES}"),
}
PRIORS = {"Intercept": "normal(0.3, 0.5)", "sd": "exponential(2)"}
RNG = np.random.default_rng(7)
X = RNG.uniform(0, 10, ROWS)
G = np.arange(ROWS) % LEVELS


def _waves() -> tuple[Array, Array]:
    """Columns of a process, and their frequencies."""
    middle, end = (X.min() + X.max()) / 2, FACTOR * (X.max() - X.min()) / 2
    frequency = np.pi * np.arange(1, COLUMNS + 1) / (2 * end)
    return np.sin(frequency * (X[:, None] - middle + end)) / np.sqrt(end), frequency


WAVES, FREQUENCY = _waves()
BENDS = bends(X, KNOTS)


def _process(rng: np.random.Generator) -> tuple[Array, dict[str, float]]:
    sd, length, of_g = rng.exponential(0.5), rng.lognormal(0.7, 0.5), rng.exponential(0.5)
    power = sd**2 * np.sqrt(2 * np.pi) * length * np.exp(-0.5 * (length * FREQUENCY) ** 2)
    curve = WAVES @ (np.sqrt(power) * rng.normal(size=COLUMNS))
    eta = curve + rng.normal(0, of_g, LEVELS)[G]
    return eta, {"sd_smooth": sd, "lengthscale": length, "sd_g": of_g}


def _curves(rng: np.random.Generator) -> tuple[Array, dict[str, float]]:
    sds = rng.exponential(0.5, 3) * [1, 0.2, 1]  # of slopes by a prior of their own
    intercept, slope = rng.normal(0, sds[0], LEVELS), rng.normal(0, sds[1], LEVELS)
    bends = rng.normal(0, sds[2], (LEVELS, BENDS.shape[1]))
    eta = intercept[G] + slope[G] * (X - X.mean()) + np.sum(BENDS * bends[G], axis=1)
    return eta, dict(zip(("sd_g", "sd_slope", "sd_bends"), sds.tolist(), strict=True))


def ranks(case: str, replicate: int) -> dict[str, int]:
    """Rank of every true value among the draws of one fit."""
    family, formula = CASES[case]
    rng = np.random.default_rng([list(CASES).index(case), replicate, 9])
    intercept, sigma = rng.normal(0.3, 0.5), rng.exponential(0.5)
    eta, true = (_process if PROCESS in formula else _curves)(rng)
    eta = intercept + eta
    y = rng.normal(eta, sigma) if family == "gaussian" else rng.poisson(np.exp(eta))
    own = {"sigma": "exponential(2)"} if family == "gaussian" else {}
    own |= ({"lengthscale": "lognormal(0.7, 0.5)"} if PROCESS in formula else
            {"sd[g, s(x, g)[linear]]": "exponential(10)"})  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = pd.DataFrame({"x": X, "g": G, "y": y})
        fit = hm.Model(formula, data, family=family, priors=PRIORS | own).fit(
            seed=replicate, chains=1, warmup=300, draws=DRAWS * THIN, engine="embedded", cores=1,
            progress=False, adapt_delta=0.9,
        )  # fmt: skip
        rows = fit.predict(kind="linear").isel(chain=0).transpose("draw", "row").to_numpy()
    draws = fit.data.posterior.isel(chain=0)
    true |= {"row 0": float(eta[0]), "row 31": float(eta[31])}
    found = {"row 0": rows[:, 0], "row 31": rows[:, 31], "sd_g": draws["sd_g"].to_numpy()[:, 0]}
    if PROCESS in formula:
        found |= {name: draws[name].to_numpy()[:, 0] for name in ("sd_smooth", "lengthscale")}
    else:
        found |= {name: draws["sd_g"].to_numpy()[:, place]
                  for place, name in ((1, "sd_slope"), (2, "sd_bends"))}  # fmt: skip
    if family == "gaussian":
        true["sigma"], found["sigma"] = sigma, draws["sigma"].to_numpy()
    return {key: int(np.sum(found[key][THIN - 1 :: THIN] < value)) for key, value in true.items()}


SCENE = Scene("curve_kinds", 100, tuple(CASES), ranks)


if __name__ == "__main__":
    SCENE.main()
