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


@pytest.mark.parametrize("size", [0.1, 1.0, 30.0])
def test_the_scale_is_the_exact_one_where_levels_are_alike(size: float) -> None:
    """Against the covariance of b given Lambda by the N x N covariance of the response."""
    data = balanced()
    prior = 2.5 * data["y"].std()
    priors = {"Intercept": f"normal(0, {prior})", "b": "normal(0, 3)"}
    handed = hm.Model("y ~ x + (x | g)", data, priors=priors).stan_data()
    Lambda = size * np.array([[0.9, 0.0], [-0.3, 0.5]])
    free = handed["rest"] + handed["reach"] @ Lambda @ Lambda.T @ handed["reach"].T
    found = handed["scale"][:2, :2] @ np.linalg.inv(handed["hold"] + np.linalg.inv(free))
    found = found @ handed["scale"][:2, :2].T

    sigma = np.exp(handed["center"][2])
    Z = np.column_stack([np.ones(len(data)), data["x"]])
    X = Z - [0, data["x"].mean()]
    same = data["g"].to_numpy()[:, None] == data["g"].to_numpy()
    V = sigma**2 * np.eye(len(data)) + same * (Z @ Lambda @ Lambda.T @ Z.T)
    precision = X.T @ np.linalg.inv(V) @ X + np.diag([1 / prior**2, 1 / 9])
    np.testing.assert_allclose(found, np.linalg.inv(precision), rtol=1e-6)


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


def test_three_levels_with_slopes_do_not_diverge() -> None:
    model = hm.Model("score ~ edu + (edu | classroom)", hm.load_dataset("scores"))
    for seed in range(1, 5):
        fit = model.fit(seed=seed)
        assert fit.data.attrs["adapt_delta"] == 0.95
        assert int(fit.data.sample_stats["diverging"].sum()) == 0
        b = fit.data.posterior["b"].sel(term="edu")
        assert float(ess(b.to_numpy())) > 2_500


def test_smaller_steps_are_taken_for_few_levels_only_unless_asked_for() -> None:
    few = hm.Model("score ~ edu + (1 | classroom)", hm.load_dataset("scores"))
    many = hm.Model("diameter ~ 1 + (1 | sample)", hm.load_dataset("penicillin"))
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
