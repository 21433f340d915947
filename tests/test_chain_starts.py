"""Modes are found wherever the quick fit ends, and chains start in them, further out than they."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from arviz_stats import rhat

import hiermix as hm
from hiermix import chain_starts
from hiermix.chain_starts import Started
from hiermix.engines import embedded
from hiermix.stan.assemble import Assembled
from hiermix.stan.chart import Chart


def two_halves(shift: float = 0.0, groups: int = 8, rows: int = 12) -> pd.DataFrame:
    """Student t rows in mirror images: half of the first group lies at +5, half at -5.

    Group 2k is minus group 2k + 1, so that but for `shift` the posterior is even.
    """
    rng = np.random.default_rng(3)
    levels = np.repeat(rng.normal(0, 4, groups // 2), 2) * np.tile([1, -1], groups // 2)
    noise = 0.3 * rng.standard_t(3, (groups // 2, rows))
    y = levels[:, None] + np.stack([noise, -noise], axis=1).reshape(groups, rows)
    half = 5 + 0.3 * rng.standard_t(3, rows // 2)
    odd = np.concatenate([half + shift, -half])
    frame = pd.DataFrame({"y": y.ravel(), "g": np.repeat(np.arange(groups), rows)})
    return pd.concat([pd.DataFrame({"y": odd, "g": groups}), frame], ignore_index=True)


@pytest.fixture(scope="module")
def even() -> hm.Model:
    priors = {"Intercept": "normal(0, 10)"}
    return hm.Model("y ~ 1 + (1 | g)", two_halves(), family="student_t", priors=priors)


def test_two_modes_of_equal_weight_are_both_found(even: hm.Model) -> None:
    ready, modes = even._started
    assert len(modes) == 2
    points = [Chart(ready.data).point(mode.at) for mode in modes]
    np.testing.assert_allclose(sorted(each.b[0] + each.r[8] for each in points), [-5, 5], atol=0.2)
    # Equal by symmetry, but for what Laplace's volume owes to coordinates that are tuned to one of
    # the two (0.26 here). Chains ask whether weights are within exp(7) of each other.
    assert modes[0].log_weight - modes[1].log_weight < 0.5


def test_chains_start_in_both_and_disagree(even: hm.Model) -> None:
    posterior = even.fit(seed=1, draws=200, progress=False).data.posterior
    mean = (posterior["Intercept"] + posterior["r_g"].sel(g=8)[..., 0]).to_numpy()
    assert float(rhat(mean)) > 1.05
    assert sorted(np.sign(mean).mean(axis=1)) == [-1, -1, 1, 1]


@pytest.mark.parametrize("sign", [1, -1])
def test_programs_have_the_coordinates_of_the_best_mode(sign: int) -> None:
    """One half of the odd group lies further out than the other: it is the less likely mean."""
    data = two_halves(shift=4.0).assign(y=lambda frame: sign * frame["y"])
    ready, modes = hm.Model("y ~ 1 + (1 | g)", data, family="student_t")._started
    assert np.abs(modes[0].at).max() < 1.5
    point = Chart(ready.data).point(np.zeros(len(modes[0].at)))
    assert sign * (point.b[0] + point.r[8]) == pytest.approx(-5, abs=0.3)


def test_where_there_is_one_mode_one_is_found() -> None:
    data = hm.load_dataset("radon")
    for family in ("gaussian", "student_t"):
        modes = hm.Model("log_radon ~ floor + (floor | county)", data, family=family)._started.modes
        assert len(modes) == 1
        assert np.abs(modes[0].at).max() < 1


def test_no_chain_starts_where_no_step_is_short_enough_to_come_back() -> None:
    """Far above its counts the density of a log link falls by exp(eta), whatever the spread is."""
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(5), 4)
    x = rng.normal(size=20)
    data = pd.DataFrame({"y": rng.poisson(np.exp(0.3 + 0.5 * x)), "x": x, "g": g})
    model = hm.Model("y ~ x + (1 + x | g)", data, family="poisson", parameterisation="noncentered")
    ready, modes = started = model._started
    density = embedded.density(ready.program, ready.data)
    starts = [start for seed in range(30) for start in chain_starts.inits(started, 4, seed)]
    fall = modes[0].log_density - np.array([density(start)[0] for start in starts])
    # Of a normal they would fall by chi-squared times half the squared width, four at most.
    size = Chart(ready.data).size
    assert fall.max() < 50 * size
    assert np.median(fall) > 0.5 * size


def spiked() -> hm.Model:
    """A mean of 5 with standard error 1, and a prior whose spike at zero weighs about as much."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=100)
    y = 5 + 10 * (noise - noise.mean()) / noise.std()
    priors = {"Intercept": "cauchy(0, 1e-4)", "sigma": "normal(10, 0.01)"}
    return hm.Model("y ~ 1", pd.DataFrame({"y": y}), priors=priors)


def test_a_prior_with_a_spike_has_a_mode_of_its_own() -> None:
    ready, modes = spiked()._started
    chart = Chart(ready.data)
    found = sorted(chart.point(mode.at).b[0] for mode in modes)
    np.testing.assert_allclose(found, [0, 5], atol=0.5)


