"""Models of large crossed factors: one integrated out, the others sampled, by every door."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.design.curve_factors import as_factors
from hiermix.prediction import group_densities
from hiermix.stan import crossed_choice
from hiermix.statistics import level_pairs
from hiermix.statistics.level_pairs import Pilot
from tests.test_reference import moments

FORMULA = "y ~ x + (1 + x | g) + (1 | h)"


def rows(number: int = 400, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g, h, x = rng.integers(0, 60, number), rng.integers(0, 20, number), rng.normal(size=number)
    of_g, of_h = rng.normal(size=(60, 2)) * [0.8, 0.4], 0.6 * rng.normal(size=20)
    y = 1 + 0.5 * x + of_g[g, 0] + of_g[g, 1] * x + of_h[h] + rng.normal(size=number)
    return pd.DataFrame({"y": y, "x": x, "g": [f"g{i}" for i in g], "h": [f"h{i}" for i in h]})


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model(FORMULA, rows()).fit(seed=1, chains=2, warmup=200, draws=400)


def test_a_model_says_which_factor_is_integrated_and_why() -> None:
    model = hm.Model(FORMULA, rows())
    lines = str(model).splitlines()
    assert model.program_name == "crossed"
    assert "program  crossed.stan (effects of 'g' integrated out, others sampled)" in lines
    at = lines.index("group    h: 20 levels; Intercept")
    assert (
        lines[at + 1].strip()
        == "sampled: that costs less than a block of 20 effects of crossed factors"
    )
    assert lines[at + 3].strip().startswith("integrated out: exact, with many levels")
    assert hm.Model(FORMULA, rows(), effects="sampled").program_name == "gaussian"


def test_integrated_and_sampled_programs_have_one_posterior(fit: hm.Fit) -> None:
    other = hm.Model(FORMULA, rows(), effects="sampled").fit(
        seed=2, chains=2, warmup=200, draws=400
    )
    assert (fit.data.attrs["program"], other.data.attrs["program"]) == ("crossed", "gaussian")
    for name in fit.data.posterior.data_vars:
        labelled = [each.data.posterior[name] for each in (fit, other)]
        labelled[1] = labelled[1].reindex_like(labelled[0]).transpose(*labelled[0].dims)
        flat = [each.to_numpy().reshape(2, 400, -1) for each in labelled]
        for i in range(flat[0].shape[2]):
            (m, m_error, s, s_error), (n, n_error, t, t_error) = (moments(f[..., i]) for f in flat)
            assert abs(m - n) < 5 * np.hypot(m_error, n_error), (name, i)
            assert abs(s - t) < 5.5 * np.hypot(s_error, t_error), (name, i)


def test_effects_do_not_depend_on_the_order_of_rows_or_factors(fit: hm.Fit) -> None:
    mixed = rows().sample(frac=1, random_state=1)
    other = hm.Model("y ~ x + (1 | h) + (1 + x | g)", mixed)
    assert [each.name for each in other.design.groupings] == ["h", "g"]
    assert [each.name for each in fit.model.design.groupings] == ["h", "g"]


def test_every_door(fit: hm.Fit, tmp_path: Path) -> None:
    data = rows()
    new = data.head(5).assign(g=["g1", "new", "g2", "g3", "g4"])
    at_rows = fit.predictions(data.head(5)).table()
    assert np.isfinite(at_rows["estimate"]).all()
    assert np.isfinite(fit.predict(new, new_groups="population")).all()
    loo = fit.loo()
    assert np.isfinite(loo.elpd)
    path = tmp_path / "fit.nc"
    fit.save(path)
    loaded = hm.load(path)
    assert loaded.model.program_name == "crossed"
    for name in fit.data.posterior.data_vars:
        np.testing.assert_array_equal(loaded.data.posterior[name], fit.data.posterior[name])
    again = hm.Model(FORMULA, data).fit(seed=1, chains=2, warmup=200, draws=400)
    np.testing.assert_array_equal(again.data.posterior["r_g"], fit.data.posterior["r_g"])


def test_new_levels_are_updated_by_their_rows(fit: hm.Fit) -> None:
    """Beside the normal law of a new level's effects given its rows and each draw."""
    new = rows(8, seed=9).assign(g="new", h="h1")
    new["y"] += 2
    found = fit.predict(new, new_groups="update", kind="linear")
    draws, Z = fit.data.posterior, np.column_stack([np.ones(8), new["x"]])
    at = {"g": 0, "h": "h1"}
    b = np.stack([draws["Intercept"], draws["b"].sel(term="x")], axis=-1)
    known = b @ Z.T + draws["r_h"].sel(h=at["h"]).to_numpy()
    sd, cor = draws["sd_g"].to_numpy(), draws["cor_g"].to_numpy()[..., 0]
    prior = sd[..., :, None] * sd[..., None, :]
    prior[..., 0, 1] *= cor
    prior[..., 1, 0] *= cor
    sigma = draws["sigma"].to_numpy()[..., None, None]
    V = Z @ prior @ Z.T + sigma**2 * np.eye(8)
    away = (new["y"].to_numpy() - known)[..., None]
    mean = known + (Z @ prior @ Z.T @ np.linalg.solve(V, away))[..., 0]
    log_weight = -0.5 * (np.linalg.slogdet(V)[1] + (away * np.linalg.solve(V, away)).sum((-2, -1)))
    weight = np.exp(log_weight - log_weight.max())
    expected = (mean * weight[..., None]).sum((0, 1)) / weight.sum()
    spread = found.to_numpy().reshape(-1, 8).std(axis=0)
    effective = weight.sum() ** 2 / (weight**2).sum()
    error = np.abs(found.mean(("chain", "draw")).to_numpy() - expected)
    assert (error < 5 * spread / np.sqrt(effective)).all()


