"""Covariances between levels: what they need to be, and how they meet the labels of the data."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest

import hiermix as hm

FORMULA = "y ~ x + (1 | gr(g, cov='A'))"
LABELS = list("abcd")


def frame(**columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    g = np.repeat(LABELS, 5)
    return pd.DataFrame({"y": rng.normal(size=20), "x": rng.normal(size=20), "g": g, **columns})


def matrix(labels: list[object] | None = None, **entries: float) -> pd.DataFrame:
    labels = LABELS if labels is None else labels
    found = pd.DataFrame(0.3 + 0.7 * np.eye(len(labels)), index=labels, columns=labels)
    for place, value in entries.items():
        found.iloc[int(place[1]), int(place[2])] = value
    return found


def covariance(model: hm.Model) -> np.ndarray:
    (grouping,) = model.design.groupings
    assert grouping.covariance is not None
    return grouping.covariance.matrix


def test_labels_are_matched_and_others_are_levels_without_rows() -> None:
    given = matrix(["e", "d", "c", "b", "a"], e01=0.5, e10=0.5)
    model = hm.Model(FORMULA, frame(), data2={"A": given})
    levels = model.design.groupings[0].levels.tolist()
    assert levels == ["a", "b", "c", "d", "e"]
    np.testing.assert_array_equal(covariance(model), given.loc[levels, levels])
    assert "5 levels, related as in A" in repr(model)


@pytest.mark.parametrize(
    ("labels", "index"),
    [([1, 2, 3, 4], [1, 2, 3, 4]), ([1, 2, 3, 4], ["1", "2", "3", "4"]),
     (["1", "2", "3", "4"], [1, 2, 3, 4]), ([1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0])],
)  # fmt: skip
def test_labels_are_found_however_they_are_written(
    labels: list[object], index: list[object]
) -> None:
    given = matrix(index, e01=0.5, e10=0.5)
    model = hm.Model(FORMULA, frame(g=np.repeat(labels, 5)), data2={"A": given})
    assert model.design.groupings[0].levels.tolist() == labels
    np.testing.assert_array_equal(covariance(model), given)


def test_frames_without_labels_of_rows_have_them_in_the_order_of_columns() -> None:
    given = matrix(["d", "c", "b", "a"], e01=0.5, e10=0.5)
    plain = pl.from_pandas(given.reset_index(drop=True))
    both = [hm.Model(FORMULA, frame(), data2={"A": each}) for each in (given, plain)]
    np.testing.assert_array_equal(*map(covariance, both))


WRONG: list[tuple[object, str]] = [
    (None, "gr(cov='A') needs a matrix: pass data2={'A': frame}."),
    ({"B": matrix()}, "gr(cov='A') needs a matrix: pass data2={'A': frame}. It has 'B'."),
    ({"A": matrix(), "B": matrix()}, "data2 has 'B', and the formula no gr(cov='B')"),
    (matrix(), "data2 is a dict of frames"),
    ({"A": matrix().to_numpy()}, "data2['A'] is a ndarray, which has no labels: pass a frame"),
    ({"A": matrix().astype(object)}, "data2['A'] holds values of another kind, not numbers"),
    ({"A": matrix(list("abc"))}, "data2['A'] lacks 1 level of 'g': 'd'."),
    ({"A": matrix(list("wxyz"))}, "data2['A'] lacks 4 levels of 'g': 'a', 'b', 'c', ..."),
    ({"A": matrix().iloc[:3]}, "data2['A'] has 3 rows and 4 columns"),
    ({"A": matrix(list("abca"))}, "rows of data2['A'] repeat 1 label: 'a'"),
    ({"A": matrix().rename(index={"d": "e"})}, "1 label of rows that no column has: 'e'"),
    ({"A": matrix(e12=0.31)}, "data2['A'] is not symmetric: 0.31 of 'b' with 'c', and 0.3 the"),
    ({"A": matrix(e12=np.nan, e21=np.nan)}, "missing or infinite values in 2 rows: 'b', 'c'"),
    ({"A": matrix(e12=np.inf, e21=np.inf)}, "missing or infinite values in 2 rows: 'b', 'c'"),
    ({"A": matrix().astype(str).replace("0.3", "x")}, "data2['A'] holds text, not numbers"),
    ({"A": matrix().astype(str)}, "data2['A'] holds text, not numbers, in column 'a'"),
    ({"A": matrix(e00=0.0)}, "not positive definite: given the 0 labels before it, nothing is"),
    ({"A": matrix(e12=1.0, e21=1.0)}, "not positive definite: given the 2 labels before it"),
    ({"A": matrix(e13=1.2, e31=1.2)}, "nothing is left of the variance of 'd'"),
]  # fmt: skip


@pytest.mark.parametrize(("data2", "message"), WRONG)
def test_what_is_no_covariance(data2: object, message: str) -> None:
    with pytest.raises(hm.HiermixError, match=re.escape(message)):
        hm.Model(FORMULA, frame(), data2=data2)


def test_a_matrix_that_nobody_asked_for() -> None:
    with pytest.raises(hm.ArgumentError, match="data2 has 'A', and the formula no"):
        hm.Model("y ~ x + (1 | g)", frame(), data2={"A": matrix()})
