"""Censored and truncated responses: the programs, and the package's own laws, against scipy.

The reference takes a row at a time: scipy's distribution function at both ends of what is known of
the response, less that of the bounds beyond which nothing was seen.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

import hiermix as hm
from hiermix.engines.embedded import Embedded
from hiermix.families.table import find
from hiermix.stan import programs
from tests.stan.test_log_density import (
    CASES,
    FORMULA,
    INTERCEPT,
    PRIORS,
    ROWS,
    Case,
    compare_gradients,
    frame,
    negative_binomial,
    reference,
)

pytestmark = pytest.mark.usefixtures("unclimbed")


class Law(Protocol):
    def cdf(self, y: Any) -> Any: ...
    def sf(self, y: Any) -> Any: ...
    def rvs(self, size: int, random_state: int) -> Any: ...


class Mixed:
    """A zero with some probability, else a count; behind a hurdle the count is not zero."""

    def __init__(self, count: Any, zero: float, *, hurdle: bool) -> None:
        self.count, self.zero, self.hurdle = count, zero, hurdle

    def sf(self, y: Any) -> Any:
        above = self.count.sf(y)
        if self.hurdle:
            above = np.where(np.floor(y) < 1, 1.0, above / self.count.sf(0))
        return np.where(np.floor(y) < 0, 1.0, (1 - self.zero) * above)

    def cdf(self, y: Any) -> Any:
        return 1 - self.sf(y)

    def rvs(self, size: int, random_state: int) -> Any:
        rng = np.random.default_rng(random_state)
        u = rng.random(size) * self.count.sf(0)
        count = self.count.isf(u) if self.hurdle else self.count.rvs(size, random_state=rng)
        return count * (rng.random(size) >= self.zero)


class WithValues:
    """Measurements, or values such as a zero, each with some probability."""

    def __init__(self, measured: Any, values: dict[float, float]) -> None:
        self.measured, self.values = measured, values
        self.rest = 1 - sum(values.values())

    def cdf(self, y: Any) -> Any:
        atoms = sum(p * (np.asarray(y) >= value) for value, p in self.values.items())
        return atoms + self.rest * self.measured.cdf(y)

    def sf(self, y: Any) -> Any:
        atoms = sum(p * (np.asarray(y) < value) for value, p in self.values.items())
        return atoms + self.rest * self.measured.sf(y)

    def pdf(self, y: Any) -> Any:
        return self.rest * self.measured.pdf(y)


class Angles:
    """Angles from -pi to pi around a mean direction, by quadrature of scipy's density."""

    def __init__(self, eta: Any, kappa: float) -> None:
        self.mu, self.kappa = 2 * np.arctan(eta), kappa

    def pdf(self, y: Any, mu: float) -> Any:
        around = self.kappa * (np.cos(y - mu) - 1)
        return np.exp(around) / (2 * np.pi * special.i0e(self.kappa))

    def between(self, low: Any, high: Any) -> Any:
        ends = (np.clip(each, -np.pi, np.pi) for each in (low, high))
        each = np.broadcast_arrays(*ends, self.mu)
        found = [
            sum(integrate.quad(self.pdf, a, b, (mu,), epsabs=0, epsrel=1e-11)[0]
                for a, b in pairwise(np.unique(np.clip([low, mu - 2 * np.pi, mu, mu + 2 * np.pi,
                                                        high], low, high))))
            for low, high, mu in zip(*(one.ravel() for one in each), strict=True)
        ]  # fmt: skip
        return np.reshape(found, each[0].shape)

    def cdf(self, y: Any) -> Any:
        return self.between(-np.pi, y)

    def sf(self, y: Any) -> Any:
        return self.between(y, np.pi)


def _skew_normal(eta: Any, sigma: float, alpha: float) -> Law:
    standard = stats.skewnorm(alpha)
    scale = sigma / standard.std()
    return stats.skewnorm(alpha, eta - scale * standard.mean(), scale)


def _beta(eta: Any, phi: float) -> Law:
    return stats.beta(special.expit(eta) * phi, special.expit(-eta) * phi)


