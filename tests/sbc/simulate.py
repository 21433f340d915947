"""Simulation-based calibration of every program (Talts et al. 2018), with a simulator in numpy.

Parameters are drawn from the priors and rows from the parameters, apart from hiermix; then hiermix
fits the rows. If program, priors and simulator are one model, the rank of each true value among
the draws is uniform. ``python tests/sbc/simulate.py``
adds the replicates that are missing to the files beside it, one a program.
"""

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import hiermix as hm

if TYPE_CHECKING:
    import xarray as xr

HERE = Path(__file__).parent
DRAWS = 99
THIN = 4
BATCH = 25
ROWS = 60
FORMULA = "y ~ x + (1 + x | g)"
PRIORS = {
    "Intercept": "normal(0.4, 0.7)",
    "b": "normal(0, 0.7)",
    "sd": "exponential(2.5)",
    "cor": "lkj(2)",
}

type Rng = np.random.Generator
type Array = np.ndarray


def expit(eta: Array) -> Array:
    return 1 / (1 + np.exp(-eta))


def normal_cdf(eta: Array) -> Array:
    from math import erf

    return np.array([(1 + erf(each / np.sqrt(2))) / 2 for each in eta])


def cloglog(eta: Array) -> Array:
    return 1 - np.exp(-np.exp(eta))


def positive_count(rng: Rng, draw: Callable[[], Array]) -> Array:
    """Redraw zeros until there is none."""
    y = draw()
    while (y == 0).any():
        y = np.where(y == 0, draw(), y)
    return y


def censor(rng: Rng, time: Array) -> dict[str, Array]:
    end = rng.exponential(4.0, len(time))
    return {"y": np.minimum(time, end), "late": (time > end).astype(int)}


def share(rng: Rng, eta: Array, phi: float) -> Array:
    return np.clip(rng.beta(expit(eta) * phi, expit(-eta) * phi), 1e-12, 1 - 1e-12)


def skew_normal(rng: Rng, eta: Array, sigma: float, alpha: float) -> Array:
    delta = alpha / np.sqrt(1 + alpha**2)
    lean = delta * np.sqrt(2 / np.pi)
    half, free = np.abs(rng.normal(size=len(eta))), rng.normal(size=len(eta))
    z = delta * half + np.sqrt(1 - delta**2) * free
    return eta + sigma / np.sqrt(1 - lean**2) * (z - lean)


def sums_of_gamma(rng: Rng, eta: Array, phi: float, power: float) -> Array:
    """Amounts one by one: each row's number of them is Poisson."""
    number = rng.poisson(np.exp((2 - power) * eta) / phi / (2 - power))
    scale, shape = phi * (power - 1) * np.exp((power - 1) * eta), (2 - power) / (power - 1)
    each = [rng.gamma(shape, by, n).sum() for n, by in zip(number, scale, strict=True)]
    return np.array(each)


def known_above(data: pd.DataFrame) -> dict[str, Array]:
    """What is known of times that are censored on the right."""
    late = data["late"].to_numpy() == 1
    return {"low": np.where(late, data["y"], np.nan), "high": np.where(late, np.inf, np.nan)}


def mixed(rng: Rng, mu: Array, shape: float) -> Array:
    return rng.poisson(rng.gamma(shape, mu / shape))


@dataclass(frozen=True)
class Scene:
    """What the rows of a replicate look like."""

    replicates: int
    middle: float
    """Of x, whose sd is 1."""
    levels: int
    crossed: int = 0
    """Levels of a second factor, where the program takes one."""


SCENES = {
    "": Scene(100, 1.0, 8),
    # The priors of the bar hold at the mean of x, as default ones do.
    "far": Scene(100, 30.0, 8),
    "few": Scene(75, 1.0, 3, 4),
}


