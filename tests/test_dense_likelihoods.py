"""Structured Gaussian models against dense likelihoods written down with numpy and scipy.

With wide priors of the coefficients the posterior of sds and correlations is the restricted
likelihood times their priors. Its means and sds are worked out by importance sampling over a few
parameters, from dense covariances, and its maximum is what nlme and mgcv report as REML.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import hiermix as hm
from tests.design.test_curves import kernel

pytestmark = pytest.mark.slow

WIDE = {"Intercept": "normal(0, 1e4)", "b": "normal(0, 1e4)"}
POINTS = 3000
type Array = np.ndarray


@dataclass(frozen=True)
class Dense:
    """Rows in independent blocks, and what the covariance of one is."""

    y: Array
    X: Array
    block: Array
    covariance: Callable[[Array, Array], Array]
    """Of some rows, at unconstrained parameters."""
    natural: Callable[[Array], Array]
    """Parameters as results have them."""
    log_prior: Callable[[Array], float]
    """Of the unconstrained parameters, with Jacobians."""

    def solved(self, phi: Array) -> tuple[float, Array, Array]:
        """Restricted log likelihood, coefficients, and their covariance."""
        P = self.X.shape[1]
        A, log_det = np.zeros((P + 1, P + 1)), 0.0
        for each in np.unique(self.block):
            rows = np.flatnonzero(self.block == each)
            root = np.linalg.cholesky(self.covariance(phi, rows))
            white = np.linalg.solve(root, np.column_stack([self.X[rows], self.y[rows]]))
            A += white.T @ white
            log_det += 2 * np.log(np.diag(root)).sum()
        b = np.linalg.solve(A[:P, :P], A[:P, P])
        left = A[P, P] - b @ A[:P, P]
        log_det += np.linalg.slogdet(A[:P, :P])[1]
        return -0.5 * (log_det + left), b, np.linalg.inv(A[:P, :P])

    def maximum(self, size: int) -> Array:
        """Return the unconstrained parameters of the restricted maximum."""
        return _climbed(lambda phi: self.solved(phi)[0], size)

    def posterior(self, size: int) -> tuple[Array, Array, Array]:
        """Means and sds of parameters, then coefficients; and the errors of these means."""

        def density(phi: Array) -> float:
            return self.solved(phi)[0] + self.log_prior(phi)

        top = _climbed(density, size)
        root = np.linalg.cholesky(np.linalg.inv(-_curvature(density, top)))
        rng = np.random.default_rng(1)
        law = stats.multivariate_t(np.zeros(size), np.eye(size), df=5, seed=rng)
        z = np.asarray(law.rvs(POINTS)).reshape(POINTS, size)
        # Within five sds: nothing to speak of lies beyond.
        z = z[np.abs(z).max(axis=1) < 5]
        points = top + 1.1 * z @ root.T
        solved = [self.solved(phi) for phi in points]
        logs = np.array([each[0] + self.log_prior(phi)
                         for each, phi in zip(solved, points, strict=True)])  # fmt: skip
        weight = np.exp(logs - law.logpdf(z) - (logs - law.logpdf(z)).max())
        weight /= weight.sum()
        values = np.array([[*self.natural(phi), *each[1]]
                           for each, phi in zip(solved, points, strict=True)])  # fmt: skip
        within = np.array([[0.0] * len(self.natural(top)) + np.diag(each[2]).tolist()
                           for each in solved])  # fmt: skip
        mean = weight @ values
        sd = np.sqrt(weight @ ((values - mean) ** 2 + within))
        return mean, sd, np.sqrt(weight**2 @ (values - mean) ** 2)


def _climbed(density: Callable[[Array], float], size: int) -> Array:
    """Climb from zero; where a covariance has no root, as far out, there is no density."""

    def loss(phi: Array) -> float:
        try:
            return -density(phi)
        except np.linalg.LinAlgError:
            return 1e10

    near = optimize.minimize(loss, np.zeros(size), method="Nelder-Mead",
                             options={"maxfev": 100 * size}).x  # fmt: skip
    return np.asarray(optimize.minimize(loss, near, method="BFGS", options={"gtol": 1e-4}).x)


def _curvature(density: Callable[[Array], float], at: Array) -> Array:
    """Second derivatives, by differences."""
    steps = 1e-3 * np.eye(len(at))
    corners = [[density(at + s * a + t * b) for a in steps for b in steps]
               for s, t in ((1, 1), (1, -1), (-1, 1), (-1, -1))]  # fmt: skip
    found = (np.array([1, -1, -1, 1]) @ corners) / 4e-6
    return np.asarray(found.reshape(len(at), len(at)))


def exponential(rates: Sequence[float]) -> Callable[[Array], float]:
    """Log prior of logs of sds that are exponential."""
    return lambda logs: float(np.sum(logs - np.exp(logs) * rates))


def check(fit: hm.Fit, dense: Dense, names: Sequence[str], size: int) -> pd.DataFrame:
    """Means within five errors of both, sds within 15 %; the restricted maximum beside."""
    mean, sd, error = dense.posterior(size)
    table = fit.summary().loc[list(names)]
    both = np.hypot(error, table["mcse_mean"])
    assert (np.abs(table["mean"] - mean) < 5 * both + 1e-3 * sd).all(), (table["mean"], mean, both)
    np.testing.assert_allclose(table["sd"], sd, rtol=0.15)
    at = dense.maximum(size)
    found = [*dense.natural(at), *dense.solved(at)[1]]
    return pd.DataFrame({"reml": found, "mean": mean, "sd": sd}, list(names))


def ovary_like() -> pd.DataFrame:
    """Return eleven mares of about thirty times, as nlme's Ovary has them."""
    rng = np.random.default_rng(1)
    parts = []
    for mare in range(11):
        n = 24 + mare % 4
        t = np.arange(n)
        e = stats.multivariate_normal(np.zeros(n), 3.0**2 * 0.6 ** np.abs(t[:, None] - t)).rvs(
            random_state=rng
        )
        s, c = np.sin(2 * np.pi * t / n), np.cos(2 * np.pi * t / n)
        y = 12 - 3 * s - 0.9 * c + rng.normal(0, 2.5) + e
        parts.append(pd.DataFrame({"y": y, "s": s, "c": c, "t": t, "mare": f"m{mare:02}"}))
    rows = pd.concat(parts, ignore_index=True)
    return rows[rng.random(len(rows)) > 0.1].reset_index(drop=True)


