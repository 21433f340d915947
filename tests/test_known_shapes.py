"""Thirty posteriors of known shape: R-hat says that chains disagree, or the answer is right.

Several modes, funnels, ridges, boundaries. The right answers are quadrature over one to three
parameters, everything else known or integrated in closed form; dense algebra; or symmetry.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from arviz_stats import ess, rhat
from scipy import stats
from scipy.special import gammaln

import hiermix as hm

NEVER = 5.5
"""Standard errors: about one right run in a million is further away."""


@dataclass
class Shape:
    """A model, what to look at, and its posterior mean by another road."""

    data: pd.DataFrame
    formula: str
    look: Callable[[xr.Dataset], xr.DataArray]
    right: Callable[[hm.Model], float]
    family: str = "gaussian"
    priors: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)

    def model(self) -> hm.Model:
        return hm.Model(self.formula, self.data, family=self.family, priors=self.priors,
                        **self.options)  # fmt: skip


def expected(log_density: np.ndarray, value: np.ndarray) -> float:
    """Mean of `value` over a grid of equal cells."""
    weight = np.exp(log_density - log_density.max())
    return float(np.sum(weight * value) / weight.sum())


def log_prior(model: hm.Model, name: str, value: np.ndarray) -> np.ndarray:
    """Log density of a prior, but for a constant."""
    return model.priors[name].frozen().logpdf(value)


# Several modes -----------------------------------------------------------------------------------

KNOWN = {"sigma": "normal(0.5, 1e-4)", "nu": "normal(1.5, 1e-4)"}


def clusters(places: list[float], rows: list[int]) -> Shape:
    """Rows of a Student t of known width in some places: the Intercept is in each."""
    rng = np.random.default_rng(len(places))
    y = np.repeat(places, rows) + 0.3 * rng.normal(size=sum(rows))
    y -= y.mean()

    def right(model: hm.Model) -> float:
        mu = np.linspace(-30, 30, 60_001)
        each = stats.t.logpdf(y[:, None], 1.5, mu, 0.5).sum(axis=0)
        return expected(each + log_prior(model, "Intercept", mu), mu > 0)

    return Shape(pd.DataFrame({"y": y}), "y ~ 1", lambda p: p["Intercept"] > 0, right,
                 "student_t", KNOWN)  # fmt: skip


def slopes(share: float) -> Shape:
    """Part of the rows has a slope of 3, the others of -3."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=30)
    x -= x.mean()
    y = np.where(np.arange(30) < share * 30, 3, -3) * x + 0.2 * rng.normal(size=30)

    def right(model: hm.Model) -> float:
        a, b = np.meshgrid(np.linspace(-3, 3, 121), np.linspace(-6, 6, 601), indexing="ij")
        each = stats.t.logpdf(y[:, None, None], 1.5, a + b * x[:, None, None], 0.5).sum(axis=0)
        prior = log_prior(model, "Intercept", a) + log_prior(model, "b[x]", b)
        return expected(each + prior, b > 0)

    return Shape(pd.DataFrame({"y": y, "x": x}), "y ~ x", lambda p: p["b"].sel(term="x") > 0,
                 right, "student_t", KNOWN)  # fmt: skip


def spike(scale: float, mean: float) -> Shape:
    """A mean with standard error one, against a Cauchy prior at zero that is narrow."""
    y = mean + np.linspace(-2, 2, 100)
    sigma = 10.0

    def right(model: hm.Model) -> float:
        mu = np.sinh(np.linspace(-18, 18, 400_001)) * 1e-6
        lp = stats.norm.logpdf(mu, mean, sigma / 10) + log_prior(model, "Intercept", mu)
        return expected(lp + 0.5 * np.log(mu**2 + 1e-12), mu > 0.3 * mean)

    priors = {"Intercept": f"cauchy(0, {scale})", "sigma": f"normal({sigma}, 1e-3)"}
    return Shape(pd.DataFrame({"y": y}), "y ~ 1", lambda p: p["Intercept"] > 0.3 * mean, right,
                 priors=priors)  # fmt: skip


