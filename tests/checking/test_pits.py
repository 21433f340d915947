"""Probabilities of smaller responses against closed forms, and the tests of uniformity."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hiermix as hm
from hiermix.checking import calibration, pits, uniformity

SIGMA, SD, WIDE = 1.0, 0.8, 100.0
PINNED = {
    "Intercept": f"normal(0, {WIDE})",
    "sigma": f"normal({SIGMA}, 1e-4)",
    "sd[g, Intercept]": f"normal({SD}, 1e-4)",
}
"""Priors under which everything but the mean is known, so that predictions are normal."""


def predictive(V: np.ndarray, y: np.ndarray, out: np.ndarray, sums: np.ndarray) -> float:
    """Probability of a smaller sum of some responses, given the others: y ~ N(0, V)."""
    rest = np.setdiff1d(np.arange(len(y)), out)
    K = V[np.ix_(out, rest)] @ np.linalg.inv(V[np.ix_(rest, rest)])
    mean, cov = K @ y[rest], V[np.ix_(out, out)] - K @ V[np.ix_(rest, out)]
    return float(stats.norm.cdf(sums @ (y[out] - mean) / np.sqrt(sums @ cov @ sums)))


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    rng = np.random.default_rng(11)
    g = np.repeat(np.arange(12), rng.integers(2, 9, 12))
    y = 3 + SD * rng.normal(size=12)[g] + SIGMA * rng.normal(size=len(g))
    model = hm.Model("y ~ 1 + (1 | g)", pd.DataFrame({"g": g, "y": y}), priors=PINNED)
    return model.fit(seed=2, progress=False)


def test_rows_and_groups_left_out_have_the_probabilities_of_a_dense_normal(fit: hm.Fit) -> None:
    y, g = fit.design.response, fit.design.frame["g"].to_numpy()
    assert y is not None
    same = (g[:, None] == g[None]).astype(float)
    V = SIGMA**2 * np.eye(len(y)) + SD**2 * same + WIDE**2
    rows, groups = pits.pits(fit.posterior)
    exact = {
        "rows": [predictive(V, y, np.array([i]), np.ones(1)) for i in range(len(y))],
        "levels of g": [predictive(V, y, np.flatnonzero(g == j), np.ones(int(np.sum(g == j))))
                        for j in range(12)],
    }  # fmt: skip
    for found in (rows, groups):
        truth = np.array(exact[found.about])
        error = np.sqrt(truth * (1 - truth) / 4000) + 1 / 4000
        # Weighted draws are worth fewer: none has less than a third here.
        assert np.all(np.abs(found.u - truth) < 5 * np.sqrt(3) * error)


def test_censored_rows_share_what_lies_beyond() -> None:
    rng = np.random.default_rng(12)
    time, end = rng.exponential(2.0, 400), rng.uniform(0.5, 3.0, 400)
    frame = pd.DataFrame({"time": np.minimum(time, end), "cut": (time > end).astype(int)})
    fit = hm.Model("time | cens(cut) ~ 1", frame, family="exponential").fit(
        seed=1, draws=250, progress=False
    )
    (rows,) = pits.pits(fit.posterior)
    assert stats.kstest(rows.u, "uniform").pvalue > 1e-6
    cut = frame["cut"].to_numpy() == 1
    survival = np.exp(-frame["time"] / 2.0)
    assert np.all(rows.u[cut] > 1 - survival[cut] - 0.15)
    assert (
        stats.kstest((rows.u[cut] - (1 - survival[cut])) / survival[cut], "uniform").pvalue > 1e-6
    )


def test_equal_counts_share_their_probability() -> None:
    """Hardly any count but zero and one: unshared, values would pile up at a few places."""
    rng = np.random.default_rng(13)
    frame = pd.DataFrame({"n": rng.poisson(0.4, 500)})
    fit = hm.Model("n ~ 1", frame, family="poisson").fit(seed=1, draws=250, progress=False)
    (rows,) = pits.pits(fit.posterior)
    assert stats.kstest(rows.u, "uniform").pvalue > 1e-6
    zero = frame["n"].to_numpy() == 0
    assert rows.u[zero].max() < np.exp(-0.4) + 0.1


# Uniformity --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [20, 100])
def test_right_numbers_are_called_wrong_as_often_as_is_said(n: int) -> None:
    rng = np.random.default_rng(14)
    p = np.array([uniformity.p_value(rng.random(n)) for _ in range(4_000)])
    for level in (0.05, 0.01):
        error = np.sqrt(level / 4_000)
        assert np.mean(p < level) < 1.5 * level + 5 * error


@pytest.mark.parametrize(
    ("z", "said"),
    [(lambda z: 1.6 * z, "wide"), (lambda z: 0.5 * z, "narrow"), (lambda z: z + 0.7, "high"),
     (lambda z: z - 0.7, "low"), (lambda z: z, "other")],
)  # fmt: skip
def test_deviations_have_a_name_and_are_seen(z: object, said: str) -> None:
    normal = stats.norm.ppf((np.arange(200) + 0.5) / 200)
    u = stats.norm.cdf(z(normal))  # type: ignore[operator]
    assert uniformity.shape(u) == said
    assert (uniformity.p_value(u) < 1e-3) == (said != "other")


def test_the_gap_is_that_of_kolmogorov_and_smirnov() -> None:
    u = np.random.default_rng(15).random(73)
    assert uniformity.largest_gap(u) == pytest.approx(stats.kstest(u, "uniform").statistic)


# Ranks -------------------------------------------------------------------------------------------


def test_parameters_rank_uniformly_in_refits_of_the_right_model(fit: hm.Fit) -> None:
    ranked = calibration.ranks(fit.posterior, fit.model, 25, 1, {})
    assert {each.about for each in ranked} == {"Intercept", "sigma", "sd_g[Intercept]"}
    for each in ranked:
        assert stats.kstest(each.u, "uniform").pvalue > 1e-6
        assert len(each.u) == 25


def test_a_rank_shares_equal_draws() -> None:
    rng = np.random.default_rng(16)
    values = np.array([0.0, 1.0, 1.0, 2.0])
    found = np.array([calibration._rank(1.0, values, rng) for _ in range(2_000)])
    assert 0.2 <= found.min() < 0.21
    assert 0.79 < found.max() <= 0.8
