"""Programs with equations of the family's own parameters are the model: log density against scipy.

Every parameter of every family, and pairs of them; effects of one factor correlated across the
equations, those of another in one alone.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from scipy.linalg import block_diag

import hiermix as hm
from hiermix.engines.embedded import Embedded
from tests.stan.test_gaussian_density import correlation, lkj_log_density, population
from tests.stan.test_log_density import (
    CASES,
    INTERCEPT,
    PRIORS,
    Case,
    bent,
    compare_gradients,
    effects,
    frame,
    own_parameters,
    weights,
    working,
)

pytestmark = pytest.mark.usefixtures("unclimbed")

FEW, MANY = 20, 200
"""Points, in the quick suite and in the slow one."""
MU, SLOPE, STUDENT, SD = (
    stats.t(4, 1, 3),
    stats.norm(0.2, 2),
    stats.t(5, 0.2, 1),
    stats.truncnorm(-0.3, np.inf, 0.3, 1),
)


@dataclass(frozen=True)
class Equations:
    case: Case
    of: tuple[str, ...]
    """Parameters that have one."""

    def __str__(self) -> str:
        return "-".join((self.case.family, self.case.link, *self.of))

    @property
    def model(self) -> tuple[hm.Model, pd.DataFrame]:
        rows = frame(self.case.family)
        if "ndt" in self.of:  # so far from zero that it is later than any ndt
            rows["y"] += 100
        keywords: dict[str, object] = {"weights": "weight", "link": self.case.link}
        keywords["family"] = self.case.family
        if "binomial" in self.case.family and "negative" not in self.case.family:
            keywords["trials"] = "size"
        if self.case.family == "weibull":
            keywords["censored"] = "late"
        priors = PRIORS | {"b[x]": "normal(0.2, 2)"}
        priors |= {} if "threshold" in self.case.own else INTERCEPT
        priors |= {name: text for name, text in self.case.own.items() if name not in self.of}
        formulas = ["y ~ x + offset(known) + (x | p | g) + (1 | h)"]
        for name in self.of:
            formulas.append(f"{name} ~ w + offset(known) + (1 | p | g)")
            priors |= {f"Intercept_{name}": "student_t(5, 0.2, 1)", f"b_{name}": "normal(0.2, 2)"}
        return hm.Model(formulas, rows, priors=priors, **keywords), rows


def discriminating(case: Case) -> Equations:
    """Predictor and thresholds times a discrimination; it is one where it has no equation."""
    own = case.own | {"disc": "lognormal(0, 1)"}
    if "threshold" in own:
        return Equations(replace(case, own=own), ("disc",))

    def of_rows(d: pd.DataFrame, eta: np.ndarray, disc: np.ndarray) -> np.ndarray:
        return case.log_density(d, disc * eta)

    return Equations(replace(case, own=own, log_density=of_rows), ("disc",))


def free(case: Case) -> tuple[str, ...]:
    """Parameters that may have an equation: a power between bounds may not."""
    return tuple(name for name in case.own if name != "power")


ALL = [
    Equations(case, of)
    for case in CASES
    if "threshold" not in case.own and case.own
    for names in [free(case)]
    for of in dict.fromkeys((names[:1], names[-1:], names))
]
ALL += [
    discriminating(case) for case in CASES if case.family in ("bernoulli", "binomial", "ordinal")
]


def centred(rows: pd.DataFrame, name: str) -> pd.Series:
    return rows[name] - np.average(rows[name], weights=rows["weight"])


def reference(each: Equations, model: hm.Model, rows: pd.DataFrame, point: np.ndarray) -> float:
    """Log density of the coordinates."""
    data = model.stan_data()
    D, K = int(data["D"]), len(each.of)
    P, E = 2 + 2 * K, 3 + K
    A = D - P - E - (E - 1) * (E - 2) // 2
    theta = data["center"] + data["scale"] @ point[:D]
    _, own, sd, raw = np.split(theta, [P, P + A, P + A + E])
    sd, lp = bent(sd, data["center"][P + A : P + A + E], data["sd_spread"], data["sd_bend"])
    L, jacobian = correlation(raw, E - 1)
    lp += jacobian + lkj_log_density(L, 1.7) + np.sum(SD.logpdf(sd) + np.log(sd))
    b, log_width = population(data, point[:D], sd, block_diag(L, 1))
    lp += log_width
    # 1. Effects of both factors, and what their levels have in common.
    d, z, Q = b - data["b_hat"], point[D:], E - 1
    W, R, u, extent = weights(data, theta), working(data, theta), data["share"], data["extent"]
    r_g, lp_g, of_g = effects(
        W[:4, : Q * (Q + 1) // 2], R[:4, : Q * (1 + P)], sd[:Q, None] * L, d,
        z[: 4 * Q].reshape(Q, 4), u[:4], extent[0],
    )  # fmt: skip
    r_h, lp_h, of_h = effects(
        W[4:, :1], R[4:, : 1 + P], sd[Q:, None], d, z[4 * Q :].reshape(1, 3), u[4:], extent[1]
    )
    # 2. Coefficients: x of the bar is not centred, as the priors of sds are written.
    b[0] -= of_g[0] + np.average(rows["x"], weights=rows["weight"]) * of_g[1] + of_h[0]
    b[1] -= of_g[1]
    b[2::2] -= of_g[2:]
    lp += SLOPE.logpdf(b[1]) + (0.0 if "threshold" in each.case.own else MU.logpdf(b[0]))
    lp += np.sum(STUDENT.logpdf(b[2::2])) + np.sum(SLOPE.logpdf(b[3::2]))
    # 3. Linear predictors, and the family's own parameters.
    g, h = rows["g"].map("abcd".index), rows["h"].map("uvw".index)
    eta = b[0] + b[1] * centred(rows, "x") + rows["known"]
    eta = (eta + r_g[g, 0] + r_g[g, 1] * rows["x"] + r_h[h, 0]).to_numpy()
    values: list[object] = []
    left = iter(own)
    for name, text in each.case.own.items():
        if name == "threshold":
            found, more = own_parameters(each.case, own, b[0])
            values, lp = found, lp + more
            continue
        unit, above = name in ("zi", "hu", "zoi", "coi"), name == "nu"
        plain = name == "alpha"
        if name in each.of:
            k = each.of.index(name)
            at = b[2 + 2 * k] + b[3 + 2 * k] * centred(rows, "w") + rows["known"] + r_g[g, 2 + k]
            at = at.to_numpy()
            values.append(special.expit(at) if unit else at if plain else np.exp(at) + above)
            continue
        alone = replace(each.case, own={name: text})
        found, more = own_parameters(alone, np.array([next(left)]), b[0], rows["y"].min())
        values, lp = values + found, lp + more
    pointwise = each.case.log_density(rows, eta, *values)
    return float(lp + lp_g + lp_h + np.sum(rows["weight"] * pointwise))


ONE_BY_ONE = {"student_t", "shifted_lognormal", "hurdle_negative_binomial"}
"""Families each of whose parameters has an equation beside one without, in the quick suite too."""


def quick(each: Equations) -> bool:
    """All parameters at once of every family; a discrimination by one link."""
    if each.of == ("disc",):
        return f"{each.case.family}-{each.case.link}" in ("bernoulli-logit", "ordinal-probit")
    return each.case.family in ONE_BY_ONE or each.of == free(each.case)


@pytest.mark.parametrize(
    ("each", "number"),
    [
        *(pytest.param(each, FEW, id=f"{each}-{FEW}") for each in ALL if quick(each)),
        *(pytest.param(each, MANY, id=f"{each}-{MANY}", marks=pytest.mark.slow) for each in ALL),
    ],
)
def test_log_density_equals_scipy(each: Equations, number: int) -> None:
    model, rows = each.model
    data, program = model.stan_data(), model._posterior.program
    size = int(data["D"]) + int(data["K"])
    points = np.random.default_rng(5).normal(0, 0.8, (number, size))
    found, gradient = Embedded().log_density(program, data, points)
    expected = np.array([reference(each, model, rows, point) for point in points])
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    # As far out as warmup goes: sds of 100 of a log shape leave no density, and no message.
    far, _ = Embedded().log_density(program, data, 4 * points)
    if "ndt" not in each.of:  # which is later than some response there
        assert np.isfinite(far).mean() >= 0.9
    assert not np.isnan(far).any()
    compare_gradients(program, data, points[:3], gradient[:3])