def mirrored(groups: int, effects: int) -> Shape:
    """Group effects of Student t rows; the last group is half at +5 and half at -5."""
    rng = np.random.default_rng(groups)
    rows = 12
    x = np.tile(np.repeat([-1.0, 1.0], rows // 2), groups) if effects == 2 else None
    level = np.repeat(rng.normal(0, 4, groups // 2), 2) * np.tile([1, -1], groups // 2)
    noise = 0.3 * rng.standard_t(3, (groups // 2, rows))
    y = level[:, None] + np.stack([noise, -noise], axis=1).reshape(groups, rows)
    half = 5 + 0.3 * rng.standard_t(3, rows // 2)
    last = np.stack([half, -half], axis=1).ravel()
    data = pd.DataFrame({"y": np.concatenate([y.ravel(), last]),
                         "g": np.repeat(np.arange(groups + 1), rows)})  # fmt: skip
    formula = "y ~ 1 + (1 | g)"
    if x is not None:
        data["x"] = np.concatenate([x, x[:rows]])
        formula = "y ~ 1 + (1 | g) + (0 + x | g)"

    def positive(p: xr.Dataset) -> xr.DataArray:
        return p["Intercept"] + p["r_g"].sel(g=groups, g_effect="Intercept") > 0

    return Shape(data, formula, positive, lambda _: 0.5, "student_t",
                 {"Intercept": "normal(0, 10)"})  # fmt: skip


# Funnels and boundaries of sds -------------------------------------------------------------------


def balanced(seed: int, sd: float, groups: int, rows: int, **options: str) -> Shape:
    """Balanced groups; sd and sigma by quadrature, all else in closed form."""
    rng = np.random.default_rng(seed)
    y = rng.normal(0, sd, groups)[:, None] + rng.normal(size=(groups, rows))

    def right(model: hm.Model) -> float:
        mean, within = y.mean(axis=1), float(((y - y.mean(axis=1, keepdims=True)) ** 2).sum())
        t, s = np.meshgrid(np.linspace(-9, 4, 1301), np.linspace(-2, 2, 401), indexing="ij")
        tau, sigma, prior = np.exp(t), np.exp(s), model.priors["Intercept"]
        V = tau**2 + sigma**2 / rows
        whole = V + groups * prior.scale**2
        off = groups * (mean.mean() - prior.location) ** 2
        lp = -0.5 * (within / sigma**2 + groups * (rows - 1) * 2 * s)
        lp -= 0.5 * ((groups - 1) * np.log(V) + np.var(mean) * groups / V)
        lp -= 0.5 * (np.log(whole) + off / whole)
        lp += log_prior(model, "sd[g, Intercept]", tau) + t + log_prior(model, "sigma", sigma) + s
        return expected(lp, tau)

    data = pd.DataFrame({"y": y.ravel(), "g": np.repeat(np.arange(groups), rows)})
    priors = {"sd": options.pop("sd_prior")} if "sd_prior" in options else {}
    return Shape(data, "y ~ 1 + (1 | g)", lambda p: p["sd_g"].isel(g_effect=0), right,
                 priors=priors, options=options)  # fmt: skip


# Ridges ------------------------------------------------------------------------------------------


def collinear(gap: float, columns: int) -> Shape:
    """Columns that nearly repeat the first; everything is normal but for sigma, which is known."""
    rng = np.random.default_rng(columns)
    x = rng.normal(size=(40, 1)) + gap * rng.normal(size=(40, columns))
    x -= x.mean(axis=0)
    y = x[:, 0] + rng.normal(size=40)
    names = [f"x{i}" for i in range(columns)]

    def right(model: hm.Model) -> float:
        X = np.column_stack([np.ones(40), x])
        priors = [model.priors[n] for n in ("Intercept", *(f"b[{name}]" for name in names))]
        precision = np.diag([each.scale**-2.0 for each in priors])
        location = np.array([each.location for each in priors])
        return float(np.linalg.solve(X.T @ X + precision, X.T @ y + precision @ location)[1])

    data = pd.DataFrame({"y": y} | dict(zip(names, x.T, strict=True)))
    return Shape(data, "y ~ " + " + ".join(names), lambda p: p["b"].sel(term="x0"), right,
                 priors={"b": "normal(0, 3)", "sigma": "normal(1, 1e-5)"})  # fmt: skip


def few_levels(groups: int, effects: str) -> Shape:
    """The Intercept and the mean of a few effects of a known, wide sd trade off."""
    rng = np.random.default_rng(groups)
    g = np.repeat(np.arange(groups), 30)
    y = 10 + rng.normal(0, 5, groups)[g] + rng.normal(size=len(g))

    def right(model: hm.Model) -> float:
        prior = model.priors["Intercept"]
        V = 25 * (g[:, None] == g) + np.eye(len(g))
        gain = np.linalg.solve(V + prior.scale**2, np.full(len(g), prior.scale**2))
        return prior.location + float(gain @ (y - prior.location))

    return Shape(pd.DataFrame({"y": y, "g": g}), "y ~ 1 + (1 | g)", lambda p: p["Intercept"],
                 right, priors={"sd": "normal(5, 1e-4)", "sigma": "normal(1, 1e-4)"},
                 options={"effects": effects})  # fmt: skip


# Boundaries --------------------------------------------------------------------------------------


def one_parameter(
    family: str, y: list[int], log_density: Callable[[np.ndarray], np.ndarray], **priors: str
) -> Shape:
    """A linear predictor that the data push to one side, held by its prior alone."""

    def right(model: hm.Model) -> float:
        eta = np.linspace(-40, 40, 80_001)
        return expected(log_density(eta) + log_prior(model, "Intercept", eta), eta)

    return Shape(pd.DataFrame({"y": y}), "y ~ 1", lambda p: p["Intercept"], right, family, priors)


def without_zeros(y: list[int]) -> Shape:
    """Zero inflation of counts that are never, or seldom, zero."""
    count = np.array(y)

    def right(model: hm.Model) -> float:
        eta, logit = np.meshgrid(np.linspace(-6, 6, 1201), np.linspace(-12, 8, 801), indexing="ij")
        zi, mu = 1 / (1 + np.exp(-logit)), np.exp(eta)
        lp = log_prior(model, "Intercept", eta) + log_prior(model, "zi", zi)
        lp += np.log(zi) + np.log1p(-zi) + np.sum(count == 0) * np.log(zi + (1 - zi) * np.exp(-mu))
        for each in count[count > 0]:
            lp += np.log1p(-zi) + each * eta - mu - gammaln(each + 1)
        return expected(lp, zi)

    return Shape(pd.DataFrame({"y": y}), "y ~ 1", lambda p: p["zi"], right,
                 "zero_inflated_poisson")  # fmt: skip


SHAPES = {
    "two clusters": clusters([-5, 5], [8, 8]),
    "two clusters, one of them larger": clusters([-5, 5], [9, 8]),
    "two clusters near each other": clusters([-1.2, 1.2], [6, 6]),
    "three clusters": clusters([-8, 0, 8], [7, 7, 7]),
    "a cluster and a few rows far away": clusters([-10, 10], [20, 3]),
    "many rows in two clusters": clusters([-3, 3], [40, 40]),
    "two slopes": slopes(0.5),
    "two slopes, one of more rows": slopes(0.6),
    "a narrow spike and a mean far from it": spike(1e-4, 5.0),
    "a spike that wins": spike(1e-6, 3.0),
    "a spike that loses": spike(1e-2, 8.0),
    "a spike and a mean near each other": spike(0.1, 2.5),
    "a group in two places": mirrored(8, 1),
    "a group in two places, few groups": mirrored(4, 1),
    "a group in two places, with slopes": mirrored(6, 2),
    "a funnel": balanced(1, 0.0, 8, 2),
    "a funnel, sampled": balanced(1, 0.0, 8, 2, effects="sampled"),
    "a funnel, sampled apart": balanced(
        1, 0.0, 8, 2, effects="sampled", parameterisation="noncentered"
    ),
    "a funnel of three levels": balanced(2, 1.0, 3, 4),
    "a funnel of three levels, sampled": balanced(2, 1.0, 3, 4, effects="sampled"),
    "an sd far from zero": balanced(3, 10.0, 6, 5, effects="sampled"),
    "a spike of the sd at zero": balanced(4, 2.0, 4, 3, sd_prior="cauchy(0, 1e-2)"),
    "a spike of the sd at zero, sampled": balanced(
        4, 2.0, 4, 3, sd_prior="cauchy(0, 1e-2)", effects="sampled"
    ),
    "two columns in one": collinear(1e-3, 2),
    "four columns in one": collinear(1e-4, 4),
    "an intercept and two levels": few_levels(2, "integrated"),
    "an intercept and two levels, sampled": few_levels(2, "sampled"),
    "only successes": one_parameter("bernoulli", [1] * 12, lambda e: -12 * np.log1p(np.exp(-e))),
    "no events": one_parameter("poisson", [0] * 9, lambda e: -9 * np.exp(e),
                               Intercept="normal(0, 5)"),
    "no zeros": without_zeros([3, 1, 4, 2, 5, 2]),
    "zeros of two kinds": without_zeros([0, 0, 0, 0, 1, 0, 2, 1]),
}  # fmt: skip
QUICK = {"two clusters", "three clusters", "two slopes", "a narrow spike and a mean far from it",
         "a group in two places, few groups", "a funnel, sampled", "two columns in one",
         "a spike of the sd at zero", "no zeros"}  # fmt: skip


def disagree_or_right(shape: Shape, seed: int = 7) -> tuple[float, float, float, float]:
    """R-hat, and the mean with its standard error and what is right."""
    model = shape.model()
    posterior = model.fit(seed=seed, draws=500, progress=False).data.posterior
    draws = shape.look(posterior).transpose("chain", "draw").to_numpy().astype(float)
    if np.ptp(draws) == 0:  # of a chance below that of any draw
        return 1.0, float(draws.mean()), 1 / np.sqrt(draws.size), shape.right(model)
    if np.ptp(draws, axis=1).max() == 0:  # each chain stays in a mode of its own
        return np.inf, float(draws.mean()), np.nan, shape.right(model)
    error = draws.std() / np.sqrt(float(ess(draws, method="mean")))
    return float(rhat(draws)), float(draws.mean()), error, shape.right(model)


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
             for name in SHAPES]
)  # fmt: skip
def test_chains_disagree_or_are_right(name: str) -> None:
    r_hat, mean, error, right = disagree_or_right(SHAPES[name])
    assert r_hat > 1.05 or abs(mean - right) < NEVER * error, (r_hat, mean, error, right)
