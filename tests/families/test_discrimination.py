"""Discriminations: items that part persons more or less sharply, ratings of unequal variance."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special

import hiermix as hm
from hiermix.families.table import find

FAST: dict[str, Any] = {"seed": 1, "chains": 2, "warmup": 100, "draws": 50, "progress": False}
UNIT = {"sd[person, Intercept]": "normal(1, 0.01)"}


def exam(persons: int, items: int, seed: int = 3) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Answers, the items' easiness and log discrimination, and the persons' abilities."""
    rng = np.random.default_rng(seed)
    ability = rng.normal(size=persons)
    truth = pd.DataFrame({"easiness": rng.normal(0.3, 1, items), "log": rng.normal(0, 0.5, items)})
    eta = np.exp(truth["log"].to_numpy()) * (ability[:, None] + truth["easiness"].to_numpy())
    right = (rng.random(eta.shape) < special.expit(eta)).astype(int)
    person, item = np.divmod(np.arange(right.size), items)
    return pd.DataFrame({"person": person, "item": item, "right": right.ravel()}), truth, ability


def ratings(rows: int, persons: int, seed: int = 4) -> pd.DataFrame:
    """Stars whose latent noise has sd 1, or 2 of rows that are late."""
    rng = np.random.default_rng(seed)
    person, late, x = np.arange(rows) % persons, rng.integers(0, 2, rows), rng.normal(size=rows)
    latent = 0.8 * x + 0.7 * rng.normal(size=persons)[person] + (1 + late) * rng.normal(size=rows)
    stars = np.digitize(latent, [-1.2, 0.0, 1.0]) + 1
    return pd.DataFrame({"stars": stars, "x": x, "late": late, "person": person})


@pytest.fixture(scope="module")
def items() -> hm.Fit:
    formulas = ["right ~ 1 + (1 | i | item) + (1 | person)", "disc ~ 1 + (1 | i | item)"]
    return hm.Model(formulas, exam(40, 6)[0], family="bernoulli", priors=UNIT).fit(**FAST)


@pytest.fixture(scope="module")
def rated() -> hm.Fit:
    formulas = ["stars ~ x + (1 | person)", "disc ~ 0 + late"]
    return hm.Model(formulas, ratings(200, 20), family="ordinal", link="probit").fit(**FAST)


def both(fit: hm.Fit) -> tuple[np.ndarray, np.ndarray]:
    """Ability plus easiness, and discrimination, of every draw and row."""
    draws, rows = fit.data.posterior, fit.model.design.frame
    r = draws["r_item"].sel(item=rows["item"].to_numpy())
    theta = draws["r_person"].sel(person=rows["person"].to_numpy(), person_effect="Intercept")
    eta = draws["Intercept"].to_numpy()[..., None] + theta + r.sel(item_effect="Intercept").data
    log_disc = draws["Intercept_disc"].to_numpy()[..., None] + r.sel(item_effect="disc_Intercept")
    return eta.to_numpy(), np.exp(log_disc.to_numpy())


def test_ability_and_easiness_are_multiplied_by_the_discrimination(items: hm.Fit) -> None:
    eta, disc = both(items)
    np.testing.assert_allclose(items.predict(kind="linear"), eta, rtol=1e-10)
    p = special.expit(disc * eta)
    np.testing.assert_allclose(items.predict(), p, rtol=1e-10)
    y = items.model.design.response
    pointwise = special.log_expit((2 * y - 1) * disc * eta)
    np.testing.assert_allclose(items.data["log_likelihood"]["right"], pointwise, rtol=1e-8)
    drawn = items.predict(kind="response").mean(("chain", "draw"))
    assert np.abs(drawn.to_numpy() - p.mean((0, 1))).max() < 6 * 0.5 / np.sqrt(100)


def test_a_saved_fit_has_its_discriminations(items: hm.Fit, tmp_path: Path) -> None:
    items.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.predict(), items.predict())
    assert again.hypothesis("Intercept_disc > 0").equals(items.hypothesis("Intercept_disc > 0"))


def test_averages_over_the_population_know_that_items_differ_in_both(items: hm.Fit) -> None:
    """Against a million draws from the spread of effects, of a few draws of the posterior."""
    draws = items.data.posterior
    found = items.predictions(items.model.design.frame.head(1), over="population").draws
    found = np.asarray(found).reshape(100, -1)[:, 0]
    rng = np.random.default_rng(5)
    z, e = rng.standard_normal((2, 400_000)), rng.standard_normal(400_000)
    flat = {name: draws[name].to_numpy().reshape(100, -1) for name in
            ("Intercept", "Intercept_disc", "sd_item", "cor_item", "sd_person")}  # fmt: skip
    for s in (0, 30, 77):
        sd, cor = flat["sd_item"][s], flat["cor_item"][s, 0]
        easy, log_disc = sd[0] * z[0], sd[1] * (cor * z[0] + np.sqrt(1 - cor**2) * z[1])
        eta = flat["Intercept"][s] + easy + flat["sd_person"][s] * e
        p = special.expit(np.exp(flat["Intercept_disc"][s] + log_disc) * eta)
        assert found[s] == pytest.approx(p.mean(), abs=6 * p.std() / np.sqrt(len(p)))