def test_an_autoregression_beside_random_intercepts() -> None:
    rows = ovary_like()
    mare, t = pd.factorize(rows["mare"])[0], rows["t"].to_numpy()

    def covariance(phi: Array, at: Array) -> Array:
        apart = np.abs(t[at][:, None] - t[at])
        rho = np.tanh(phi[1])
        R = np.sign(rho) ** apart * np.abs(rho) ** apart
        return np.exp(2 * phi[0]) * R + np.exp(2 * phi[2])

    def log_prior(phi: Array) -> float:
        # rho ~ normal(0, 1) on (-1, 1), and tanh' = 1 - tanh^2.
        rho = np.tanh(phi[1])
        return exponential([0.1, 0.1])(phi[[0, 2]]) - 0.5 * rho**2 + np.log1p(-(rho**2))

    X = np.column_stack([np.ones(len(rows)), rows[["s", "c"]]])
    dense = Dense(rows["y"].to_numpy(), X, mare, covariance,
                  lambda phi: np.array([np.exp(phi[0]), np.tanh(phi[1]), np.exp(phi[2])]),
                  log_prior)  # fmt: skip
    priors = WIDE | {"sigma": "exponential(0.1)", "sd": "exponential(0.1)"}
    fit = hm.Model("y ~ s + c + (1 | mare) + ar(t, by=mare)", rows, priors=priors).fit(
        seed=1, progress=False
    )
    names = ["sigma", "rho", "sd_mare[Intercept]", "Intercept", "b[s]", "b[c]"]
    found = check(fit, dense, names, 3)
    # Posteriors of sds are skewed: their means lie above the maximum, by less than an sd.
    assert (np.abs(found["mean"] - found["reml"]) < 0.8 * found["sd"]).all()