LAWS: dict[str, Callable[..., Law]] = {
    "gaussian": stats.norm,
    "student_t": lambda eta, sigma, nu: stats.t(nu, eta, sigma),
    "lognormal": lambda eta, sigma: stats.lognorm(sigma, scale=np.exp(eta)),
    "gamma": lambda eta, shape: stats.gamma(shape, scale=np.exp(eta) / shape),
    "beta": _beta,
    "weibull": lambda eta, shape: stats.weibull_min(
        shape, scale=np.exp(eta) / special.gamma(1 + 1 / shape)
    ),
    "exponential": lambda eta: stats.expon(scale=np.exp(eta)),
    "exgaussian": lambda eta, sigma, beta: stats.exponnorm(beta / sigma, eta - beta, sigma),
    "inverse_gaussian": lambda eta, shape: stats.invgauss(np.exp(eta) / shape, scale=shape),
    "shifted_lognormal": lambda eta, sigma, ndt: stats.lognorm(
        sigma, loc=ndt, scale=np.exp(eta)
    ),
    "skew_normal": _skew_normal,
    "von_mises": Angles,
    "hurdle_gamma": lambda eta, shape, hu: WithValues(
        stats.gamma(shape, scale=np.exp(eta) / shape), {0.0: hu}
    ),
    "hurdle_lognormal": lambda eta, sigma, hu: WithValues(
        stats.lognorm(sigma, scale=np.exp(eta)), {0.0: hu}
    ),
    "zero_inflated_beta": lambda eta, phi, zi: WithValues(_beta(eta, phi), {0.0: zi}),
    "zero_one_inflated_beta": lambda eta, phi, zoi, coi: WithValues(
        _beta(eta, phi), {0.0: zoi * (1 - coi), 1.0: zoi * coi}
    ),
    "poisson": lambda eta: stats.poisson(np.exp(eta)),
    "negative_binomial": lambda eta, shape: negative_binomial(np.exp(eta), shape),
    "geometric": lambda eta: stats.geom(1 / (1 + np.exp(eta)), loc=-1),
    "zero_inflated_poisson": lambda eta, zi: Mixed(stats.poisson(np.exp(eta)), zi, hurdle=False),
    "zero_inflated_negative_binomial": lambda eta, shape, zi: Mixed(
        negative_binomial(np.exp(eta), shape), zi, hurdle=False
    ),
    "hurdle_poisson": lambda eta, hu: Mixed(stats.poisson(np.exp(eta)), hu, hurdle=True),
    "hurdle_negative_binomial": lambda eta, shape, hu: Mixed(
        negative_binomial(np.exp(eta), shape), hu, hurdle=True
    ),
}  # fmt: skip
OWN = {
    "sigma": 0.8,
    "nu": 4.0,
    "shape": 1.7,
    "phi": 5.0,
    "zi": 0.3,
    "hu": 0.3,
    "beta": 1.2,
    "ndt": 0.15,
    "alpha": -1.3,
    "kappa": 1.4,
    "zoi": 0.35,
    "coi": 0.6,
}
SHARES = ("beta", "zero_inflated_beta", "zero_one_inflated_beta")
KNOWN = [case for case in CASES if case.family in LAWS]


def own_of(family: str) -> dict[str, float]:
    return {each.name: OWN[each.name] for each in find(family).own}


def log_between(law: Law, low: Any, high: Any) -> Any:
    if isinstance(law, Angles):
        return np.log(law.between(low, high))
    inside = np.where(law.cdf(low) > 0.5, law.sf(low) - law.sf(high), law.cdf(high) - law.cdf(low))
    return np.log(inside)


def limited(family: str) -> pd.DataFrame:
    """Rows of every kind of censoring, with bounds that all responses lie within."""
    data = frame(family).iloc[:ROWS]
    rng = np.random.default_rng(3)
    step = 1.0 if not find(family).continuous else 0.25
    data["c"] = rng.choice(["none", "left", "right", "interval"], len(data), p=[0.4, 0.2, 0.2, 0.2])
    if family in SHARES:
        data["y"] *= np.where(data["y"] == 1, 1.0, 0.7)
        data.loc[data["y"] == 1, "c"] = "none"
    data["to"] = np.where(data["c"] == "interval", data["y"] + step, np.nan)
    data["lb"] = {True: data["y"].min() - 1.0, False: -1.0}[find(family).support[0] == -np.inf]
    data["lb"] = np.where(data["g"] == "a", data["lb"], -np.inf)
    data["ub"] = 0.999 if family in SHARES else float(data["y"].max()) + 2.0
    data["ub"] = np.where((data["g"] != "c") | (data["y"] == 1), np.inf, data["ub"])
    if family == "von_mises":
        data["to"] = np.minimum(data["to"], np.pi)
        data = data.assign(lb=-np.inf, ub=np.inf)
    return data


