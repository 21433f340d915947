"""Draws weighed by later rows: how often each stands, how many are left, when to doubt."""

import numpy as np
import pytest

from hiermix.prediction.draw_weights import Weighed, good_k, weigh


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_equal_weights_leave_every_draw_in_its_place() -> None:
    found = weigh(np.full(500, -1e6), rng())
    np.testing.assert_array_equal(found.order, np.arange(500))
    assert found.effective == pytest.approx(500)
    assert not found.doubtful


def test_draws_stand_as_often_as_their_weights_say() -> None:
    """Weights exp(-z^2 / 2) of normal draws z: their law is normal with variance 1 / 2."""
    z = np.random.default_rng(4).normal(size=8_000)
    found = weigh(-(z**2) / 2, rng())
    weights = np.exp(-(z**2) / 2)
    assert found.effective == pytest.approx(weights.sum() ** 2 / (weights**2).sum(), rel=0.01)
    chosen = z[found.order]
    assert chosen.var() == pytest.approx(0.5, abs=5 * 0.5 * np.sqrt(2 / found.effective))
    # One that stays stands at its own place, and no copy is lost.
    stays = np.isin(np.arange(8_000), found.order)
    np.testing.assert_array_equal(found.order[stays], np.flatnonzero(stays))


def test_draws_without_a_density_are_never_chosen() -> None:
    log_weights = np.where(np.arange(300) % 3 == 0, np.nan, 0.0)
    log_weights[1] = -np.inf
    found = weigh(log_weights, rng())
    assert not np.isin(np.flatnonzero(~np.isfinite(log_weights)), found.order).any()


@pytest.mark.parametrize(
    ("k", "effective", "doubtful"), [(0.2, 900, False), (0.71, 900, True), (0.2, 99, True)]
)
def test_what_is_doubtful(k: float, effective: float, doubtful: bool) -> None:
    assert Weighed(np.arange(4_000), effective, k).doubtful is doubtful


def test_few_draws_need_a_smaller_k() -> None:
    """Of S draws 1 - 1 / log10(S), and 0.7 at most (Vehtari et al., 2024)."""
    assert good_k(4_000) == 0.7
    assert good_k(100) == pytest.approx(0.5)
    assert good_k(2) == good_k(11) > 0
