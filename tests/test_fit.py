"""Fits: seeds, numbers that could break them, labels, saving and loading, the prior."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hiermix as hm

FAST = {"chains": 2, "warmup": 300, "draws": 500}


def simulate(sizes: np.ndarray, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(len(sizes)), sizes)
    x = rng.normal(size=len(g))
    y = 1 + 0.5 * x + rng.normal(size=len(sizes))[g] + rng.normal(size=len(g))
    return pd.DataFrame({"y": y, "x": x, "g": g})


@pytest.fixture(scope="module")
def sleepstudy() -> pd.DataFrame:
    return hm.load_dataset("sleepstudy")


FORMULA = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(scope="module")
def fit(sleepstudy: pd.DataFrame) -> hm.Fit:
    return hm.Model(FORMULA, sleepstudy).fit(seed=1, warmup=500)


def test_same_seed_same_draws_whatever_the_cores(sleepstudy: pd.DataFrame) -> None:
    model = hm.Model(FORMULA, sleepstudy)
    one, two = (model.fit(seed=5, cores=cores, **FAST) for cores in (1, 2))
    other = model.fit(seed=6, **FAST)
    for name, values in one.data.posterior.data_vars.items():
        np.testing.assert_array_equal(values, two.data.posterior[name])
        assert not np.array_equal(values, other.data.posterior[name])


@pytest.mark.parametrize(
    ("column", "shift", "factor"),
    [("Reaction", 1e9, 1.0), ("Reaction", 0.0, 1e-9), ("Days", 0.0, 1e12)],
)
def test_units_change_nothing_but_units(
    sleepstudy: pd.DataFrame, fit: hm.Fit, column: str, shift: float, factor: float
) -> None:
    moved = sleepstudy.assign(**{column: sleepstudy[column] * factor + shift})
    other = hm.Model(FORMULA, moved).fit(seed=1, warmup=500)
    y = factor if column == "Reaction" else 1.0
    x = factor if column == "Days" else 1.0
    units = {"Intercept": y, "b": y / x, "sigma": y, "sd_Subject": np.array([y, y / x]),
             "cor_Subject": 1.0, "r_Subject": np.array([y, y / x])}  # fmt: skip
    for name, unit in units.items():
        a = fit.data.posterior[name].to_numpy()
        b = (other.data.posterior[name].to_numpy() - (shift if name == "Intercept" else 0)) / unit
        error = np.sqrt(2) * a.std(axis=(0, 1)) / np.sqrt(1000)
        assert np.all(abs(a.mean(axis=(0, 1)) - b.mean(axis=(0, 1))) < 5 * error), name
        np.testing.assert_allclose(a.std(axis=(0, 1)), b.std(axis=(0, 1)), rtol=0.25)


def test_unbalanced_groups_of_1_to_10000_rows() -> None:
    data = simulate(np.concatenate([np.ones(30, dtype=int), [10_000], np.arange(1, 40)]))
    fit = hm.Model("y ~ x + (x | g)", data).fit(seed=2, **FAST)
    assert abs(float(fit.data.posterior["sigma"].mean()) - 1) < 0.05
    assert abs(float(fit.data.posterior["b"].mean()) - 0.5) < 0.1
    assert int(fit.data.sample_stats["diverging"].sum()) == 0


def test_one_row_groups_are_shrunk() -> None:
    data = simulate(np.array([1] * 20 + [30] * 20))
    table = hm.Model("y ~ x + (1 | g)", data).fit(seed=2, **FAST).group_effects("g")
    sd = table["sd"].to_numpy()
    assert sd[:20].min() > 2 * sd[20:].max()


def test_50000_groups() -> None:
    data = simulate(np.full(50_000, 2))
    model = hm.Model("y ~ x + (1 | g)", data)
    assert len(np.asarray(model.stan_data()["R"])) < 10, "groups of equal size are merged"
    fit = model.fit(seed=2, chains=2, warmup=200, draws=100)
    posterior = fit.data.posterior
    assert posterior["r_g"].shape == (2, 100, 50_000, 1)
    assert abs(float(posterior["sigma"].mean()) - 1) < 0.03
    assert abs(float(posterior["sd_g"].mean()) - 1) < 0.03


@pytest.mark.parametrize(
    "labels",
    [
        ["a b", "c[1]", "d,e", "", "ÅÄÖ 漢字"],
        [7, 3, 11, 2, 5],
        [True, False],
        list(pd.to_datetime(["2020-01-01", "2021-05-06", "1999-12-31"])),
    ],
    ids=["text", "int", "bool", "dates"],
)
def test_labels_come_back_unchanged(labels: list[object], tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    codes = np.arange(60) % len(labels)
    data = pd.DataFrame({"y": rng.normal(size=60) + codes, "g": [labels[c] for c in codes]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hm.HiermixWarning)
        fit = hm.Model("y ~ 1 + (1 | g)", data).fit(seed=1, chains=2, warmup=150, draws=50)
    shown = [str(each.date()) if isinstance(each, pd.Timestamp) else each for each in labels]
    assert fit.data.posterior["g"].to_numpy().tolist() == sorted(shown)
    means = fit.group_effects("g")["mean"].xs("Intercept", level="effect")
    assert means[shown[0]] < means[shown[-1]], "the effect of a label is its own"
    fit.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    assert again.data.posterior["g"].to_numpy().tolist() == sorted(shown)


def test_a_saved_fit_predicts_the_same_in_a_new_process(
    fit: hm.Fit, sleepstudy: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "fit.nc"
    fit.save(path)
    new = sleepstudy.iloc[[3, 100]]
    new.to_json(tmp_path / "new.json")
    script = (
        "import hiermix as hm, numpy as np, pandas as pd\n"
        f"fit = hm.load({str(path)!r})\n"
        f"new = pd.read_json({str(tmp_path / 'new.json')!r}, dtype={{'Subject': str}})\n"
        f"np.save({str(tmp_path / 'out.npy')!r}, fit.predict(new, kind='response', seed=9))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    expected = fit.predict(new, kind="response", seed=9)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".part"] == []


def test_a_loaded_fit_has_priors_weights_and_groups_of_the_first(tmp_path: Path) -> None:
    data = simulate(np.full(12, 6))
    rng = np.random.default_rng(2)
    model = hm.Model(
        "y ~ x", data, groups=[hm.Group("g", "1 + x", correlated=False)],
        priors={"b[x]": "normal(0, 0.123456789)"}, weights=rng.uniform(0.5, 2, len(data)),
        offset=rng.normal(size=len(data)),
    )  # fmt: skip
    model.fit(seed=1, chains=1, warmup=150, draws=50).save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc").model
    assert again.priors == model.priors
    for mine, theirs in zip(
        (model.design.weights, model.design.offset), (again.design.weights, again.design.offset),
        strict=True,
    ):  # fmt: skip
        np.testing.assert_array_equal(mine, theirs)
    assert again.design.groupings[0].blocks == (1, 1)


class TestFilesThatAreNoFit:
    """BAD_INPUTS F1."""

    def test_truncated(self, fit: hm.Fit, tmp_path: Path) -> None:
        path = tmp_path / "fit.nc"
        fit.save(path)
        path.write_bytes(path.read_bytes()[:5000])
        with pytest.raises(hm.DataError, match=r"fit\.nc can't be read as netCDF: it is truncated"):
            hm.load(path)

    def test_foreign(self, tmp_path: Path) -> None:
        import xarray as xr

        path = tmp_path / "other.nc"
        xr.Dataset({"a": ("x", [1.0])}).to_netcdf(path, engine="h5netcdf")
        with pytest.raises(hm.DataError, match=r"other\.nc is no fit saved by hiermix"):
            hm.load(path)

    def test_text(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.nc"
        path.write_text("hello")
        with pytest.raises(hm.DataError, match=r"notes\.nc can't be read as netCDF"):
            hm.load(path)

    def test_newer_version(self, fit: hm.Fit, tmp_path: Path) -> None:
        import h5netcdf

        path = tmp_path / "fit.nc"
        fit.save(path)
        with h5netcdf.File(path, "a") as file:
            file.attrs["hiermix_format"] = 99
        with pytest.raises(hm.DataError, match=r"fit\.nc was written by a newer hiermix"):
            hm.load(path)

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(hm.DataError, match=r"there is no file .*nothing\.nc"):
            hm.load(tmp_path / "nothing.nc")

    def test_folder_that_is_not_there(self, fit: hm.Fit, tmp_path: Path) -> None:
        with pytest.raises(hm.DataError, match="can't write"):
            fit.save(tmp_path / "nowhere" / "fit.nc")


def test_a_failed_save_leaves_the_old_file(
    fit: hm.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BAD_INPUTS F2: the disk is full."""
    import xarray as xr

    path = tmp_path / "fit.nc"
    path.write_text("old")

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.DataTree, "to_netcdf", full)
    with pytest.raises(hm.DataError, match="No space left on device"):
        fit.save(path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["fit.nc"]


def test_prior_only_samples_the_prior(sleepstudy: pd.DataFrame) -> None:
    from scipy import stats

    priors = {"b": "normal(3, 2)", "sigma": "exponential(0.5)", "sd": "normal(0, 2)"}
    for effects in ("integrated", "sampled"):
        model = hm.Model(FORMULA, sleepstudy, priors=priors, effects=effects)
        posterior = model.fit(seed=3, prior_only=True, warmup=500, adapt_delta=0.9).data.posterior
        thinned = {name: posterior[name].to_numpy()[:, ::10] for name in ("b", "sigma")}
        assert stats.kstest(thinned["b"].ravel(), stats.norm(3, 2).cdf).pvalue > 1e-3
        assert stats.kstest(thinned["sigma"].ravel(), stats.expon(scale=2).cdf).pvalue > 1e-3
        r = posterior["r_Subject"].to_numpy()[..., 0]
        sd = posterior["sd_Subject"].to_numpy()[..., 0]
        scaled = (r / sd[..., None])[:, ::10, 0].ravel()
        assert stats.kstest(scaled, stats.norm().cdf).pvalue > 1e-3


def test_weights_of_two_are_rows_twice(sleepstudy: pd.DataFrame) -> None:
    twice = pd.concat([sleepstudy, sleepstudy])
    priors = {"Intercept": "normal(250, 100)", "b": "normal(0, 50)", "sd": "normal(0, 50)",
              "sigma": "exponential(0.05)"}  # fmt: skip
    weighted = hm.Model(FORMULA, sleepstudy, weights=np.full(len(sleepstudy), 2.0), priors=priors)
    doubled = hm.Model(FORMULA, twice, priors=priors)
    a, b = weighted.stan_data(), doubled.stan_data()
    for name in ("N", "XtX", "rss"):
        np.testing.assert_allclose(a[name], b[name], rtol=1e-9)
    # Rotated rows may be turned, so that their squares alone are the same.
    squares = [np.asarray(each["QtR"]).T @ np.asarray(each["QtR"]) for each in (a, b)]
    np.testing.assert_allclose(*squares, rtol=1e-9, atol=1e-9 * np.abs(squares[0]).max())


def test_summary_says_that_a_slope_may_not_vary() -> None:
    """All groups have the same least-squares slope.

    Of a half-normal 26.4 % lie below half its median and 23.6 % between that and the median: with
    24,000 draws some six Monte-Carlo errors apart.
    """
    data = simulate(np.full(30, 10), seed=3)
    x = data["x"] - data.groupby("g")["x"].transform("mean")
    slope = (x * data["y"]).groupby(data["g"]).sum() / (x**2).groupby(data["g"]).sum()
    data["y"] += (0.5 - slope[data["g"]].to_numpy()) * x
    fit = hm.Model("y ~ x + (x || g)", data).fit(seed=1, warmup=500, draws=6000)
    upper = np.quantile(fit.data.posterior["sd_g"].sel(g_effect="x"), 0.95)
    with pytest.warns(hm.HiermixWarning, match=rf"sd of x by g may be zero; up to {upper:.2g}"):
        table = fit.summary()
    assert list(table.index) == ["Intercept", "b[x]", "sigma", "sd_g[Intercept]", "sd_g[x]"]


def test_model_and_fit_print_what_they_are(fit: hm.Fit) -> None:
    text = repr(fit.model)
    for part in (FORMULA, "gaussian", "random_slope.stan", "180", "18 levels", "lkj(1)", "sigma"):
        assert part in text
    assert "4 chains" in repr(fit)
    assert "sd_Subject[Days]" in repr(fit)


def test_coefficients_are_population_plus_effects(fit: hm.Fit) -> None:
    posterior = fit.data.posterior
    table = fit.coefficients("Subject")
    by_hand = posterior["r_Subject"].sel(Subject="308", Subject_effect="Days")
    by_hand = by_hand + posterior["b"].sel(term="Days")
    assert table.loc[("308", "Days"), "mean"] == pytest.approx(float(by_hand.mean()))
    assert table.loc[("308", "Days"), "q2.5"] == pytest.approx(float(by_hand.quantile(0.025)))
    with pytest.raises(hm.HiermixError, match=r"'Subjekt' is no grouping factor.*'Subject'"):
        fit.coefficients("Subjekt")


@pytest.mark.parametrize("name", ["b", "row", "term", "sigma", "Intercept"])
def test_a_factor_may_have_the_name_of_a_variable(name: str) -> None:
    data = simulate(np.full(8, 5)).rename(columns={"g": name})
    fit = hm.Model(f"y ~ x + (1 + x | {name})", data).fit(seed=1, chains=1, warmup=150, draws=50)
    dims = fit.data.posterior[f"r_{name}"].dims
    assert dims == ("chain", "draw", f"{name}_level", f"{name}_effect")
    assert fit.coefficients(name).index.names == [name, "effect"]
    assert fit.data.posterior[f"{name}_level"].to_numpy().tolist() == list(range(8))
    assert fit.predict(data.iloc[:3]).shape == (1, 50, 3)


@pytest.mark.parametrize("effects", ["integrated", "sampled"])
def test_no_population_coefficients(effects: str) -> None:
    data = simulate(np.full(15, 10))
    data["y"] -= 1 + 0.5 * data["x"]
    fit = hm.Model("y ~ 0 + (1 | g)", data, effects=effects).fit(seed=1, **FAST)
    assert not {"Intercept", "b"} & set(fit.data.posterior)
    # Each effect is its group's mean, shrunk; the error is that of 200 independent draws or more.
    means = data.groupby("g")["y"].mean()
    posterior = fit.data.posterior
    ratio = (posterior["sigma"] / posterior["sd_g"].squeeze(drop=True)) ** 2
    table = fit.group_effects("g").xs("Intercept", level="effect")
    expected = means * float((10 / (10 + ratio)).mean())
    assert (abs(table["mean"] - expected) < 5 * table["sd"] / np.sqrt(200)).all()
    assert float((10 / (10 + ratio)).mean()) < 0.99, "shrunk towards zero"


def test_every_doubt_is_said_once(tmp_path: Path) -> None:
    """When the fit ends, by the first summary, or when the model is made; not by a loaded fit."""
    rng = np.random.default_rng(0)
    data = pd.DataFrame({
        "y": rng.normal(size=60), "x": 50 + rng.normal(size=60), "g": np.arange(60) % 3,
    })  # fmt: skip
    with pytest.warns(hm.HiermixWarning, match="more than 4 sds from zero"):
        model = hm.Model("y ~ x + (x || g)", data)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fit = model.fit(seed=1, chains=2, warmup=20, draws=20, progress=False)
        fit.summary()
        fit.summary()
        fit.save(tmp_path / "fit.nc")
        hm.load(tmp_path / "fit.nc")
    texts = [str(each.message) for each in said]
    for doubt in ("effective draws of", "'g' has 3 levels"):
        assert sum(doubt in text for text in texts) == 1, (doubt, texts)
    assert len(set(texts)) == len(texts)
    assert "effective draws of" in repr(fit)
