"""Means, draws and log densities of every family at tiny and huge parameters.

The reference is each law's textbook formula, worked out with 60 digits by mpmath.
"""

import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import mpmath
import numpy as np
import pandas as pd
import pytest
from mpmath import mp, mpf

import hiermix as hm
from hiermix.families import table

POINTS = 150
EPSILON = 2.0**-50  # a few roundings
type Law = Callable[..., Any]


def lgamma(x: Any) -> Any:
    return mpmath.loggamma(x)


def log_power(count: Any, log_p: Any) -> Any:
    return count * log_p if count else mpf(0)


def normal(y: Any, eta: Any, sigma: Any) -> Any:
    return -((y - eta) ** 2) / (2 * sigma**2) - mpmath.log(sigma) - mpmath.log(2 * mp.pi) / 2


def student(y: Any, eta: Any, sigma: Any, nu: Any) -> Any:
    constant = lgamma((nu + 1) / 2) - lgamma(nu / 2) - mpmath.log(nu * mp.pi) / 2
    z = (y - eta) / sigma
    return constant - mpmath.log(sigma) - (nu + 1) / 2 * mpmath.log1p(z**2 / nu)


def lognormal(y: Any, eta: Any, sigma: Any) -> Any:
    return normal(mpmath.log(y), eta, sigma) - mpmath.log(y)


def gamma(y: Any, eta: Any, shape: Any) -> Any:
    rate = shape / mpmath.exp(eta)
    return shape * mpmath.log(rate) - lgamma(shape) + (shape - 1) * mpmath.log(y) - rate * y


def weibull(y: Any, eta: Any, shape: Any) -> Any:
    scaled = y * mpmath.gamma(1 + 1 / shape) / mpmath.exp(eta)
    return mpmath.log(shape / y) + shape * mpmath.log(scaled) - scaled**shape


def inverse_gaussian(y: Any, eta: Any, shape: Any) -> Any:
    mu = mpmath.exp(eta)
    far = shape * (y - mu) ** 2 / (mu**2 * y)
    return (mpmath.log(shape / (2 * mp.pi)) - 3 * mpmath.log(y) - far) / 2


def exponential(y: Any, eta: Any) -> Any:
    return -eta - y * mpmath.exp(-eta)


def beta(y: Any, eta: Any, phi: Any) -> Any:
    a, b = phi / (1 + mpmath.exp(-eta)), phi / (1 + mpmath.exp(eta))
    constant = lgamma(phi) - lgamma(a) - lgamma(b)
    return constant + (a - 1) * mpmath.log(y) + (b - 1) * mpmath.log1p(-y)


def binomial(y: Any, eta: Any, trials: Any, link: str = "logit") -> Any:
    if link == "cloglog":
        log_q = -mpmath.exp(eta)
        log_p = mpmath.log(-mpmath.expm1(log_q))
    elif link == "probit":
        log_p, log_q = (mpmath.log(mpmath.erfc(-s * eta / mpmath.sqrt(2)) / 2) for s in (1, -1))
    else:
        log_p, log_q = (-mpmath.log1p(mpmath.exp(-s * eta)) for s in (1, -1))
    choose = lgamma(trials + 1) - lgamma(y + 1) - lgamma(trials - y + 1)
    return choose + log_power(y, log_p) + log_power(trials - y, log_q)


def beta_binomial(y: Any, eta: Any, phi: Any, trials: Any) -> Any:
    a, b = phi / (1 + mpmath.exp(-eta)), phi / (1 + mpmath.exp(eta))
    choose = lgamma(trials + 1) - lgamma(y + 1) - lgamma(trials - y + 1)
    risen = lgamma(y + a) - lgamma(a) + lgamma(trials - y + b) - lgamma(b)
    return choose + risen - lgamma(trials + phi) + lgamma(phi)


def poisson(y: Any, eta: Any) -> Any:
    return y * eta - mpmath.exp(eta) - lgamma(y + 1)


def negative_binomial(y: Any, eta: Any, shape: Any) -> Any:
    mu = mpmath.exp(eta)
    rising = lgamma(y + shape) - lgamma(shape) - lgamma(y + 1)
    odds = log_power(y, mpmath.log(mu / (mu + shape)))
    return rising - shape * mpmath.log1p(mu / shape) + odds


def inflated(count: Law, y: Any, eta: Any, *own: Any) -> Any:
    *rest, zi = own
    p = (1 - zi) * mpmath.exp(count(y, eta, *rest)) + (zi if y == 0 else 0)
    return mpmath.log(p)


