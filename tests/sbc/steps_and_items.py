"""Calibration of monotonic effects by group and in products, and of thresholds of each item."""

import warnings

import numpy as np
import pandas as pd
from scene import Scene
from scipy.special import expit
from simulate import DRAWS, THIN, Array

import hiermix as hm

ROWS, LEVELS = 80, 6
CASES = {
    "steps by group": ("poisson", "y ~ mo(o) * w + (mo(o) | g)"),
    "items": ("ordinal", "y | thres(gr=item) ~ w + (1 | g)"),
}
PRIORS = {"Intercept": "normal(0.3, 0.5)", "b": "normal(0, 0.3)", "sd": "exponential(2)",
          "cor": "lkj(2)", "threshold": "normal(0, 1)"}  # fmt: skip
RNG = np.random.default_rng(5)
W, STEP = RNG.normal(size=ROWS), RNG.permutation(np.arange(ROWS) % 4)
G, ITEM = np.arange(ROWS) % LEVELS, np.arange(ROWS) % 2
SIZES = np.array([4, 3])


def _steps(rng: np.random.Generator) -> tuple[Array, dict[str, float]]:
    """Responses, and true values by what draws of them are called."""
    sd, rho = rng.exponential(0.5, 2), 2 * rng.beta(2, 2) - 1
    L = sd[:, None] * np.array([[1, 0], [rho, np.sqrt(1 - rho**2)]])
    effects = rng.normal(size=(LEVELS, 2)) @ L.T
    (mean, by_w, slope), at = rng.normal(0, 0.3, 3), np.arange(1, 4)
    shares = rng.dirichlet(np.ones(3), 2)
    way = np.concatenate([[0], np.cumsum(3 * shares[0])])[STEP]
    columns = np.column_stack([W, STEP[:, None] >= at, (STEP[:, None] >= at) * W[:, None]])
    b = np.concatenate([[slope], mean * 3 * shares[0], by_w * 3 * shares[1]])
    eta = rng.normal(0.3, 0.5) + (columns - columns.mean(axis=0)) @ b
    eta = eta + effects[G, 0] + effects[G, 1] * way
    true = {"mo_o": mean, "mo_o:w": by_w, "simo_o[1]": shares[0, 0], "simo_o:w[2]": shares[1, 1],
            "sd_g[Intercept]": sd[0], "sd_g[mo(o)]": sd[1], "cor_g[Intercept, mo(o)]": rho,
            "r_g[0, mo(o)[1]]": effects[0, 1] * 3 * shares[0, 0]}  # fmt: skip
    return rng.poisson(np.exp(np.minimum(eta, 30))), true


def _items(rng: np.random.Generator) -> tuple[Array, dict[str, float]]:
    """The same: thresholds of their prior given their order, as seen at the mean of w."""
    sd, b = rng.exponential(0.5), rng.normal(0, 0.3)
    cuts = [np.sort(rng.normal(0, 1, size - 1)) for size in SIZES]
    effects = rng.normal(0, sd, LEVELS)
    eta = b * (W - W.mean()) + effects[G]
    y = np.array([1 + np.sum(rng.random() > expit(cuts[i] - e))
                  for i, e in zip(ITEM, eta, strict=True)])  # fmt: skip
    shift = b * W.mean()  # results have thresholds where w is zero
    true = {"b[w]": b, "sd_g[Intercept]": sd, "r_g[0, Intercept]": effects[0],
            "threshold[0, 1|2]": cuts[0][0] + shift, "threshold[0, 3|4]": cuts[0][2] + shift,
            "threshold[1, 2|3]": cuts[1][1] + shift}  # fmt: skip
    return y, true


def ranks(case: str, replicate: int) -> dict[str, int]:
    """Rank of every true value among the draws of one fit."""
    family, formula = CASES[case]
    place, attempt = list(CASES).index(case), 0
    while True:
        rng = np.random.default_rng([place, replicate, attempt, 8])
        y, true = _steps(rng) if case == "steps by group" else _items(rng)
        data = pd.DataFrame({"y": y, "w": W, "o": STEP, "g": G, "item": ITEM})
        # Data in which an item lacks a category are left out: of another model. What is left out
        # by the data alone leaves posteriors as they are.
        if family != "ordinal" or (data.groupby("item")["y"].nunique().to_numpy() == SIZES).all():
            break
        attempt += 1
    used = {name: text for name, text in PRIORS.items()
            if (name == "threshold") == (family == "ordinal") or name in ("b", "sd")}  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = hm.Model(formula, data, family=family, priors=used).fit(
            seed=replicate, chains=1, warmup=300, draws=DRAWS * THIN, engine="embedded", cores=1,
            progress=False, adapt_delta=0.9,
        )  # fmt: skip
    found = {name: fit[name].to_numpy()[0] for name in true}
    return {key: int(np.sum(found[key][THIN - 1 :: THIN] < value)) for key, value in true.items()}


SCENE = Scene("steps_and_items", 200, tuple(CASES), ranks)


if __name__ == "__main__":
    SCENE.main()