@dataclass(frozen=True)
class Case:
    """A family, its own parameters' priors as text and generator, and its rows."""

    family: str
    rows: Callable[..., dict[str, Array]]
    """(rng, eta, size, own parameters) to columns."""
    own: dict[str, tuple[str, Callable[[Rng], Any]]]
    options: dict[str, Any]
    formula: str = FORMULA
    categories: tuple[str, ...] = ("",)
    """Those that have a linear predictor, where not all rows share one."""
    inside: int = 0
    """Levels of a second factor inside each level of the first."""
    across: int = 0
    """Levels of a second factor, in every scene, that is crossed with the first."""

    @property
    def integrated(self) -> bool:
        """Whether group effects are integrated out: of one factor, or of two."""
        return self.family == "gaussian" and self.options.get("effects") != "sampled"


def y(function: Callable[..., Array]) -> Callable[..., dict[str, Array]]:
    return lambda rng, eta, size, **own: {"y": function(rng, eta, size, **own)}


def thresholds(rng: Rng) -> Array:
    return np.sort(rng.normal(0, 1.5, 3))


def ordered(cdf: Callable[[Array], Array]) -> Callable[..., dict[str, Array]]:
    def rows(rng: Rng, eta: Array, size: Array, threshold: Array) -> dict[str, Array]:
        u = rng.random(len(eta))
        return {"y": 1 + sum((u > cdf(each - eta)).astype(int) for each in threshold)}

    return rows


def stopping(
    stop: Callable[[Array], Array],
) -> Callable[..., dict[str, Array]]:
    """Who comes to a threshold stops below it, or goes on."""

    def rows(rng: Rng, eta: Array, size: Array, threshold: Array) -> dict[str, Array]:
        y = np.ones(len(eta), dtype=int)
        for place, each in enumerate(threshold, start=1):
            y += (y == place) & (rng.random(len(eta)) > stop(each - eta))
        return {"y": y}

    return rows


def adjacent(rng: Rng, eta: Array, size: Array, threshold: Array) -> dict[str, Array]:
    scores = np.cumsum(eta[:, None] - threshold, axis=1)
    return unordered(rng, scores, size)


def unordered(rng: Rng, eta: Array, size: Array) -> dict[str, Array]:
    p = np.exp(np.column_stack([np.zeros(len(eta)), eta]))
    at_most = np.cumsum(p / p.sum(axis=1, keepdims=True), axis=1)
    return {"y": 1 + np.sum(rng.random((len(eta), 1)) > at_most[:, :-1], axis=1)}


def counted(rng: Rng, eta: Array, size: Array) -> dict[str, Array]:
    """How often each category came in as many tries as a row has."""
    each = [unordered(rng, eta, size)["y"] for _ in range(size.max())]
    counts = [sum((y == c) & (n < size) for n, y in enumerate(each)) for c in (1, 2, 3)]
    return {"1": counts[0], "2": counts[1], "3": counts[2], "y": size}


SIGMA = {"sigma": ("exponential(1)", lambda rng: rng.exponential(1.0))}
SHAPE = {"shape": ("gamma(3, 1)", lambda rng: rng.gamma(3, 1.0))}
PHI = {"phi": ("gamma(3, 0.5)", lambda rng: rng.gamma(3, 2.0))}
ZI = {"zi": ("beta(2, 3)", lambda rng: rng.beta(2, 3))}
HU = {"hu": ("beta(2, 3)", lambda rng: rng.beta(2, 3))}
THRESHOLD = {"threshold": ("normal(0, 1.5)", thresholds)}
STEPS = {"threshold": ("normal(0, 1.5)", lambda rng: rng.normal(0, 1.5, 3))}
ORDERED = ("ordinal", "sratio", "cratio", "acat")
NORMAL = y(lambda rng, eta, size, sigma: rng.normal(eta, sigma))
TRIALS = {"trials": "size"}


def freedom(rng: Rng) -> float:
    """Draw from gamma(4, 0.5) cut off at 1."""
    nu = rng.gamma(4, 2.0)
    return nu if nu > 1 else freedom(rng)


