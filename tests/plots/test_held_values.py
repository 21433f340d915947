"""Columns that move with another, and what the others are held at."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.plots import held_values

DAYS = pd.Series(pd.date_range("2024-01-01", periods=4))


def moving(data: pd.DataFrame, x: str) -> tuple[list[str], list[str]]:
    others = " + ".join(name for name in data if name not in ("y", "g"))
    design = hm.Model(f"y ~ {others} + (1 | g)", data).design
    return held_values.moving(design, design.groupings[0], x)


@pytest.fixture
def panel() -> pd.DataFrame:
    """Three groups at the same four times; each started at an age of its own."""
    rng = np.random.default_rng(1)
    t = np.tile(np.arange(4.0), 3)
    g = np.repeat([0, 1, 2], 4)
    return pd.DataFrame({
        "y": rng.normal(size=12), "g": g, "t": t, "age": t + np.array([20.0, 31, 45])[g],
        "to_come": -(t**2) + g, "season": np.where(t % 2 == 0, "low", "high"),
        "x": rng.normal(size=12),
    })  # fmt: skip


def test_seasons_are_known_by_the_time_and_ages_go_along(panel: pd.DataFrame) -> None:
    assert moving(panel, "t") == (["season"], ["age", "to_come"])


def test_nothing_moves_with_noise_or_with_what_is_no_column(panel: pd.DataFrame) -> None:
    assert moving(panel, "x") == ([], [])
    design = hm.Model("y ~ t + (1 | g)", panel).design
    assert held_values.moving(design, design.groupings[0], "elsewhere") == ([], [])


@pytest.mark.parametrize(
    ("x", "other", "together"),
    [
        ([1, 2, 3, 4], [10, 20, 25, 70], True),
        ([1, 2, 3, 4], [4, 3, 2, 0], True),
        ([1, 2, 3, 4], [1, 2, 4, 3], False),
        ([1, 1, 2, 2], [1, 1, 2, 2], False),  # two values tell nothing
        ([1, 2, 3, 4], ["a", "b", "c", "d"], False),
        (DAYS, [1, 2, 3, 4], True),
    ],
)
def test_in_step_is_up_or_down_without_exception(x: object, other: object, together: bool) -> None:
    codes = pd.Series([0, 0, 0, 0])
    found = held_values._in_step(pd.Series(x), pd.Series(other), codes)  # type: ignore[arg-type]
    assert found is together


def test_groups_have_to_agree_on_the_direction() -> None:
    x, codes = pd.Series([1.0, 2, 3, 1, 2, 3]), pd.Series([0, 0, 0, 1, 1, 1])
    assert held_values._in_step(x, pd.Series([1.0, 2, 3, 5, 6, 9]), codes)
    assert not held_values._in_step(x, pd.Series([1.0, 2, 3, 9, 6, 5]), codes)


def test_the_other_column_is_read_off_lines_and_goes_on_beyond() -> None:
    x, other = pd.Series([0.0, 2, 2, 4]), pd.Series([1.0, 5, 7, 9])
    found = held_values._interpolated(x, other, [-1.0, 0.0, 1.0, 2.0, 3.0, 5.0])
    np.testing.assert_allclose(found, [-1, 1, 3.5, 6, 7.5, 11])  # beyond: 2 a unit, as on the whole
    alone = held_values._interpolated(pd.Series([2.0]), pd.Series([3.0]), [0.0, 9.0])
    np.testing.assert_allclose(alone, 3)


def test_days_are_read_off_days() -> None:
    found = held_values._interpolated(DAYS, DAYS + pd.Timedelta(days=7), [DAYS[1], DAYS[3]])
    assert list(found) == [pd.Timestamp("2024-01-09"), pd.Timestamp("2024-01-11")]


@pytest.mark.parametrize(
    ("column", "value"),
    [([1.5, 2.5, 5.0], 3.0), ([1, 1, 9], 1), (["b", "a", "b"], "b"), ([True, False, True], True)],
)
def test_others_are_held_at_a_mean_or_at_what_is_frequent(column: list, value: object) -> None:
    assert held_values.typical(pd.Series(column)) == value


def test_of_very_many_values_some_are_drawn_from_end_to_end() -> None:
    values = pd.Series(np.random.default_rng(1).permutation(5_000))
    found = held_values.at_observed(values)
    assert (found[0], found[-1]) == (0, 4_999)
    assert len(found) == 400
    assert held_values.at_observed(pd.Series([3, 1, 3])) == [1, 3]
