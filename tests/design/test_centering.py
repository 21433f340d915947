"""Means between groups and deviations within them, in every library's frames."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import hiermix as hm


def frame() -> pd.DataFrame:
    return pd.DataFrame({"g": [1, 1, 2, 2, 2], "h": list("aabba"), "x": [1.0, 3, 2, 4, 9]})


def test_columns_are_parted_by_group() -> None:
    found = hm.center_within(frame(), "x", "g")
    assert found["x_between"].tolist() == [2, 2, 5, 5, 5]
    assert found["x_within"].tolist() == [-1, 1, -3, -1, 4]
    both = hm.center_within(frame(), ["x"], ["g", "h"])
    assert both["x_between"].tolist() == [2, 2, 3, 3, 9]
    assert list(frame()) == ["g", "h", "x"]


def test_the_library_stays_that_of_the_frame() -> None:
    expected = hm.center_within(frame(), "x", "g")
    found = hm.center_within(pl.from_pandas(frame()), "x", "g")
    assert isinstance(found, pl.DataFrame)
    assert found["x_within"].to_list() == expected["x_within"].tolist()
    lazy = hm.center_within(pl.from_pandas(frame()).lazy(), "x", "g")
    assert lazy["x_between"].to_list() == expected["x_between"].tolist()


def test_new_rows_have_the_means_of_the_fit() -> None:
    new = pd.DataFrame({"g": ["2", "1"], "x": [5, 0]})
    found = hm.center_within(new, "x", "g", means_of=frame())
    assert found["x_between"].tolist() == [5, 2]
    assert found["x_within"].tolist() == [0, -2]
    with pytest.raises(hm.DataError, match="1 group of 'g' without rows in means_of: '7'"):
        hm.center_within(new.assign(g=["7", "1"]), "x", "g", means_of=frame())


def test_within_and_between_have_their_own_slopes() -> None:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(40), 10)
    center = rng.normal(0, 2, 40)[g]
    x = center + rng.normal(size=400)
    y = 3 * center - (x - center) + rng.normal(0, 0.3, 400)
    data = hm.center_within(pd.DataFrame({"g": g, "x": x, "y": y}), "x", by="g")
    fit = hm.Model("y ~ x_within + x_between + (1 | g)", data).fit(
        seed=1, chains=2, draws=200, progress=False
    )
    assert float(fit["x_within"].mean()) == pytest.approx(-1, abs=0.1)
    assert float(fit["x_between"].mean()) == pytest.approx(3, abs=0.2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": [1.0, np.nan, 2, 4, 9]}, r"column 'x' has 1 missing value \(row 1\)"),
        ({"g": [1, 1, None, 2, 2]}, r"column 'g' has 1 missing value \(row 2\)"),
        ({"x": list("abcde")}, "column 'x' has dtype .*: means are of numbers"),
    ],
)
def test_what_has_no_mean_is_said(change: dict[str, object], message: str) -> None:
    with pytest.raises(hm.DataError, match=message):
        hm.center_within(frame().assign(**change), "x", "g")


def test_unknown_columns_are_said() -> None:
    with pytest.raises(hm.DataError, match="center_within names 'z', not a column"):
        hm.center_within(frame(), "z", "g")