def test_a_residual_sd_for_each_sex() -> None:
    rows = hm.load_dataset("orthodont").assign(a=lambda d: d["age"] - 11.0)
    subject, male = pd.factorize(rows["Subject"])[0], (rows["Sex"] == "Male").to_numpy()
    Z = np.column_stack([np.ones(len(rows)), rows["a"]])

    def covariance(phi: Array, at: Array) -> Array:
        L = np.array([[1.0, 0.0], [np.tanh(phi[4]), 1 / np.cosh(phi[4])]])
        root = Z[at] @ (np.exp(phi[2:4])[:, None] * L)
        return root @ root.T + np.diag(np.exp(2 * np.where(male[at], phi[0], phi[1])))

    def natural(phi: Array) -> Array:
        return np.array([phi[0], phi[1] - phi[0], *np.exp(phi[2:4]), np.tanh(phi[4])])

    def log_prior(phi: Array) -> float:
        # lkj(1) of two is uniform: 1 - tanh^2. The intercept of log sigma is that at the mean.
        mean = phi[0] + (phi[1] - phi[0]) * np.mean(~male)
        return (exponential([0.3, 3.0])(phi[2:4]) + np.log1p(-np.tanh(phi[4]) ** 2)
                - 0.5 * mean**2 - 0.5 * (phi[1] - phi[0]) ** 2)  # fmt: skip

    X = np.column_stack([np.ones(len(rows)), ~male, rows["a"], rows["a"] * ~male])
    dense = Dense(rows["distance"].to_numpy(), X, subject, covariance, natural, log_prior)
    rows["girl"] = (~male).astype(float)
    priors = WIDE | {
        "sd[Subject, Intercept]": "exponential(0.3)", "sd[Subject, a]": "exponential(3)",
        "Intercept_sigma": "normal(0, 1)", "b_sigma": "normal(0, 1)",
    }  # fmt: skip
    formulas = ["distance ~ girl + a + a:girl + (a | Subject)", "sigma ~ girl"]
    fit = hm.Model(formulas, rows, priors=priors).fit(seed=1, progress=False)
    names = ["Intercept_sigma", "b_sigma[girl]", "sd_Subject[Intercept]", "sd_Subject[a]",
             "cor_Subject[Intercept, a]", "Intercept", "b[girl]", "b[a]", "b[a:girl]"]  # fmt: skip
    found = check(fit, dense, [n for n in names if n in fit.summary().index], 5)
    reml = found["reml"]
    # nlme's varIdent(form = ~ 1 | Sex), as Pinheiro and Bates (2000) print fm3Orth.lme: sigma of
    # boys, ratio of girls, sds of intercept and slope.
    printed = [1.62959, 0.40885, 1.85498, 0.15652]
    own = [np.exp(reml.iloc[0]), np.exp(reml.iloc[1]), *reml.iloc[2:4]]
    np.testing.assert_allclose(own, printed, rtol=2e-3)
    assert (np.abs(found["mean"] - reml) < found["sd"]).all()


