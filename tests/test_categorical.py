"""Unordered categories: density, posterior, and everything that a fit answers about them."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from scipy.linalg import block_diag

import hiermix as hm
from hiermix.engines import Settings
from hiermix.engines.embedded import Embedded
from hiermix.errors import ArgumentError, DataError, PriorError
from hiermix.stan.programs import Program
from tests.stan.test_gaussian_density import correlation, lkj_log_density, population
from tests.stan.test_log_density import bent, effects, weights, working

HERE = Path(__file__).parent
TOWNS = "abcdefghijkl"
FORMULA = "way ~ x + (x | g) + (1 | h)"
PRIORS = {
    "Intercept": "normal(0.2, 2)",
    "Intercept[walk]": "student_t(4, 1, 3)",
    "b": "normal(0, 1.5)",
    "b[walk, x]": "double_exponential(0, 1)",
    "sd": "normal(0.3, 1)",
    "sd[g, car, x]": "exponential(2)",
    "cor": "lkj(1.7)",
}


def frame(rows: int = 160, seed: int = 3) -> pd.DataFrame:
    """Ways of travel, which depend on distance and on the town."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 4, rows) - 1.2
    g, h = rng.choice(list(TOWNS), rows), rng.choice(list("uvw"), rows)
    u = dict(zip(TOWNS, rng.normal(0, 0.8, (12, 2)), strict=True))
    eta = np.array([[0.0, 0.4 + 0.6 * at + u[town][0], -0.3 + u[town][1] * at]
                    for at, town in zip(x, g, strict=True)])  # fmt: skip
    way = [rng.choice(["bus", "car", "walk"], p=special.softmax(each)) for each in eta]
    weight = rng.choice([0.5, 1.0, 2.0], rows)
    return pd.DataFrame({"way": way, "x": x, "g": g, "h": h, "weight": weight})


@pytest.fixture(scope="module")
def fitted() -> hm.Fit:
    return hm.Model("way ~ x + (x | g)", frame(600), family="categorical").fit(
        seed=4, draws=250, adapt_delta=0.9
    )


# The density -------------------------------------------------------------------------------------


def reference(data: dict[str, np.ndarray], rows: pd.DataFrame, point: np.ndarray) -> float:
    """Log density of the coordinates, with the effects level by level, the response row by row."""
    theta = data["center"] + data["scale"] @ point[: data["D"]]
    z = point[data["D"] :]
    _, log_sd, raw = np.split(theta, [4, 10])
    sd, lp = bent(log_sd, data["center"][4:10], data["sd_spread"], data["sd_bend"])
    Ls, jacobians = zip(*(correlation(each, 2) for each in (raw[:1], raw[1:])), strict=True)
    lp += sum(jacobians) + sum(lkj_log_density(L, 1.7) for L in Ls)
    Lambda = block_diag(sd[:2, None] * Ls[0], sd[2:4, None] * Ls[1])
    b, log_width = population(data, point[: data["D"]], sd, block_diag(*Ls, np.eye(2)))
    lp += log_width
    half = stats.truncnorm(-0.3, np.inf, 0.3, 1)
    lp += np.sum(half.logpdf(np.delete(sd, 1))) + stats.expon(scale=0.5).logpdf(sd[1])
    lp += np.sum(np.log(sd))
    d, W, R = b - data["b_hat"], weights(data, theta), working(data, theta)
    u, extent = data["share"], data["extent"]
    r_g, lp_g, of_g = effects(W[:12], R[:12], Lambda, d, z[:48].reshape(4, 12), u[:12], extent[0])
    r_h, lp_h, of_h = effects(
        W[12:, :3], R[12:, :10], np.diag(sd[4:]), d, z[48:].reshape(2, 3), u[12:], extent[1]
    )
    middle = np.average(rows["x"], weights=rows["weight"])
    for c in range(2):
        b[2 * c] -= of_g[2 * c] + middle * of_g[2 * c + 1] + of_h[c]
        b[2 * c + 1] -= of_g[2 * c + 1]
    lp += stats.norm(0.2, 2).logpdf(b[0]) + stats.norm(0, 1.5).logpdf(b[1])
    lp += stats.t(4, 1, 3).logpdf(b[2]) + stats.laplace(0, 1).logpdf(b[3])
    g, h = rows["g"].map(TOWNS.index), rows["h"].map("uvw".index)
    x = rows["x"].to_numpy()
    eta = np.zeros((len(rows), 3))
    for c in range(2):
        eta[:, c + 1] = b[2 * c] + b[2 * c + 1] * (x - np.average(x, weights=rows["weight"]))
        eta[:, c + 1] += r_g[g, 2 * c] + r_g[g, 2 * c + 1] * x + r_h[h, c]
    place = rows["way"].map(["bus", "car", "walk"].index).to_numpy()
    pointwise = special.log_softmax(eta, axis=1)[np.arange(len(rows)), place]
    return float(lp + lp_g + lp_h + np.sum(rows["weight"] * pointwise))