CASES = {
    "random_intercept": Case("gaussian", NORMAL, SIGMA, {}, "y ~ x + (1 | g)"),
    "random_slope": Case("gaussian", NORMAL, SIGMA, {}),
    "gaussian": Case("gaussian", NORMAL, SIGMA, {"effects": "sampled"}),
    "gaussian (lognormal)": Case(
        "lognormal", y(lambda rng, eta, size, sigma: np.exp(rng.normal(eta, sigma))), SIGMA,
        {"effects": "sampled"},
    ),
    "student_t": Case(
        "student_t",
        y(lambda rng, eta, size, sigma, nu: eta + sigma * rng.standard_t(nu, len(eta))),
        SIGMA | {"nu": ("gamma(4, 0.5)", freedom)}, {},
    ),
    "gamma": Case(
        "gamma", y(lambda rng, eta, size, shape: rng.gamma(shape, np.exp(eta) / shape)), SHAPE, {}
    ),
    "beta": Case(
        "beta",
        y(lambda rng, eta, size, phi: np.clip(
            rng.beta(expit(eta) * phi, expit(-eta) * phi), 1e-12, 1 - 1e-12)),
        PHI, {},
    ),
    "weibull": Case(
        "weibull",
        lambda rng, eta, size, shape: censor(
            rng, np.exp(eta) * rng.weibull(shape, len(eta)) / gamma_function(1 + 1 / shape)),
        SHAPE, {"censored": "late"},
    ),
    "exponential": Case(
        "exponential", lambda rng, eta, size: censor(rng, rng.exponential(np.exp(eta))), {},
        {"censored": "late"},
    ),
    "binomial (bernoulli)": Case(
        "bernoulli", y(lambda rng, eta, size: rng.binomial(1, expit(eta))), {}, {}
    ),
    "binomial (probit)": Case(
        "binomial", y(lambda rng, eta, size: rng.binomial(size, normal_cdf(eta))), {},
        TRIALS | {"link": "probit"},
    ),
    "binomial (cloglog)": Case(
        "binomial", y(lambda rng, eta, size: rng.binomial(size, cloglog(eta))), {},
        TRIALS | {"link": "cloglog"},
    ),
    "beta_binomial": Case(
        "beta_binomial",
        y(lambda rng, eta, size, phi: rng.binomial(
            size, rng.beta(expit(eta) * phi, expit(-eta) * phi))),
        PHI, TRIALS,
    ),
    "skew_normal": Case(
        "skew_normal",
        y(lambda rng, eta, size, sigma, alpha: skew_normal(rng, eta, sigma, alpha)),
        SIGMA | {"alpha": ("normal(0, 4)", lambda rng: rng.normal(0, 4))}, {},
    ),
    "exgaussian": Case(
        "exgaussian",
        y(lambda rng, eta, size, sigma, beta: eta + sigma * rng.normal(size=len(eta))
          + beta * (rng.standard_exponential(len(eta)) - 1)),
        SIGMA | {"beta": ("exponential(1)", lambda rng: rng.exponential(1))}, {},
    ),
    "shifted_lognormal": Case(
        "shifted_lognormal",
        y(lambda rng, eta, size, sigma, ndt: ndt + np.exp(eta + sigma * rng.normal(size=len(eta)))),
        SIGMA | {"ndt": ("gamma(2, 4)", lambda rng: rng.gamma(2, 1 / 4))}, {},
    ),
    "inverse_gaussian": Case(
        "inverse_gaussian", y(lambda rng, eta, size, shape: rng.wald(np.exp(eta), shape)),
        SHAPE, {},
    ),
    "von_mises": Case(
        "von_mises", y(lambda rng, eta, size, kappa: rng.vonmises(2 * np.arctan(eta), kappa)),
        {"kappa": ("gamma(2, 0.5)", lambda rng: rng.gamma(2, 2))}, {},
    ),
    "hurdle_gamma": Case(
        "hurdle_gamma",
        y(lambda rng, eta, size, shape, hu: rng.gamma(shape, np.exp(eta) / shape)
          * (rng.random(len(eta)) > hu)),
        SHAPE | HU, {},
    ),
    "tweedie": Case(
        "tweedie",
        y(lambda rng, eta, size, phi, power: sums_of_gamma(rng, eta, phi, power)),
        {"phi": ("gamma(4, 4)", lambda rng: rng.gamma(4, 1 / 4)),
         "power": ("normal(1.5, 0.1)", lambda rng: rng.normal(1.5, 0.1))}, {},
    ),
    "hurdle_lognormal": Case(
        "hurdle_lognormal",
        y(lambda rng, eta, size, sigma, hu: np.exp(eta + sigma * rng.normal(size=len(eta)))
          * (rng.random(len(eta)) > hu)),
        SIGMA | HU, {},
    ),
    "zero_inflated_beta": Case(
        "zero_inflated_beta",
        y(lambda rng, eta, size, phi, zi: share(rng, eta, phi) * (rng.random(len(eta)) > zi)),
        PHI | ZI, {},
    ),
    "zero_one_inflated_beta": Case(
        "zero_one_inflated_beta",
        y(lambda rng, eta, size, phi, zoi, coi: np.where(
            rng.random(len(eta)) < zoi, rng.random(len(eta)) < coi, share(rng, eta, phi))),
        PHI | {"zoi": ("beta(2, 3)", lambda rng: rng.beta(2, 3)),
               "coi": ("beta(2, 2)", lambda rng: rng.beta(2, 2))}, {},
    ),
    "zero_inflated_binomial": Case(
        "zero_inflated_binomial",
        y(lambda rng, eta, size, zi: rng.binomial(size, expit(eta))
          * (rng.random(len(eta)) > zi)),
        ZI, TRIALS,
    ),
    "geometric": Case(
        "geometric", y(lambda rng, eta, size: rng.geometric(1 / (1 + np.exp(eta))) - 1), {}, {}
    ),
    "poisson": Case("poisson", y(lambda rng, eta, size: rng.poisson(np.exp(eta))), {}, {}),
    "negative_binomial": Case(
        "negative_binomial", y(lambda rng, eta, size, shape: mixed(rng, np.exp(eta), shape)),
        SHAPE, {},
    ),
    "zero_inflated_poisson": Case(
        "zero_inflated_poisson",
        y(lambda rng, eta, size, zi: rng.poisson(np.exp(eta)) * (rng.random(len(eta)) > zi)),
        ZI, {},
    ),
    "zero_inflated_negative_binomial": Case(
        "zero_inflated_negative_binomial",
        y(lambda rng, eta, size, shape, zi: mixed(rng, np.exp(eta), shape)
          * (rng.random(len(eta)) > zi)),
        SHAPE | ZI, {},
    ),
    "hurdle_poisson": Case(
        "hurdle_poisson",
        y(lambda rng, eta, size, hu: positive_count(rng, lambda: rng.poisson(np.exp(eta)))
          * (rng.random(len(eta)) > hu)),
        HU, {},
    ),
    "hurdle_negative_binomial": Case(
        "hurdle_negative_binomial",
        y(lambda rng, eta, size, shape, hu: positive_count(
            rng, lambda: mixed(rng, np.exp(eta), shape)) * (rng.random(len(eta)) > hu)),
        SHAPE | HU, {},
    ),
    "categorical": Case("categorical", unordered, {}, {}, categories=("2", "3")),
    "ordinal": Case("ordinal", ordered(expit), THRESHOLD, {}),
    "ordinal (probit)": Case("ordinal", ordered(normal_cdf), THRESHOLD, {"link": "probit"}),
    "nested": Case("gaussian", NORMAL, SIGMA, {}, inside=3),
    "nested (crossed)": Case(
        "gaussian", NORMAL, SIGMA, {"effects": "integrated"}, across=5
    ),
    "sratio": Case("sratio", stopping(cloglog), STEPS, {"link": "cloglog"}),
    "cratio": Case(
        "cratio", stopping(lambda at: 1 - cloglog(-at)), STEPS, {"link": "cloglog"}
    ),
    "acat": Case("acat", adjacent, STEPS, {}),
    "categorical (multinomial)": Case(
        "multinomial", counted, {}, {}, "c(`1`, `2`, `3`) ~ x + (1 + x | g)", ("2", "3")
    ),
}  # fmt: skip


