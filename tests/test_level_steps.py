"""Monotonic effects in products of terms, and by group, through every door of a fit."""

import re

import numpy as np
import pandas as pd
import pytest

import hiermix as hm

SETTINGS = {"seed": 1, "chains": 2, "draws": 200, "warmup": 300, "progress": False}
STEPS = np.array([0.0, 2.0, 2.8, 3.6, 4.0])
"""The way to each of five levels, of a mean step of one."""


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    o, g = rng.integers(1, 6, 500), rng.integers(0, 20, 500)
    intercept, slope = rng.normal(0, 0.6, 20), rng.normal(0.5, 0.4, 20)
    z = rng.normal(size=500)
    eta = intercept[g] + (slope[g] + 0.2 * z) * STEPS[o - 1]
    names = np.array([f"g{j:02d}" for j in range(20)])
    return pd.DataFrame({"y": eta + 0.5 * rng.normal(size=500), "o": o, "g": names[g], "z": z,
                         "f": np.array(list("ab"))[rng.integers(0, 2, 500)]})  # fmt: skip


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model("y ~ mo(o) * z + (mo(o) | g)", frame()).fit(**SETTINGS)


def parts(fit: hm.Fit) -> tuple[np.ndarray, np.ndarray]:
    """Ways to each level of o (chain, draw, 5), of the mean step, and of that per unit of z."""
    posterior = fit.data["posterior"]
    both = []
    for name in ("o", "o:z"):
        shares = posterior[f"simo_{name}"].to_numpy() * 4
        both.append(np.cumsum(np.concatenate([0 * shares[..., :1], shares], axis=-1), axis=-1))
    return both[0], both[1]


def test_what_made_the_data_is_recovered(fit: hm.Fit) -> None:
    truth = {"mo_o": 0.5, "mo_o:z": 0.2, "sd_g[mo(o)]": 0.4, "simo_o[2]": 0.5, "sigma": 0.5,
             "sd_g[Intercept]": 0.6}  # fmt: skip
    for name, true in truth.items():
        draws = fit[name]
        assert abs(float(draws.mean()) - true) < 4 * float(draws.std()), name


def test_rows_are_predicted_by_ways_of_their_levels(fit: hm.Fit) -> None:
    posterior, rows = fit.data["posterior"], frame()[:12]
    way, by_z = parts(fit)
    slope = posterior["r_g"].sel(g_term="mo(o)[2]").to_numpy() / way[..., None, 1]
    first = posterior["r_g"].sel(g_term="Intercept").to_numpy()
    levels = posterior["g"].to_numpy().tolist()
    found = fit.predict(rows, kind="linear").to_numpy()
    for k, row in enumerate(rows.itertuples()):
        j, z = levels.index(row.g), row.z
        expected = posterior["Intercept"] + posterior["b"].sel(term="z") * z + first[..., j]
        expected = expected + (posterior["mo_o"] + slope[..., j]) * way[..., row.o - 1]
        expected = expected + posterior["mo_o:z"] * z * by_z[..., row.o - 1]
        np.testing.assert_allclose(found[..., k], expected, rtol=1e-8, atol=1e-10)


def test_new_groups_have_slopes_of_the_fitted_spread(fit: hm.Fit) -> None:
    """Their variance along the steps: of the draws of sds and correlation, within 1,000 groups."""
    rows = pd.DataFrame({"o": 5, "z": 0.0, "g": [f"new{j}" for j in range(1000)]})
    at = [fit.predict(rows.assign(o=o), new_groups="sample", kind="linear") for o in (1, 3, 5)]
    low, middle, high = (each.to_numpy() for each in at)
    way, _ = parts(fit)
    # The groups' ways are in one proportion: that of the shares.
    ratio = ((way[..., 2] / way[..., 4])[..., None] * (high - low)) - (middle - low)
    assert np.abs(ratio).max() < 1e-8
    sd = fit.data["posterior"]["sd_g"].sel(g_effect="mo(o)").to_numpy() * way[..., 4]
    squares = np.var(high - low, axis=-1) / sd**2
    assert abs(squares.mean() - 1) < 6 * np.sqrt(2 / 1000 / squares.size)