def test_log_density_equals_numpy_row_by_row() -> None:
    rows = frame()
    model = hm.Model(FORMULA, rows, family="categorical", priors=PRIORS, weights="weight")
    data, program = model.stan_data(), model._posterior.program
    assert data["N"] < len(rows)  # rows of equal predictors are merged
    size = int(data["D"]) + int(data["K"])
    points = np.random.default_rng(5).normal(0, 0.8, (200, size))
    found, gradient = Embedded().log_density(program, data, points)
    expected = [reference(data, rows, point) for point in points]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    steps = 1e-5 * np.concatenate([np.eye(size), -np.eye(size)])
    around = (points[:5, None, :] + steps).reshape(-1, size)
    values = Embedded().log_density(program, data, around)[0].reshape(5, 2, size)
    numeric = (values[:, 0] - values[:, 1]) / 2e-5
    np.testing.assert_allclose(gradient[:5], numeric, rtol=1e-5, atol=1e-4)


def test_two_categories_are_a_bernoulli_response() -> None:
    rows = frame().assign(drives=lambda each: (each["way"] == "car").astype(int))
    priors = {"Intercept": "normal(0, 1)", "b": "normal(0, 1)", "sd": "exponential(1)"}
    one = hm.Model("drives ~ x + (x | g)", rows, family="categorical", priors=priors)
    other = hm.Model("drives ~ x + (x | g)", rows, family="bernoulli", priors=priors)
    data = other.stan_data()
    points = np.random.default_rng(2).normal(0, 1, (20, int(data["D"]) + int(data["K"])))
    densities = [Embedded().log_density(model._posterior.program, data | extra, points)[0]
                 for model, extra in ((other, {}), (one, categorical_rows(one)))]  # fmt: skip
    found = densities[1] + data["base"]  # log binomial coefficients of merged rows
    np.testing.assert_allclose(found, densities[0], rtol=1e-10)


def categorical_rows(model: hm.Model) -> dict[str, np.ndarray]:
    return {name: model.stan_data()[name] for name in ("C", "chosen", "weight", "constant", "Z")}


@pytest.mark.slow
@pytest.mark.parametrize("parameterisation", ["centered", "noncentered"])
def test_the_posterior_does_not_depend_on_the_parameterisation(
    fitted: hm.Fit, parameterisation: str
) -> None:
    other = hm.Model(
        "way ~ x + (x | g)", frame(600), family="categorical", parameterisation=parameterisation
    ).fit(seed=5, warmup=300, draws=500, adapt_delta=0.9)
    from arviz_stats import mcse

    for name in ("Intercept", "b", "sd_g"):
        one, two = fitted.data.posterior[name], other.data.posterior[name]
        off = one.mean(("chain", "draw")) - two.mean(("chain", "draw"))
        # Six Monte-Carlo errors of both: centred chains are far from independent draws.
        error = np.hypot(mcse(one, method="mean"), mcse(two, method="mean"))
        assert (abs(off) < 6 * error).all(), name
        assert (error < 0.2 * one.std(("chain", "draw"))).all(), name


@pytest.mark.slow
def test_the_posterior_is_that_of_a_plain_program() -> None:
    rows = frame(900)
    priors = {"Intercept": "normal(0, 2)", "b": "normal(0, 2)", "sd": "exponential(1)"}
    model = hm.Model("way ~ x + (1 | g)", rows, family="categorical", priors=priors)
    posterior = model.fit(seed=6, draws=2000).data.posterior
    codes, levels = pd.factorize(rows["g"], sort=True)
    handed = {
        "N": len(rows), "J": len(levels), "level": codes.astype(np.int64) + 1,
        "x": (rows["x"] - rows["x"].mean()).to_numpy(),
        "y": rows["way"].map(["bus", "car", "walk"].index).to_numpy(np.int64) + 1,
    }  # fmt: skip
    plain = Embedded().sample(
        Program("plain categorical", HERE / "plain" / "categorical.stan"), handed,
        Settings(seed=7, warmup=1000, draws=3000), keep=("a", "b", "sd_g"),
    ).draws  # fmt: skip
    at = posterior["b"][..., 0]
    pairs = {
        "Intercept": (posterior["Intercept"] + at * rows["x"].mean(), plain["a"]),
        "b": (at, plain["b"]),
        "sd": (posterior["sd_g"][..., 0], plain["sd_g"]),
    }
    for name, (found, expected) in pairs.items():
        sd = expected.std((0, 1))
        assert np.all(abs(found.mean(("chain", "draw")) - expected.mean((0, 1))) < 0.1 * sd), name
        np.testing.assert_allclose(found.std(("chain", "draw")), sd, rtol=0.1)