def gamma_function(x: Array) -> Array:
    from scipy.special import gamma

    return np.asarray(gamma(x))


@dataclass(frozen=True)
class Truth:
    """True values and the rows they gave."""

    true: dict[str, float]
    data: pd.DataFrame
    eta: Array
    own: dict[str, Any]


def simulate(case: Case, scene: Scene, rng: Rng) -> Truth:
    """Draw parameters and rows; again where the rows have not every category."""
    categories = {"categorical": 3, **dict.fromkeys(ORDERED, 4)}.get(case.family, 0)
    while True:
        truth = _simulate(case, scene, rng)
        if truth.data["y"].nunique() >= categories:
            return truth


def _simulate(case: Case, scene: Scene, rng: Rng) -> Truth:
    x, g = rng.normal(scene.middle, 1, ROWS), np.arange(ROWS) % scene.levels
    size = rng.integers(1, 8, ROWS)
    h = rng.permutation(np.arange(ROWS) % max(case.across or scene.crossed, 1))
    second = case.across or (scene.crossed if not case.integrated else 0)
    if case.inside:
        h = g * case.inside + np.arange(ROWS) // scene.levels % case.inside
        second = scene.levels * case.inside
    values: dict[str, float] = {}
    etas = []
    for category in case.categories:
        mine, eta = _linear(case, scene, rng, x, g)
        if second:
            mine["sd of h"] = rng.exponential(1 / 2.5)
            r = rng.normal(0, mine["sd of h"], second)
            mine["effect of h"] = r[0]
            eta = eta + r[h]
        values |= {f"{name} {category}".strip(): value for name, value in mine.items()}
        etas.append(eta)
    eta = etas[0] if len(etas) == 1 else np.column_stack(etas)
    own = {name: draw(rng) for name, (_, draw) in case.own.items()}
    data = pd.DataFrame({"x": x, "g": g, "size": size, "h": h})
    for name, column in case.rows(rng, eta, size, **own).items():
        data[name] = column
    for name, value in own.items():
        # Thresholds, like the intercept, are reported at x = 0.
        values[name] = value[1] + values["b"] * x.mean() if name == "threshold" else value
    return Truth(values, data, eta, own)