def hurdle(count: Law, y: Any, eta: Any, *own: Any) -> Any:
    *rest, hu = own
    if y == 0:
        return mpmath.log(hu)
    none = count(mpf(0), eta, *rest)
    return mpmath.log1p(-hu) + count(y, eta, *rest) - mpmath.log(-mpmath.expm1(none))


LAWS: dict[tuple[str, str], Law] = {
    ("gaussian", "identity"): normal,
    ("student_t", "identity"): student,
    ("lognormal", "identity"): lognormal,
    ("gamma", "log"): gamma,
    ("beta", "logit"): beta,
    ("weibull", "log"): weibull,
    ("exponential", "log"): exponential,
    ("inverse_gaussian", "log"): inverse_gaussian,
    **{
        ("bernoulli", link): partial(binomial, link=link) for link in ("logit", "probit", "cloglog")
    },
    **{("binomial", link): partial(binomial, link=link) for link in ("logit", "probit", "cloglog")},
    ("beta_binomial", "logit"): beta_binomial,
    ("poisson", "log"): poisson,
    ("negative_binomial", "log"): negative_binomial,
    ("zero_inflated_poisson", "log"): partial(inflated, poisson),
    ("zero_inflated_negative_binomial", "log"): partial(inflated, negative_binomial),
    ("hurdle_poisson", "log"): partial(hurdle, poisson),
    ("hurdle_negative_binomial", "log"): partial(hurdle, negative_binomial),
}
CASES = [pytest.param(family, link, id=f"{family}-{link}") for family, link in LAWS]
COUNTS = [
    family
    for family, link in LAWS
    if table.find(family, link).links == ("log",) and not table.FAMILIES[family].continuous
]


