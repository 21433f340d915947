"""Arithmetic of named draws: numpy's, and nothing else."""

import ast
from functools import partial

import numpy as np
import pytest

import hiermix as hm
from hiermix.posterior.arithmetic import Read, Reader, taken_out

DRAWS = {"b": np.array([1.0, 4.0]), "g[a, x.y]": np.array([2.0, 0.5])}


def at(statement: str, place: int) -> tuple[Read, int] | None:
    for name in DRAWS:
        if statement.startswith(name, place):
            return partial(DRAWS.__getitem__, name), place + len(name)
    return None


def value(statement: str) -> np.ndarray:
    text, found = taken_out(statement, at)
    reader = Reader(statement, text, found, [*DRAWS])
    return np.asarray(reader.value(ast.parse(text.strip(), mode="eval").body))


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("b", [1, 4]),
        ("-b + +2", [1, -2]),
        ("b * g[a, x.y] - 1 / b", [1, 1.75]),
        ("b ** 2 ** g[a, x.y]", [1.0, 4.0**2**0.5]),
        ("sqrt(b) + exp(log(b)) + abs(-b)", [3, 10]),
        ("2b", None),  # a number beside a name is no product
        ("0.5 * b", [0.5, 2]),
    ],
)
def test_values_are_those_of_numpy(statement: str, expected: list[float] | None) -> None:
    if expected is None:
        with pytest.raises((hm.ArgumentError, SyntaxError)):
            value(statement)
    else:
        np.testing.assert_allclose(value(statement), expected)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("b ^ 2", r"write a power as x \*\* 2"),
        ("c + b", r"'c' is nothing in this fit\..*Known: b, g\[a, x\.y\]"),
        ("True + b", "'True' is nothing in this fit"),
        ("'text'", "is nothing in this fit"),
        ("max(b)", r"'max\(b\)' is nothing"),
        ("exp(b, b)", r"'exp\(b, b\)' is nothing"),
        ("exp(x=b)", r"'exp\(x=b\)' is nothing"),
        ("b.real", r"'b\.real' is nothing"),
        ("b[0]", r"'b\[0\]' is nothing"),
        ("b // 2", "'b // 2' is nothing"),
        ("(lambda: b)()", "is nothing in this fit"),
        ("__import__('os')", "is nothing in this fit"),
    ],
)
def test_everything_else_is_refused_by_the_names_that_were_written(
    statement: str, words: str
) -> None:
    with pytest.raises(hm.ArgumentError, match=words):
        value(statement)


def test_names_inside_of_words_are_no_names() -> None:
    text, found = taken_out("sub + b", at)
    assert [name for name, _ in found.values()] == ["b"]
    assert text.split() == ["sub", "+", "_p0_"]


def test_of_many_known_names_thirty_are_said() -> None:
    reader = Reader("z", "z", {}, [f"name{k}" for k in range(40)])
    said = str(reader.unknown("z"))
    assert "name29 and 10 more" in said
    assert "name30" not in said
