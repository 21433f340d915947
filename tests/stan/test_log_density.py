"""The programs that sample group effects are the model: their log density against scipy.

One row of the table a program and link. The reference takes every row of the frame by itself,
scipy's distributions for the response, and the multivariate normal for the effects of each level;
nothing of the algebra in the programs is used, nor hiermix's own densities.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from scipy.linalg import block_diag

import hiermix as hm
from hiermix.engines.embedded import Embedded
from hiermix.stan.programs import Program
from hiermix.typing import StanData
from tests.stan.test_gaussian_density import correlation, lkj_log_density, population

pytestmark = pytest.mark.usefixtures("unclimbed")

POINTS = 20
ROWS = 48
FORMULA = "y ~ x + w + offset(known) + (x | g) + (1 | h)"
PRIORS = {
    "b": "normal(0.2, 2)",
    "b[x]": "double_exponential(0, 1)",
    "sd": "normal(0.3, 1)",
    "cor": "lkj(1.7)",
}
INTERCEPT = {"Intercept": "student_t(4, 1, 3)"}


def frame(family: str) -> pd.DataFrame:
    """Any rows will do; some are equal, so that rows are merged where that is exact."""
    rng = np.random.default_rng(11)
    x = rng.integers(0, 3, ROWS) - 0.7
    data = pd.DataFrame(
        {
            "x": x,
            "w": rng.integers(0, 2, ROWS) * 1.5,
            "g": rng.choice(list("abcd"), ROWS),
            "h": rng.choice(list("uvw"), ROWS),
            "known": rng.integers(0, 2, ROWS) * 0.3,
            "size": rng.integers(1, 9, ROWS),
            "weight": rng.choice([0.5, 1.0, 2.0], ROWS),
            "late": rng.choice(["none", "right"], ROWS),
        }
    )
    data["y"] = RESPONSES[family](rng, data)
    again = data.iloc[:20]
    return pd.concat([data, again, again], ignore_index=True)


def successes(rng: np.random.Generator, data: pd.DataFrame) -> np.ndarray:
    return rng.binomial(data["size"], 0.4)


def counts(rng: np.random.Generator, data: pd.DataFrame) -> np.ndarray:
    return rng.poisson(3, len(data)) * rng.integers(0, 2, len(data))


RESPONSES: dict[str, Callable[[np.random.Generator, pd.DataFrame], np.ndarray]] = {
    "gaussian": lambda rng, data: rng.normal(1, 2, len(data)),
    "student_t": lambda rng, data: rng.standard_t(3, len(data)),
    "skew_normal": lambda rng, data: rng.gamma(2, 1, len(data)) - 1,
    "exgaussian": lambda rng, data: rng.gamma(2, 1, len(data)) - 1,
    "hurdle_gamma": lambda rng, data: rng.gamma(2, 1, len(data)) * rng.integers(0, 2, len(data)),
    "tweedie": lambda rng, data: rng.gamma(2, 1, len(data)) * rng.integers(0, 2, len(data)),
    "hurdle_lognormal": lambda rng, data: (
        rng.gamma(2, 1, len(data)) * rng.integers(0, 2, len(data))
    ),
    "zero_inflated_beta": lambda rng, data: (
        rng.beta(2, 3, len(data)) * rng.integers(0, 2, len(data))
    ),
    "zero_one_inflated_beta": lambda rng, data: np.clip(rng.normal(0.5, 0.6, len(data)), 0, 1),
    "zero_inflated_binomial": lambda rng, data: (
        successes(rng, data) * rng.integers(0, 2, len(data))
    ),
    "lognormal": lambda rng, data: rng.lognormal(0, 1, len(data)),
    "shifted_lognormal": lambda rng, data: 0.3 + rng.lognormal(0, 1, len(data)),
    "inverse_gaussian": lambda rng, data: rng.wald(1.5, 3, len(data)),
    "von_mises": lambda rng, data: rng.vonmises(0.4, 1.5, len(data)),
    "gamma": lambda rng, data: rng.gamma(2, 1, len(data)),
    "beta": lambda rng, data: rng.beta(2, 3, len(data)),
    "weibull": lambda rng, data: rng.weibull(2, len(data)),
    "exponential": lambda rng, data: rng.exponential(2, len(data)),
    "bernoulli": lambda rng, data: rng.integers(0, 2, len(data)),
    "binomial": successes,
    "beta_binomial": successes,
    **dict.fromkeys(
        ("ordinal", "sratio", "cratio", "acat"),
        lambda rng, data: rng.permutation(np.arange(len(data)) % 4 + 1),
    ),
    **dict.fromkeys(
        (
            "poisson",
            "negative_binomial",
            "geometric",
            "zero_inflated_poisson",
            "zero_inflated_negative_binomial",
            "hurdle_poisson",
            "hurdle_negative_binomial",
        ),
        counts,
    ),
}


# The response of each family, row by row, by scipy ------------------------------------------------


def negative_binomial(mu: np.ndarray, shape: float) -> stats.rv_discrete:
    return stats.nbinom(shape, shape / (shape + mu))


def inflated(count: stats.rv_discrete, y: np.ndarray, zi: float) -> np.ndarray:
    counted = np.log1p(-zi) + count.logpmf(y)
    return np.where(y == 0, np.logaddexp(np.log(zi), counted), counted)


def hurdle(count: stats.rv_discrete, y: np.ndarray, hu: float) -> np.ndarray:
    passed = np.log1p(-hu) + count.logpmf(y) - np.log(count.sf(0))
    return np.where(y == 0, np.log(hu), passed)


def censored(time: stats.rv_continuous, data: pd.DataFrame) -> np.ndarray:
    return np.where(data["late"] == "right", time.logsf(data["y"]), time.logpdf(data["y"]))


def weibull(data: pd.DataFrame, eta: np.ndarray, shape: float) -> np.ndarray:
    scale = np.exp(eta) / special.gamma(1 + 1 / shape)
    return censored(stats.weibull_min(shape, scale=scale), data)


def cumulative(law: stats.rv_continuous) -> Callable[..., np.ndarray]:
    def log_density(
        data: pd.DataFrame, eta: np.ndarray, threshold: np.ndarray, disc: np.ndarray | float = 1.0
    ) -> np.ndarray:
        bound = np.concatenate([[-np.inf], threshold, [np.inf]])
        u, v = disc * (bound[data["y"]] - eta), disc * (bound[data["y"] - 1] - eta)
        low = np.log(law.cdf(u) - law.cdf(v))
        return np.where(v > 0, np.log(law.sf(v) - law.sf(u)), low)

    return log_density


def each_category(scores: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Log probabilities of all categories, by rows, to those of the responses."""

    def log_density(
        data: pd.DataFrame, eta: np.ndarray, threshold: np.ndarray, disc: np.ndarray | float = 1.0
    ) -> np.ndarray:
        at = np.asarray(disc)[..., None] * (threshold - np.asarray(eta)[:, None])
        return np.take_along_axis(scores(at), data["y"].to_numpy()[:, None] - 1, 1)[:, 0]

    return log_density


