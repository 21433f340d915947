"""Predictions: against the definition by hand, new groups, every bad new row, reproducibility."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import hiermix as hm
from hiermix.prediction import predict, update

FORMULA = "y ~ x + kind + (1 + x | g)"


def panel(rows: int = 240, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.arange(rows) % 12
    x = rng.standard_normal(rows)
    r = rng.standard_normal((12, 2)) * [1.0, 0.7]
    kind = rng.choice(["a", "b", "c"], rows)
    y = 1 + 0.5 * x + (kind == "b") + r[g, 0] + r[g, 1] * x + 0.6 * rng.standard_normal(rows)
    return pd.DataFrame({"y": y, "x": x, "kind": kind, "g": [f"g{k}" for k in g]})


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return panel()


@pytest.fixture(scope="module")
def fit(data: pd.DataFrame) -> hm.Fit:
    return hm.Model(FORMULA, data).fit(seed=1, chains=2, draws=500, warmup=300, progress=False)


@pytest.fixture(scope="module")
def nested() -> hm.Fit:
    rng = np.random.default_rng(2)
    batch = np.repeat(np.arange(8), 12)
    cask = np.tile(np.repeat(np.arange(4), 3), 8)
    r, s = rng.standard_normal(8), rng.standard_normal((8, 4))
    y = r[batch] + 0.5 * s[batch, cask] + 0.3 * rng.standard_normal(len(batch))
    data = pd.DataFrame({"y": y, "batch": [f"b{k}" for k in batch], "cask": cask})
    model = hm.Model("y ~ 1 + (1 | batch / cask)", data)
    return model.fit(seed=1, chains=2, draws=300, warmup=300, progress=False)


def by_hand(fit: hm.Fit, rows: pd.DataFrame) -> xr.DataArray:
    """The definition, written out in labels."""
    post = fit.data.posterior
    x = xr.DataArray(rows["x"].to_numpy(), dims="row")
    r = post["r_g"].sel(g=xr.DataArray(rows["g"].to_numpy(dtype=object), dims="row"))
    eta = post["Intercept"] + x * post["b"].sel(term="x")
    for kind in ("b", "c"):
        is_kind = xr.DataArray((rows["kind"] == kind).to_numpy(float), dims="row")
        eta = eta + is_kind * post["b"].sel(term=f"kind[T.{kind}]")
    eta = eta + r.sel(g_effect="Intercept") + x * r.sel(g_effect="x")
    return eta.transpose("chain", "draw", "row")


def close(left: xr.DataArray | np.ndarray, right: xr.DataArray | np.ndarray) -> bool:
    return np.allclose(np.asarray(left), np.asarray(right), rtol=1e-12, atol=1e-12)


# Old groups -------------------------------------------------------------------------------------


def test_fitted_rows_equal_the_definition_by_hand(fit: hm.Fit, data: pd.DataFrame) -> None:
    found = fit.predict()
    assert found.dims == ("chain", "draw", "row")
    assert close(found, by_hand(fit, data))
    assert close(fit.predict(kind="linear"), found)
    assert close(fit.predict(data), found)


def test_group_effects_choose_which_terms_enter(fit: hm.Fit, data: pd.DataFrame) -> None:
    rows = data.drop(columns="g")
    population = fit.predict(rows, group_effects="none")
    r = fit.data.posterior["r_g"].sel(g=xr.DataArray(data["g"].to_numpy(dtype=object), dims="row"))
    x = xr.DataArray(data["x"].to_numpy(), dims="row")
    effects = r.sel(g_effect="Intercept", drop=True) + x * r.sel(g_effect="x", drop=True)
    whole = population.to_numpy() + effects.transpose("chain", "draw", "row").to_numpy()
    assert close(fit.predict(data, group_effects=["g"]), whole)


def test_one_of_two_factors(nested: hm.Fit) -> None:
    rows = pd.DataFrame({"batch": ["b3"]})
    found = nested.predict(rows, group_effects=["batch"])
    post = nested.data.posterior
    hand = post["Intercept"] + post["r_batch"].sel(batch="b3", batch_effect="Intercept")
    assert close(found[..., 0], hand)


@pytest.mark.parametrize("kind", ["linear", "mean", "response"])
def test_shuffled_rows_extra_columns_other_categories_and_one_row(
    fit: hm.Fit, data: pd.DataFrame, kind: str
) -> None:
    whole = fit.predict(data, kind=kind)
    order = np.random.default_rng(0).permutation(len(data))
    other = data.iloc[order].drop(columns="y").reset_index(drop=True)[["kind", "g", "x"]]
    other["kind"] = pd.Categorical(other["kind"], categories=["c", "b", "a", "unused"])
    other["extra"] = np.nan
    assert close(fit.predict(other, kind=kind), whole[..., order])
    assert close(fit.predict(data.iloc[[17]], kind=kind), whole[..., [17]])


@pytest.mark.parametrize("kind", ["mean", "response"])
def test_pieces_equal_the_whole(fit: hm.Fit, data: pd.DataFrame, kind: str) -> None:
    whole = fit.predict(data, kind=kind)
    halves = [fit.predict(data.iloc[:100], kind=kind), fit.predict(data.iloc[100:], kind=kind)]
    assert close(np.concatenate(halves, axis=-1), whole)
    pieces = list(fit.predict_pieces(data, kind=kind))
    assert len(pieces) > 1
    xr.testing.assert_identical(xr.concat(pieces, "row"), whole)


def test_response_draws_have_the_fitted_noise(fit: hm.Fit) -> None:
    noise = (fit.predict(kind="response") - fit.predict()).to_numpy().reshape(-1, 240)
    sigma = fit.data.posterior["sigma"].to_numpy().reshape(-1, 1)
    standard = noise / sigma
    assert abs(standard.mean()) < 4 / np.sqrt(standard.size)
    assert abs(standard.var() - 1) < 4 * np.sqrt(2 / standard.size)
    between = np.corrcoef(standard.T)[np.triu_indices(240, 1)]
    assert abs(between.mean()) < 4 / np.sqrt(len(standard) * len(between))


def test_alike_rows_have_noise_of_their_own(fit: hm.Fit, data: pd.DataFrame) -> None:
    twice = fit.predict(data.iloc[[5, 5]], kind="response").to_numpy().reshape(-1, 2)
    eta = fit.predict(data.iloc[[5]]).to_numpy().reshape(-1, 1)
    assert abs(np.corrcoef((twice - eta).T)[0, 1]) < 4 / np.sqrt(len(twice))


def test_the_seed_decides(fit: hm.Fit, data: pd.DataFrame) -> None:
    assert close(fit.predict(kind="response"), fit.predict(data, kind="response"))
    assert close(fit.predict(kind="response", seed=5), fit.predict(kind="response", seed=5))
    assert not close(fit.predict(kind="response", seed=5), fit.predict(kind="response", seed=6))


def test_quantiles_are_those_of_the_draws(fit: hm.Fit, data: pd.DataFrame) -> None:
    probs = [0.0, 0.05, 0.5, 0.731, 1.0]
    for kind in ("mean", "response"):
        draws = fit.predict(data, kind=kind).to_numpy().reshape(-1, len(data))
        found = fit.predict(data, kind=kind, quantiles=probs)
        assert found.dims == ("quantile", "row")
        assert np.allclose(found, np.quantile(draws, probs, axis=0), rtol=1e-10)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("rows", [0, 1, 240])
def test_draws_stream_into_a_file(
    fit: hm.Fit, data: pd.DataFrame, tmp_path: Path, suffix: str, rows: int
) -> None:
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    path = tmp_path / f"draws{suffix}"
    for _ in range(2):  # a file that is there is replaced
        with fit.predict(data.iloc[:rows], into=path) as found:
            xr.testing.assert_equal(found.load(), fit.predict(data.iloc[:rows]))
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_files_of_other_kinds_and_places(fit: hm.Fit, tmp_path: Path) -> None:
    with pytest.raises(hm.ArgumentError, match=r"must end in \.nc or \.zarr"):
        fit.predict(into=tmp_path / "draws.csv")
    with pytest.raises(hm.DataError, match="can't write"):
        fit.predict(into=tmp_path / "absent" / "draws.nc")
    with pytest.raises(hm.ArgumentError, match="exclude each other"):
        fit.predict(into=tmp_path / "draws.nc", quantiles=[0.5])


# New groups -------------------------------------------------------------------------------------


def new_rows(labels: list[str], x: float = 0.0) -> pd.DataFrame:
    return pd.DataFrame({"x": x, "kind": "a", "g": labels})


def effects(fit: hm.Fit, rows: pd.DataFrame, policy: str = "sample") -> np.ndarray:
    """Draws of the new effects: what is added to the population's prediction."""
    own = fit.predict(rows, kind="linear", new_groups=policy)
    shared = fit.predict(rows, kind="linear", group_effects="none")
    return (own.to_numpy() - shared.to_numpy()).reshape(-1, len(rows))


