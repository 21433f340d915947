"""Functions of ArviZ work on ``fit.data``, whose groups are worked out when they are read.

What they read is held against the engine's own log density, and against scipy.
"""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import arviz_plots as azp
import arviz_stats as azs
import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from scipy import optimize, special, stats

import hiermix as hm
from hiermix.families.table import FAMILIES
from hiermix.posterior.log_prior import _lkj
from tests.test_process import RESPONSES, frame

FIT: dict[str, Any] = {"seed": 1, "chains": 4, "warmup": 150, "draws": 100, "engine": "embedded"}
KINDS = {
    "gaussian": "y ~ x + (x | site)",
    "poisson": "k ~ x + (x | site)",
    "binomial": "k | trials(n) ~ x + (1 | site)",
    "ordinal": "grade ~ x + (1 | site)",
}
kinds = pytest.mark.parametrize("kind", KINDS)
some = {"var_names": ["b", "sd_site"]}
OF_DRAWS: dict[str, dict[str, Any]] = {
    "plot_autocorr": some, "plot_convergence_dist": {}, "plot_dist": some, "plot_energy": {},
    "plot_ess": some, "plot_ess_evolution": some, "plot_forest": some, "plot_mcse": some,
    "plot_pair": some, "plot_pair_focus": some | {"focus_var": "sd_site", "focus_var_coords": {
        "site_effect": "Intercept"}}, "plot_parallel": some,
    "plot_psense_dist": some, "plot_psense_quantities": some, "plot_rank": some,
    "plot_rank_dist": some, "plot_ridge": some, "plot_trace": some, "plot_trace_dist": some,
}  # fmt: skip
OF_RESPONSES: dict[str, dict[str, Any]] = {
    "plot_loo_interval": {}, "plot_loo_pit": {}, "plot_ppc_dist": {}, "plot_ppc_interval": {},
    "plot_ppc_pit": {}, "plot_ppc_tstat": {},
}  # fmt: skip
STATS: dict[str, dict[str, Any]] = {
    "bfmi": {}, "ess": {}, "eti": {}, "hdi": {}, "loo": {}, "loo_expectations": {},
    "loo_influence": {}, "loo_metrics": {}, "loo_pit": {}, "loo_score": {},
    "loo_subsample": {"observations": 40}, "mcse": {}, "metrics": {}, "psense": {},
    "psense_summary": {}, "rhat": {}, "summary": {}, "thin": {},
}  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def fit(request: pytest.FixtureRequest) -> hm.Fit:
    return made(request.param)


def made(kind: str) -> hm.Fit:
    return hm.Model(KINDS[kind], frame(), family=kind).fit(**FIT)


# Every function that fits.


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_plots_of_responses_draw(fit: hm.Fit) -> None:
    more = {"plot_ppc_rootogram": {}} if fit.model.family.name in ("poisson", "binomial") else {}
    draw(fit, OF_RESPONSES | more)
    assert azp.plot_khat(fit.loo(), backend="none").viz.children


@pytest.mark.parametrize(
    "fit",
    [pytest.param(kind, marks=() if kind == "poisson" else pytest.mark.slow) for kind in KINDS],
    indirect=True,
)
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_plots_of_draws_draw(fit: hm.Fit) -> None:
    draw(fit, OF_DRAWS)


def draw(fit: hm.Fit, plots: dict[str, dict[str, Any]]) -> None:
    with mpl.rc_context({"backend": "Agg", "figure.max_open_warning": 0}):
        for name, options in plots.items():
            drawn = getattr(azp, name)(fit.data, backend="none", **options)
            assert drawn.viz.children or drawn.viz.data_vars, name


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_statistics_of_arviz_are_worked_out(fit: hm.Fit) -> None:
    for name, options in STATS.items():
        assert getattr(azs, name)(fit.data, **options) is not None, name
    assert azs.loo(fit.data).elpd == pytest.approx(fit.loo().elpd, abs=0.2)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_arviz_compares_trees() -> None:
    fits = {
        "slope": made("poisson"),
        "null": hm.Model("k ~ 1", frame(), family="poisson").fit(**FIT),
    }
    theirs = azs.compare({name: each.data for name, each in fits.items()}, round_to="none")
    ours = hm.compare(fits)
    assert list(theirs.index) == list(ours.index)
    np.testing.assert_allclose(theirs["elpd"], ours["elpd"], atol=0.2)


