"""Calibration of programs where parameters of the family have equations of their own.

As in `simulate`, with ``y ~ x + (1 | p | g)`` and the same for the parameters: their effects are
correlated with those of the response. ``python tests/sbc/equations.py`` adds missing replicates.
"""

import warnings

import numpy as np
import pandas as pd
import simulate
from scene import Scene
from simulate import DRAWS, PRIORS, ROWS, THIN, Array, Case, Rng, known_above

import hiermix as hm

LEVELS = 8
LOGIT, ABOVE_ONE = ("zi", "hu", "zoi", "coi"), ("nu",)
INTERCEPTS = {"phi": (1.5, 0.5), "nu": (1.0, 0.5), "zi": (-0.5, 0.7), "hu": (-0.5, 0.7)}
"""Mean and sd of the priors; others have those of a log sigma or a log shape around one."""
OTHERS = (0.2, 0.5)
SLOPE = 0.5

CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    f"{name.replace(' (', ' ').removesuffix(')')} {' '.join(of)}": (name, of)
    for name, case in simulate.CASES.items()
    if case.own and "threshold" not in case.own and not case.integrated and not case.inside
    for names in [tuple(case.own)]
    for of in dict.fromkeys((names[:1], names[-1:], names))
}
"""Every parameter of every program, and pairs of them."""


def at_link(name: str, eta: Array) -> Array:
    if name in LOGIT:
        return simulate.expit(eta)
    return np.exp(eta) + (name in ABOVE_ONE)


def ranks(name: str, replicate: int) -> dict[str, int]:
    """Rank of every true value among the draws of one fit."""
    program, of = CASES[name]
    case = simulate.CASES[program]
    rng = np.random.default_rng([list(CASES).index(name), replicate, 77])
    true, data, eta, own = _simulate(case, of, rng)
    priors = {"Intercept": PRIORS["Intercept"], "b": PRIORS["b"], "sd": PRIORS["sd"],
              "cor": PRIORS["cor"]}  # fmt: skip
    priors |= {each: text for each, (text, _) in case.own.items() if each not in of}
    for each in of:
        mean, sd = INTERCEPTS.get(each, OTHERS)
        priors |= {f"Intercept_{each}": f"normal({mean}, {sd})", f"b_{each}": f"normal(0, {SLOPE})"}
    formulas = ["y ~ x + (1 | p | g)", *(f"{each} ~ x + (1 | p | g)" for each in of)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = hm.Model(formulas, data, family=case.family, priors=priors, **case.options).fit(
            seed=replicate, chains=1, warmup=300, draws=DRAWS * THIN, engine="embedded", cores=1,
            progress=False, adapt_delta=0.9,
        )  # fmt: skip
    found = _draws(fit, of, tuple(set(case.own) - set(of)))
    log_likelihood = fit.data["log_likelihood"]["y"].isel(chain=0).sum("row").to_numpy()
    beside = {"trials": data["size"].to_numpy(float)}
    if "late" in data:
        beside |= known_above(data)
    at_truth = fit.model.family.log_density(data["y"].to_numpy(float), eta, own | beside).sum()
    found["log likelihood"], true["log likelihood"] = log_likelihood, float(at_truth)
    return {key: int(np.sum(found[key][THIN - 1 :: THIN] < value)) for key, value in true.items()}


def _simulate(
    case: Case, of: tuple[str, ...], rng: Rng
) -> tuple[dict[str, float], pd.DataFrame, Array, dict[str, Array]]:
    """True values, rows, the linear predictor and the parameters of the rows."""
    x, g = rng.normal(1.0, 1, ROWS), np.arange(ROWS) % LEVELS
    size, K = rng.integers(1, 8, ROWS), 1 + len(of)
    sd = rng.exponential(1 / 2.5, K)
    L = _lkj(rng, K)
    r = rng.normal(size=(LEVELS, K)) @ (sd[:, None] * L).T
    true = {"cor": float(L[1] @ L[0])}
    etas = []
    for place, name in enumerate(("", *of)):
        mean, spread = (0.4, 0.7) if not name else INTERCEPTS.get(name, OTHERS)
        intercept, b = rng.normal(mean, spread), rng.normal(0, SLOPE if name else 0.7)
        etas.append(intercept + b * (x - x.mean()) + r[g, place])
        each = {
            "Intercept": intercept - b * x.mean(),
            "b": b,
            "sd": sd[place],
            "effect": r[0, place],
        }
        true |= {f"{key} {name}".strip(): float(value) for key, value in each.items()}
    values = {name: draw(rng) for name, (_, draw) in case.own.items()}
    true |= {name: float(value) for name, value in values.items() if name not in of}
    values |= {name: at_link(name, eta) for name, eta in zip(of, etas[1:], strict=True)}
    data = pd.DataFrame({"x": x, "g": g, "size": size})
    for name, column in case.rows(rng, etas[0], size, **values).items():
        data[name] = column
    return true, data, etas[0], {name: np.asarray(value) for name, value in values.items()}


def _lkj(rng: Rng, K: int) -> Array:
    """Cholesky factor of an LKJ(2) correlation matrix, by the onion (Lewandowski et al. 2009)."""
    beta = 2 + (K - 2) / 2
    R = np.eye(K)
    if K > 1:
        R[0, 1] = R[1, 0] = 2 * rng.beta(beta, beta) - 1
    for k in range(2, K):
        beta -= 0.5
        y, u = rng.beta(k / 2, beta), rng.normal(size=k)
        z = np.linalg.cholesky(R[:k, :k]) @ (np.sqrt(y) * u / np.linalg.norm(u))
        R[k, :k] = R[:k, k] = z
    return np.linalg.cholesky(R)


def _draws(fit: hm.Fit, of: tuple[str, ...], numbers: tuple[str, ...]) -> dict[str, Array]:
    draws = fit.data.posterior.to_dataset().isel(chain=0)
    found = {"cor": draws["cor_g"].to_numpy()[:, 0]}
    for place, name in enumerate(("", *of)):
        end = f"_{name}" if name else ""
        each = {
            "Intercept": draws[f"Intercept{end}"], "b": draws[f"b{end}"][:, 0],
            "sd": draws["sd_g"][:, place], "effect": draws["r_g"].sel(g=0)[:, place],
        }  # fmt: skip
        found |= {f"{key} {name}".strip(): values.to_numpy() for key, values in each.items()}
    return found | {name: draws[name].to_numpy() for name in numbers}


SCENE = Scene("equations", 50, tuple(CASES), ranks)


if __name__ == "__main__":
    SCENE.main()