def points(family: str, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Linear predictors and own parameters, most of them far out."""
    row = table.FAMILIES[family]
    far = 1e6 if "identity" in row.links else 700.0
    eta = rng.uniform(-1, 1, POINTS) * far ** rng.uniform(-0.2, 1, POINTS)
    own = {}
    for each in filter(lambda own: own.learned, row.own):  # a discrimination multiplies eta
        if each.name in ("zi", "hu"):
            own[each.name] = 1 / (1 + np.exp(rng.uniform(-30, 30, POINTS)))
        elif each.name == "nu":
            own[each.name] = 10 ** rng.uniform(-1, 12, POINTS)
        else:
            own[each.name] = 10 ** rng.uniform(-12, 12, POINTS)
    if family == "lognormal":
        own["sigma"] = 10 ** rng.uniform(-6, 1, POINTS)
        eta = np.clip(eta, -300, 300)
    if family in ("binomial", "beta_binomial"):
        own["trials"] = np.floor(10 ** rng.uniform(0, 9, POINTS))
    return eta, own


def responses(family: str, link: str, eta: np.ndarray, own: dict[str, np.ndarray]) -> np.ndarray:
    """Draw a response at each point."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return table.find(family, link).draw(np.random.default_rng(8), eta, own)


@pytest.mark.parametrize(("family", "link"), CASES)
def test_draws_are_numbers_that_the_family_takes(family: str, link: str) -> None:
    for seed in range(20):
        eta, own = points(family, np.random.default_rng(seed))
        start = time.process_time()
        y = responses(family, link, eta, own)
        assert time.process_time() - start < 1
        assert np.isfinite(y).all()
        row = table.FAMILIES[family]
        if "identity" not in row.links or family == "lognormal":
            assert (y >= 0).all()
        if row.continuous and ("identity" not in row.links or family == "lognormal"):
            assert (y > 0).all()
        if family == "beta":
            assert (y < 1).all()
        if not row.continuous:
            assert (y == np.floor(y)).all()
        if "trials" in own:
            assert (y <= own["trials"]).all()


@pytest.mark.parametrize(("family", "link"), CASES)
def test_log_density_is_that_of_sixty_digits(family: str, link: str) -> None:
    eta, own = points(family, np.random.default_rng(3))
    y = responses(family, link, eta, own)
    if family in COUNTS:  # above 2^53 a count is no whole number any more
        eta = np.minimum(eta, 34.0)
        y = np.minimum(y, 1e15)
        y[::7] = 1.0
        y[::11] = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = table.find(family, link).log_density(y, eta, own)
    if family == "bernoulli":
        own["trials"] = np.ones(POINTS)
    law = partial(reference, LAWS[family, link], own)
    expected = law(y, eta)
    # What rounding eta and log y, once each, makes of it: no algorithm knows better.
    rounding = np.abs(law(y, eta * (1 + EPSILON)) - expected)
    if table.FAMILIES[family].continuous:
        nudged = y * (1 - EPSILON * np.maximum(np.abs(np.log(np.abs(y))), 1))
        rounding += np.abs(law(nudged, eta) - expected)
    known = np.isfinite(expected) & (rounding < 0.1)
    assert known.mean() > 0.6
    assert not np.isnan(found).any()
    if family == "beta_binomial":  # log of trials factorial, which is far larger
        rounding += EPSILON * own["trials"] * np.log(own["trials"])
    allowed = 1e-9 * np.maximum(np.abs(expected), 1) + 4 * rounding
    assert (np.abs(found - expected) <= allowed)[known].all()


def reference(law: Law, own: dict[str, np.ndarray], y: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """Evaluate a law at each point."""
    columns = [values.tolist() for values in (y, eta, *own.values())]
    with mp.workdps(60):
        return np.array([float(law(*map(mpf, row))) for row in zip(*columns, strict=True)])


@pytest.mark.parametrize(("family", "link"), CASES)
def test_means_are_numbers(family: str, link: str) -> None:
    eta, own = points(family, np.random.default_rng(4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = table.find(family, link).mean(eta, own)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("eta", [-700.0, -30.0, -3.0, 0.5, 4.0])
@pytest.mark.parametrize("shape", [1e-9, 0.02, 3.0, 1e12])
def test_hurdle_means_and_draws(eta: float, shape: float) -> None:
    own = {"shape": np.array(shape), "hu": np.array(0.25)}
    family = table.find("hurdle_negative_binomial")
    with mp.workdps(800):
        none = negative_binomial(mpf(0), mpf(eta), mpf(shape))
        expected = float(mpf(3) / 4 * mpmath.exp(eta) / -mpmath.expm1(none))
    assert family.mean(np.array(eta), own) == pytest.approx(expected, rel=1e-9)
    n = 100_000
    draws = family.draw(np.random.default_rng(6), np.full(n, eta), own)
    for count in range(4):
        p = float(np.exp(family.log_density(np.array(float(count)), np.array(eta), own)))
        # Six standard errors, and one draw for what is too rare to have a normal error.
        assert abs(np.mean(draws == count) - p) < 6 * np.sqrt(p * (1 - p) / n) + 1 / n


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_ordinal_far_out(link: str) -> None:
    family = table.find("ordinal", link)
    own = {"threshold": np.array([-1.0, 0.5, 0.5 + 1e-3])}
    eta = np.array([-35.0, -8.0, 0.0, 8.0, 35.0])[:, None]
    found = family.log_density(np.arange(1.0, 5.0), eta, own)

    def below(x: Any) -> Any:
        return 1 / (1 + mpmath.exp(-x)) if link == "logit" else mpmath.erfc(-x / mpmath.sqrt(2)) / 2

    with mp.workdps(400):
        bounds = [mpf("-inf"), *map(mpf, own["threshold"].tolist()), mpf("inf")]
        expected = [
            [float(mpmath.log(below(bounds[c + 1] - e) - below(bounds[c] - e))) for c in range(4)]
            for e in eta[:, 0].tolist()
        ]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)
    probability = family.probabilities(eta[:, 0], own)
    np.testing.assert_allclose(probability, np.exp(expected), rtol=1e-9, atol=0)


@pytest.mark.parametrize(
    "family",
    ["poisson", "negative_binomial", "zero_inflated_poisson", "zero_inflated_negative_binomial",
     "hurdle_poisson", "hurdle_negative_binomial"],
)  # fmt: skip
def test_draws_from_a_wide_prior_are_counts(family: str) -> None:
    """Means up to 10^308 and beyond: what numpy can't draw is capped, and nothing is NaN."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"y": rng.poisson(3, 24), "x": 5 * rng.normal(size=24)})
    frame["g"] = np.arange(24) % 6
    model = hm.Model("y ~ x + (x | g)", frame, family=family,
                     priors={"b": "normal(0, 100)", "sd": "student_t(3, 0, 50)"})  # fmt: skip
    fit = model.fit(seed=1, chains=1, warmup=150, draws=100, prior_only=True)
    drawn = fit.predict(kind="response").to_numpy()
    assert np.isfinite(drawn).all()
    assert (drawn == np.round(drawn)).all()
    assert drawn.min() >= 0
    assert drawn.max() > 1e15
    assert not np.isnan(fit.predict(kind="mean")).any()


def test_nu_stays_above_one_where_tails_are_heavier() -> None:
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"y": rng.standard_t(0.6, 60), "g": np.arange(60) % 6})
    fit = hm.Model("y ~ 1 + (1 | g)", data, family="student_t").fit(
        seed=1, chains=2, draws=200, progress=False
    )
    nu = fit.data.posterior["nu"].to_numpy()
    assert nu.min() >= 1
    assert nu.mean() < 2