# What the groups hold.


def test_the_groups_are_those_of_the_methods_and_take_no_memory(fit: hm.Fit) -> None:
    tree, name = fit.data, fit.design.response_name
    for group in ("posterior_predictive", "log_likelihood"):
        lazy = tree[group][name]
        assert lazy.dims == ("chain", "draw", "row")
        assert not lazy.variable._in_memory
        assert len(pickle.dumps(tree[group])) < 2 * len(pickle.dumps(tree["posterior"])) + 500_000
    drawn = fit.predict(kind="response")
    np.testing.assert_array_equal(tree["posterior_predictive"][name], drawn)
    part = tree["posterior_predictive"][name].isel(
        row=[70, 3, 11], draw=slice(None, None, 7), chain=1
    )
    np.testing.assert_array_equal(
        part, drawn.isel(row=[70, 3, 11], draw=slice(None, None, 7), chain=1)
    )
    whole = tree["log_likelihood"][name].to_numpy()
    np.testing.assert_allclose(tree["log_likelihood"][name][2, 5, 4], whole[2, 5, 4], rtol=1e-12)
    assert tree["log_likelihood"][name][:, :, :0].to_numpy().shape == (4, 100, 0)


def test_counts_are_whole_numbers_as_arviz_wants_them(fit: hm.Fit) -> None:
    kind = "f" if fit.model.family.continuous else "i"
    name = fit.design.response_name
    assert fit.data["observed_data"][name].dtype.kind == kind
    assert fit.data["posterior_predictive"][name].to_numpy().dtype.kind == kind


def test_methods_keep_what_they_work_out_and_files_have_only_that(tmp_path: Path) -> None:
    fit = made("poisson")
    fit.save(tmp_path / "none.nc")
    found = {each: getattr(fit, each)() for each in ("log_likelihood", "posterior_predictive")}
    prior = fit.log_prior()
    for group, values in found.items():
        assert fit.data[group]["k"].variable._in_memory
        np.testing.assert_array_equal(fit.data[group]["k"], values)
    xr.testing.assert_equal(fit.data["log_prior"].to_dataset(), prior)
    fit.save(tmp_path / "kept.nc")
    with (
        xr.open_datatree(tmp_path / "none.nc") as none,
        xr.open_datatree(tmp_path / "kept.nc") as kept,
    ):
        assert set(none.children) == {"posterior", "sample_stats", "observed_data", "constant_data"}
        assert set(kept.children) == {*none.children, *found, "log_prior"}
    for name in ("none.nc", "kept.nc"):
        loaded = hm.load(tmp_path / name)
        np.testing.assert_allclose(loaded.data["log_likelihood"]["k"], found["log_likelihood"])
        np.testing.assert_array_equal(
            loaded.data["posterior_predictive"]["k"], found["posterior_predictive"]
        )


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_likelihood_and_prior_make_the_density_that_was_sampled(family: str) -> None:
    """Up to a constant, and the coordinates' Jacobian; x far from zero tells where b holds."""
    data = frame().assign(x=lambda d: 30 + 2 * d["x"])
    # A phi without bound is lost in the engine's rounding of the beta function.
    priors = {"phi": "gamma(2, 0.1)"} if family == "beta_binomial" else None
    model = hm.Model(f"{RESPONSES[family]} ~ x", data, family=family, priors=priors)
    fit = model.fit(**(FIT | {"chains": 2, "warmup": 60, "draws": 20}))
    posterior = fit.data["posterior"]
    jacobian = sum(
        JACOBIANS[own.transform](posterior[own.name].to_numpy(), *own.ends)
        for own in fit.model.family.own if own.learned
    )  # fmt: skip
    prior = sum(values.sum([dim for dim in values.dims if dim not in ("chain", "draw")])
                for values in fit.log_prior().values())  # fmt: skip
    rest = fit.data["sample_stats"]["lp"] - fit.log_likelihood().sum("row") - prior - jacobian
    np.testing.assert_allclose(rest, rest[0, 0], atol=1e-6)