def test_new_groups_never_share_draws(fit: hm.Fit) -> None:
    """Two new levels are independent; two rows of one level have one effect."""
    a, b, again = effects(fit, new_rows(["A", "B", "A"])).T
    assert close(a, again)
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(len(a))


def test_a_new_group_has_its_draws_whatever_stands_beside_it(fit: hm.Fit) -> None:
    alone = effects(fit, new_rows(["A"]))[:, 0]
    among = effects(fit, new_rows(["g3", "Z", "C", "A", "g1"]))[:, 3]
    assert close(alone, among)


def test_new_effects_vary_together_as_fitted(fit: hm.Fit) -> None:
    at_zero = effects(fit, new_rows(["A"]))[:, 0]
    slope = effects(fit, new_rows(["A"], x=1.0))[:, 0] - at_zero
    sd = fit.data.posterior["sd_g"].to_numpy().reshape(-1, 2)
    cor = fit.data.posterior["cor_g"].to_numpy().ravel()
    u, v = at_zero / sd[:, 0], slope / sd[:, 1]
    assert abs(np.mean(u**2) - 1) < 4 * np.sqrt(2 / len(u))
    # Standardised by each draw's own Sigma, u v - cor has mean zero.
    products = u * v - cor
    assert abs(products.mean()) < 4 * products.std() / np.sqrt(len(u))


