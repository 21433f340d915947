"""Equations of every parameter of every family: nothing depends on where their predictors lie."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

import hiermix as hm

EQUATIONS = {
    "gaussian": ("y", "sigma"),
    "student_t": ("y", "sigma", "nu"),
    "skew_normal": ("y", "sigma", "alpha"),
    "exgaussian": ("y", "sigma", "beta"),
    "lognormal": ("time", "sigma"),
    "shifted_lognormal": ("time", "sigma", "ndt"),
    "gamma": ("time", "shape"),
    "tweedie": ("paid", "phi"),
    "hurdle_gamma": ("paid", "shape", "hu"),
    "hurdle_lognormal": ("paid", "sigma", "hu"),
    "beta": ("share", "phi"),
    "zero_inflated_beta": ("part", "phi", "zi"),
    "zero_one_inflated_beta": ("whole", "phi", "zoi", "coi"),
    "weibull": ("time", "shape"),
    "inverse_gaussian": ("time", "shape"),
    "von_mises": ("angle", "kappa"),
    "bernoulli": ("right", "disc"),
    "binomial": ("k | trials(12)", "disc"),
    "beta_binomial": ("k | trials(12)", "phi"),
    "zero_inflated_binomial": ("k | trials(12)", "zi"),
    "negative_binomial": ("count", "shape"),
    "zero_inflated_poisson": ("count", "zi"),
    "zero_inflated_negative_binomial": ("count", "shape", "zi"),
    "hurdle_poisson": ("count", "hu"),
    "hurdle_negative_binomial": ("count", "shape", "hu"),
    "ordinal": ("grade", "disc"),
    "sratio": ("grade", "cs1", "disc"),
    "cratio": ("grade", "cs2"),
    "acat": ("grade", "cs1", "cs3"),
    "categorical": ("kind", "c"),
}


def frame(rows: int = 200) -> pd.DataFrame:
    """Responses of all kinds, whose location follows x and whose zeros follow w."""
    rng = np.random.default_rng(6)
    x, w = rng.normal(size=(2, rows))
    none, eta = rng.random(rows) < special.expit(w - 1.5), 0.5 * x
    time = 0.5 + rng.gamma(3, np.exp(eta) / 3)
    share = special.expit(eta + 0.5 * rng.normal(size=rows))
    latent = eta + rng.logistic(size=rows)
    return pd.DataFrame({
        "x": x, "w": w, "y": eta + rng.normal(size=rows), "time": time,
        "paid": np.where(none, 0, time), "share": share, "part": np.where(none, 0, share),
        "whole": np.where(none, rng.integers(0, 2, rows), share),
        "angle": 2 * np.arctan(eta) + 0.2 * rng.normal(size=rows),
        "right": (latent > 0).astype(int), "k": np.where(none, 0, rng.binomial(12, share)),
        "count": np.where(none, 0, rng.poisson(2 * np.exp(eta))),
        "grade": np.digitize(latent, [-1, 0, 1]) + 1, "kind": rng.choice(list("abc"), rows),
    })  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:draws from the normal distribution at the mode")
@pytest.mark.parametrize("family", EQUATIONS)
def test_rows_are_as_likely_wherever_predictors_lie(family: str) -> None:
    """Draws are as good as the same: their log density may differ by its Monte-Carlo error."""
    response, *parameters = EQUATIONS[family]
    formulas = [f"{response} ~ x", *(f"{each} ~ w" for each in parameters)]
    rows = frame()
    each = []
    for x, w, scale in ((0.0, 0.0, 1.0), (500.0, -300.0, 1.0), (0.0, 20.0, 1e-3)):
        moved = rows.assign(x=scale * rows["x"] + x, w=scale * rows["w"] + w)
        fit = hm.Model(formulas, moved, family=family).fit(algorithm="laplace", seed=1, draws=200)
        each.append(fit.log_likelihood().sum("row").to_numpy().ravel())
    for other in each[1:]:
        error = np.sqrt((each[0].var() + other.var()) / each[0].size)
        assert abs(other.mean() - each[0].mean()) < 6 * error
