"""Calibration of rows that are not independent given the effects, or not of one spread.

Residuals are simulated by their recursion (autoregressive) or by a factor of their covariance.
``python tests/sbc/residual_patterns.py`` adds missing replicates.
"""

import warnings

import numpy as np
import pandas as pd
from scene import Scene
from simulate import DRAWS, THIN, Array, Rng

import hiermix as hm

CASES = {
    "strata": ["y ~ x + (1 + x | g)", "sigma ~ arm"],
    "autoregressive": "y ~ x + ar(t, by=unit) + (1 | g)",
    "autoregressive uneven": "y ~ x + ar(t, by=unit) + (1 | g)",
    "unstructured": "y ~ x + unstr(v, by=unit) + (1 | g)",
    "strata_beside": ["y ~ x + (1 | g)", "sigma ~ arm + (1 | g)"],
    "autoregressive strata": ["y ~ x + ar(t, by=unit) + (1 | g)", "sigma ~ arm"],
    "unstructured strata": ["y ~ x + unstr(v, by=unit) + (1 | g)", "sigma ~ arm"],
    "strata_beside and a block": ["y ~ x + (1 | g) + (1 | v)", "sigma ~ arm + (1 | g)"],
}
UNITS, VISITS, LEVELS, SLOPE_SD = 20, 3, 6, 0.7
PRIORS = {"Intercept": "normal(0.3, 0.7)", "b": "normal(0, 0.7)", "sd": "exponential(2)"}
OWN = {
    "strata": {"Intercept_sigma": "normal(-0.3, 0.5)", "b_sigma": "normal(0, 0.5)",
               "cor": "lkj(2)"},
    "autoregressive": {"sigma": "exponential(1)", "rho": "normal(0.2, 0.5, lower=-1, upper=1)"},
    # Powers between whole steps have a correlation of zero at least.
    "autoregressive uneven": {"sigma": "exponential(1)",
                              "rho": "normal(0.4, 0.5, lower=0, upper=1)"},
    "unstructured": {"sd_residual": "exponential(1)", "cor_residual": "lkj(2)"},
    "strata_beside": {"Intercept_sigma": "normal(-0.3, 0.5)", "b_sigma": "normal(0, 0.5)"},
    "autoregressive strata": {"rho": "normal(0.2, 0.5, lower=-1, upper=1)",
                              "Intercept_sigma": "normal(-0.3, 0.5)", "b_sigma": "normal(0, 0.5)"},
    "unstructured strata": {"cor_residual": "lkj(2)", "Intercept_sigma": "normal(-0.3, 0.5)",
                            "b_sigma": "normal(0, 0.5)"},
    "strata_beside and a block": {"Intercept_sigma": "normal(-0.3, 0.5)",
                                  "b_sigma": "normal(0, 0.5)"},
}  # fmt: skip


def _rows(rng: Rng, uneven: bool) -> pd.DataFrame:
    """Units of three visits, about a tenth of which were missed."""
    unit, v = np.divmod(np.arange(UNITS * VISITS), VISITS)
    arm, x = np.array(["a", "b", "c"])[unit % 3], rng.normal(1, 1, len(v))
    columns = {"unit": unit, "v": v, "t": v + 0.0, "g": unit % LEVELS, "arm": arm, "x": x}
    data = pd.DataFrame(columns)
    data["t"] += uneven * rng.uniform(-0.4, 0.4, len(v))
    return data[rng.random(len(v)) < 0.9].reset_index(drop=True)


def _truncated(rng: Rng, mean: float, low: float) -> float:
    value = rng.normal(mean, 0.5)
    return value if low < value < 1 else _truncated(rng, mean, low)


def _lkj(rng: Rng, size: int, eta: float) -> Array:
    """Correlations by the vine of Lewandowski, Kurowicka and Joe (2009)."""
    partial, found = np.zeros((size, size)), np.eye(size)
    beta = eta + (size - 1) / 2
    for k in range(size - 1):
        beta -= 0.5
        for i in range(k + 1, size):
            partial[k, i] = cor = 2 * rng.beta(beta, beta) - 1
            for j in range(k - 1, -1, -1):
                free = np.sqrt((1 - partial[j, i] ** 2) * (1 - partial[j, k] ** 2))
                cor = cor * free + partial[j, i] * partial[j, k]
            found[k, i] = found[i, k] = cor
    return found