def test_draws_around_the_mode_are_those_of_chains(fit: hm.Fit) -> None:
    chains = fit.summary()
    for algorithm in ("importance", "laplace"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            other = hm.Model(FORMULA, rows()).fit(seed=2, draws=200, algorithm=algorithm)
        assert other.data.attrs["program"] == "crossed"
        table = other.summary().loc[["Intercept", "b[x]", "sigma", "sd_h[Intercept]"]]
        away = (table["mean"] - chains["mean"]) / chains["sd"]
        assert (np.abs(away.loc[table.index]) < 0.5).all(), algorithm
        assert other.data.posterior["r_g"].shape[2:] == (60, 2)


def test_groups_are_left_out_as_with_all_effects_sampled(fit: hm.Fit) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = fit.loo(by="g")
    assert found.elpd_i.sizes == {"g": 60}
    draws, data = fit.data.posterior, rows()
    one = data[data["g"] == "g7"]
    Z = np.column_stack([np.ones(len(one)), one["x"]])
    place, density = {"chain": 0, "draw": 17}, stats.multivariate_normal
    at = draws.isel(place)
    sd, cor = at["sd_g"].to_numpy(), float(at["cor_g"][0])
    prior = np.outer(sd, sd) * np.array([[1, cor], [cor, 1]])
    mean = float(at["Intercept"]) + float(at["b"][0]) * one["x"] + at["r_h"].sel(
        h=one["h"].to_numpy()).to_numpy()[:, 0]  # fmt: skip
    V = Z @ prior @ Z.T + float(at["sigma"]) ** 2 * np.eye(len(one))
    posterior = fit.posterior
    ours, names = group_densities.log_densities(posterior, data["g"].to_numpy())
    assert ours[list(names).index("g7"), 17] == pytest.approx(
        density(mean.to_numpy(), V).logpdf(one["y"].to_numpy()), rel=1e-9
    )


def test_answers_and_plots_beside_a_factor_that_was_integrated_out(fit: hm.Fit) -> None:
    data, draws = rows(), fit.data.posterior
    shares = fit.variance()
    assert shares["component"].to_numpy().tolist() == ["population", "h", "g", "residual"]
    new = data.head(4).assign(g=["g1", "other", "g2", "g3"])
    ahead = fit.forecast(new, new_groups="sample", seed=1)
    assert np.isfinite(ahead.table()["mean"]).all()
    for group in ("g", "h"):
        assert len(fit.levels(group).table()) == draws.sizes[group]
        for plot in (fit.plot_shrinkage, fit.plot_ranks, fit.plot_groups):
            assert plot(group) is not None
    assert len(fit.ranks("h").table()) == draws.sizes["h"]
    again = fit.refit(data.head(300), seed=1, chains=1, warmup=100, draws=50)
    assert again.model.program_name == "crossed"


@pytest.mark.slow
def test_rows_and_models_are_compared_beside_a_factor_that_was_integrated_out(fit: hm.Fit) -> None:
    other = hm.Model(FORMULA, rows(), effects="sampled").fit(
        seed=2, chains=2, warmup=200, draws=400
    )
    for groups in (None, "g", "h"):
        one, two = (each.kfold(groups=groups, folds=4, seed=1).elpd for each in (fit, other))
        assert one == pytest.approx(two, abs=4)
    pooled = hm.pooling(FORMULA, rows(), by="h", seed=1, chains=2, warmup=200, draws=200)
    assert np.isfinite(pooled.table["elpd"]).all()


def beside() -> pd.DataFrame:
    """Rows that have something of a curve, and of several levels of a factor."""
    data, rng = rows(600, seed=5), np.random.default_rng(8)
    data["e"] = [f"h{i}" for i in rng.integers(0, 20, len(data))]
    data["arm"] = np.where(data["g"].str[1:].astype(int) % 2 == 0, "a", "b")
    return data.assign(y=data["y"] + np.sin(2 * data["x"]))


SHARED = "y ~ s(x, k=6) + (1 | gr(g, by=arm)) + (1 | mm(h, e)) + (1 | h)"


def test_curves_memberships_and_strata_stand_beside_the_factor() -> None:
    model = hm.Model(SHARED, beside())
    assert [each.name for each in model.design.groupings] == ["mm(h, e)", "h", "g"]
    lines = str(model).splitlines()
    assert "sampled" in lines[lines.index("group    h: 20 levels; Intercept") + 1]
    at = next(i for i, each in enumerate(lines) if each.startswith("smooth"))
    assert "sampled" in lines[at + 1]
    fit = model.fit(seed=1, chains=2, warmup=200, draws=200)
    posterior = fit.data.posterior
    assert {"s", "sd_smooth", "sd_mm(h, e)", "r_mm(h, e)", "sd_h", "r_g"} <= {*posterior.data_vars}
    assert posterior["r_g"].shape[2:] == (60, 1)
    table = fit.predictions(beside().head(50)).table()
    assert np.corrcoef(table["estimate"], beside()["y"].head(50))[0, 1] > 0.7


@pytest.mark.slow
def test_with_curves_beside_there_is_one_posterior_too() -> None:
    settings = {"chains": 4, "warmup": 300, "draws": 1000}
    both = [hm.Model(SHARED, beside(), effects=effects).fit(seed=seed, **settings)
            for seed, effects in enumerate(("auto", "sampled"))]  # fmt: skip
    for name in both[0].data.posterior.data_vars:
        arrays = [each.data.posterior[name] for each in both]
        arrays[1] = arrays[1].reindex_like(arrays[0]).transpose(*arrays[0].dims)
        flat = [each.to_numpy().reshape(4, 1000, -1) for each in arrays]
        for i in range(flat[0].shape[2]):
            (m, m_error, s, s_error), (n, n_error, t, t_error) = (moments(f[..., i]) for f in flat)
            assert abs(m - n) < 5.5 * np.hypot(m_error, n_error), (name, i)
            assert abs(s - t) < 6 * np.hypot(s_error, t_error), (name, i)


@pytest.mark.parametrize("formula", [FORMULA, SHARED])
def test_sums_of_rows_have_the_sums_over_pairs_of_levels_that_rows_have(formula: str) -> None:
    data = beside()
    models = hm.Model(formula, data), hm.Model.from_statistics(hm.statistics(formula, data))
    assert [each.program_name for each in models] == ["crossed", "crossed"]
    designs = [crossed_choice.ordered(as_factors(each.design)) for each in models]
    rng, first = np.random.default_rng(2), designs[0]
    sizes = [len(each.levels) * len(each.effects) for each in first.groupings]
    last = len(first.groupings[-1].levels), len(first.groupings[-1].effects)
    pilot = Pilot(rng.normal(size=2), rng.normal(size=sum(sizes[:-1])), rng.normal(size=last))
    mean = np.array([0.0, 0.3])
    one, other = (
        level_pairs.sums(each, mean, each.response, each.weights, pilot) for each in designs
    )
    for name in ("n", "rss", "Xte", "XtX", "Wte", "WtX", "ZtZ", "ZtR"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-8)
    np.testing.assert_allclose(one.WtW.toarray(), other.WtW.toarray(), atol=1e-8)
    for mine, theirs in zip(one.ZtW, other.ZtW, strict=True):
        np.testing.assert_allclose(mine.toarray(), theirs.toarray(), atol=1e-8)


def test_what_has_no_closed_form_of_pairs_is_sampled() -> None:
    data = rows()
    for formula in ("y ~ x + (1 | gr(g, dist='student')) + (1 | h)",
                    ["y ~ x + (1 | g) + (1 | h)", "sigma ~ x"]):  # fmt: skip
        assert hm.Model(formula, data).program_name != "crossed"
    few = data[data["g"].isin([f"g{i}" for i in range(40)])]
    assert hm.Model(FORMULA, few).program_name != "crossed"


def test_the_prior_has_no_rows() -> None:
    prior = hm.Model(FORMULA, rows(), priors={"sd": "exponential(2)"}).fit(
        seed=4, chains=2, warmup=200, draws=300, prior_only=True
    )
    sd = prior.data.posterior["sd_g"].to_numpy()
    assert prior.data.posterior["r_g"].shape[2:] == (60, 2)
    assert sd.mean() == pytest.approx(0.5, abs=0.1)
