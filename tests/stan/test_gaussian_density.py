"""The programs that integrate group effects out are the model: their log density against scipy.

The reference builds the N x N covariance of the response and asks scipy's multivariate normal;
the priors are scipy's distributions. Nothing of the algebra in the programs is used.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.engines.embedded import Embedded

pytestmark = pytest.mark.usefixtures("unclimbed")

POINTS = 20
PRIORS = {
    "Intercept": "student_t(4, 1, 3)",
    "b": "normal(0.2, 2)",
    "b[x]": "double_exponential(0, 1)",
    "sigma": "gamma(2, 1.5)",
    "sd": "normal(0.3, 1)",
}


def frame(rows: int = 60, groups: int = 7) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    g = rng.integers(0, groups, rows)
    x, w = rng.normal(3, 2, rows), rng.normal(size=rows)
    y = 1 + 0.5 * x + rng.normal(size=groups)[g] + rng.normal(size=rows)
    return pd.DataFrame({"y": y, "x": x, "w": w, "g": [f"g{i}" for i in g]})


def correlation(raw: np.ndarray, size: int) -> tuple[np.ndarray, float]:
    """Canonical partial correlations to a Cholesky factor; the Jacobian by finite differences."""

    def factor(values: np.ndarray) -> np.ndarray:
        z = iter(np.tanh(values))
        L = np.zeros((size, size))
        for i in range(size):
            for j in range(i):
                L[i, j] = next(z) * np.sqrt(1 - np.sum(L[i, :j] ** 2))
            L[i, i] = np.sqrt(1 - np.sum(L[i, :i] ** 2))
        return L

    def partials(values: np.ndarray) -> np.ndarray:
        return factor(values)[np.tril_indices(size, -1)]

    # The map is triangular: its Jacobian determinant is the product of the own derivatives, and
    # each is that of tanh times the length left in its row.
    L = factor(raw)
    log_det, k = 0.0, 0
    for i in range(size):
        for j in range(i):
            log_det += np.log(1 - np.tanh(raw[k]) ** 2)
            log_det += 0.5 * np.log(1 - np.sum(L[i, :j] ** 2))
            k += 1
    assert np.allclose(partials(raw), L[np.tril_indices(size, -1)])
    return L, log_det


def lkj_log_density(L: np.ndarray, eta: float) -> float:
    """LKJ of a Cholesky factor (Lewandowski et al. 2009), normalised."""
    size = len(L)
    k = np.arange(1, size)
    beta = eta + (size - 1 - k) / 2
    from scipy.special import betaln

    log_constant = np.sum((2 * eta - 2 + size - k) * (size - k)) * np.log(2)
    log_constant += np.sum((size - k) * betaln(beta, beta))
    i = np.arange(2, size + 1)
    return float(np.sum((size - i + 2 * eta - 2) * np.log(np.diag(L)[1:])) - log_constant)


def _pairs(data: dict[str, np.ndarray]) -> int:
    return int(np.sum(data["block"] * (data["block"] - 1) // 2))


def population(
    data: dict[str, np.ndarray], raw: np.ndarray, sd: np.ndarray, L: np.ndarray,
    of_effects: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> tuple[np.ndarray, float]:  # fmt: skip
    """Population coefficients from the coordinates, and the log Jacobian beyond `scale`.

    `of_effects` are the sds of effects by spreads `sd`, where these are not the same.
    """
    P, F = int(data["P"]), int(data["followers"])
    b = (data["center"] + data["scale"] @ raw)[:P]
    if not F:
        return b, 0.0
    # Very large sds are followed to e^12 times their center only.
    center = np.exp(data["center"][len(data["center"]) - len(sd) - _pairs(data) :][: len(sd)])
    Lambda = of_effects(sd / (1 + sd / center * np.exp(-12)))[:, None] * L
    free = data["rest"] + data["reach"] @ Lambda @ Lambda.T @ data["reach"].T
    C = np.linalg.cholesky(free)
    root = C @ np.linalg.inv(np.linalg.cholesky(np.eye(F) + C.T @ data["hold"] @ C)).T
    precision = data["hold"] + np.linalg.inv(free)
    np.testing.assert_allclose(root @ root.T @ precision, np.eye(F), atol=1e-6)
    b = b + data["scale"][:P, :F] @ (root @ raw[:F] - raw[:F])
    return b, float(np.linalg.slogdet(root)[1])


def reference(
    model: hm.Model,
    raw: np.ndarray,
    blocks: tuple[int, ...],
    eta: float,
    Z: np.ndarray | None = None,
    between: np.ndarray | None = None,
) -> float:
    """Log density of the coordinates, by scipy.

    `between` (J, J) is the covariance of the levels, and Z the columns of the effects.
    """
    data, design = model.stan_data(), model.design
    theta = data["center"] + data["scale"] @ raw
    P, Q = len(design.terms), sum(blocks)
    sigma = np.exp(theta[P])
    t = (theta - data["center"])[P + 1 : P + 1 + Q] / data["sd_spread"]
    bend, softplus = data["sd_bend"], np.logaddexp(0, -t)
    sd = np.exp(theta[P + 1 : P + 1 + Q] - bend * softplus**2 / 2)
    rest = theta[P + 1 + Q :]
    # d log sd / d theta, with the logistic function as the slope of softplus.
    lp = float(np.sum(np.log(1 + bend * softplus / (1 + np.exp(t)) / data["sd_spread"])))
    L, at, k = np.eye(Q), 0, 0
    for size in blocks:
        pairs = size * (size - 1) // 2
        if size > 1:
            L[at : at + size, at : at + size], jacobian = correlation(rest[k : k + pairs], size)
            lp += jacobian + lkj_log_density(L[at : at + size, at : at + size], eta)
        at, k = at + size, k + pairs
    b, log_width = population(data, raw, sd, L)
    lp += log_width
    X = design.X()
    X[:, 1:] -= X[:, 1:].mean(axis=0)
    covariance = sigma**2 * np.eye(design.rows)
    if Q:
        Z = design.Z("g") if Z is None else Z
        codes = design.groupings[0].codes
        same = codes[:, None] == codes[None, :] if between is None else between[codes][:, codes]
        covariance += same * (Z @ (np.outer(sd, sd) * (L @ L.T)) @ Z.T)
    lp += stats.multivariate_normal(X @ b, covariance).logpdf(design.response)
    lp += stats.t(4, 1, 3).logpdf(b[0])
    lp += sum(
        stats.laplace(0, 1).logpdf(value) if term == "x" else stats.norm(0.2, 2).logpdf(value)
        for term, value in zip(design.terms[1:], b[1:], strict=True)
    )
    lp += stats.gamma(2, scale=1 / 1.5).logpdf(sigma) + np.log(sigma)
    lp += np.sum(stats.truncnorm(-0.3, np.inf, 0.3, 1).logpdf(sd) + np.log(sd))
    return float(lp)


CASES = {
    "no groups": ("y ~ x + w", (), "random_slope"),
    "intercept": ("y ~ x + w + (1 | g)", (1,), "random_intercept"),
    "slope only": ("y ~ x + (0 + x | g)", (1,), "random_slope"),
    "two correlated": ("y ~ x + w + (x | g)", (2,), "random_slope"),
    "two independent": ("y ~ x + (x || g)", (1, 1), "random_slope"),
    "three correlated": ("y ~ x + w + (x + w | g)", (3,), "random_slope"),
    "three independent": ("y ~ x + w + (x + w || g)", (1, 1, 1), "random_slope"),
    "two blocks": ("y ~ x + w + (x | g) + (0 + w | g)", (2, 1), "random_slope"),
    "intercept alone": ("y ~ 1 + (1 | g)", (1,), "random_intercept"),
}


@pytest.mark.parametrize("case", CASES)
def test_log_density_equals_scipy(case: str) -> None:
    formula, blocks, program = CASES[case]
    priors = {k: v for k, v in PRIORS.items() if "x" in formula or not k.startswith("b")}
    if not blocks:
        priors.pop("sd")
    if max(blocks, default=0) > 1:
        priors["cor"] = "lkj(1.7)"
    model = hm.Model(formula, frame(), priors=priors)
    assert model.program_name == program
    data = model.stan_data()
    points = np.random.default_rng(5).normal(0, 1.5, (POINTS, int(data["D"])))
    found, gradient = Embedded().log_density(model._posterior.program, data, points)
    expected = np.array([reference(model, point, blocks, 1.7) for point in points])
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    compare_gradient(model, points[:10], gradient[:10])


def compare_gradient(model: hm.Model, points: np.ndarray, gradient: np.ndarray) -> None:
    """Central differences of the program's own log density."""
    h = 1e-5
    D = points.shape[1]
    steps = np.concatenate([np.eye(D), -np.eye(D)]) * h
    for point, slope in zip(points, gradient, strict=True):
        values, _ = Embedded().log_density(
            model._posterior.program, model.stan_data(), point + steps
        )
        numeric = (values[:D] - values[D:]) / (2 * h)
        np.testing.assert_allclose(slope, numeric, rtol=1e-5, atol=1e-5 * np.abs(slope).max())


def test_rotating_groups_of_equal_design_changes_nothing() -> None:
    from hiermix.stan import stan_data
    from hiermix.statistics.gram import statistics
    from hiermix.statistics.within_between import rotate, split
    from hiermix.tuning import bar_origins

    data = hm.load_dataset("sleepstudy").sample(frac=1, random_state=1)  # sums in any order
    model = hm.Model("Reaction ~ Days + (Days | Subject)", data)
    design = bar_origins.centred(model.design, model.origins)
    apart = split(statistics(design, "Subject", design.response))
    rotated = rotate(apart)
    assert len(apart.R) == 18
    assert len(rotated.R) == 6
    assert rotated.groups.sum() == 18
    handed = model.stan_data()
    points = np.random.default_rng(3).normal(size=(20, int(handed["D"])))
    engine, program = Embedded(), model._posterior.program
    merged, _ = engine.log_density(program, handed, points)
    whole, _ = engine.log_density(program, handed | stan_data.statistics(apart, [2]), points)
    np.testing.assert_allclose(merged, whole, rtol=1e-12)