def test_variance_of_a_response_of_a_new_group(fit: hm.Fit) -> None:
    """Per draw it is sigma^2 + z' Sigma z: by simulation over many new groups."""
    x, groups = 0.8, 2000
    labels = [f"n{k}" for k in range(groups)]
    drawn = fit.predict(new_rows(labels, x), kind="response", new_groups="sample")
    post = fit.data.posterior
    sd, cor = post["sd_g"].to_numpy(), post["cor_g"].to_numpy()[..., 0]
    spread = sd[..., 0] ** 2 + 2 * x * cor * sd[..., 0] * sd[..., 1] + x**2 * sd[..., 1] ** 2
    expected = (post["sigma"].to_numpy() ** 2 + spread).ravel()
    ratio = drawn.var("row", ddof=1).to_numpy().ravel() / expected
    assert np.abs(ratio - 1).max() < 5.5 * np.sqrt(2 / groups)
    assert abs(ratio.mean() - 1) < 4 * np.sqrt(2 / groups / len(ratio))


def test_population_sets_new_effects_to_zero(fit: hm.Fit) -> None:
    assert not effects(fit, new_rows(["A", "B"]), "population").any()


def test_a_new_cask_in_an_old_batch(nested: hm.Fit) -> None:
    rows = pd.DataFrame({"batch": ["b3", "b3", "new", "new"], "cask": [0, 9, 0, 9]})
    found = nested.predict(rows, new_groups="sample").to_numpy().reshape(-1, 4)
    post = nested.data.posterior
    batch = post["Intercept"] + post["r_batch"].sel(batch="b3", batch_effect="Intercept")
    old = post["r_batch:cask"].sel({"batch:cask": "b3:0", "batch:cask_effect": "Intercept"})
    assert close(found[:, 0], (batch + old).to_numpy().ravel())
    standard = (found[:, 1] - batch.to_numpy().ravel()) / post["sd_batch:cask"].to_numpy().ravel()
    assert abs(standard.var() - 1) < 4 * np.sqrt(2 / len(standard))
    # Casks of a new batch share its effect and have their own.
    inner = (found[:, 2] - found[:, 3]) / post["sd_batch:cask"].to_numpy().ravel()
    assert abs(inner.var() - 2) < 2 * 4 * np.sqrt(2 / len(inner))


# Update -----------------------------------------------------------------------------------------


def wide(groups: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(groups), 8)
    x = rng.standard_normal(len(g))
    r = rng.standard_normal((groups, 2)) * [1.0, 0.6]
    y = 1 + 0.5 * x + r[g, 0] + r[g, 1] * x + 0.8 * rng.standard_normal(len(g))
    return pd.DataFrame({"y": y, "x": x, "g": [f"g{k:02d}" for k in g]})


