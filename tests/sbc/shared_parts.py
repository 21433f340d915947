"""Calibration of rows that have something of many levels: smooths, and several memberships."""

import warnings

import numpy as np
import pandas as pd
from scene import Scene
from scipy.interpolate import CubicSpline
from simulate import DRAWS, THIN, Array

import hiermix as hm

ROWS, LEVELS, KNOTS = 60, 6, 7
CASES = {
    "integrated smooth": ("gaussian", "y ~ s(x, k=7) + (1 | g)"),
    "sampled smooth": ("poisson", "y ~ s(x, k=7) + (1 | g)"),
    "memberships": ("poisson", "y ~ w + (1 | mm(g, h))"),
}
PRIORS = {"Intercept": "normal(0.3, 0.5)", "b": "normal(0, 0.3)", "sd": "exponential(2)"}
RNG = np.random.default_rng(3)
X, W = RNG.gamma(2, 2, ROWS), RNG.normal(size=ROWS)
G = np.arange(ROWS) % LEVELS
H = (G + RNG.integers(1, LEVELS, ROWS)) % LEVELS


def bends(x: Array, number: int) -> Array:
    """Columns of what bends natural cubic splines of x, of one sd: by values at `number` knots."""
    known = np.unique(x)
    knots = np.interp(np.linspace(0, len(known) - 1, number), np.arange(len(known)), known)
    cardinal = CubicSpline(knots, np.eye(number), bc_type="natural")
    penalty, gaps = np.zeros((number, number)), np.diff(knots)
    for weight, at in ((1, knots[:-1]), (4, (knots[1:] + knots[:-1]) / 2), (1, knots[1:])):
        second = cardinal(at, 2)  # Simpson's rule is exact: its square is a parabola
        penalty += second.T @ (second * (weight * gaps / 6)[:, None])
    values, vectors = np.linalg.eigh(penalty)
    Z = cardinal(x) @ (vectors[:, 2:] / np.sqrt(values[2:]))
    line = np.column_stack([np.ones(len(x)), x])
    Z -= line @ np.linalg.lstsq(line, Z, rcond=None)[0]
    return Z / np.sqrt(np.sum(Z**2) / len(x))


BENDS = bends(X, KNOTS)


def ranks(case: str, replicate: int) -> dict[str, int]:
    """Rank of every true value among the draws of one fit."""
    family, formula = CASES[case]
    rng = np.random.default_rng([list(CASES).index(case), replicate, 6])
    sd, curve, sigma = rng.exponential(0.5, 3)
    intercept, b, r = rng.normal(0.3, 0.5), rng.normal(0, 0.3), rng.normal(0, sd, LEVELS)
    smooth = "s(x" in formula
    column = X if smooth else W
    bend = BENDS @ rng.normal(0, curve, BENDS.shape[1]) if smooth else np.zeros(ROWS)
    eta = intercept + b * (column - column.mean()) + bend
    eta = eta + (r[G] if smooth else (r[G] + r[H]) / 2)
    y = rng.normal(eta, sigma) if family == "gaussian" else rng.poisson(np.exp(eta))
    data = pd.DataFrame({"x": X, "w": W, "g": G, "h": H, "y": y})
    own = {"sigma": "exponential(2)"} if family == "gaussian" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = hm.Model(formula, data, family=family, priors=PRIORS | own).fit(
            seed=replicate, chains=1, warmup=300, draws=DRAWS * THIN, engine="embedded", cores=1,
            progress=False, adapt_delta=0.9,
        )  # fmt: skip
        rows = fit.predict(kind="linear").isel(chain=0).transpose("draw", "row").to_numpy()
    draws, name = fit.data.posterior.isel(chain=0), "g" if smooth else "mm(g, h)"
    true = {"b": b, "sd": sd, "effect": r[0], "row 0": eta[0], "row 31": eta[31]}
    found = {"b": draws["b"].to_numpy()[:, 0], "sd": draws[f"sd_{name}"].to_numpy()[:, 0],
             "effect": draws[f"r_{name}"].to_numpy()[:, 0, 0], "row 0": rows[:, 0],
             "row 31": rows[:, 31]}  # fmt: skip
    if smooth:
        true["sd_smooth"], found["sd_smooth"] = curve, draws["sd_smooth"].to_numpy()[:, 0]
    if own:
        true["sigma"], found["sigma"] = sigma, draws["sigma"].to_numpy()
    return {key: int(np.sum(found[key][THIN - 1 :: THIN] < value)) for key, value in true.items()}


SCENE = Scene("shared_parts", 100, tuple(CASES), ranks)


if __name__ == "__main__":
    SCENE.main()