def test_visits_some_of_which_are_missing() -> None:
    rng = np.random.default_rng(3)
    S = np.array([[4, 2.5, 1.5], [2.5, 6, 3.5], [1.5, 3.5, 9]])
    e = rng.multivariate_normal(np.zeros(3), S, 45)
    visit, arm = np.tile([0, 1, 2], 45), np.repeat(rng.random(45) < 0.5, 3)
    rows = pd.DataFrame({"y": 10 - visit + 1.5 * arm * visit + e.ravel(), "visit": visit + 1.0,
                         "id": np.repeat(np.arange(45), 3), "arm": arm.astype(float)})  # fmt: skip
    rows = rows[(rng.random(135) > 0.2) | (visit == 0)].reset_index(drop=True)
    at_visit = rows["visit"].to_numpy().astype(int) - 1

    def correlations(phi: Array) -> Array:
        r = np.tanh(phi)
        c21 = r[0]
        c31 = r[1]
        c32 = r[2] * np.sqrt((1 - c21**2) * (1 - c31**2)) + c21 * c31
        return np.array([c21, c31, c32])

    def covariance(phi: Array, at: Array) -> Array:
        R = np.eye(3)
        R[[1, 2, 2], [0, 0, 1]] = R[[0, 0, 1], [1, 2, 2]] = correlations(phi[3:])
        sd, here = np.exp(phi[:3]), at_visit[at]
        return (np.outer(sd, sd) * R)[here[:, None], here]

    def log_prior(phi: Array) -> float:
        # A uniform correlation matrix: partial ones of the first column have (1 - r^2)^(1/2).
        power = np.array([1.5, 1.5, 1.0])
        lp = float(power @ np.log1p(-(np.tanh(phi[3:]) ** 2)))
        return exponential([0.2] * 3)(phi[:3]) + lp

    one = np.ones(len(rows))
    second, third = (at_visit == 1).astype(float), (at_visit == 2).astype(float)
    X = np.column_stack([one, second, third, rows["arm"] * second, rows["arm"] * third])
    rows = rows.assign(v2=second, v3=third, t2=X[:, 3], t3=X[:, 4])
    dense = Dense(rows["y"].to_numpy(), X, rows["id"].to_numpy(), covariance,
                  lambda phi: np.concatenate([np.exp(phi[:3]), correlations(phi[3:])]),
                  log_prior)  # fmt: skip
    priors = WIDE | {"sd_residual": "exponential(0.2)"}
    fit = hm.Model("y ~ v2 + v3 + t2 + t3 + unstr(visit, by=id)", rows, priors=priors).fit(
        seed=1, progress=False
    )
    index = fit.summary().index
    names = [*(n for n in index if n.startswith("sd_residual")),
             *(n for n in index if n.startswith("cor_residual")),
             "Intercept", "b[v2]", "b[v3]", "b[t2]", "b[t3]"]  # fmt: skip
    found = check(fit, dense, names, 6)
    assert (np.abs(found["mean"] - found["reml"]) < 0.8 * found["sd"]).all()


def test_a_smooth_beside_an_autoregression() -> None:
    rng = np.random.default_rng(4)
    n = 40
    t, unit = np.tile(np.arange(n), 2), np.repeat([0, 1], n)
    x = rng.uniform(0, 1, 2 * n)
    apart = np.abs(t[:, None] - t)
    same = unit[:, None] == unit
    y = np.sin(5 * x) + rng.multivariate_normal(np.zeros(2 * n), 0.3 * same * 0.5**apart)
    rows = pd.DataFrame({"y": y, "x": x, "t": t, "unit": unit})
    K = kernel(x, 8)

    def covariance(phi: Array, at: Array) -> Array:
        rho = np.tanh(phi[1])
        R = same * np.sign(rho) ** apart * np.abs(rho) ** apart
        return np.exp(2 * phi[0]) * R + np.exp(2 * phi[2]) * K

    def log_prior(phi: Array) -> float:
        rho = np.tanh(phi[1])
        return exponential([1.0, 1.0])(phi[[0, 2]]) - 0.5 * rho**2 + np.log1p(-(rho**2))

    X = np.column_stack([np.ones(2 * n), x - x.mean()])  # as the line of a smooth is
    dense = Dense(y, X, np.zeros(2 * n), covariance,
                  lambda phi: np.array([np.exp(phi[0]), np.tanh(phi[1]), np.exp(phi[2])]),
                  log_prior)  # fmt: skip
    priors = WIDE | {"sigma": "exponential(1)", "sd_smooth": "exponential(1)"}
    fit = hm.Model("y ~ s(x, k=8) + ar(t, by=unit)", rows, priors=priors).fit(
        seed=1, progress=False
    )
    names = ["sigma", "rho", "sd_smooth[s(x)]", "Intercept", "b[s(x)[linear]]"]
    found = check(fit, dense, names, 3)
    # REML of a smooth is the mode of an sd that is skewed to the right.
    assert (np.abs(found["mean"] - found["reml"]) < found["sd"]).all()