@pytest.fixture(scope="module")
def held_out() -> tuple[hm.Fit, hm.Fit, pd.DataFrame]:
    """A fit to all groups, one without two of them, and the rows of the two."""
    data = wide()
    out = data["g"].isin(["g05", "g40"])
    sample = {"chains": 2, "draws": 1500, "warmup": 300, "progress": False}
    full = hm.Model("y ~ x + (1 + x | g)", data).fit(seed=1, **sample)
    part = hm.Model("y ~ x + (1 + x | g)", data[~out]).fit(seed=2, **sample)
    return full, part, data[out]


ASKED = pd.DataFrame({"g": ["g05", "g05", "g40", "g40"], "x": [0.0, 1.0, 0.0, 1.0], "y": np.nan})


def updated(fit: hm.Fit, rows: pd.DataFrame, **options: object) -> tuple[np.ndarray, float]:
    """Draws of the rows asked for, and how many draws they are worth."""
    both = pd.concat([rows, ASKED])
    found = fit.predict(both, kind="linear", new_groups="update", **options)
    return found.to_numpy()[..., -4:].reshape(-1, 4), found.attrs["effective_draws"]


def same_distribution(
    one: tuple[np.ndarray, float], other: tuple[np.ndarray, float], errors: float = 5.5
) -> None:
    """Assert that means, sds and a correlation differ by their Monte-Carlo errors alone."""
    (a, n), (b, m) = one, other
    sd, error = b.std(axis=0), errors * np.sqrt(1 / n + 1 / m)
    assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) < error * sd).all()
    assert (np.abs(np.log(a.std(axis=0) / sd)) < error / np.sqrt(2)).all()
    first, second = (np.arctanh(np.corrcoef(each.T)[0, 1]) for each in (a, b))
    assert abs(first - second) < error


def test_update_agrees_with_a_full_refit(
    held_out: tuple[hm.Fit, hm.Fit, pd.DataFrame],
) -> None:
    from arviz_stats import ess

    full, part, rows = held_out
    draws = full.predict(ASKED, kind="linear").to_numpy()
    worth = min(float(ess(draws[..., row])) for row in range(4))
    same_distribution(updated(part, rows), (draws.reshape(-1, 4), worth))


def test_a_prediction_of_other_rows_would_be_seen(
    held_out: tuple[hm.Fit, hm.Fit, pd.DataFrame],
) -> None:
    """One of sixteen rows is half an sd of the responses higher."""
    _, part, rows = held_out
    moved = rows.assign(y=rows["y"] + 0.5 * rows["y"].std() * (np.arange(len(rows)) == 0))
    with pytest.raises(AssertionError):
        same_distribution(updated(part, moved), updated(part, rows))


def test_importance_weights_agree_with_the_exact_draw(
    held_out: tuple[hm.Fit, hm.Fit, pd.DataFrame],
) -> None:
    """A Gaussian model through the way of the other families."""
    _, part, rows = held_out
    exact = updated(part, rows)
    family = part.model.family
    part.model.family = replace(family, normal=None)
    try:
        weighted = updated(part, rows)
    finally:
        part.model.family = family
    same_distribution(weighted, exact)


def test_update_is_the_conditional_normal(nested: hm.Fit) -> None:
    """A new batch with two new casks, draw by draw against the dense conditional normal.

    Draws of the rest are weighed by the density of the rows: against the dense one too.
    """
    y = np.array([2.0, 2.2, 1.1, np.nan])
    rows = pd.DataFrame({"batch": "new", "cask": [0, 0, 1, 1], "y": y})
    post = {name: array.to_numpy().ravel() for name, array in nested.data.posterior.items()
            if not str(name).startswith("r_")}  # fmt: skip
    known, log_density = conditional(nested, rows)
    found = post["Intercept"] + known["batch", "new"][0] + known["batch:cask", "new:1"][0]
    mean, sd, log = np.empty((3, len(found)))
    same_cask = np.equal.outer([0, 0, 1, 1], [0, 0, 1, 1])
    for s in range(len(found)):
        cov = post["sd_batch"][s] ** 2 + post["sd_batch:cask"][s] ** 2 * same_cask
        seen = cov[:3, :3] + post["sigma"][s] ** 2 * np.eye(3)
        weights = np.linalg.solve(seen, cov[:3, 3])
        mean[s] = post["Intercept"][s] + weights @ (y[:3] - post["Intercept"][s])
        sd[s] = np.sqrt(cov[3, 3] - weights @ cov[:3, 3])
        log[s] = stats.multivariate_normal(np.full(3, post["Intercept"][s]), seen).logpdf(y[:3])
    standard = (found - mean) / sd
    assert abs(standard.mean()) < 4 / np.sqrt(len(standard))
    assert abs(standard.var() - 1) < 4 * np.sqrt(2 / len(standard))
    np.testing.assert_allclose(np.diff(log_density), np.diff(log), atol=1e-9)