def ends(data: pd.DataFrame, family: str) -> tuple[np.ndarray, ...]:
    """What is known of each response, above and at most, and its bounds."""
    whole = not find(family).continuous
    least = np.ceil(data["lb"]) - 1 if whole else data["lb"]
    most = np.floor(data["ub"]) if whole else data["ub"]
    low = np.where(data["c"] == "left", -np.inf, data["y"])
    high = np.select([data["c"] == "left", data["c"] == "right"], [data["y"], np.inf], data["to"])
    return np.maximum(low, least), np.minimum(high, most), least.to_numpy(), most.to_numpy()


def of_rows(case: Case, data: pd.DataFrame, eta: np.ndarray, *own: Any) -> np.ndarray:
    law = LAWS[case.family](eta, *own)
    low, high, least, most = ends(data, case.family)
    plain = data.assign(late="none")
    if case.family == "lognormal":  # the program is that of log y
        law = stats.norm(eta, *own)
        low, high, least, most = (np.log(np.maximum(each, 0)) for each in (low, high, least, most))
    seen = case.log_density(plain, eta, *own)
    known = np.where(data["c"] == "none", seen, log_between(law, low, high))
    return known - log_between(law, least, most)


@pytest.mark.parametrize("case", KNOWN, ids=lambda case: case.family)
@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value):RuntimeWarning")
def test_log_density_equals_scipy(case: Case) -> None:
    rows = limited(case.family)
    bounds = "" if case.family == "von_mises" else " + trunc(lb, ub)"
    formula = FORMULA.replace("y ~", f"y | cens(c, to){bounds} ~")
    effects = {"effects": "sampled"} if case.family == "gaussian" else {}
    model = hm.Model(
        formula, rows, family=case.family, weights="weight",
        priors=PRIORS | INTERCEPT | case.own, **effects,
    )  # fmt: skip
    data, program = model.stan_data(), model._posterior.program
    assert min(data["N_below"], data["N_above"], data["N_between"]) > 0
    points = np.random.default_rng(5).normal(0, 0.6, (20, int(data["D"]) + int(data["K"])))
    found, gradient = Embedded().log_density(program, data, points)
    known = replace(case, log_density=partial(of_rows, case))
    expected = np.array([reference(known, model, rows, point) for point in points])
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    compare_gradients(program, data, points[:5], gradient[:5])
    # As far out as warmup goes nothing is rejected.
    far, _ = Embedded().log_density(program, data, 4 * points)
    assert np.isfinite(far).mean() > 0.9


LAWS_AT = [
    (name, own, eta)
    for name in LAWS
    for own in (own_of(name),)
    for eta in (-0.4, 0.9)
]  # fmt: skip


def law_of(name: str, own: dict[str, float], eta: float) -> tuple[Any, Law]:
    family = find(name)
    return family, LAWS[name](eta, *own.values())


def arrays(own: dict[str, float], **ends: Any) -> dict[str, np.ndarray]:
    return {key: np.atleast_1d(np.asarray(value, float)) for key, value in (own | ends).items()}


@pytest.mark.parametrize(("name", "own", "eta"), LAWS_AT)
def test_what_is_known_of_a_response_has_the_probability_of_its_interval(
    name: str, own: dict[str, float], eta: float
) -> None:
    family, law = law_of(name, own, eta)
    low, high = (np.array([0.2, 0.5]), np.array([0.6, 0.8])) if name in SHARES else (
        np.array([0.0, 1.0]), np.array([2.0, 5.0]))  # fmt: skip
    y = np.full(2, 0.5)
    high = np.minimum(high, 3.0) if name == "von_mises" else high
    found = family.log_density(y, np.array([eta]), arrays(own, low=low, high=high))
    inside = law.cdf(high) - law.cdf(low)
    np.testing.assert_allclose(found, np.log(inside), rtol=1e-10)
    a, b = (0.7, 0.5) if family.continuous else (2.0, 1.0)
    found = family.log_density(y, np.array([eta]), arrays(own, low=[-np.inf, b], high=[a, np.inf]))
    np.testing.assert_allclose(found, np.log([law.cdf(a), law.sf(b)]), rtol=1e-10)