# What a fit answers ------------------------------------------------------------------------------


def test_results_are_labelled_by_category(fitted: hm.Fit) -> None:
    posterior = fitted.data.posterior
    assert posterior["category"].to_numpy().tolist() == ["car", "walk"]
    assert posterior["b"].dims == ("chain", "draw", "category", "term")
    assert posterior["r_g"].dims == ("chain", "draw", "category", "g", "g_effect")
    assert "b[car, x]" in repr(fitted)
    table = fitted.coefficients("g")
    means = (posterior["Intercept"] + posterior["r_g"].sel(g_effect="Intercept")).mean(
        ("chain", "draw")
    )
    assert table.loc[("walk", "b", "Intercept"), "mean"] == pytest.approx(
        float(means.sel(category="walk", g="b"))
    )


def test_probabilities_are_those_of_the_draws(fitted: hm.Fit) -> None:
    rows = frame(600).head(7)
    posterior, x = fitted.data.posterior, rows["x"].to_numpy()
    eta = np.zeros((*posterior["Intercept"].shape[:2], 7, 3))
    for c, category in enumerate(["car", "walk"], start=1):
        part = posterior.sel(category=category)
        r = part["r_g"].sel(g=rows["g"].to_list()).to_numpy()
        a, b = part["Intercept"].to_numpy()[..., None], part["b"].to_numpy()
        eta[..., c] = a + b * x + r[..., 0] + r[..., 1] * x
    linear, mean = fitted.predict(rows, kind="linear"), fitted.predict(rows)
    assert linear.dims == mean.dims == ("chain", "draw", "row", "category")
    assert mean["category"].to_numpy().tolist() == ["bus", "car", "walk"]
    np.testing.assert_allclose(linear, eta[..., 1:], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(mean, special.softmax(eta, axis=-1), rtol=1e-10)
    tails = fitted.predict(rows, quantiles=[0.1, 0.5])
    np.testing.assert_allclose(tails, mean.quantile([0.1, 0.5], ("chain", "draw")), rtol=1e-8)


def test_drawn_categories_have_those_probabilities(fitted: hm.Fit) -> None:
    rows = frame(600).head(5)
    drawn, mean = fitted.predict(rows, kind="response"), fitted.predict(rows)
    assert drawn.dims == ("chain", "draw", "row")
    share = np.stack([(drawn == c).mean(("chain", "draw")) for c in (1, 2, 3)], axis=-1)
    expected = mean.mean(("chain", "draw")).to_numpy()
    assert np.all(abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / 2000))


def test_files_and_pieces_hold_what_memory_does(fitted: hm.Fit, tmp_path: Path) -> None:
    import xarray as xr

    rows = frame(600)
    whole = fitted.predict(rows)
    for name in ("a.nc", "a.zarr"):
        with fitted.predict(rows, into=tmp_path / name) as written:
            xr.testing.assert_equal(written.load(), whole)
    xr.testing.assert_equal(xr.concat(list(fitted.predict_pieces(rows)), "row"), whole)


def test_new_groups_vary_apart_in_each_category(fitted: hm.Fit) -> None:
    rows = frame(600).head(2).assign(g="new", x=0.0)
    linear = fitted.predict(rows, kind="linear", new_groups="sample")
    assert np.array_equal(linear[..., 0, :], linear[..., 1, :])
    deviation = (linear[..., 0, :] - fitted.data.posterior["Intercept"]).to_numpy().reshape(-1, 2)
    assert abs(np.corrcoef(deviation.T)[0, 1]) < 0.15
    spread = np.median(fitted.data.posterior["sd_g"][..., 0], axis=(0, 1))
    assert np.all(deviation.std(axis=0) > 0.7 * spread)


def test_leave_one_out_uses_the_log_probability_of_the_response(fitted: hm.Fit) -> None:
    from hiermix.prediction.cross_validation import log_likelihood

    found = log_likelihood(fitted.posterior)
    mean = fitted.predict()
    place = frame(600)["way"].map(["bus", "car", "walk"].index).to_numpy()
    expected = np.log(mean.to_numpy()[:, :, np.arange(600), place])
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    assert fitted.loo().elpd < 0