def conditional(fit: hm.Fit, rows: pd.DataFrame) -> tuple[update.Effects, np.ndarray]:
    design = fit.design.on(rows, new_groups="sample")
    return update.conditional(predict.predictor(fit.posterior.on(design), new_groups="sample"))


def test_a_weight_of_two_is_a_new_row_seen_twice(nested: hm.Fit) -> None:
    rows = pd.DataFrame({"batch": "new", "cask": [0, 0, 1], "y": [1.0, 1.0, 2.0]})
    design = nested.design.on(rows, new_groups="sample")
    once = replace(nested.design.on(rows[1:], new_groups="sample"), weights=np.array([2.0, 1.0]))
    two, one = (
        update.conditional(predict.predictor(nested.posterior.on(each), new_groups="sample"))[1]
        for each in (design, once)
    )
    np.testing.assert_allclose(np.diff(two), np.diff(one), atol=1e-9)


@pytest.fixture(scope="module")
def alike() -> hm.Fit:
    """Five groups that are close to each other: the data say little of how far others may lie."""
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(5), 6)
    y = 10 + rng.normal(0, 0.3, 5)[g] + rng.normal(size=30)
    data = pd.DataFrame({"y": y, "g": [f"g{k}" for k in g]})
    return hm.Model("y ~ 1 + (1 | g)", data).fit(seed=1, draws=1000, progress=False)


def test_a_far_group_moves_the_spread(alike: hm.Fit) -> None:
    """Against weights by the dense normal: the draws that the rows rule out lose their say."""
    y = 14 + np.array([-1.2, -0.7, -0.1, 0.2, 0.6, 1.2])
    found = alike.predict(pd.DataFrame({"y": y, "g": "far"}), kind="linear", new_groups="update")
    center, sd, sigma = (alike.data.posterior[name].to_numpy().ravel()
                         for name in ("Intercept", "sd_g", "sigma"))  # fmt: skip
    log = np.array([
        stats.multivariate_normal(np.full(6, m), t**2 + s**2 * np.eye(6)).logpdf(y)
        for m, t, s in zip(center, sd, sigma, strict=True)
    ])  # fmt: skip
    weights = np.exp(log - log.max()) / np.exp(log - log.max()).sum()
    shrunk = center + (y.mean() - center) * sd**2 / (sd**2 + sigma**2 / 6)
    within = 1 / (1 / sd**2 + 6 / sigma**2)
    mean = weights @ shrunk
    spread = np.sqrt(weights @ (within + (shrunk - mean) ** 2))
    effective = found.attrs["effective_draws"]
    assert effective == pytest.approx(1 / np.sum(weights**2), rel=0.3)  # smoothing moves it
    assert abs(float(found[..., 0].mean()) - mean) < 5 * spread / np.sqrt(effective)
    assert abs(mean - shrunk.mean()) > spread  # what the plain draws would have said


def test_rows_that_no_draw_had_reckoned_with_are_said(alike: hm.Fit) -> None:
    rows = pd.DataFrame({"y": 60 + np.arange(12.0), "g": "far"})
    with pytest.warns(hm.HiermixWarning, match=r"leave \d+ effective draws of 4,000"):
        alike.predict(rows, new_groups="update")


