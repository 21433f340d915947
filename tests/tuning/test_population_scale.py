"""With few levels the population's coordinates follow the sds."""

import numpy as np
import pandas as pd
import pytest
from arviz_stats import ess

import hiermix as hm
from hiermix.engines import embedded

LEVELS, ROWS = 4, 12


def balanced() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x = np.tile(rng.normal(2, 1, ROWS), LEVELS)
    g = np.repeat(np.arange(LEVELS), ROWS)
    y = 1 + x + rng.normal(size=LEVELS)[g] * (1 + x) + rng.normal(size=len(g))
    return pd.DataFrame({"y": y, "x": x, "g": g})


@pytest.mark.parametrize("effects", ["integrated", "sampled"])
@pytest.mark.parametrize("size", [0.1, 1.0, 30.0])
def test_the_scale_is_the_exact_one_where_levels_are_alike(size: float, effects: str) -> None:
    """Against the covariance of b given Lambda by the N x N covariance of the response."""
    data = balanced()
    data["w"] = np.where(data["x"] > 2, 0.5, 2.0)  # so that means with and without weights differ
    prior = 2.5 * data["y"].std()
    priors = {"Intercept": f"normal(0, {prior})", "b": "normal(0, 3)"}
    model = hm.Model("y ~ x + (x | g)", data, weights="w", priors=priors, effects=effects)
    handed = model.stan_data()
    Lambda = size * np.array([[0.9, 0.0], [-0.3, 0.5]])
    free = handed["rest"] + handed["reach"] @ Lambda @ Lambda.T @ handed["reach"].T
    found = handed["scale"][:2, :2] @ np.linalg.inv(handed["hold"] + np.linalg.inv(free))
    found = found @ handed["scale"][:2, :2].T

    sigma = np.exp(handed["center"][2])
    mean = np.average(data["x"], weights=data["w"])
    X = Z = np.column_stack([np.ones(len(data)), data["x"] - mean])
    same = data["g"].to_numpy()[:, None] == data["g"].to_numpy()
    V = np.diag(sigma**2 / data["w"]) + same * (Z @ Lambda @ Lambda.T @ Z.T)
    precision = X.T @ np.linalg.inv(V) @ X + np.diag([1 / prior**2, 1 / 9])
    # The weights of the quick fit have the sigma of a round before.
    rtol = 1e-6 if effects == "integrated" else 1e-3
    np.testing.assert_allclose(found, np.linalg.inv(precision), rtol=rtol)


def test_units_and_wide_priors_do_no_harm() -> None:
    data = balanced()
    model = hm.Model("y ~ x + (x | g)", data)
    for size in (1e-12, 1e12):
        other = hm.Model("y ~ x + (x | g)", data.assign(x=data["x"] * size))
        for name in ("rest", "hold"):
            ours, theirs = model.stan_data()[name], other.stan_data()[name]
            np.testing.assert_allclose(np.linalg.eigvalsh(ours), np.linalg.eigvalsh(theirs),
                                       rtol=1e-6, atol=1e-9)  # fmt: skip
    vague = hm.Model("y ~ x + (x | g)", data, priors={"b": "normal(0, 1e200)"})
    assert all(np.isfinite(vague.stan_data()[name]).all() for name in ("rest", "hold", "reach"))


def test_nobody_follows_where_nothing_is_gained() -> None:
    many = hm.Model("Reaction ~ Days + (Days | Subject)", hm.load_dataset("sleepstudy"))
    assert many.stan_data()["followers"] == 0
    few = hm.Model("y ~ x + (x | g)", balanced(), effects="sampled")
    assert few.stan_data()["followers"] == 2
    plain = hm.Model(
        "y ~ x + (x | g)", balanced(), effects="sampled", parameterisation="noncentered"
    )
    assert plain.stan_data()["followers"] == 0


def with_levels(levels: int) -> pd.DataFrame:
    rng = np.random.default_rng(levels)
    g = np.repeat(np.arange(levels), 6)
    return pd.DataFrame({"y": rng.normal(size=levels)[g] + rng.normal(size=len(g)), "g": g,
                         "many": np.arange(len(g)) % 15})  # fmt: skip


def test_ten_levels_are_few_enough_and_those_without_rows_do_not_count() -> None:
    assert hm.Model("y ~ 1 + (1 | g)", with_levels(10)).stan_data()["followers"] == 1
    assert hm.Model("y ~ 1 + (1 | g)", with_levels(11)).stan_data()["followers"] == 0
    data = with_levels(30)
    three = np.flatnonzero(data["g"] < 3)
    of_rows = hm.Model("y ~ 1 + (1 | g)", data).of_rows(three)
    priors = {name: prior.exact for name, prior in of_rows.priors.items()}
    alone = hm.Model("y ~ 1 + (1 | g)", data.iloc[three], priors=priors)
    reach = alone.stan_data()["reach"]
    np.testing.assert_allclose(np.abs(of_rows.stan_data()["reach"]), np.abs(reach), rtol=1e-3)


def test_three_levels_with_slopes_do_not_diverge() -> None:
    model = hm.Model("score ~ edu + (edu | classroom)", hm.load_dataset("scores"))
    diverged = 0
    for seed in range(1, 5):
        fit = model.fit(seed=seed)
        assert fit.data.attrs["adapt_delta"] in (0.95, 0.99)
        diverged += int(fit.data.sample_stats["diverging"].sum())
        b = fit.data.posterior["b"].sel(term="edu")
        assert float(ess(b.to_numpy())) > 2_500
    assert diverged <= 1  # in thirty fits one had one; at 0.8 half of them had


def test_smaller_steps_are_taken_for_few_levels_only_unless_asked_for() -> None:
    few = hm.Model("y ~ 1 + (1 | g) + (1 | many)", with_levels(5))
    many = hm.Model("y ~ 1 + (1 | g)", with_levels(6))
    quick = {"seed": 1, "draws": 20, "warmup": 100, "chains": 2}
    assert few.fit(**quick).data.attrs["adapt_delta"] == 0.95
    assert few.fit(adapt_delta=0.7, **quick).data.attrs["adapt_delta"] == 0.7
    assert many.fit(**quick).data.attrs["adapt_delta"] == 0.8


def test_sds_of_any_size_are_accepted_or_rejected_without_a_message() -> None:
    model = hm.Model("score ~ edu + (edu | classroom)", hm.load_dataset("scores"))
    data = model.stan_data()
    compiled = embedded._model(model._posterior.program, data)
    rng = np.random.default_rng(1)
    for size in (1, 10, 30, 100, 300):
        for point in rng.normal(0, size, (100, int(data["D"]))):
            value, _ = compiled.log_prob_grad(point)  # raises where Stan would have a message
            assert not value > 0  # rejected where it is nan or minus infinity