def test_hypotheses_name_the_category(fitted: hm.Fit) -> None:
    posterior = fitted.data.posterior
    found = fitted.hypothesis("b[car, x] > b[walk, x]", "g[b, car, x] > 0", "sd[g, walk, x] < 1")
    b = posterior["b"].sel(term="x")
    expected = float((b.sel(category="car") > b.sel(category="walk")).mean())
    assert found["probability"].iloc[0] == pytest.approx(expected)
    r = posterior["r_g"].sel(category="car", g="b", g_effect="x")
    assert found["estimate"].iloc[1] == pytest.approx(float((b.sel(category="car") + r).mean()))
    with pytest.raises(ArgumentError, match=r"Known:.*b\[car, x\]"):
        fitted.hypothesis("x > 0")


def test_a_forecast_is_a_table_of_probabilities(fitted: hm.Fit) -> None:
    rows = frame(600).head(4)
    forecast = fitted.forecast(rows)
    table = forecast.table()
    assert table.columns.tolist() == ["bus", "car", "walk"]
    np.testing.assert_allclose(table.sum(axis=1), 1)
    scores = forecast.score(rows["way"])
    place = rows["way"].map(["bus", "car", "walk"].index)
    expected = -np.log(table.to_numpy()[np.arange(4), place])
    np.testing.assert_allclose(scores["log"], expected)
    assert scores["actual"].tolist() == rows["way"].tolist()
    with pytest.raises(DataError, match="'way' has categories that the fit never saw: 'plane'"):
        forecast.score(["plane", "bus", "car", "car"])


def test_saved_fits_predict_the_same(fitted: hm.Fit, tmp_path: Path) -> None:
    fitted.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    rows = frame(600).head(9)
    assert np.array_equal(again.predict(rows, kind="response"),
                          fitted.predict(rows, kind="response"))  # fmt: skip


def test_plots_show_every_category(fitted: hm.Fit) -> None:
    lines = fitted.plot_fit("x", by="g", levels=["a", "b"]).data
    assert set(lines["category"]) == {"bus", "car", "walk"}
    total = lines.groupby(["level", "x"])["mean"].sum()
    np.testing.assert_allclose(total, 1)
    groups = fitted.plot_groups("g", kind="coefficients").data
    assert set(groups["effect"]) == {"car, Intercept", "walk, Intercept", "car, x", "walk, x"}
    seen = fitted.plot_check().data
    assert seen["observed"].tolist() == frame(600)["way"].value_counts().sort_index().tolist()


@pytest.mark.parametrize(
    "ask",
    [
        lambda fit: fit.plot_shrinkage("g"),
        lambda fit: fit.plot_residuals(),
        lambda fit: fit.plot_check("g"),
        lambda fit: fit.variance(),
        lambda fit: fit.predict(frame(), new_groups="update"),
        lambda fit: hm.pooling("way ~ x + (1 | g)", frame(), family="categorical"),
        lambda fit: hm.backtest(
            "way ~ x + (1 | g)", frame(), time="x", horizon=1, origins=1, family="categorical"
        ),
    ],
)
def test_what_needs_numbers_says_so(fitted: hm.Fit, ask: object) -> None:
    assert callable(ask)
    with pytest.raises(ArgumentError, match="needs responses that are numbers"):
        ask(fitted)


# Responses and priors ----------------------------------------------------------------------------


def test_the_reference_is_the_first_category() -> None:
    rows = frame()
    ordered = rows.assign(way=pd.Categorical(rows["way"], categories=["walk", "bus", "car", "fly"]))
    for data, expected in ((rows, ("bus", "car", "walk")), (ordered, ("walk", "bus", "car"))):
        model = hm.Model("way ~ x + (1 | g)", data, family="categorical")
        assert model.design.categories == expected


@pytest.mark.parametrize("column", ["g", "x", "way"])
def test_a_column_called_category_is_refused(column: str) -> None:
    rows = frame().rename(columns={column: "category"})
    formula = "way ~ x + (1 | g)".replace(column, "category", 1)
    with pytest.raises(DataError, match="rename the column"):
        hm.Model(formula, rows, family="categorical")


