"""Calibration of models of categories and of discriminations, two equations and more.

As in `simulate`; ``python tests/sbc/categories.py`` adds missing replicates.
"""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scene import Scene
from simulate import DRAWS, PRIORS, THIN, Array, Rng, expit

import hiermix as hm

ROWS, LEVELS = 80, 8
LOG_DISC = 0.4
"""Sd of the priors of slopes of a log discrimination."""

type Quantities = Callable[[hm.Fit], dict[str, Array]]
type Simulated = tuple[dict[str, float], pd.DataFrame, dict[str, Any], Quantities]
"""True values, rows, what a model of them is told, and the draws of the same quantities."""


def ranks(case: str, replicate: int) -> dict[str, int]:
    """Rank of every true value among the draws of one fit."""
    true, data, options, named = CASES[case](np.random.default_rng([*case.encode(), replicate]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = hm.Model(data=data, **options).fit(
            seed=replicate, chains=1, warmup=300, draws=DRAWS * THIN, engine="embedded", cores=1,
            progress=False, adapt_delta=0.9,
        )  # fmt: skip
    found = named(fit)
    return {key: int(np.sum(found[key][THIN - 1 :: THIN] < value)) for key, value in true.items()}


def _effects(rng: Rng) -> tuple[Array, float, Array]:
    """Sds, correlation and effects of two that vary together: LKJ(2) of two is a beta law."""
    sd, cor = rng.exponential(0.4, 2), 2 * rng.beta(2, 2) - 1
    L = np.array([[1, 0], [cor, np.sqrt(1 - cor**2)]])
    return sd, cor, rng.normal(size=(LEVELS, 2)) @ (sd[:, None] * L).T


def _discriminating(rng: Rng, *, ordered: bool) -> Simulated:
    x, g = rng.normal(size=ROWS), np.arange(ROWS) % LEVELS
    sd, cor, r = _effects(rng)
    b, slope = rng.normal(0, 0.7), rng.normal(0, LOG_DISC)
    disc = np.exp(slope * (x > 0) + r[g, 1])
    centred = x - x.mean()
    true = {"b": b, "b_disc": slope, "sd": sd[0], "sd of disc": sd[1], "cor": cor,
            "effect": r[0, 0], "effect of disc": r[0, 1]}  # fmt: skip
    priors = {"b": PRIORS["b"], "b_disc": f"normal(0, {LOG_DISC})", "sd": PRIORS["sd"],
              "cor": PRIORS["cor"]}  # fmt: skip
    data = pd.DataFrame({"x": x, "g": g, "above": (x > 0).astype(int)})
    if ordered:
        threshold = np.sort(rng.normal(0, 1.5, 3))
        below = expit(disc[:, None] * (threshold - (b * centred + r[g, 0])[:, None]))
        data["y"] = 1 + (rng.random(ROWS)[:, None] > below).sum(axis=1)
        if data["y"].nunique() < 4:
            return _discriminating(rng, ordered=ordered)
        priors["threshold"] = "normal(0, 1.5)"
        true |= {f"threshold {k}": float(each) for k, each in enumerate(threshold + b * x.mean())}
    else:
        intercept = rng.normal(0.4, 0.7)
        p = expit(disc * (intercept + b * centred + r[g, 0]))
        data["y"] = (rng.random(ROWS) < p).astype(int)
        priors["Intercept"] = PRIORS["Intercept"]
        true["Intercept"] = intercept - b * x.mean()
    options = {
        "formula": ["y ~ x + (1 | p | g)", "disc ~ 0 + above + (1 | p | g)"],
        "family": "ordinal" if ordered else "bernoulli",
        "priors": priors,
    }

    def named(fit: hm.Fit) -> dict[str, Array]:
        draws = fit.data.posterior.isel(chain=0)
        found = {"b": draws["b"][:, 0], "b_disc": draws["b_disc"][:, 0],
                 "sd": draws["sd_g"][:, 0], "sd of disc": draws["sd_g"][:, 1],
                 "cor": draws["cor_g"][:, 0], "effect": draws["r_g"][:, 0, 0],
                 "effect of disc": draws["r_g"][:, 0, 1]}  # fmt: skip
        if ordered:
            found |= {f"threshold {k}": draws["threshold"][:, k] for k in range(3)}
        else:
            found["Intercept"] = draws["Intercept"]
        return {key: values.to_numpy() for key, values in found.items()}

    return true, data, options, named


CASES: dict[str, Callable[[Rng], Simulated]] = {
    "bernoulli disc": partial(_discriminating, ordered=False),
    "ordinal disc": partial(_discriminating, ordered=True),
}
SCENE = Scene("categories", 100, tuple(CASES), ranks)


if __name__ == "__main__":
    SCENE.main()