BOUNDS = defaultdict(
    lambda: ((1.0, np.inf), (-np.inf, 2.0), (0.0, 3.0)),
    shares=((0.3, 0.7), (-np.inf, 0.8), (0.4, np.inf)),
    von_mises=(),  # angles have no order to be cut off in
)


@pytest.mark.parametrize(("name", "own", "eta"), LAWS_AT)
def test_within_bounds_mean_and_draws_are_those_of_the_law(
    name: str, own: dict[str, float], eta: float
) -> None:
    """The mean by quadrature, or a sum; of 10,000 draws within six standard errors."""
    family, law = law_of(name, own, eta)
    for least, most in BOUNDS["shares" if name in SHARES else name]:
        if family.continuous:
            start = max(least, family.support[0])
            far = 1.0 if name in SHARES else 4000.0
            ends = (start if np.isfinite(start) else -60.0, most if np.isfinite(most) else far)
            grid = np.unique(np.clip([*ends, -8, -2, 0, 0.5, 1, 2, 5, 12, 40, 200], *ends))
            mass, first = (
                sum(integrate.fixed_quad(lambda y, p=p: y**p * law.pdf(y), a, b, n=300)[0]
                    for a, b in pairwise(grid))
                for p in (0, 1)
            )  # fmt: skip
            values = {y: p for y, p in getattr(law, "values", {}).items() if least < y <= most}
            first += sum(y * p for y, p in values.items())
            expected = first / (mass + sum(values.values()))
        else:
            y = np.arange(max(least, -1) + 1, min(most, 500) + 1)
            p = law.cdf(y) - law.cdf(y - 1)
            expected = float(p @ y / p.sum())
        bounds = arrays(own, least=least, most=most)
        found = family.mean(np.array([eta]), bounds)[0]
        assert found == pytest.approx(expected, rel=2e-5 if name == "student_t" else 1e-7)
        draws = family.draw(np.random.default_rng(8), np.full(10_000, eta), bounds)
        assert np.all((draws > least) & (draws <= most))
        assert abs(draws.mean() - expected) < 6 * draws.std() / 100


@pytest.mark.parametrize(
    "name", ["gaussian", "gamma", "hurdle_gamma", "poisson", "hurdle_negative_binomial"]
)
def test_draws_from_far_out_are_still_the_law(name: str) -> None:
    """Where next to no draw falls within the bounds: against quantiles of the law itself."""
    own = own_of(name)
    family, law = law_of(name, own, 0.0)
    least, most = (6.0, 9.0) if name != "gaussian" else (4.5, 5.5)
    draws = family.draw(
        np.random.default_rng(4), np.zeros(4_000), arrays(own, least=least, most=most)
    )
    inside = np.sort((law.sf(least) - law.sf(draws)) / (law.sf(least) - law.sf(most)))
    if family.continuous:
        assert stats.kstest(inside, "uniform").pvalue > 1e-6
    else:
        values = np.arange(least + 1, most + 1)
        expected = (law.sf(values - 1) - law.sf(values)) / (law.sf(least) - law.sf(most))
        seen = np.array([(draws == value).sum() for value in values])
        assert stats.chisquare(seen, expected * len(draws)).pvalue > 1e-6


def test_every_program_of_such_a_family_takes_intervals() -> None:
    for name in LAWS:
        assert find(name).linked_log_tails is not None
        assert "N_between" in programs.find(find(name).program).code


@pytest.mark.parametrize("family", ["poisson", "hurdle_poisson", "zero_inflated_poisson"])
def test_means_far_beyond_a_bound_are_no_mode(family: str) -> None:
    # Given at most 50, counts of a mean of e^85 are 50: e^85 - e^85 must not be rounding.
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"x": rng.normal(size=40), "y": rng.poisson(2, 40).clip(0, 6)})
    model = hm.Model("y | trunc(lb=0, ub=50) ~ x", data, family=family,
                     priors={"Intercept": "normal(0, 100)"})  # fmt: skip
    handed, program = model.stan_data(), model._posterior.program
    points = np.zeros((4, int(handed["D"])))
    points[1:, 0] = (np.array([30.0, 85.0, 200.0]) - handed["center"][0]) / handed["scale"][0, 0]
    values, gradient = Embedded().log_density(program, handed, points)
    assert np.isfinite(values).all()
    assert np.isfinite(gradient).all()
    # Each count costs more than e^-20 of what it has at the mode.
    assert (values[1:] < values[0] - 20 * 40).all()
