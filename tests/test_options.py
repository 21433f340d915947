"""Options that many doors take: what they read, and what they say of anything else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hiermix as hm
from hiermix import options


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), np.array(3)])
def test_whole_numbers_are_read_however_they_are_stored(value: Any) -> None:
    found = options.whole("draws", value, 1)
    assert found == 3
    assert type(found) is int


@pytest.mark.parametrize(
    ("value", "least", "most", "words"),
    [
        (0, 1, None, "draws must be a whole number from 1 up, not 0"),
        (9, 1, 8, "from 1 to 8, not 9"),
        (5_000_000_000, 1, None, "from 1 up, not 5000000000"),
        (12_000, 1, 10_000, "from 1 to 10,000, not 12000"),
        (3.0, 1, None, "not 3.0"),
        (True, 0, None, "not True"),
        (np.True_, 0, None, "not True"),
        ("3", 1, None, "not '3'"),
        (None, 1, None, "not None"),
        ([3], 1, None, r"not \[3\]"),
    ],
)
def test_what_is_no_whole_number_of_a_range(
    value: Any, least: int, most: int | None, words: str
) -> None:
    with pytest.raises(hm.ArgumentError, match=words):
        options.whole("draws", value, least, most)


def test_a_word_is_one_of_some_or_the_near_one_is_said() -> None:
    assert options.one_of("engine", "auto", ("auto", "cmdstan")) == "auto"
    with pytest.raises(
        hm.ArgumentError, match=r"one of auto, cmdstan, not 'cmdstn'\. Did you mean"
    ):
        options.one_of("engine", "cmdstn", ("auto", "cmdstan"))
    with pytest.raises(hm.ArgumentError, match="not 3"):
        options.one_of("engine", 3, ("auto", "cmdstan"))


@pytest.mark.parametrize(
    ("value", "found"), [("a", ("a",)), (["a", "b"], ("a", "b")), ({"a": 1}, ("a",)), ((), ())]
)
def test_names_are_one_or_several(value: Any, found: tuple[str, ...]) -> None:
    assert options.names("by", value) == found


@pytest.mark.parametrize("value", [3, None, b"a"])
def test_what_are_no_names(value: Any) -> None:
    with pytest.raises(hm.ArgumentError, match="by takes a name or a list of names"):
        options.names("by", value)


def test_files_are_named_by_text_or_a_path() -> None:
    assert options.path("a/b.nc") == options.path(Path("a/b.nc")) == Path("a/b.nc")
    with pytest.raises(hm.ArgumentError, match="not by 3"):
        options.path(3)