def test_the_mean_weight_is_the_density_of_the_rows(herds: hm.Fit) -> None:
    """Two successes in a new herd, integrated over its effect by Gauss and Hermite's rule."""
    rows = herd([9.0, 7.0, np.nan, 12.0])
    _, log_density = conditional(herds, rows)
    eta = herds.predict(rows, kind="linear", group_effects="none").to_numpy().reshape(-1, 4)
    sd = herds.data.posterior["sd_herd"].to_numpy().ravel()
    at, weights = np.polynomial.hermite_e.hermegauss(60)
    places = eta[:, [0, 1, 3], None] + sd[:, None, None] * at
    y, n = (rows[name].to_numpy()[[0, 1, 3], None] for name in ("incidence", "size"))
    log = np.log(np.exp(stats.binom.logpmf(y, n, 1 / (1 + np.exp(-places))).sum(axis=1)) @ weights)
    error = (log_density - log) - (log_density - log).mean()
    assert error.std() < 0.02
    assert np.abs(error).max() < 0.15


def test_update_without_rows_is_sample(fit: hm.Fit) -> None:
    rows = new_rows(["A", "B"]).assign(y=np.nan)
    assert close(effects(fit, rows, "update"), effects(fit, rows, "sample"))


def test_update_needs_a_response(fit: hm.Fit) -> None:
    with pytest.raises(hm.DataError, match="the new data have no column 'y'"):
        fit.predict(new_rows(["A"]), new_groups="update")


def test_old_groups_are_not_updated(fit: hm.Fit, data: pd.DataFrame) -> None:
    assert close(fit.predict(data.iloc[:20], new_groups="update"), by_hand(fit, data.iloc[:20]))


def test_levels_that_share_rows_are_one_cluster(nested: hm.Fit) -> None:
    rows = pd.DataFrame({
        "batch": ["b1", "P", "P", "Q", "R"], "cask": [9, 0, 1, 0, 0], "y": [1, 2, 3, 4, np.nan],
    })  # fmt: skip
    design = nested.design.on(rows, new_groups="update")
    found = [
        ([str(each.new_levels[place]) for each, place in levels], at.tolist())
        for levels, at in update.clusters(design, ["batch", "batch:cask"])
    ]
    assert sorted(found) == [
        (["P", "P:0", "P:1"], [1, 2]),
        (["Q", "Q:0"], [3]),
        (["b1:9"], [0]),
    ]


# Other families ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def herds() -> hm.Fit:
    data = hm.load_dataset("cbpp")
    formula = "incidence | trials(size) ~ C(period) + (1 | herd)"
    model = hm.Model(formula, data, family="binomial")
    return model.fit(seed=1, chains=2, draws=500, warmup=300, progress=False)


def herd(successes: list[float]) -> pd.DataFrame:
    periods = ["1", "2", "3", "4"]
    return pd.DataFrame({"period": periods, "herd": "new", "size": [12, 9, 7, 20],
                         "incidence": successes})  # fmt: skip


def test_trials_enter_the_mean_and_the_response(herds: hm.Fit) -> None:
    data = hm.load_dataset("cbpp")
    eta = herds.predict(kind="linear").to_numpy()
    mean = data["size"].to_numpy() / (1 + np.exp(-eta))
    assert close(herds.predict(kind="mean"), mean)
    drawn = herds.predict(kind="response").to_numpy()
    assert (drawn == drawn.round()).all()
    assert (drawn <= data["size"].to_numpy()).all()
    error = np.sqrt(mean * (1 - mean / data["size"].to_numpy())).mean() / np.sqrt(
        drawn[..., 0].size
    )
    assert (np.abs((drawn - mean).mean(axis=(0, 1))) < 6 * error + 0.05).all()


def test_update_of_a_binomial_model_is_the_conditional(herds: hm.Fit) -> None:
    """The effect of each draw stands at a uniform place of its conditional, summed over a grid."""
    rows = herd([9.0, 7.0, np.nan, 12.0])
    found = conditional(herds, rows)[0]["herd", "new"][0]
    eta = herds.predict(rows, kind="linear", group_effects="none").to_numpy().reshape(-1, 4)
    sd = herds.data.posterior["sd_herd"].to_numpy().ravel()
    unit = np.linspace(-9, 9, 2001)
    places = []
    for s in range(len(found)):
        r = unit * sd[s]
        log = -0.5 * unit**2
        for row in (0, 1, 3):
            p = 1 / (1 + np.exp(-(eta[s, row] + r)))
            y, n = rows["incidence"][row], rows["size"][row]
            log = log + y * np.log(p) + (n - y) * np.log1p(-p)
        weights = np.exp(log - log.max())
        cumulative = np.cumsum(weights) / weights.sum()
        places.append(np.interp(found[s], r, cumulative))
    assert stats.kstest(places, "uniform").pvalue > 1e-4


