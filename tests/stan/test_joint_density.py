"""Several responses: the program's log density against that of dense rows of all of them.

The reference stacks the observed values of every response, writes down the columns of each by hand
and asks scipy's multivariate normal; the priors are scipy's distributions.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.engines.embedded import Embedded
from tests.stan.test_gaussian_density import (
    compare_gradient,
    correlation,
    lkj_log_density,
    population,
)

pytestmark = pytest.mark.usefixtures("unclimbed")

FEW, MANY = 20, 200
PRIORS = {
    "Intercept": "normal(1, 30)", "b": "normal(0.2, 2)", "Intercept_y1": "normal(0.5, 3)",
    "b_y2[x]": "normal(-1, 4)", "sd": "normal(0.3, 1)", "sd[g, y2_Intercept]": "normal(5, 9)",
    "sd_residual": "gamma(2, 1.5)", "sd_residual[y2]": "gamma(3, 0.2)",
    "cor_residual": "lkj(1.3)", "cor": "lkj(1.7)",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    formulas: list[str]
    columns: dict[str, list[str]]
    """Of each response, the intercept first and written "1"."""
    blocks: tuple[tuple[tuple[str, str], ...], ...] = ()
    """Effects that are correlated: response and column of each."""
    gaps: bool = True
    factors: tuple[str, ...] = ()
    """Of each block; g by default."""


CASES = {
    "no groups": Case(["y1 ~ x", "y2 ~ x + w"], {"y1": ["1", "x"], "y2": ["1", "x", "w"]}),
    "correlated intercepts": Case(
        ["y1 ~ x + (1 | p | g)", "y2 ~ w + (1 | p | g)"],
        {"y1": ["1", "x"], "y2": ["1", "w"]}, ((("y1", "1"), ("y2", "1")),),
    ),
    "intercepts apart": Case(
        ["y1 ~ x + (1 | g)", "y2 ~ x + (1 | g)"],
        {"y1": ["1", "x"], "y2": ["1", "x"]}, ((("y1", "1"),), (("y2", "1"),)),
    ),
    "slopes, three responses": Case(
        ["y1 ~ x + (x | p | g)", "y2 ~ 1 + (1 | p | g)", "y3 ~ 0 + w + (0 + w | g)"],
        {"y1": ["1", "x"], "y2": ["1"], "y3": ["w"]},
        ((("y1", "1"), ("y1", "x"), ("y2", "1")), (("y3", "w"),)),
    ),
    "one without groups, complete": Case(
        ["y1 ~ x + (1 | g)", "y2 ~ x"],
        {"y1": ["1", "x"], "y2": ["1", "x"]}, ((("y1", "1"),),), gaps=False,
    ),
    "two factors": Case(
        ["y1 ~ x + (1 | p | g) + (1 | h)", "y2 ~ w + (1 | p | g) + (w || h)"],
        {"y1": ["1", "x"], "y2": ["1", "w"]},
        ((("y1", "1"), ("y2", "1")), (("y1", "1"),), (("y2", "1"),), (("y2", "w"),)),
        factors=("g", "h", "h", "h"),
    ),
}  # fmt: skip


def frame(gaps: bool = True, scale: float = 20.0) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    rows, g = 40, rng.integers(0, 6, 40)
    x, w = rng.normal(3, 1, rows), rng.normal(size=rows)
    E = rng.normal(size=(rows, 3)) @ np.array([[1, 0.6, 0.2], [0, 0.8, -0.3], [0, 0, 0.7]])
    U = rng.normal(size=(6, 2)) @ np.array([[1, 0.5], [0, 0.7]])
    data = pd.DataFrame({
        "y1": 1 + 0.5 * x + U[g, 0] + E[:, 0], "y2": scale * (2 - x + w + U[g, 1] + E[:, 1]),
        "y3": w + E[:, 2], "x": x, "w": w, "g": rng.permutation([f"n{i}" for i in range(6)])[g],
        "h": np.array(["u", "v", "w"])[np.arange(rows) % 3],
    })  # fmt: skip
    if gaps:
        data.loc[:5, "y1"], data.loc[4:9, "y2"], data.loc[9:14, "y3"] = np.nan, np.nan, np.nan
    return data


def column(data: pd.DataFrame, name: str, there: pd.Series) -> np.ndarray:
    """A column of a response, about its mean over the rows that have the response."""
    if name == "1":
        return np.ones(len(data))
    return (data[name] - data.loc[there, name].mean()).to_numpy()


def dense(case: Case, data: pd.DataFrame, model: hm.Model, raw: np.ndarray) -> float:
    stan, K = model.stan_data(), len(case.columns)
    theta = stan["center"] + stan["scale"] @ raw
    names, P = list(case.columns), sum(map(len, case.columns.values()))
    A, E = K + K * (K - 1) // 2, sum(map(len, case.blocks))
    t = (theta - stan["center"])[P + A : P + A + E] / stan["sd_spread"]
    bend, softplus = stan["sd_bend"], np.logaddexp(0, -t)
    sd = np.exp(theta[P + A : P + A + E] - bend * softplus**2 / 2)
    lp = float(np.sum(np.log(1 + bend * softplus / (1 + np.exp(t)) / stan["sd_spread"])))
    L, at, k = np.eye(E), 0, 0
    for block in case.blocks:
        size = len(block)
        part, pairs = slice(at, at + size), size * (size - 1) // 2
        if size > 1:
            L[part, part], jacobian = correlation(theta[P + A + E :][k : k + pairs], size)
            lp += jacobian + lkj_log_density(L[part, part], 1.7)
        at, k = at + size, k + pairs
    b, log_width = population(stan, raw, sd, L)
    # Residuals.
    sigma = np.exp(theta[P : P + K])
    root, jacobian = correlation(theta[P + K : P + A], K)
    S = np.outer(sigma, sigma) * (root @ root.T)
    lp += log_width + jacobian + lkj_log_density(root, 1.3)
    # All observed values, one below the other.
    y, mean, row, which = [], [], [], []
    Z, at = [], 0
    for place, name in enumerate(names):
        there = data[name].notna()
        terms = case.columns[name]
        X = np.column_stack([column(data, each, there) if "1" in terms else data[each]
                             for each in terms])  # fmt: skip
        beta = b[at : at + X.shape[1]]
        at += X.shape[1]
        here = np.flatnonzero(there)
        y.append(data[name].to_numpy()[here])
        mean.append((X @ beta)[here])
        row.append(here)
        which.append(np.full(len(here), place))
        # Priors that are written for sds hold where the columns are zero.
        own = [np.ones(len(here)) if each == "1" else data[each].to_numpy()[here]
               for block in case.blocks for _, each in block]  # fmt: skip
        enters = [response == name for block in case.blocks for response, _ in block]
        Z.append(np.column_stack([np.where(yes, values, 0.0)
                                  for yes, values in zip(enters, own, strict=True)])
                 if own else np.zeros((len(here), 0)))  # fmt: skip
        for coefficient, term in zip(beta, case.columns[name], strict=True):
            if term == "1":
                prior = stats.norm(0.5, 3) if name == "y1" else stats.norm(1, 30)
            else:
                prior = stats.norm(-1, 4) if (name, term) == ("y2", "x") else stats.norm(0.2, 2)
            lp += float(prior.logpdf(coefficient))
    y, mean, row, which, Z = map(np.concatenate, (y, mean, row, which, Z))
    covariance = S[which[:, None], which] * (row[:, None] == row)
    Lambda = sd[:, None] * L
    of = np.repeat(case.factors or ["g"] * len(case.blocks), [len(each) for each in case.blocks])
    for factor in np.unique(of):
        g, mine = pd.factorize(data[factor])[0][row], (of == factor)[:, None] * Lambda
        covariance = covariance + (g[:, None] == g) * (Z @ mine @ mine.T @ Z.T)
    # Each value in units of its response, so that scipy's matrices are well conditioned.
    unit = np.array([data[name].std() for name in names])[which]
    law = stats.multivariate_normal(np.zeros(len(y)), covariance / np.outer(unit, unit))
    lp += float(law.logpdf((y - mean) / unit) - np.log(unit).sum())
    for value, name in zip(sigma, names, strict=True):
        prior = stats.gamma(3, scale=5) if name == "y2" else stats.gamma(2, scale=1 / 1.5)
        lp += float(prior.logpdf(value) + np.log(value))
    labels = [each for block in case.blocks for each in block]
    for value, label, factor in zip(sd, labels, of, strict=True):
        mu, width = (5, 9) if label == ("y2", "1") and factor == "g" else (0.3, 1)
        prior = stats.truncnorm(-mu / width, np.inf, mu, width)
        lp += float(prior.logpdf(value) + np.log(value))
    return lp


def check(case: Case, data: pd.DataFrame, points: int) -> None:
    labels = [each for block in case.blocks for each in block]
    unused = {
        "sd": not labels,
        "sd[g, y2_Intercept]": ("y2", "1") not in labels,
        "cor": all(len(block) < 2 for block in case.blocks),
        "b_y2[x]": "x" not in case.columns["y2"],
    }
    priors = {name: prior for name, prior in PRIORS.items() if not unused.get(name)}
    model = hm.Model(case.formulas, data, priors=priors, missing="drop")
    assert model.program_name == "unstructured"
    stan = model.stan_data()
    at = np.random.default_rng(5).normal(0, 1.5, (points, int(stan["D"])))
    found, gradient = Embedded().log_density(model._posterior.program, stan, at)
    expected = np.array([dense(case, data, model, point) for point in at])
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    compare_gradient(model, at[:4], gradient[:4])


@pytest.mark.parametrize("name", CASES)
def test_log_density_equals_that_of_dense_rows(name: str) -> None:
    check(CASES[name], frame(CASES[name].gaps), FEW)


def test_responses_of_other_sizes_lose_no_digits() -> None:
    name = "correlated intercepts"
    check(CASES[name], frame(scale=20.0).assign(y1=lambda d: 1e-3 * d["y1"]), FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_log_density_equals_that_of_dense_rows_at_many_points(name: str) -> None:
    check(CASES[name], frame(CASES[name].gaps), MANY)