def _linear(
    case: Case, scene: Scene, rng: Rng, x: Array, g: Array
) -> tuple[dict[str, float], Array]:
    """Parameters of a linear predictor, and its rows; those of a bar at the origin of the scene."""
    slope = "x | g" in case.formula
    # Intercept and thresholds are those at the mean of x.
    intercept, b = rng.normal(0.4, 0.7), rng.normal(0, 0.7)
    sd = rng.exponential(1 / 2.5, 2)
    # LKJ(2) of two effects: (cor + 1) / 2 is beta(2, 2).
    cor = 2 * rng.beta(2, 2) - 1
    z = rng.normal(size=(scene.levels, 2))
    from_origin = x - _origin(scene, x)
    r = np.column_stack([sd[0] * z[:, 0], sd[1] * (cor * z[:, 0] + np.sqrt(1 - cor**2) * z[:, 1])])
    base = 0.0 if case.family in ORDERED else intercept
    eta = base + b * (x - x.mean()) + r[g, 0] + (r[g, 1] * from_origin if slope else 0.0)
    values = {"b": b, "sd": sd[0], "effect": r[0, 0]}
    if case.family not in ORDERED:
        values["Intercept"] = intercept - b * x.mean()
    if slope:
        values |= {"sd of x": sd[1], "cor": cor, "effect of x": r[0, 1]}
    return values, eta


def _origin(scene: Scene, x: Array) -> float:
    """Where the priors of sds and correlations hold."""
    return float(x.mean()) if scene is SCENES["far"] else 0.0