def test_every_question(fit: hm.Fit, tmp_path) -> None:
    data, posterior = frame(), fit.data["posterior"]
    fit.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.predict(data[:3]), fit.predict(data[:3]))
    assert str(again.design.formula) == "y ~ z + mo(o) + mo(o):z + (1 + mo(o) | g)"
    assert "sampled: mo(o) of 'g' depends on shares" in str(fit.model)
    assert fit.hypothesis("sd_g[mo(o)] > 0")["probability"].iloc[0] == 1
    assert fit.hypothesis("cor_g[Intercept, mo(o)] < 1")["probability"].iloc[0] == 1
    table = fit.coefficients("g")
    step = posterior["b"].sel(term="mo(o)[2]") + posterior["r_g"].sel(g="g00", g_term="mo(o)[2]")
    assert float(step.mean()) == pytest.approx(table.loc[("g00", "mo(o)[2]"), "mean"])
    found = fit.comparisons({"o": [1, 5]}, by="g").table().set_index("g")
    way, by_z = parts(fit)
    slope = posterior["r_g"].sel(g_term="mo(o)[2]").to_numpy() / way[..., None, 1]
    z = data.groupby("g")["z"].mean().to_numpy()
    whole = (posterior["mo_o"].to_numpy()[..., None] + slope) * way[..., None, 4]
    whole = whole + posterior["mo_o:z"].to_numpy()[..., None] * by_z[..., None, 4] * z
    np.testing.assert_allclose(found["estimate"], whole.mean((0, 1)), rtol=1e-6)
    assert np.isfinite(fit.loo().elpd)
    assert np.isfinite(fit.loo(by="g").elpd)
    assert len(fit.plot_effects("o").data) == 5
    fit.plot_fit("o", by="g")
    fit.plot_groups("g")
    prior = fit.log_prior()
    sd = fit.model.priors["sd[g, mo(o)]"]
    from scipy import stats

    expected = np.log(2) + stats.t(3, 0, sd.scale).logpdf(posterior["sd_g"].sel(g_effect="mo(o)"))
    np.testing.assert_allclose(prior["sd_g"].sel(g_effect="mo(o)"), expected)
    updated = fit.predict(data[:30].assign(g="new"), new_groups="update", kind="linear")
    assert np.isfinite(updated).all()
    assert fit.variance_table() is not None


def test_categories_in_a_product_have_shares_of_their_own() -> None:
    terms = hm.Model("y ~ mo(o) * f", frame()).design.terms
    assert [each for each in terms if each.endswith("[2]")] == ["mo(o)[2]", "mo(o):fb[2]"]
    alone = hm.Model("y ~ f + mo(o):f", frame())
    assert [each for each in alone.design.terms if "[2]" in each] == ["mo(o):fa[2]", "mo(o):fb[2]"]
    assert {"b[mo(o):fa]", "b[mo(o):fb]"} <= set(alone.priors)
    X, rows = alone.design.X(), frame()
    place = alone.design.terms.index("mo(o):fb[3]")
    np.testing.assert_array_equal(X[:, place], (rows["f"] == "b") & (rows["o"] >= 3))


WRONG: list[tuple[str, str]] = [
    ("y ~ z + (mo(o) | g)", "write y ~ mo(o) + (1 + mo(o) | g)"),
    ("y ~ mo(o) + (mo(o) | gr(g, by=f))", "not in strata"),
    ("y ~ mo(o):mo(f)", "a product has one mo()"),
    ("y ~ mo(o)/z", "products with : and * alone"),
    ("y ~ mo(o)**2", "products with : and * alone"),
    ("y ~ mo(o, ids='a'):z", "mo() has no place for 'ids'"),
    ("y ~ z - mo(o):z", "mo() can't be taken away"),
    ("y ~ mo(o):log(q)", "'q', not a column"),
    ("y ~ mo(o):z + mo(o):z", "twice"),
    ("y ~ mo(o) + (s(z) | g)", "write s(x) as a term of its own"),
]


@pytest.mark.parametrize(("formula", "message"), WRONG)
def test_what_is_no_monotonic_effect(formula: str, message: str) -> None:
    with pytest.raises(hm.HiermixError, match=re.escape(message)):
        hm.Model(formula, frame())


def test_what_stands_beside_no_slopes_of_steps() -> None:
    data = frame().assign(t=np.arange(500))
    with pytest.raises(hm.ArgumentError, match="of 'g' are of steps whose shares are sampled"):
        hm.Model("y ~ mo(o) + ar(t, by=g) + (mo(o) | g)", data)
    with pytest.raises(hm.ArgumentError, match="levels share the steps of all"):
        hm.pooling("y ~ mo(o) + (mo(o) | g)", data, progress=False)
    with pytest.raises(hm.FormulaError, match="beside one response alone"):
        hm.Model(["y ~ z + (mo(o) | p | g)", "t ~ 1 + (1 | p | g)"], data)
