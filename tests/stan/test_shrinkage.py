"""Slopes that are shrunk: the density against scipy, the prior alone, and what users see."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.engines.embedded import Embedded
from hiermix.errors import PriorError
from hiermix.families.prior import parse_prior
from hiermix.stan.chart import Chart
from hiermix.typing import StanData

HORSESHOE = "horseshoe(3, 0.5, df_slab=5, scale_slab=1.5)"
R2D2 = "r2d2(0.4, 8, 0.7)"
CASES = {
    "integrated": ("y ~ x + w + v + u + (x | g)", "gaussian", {}),
    "nested": ("y ~ x + w + v + (1 | g / h)", "gaussian", {}),
    "crossed": ("y ~ x + w + v + u + (w | g) + (1 | k)", "student_t", {"b[w]": "normal(0.3, 2)"}),
    "counts, bounded": ("n ~ x + w + v + u + (1 | g)", "poisson", {"b[u]": "half_normal(1)"}),
    "strata": (["y ~ x + w + v + (1 | g)", "sigma ~ C(k)"], "gaussian", {}),
    "without an intercept": ("y ~ 0 + x + w + v", "gaussian", {}),
}


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    data = pd.DataFrame(rng.normal(size=(60, 4)) * [1, 2, 3, 1], columns=list("xwvu"))
    data["g"], data["h"], data["k"] = rng.integers(0, [[5], [3], [4]], (3, 60))
    eta = 0.3 * data.x - 0.2 * data.w + rng.normal(size=5)[data.g] * 0.5
    return data.assign(y=eta + rng.normal(size=60), n=rng.poisson(np.exp(eta)))


def plain(data: StanData, sds: np.ndarray) -> StanData:
    """Return the data of the same model with normal priors of these sds."""
    none, ints, D = np.zeros(0), np.zeros(0, dtype=np.int64), data["D"] - data["locals"]
    codes, par = data["b_prior"].copy(), data["b_par"].copy()
    codes[data["shrunk_b"] - 1] = 1
    par[data["shrunk_b"] - 1] = np.column_stack([np.zeros_like(sds), sds, sds, np.zeros_like(sds)])
    return data | {
        "D": D, "center": data["center"][:D], "scale": data["scale"][:D, :D], "shrunk_by": 0,
        "shrunk": 0, "locals": 0, "shrunk_b": ints, "shrunk_unit": none, "told_P": 0,
        "told": np.zeros((0, 0)), "told_at": none, "b_origin": none, "b_width": none,
        "b_prior": codes, "b_par": par, "limited": 0, "limited_b": ints, "sides": ints,
        "bound_par": np.zeros((0, 3)),
    }  # fmt: skip


def sds_and_prior(data: StanData, local: np.ndarray, sigma: float) -> tuple[np.ndarray, float]:
    """Prior sds of the slopes, and the log density of the local and global coordinates."""
    n, par = int(data["shrunk"]), data["shrinkage_par"]
    if data["shrunk_by"] == 1:
        lam, tau, square = np.exp(local[:n]), np.exp(local[n]), np.exp(local[n + 1])
        sds = tau * np.sqrt(square * lam**2 / (square + tau**2 * lam**2))
        lp = stats.t(par[0]).logpdf(lam).sum() + stats.t(par[2], 0, par[1]).logpdf(tau)
        lp += (n + 1) * np.log(2) + local.sum()
        lp += stats.invgamma(par[4] / 2, scale=par[4] / 2 * par[3] ** 2).logpdf(square)
        return data["shrunk_unit"] * sds, float(lp)
    gammas, r2 = np.exp(local[:n]), stats.logistic.cdf(local[n])
    sds = sigma * np.sqrt(r2 / (1 - r2) * gammas / gammas.sum())
    lp = stats.gamma(par[2]).logpdf(gammas).sum() + local[:n].sum()
    lp += stats.beta(par[0] * par[1], (1 - par[0]) * par[1]).logpdf(r2)
    return data["shrunk_unit"] * sds, float(lp + np.log(r2) + np.log1p(-r2))


def pushed(x: float, low: float, s: float) -> tuple[float, float]:
    """Above a lower bound, and the log of the slope."""
    return low + s * np.logaddexp(0, (x - low) / s), stats.logistic.logcdf((x - low) / s)


@pytest.mark.parametrize("prior", [HORSESHOE, R2D2])
@pytest.mark.parametrize("case", CASES)
def test_density_equals_that_of_normal_priors_of_the_sds_drawn(case: str, prior: str) -> None:
    formula, family, others = CASES[case]
    slopes = formula[0] if isinstance(formula, list) else formula
    model = hm.Model(formula, frame(), family=family, priors={"b": prior} | others)
    data, program = model.stan_data(), model._posterior.program
    D, P = int(data["D"] - data["locals"]), int(data["P"])
    assert data["shrunk"] == sum(f" {name} " in f"{slopes} " for name in "xwvu") - len(others)
    q = np.random.default_rng(1).normal(0, 1.2, (20, Chart(data).size))
    found, gradient = Embedded().log_density(program, data, q)
    expected = []
    for point in q:
        theta = data["center"] + data["scale"] @ point[: data["D"]]
        sigma = np.exp(theta[P]) if data["own_count"] and case != "strata" else 1.0
        sds, lp = sds_and_prior(data, theta[D:], sigma)
        t = data["b_width"].copy()
        t[data["shrunk_b"] - 1] = sds
        # Normal with what the rows say as precision, added to that of the priors.
        precision = data["told"] + np.diag(t**-2)
        mean = np.linalg.solve(precision, data["told_at"])
        root = np.linalg.cholesky(t[:, None] * precision * t)
        b = data["b_origin"] + mean + t * np.linalg.solve(root.T, point[:P])
        lp += np.log(t).sum() - np.log(np.diag(root)).sum()
        for place, (low, _, s) in zip(data["limited_b"] - 1, data["bound_par"], strict=True):
            b[place], slope = pushed(b[place], low, s)
            lp += slope
        there = plain(data, sds)
        moved = np.concatenate([b, theta[P:D]]) - there["center"]
        raw = np.concatenate([np.linalg.solve(there["scale"], moved), point[data["D"] :]])
        expected.append(lp + Embedded().log_density(program, there, raw[None])[0][0])
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    h = 1e-5 * np.eye(q.shape[1])
    for point, one in zip(q[:2], gradient[:2], strict=True):
        ends = [Embedded().log_density(program, data, point + sign * h)[0] for sign in (1, -1)]
        numeric = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(one, numeric, rtol=1e-5, atol=1e-5 * np.abs(one).max())
    chart = Chart(data)
    for point in q[:5]:
        np.testing.assert_allclose(chart.coordinates(chart.point(point)), point, atol=1e-6)


def test_units_of_predictors_and_response_make_no_other_model() -> None:
    data = frame()
    other = data.assign(x=1_000 * data.x + 3, y=0.01 * data.y - 5)
    for prior in (HORSESHOE, R2D2):
        one, two = (
            hm.Model("y ~ x + w + (1 | g)", each, priors={"b": prior}).stan_data()
            for each in (data, other)
        )
        spread = one["shrunk_unit"] * [1e-3, 1.0] * (0.01 if prior == HORSESHOE else 1.0)
        np.testing.assert_allclose(two["shrunk_unit"], spread, rtol=1e-9)
        np.testing.assert_allclose(np.diag(two["told"])[1:] / (spread / one["shrunk_unit"]) ** -2,
                                   np.diag(one["told"])[1:] * (1e4 if prior == R2D2 else 1.0),
                                   rtol=1e-2)  # fmt: skip


@pytest.fixture(scope="module")
def sparse() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 12))
    data = pd.DataFrame(X, columns=[f"x{k}" for k in range(12)]).assign(g=np.arange(150) % 10)
    data["y"] = X[:, :2] @ [2.0, -1.0] + rng.normal(size=10)[data.g] + rng.normal(size=150)
    return data


@pytest.mark.parametrize("prior", ["horseshoe(1)", "r2d2(0.5, 10)"])
def test_noise_is_shrunk_and_signals_are_not(sparse: pd.DataFrame, prior: str) -> None:
    formula = "y ~ " + " + ".join(f"x{k}" for k in range(12)) + " + (1 | g)"
    options = {"seed": 2, "chains": 2, "warmup": 500, "draws": 500}
    fit = hm.Model(formula, sparse, priors={"b": prior}).fit(**options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wide = hm.Model(formula, sparse).fit(**options)
    b, free = (each.data["posterior"]["b"].mean(("chain", "draw")) for each in (fit, wide))
    assert float(np.abs(b[2:]).mean()) < 0.8 * float(np.abs(free[2:]).mean())
    # Within a posterior sd, 1 / sqrt(150), of the fit without shrinkage.
    np.testing.assert_allclose(b[:2], free[:2], atol=0.1)
    assert fit.data["sample_stats"]["diverging"].sum() == 0
    sd = fit.data["posterior"]["b_sd"]
    assert list(sd["b_sd_term"].to_numpy()) == [f"x{k}" for k in range(12)]
    prior_of_x0 = fit.log_prior()["b"].sel(term="x0").to_numpy()
    expected = stats.norm.logpdf(
        fit.data["posterior"]["b"].sel(term="x0"), 0, sd.sel(b_sd_term="x0")
    )
    np.testing.assert_allclose(prior_of_x0, expected, rtol=1e-12)
    table = fit.summary()
    assert any(name.startswith(("horseshoe_global", "r2d2_R2")) for name in table.index)
    assert fit.predict(sparse.head(3)).shape[-1] == 3


@pytest.mark.parametrize("algorithm", ["importance", "laplace"])
def test_draws_without_chains(sparse: pd.DataFrame, algorithm: str) -> None:
    model = hm.Model("y ~ x0 + x1 + x2 + (1 | g)", sparse, priors={"b": "r2d2(0.5, 4)"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model.fit(seed=1, draws=500, chains=2, algorithm=algorithm)
    b = fit.data["posterior"]["b"].mean(("chain", "draw"))
    np.testing.assert_allclose(b[:2], [2.0, -1.0], atol=0.4)
    assert fit.data["posterior"]["b_sd"].shape == (2, 500, 3)


def test_prior_alone(sparse: pd.DataFrame) -> None:
    options = {"seed": 5, "chains": 4, "warmup": 500, "draws": 1_000, "prior_only": True}
    formula = "y ~ x0 + x1 + x2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # heavy tails
        fit = hm.Model(formula, sparse, priors={"b": "r2d2(0.3, 6)"}).fit(**options)
        shoe = hm.Model(formula, sparse, priors={"b": "horseshoe(3, 0.2, 5, 2, 6)"}).fit(**options)
    # Quantiles, to five errors of 1,000 effective draws.
    error = 5 * np.sqrt(0.25 / 1_000)
    r2 = fit.data["posterior"]["r2d2_R2"].to_numpy().ravel()
    tau = shoe.data["posterior"]["horseshoe_global"].to_numpy().ravel()
    slab = shoe.data["posterior"]["horseshoe_slab"].to_numpy().ravel() ** 2
    for draws, law in (
        (r2, stats.beta(1.8, 4.2)),
        (slab, stats.invgamma(3, scale=12)),
        (0.5 * stats.t(5).sf(tau / 0.2) * 4, stats.uniform()),
    ):
        for p in (0.25, 0.5, 0.75):
            assert abs(np.mean(draws < law.ppf(p)) - p) < error
    # Shares of the slopes are a Dirichlet of ones: each is beta(1, 2).
    share = fit.data["posterior"]["b_sd"].to_numpy().reshape(-1, 3) ** 2
    share *= sparse[["x0", "x1", "x2"]].to_numpy().var(axis=0)
    share /= share.sum(axis=1, keepdims=True)
    cons = stats.beta(0.5, 1.0)  # the concentration of brms's default, 0.5
    assert abs(np.mean(share[:, 0] < cons.median()) - 0.5) < error


def test_text_and_files(sparse: pd.DataFrame, tmp_path: object) -> None:
    assert str(parse_prior("horseshoe(1)")) == "horseshoe(1, 1, 1, 2, 4)"
    assert parse_prior(parse_prior(R2D2).exact) == parse_prior(R2D2)
    model = hm.Model("y ~ x0 + x1 + x2", sparse, priors={"b": HORSESHOE, "b[x2]": "normal(0, 1)"})
    assert "b[x0]" in str(model)
    assert "horseshoe(3, 0.5, 1, 1.5, 5)" in str(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model.fit(seed=1, chains=2, warmup=200, draws=100)
    assert fit.data["posterior"].sizes["b_sd_term"] == 2
    fit.save(f"{tmp_path}/fit.nc")
    again = hm.load(f"{tmp_path}/fit.nc")
    np.testing.assert_array_equal(again.log_prior()["b"], fit.log_prior()["b"])


@pytest.mark.parametrize(
    ("formula", "priors", "words"),
    [
        ("y ~ x + w", {"b[x]": "horseshoe(1)", "b[w]": "r2d2(0.5, 2)"}, "by one prior"),
        ("y ~ x + w", {"b": "horseshoe(-1)"}, "df is -1"),
        ("y ~ x + w", {"b": "r2d2(1.5)"}, "between 0 and 1"),
        ("y ~ x + w", {"b": "r2d2(0.5, 1, 1, 1)"}, "3 arguments at most"),
        ("y ~ x + w", {"b": "horseshoe(dff=1)"}, "not 'dff'"),
        ("y ~ x + w", {"b": "horseshoe(one)"}, "must be numbers"),
        ("y ~ x + w", {"Intercept": "horseshoe(1)"}, "shrinks the slopes"),
        ("y ~ x + (1 | g)", {"sd": "r2d2(0.5, 1)"}, "shrinks the slopes"),
        (["y ~ x", "sigma ~ x"], {"b_sigma": "horseshoe(1)"}, "shrinks the slopes"),
    ],
)
def test_what_can_not_be(formula: str | list[str], priors: dict[str, str], words: str) -> None:
    with pytest.raises(PriorError, match=words):
        hm.Model(formula, frame(), priors=priors)


def test_check_of_slopes_that_are_shrunk(sparse: pd.DataFrame) -> None:
    model = hm.Model("y ~ x0 + x1 + x2", sparse, priors={"b": "r2d2(0.5, 4)"})
    fit = model.fit(seed=1, chains=2, warmup=300, draws=300)
    report = fit.check(what=("priors",))
    assert "b[x0]" in str(report.table())