def _slope_where_pushed_to(x: float, length: float) -> float:
    """Log derivative of a difference of two softplus functions, where it is x."""
    s = 0.2 * length

    def ends(t: float) -> np.ndarray:
        return np.array([t, t - length]) / s

    at = optimize.brentq(lambda t: s * -np.diff(np.logaddexp(0, ends(t)))[0] - x, -9, 9)
    return float(np.log(-np.diff(special.expit(ends(at)))[0]))


JACOBIANS: dict[str, Callable[..., np.ndarray]] = {
    "log": lambda x, *_: np.log(x),
    "log_above_one": lambda nu, *_: np.log(nu - 1),
    "logit": lambda p, *_: np.log(p) + np.log1p(-p),
    "identity": lambda x, *_: np.zeros_like(x),
    "within": lambda x, low, high: np.log(x - low) + np.log(high - x),
    "pushed": np.vectorize(lambda x, low, high: _slope_where_pushed_to(x - low, high - low)),
    "differences": lambda cut, *_: np.zeros(cut.shape[:-1]),
    "gaps": lambda cut, *_: np.log(np.diff(cut, axis=-1)).sum(axis=-1),
}


def test_the_prior_of_sds_and_correlations_holds_at_the_mean_of_what_varies() -> None:
    """A slope far from zero: by the covariance of a line at x = 30, and scipy's densities."""
    data = frame().assign(x=lambda d: 30 + 2 * d["x"])
    priors = {"cor": "lkj(3)", "b[x]": "student_t(4, 1, 2)"}
    fit = hm.Model("y ~ x + (x | site)", data, priors=priors).fit(**FIT)
    found, posterior, table = fit.log_prior(), fit.data["posterior"], fit.model.priors
    mean = data["x"].mean()
    sd0, sd1 = (
        posterior["sd_site"].sel(site_effect=name).to_numpy() for name in ("Intercept", "x")
    )
    cov = posterior["cor_site"].to_numpy()[..., 0] * sd0 * sd1
    sd = np.sqrt(sd0**2 + 2 * mean * cov + mean**2 * sd1**2)
    cor = (cov + mean * sd1**2) / (sd * sd1)
    for label, values in (("Intercept", sd), ("x", sd1)):
        df, location, scale = table[f"sd[site, {label}]"].arguments
        expected = stats.t(df, location, scale).logpdf(values) - stats.t(df, location, scale).logsf(
            0
        )
        np.testing.assert_allclose(found["sd_site"].sel(site_effect=label), expected, rtol=1e-6)
    np.testing.assert_allclose(
        found["cor_site"], stats.beta(3, 3).logpdf((1 + cor) / 2) - np.log(2), atol=1e-5
    )
    slope = posterior["b"].sel(term="x").to_numpy()
    np.testing.assert_allclose(found["b"].sel(term="x"), stats.t(4, 1, 2).logpdf(slope))
    at_mean = posterior["Intercept"].to_numpy() + mean * slope
    location, scale = table["Intercept"].arguments
    np.testing.assert_allclose(found["Intercept"], stats.norm(location, scale).logpdf(at_mean))


def test_the_lkj_density_has_its_constant() -> None:
    """All 3 x 3 correlation matrices have a volume of pi^2 / 2."""
    L = np.linalg.cholesky(np.array([[[1, 0.3, -0.2], [0.3, 1, 0.4], [-0.2, 0.4, 1.0]]]))
    np.testing.assert_allclose(_lkj(L, 1.0), np.log(2 / np.pi**2), rtol=1e-12)


def test_weights_and_categories_have_their_groups() -> None:
    data = frame().assign(w=lambda d: 0.5 + (d["n"] > 0) * np.linspace(0, 1, 80))
    fit = hm.Model("label ~ x + (1 | site)", data, family="categorical").fit(**FIT)
    assert fit.log_prior()["b"].dims == ("chain", "draw", "category", "term")
    assert set(np.unique(fit.posterior_predictive())) == {1, 2, 3}
    weighted = hm.Model("y ~ x", data, weights="w").fit(**FIT)
    plain = stats.norm.logpdf(
        data["y"], weighted.predict(), weighted.data["posterior"]["sigma"].to_numpy()[..., None]
    )
    np.testing.assert_allclose(weighted.log_likelihood(), plain * data["w"].to_numpy())