# Bad new rows: N1 to N8 -------------------------------------------------------------------------


def test_n1_unseen_groups(fit: hm.Fit) -> None:
    with pytest.raises(hm.DataError) as caught:
        fit.predict(new_rows(["A", "g1", "B"]))
    assert str(caught.value) == (
        "2 labels of 'g' were not in the fit: 'A', 'B'. new_groups='population' sets their effect "
        "to zero, 'sample' draws it from the fitted spread."
    )


def test_n2_an_unseen_level_of_a_factor_is_never_the_reference(fit: hm.Fit) -> None:
    rows = new_rows(["g1"]).assign(kind="z")
    with pytest.raises(hm.DataError, match=r"'kind' has 1 level .*'z'.*Allowed: 'a', 'b', 'c'"):
        fit.predict(rows)


def test_n3_a_missing_label(fit: hm.Fit) -> None:
    rows = new_rows(["g1", "g1", "g2"])
    rows.loc[[0, 1], "g"] = None
    with pytest.raises(hm.DataError, match=r"'g' has 2 missing labels \(rows 0, 1\)"):
        fit.predict(rows)
    assert not effects(fit, rows, "population")[:, :2].any()
    first, second = effects(fit, rows, "sample")[:, :2].T
    assert first.std() > 0.1
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(len(first))


def test_n4_a_missing_column(fit: hm.Fit) -> None:
    with pytest.raises(hm.DataError, match="formula names 'x', not a column"):
        fit.predict(new_rows(["g1"]).drop(columns="x"))


@pytest.mark.parametrize(("value", "what"), [(np.nan, "missing value"), (np.inf, "infinite value")])
def test_n5_a_predictor_that_is_no_number(fit: hm.Fit, value: float, what: str) -> None:
    with pytest.raises(hm.DataError, match=rf"'x' has 1 {what} \(row 1\)"):
        fit.predict(new_rows(["g1", "g1"]).assign(x=[0.0, value]))


def test_n6_a_number_that_arrives_as_text(fit: hm.Fit) -> None:
    with pytest.raises(hm.DataError, match="'x' was numeric in the fit"):
        fit.predict(new_rows(["g1"]).assign(x="1.5"))


@pytest.mark.parametrize("kind", ["linear", "mean", "response"])
def test_n7_no_rows(fit: hm.Fit, data: pd.DataFrame, kind: str) -> None:
    found = fit.predict(data.iloc[:0], kind=kind, new_groups="sample")
    assert (found.dims, found.shape) == (("chain", "draw", "row"), (2, 500, 0))
    assert fit.predict(data.iloc[:0], kind=kind, quantiles=[0.5]).shape == (1, 0)
    assert list(fit.predict_pieces(data.iloc[:0], kind=kind)) == []


def test_n8_labels_not_positions(fit: hm.Fit, data: pd.DataFrame) -> None:
    """A frame with few of the groups, in another order, gets each group's own effects."""
    rows = data[data["g"].isin(["g7", "g2"])].iloc[::-1]
    rows = rows.assign(g=pd.Categorical(rows["g"], categories=["g7", "other", "g2"]))
    assert close(fit.predict(rows), by_hand(fit, rows.assign(g=rows["g"].astype(str))))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"kind": "meen"}, "kind must be one of .* Did you mean 'mean'"),
        ({"new_groups": "sampled"}, "new_groups must be one of .* Did you mean 'sample'"),
        ({"group_effects": ["gg"]}, "group_effects names 'gg'.* Did you mean 'g'"),
        ({"quantiles": [1.5]}, "quantiles must be between 0 and 1"),
    ],
)
def test_options_out_of_range(fit: hm.Fit, option: dict[str, object], message: str) -> None:
    with pytest.raises(hm.ArgumentError, match=message):
        fit.predict(**option)


def test_a_loaded_fit_predicts_without_the_frame(
    fit: hm.Fit, data: pd.DataFrame, tmp_path: Path
) -> None:
    fit.save(tmp_path / "fit.nc")
    loaded = hm.load(tmp_path / "fit.nc")
    for options in ({}, {"kind": "response"}):
        assert close(loaded.predict(data, **options), fit.predict(data, **options))
    rows = new_rows(["A"])
    new = {"new_groups": "sample", "kind": "response"}
    assert close(loaded.predict(rows, **new), fit.predict(rows, **new))