def _scaled(case: str, rng: Rng, data: pd.DataFrame) -> tuple[Array, dict[str, float]]:
    """Residuals of one sd that go together, times the sd of each arm."""
    of = pd.get_dummies(data["arm"]).to_numpy(float)[:, 1:]
    b, intercept = rng.normal(0, 0.5, 2), rng.normal(-0.3, 0.5)
    log_sigma = intercept + (of - of.mean(axis=0)) @ b
    if case.startswith("unstructured"):
        residual, own = _unstructured(rng, data, np.ones(VISITS))
    else:
        residual, own = _autoregressive(rng, data, -1.0, 1.0)
    correlated = {name: value for name, value in own.items() if name in ("rho", "cor_residual")}
    return np.exp(log_sigma) * residual, correlated | {
        "b_sigma": b[0], "Intercept_sigma": intercept - of.mean(axis=0) @ b}  # fmt: skip


def _strata(rng: Rng, data: pd.DataFrame) -> tuple[Array, dict[str, float]]:
    of = pd.get_dummies(data["arm"]).to_numpy(float)[:, 1:]
    b, sd = rng.normal(0, 0.5, 2), rng.exponential(0.5)
    intercept, cor = rng.normal(-0.3, 0.5), 2 * rng.beta(2, 2) - 1
    log_sigma = intercept + (of - of.mean(axis=0)) @ b
    return np.exp(log_sigma) * rng.normal(size=len(data)), {
        "sd_slope": sd, "cor": cor, "b_sigma": b[0],
        "Intercept_sigma": intercept - of.mean(axis=0) @ b}  # fmt: skip


def _strata_beside(rng: Rng, data: pd.DataFrame) -> tuple[Array, dict[str, float]]:
    of = pd.get_dummies(data["arm"]).to_numpy(float)[:, 1:]
    b, sd, intercept = rng.normal(0, 0.5, 2), rng.exponential(0.5), rng.normal(-0.3, 0.5)
    r = rng.normal(0, sd, LEVELS)
    log_sigma = intercept + (of - of.mean(axis=0)) @ b + r[data["g"]]
    return np.exp(log_sigma) * rng.normal(size=len(data)), {
        "sd_sigma": sd, "r_sigma": r[0], "b_sigma": b[0],
        "Intercept_sigma": intercept - of.mean(axis=0) @ b}  # fmt: skip


def _autoregressive(
    rng: Rng, data: pd.DataFrame, low: float, sigma: float | None = None
) -> tuple[Array, dict[str, float]]:
    sigma = rng.exponential(1.0) if sigma is None else sigma
    rho = _truncated(rng, 0.2 if low < 0 else 0.4, low)
    residual = sigma * rng.normal(size=len(data))
    steps = data.groupby("unit")["t"].diff().to_numpy()
    unit = 1.0 if low < 0 else float(np.nanmedian(steps))  # apart which rho is the correlation
    for row in np.flatnonzero(~np.isnan(steps)):
        step = steps[row] / unit
        carried = np.sign(rho) ** round(step) * np.abs(rho) ** step
        residual[row] = carried * residual[row - 1] + np.sqrt(1 - carried**2) * residual[row]
    return residual, {"sigma": sigma, "rho": rho}


def _unstructured(
    rng: Rng, data: pd.DataFrame, sds: Array | None = None
) -> tuple[Array, dict[str, float]]:
    sds = rng.exponential(1.0, VISITS) if sds is None else sds
    cor = _lkj(rng, VISITS, 2.0)
    by_unit = rng.normal(size=(UNITS, VISITS)) @ np.linalg.cholesky(cor).T * sds
    residual = by_unit[data["unit"], data["v"]]
    return residual, {"sd_residual": sds[1], "cor_residual": cor[0, 1]}