def ranks(name: str, scene: Scene, replicate: int) -> dict[str, int]:
    """Rank of every true value among the draws of one fit."""
    case = CASES[name]
    place = list(SCENES.values()).index(scene)
    rng = np.random.default_rng([list(CASES).index(name), replicate, *([place] if place else [])])
    truth = simulate(case, scene, rng)
    intercept = {} if case.family in ORDERED else {"Intercept": PRIORS["Intercept"]}
    cor = {"cor": PRIORS["cor"]} if "x | g" in case.formula else {}
    priors = {"b": PRIORS["b"], "sd": PRIORS["sd"]} | intercept | cor
    priors |= {each: text for each, (text, _) in case.own.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        second = " + (1 | h)" * ("sd of h" in " ".join(truth.true))
        model = hm.Model(
            case.formula + second, truth.data, family=case.family, priors=priors, **case.options
        )
        if "x | g" in case.formula:
            model.origins = model.origins | {"g": np.array([0, _origin(scene, truth.data["x"])])}
        fit = model.fit(
            seed=replicate, chains=1, warmup=300, draws=DRAWS * THIN, engine="embedded", cores=1,
            progress=False, adapt_delta=0.9,
        )  # fmt: skip
    found = _draws(fit, case, truth, model.origins["g"][-1] if "x | g" in case.formula else 0.0)
    return {
        key: int(np.sum(found[key][THIN - 1 :: THIN] < value))
        for key, value in (truth.true | {"log likelihood": found.pop("true")[0]}).items()
    }


def _draws(fit: hm.Fit, case: Case, truth: Truth, origin: float) -> dict[str, Array]:
    posterior = fit.data.posterior.to_dataset().isel(chain=0)
    found = {}
    for category in case.categories:
        part = posterior.sel(category=category) if category else posterior
        mine = _of_one(part, origin)
        found |= {f"{name} {category}".strip(): values for name, values in mine.items()}
    for name in truth.own:
        values = posterior[name].to_numpy()
        found[name] = values[:, 1] if name == "threshold" else values
    return found | log_likelihoods(fit, case, truth)


def _of_one(posterior: "xr.Dataset", origin: float) -> dict[str, Array]:
    """Draws of the parameters of one linear predictor; of sds and effects at the origin."""
    found = {"b": posterior["b"].to_numpy()[:, 0], "sd": posterior["sd_g"].to_numpy()[:, 0]}
    r = posterior["r_g"].sel(g=0).to_numpy()
    found["effect"] = r[:, 0]
    if "sd_h" in posterior:
        found["sd of h"] = posterior["sd_h"].to_numpy()[:, 0]
        found["effect of h"] = posterior["r_h"].sel(h=0).to_numpy()[:, 0]
    if "Intercept" in posterior:
        found["Intercept"] = posterior["Intercept"].to_numpy()
    if "cor_g" in posterior:
        found |= {"sd of x": posterior["sd_g"].to_numpy()[:, 1], "effect of x": r[:, 1],
                  "cor": posterior["cor_g"].to_numpy()[:, 0]}  # fmt: skip
        if origin:
            found |= _moved(found, origin)
    return found


def _moved(at_zero: Mapping[str, Array], origin: float) -> dict[str, Array]:
    """Sd, correlation and effect of the intercept at the origin, from those at zero."""
    sd, slope = at_zero["sd"], at_zero["sd of x"]
    covariance = at_zero["cor"] * sd * slope + origin * slope**2
    variance = sd**2 + 2 * origin * at_zero["cor"] * sd * slope + (origin * slope) ** 2
    moved = np.sqrt(np.maximum(variance, 0.0))
    return {
        "sd": moved,
        "cor": covariance / np.maximum(moved * slope, 1e-300),
        "effect": at_zero["effect"] + origin * at_zero["effect of x"],
    }


def log_likelihoods(fit: hm.Fit, case: Case, truth: Truth) -> dict[str, Array]:
    """Log likelihood of every draw, and of the truth."""
    posterior = fit.data.posterior.to_dataset().isel(chain=0)
    data, family = truth.data, fit.model.family
    parts = [posterior.sel(category=each) if each else posterior for each in case.categories]
    etas = [_linear_predictor(part, data) for part in parts]
    eta = etas[0] if len(etas) == 1 else np.stack(etas, axis=-1)
    beside = {"trials": data["size"].to_numpy(float)} if fit.design.trials is not None else {}
    if fit.design.counts is not None:
        beside["counts"] = fit.design.counts
    if "late" in data:
        beside |= known_above(data)
    # A parameter without an equation may be held at its value, disc at one.
    names = [each.name for each in family.own if each.name in posterior]
    own = {name: posterior[name].to_numpy()[:, None] for name in names}
    y = data["y"].to_numpy(float)
    true = {name: np.asarray(value) for name, value in truth.own.items()}
    return {
        "log likelihood": family.log_density(y, eta, own | beside).sum(axis=-1),
        "true": family.log_density(y, truth.eta, true | beside).sum(keepdims=True),
    }


def _linear_predictor(posterior: "xr.Dataset", data: pd.DataFrame) -> Array:
    r, x = posterior["r_g"].to_numpy()[:, data["g"].to_numpy()], data["x"].to_numpy()
    eta: Array = posterior["b"].to_numpy() * x + r[..., 0]
    if "r_h" in posterior:
        eta = eta + posterior["r_h"].to_numpy()[:, data["h"].to_numpy(), 0]
    if "Intercept" in posterior:
        eta = eta + posterior["Intercept"].to_numpy()[:, None]
    return eta + r[..., 1] * x if r.shape[2] > 1 else eta


def calibrate(name: str, scene: str, replicates: Iterable[int]) -> pd.DataFrame:
    """Ranks of replicates, one row each."""
    rows = [{"replicate": each, **ranks(name, SCENES[scene], each)} for each in replicates]
    return pd.DataFrame(rows)


def file_of(name: str, scene: str) -> Path:
    """Return where the ranks of a program are stored."""
    return HERE / scene / f"{name.replace(' (', '_').removesuffix(')')}.csv"


def stored(name: str, scene: str) -> pd.DataFrame:
    """Ranks found so far."""
    file = file_of(name, scene)
    return pd.read_csv(file) if file.exists() else pd.DataFrame({"replicate": []})


def summarise(name: str, scene: str, found: pd.DataFrame) -> pd.DataFrame:
    """Chi-squared test of uniform ranks in ten bins, for each quantity."""
    from scipy import stats

    rows = []
    for quantity in found.columns.drop("replicate"):
        counts = np.bincount(found[quantity].astype(int) * 10 // (DRAWS + 1), minlength=10)
        rows.append(
            {
                "program": name,
                "scene": scene,
                "quantity": quantity,
                "replicates": len(found),
                "mean rank": found[quantity].mean() / DRAWS,
                "p": stats.chisquare(counts).pvalue,
            }
        )
    return pd.DataFrame(rows)


def add(job: tuple[str, str, int]) -> str:
    """Add the replicates that are not stored yet, from start up to the end of a batch."""
    name, scene, start = job
    end = min(start + BATCH, SCENES[scene].replicates)
    complete(name, scene, range(start, end), partial(calibrate, name, scene))
    return f"{name} {scene} {start}"


def complete(
    name: str, scene: str, wanted: range, ranks_of: Callable[[Iterable[int]], pd.DataFrame]
) -> None:
    """Store the ranks of the replicates wanted that are not stored yet."""
    kept = stored(name, scene)
    missing = sorted(set(wanted) - set(kept["replicate"].astype(int)))
    if missing:
        table = pd.concat([kept, ranks_of(missing)]).astype(int)
        file_of(name, scene).parent.mkdir(exist_ok=True)
        table.sort_values("replicate").to_csv(file_of(name, scene), index=False)


def table() -> pd.DataFrame:
    """Tests of all stored ranks."""
    found = [summarise(name, scene, stored(name, scene)) for scene in SCENES for name in CASES]
    return pd.concat(found, ignore_index=True)


def main() -> None:
    """Calibrate every program in every scene, some replicates at a time; print the table."""
    most = max(scene.replicates for scene in SCENES.values())
    with ProcessPoolExecutor(int(os.environ.get("PROCESSES", "2"))) as pool:
        for start in range(0, most, BATCH):
            jobs = [(name, scene, start) for scene in SCENES for name in CASES
                    if start < SCENES[scene].replicates]  # fmt: skip
            for done in pool.map(add, jobs):
                print(done, flush=True)
    print(table().to_string(index=False))


if __name__ == "__main__":
    main()