def test_results_do_not_depend_on_the_size_of_pieces(
    fit: hm.Fit, data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = data.assign(g=data["g"].replace({"g1": "A", "g2": "B"}))
    options = {"kind": "response", "new_groups": "sample"}
    whole = fit.predict(rows, **options)
    monkeypatch.setattr("hiermix.prediction.predictor.PIECE", 3000)
    monkeypatch.setattr("hiermix.prediction.predictor._ROWS", 50)
    assert close(fit.predict(rows, **options), whole)
    source = predict.of_rows(
        fit.posterior, rows, group_effects="all", offset=None, seed=None, **options
    )
    assert len(list(source.jobs("response"))) > 5


# What names the rows ------------------------------------------------------------------------------


def test_rows_keep_the_index_and_the_groups_of_their_frame(fit: hm.Fit, tmp_path: Path) -> None:
    rows = panel().iloc[[5, 80, 3]].set_axis(["five", "eighty", "three"], axis=0)
    found = fit.predict(rows)
    assert found["row"].to_numpy().tolist() == ["five", "eighty", "three"]
    assert found["g"].to_numpy().tolist() == rows["g"].tolist()
    means = found.mean(("chain", "draw")).to_series()
    by_hand_ = fit.predict(rows.loc[["three"]]).mean()
    assert np.isclose(means["three"], float(by_hand_))
    assert fit.predict(rows, quantiles=[0.5])["g"].to_numpy().tolist() == rows["g"].tolist()
    joined = xr.concat(fit.predict_pieces(rows), "row")
    xr.testing.assert_equal(joined, found)
    with fit.predict(rows, into=tmp_path / "draws.nc") as written:
        xr.testing.assert_equal(written.load(), found)


@pytest.mark.parametrize(
    ("index", "row", "name", "beside"),
    [
        (pd.Index([7, 7, 9]), [0, 1, 2], "index_0", [7, 7, 9]),
        (pd.Index([7, 7, 9], name="id"), [0, 1, 2], "id", [7, 7, 9]),
        (
            pd.MultiIndex.from_product([["a"], [1, 2, 3]], names=["p", "q"]),
            [0, 1, 2], "q", [1, 2, 3],
        ),
    ],
)  # fmt: skip
def test_an_index_that_can_not_name_rows_stands_beside_them(
    fit: hm.Fit, index: pd.Index, row: list[int], name: str, beside: list[int]
) -> None:
    found = fit.predict(panel().iloc[:3].set_axis(index, axis=0))
    assert found["row"].to_numpy().tolist() == row
    assert found[name].to_numpy().tolist() == beside


def test_rows_that_were_dropped_leave_their_place(tmp_path: Path) -> None:
    data = panel()
    data.loc[[0, 7, 8], "x"] = np.nan
    model = hm.Model("y ~ x + (1 | g)", data, missing="drop")
    fitted = model.fit(seed=1, chains=2, draws=100, warmup=200, progress=False)
    found = fitted.predict().mean(("chain", "draw")).to_series()
    assert found.index.tolist() == data.index.drop([0, 7, 8]).tolist()
    complete = data.assign(mean=found)  # aligned by pandas
    want = fitted.predict(data.loc[[20]]).mean()
    assert np.isclose(complete.loc[20, "mean"], float(want))
    assert complete["mean"].isna().sum() == 3
    fitted.save(tmp_path / "fit.nc")
    xr.testing.assert_equal(hm.load(tmp_path / "fit.nc").predict(), fitted.predict())


def test_an_offset_that_was_an_array_is_one_in_new_rows() -> None:
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"y": rng.poisson(3, 60), "x": rng.normal(size=60)})
    known = rng.normal(size=60)
    fit = hm.Model("y ~ x", data, family="poisson", offset=known).fit(
        seed=1, chains=1, warmup=100, draws=20
    )
    rows = data.iloc[:3]
    found = fit.predict(rows, offset=known[:3] + 1, kind="linear").to_numpy()
    np.testing.assert_allclose(found, fit.predict(kind="linear").to_numpy()[..., :3] + 1)
    with pytest.raises(hm.DataError, match="an offset that is no column: pass offset="):
        fit.predict(rows)
