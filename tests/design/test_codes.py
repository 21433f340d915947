"""Codes of rows and labels of levels, of one column and of columns crossed."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.design.codes import codes_of, column_codes
from hiermix.design.kinds import KnownLabels


@pytest.mark.parametrize(
    ("values", "labels", "codes"),
    [
        (["b", "a", "b", None], ["a", "b"], [1, 0, 1, -1]),
        ([10, 9, 10], [9, 10], [1, 0, 1]),
        ([1.0, np.nan, 1.0], [1.0], [0, -1, 0]),
        (pd.Categorical(["z", "a"], categories=["z", "unused", "a"]), ["z", "a"], [0, 1]),
        (pd.Categorical([None, "a"]), ["a"], [-1, 0]),
        (pd.array([2, None, 1], dtype="Int64"), [1, 2], [1, -1, 0]),
        (pd.array(["b", None], dtype="string[pyarrow]"), ["b"], [0, -1]),
        ([True, False, True], [False, True], [1, 0, 1]),
    ],
)
def test_codes_point_at_labels(values: object, labels: list[object], codes: list[int]) -> None:
    found, names = column_codes("g", pd.Series(values))  # type: ignore[arg-type]
    assert list(names) == labels
    assert found.tolist() == codes


def test_pairs_that_some_row_has_are_levels_in_the_order_of_both() -> None:
    frame = pd.DataFrame({"a": ["y", "x", "y", "x", None, "x"], "b": [2, 10, 2, 2, 2, np.nan]})
    codes, labels = codes_of("a:b", ["a", "b"], frame)
    assert labels == ["x:2", "x:10", "y:2"]
    assert codes.tolist() == [2, 1, 2, 0, -1, -1]
    assert codes.dtype == np.int32


def test_three_columns_are_crossed_as_two_and_one() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({name: rng.integers(0, 4, 60) for name in "abc"})
    codes, labels = codes_of("a:b:c", ["a", "b", "c"], frame)
    written = frame.astype(str).agg(":".join, axis=1).tolist()
    assert [labels[code] for code in codes] == written
    assert labels == sorted(set(written))


def test_labels_of_the_fit_are_found_however_they_are_written() -> None:
    known = {"a": KnownLabels([1, 2]), "b": KnownLabels(["u", "v"])}
    frame = pd.DataFrame({"a": ["2", "1.0", "2.0"], "b": ["v", "u", "v"]})
    codes, labels = codes_of("a:b", ["a", "b"], frame, known)
    assert [labels[code] for code in codes] == ["2:v", "1:u", "2:v"]


def test_labels_that_read_alike_are_refused() -> None:
    with pytest.raises(hm.DataError, match="a:b"):
        codes_of("a:b", ["a", "b"], pd.DataFrame({"a": ["x", "x:y"], "b": ["y:z", "z"]}))