def test_a_mode_on_a_knifes_edge_is_found_and_is_the_better_one() -> None:
    """Slopes differ over calendar years, and the prior that is written holds at the year zero.

    Of lines through each group the residual sd is about one; of one slope for all it is twice that.
    """
    rng = np.random.default_rng(10)
    g = np.repeat(np.arange(6), 12)
    x = np.tile(np.arange(12) - 5.5, 6)
    slopes = np.array([-0.5, -0.2, 0.1, 0.5, 0.8, 1.1])
    y = 20 + slopes[g] * x + rng.normal(0, 1, 72)
    data = pd.DataFrame({"y": y, "year": 2010.5 + x, "g": g})
    left = [np.polyfit(x[g == j], y[g == j], 1, full=True)[1][0] for j in range(6)]
    priors = {"sd[g, Intercept]": "student_t(3, 0, 8)"}
    ready, modes = hm.Model("y ~ year + (1 + year | g)", data, priors=priors)._started
    point = Chart(ready.data).point(modes[0].at)
    assert np.exp(point.own[0]) == pytest.approx(np.sqrt(sum(left) / 60), rel=0.1)
    assert np.exp(point.log_sd[1]) > 0.2


# Starts ------------------------------------------------------------------------------------------


def of(model: hm.Model, chains: int, seed: int = 1) -> np.ndarray:
    return chain_starts.inits(model._started, chains, seed)


def test_starts_are_twice_as_wide_as_the_posterior_and_heavy_in_the_tails() -> None:
    """Over 4,000 chains; sds of a Student t with 5 degrees of freedom, times two."""
    model = hm.Model("y ~ 1", pd.DataFrame({"y": np.random.default_rng(2).normal(size=400)}))
    points = of(model, 4000)
    inner = np.diff(np.quantile(points, [0.25, 0.75], axis=0), axis=0)[0]
    # Quartiles of the t at 0.727; the standard error of their distance is 2 %.
    np.testing.assert_allclose(inner, 2 * 2 * 0.7267, rtol=0.12)
    assert (np.abs(points) > 8).mean() == pytest.approx(0.0103, abs=0.006)


def test_every_start_has_a_density() -> None:
    tiny = pd.DataFrame({"y": [0, 9] * 3 + [40, 2], "g": [1, 1, 2, 2, 3, 3, 4, 4]})
    for family in ("poisson", "negative_binomial", "zero_inflated_poisson"):
        model = hm.Model("y ~ 1 + (1 | g)", tiny, family=family)
        ready = model._posterior
        density = embedded.density(ready.program, ready.data)
        for point in of(model, 50):
            value, gradient = density(point)
            assert np.isfinite(value)
            assert np.isfinite(gradient).all()


def test_where_the_density_ends_starts_come_back() -> None:
    """A density on |x| < 1 alone."""

    def within(x: np.ndarray) -> tuple[float, np.ndarray]:
        if abs(x[0]) >= 1:
            return -np.inf, np.full(1, np.nan)
        return -0.5 * float(x @ x), -x

    mode = chain_starts.Mode(np.zeros(1), 0.0, 0.0, np.eye(1), np.zeros((0, 1)), [])
    assert 0 < chain_starts._accepted(within, mode, np.array([100.0]))[0] < 1


def test_a_mode_that_hardly_weighs_anything_gets_the_last_chain_alone() -> None:
    def mode(weight: float) -> chain_starts.Mode:
        return chain_starts.Mode(np.zeros(1), weight, 0.0, np.eye(1), np.zeros((0, 1)), [])

    best, good, poor = mode(0.0), mode(-3.0), mode(-12.0)
    assert chain_starts._shared_out([best, good], 4) == [best, good, best, good]
    assert chain_starts._shared_out([best, poor], 4) == [best, best, best, poor]
    assert chain_starts._shared_out([best, poor], 1) == [best]
    assert chain_starts._shared_out([best, good, poor], 4) == [best, good, best, poor]


def test_draws_are_the_same_for_any_number_of_cores(even: hm.Model) -> None:
    one, two = (even.fit(seed=3, warmup=50, draws=20, cores=cores, progress=False).data.posterior
                for cores in (1, 2))  # fmt: skip
    assert one.equals(two)
    again = hm.Model("y ~ 1 + (1 | g)", two_halves(), family="student_t",
                     priors={"Intercept": "normal(0, 10)"})  # fmt: skip
    np.testing.assert_array_equal(of(even, 4), of(again, 4))
    assert (of(even, 4) != of(even, 4, seed=2)).all()


def test_priors_are_started_from_like_posteriors() -> None:
    model = hm.Model("Reaction ~ Days + (Days | Subject)", hm.load_dataset("sleepstudy"))
    started: Started = chain_starts.start(partial(model.assemble, prior_only=True))
    assert len(started.modes) == 1
    assert isinstance(started.ready, Assembled)
    assert started.ready.guesses == ()


def test_the_edge_of_what_can_be_computed_is_no_mode(even: hm.Model) -> None:
    """Curvatures whose products overflow ended in numpy's error that eigenvalues don't converge."""

    chart = Chart(even._posterior.data)

    def density(q: np.ndarray) -> tuple[float, np.ndarray]:
        raw, z = q[: chart.D].sum(), q[chart.D :].sum()
        return 0.0, 1e298 * np.where(np.arange(chart.size) < chart.D, z, raw)

    posterior = chain_starts._Posterior(density, chart)
    assert posterior.normal(np.zeros(chart.size)) is None


def test_digits_that_are_lost_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of levels of several factors that lie 1e9 residual sds apart, numpy's own words were told."""

    def lost(assembled: object) -> Started:
        raise np.linalg.LinAlgError("SVD did not converge")

    monkeypatch.setattr(chain_starts, "start", lost)
    with pytest.raises(hm.DataError, match=r"lost its digits \(SVD did not converge\).*1e8"):
        hm.Model("y ~ 1 + (1 | g)", two_halves()).fit(seed=1)
