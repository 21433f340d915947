"""Levels of a factor: their coefficients, contrasts and ranks, by hand from the draws."""

import numpy as np
import pytest

import hiermix as hm
from hiermix.posterior.ranks import ranks
from tests.invented import invented, panel

SHAPE = (2, 200)


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return invented("y ~ x + (1 + x | g) + (1 | h)", panel(), shape=SHAPE)


@pytest.fixture(scope="module")
def choice() -> hm.Fit:
    return invented("choice ~ x + (1 | g)", panel(), "categorical", shape=SHAPE)


def flat(array: object) -> np.ndarray:
    values = np.asarray(array)
    return values.reshape(-1, *values.shape[2:])


def test_levels_are_population_plus_deviation(fit: hm.Fit) -> None:
    post = fit.data.posterior
    slope = post["b"].sel(term="x") + post["r_g"].sel(g_effect="x")
    answer = fit.levels("g", effect="x")
    np.testing.assert_allclose(flat(answer.draws), flat(slope.transpose("chain", "draw", "g")))
    assert answer.labels["g"].tolist() == [f"g{k}" for k in range(6)]
    np.testing.assert_allclose(
        flat(fit.levels("g", kind="effects").draws), flat(post["r_g"].sel(g_effect="Intercept"))
    )
    table = answer.table()
    assert table["estimate"].to_numpy() == pytest.approx(flat(answer.draws).mean(axis=0))
    assert table["conf_low"].to_numpy() == pytest.approx(
        np.quantile(flat(answer.draws), 0.025, axis=0)
    )


def test_contrasts_of_levels(fit: hm.Fit) -> None:
    r = flat(fit.data.posterior["r_g"].sel(g_effect="Intercept"))
    pairs = fit.levels("g", hypothesis="pairwise")
    assert len(pairs) == 15
    assert pairs.labels["contrast"].tolist()[:2] == ["g1 - g0", "g2 - g0"]
    np.testing.assert_allclose(flat(pairs.draws)[:, 1], r[:, 2] - r[:, 0], atol=1e-12)
    named = fit.levels("g", hypothesis=["g5 - (g0 + g1) / 2", "b5 = b0"])
    np.testing.assert_allclose(flat(named.draws)[:, 0], r[:, 5] - (r[:, 0] + r[:, 1]) / 2)
    np.testing.assert_allclose(flat(named.draws)[:, 1], r[:, 5] - r[:, 0])
    probability = named.table()["probability"]
    above = (flat(named.draws) > 0).mean(axis=0)
    assert probability.to_numpy() == pytest.approx(np.maximum(above, 1 - above))


@pytest.mark.parametrize("order", ["highest", "lowest"])
def test_ranks_are_counted_in_every_draw(fit: hm.Fit, order: str) -> None:
    r = flat(fit.data.posterior["r_g"].sel(g_effect="Intercept"))
    sign = 1 if order == "highest" else -1
    by_hand = 1 + (sign * r[:, :, None] < sign * r[:, None, :]).sum(axis=2)
    found = fit.ranks("g", best=2, order=order)
    np.testing.assert_array_equal(flat(found.draws), by_hand)
    table = found.table()
    assert table["rank"].is_monotonic_increasing
    assert table["rank"].sum() == pytest.approx(21)
    assert table["probability"].sum() == pytest.approx(2)
    own = table.set_index("g")
    for place, level in enumerate(f"g{k}" for k in range(6)):
        assert own.loc[level, "rank"] == pytest.approx(by_hand[:, place].mean())
        assert own.loc[level, "probability"] == pytest.approx((by_hand[:, place] <= 2).mean())
        inside = (by_hand[:, place] >= own.loc[level, "conf_low"]) & (
            by_hand[:, place] <= own.loc[level, "conf_high"]
        )
        assert inside.mean() >= 0.95
    assert set(table["conf_low"]) <= set(range(1, 7))


def test_ranks_of_two_equal_numbers_differ() -> None:
    """Whoever stands first is first: ranks are a permutation in every draw."""
    values = np.array([[1.0, 2.0], [1.0, 3.0], [0.0, 3.0]])
    assert ranks(values, "highest").tolist() == [[1, 3], [2, 1], [3, 2]]


def test_rows_of_any_answer_can_be_ranked(fit: hm.Fit) -> None:
    answer = fit.means("kind") if "kind" in fit.design.predictors else fit.means("h")
    drawn = flat(answer.draws)
    best = drawn.argmax(axis=1)
    found = answer.ranks().table().set_index("h")["probability"]
    for place, level in enumerate(answer.labels["h"]):
        assert found[level] == pytest.approx((best == place).mean())


def test_categories_have_ranks_each(choice: hm.Fit) -> None:
    r = choice.data.posterior["r_g"].sel(category="C", g_effect="Intercept")
    level = choice.levels("g").draws.sel(category="C")
    shift = level.to_numpy() - r.to_numpy()
    np.testing.assert_allclose(shift, np.broadcast_to(shift[:, :, :1], shift.shape), atol=1e-12)
    table = choice.ranks("g").table()
    assert table.groupby("category")["probability"].sum().tolist() == pytest.approx([1, 1])
    assert len(choice.plot_ranks("g").figure.axes) == 4


def test_what_cannot_be_ranked(fit: hm.Fit) -> None:
    with pytest.raises(hm.ArgumentError, match=r"'z' does not vary by g.*Known: Intercept, x"):
        fit.levels("g", effect="z")
    with pytest.raises(hm.ArgumentError, match="'k' is no grouping factor"):
        fit.ranks("k")
    with pytest.raises(hm.ArgumentError, match="best must be a whole number from 1 to 5, not 6"):
        fit.ranks("g", best=6)
    with pytest.raises(hm.ArgumentError, match="order must be one of highest, lowest"):
        fit.ranks("g", order="up")
    with pytest.raises(hm.ArgumentError, match="ranks need two rows"):
        fit.predictions(by=True).ranks()
    with pytest.raises(hm.ArgumentError, match="kind must be one of"):
        fit.levels("g", kind="effect")
    with pytest.raises(hm.ArgumentError, match="'b9' names no row"):
        fit.levels("g", hypothesis="b9 - b0")