@pytest.mark.parametrize("family", ["gaussian", "bernoulli", "ordinal"])
def test_a_factor_called_category_is_like_any_other_elsewhere(family: str) -> None:
    rows = frame().rename(columns={"g": "category"})
    rows["y"] = rows["way"].map(["bus", "car", "walk"].index).to_numpy() + (family == "ordinal")
    rows["y"] = rows["y"].clip(upper=1) if family == "bernoulli" else rows["y"]
    fit = hm.Model("y ~ x + (x | category)", rows, family=family).fit(seed=1, warmup=200, draws=50)
    assert repr(fit)
    found = fit.hypothesis("x > -9", "category[a, x] > -9", "b[x] > -9")
    assert found["probability"].tolist() == [1, 1, 1]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fit.summary()
    assert not [each for each in said if "of a sits" in str(each.message)]
    assert len(fit.plot_groups("category", kind="coefficients").data) == 2 * len(TOWNS)


def test_labels_of_many_kinds() -> None:
    rows = frame()
    code = rows["way"].map(["bus", "car", "walk"].index)
    for labels in ([0, 1, 2], [2.5, 7.0, 9.5], [2, "b", 1], ["a, b", "c]", "Intercept[q]"]):
        kinds = pd.Series([labels[i] for i in code], dtype=object)
        data = rows.assign(way=kinds)
        fit = hm.Model("way ~ x + (1 | g)", data, family="categorical").fit(
            seed=1, chains=1, warmup=100, draws=20
        )
        assert {*fit.design.categories} == {*labels}
        forecast = fit.forecast(data.head(3))
        actual = [kinds[0], None, kinds[2]]
        assert forecast.score(actual)["actual"].tolist() == [kinds[0], kinds[2]]
    numbers = rows.assign(way=code)
    fit = hm.Model("way ~ x + (1 | g)", numbers, family="categorical").fit(
        seed=1, chains=1, warmup=100, draws=20
    )
    assert len(fit.forecast(numbers.head(2)).score([float(code[0]), np.nan])) == 1


def test_labels_that_can_not_be_stored_or_told_apart() -> None:
    rows = frame()
    code = rows["way"].map(["bus", "car", "walk"].index)
    alike = [[1, "1", "b"][i] for i in code]
    with pytest.raises(DataError, match="read alike"):
        hm.Model("way ~ x + (1 | g)", rows.assign(way=alike), family="categorical")
    with pytest.raises(DataError, match="are of type Interval: write them as text"):
        hm.Model("way ~ x + (1 | g)", rows.assign(way=pd.cut(code, [-1, 0, 1, 2])),
                 family="categorical")  # fmt: skip


def test_no_population_coefficients() -> None:
    fit = hm.Model("way ~ 0 + (1 | g)", frame(), family="categorical").fit(
        seed=1, chains=1, warmup=100, draws=20
    )
    assert fit.predict(frame().head(2)).dims == ("chain", "draw", "row", "category")


def test_sampling_the_prior_does_not_see_the_data() -> None:
    model = hm.Model("way ~ x + (1 | g)", frame(), family="categorical",
                     priors={"b[walk, x]": "normal(3, 0.1)"})  # fmt: skip
    prior = model.fit(seed=1, prior_only=True, draws=500).data.posterior
    b = prior["b"].sel(category="walk", term="x")
    assert float(b.mean()) == pytest.approx(3, abs=0.02)
    assert float(b.std()) == pytest.approx(0.1, rel=0.1)


def test_bad_input() -> None:
    rows = frame()
    with pytest.raises(DataError, match="response 'way' is constant"):
        hm.Model("way ~ x + (1 | g)", rows.assign(way="bus"), family="categorical")
    with pytest.raises(DataError, match="takes no offset"):
        hm.Model("way ~ offset(x) + (1 | g)", rows, family="categorical")
    with pytest.raises(DataError, match="has no trials"):
        hm.Model("way | trials(3) ~ x + (1 | g)", rows, family="categorical")
    with pytest.raises(PriorError, match=r"b\[car, x\]"):
        hm.Model(
            "way ~ x + (1 | g)", rows, family="categorical", priors={"b[ca, x]": "normal(0,1)"}
        )
    fit = hm.Model("way ~ x + (1 | g)", rows, family="categorical").fit(
        seed=1, warmup=200, draws=50
    )
    with pytest.raises(DataError, match="categories that the fit never saw"):
        fit.predict(rows.assign(way="plane"))


def test_a_category_may_be_called_as_an_equation_is() -> None:
    """``"mu"`` is the name of the response's location too: priors then lost the category."""
    rows = frame()
    rows["way"] = rows["way"].replace({"walk": "mu"})
    model = hm.Model("way ~ x + (1 | g)", rows, family="categorical")
    assert {"Intercept[mu]", "b[mu, x]", "sd[g, mu, Intercept]"} <= set(model.priors)
    assert int(model.stan_data()["P"]) == 4