def test_thresholds_are_multiplied_too(rated: hm.Fit) -> None:
    draws, rows = rated.data.posterior, ratings(200, 20)
    r = draws["r_person"].sel(person=rows["person"].to_numpy(), person_effect="Intercept")
    eta = draws["b"].sel(term="x").to_numpy()[..., None] * rows["x"].to_numpy() + r.to_numpy()
    slope = draws["b_disc"].sel(disc_term="late").to_numpy()[..., None]
    disc = np.exp(slope * rows["late"].to_numpy())[..., None]
    below = special.ndtr(disc * (draws["threshold"].to_numpy()[:, :, None] - eta[..., None]))
    ends = np.zeros((*eta.shape, 1)), np.ones((*eta.shape, 1))
    p = np.diff(np.concatenate([ends[0], below, ends[1]], axis=-1), axis=-1)
    found = rated.predict(kind="probability").to_numpy()
    np.testing.assert_allclose(found, p, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(rated.predict(), p @ np.arange(1, 5), rtol=1e-9)
    pointwise = np.log(np.take_along_axis(p, rows["stars"].to_numpy()[None, None, :, None] - 1, -1))
    np.testing.assert_allclose(
        rated.data["log_likelihood"]["stars"], pointwise[..., 0], rtol=1e-7, atol=1e-10
    )
    scores = rated.forecast(rows.head(3), kind="probability").score(rows["stars"].head(3))
    np.testing.assert_allclose(scores["log"], -np.log(np.exp(pointwise[..., :3, 0]).mean((0, 1))))


def test_the_latent_variance_is_over_the_square_of_the_discrimination(rated: hm.Fit) -> None:
    slope = rated.data.posterior["b_disc"].sel(disc_term="late").to_numpy()
    late = ratings(200, 20)["late"].mean()
    expected = 1 - late + late * np.exp(-2 * slope)
    residual = rated.variance()["variance"].sel(component="residual")
    np.testing.assert_allclose(residual, expected, rtol=1e-10)


def test_what_has_no_discrimination() -> None:
    rows = exam(10, 4)[0]
    with pytest.raises(hm.FormulaError, match="'poisson' has no parameter 'disc'"):
        hm.Model(["right ~ 1 + (1 | item)", "disc ~ 1"], rows, family="poisson")
    with pytest.raises(hm.FormulaError, match="has no parameter 'threshold'"):
        hm.Model(["right ~ 1 + (1 | item)", "threshold ~ 1"], rows, family="ordinal")
    with pytest.raises(hm.PriorError, match="priors name 'disc', which is not in the model"):
        hm.Model("right ~ 1 + (1 | item)", rows, family="bernoulli", priors={"disc": "beta(1, 1)"})


def test_a_parameter_of_a_custom_family_may_be_called_disc() -> None:
    custom = hm.CustomFamily(
        "sized",
        "real sized_lpdf(real y, real mu, real disc) { return normal_lpdf(y | mu, disc); }",
        parameters={"mu": "identity", "disc": "log"},
        mean=lambda mu, disc: mu,
        draw=lambda rng, mu, disc: rng.normal(mu, disc),
        log_density=lambda y, mu, disc: -0.5 * ((y - mu) / disc) ** 2 - np.log(disc),
    )
    eta, own = np.array([2.0]), {"disc": np.array([3.0])}
    np.testing.assert_array_equal(find(custom).mean(eta, own), eta)


@pytest.mark.slow
def test_discriminations_of_items_are_found_again() -> None:
    rows, truth, ability = exam(500, 20)
    formulas = ["right ~ 1 + (1 | i | item) + (1 | person)", "disc ~ 1 + (1 | i | item)"]
    fit = hm.Model(formulas, rows, family="bernoulli", priors=UNIT).fit(
        seed=2, draws=500, progress=False
    )
    assert fit.summary()["r_hat"].max() < 1.02
    draws = fit.data.posterior
    r = draws["r_item"]
    log_disc = draws["Intercept_disc"] + r.sel(item_effect="disc_Intercept")
    easiness = draws["Intercept"] + r.sel(item_effect="Intercept")
    for found, name in ((log_disc, "log"), (easiness, "easiness")):
        low, high = found.quantile([0.005, 0.995], ("chain", "draw")).to_numpy()
        assert np.mean((low < truth[name]) & (truth[name] < high)) >= 0.9
    persons = draws["r_person"].mean(("chain", "draw")).to_numpy()[:, 0]
    assert np.corrcoef(persons, ability)[0, 1] > 0.8  # positive: the sign is that of ability
    assert np.corrcoef(log_disc.mean(("chain", "draw")), truth["log"])[0, 1] > 0.85


@pytest.mark.slow
def test_unequal_variances_of_ratings_are_found_again() -> None:
    rows = ratings(3000, 50)
    fit = hm.Model(
        ["stars ~ x + (1 | person)", "disc ~ 0 + late"], rows, family="ordinal", link="probit"
    ).fit(seed=2, draws=500, progress=False)
    assert fit.summary()["r_hat"].max() < 1.02
    draws = fit.data.posterior
    for found, truth in ((draws["b_disc"], -np.log(2)), (draws["b"], 0.8)):
        assert abs(float(found.mean()) - truth) < 4 * float(found.std())
    assert float(draws["b_disc"].std()) < 0.1