def _residuals(case: str, rng: Rng, data: pd.DataFrame) -> tuple[Array, dict[str, float]]:
    if case == "strata":
        return _strata(rng, data)
    if case.startswith("strata_beside"):
        return _strata_beside(rng, data)
    if case.endswith(" strata"):
        return _scaled(case, rng, data)
    if case == "unstructured":
        return _unstructured(rng, data)
    return _autoregressive(rng, data, 0.0 if "uneven" in case else -1.0)


def _effects(rng: Rng, own: dict[str, float]) -> tuple[Array, float]:
    """Intercepts and slopes of the groups at x = 0, (2, levels), and the sd of the intercepts."""
    sd = rng.exponential(0.5)
    if "cor" not in own:
        return np.array([rng.normal(0, sd, LEVELS), np.zeros(LEVELS)]), sd
    off = np.sqrt(1 - own["cor"] ** 2)
    z = rng.normal(size=(2, LEVELS))
    return np.array([sd * z[0], own["sd_slope"] * (own["cor"] * z[0] + off * z[1])]), sd


def _simulate(case: str, rng: Rng) -> tuple[pd.DataFrame, dict[str, float]]:
    data = _rows(rng, "uneven" in case)
    residual, own = _residuals(case, rng, data)
    effects, sd = _effects(rng, own)
    b, intercept = rng.normal(0, 0.7), rng.normal(0.3, 0.7)
    x, g = data["x"].to_numpy(), data["g"].to_numpy()
    mu = intercept + b * (x - x.mean()) + effects[0, g] + effects[1, g] * x
    if "block" in case:
        own["sd_v"] = rng.exponential(0.5)
        mu = mu + own["sd_v"] * rng.normal(size=VISITS)[data["v"]]
    data["y"] = mu + residual
    true = {"Intercept": intercept - b * x.mean(), "b": b, "sd": sd, "row 0": mu[0],
            "row 31": mu[31]}  # fmt: skip
    return data, true | own


def _draws(fit: hm.Fit, true: dict[str, float]) -> dict[str, Array]:
    draws = fit.data.posterior.isel(chain=0)
    rows = fit.predict(kind="linear").isel(chain=0).transpose("draw", "row").to_numpy()
    found = {"Intercept": draws["Intercept"].to_numpy(), "b": draws["b"].to_numpy()[:, 0],
             "sd": draws["sd_g"].to_numpy()[:, 0], "sd_slope": draws["sd_g"].to_numpy()[:, -1],
             "sd_sigma": draws["sd_g"].to_numpy()[:, -1],
             "r_sigma": draws["r_g"].to_numpy()[:, 0, -1],
             "row 0": rows[:, 0], "row 31": rows[:, 31]}  # fmt: skip
    further = {"sigma": (), "rho": (), "Intercept_sigma": (), "b_sigma": (0,), "cor": (0,),
               "sd_residual": (1,), "cor_residual": (0,)}  # fmt: skip
    if "sd_v" in true:
        found["sd_v"] = draws["sd_v"].to_numpy()[:, 0]
    for name, at in further.items():
        if name in true:
            found[name] = draws["cor_g" if name == "cor" else name].to_numpy()[(slice(None), *at)]
    return found


def ranks(case: str, replicate: int) -> dict[str, int]:
    """Rank of every true value among the draws of one fit."""
    rng = np.random.default_rng([list(CASES).index(case), replicate, 23])
    data, true = _simulate(case, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = hm.Model(CASES[case], data, priors=PRIORS | OWN[case]).fit(
            seed=replicate, chains=1, warmup=300, draws=DRAWS * THIN, engine="embedded", cores=1,
            progress=False, adapt_delta=0.9,
        )  # fmt: skip
        found = _draws(fit, true)
    return {key: int(np.sum(found[key][THIN - 1 :: THIN] < value)) for key, value in true.items()}


SCENE = Scene("residual_patterns", 200, tuple(CASES), ranks)


if __name__ == "__main__":
    SCENE.main()