def ratio(law: stats.rv_continuous, *, onward: bool) -> Callable[..., np.ndarray]:
    """Stop at each threshold or go on, row by row: continuation is that of going on."""

    def scores(at: np.ndarray) -> np.ndarray:
        stop, go = law.logcdf(at), law.logsf(at)
        if onward:
            stop, go = law.logsf(-at), law.logcdf(-at)
        C = at.shape[1] + 1
        return np.stack(
            [go[:, :c].sum(axis=1) + (stop[:, c] if c < C - 1 else 0.0) for c in range(C)], axis=1
        )

    return each_category(scores)


def adjacent(at: np.ndarray) -> np.ndarray:
    odds = np.exp(-at)
    p = np.stack([odds[:, :c].prod(axis=1) for c in range(at.shape[1] + 1)], axis=1)
    return np.log(p / p.sum(axis=1, keepdims=True))


def success(p: Callable[[np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    """p is the law of the linear predictor; failures by its survival function."""

    def log_density(data: pd.DataFrame, eta: np.ndarray, trials: np.ndarray) -> np.ndarray:
        y = data["y"].to_numpy()
        return np.log(special.comb(trials, y)) + y * p.logcdf(eta) + (trials - y) * p.logsf(eta)

    return log_density


@dataclass(frozen=True)
class Case:
    family: str
    link: str
    own: dict[str, str]
    """Priors of the own parameters."""
    log_density: Callable[..., np.ndarray]
    """(frame, eta, *own parameters) to one number a row."""


def each_trial(law: stats.rv_continuous, *, one: bool) -> Callable[..., np.ndarray]:
    pointwise = success(law)
    return lambda d, eta: pointwise(d, eta, np.ones(len(d)) if one else d["size"].to_numpy())


def beta_of(d: pd.DataFrame, eta: np.ndarray, phi: float) -> np.ndarray:
    mu = special.expit(eta)
    return stats.beta(mu * phi, special.expit(-eta) * phi).logpdf(d["y"])


def beta_binomial_of(d: pd.DataFrame, eta: np.ndarray, phi: float) -> np.ndarray:
    a, b = special.expit(eta) * phi, special.expit(-eta) * phi
    return stats.betabinom(d["size"], a, b).logpmf(d["y"])


def skew_normal_of(d: pd.DataFrame, eta: np.ndarray, sigma: float, alpha: float) -> np.ndarray:
    """By the mean and sd of scipy's standard one."""
    standard = stats.skewnorm(alpha)
    scale = sigma / standard.std()
    return stats.skewnorm(alpha, eta - scale * standard.mean(), scale).logpdf(d["y"])


def exgaussian_of(d: pd.DataFrame, eta: np.ndarray, sigma: float, beta: float) -> np.ndarray:
    # scipy's exponnorm loses digits where beta / sigma is tiny.
    z = (d["y"].to_numpy() - eta + beta) / sigma
    x = z - sigma / beta
    below = np.log(special.erfcx(-np.minimum(x, 0.0) / np.sqrt(2)) / 2) - z**2 / 2
    # (x^2 - z^2) / 2 without the difference of two large squares.
    above = special.log_ndtr(x) - sigma / beta * (z + x) / 2
    return -np.log(beta) + np.where(x < 0, below, above)


def or_zero(log_density: Callable[..., np.ndarray], y: pd.Series, zero: float) -> np.ndarray:
    with np.errstate(divide="ignore"):
        measured = np.log1p(-zero) + log_density(y.where(y != 0, 0.5))
    return np.where(y == 0, np.log(zero), measured)


def zero_one_beta_of(
    d: pd.DataFrame, eta: np.ndarray, phi: float, zoi: float, coi: float
) -> np.ndarray:
    y = d["y"].where(d["y"].between(0, 1, inclusive="neither"), 0.5)
    inside = np.log1p(-zoi) + beta_of(d.assign(y=y), eta, phi)
    ends = {0.0: np.log(zoi) + np.log1p(-coi), 1.0: np.log(zoi) + np.log(coi)}
    return np.select([d["y"] == 0, d["y"] == 1], list(ends.values()), inside)


def zero_inflated_binomial_of(d: pd.DataFrame, eta: np.ndarray, zi: float) -> np.ndarray:
    counted = stats.binom(d["size"].to_numpy(), special.expit(eta)).logpmf(d["y"])
    with np.errstate(divide="ignore"):
        return np.where(d["y"] == 0, np.logaddexp(np.log(zi), np.log1p(-zi) + counted),
                        np.log1p(-zi) + counted)  # fmt: skip


def inverse_gaussian_of(d: pd.DataFrame, eta: np.ndarray, shape: float) -> np.ndarray:
    """By scipy's, whose scale is the shape."""
    return stats.invgauss(np.exp(eta) / shape, scale=shape).logpdf(d["y"])


def shifted_lognormal_of(d: pd.DataFrame, eta: np.ndarray, sigma: float, ndt: float) -> np.ndarray:
    return stats.lognorm(sigma, loc=ndt, scale=np.exp(eta)).logpdf(d["y"])


def von_mises_of(d: pd.DataFrame, eta: np.ndarray, kappa: float) -> np.ndarray:
    # scipy's own log density loses digits where the angles nearly agree.
    return (
        kappa * np.cos(d["y"] - 2 * np.arctan(eta))
        - np.log(2 * np.pi * special.i0e(kappa)) - kappa
    )  # fmt: skip


def tweedie_of(d: pd.DataFrame, eta: np.ndarray, phi: float, power: float) -> np.ndarray:
    """Of each number of gamma amounts, by scipy, and of all of them together."""
    rate = np.exp((2 - power) * eta) / phi / (2 - power)
    scale = phi * (power - 1) * np.exp((power - 1) * eta)
    number = np.arange(1, 500)
    each = stats.poisson(rate[:, None]).logpmf(number) + stats.gamma(
        number * (2 - power) / (power - 1), scale=scale[:, None]
    ).logpdf(d["y"].to_numpy()[:, None] + (d["y"].to_numpy() == 0)[:, None])
    return np.where(d["y"] == 0, -rate, special.logsumexp(each, axis=1))


STEPS = ("sratio", "cratio", "acat")
SHAPE = {"shape": "gamma(2, 1.5)"}
ZI, HU = {"zi": "beta(2, 3)"}, {"hu": "beta(2, 3)"}
LAWS = {"logit": stats.logistic, "probit": stats.norm, "cloglog": stats.gumbel_l}
CASES = [
    Case("gaussian", "identity", {"sigma": "gamma(2, 1.5)"},
         lambda d, eta, sigma: stats.norm(eta, sigma).logpdf(d["y"])),
    Case("lognormal", "identity", {"sigma": "gamma(2, 1.5)"},
         # The program is that of log y: without the Jacobian of the logarithm.
         lambda d, eta, sigma: stats.norm(eta, sigma).logpdf(np.log(d["y"]))),
    Case("student_t", "identity", {"sigma": "exponential(0.7)", "nu": "gamma(2, 0.1)"},
         lambda d, eta, sigma, nu: stats.t(nu, eta, sigma).logpdf(d["y"])),
    Case("skew_normal", "identity", {"sigma": "gamma(2, 1.5)", "alpha": "normal(0, 4)"},
         skew_normal_of),
    Case("exgaussian", "identity", {"sigma": "gamma(2, 1.5)", "beta": "exponential(0.7)"},
         exgaussian_of),
    Case("shifted_lognormal", "identity",
         {"sigma": "gamma(2, 1.5)", "ndt": "gamma(2, 9)"}, shifted_lognormal_of),
    Case("inverse_gaussian", "log", SHAPE, inverse_gaussian_of),
    Case("von_mises", "tan_half", {"kappa": "gamma(2, 0.5)"}, von_mises_of),
    Case("hurdle_gamma", "log", SHAPE | HU,
         lambda d, eta, shape, hu: or_zero(
             stats.gamma(shape, scale=np.exp(eta) / shape).logpdf, d["y"], hu)),
    Case("tweedie", "log", {"phi": "lognormal(0, 1)", "power": "normal(1.5, 0.3)"}, tweedie_of),
    Case("hurdle_lognormal", "identity", {"sigma": "gamma(2, 1.5)"} | HU,
         lambda d, eta, sigma, hu: or_zero(
             stats.lognorm(sigma, scale=np.exp(eta)).logpdf, d["y"], hu)),
    Case("zero_inflated_beta", "logit", {"phi": "inv_gamma(0.4, 0.3)"} | ZI,
         lambda d, eta, phi, zi: or_zero(
             stats.beta(special.expit(eta) * phi, special.expit(-eta) * phi).logpdf, d["y"], zi)),
    Case("zero_one_inflated_beta", "logit",
         {"phi": "inv_gamma(0.4, 0.3)", "zoi": "beta(2, 3)", "coi": "beta(2, 2)"},
         zero_one_beta_of),
    Case("zero_inflated_binomial", "logit", ZI, zero_inflated_binomial_of),
    Case("geometric", "log", {},
         # scipy counts the trials up to the success.
         lambda d, eta: stats.geom(1 / (1 + np.exp(eta)), loc=-1).logpmf(d["y"])),
    Case("gamma", "log", SHAPE,
         lambda d, eta, shape: stats.gamma(shape, scale=np.exp(eta) / shape).logpdf(d["y"])),
    Case("beta", "logit", {"phi": "inv_gamma(0.4, 0.3)"}, beta_of),
    Case("weibull", "log", {"shape": "lognormal(0, 1)"}, weibull),
    Case("exponential", "log", {},
         lambda d, eta: censored(stats.expon(scale=np.exp(eta)), d)),
    *(Case("bernoulli", link, {}, each_trial(law, one=True)) for link, law in LAWS.items()),
    *(Case("binomial", link, {}, each_trial(law, one=False)) for link, law in LAWS.items()),
    Case("beta_binomial", "logit", {"phi": "lognormal(1, 1)"}, beta_binomial_of),
    Case("poisson", "log", {}, lambda d, eta: stats.poisson(np.exp(eta)).logpmf(d["y"])),
    Case("negative_binomial", "log", SHAPE,
         lambda d, eta, shape: negative_binomial(np.exp(eta), shape).logpmf(d["y"])),
    Case("zero_inflated_poisson", "log", ZI,
         lambda d, eta, zi: inflated(stats.poisson(np.exp(eta)), d["y"], zi)),
    Case("zero_inflated_negative_binomial", "log", SHAPE | ZI,
         lambda d, eta, shape, zi: inflated(negative_binomial(np.exp(eta), shape), d["y"], zi)),
    Case("hurdle_poisson", "log", HU,
         lambda d, eta, hu: hurdle(stats.poisson(np.exp(eta)), d["y"], hu)),
    Case("hurdle_negative_binomial", "log", SHAPE | HU,
         lambda d, eta, shape, hu: hurdle(negative_binomial(np.exp(eta), shape), d["y"], hu)),
    *(Case("ordinal", link, {"threshold": "student_t(3, 0, 2.5)"}, cumulative(LAWS[link]))
      for link in ("logit", "probit")),
    *(Case(family, link, {"threshold": "student_t(3, 0, 2.5)"},
           ratio(law, onward=family == "cratio"))
      for family in ("sratio", "cratio") for link, law in LAWS.items()),
    Case("acat", "logit", {"threshold": "student_t(3, 0, 2.5)"}, each_category(adjacent)),
]  # fmt: skip


# Everything else, the same in all programs -------------------------------------------------------


DISTRIBUTIONS = {
    "gamma": lambda a, b: stats.gamma(a, scale=1 / b),
    "exponential": lambda a: stats.expon(scale=1 / a),
    "inv_gamma": lambda a, b: stats.invgamma(a, scale=b),
    "lognormal": lambda a, b: stats.lognorm(b, scale=np.exp(a)),
    "beta": stats.beta,
    "student_t": stats.t,
    "normal": stats.norm,
}


NORMAL, LAPLACE, STUDENT = stats.norm(0.2, 2), stats.laplace(0, 1), stats.t(4, 1, 3)
SD = stats.truncnorm(-0.3, np.inf, 0.3, 1)


@cache
def prior(text: str) -> stats.rv_continuous:
    name, inside = text.removesuffix(")").split("(")
    return DISTRIBUTIONS[name](*map(float, inside.split(",")))


def pushed(at: float, most: float) -> tuple[float, float]:
    """Return a number pushed away from zero and from another, and its log derivative."""
    width = 0.2 * most
    ends = np.array([at / width, (at - most) / width])
    low, high = width * np.log1p(np.exp(ends))
    return float(low - high), float(np.log(-np.diff(special.expit(ends))[0]))


def own_parameters(
    case: Case, theta: np.ndarray, b0: float, earliest: float = np.nan
) -> tuple[list[object], float]:
    """Values from the coordinates; their log prior and Jacobian. Thresholds count from -b0."""
    if case.family in STEPS:
        relative = np.array([theta[0], 0.0, theta[1]])
        return [relative], float(np.sum(prior(case.own["threshold"]).logpdf(relative - b0)))
    if case.family == "ordinal":
        relative = np.array([-np.exp(theta[0]), 0.0, np.exp(theta[1])])  # the middle one of three
        lp = np.sum(prior(case.own["threshold"]).logpdf(relative - b0)) + np.sum(theta)
        return [relative], float(lp)
    values, lp = [], 0.0
    for (name, text), at in zip(case.own.items(), theta, strict=True):
        unit, plain = name in ("zi", "hu", "zoi", "coi"), name == "alpha"
        value = special.expit(at) if unit else np.exp(at) + (name == "nu")  # nu is above one
        slope = np.log(value) + np.log1p(-value) if unit else at
        value, slope = (at, 0.0) if plain else (value, slope)
        if name == "ndt":
            value, slope = pushed(at, earliest)
        if name == "power":
            value, slope = pushed(at - 1.01, 0.98)
            value += 1.01
            lp -= np.log(np.diff(prior(text).cdf([1.01, 1.99]))[0])
        lp += prior(text).logpdf(value) + slope
        values.append(value)
    return values, lp


def working(data: StanData, theta: np.ndarray) -> np.ndarray:
    """Z'w e and -Z'w X of the levels, where the own parameters are."""
    R, P, n = data["ZtWR"].copy(), int(data["P"]), int(data["own_moving"])
    away = (theta - data["center"])[P : P + n]
    for q in range(data["along_own"].shape[1] // n if n else 0):
        R[:, q * (1 + P)] += data["along_own"][:, q * n : (q + 1) * n] @ away
    return R * grown(data, theta)[:, None]


def weights(data: StanData, theta: np.ndarray) -> np.ndarray:
    """Z'w Z of the levels, where the own parameters are."""
    return np.asarray(data["ZtWZ"] * grown(data, theta)[:, None])


def grown(data: StanData, theta: np.ndarray) -> np.ndarray:
    """What the weights of each level are multiplied by: those of a factor go together."""
    P = int(data["P"])
    away = (theta - data["center"])[P : P + int(data["own_weighing"])]
    return np.repeat(np.exp(data["weight_by_own"] @ away), data["J"])


def taken_by_outer(
    data: StanData, m: int, J: int, Q: int, relative: list[np.ndarray]
) -> np.ndarray:
    """What effects of outer factors take from Z'W e (J, Q) of factor m, nested in them."""
    found, row = np.zeros((J, Q)), 0
    for inner, outer in zip(data["inner"] - 1, data["outer"] - 1, strict=True):
        members = slice(row, row + int(data["J"][inner]))
        row = members.stop
        if inner == m:
            wide = int(data["Q"][outer])
            moved = relative[outer][data["above"][members] - 1]
            taken = data["ZtWZ_outer"][members, : Q * wide].reshape(J, Q, wide)
            found += np.einsum("jqk,jk->jq", taken, moved)
    return found


def effects(
    W: np.ndarray,
    R: np.ndarray,
    Lambda: np.ndarray,
    d: np.ndarray,
    z: np.ndarray,
    share: np.ndarray,
    extent: float,
) -> tuple[np.ndarray, float, np.ndarray]:
    """Effects (J, Q) of one factor from z (Q, J), their log density in z, and the common part.

    All levels at once, as one vector of J Q coordinates and dense matrices.
    """
    J, Q = len(W), len(Lambda)
    mean, roots, inverses = [], [], []
    for j in range(J):
        G = np.zeros((Q, Q))
        G[np.tril_indices(Q)] = W[j]
        G = G + np.tril(G, -1).T
        A = np.eye(Q) + Lambda.T @ G @ Lambda
        s = R[j].reshape(Q, -1) @ np.concatenate([[1.0], d])
        mean.append(np.linalg.solve(A, Lambda.T @ s))
        inverses.append(np.linalg.inv(A))
        roots.append(np.linalg.inv(np.linalg.cholesky(A)).T)
    U = np.kron(share[:, None], np.eye(Q))
    inverse, root = block_diag(*inverses), block_diag(*roots)
    onto, in_common = np.eye(J * Q), np.zeros((Q, J * Q))
    if share.any():
        B = U.T @ inverse @ U
        onto = onto - inverse @ U @ np.linalg.solve(B, U.T)
        in_common = np.linalg.solve(np.linalg.cholesky(B), U.T @ root)
    spread = onto @ root + U @ in_common
    v = (onto @ np.concatenate(mean) + spread @ z.T.ravel()).reshape(J, Q)
    log_det = np.linalg.slogdet(spread)[1] + J * np.linalg.slogdet(Lambda)[1]
    r = v @ Lambda.T
    law = stats.multivariate_normal(np.zeros(Q), Lambda @ Lambda.T)
    return r, float(np.sum(law.logpdf(r)) + log_det), extent * Lambda @ (in_common @ z.T.ravel())


def bent(
    theta: np.ndarray, center: np.ndarray, spread: np.ndarray, bend: np.ndarray
) -> tuple[np.ndarray, float]:
    """Sds whose logarithms are bent down below their center, and the log Jacobian of log sd."""
    t = (theta - center) / spread
    below = np.log1p(np.exp(-t))
    slope = 1 + bend / spread * below * special.expit(-t)
    return np.exp(theta - bend * below**2 / 2), float(np.sum(np.log(slope)))


def reference(case: Case, model: hm.Model, rows: pd.DataFrame, point: np.ndarray) -> float:
    """Log density of the coordinates."""
    data, P = model.stan_data(), 3
    theta = data["center"] + data["scale"] @ point[: data["D"]]
    z = point[data["D"] :]
    A = len(theta) - P - 4
    _, own, sd, raw = np.split(theta, [P, P + A, P + A + 3])
    sd, lp_bend = bent(sd, data["center"][P + A : P + A + 3], data["sd_spread"], data["sd_bend"])
    L, lp = correlation(raw, 2)
    b, log_width = population(data, point[: data["D"]], sd, block_diag(L, 1))
    lp += lkj_log_density(L, 1.7) + lp_bend + log_width
    lp += np.sum(SD.logpdf(sd) + np.log(sd))

    d = b - data["b_hat"]
    W, R = weights(data, theta), working(data, theta)
    u, extent = data["share"], data["extent"]
    r_g, lp_g, of_g = effects(
        W[:4, :3], R[:4, :8], sd[:2, None] * L, d, z[:8].reshape(2, 4), u[:4], extent[0]
    )
    r_h, lp_h, of_h = effects(
        W[4:, :1], R[4:, :4], sd[2:, None], d, z[8:].reshape(1, 3), u[4:], extent[1]
    )
    # The priors of sds are written, so that x of the bar is not centred as that of X is.
    b[0] -= of_g[0] + np.average(rows["x"], weights=rows["weight"]) * of_g[1] + of_h[0]
    b[1] -= of_g[1]
    values, more = own_parameters(case, own, b[0], data.get("earliest", np.nan))
    lp += more + NORMAL.logpdf(b[2]) + LAPLACE.logpdf(b[1])
    if "threshold" not in case.own:
        lp += STUDENT.logpdf(b[0])
    g, h = rows["g"].map("abcd".index), rows["h"].map("uvw".index)
    x, w = (rows[name] - np.average(rows[name], weights=rows["weight"]) for name in ("x", "w"))
    eta = b[0] + b[1] * x + b[2] * w + rows["known"]
    eta = (eta + r_g[g, 0] + r_g[g, 1] * rows["x"] + r_h[h, 0]).to_numpy()
    pointwise = case.log_density(rows, eta, *values)
    return float(lp + lp_g + lp_h + np.sum(rows["weight"] * pointwise))


def build(case: Case, **options: object) -> tuple[hm.Model, pd.DataFrame]:
    rows = frame(case.family)
    keywords: dict[str, object] = {"family": case.family, "link": case.link, "weights": "weight"}
    if "binomial" in case.family and "negative" not in case.family:
        keywords["trials"] = "size"
    if case.family in ("weibull", "exponential"):
        keywords["censored"] = "late"
    if case.family in ("gaussian", "lognormal"):  # which are integrated out otherwise
        keywords["effects"] = "sampled"
    intercept = {} if "threshold" in case.own else INTERCEPT
    keywords["priors"] = PRIORS | intercept | case.own
    return hm.Model(FORMULA, rows, **(keywords | options)), rows


def named(case: Case) -> Any:
    """Links share all but a few lines: those of one law are for the slow suite."""
    slow = case.family in STEPS and case.link != "logit"
    name = f"{case.family}-{case.link}"
    return pytest.param(case, id=name, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("case", [named(case) for case in CASES])
def test_log_density_equals_scipy(case: Case) -> None:
    model, rows = build(case)
    data, program = model.stan_data(), model._posterior.program
    points = np.random.default_rng(5).normal(0, 0.8, (POINTS, int(data["D"]) + int(data["K"])))
    found, gradient = Embedded().log_density(program, data, points)
    expected = np.array([reference(case, model, rows, point) for point in points])
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    # As far out as warmup goes nothing is rejected, so that no engine has a message to print.
    far, _ = Embedded().log_density(program, data, 4 * points)
    assert np.isfinite(far).all()
    compare_gradients(program, data, points[:5], gradient[:5])


def compare_gradients(
    program: Program, data: StanData, points: np.ndarray, gradient: np.ndarray
) -> None:
    """Central differences of the program's own log density, at all points at once."""
    number, size = points.shape
    steps = 1e-5 * np.concatenate([np.eye(size), -np.eye(size)])
    around = (points[:, None, :] + steps).reshape(-1, size)
    values = Embedded().log_density(program, data, around)[0].reshape(number, 2, size)
    numeric = (values[:, 0] - values[:, 1]) / 2e-5
    atol = 1e-5 * np.abs(gradient).max()
    np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=atol)


def test_rows_of_one_trial_that_can_not_be_merged() -> None:
    case = next(case for case in CASES if case.family == "bernoulli")
    rows = frame("bernoulli").iloc[:-1].assign(weight=1.0)  # not a multiple of four
    rows["known"] = np.linspace(-1, 1, len(rows))
    keywords = {"family": "bernoulli", "priors": PRIORS | INTERCEPT}
    model = hm.Model(FORMULA, rows, **keywords)
    data, program = model.stan_data(), model._posterior.program
    assert data["N"] == len(rows)
    assert len(rows) % 4 != 0
    points = np.random.default_rng(7).normal(0, 0.8, (50, int(data["D"]) + int(data["K"])))
    found, _ = Embedded().log_density(program, data, points)
    expected = [reference(case, model, rows, point) for point in points]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize(("crossed", "apart"), [(False, False), (False, True), (True, True)])
def test_nested_factors_are_tuned_to_the_outer_effects_and_the_model_stays(
    crossed: bool, apart: bool
) -> None:
    case = next(case for case in CASES if case.family == "poisson")
    rows = frame("poisson")
    formula = "y ~ x + offset(known) + (x | h) + (1 | h:g)" + crossed * " + (1 | late)"
    model = hm.Model(formula, rows, family="poisson", priors=PRIORS | INTERCEPT)
    data, program = model.stan_data(), model._posterior.program
    assert data["apart"].all()
    if not apart:  # as with many levels
        data |= {name: np.zeros_like(data[name]) for name in ("apart", "share")}
    outer_of = ["uvw".index(str(label)[0]) for label in model.design.groupings[1].levels]
    J = len(outer_of)
    points = np.random.default_rng(6).normal(0, 0.8, (50, int(data["D"]) + int(data["K"])))
    expected = []
    for point in points:
        theta = data["center"] + data["scale"] @ point[: data["D"]]
        z = point[data["D"] :]
        E = 3 + crossed
        _, sd, raw = np.split(theta, [2, 2 + E])
        sd, lp = bent(sd, data["center"][2 : 2 + E], data["sd_spread"], data["sd_bend"])
        L, jacobian = correlation(raw, 2)
        b, log_width = population(data, point[: data["D"]], sd, block_diag(L, np.eye(E - 2)))
        lp += jacobian + lkj_log_density(L, 1.7) + log_width
        lp += np.sum(SD.logpdf(sd) + np.log(sd))
        d, W, R = b - data["b_hat"], weights(data, theta), working(data, theta)
        u, extent, n = data["share"], data["extent"], 3 + J
        r_h, lp_h, of_h = effects(
            W[:3, :3], R[:3, :6], sd[:2, None] * L, d, z[:6].reshape(2, 3), u[:3], extent[0]
        )
        R[3:n, 0] -= np.sum(data["ZtWZ_outer"][:, :2] * (r_h - of_h)[outer_of], axis=1)
        r_in, lp_in, of_in = effects(
            W[3:n, :1], R[3:n, :3], sd[2:3, None], d, z[6 : 6 + J].reshape(1, J), u[3:n], extent[1]
        )
        r_late = np.zeros((2, 1))
        if crossed:
            r_late, more, of_late = effects(
                W[n:, :1], R[n:, :3], sd[3:, None], d, z[6 + J :].reshape(1, 2), u[n:], extent[2]
            )
            b[0] -= of_late[0]
            lp += more
        b[0] -= of_h[0] + rows["x"].mean() * of_h[1] + of_in[0]
        b[1] -= of_h[1]
        lp += STUDENT.logpdf(b[0]) + LAPLACE.logpdf(b[1])
        codes = model.design.groupings[1].codes
        h = rows["h"].map("uvw".index)
        eta = b[0] + b[1] * (rows["x"] - rows["x"].mean()) + rows["known"]
        late = rows["late"].map(["none", "right"].index)
        eta = eta + r_h[h, 0] + r_h[h, 1] * rows["x"] + r_in[codes, 0]
        eta = (eta + r_late[late, 0]).to_numpy()
        expected.append(lp + lp_h + lp_in + np.sum(case.log_density(rows, eta)))
    found, _ = Embedded().log_density(program, data, points)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert np.abs(data["ZtWZ_outer"]).max() > 0


@pytest.mark.parametrize("family", ["beta_binomial", "negative_binomial"])
def test_without_overdispersion_a_response_is_binomial_or_poisson(family: str) -> None:
    """However large the parameter: its rounding errors must not lead a chain away."""
    case = next(case for case in CASES if case.family == family)
    case = replace(case, own=dict.fromkeys(case.own, "inv_gamma(0.4, 0.3)"))
    model, rows = build(case)
    limit = next(
        case for case in CASES
        if case.family == {"beta_binomial": "binomial", "negative_binomial": "poisson"}[family]
    )  # fmt: skip
    data, program = dict(model.stan_data()), model._posterior.program
    center = data["center"].copy()
    plain = replace(case, log_density=lambda d, eta, large: limit.log_density(d, eta))
    for log_size in (14.0, 20.0, 26.0, 34.0, 37.0, 40.0, 60.0):
        center[3] = log_size
        data["center"] = center
        moved = SimpleNamespace(stan_data=lambda: data)
        point = np.zeros(int(data["D"]) + int(data["K"]))
        (value,), (slope,) = Embedded().log_density(program, data, point[None])
        assert value == pytest.approx(reference(plain, moved, rows, point), abs=1e-3)
        assert np.abs(slope[data["D"] :]).max() < 1e3


@pytest.mark.parametrize(
    "family",
    ["negative_binomial", "zero_inflated_negative_binomial", "hurdle_negative_binomial"],
)
def test_counts_of_many_thousands(family: str) -> None:
    """Too large to be counted one by one; with shapes from small to larger than any."""
    case = next(case for case in CASES if case.family == family)
    rows = frame(family)
    rows["y"] = rows["y"] * 11_000
    case = replace(case, own=case.own | {"shape": "inv_gamma(0.4, 0.3)"})
    priors = PRIORS | {"Intercept": "normal(10, 2)"} | case.own
    model = hm.Model(FORMULA, rows, family=family, weights="weight", priors=priors)
    data, program = dict(model.stan_data()), model._posterior.program
    assert data["top"] == 0
    center = data["center"].copy()
    point = np.zeros(int(data["D"]) + int(data["K"]))
    # From a shape of 3 to one of 1e6 scipy has all digits; the slopes go on as they should.
    for log_shape in (1.0, 3.0, 4.5, 4.7, 7.0, 10.0, 14.0):
        center[3] = log_shape
        data["center"] = center
        found, _ = Embedded().log_density(program, data, point[None])
        moved = SimpleNamespace(stan_data=lambda: data)
        off = stats.norm(10, 2).logpdf(center[0]) - STUDENT.logpdf(center[0])
        expected = reference(case, moved, rows, point) + off
        np.testing.assert_allclose(found[0], expected, rtol=1e-9)
    values = []
    for log_shape in (35.0, 40.0, 45.0, 60.0):
        center[3] = log_shape
        values.append(Embedded().log_density(program, data | {"center": center}, point[None])[0][0])
    # Only the prior of the shape is left to fall: 0.4 for a unit of its logarithm.
    np.testing.assert_allclose(np.diff(values), -0.4 * np.array([5, 5, 15]), rtol=1e-4)
