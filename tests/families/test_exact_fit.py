"""A response that the design gives without error is an error that names it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from tests.design.test_partitions import twins

EXACT = [
    ("y ~ x + (1 | number)", "gaussian", lambda d: d["u"], "one value in each of the 6 levels"),
    ("y ~ x + (x | name)", "gaussian", lambda d: d["u"] * 1e6, "one value in each of the 6 levels"),
    ("y ~ x + (1 | number)", "student_t", lambda d: d["u"] + 2 * d["x"], "exact sum .* 'number'"),
    ("y ~ (x | number)", "gaussian", lambda d: d["u"] * d["x"] + 3, "exact sum .* 'number'"),
    ("y ~ x", "gaussian", lambda d: 4 * d["x"] + 1, "exact sum of the population terms"),
    ("y ~ 1 + (1 | number)", "gamma", lambda d: np.exp(d["u"]), "one value in each"),
    ("y ~ x + (1 | half) + (1 | name)", "beta", lambda d: 1 / (1 + np.exp(d["u"])), "one value"),
]


@pytest.mark.parametrize(("formula", "family", "response", "message"), EXACT)
def test_a_response_without_residual_is_named(
    formula: str, family: str, response: Any, message: str
) -> None:
    """A figure of the group on each of its rows: the likelihood of sigma = 0 is infinite."""
    data = twins()
    data["y"] = response(data)
    with pytest.raises(hm.DataError, match=f"response 'y' .*{message}.*no residual to learn"):
        hm.Model(formula, data, family=family)


def test_a_small_residual_and_saturated_groups_are_no_such_case() -> None:
    data = twins()
    noise = np.random.default_rng(1).normal(size=30)
    hm.Model("y ~ x + (1 | number)", data.assign(y=data["u"] + 1e-9 * noise))
    some = pd.concat([data.assign(y=noise).groupby("number").head(1), data.assign(y=noise)[:2]])
    hm.Model("y ~ 1 + (1 | number)", some)
    with pytest.warns(hm.HiermixWarning, match="can't be told"):  # a level a row, as it was
        hm.Model("y ~ 1 + (1 | number)", data.groupby("number").head(1).assign(y=noise[:6]))


@pytest.mark.parametrize("formula", ["y ~ x", "y ~ 0 + g"])
def test_as_many_coefficients_as_rows_leave_no_residual(formula: str) -> None:
    """Through two points goes one line: the density grows without bound around sigma = 0."""
    data = pd.DataFrame({"y": [1.0, 2.5], "x": [0.0, 1.0], "g": ["a", "b"]})
    with pytest.raises(hm.DataError, match="2 rows and 2 population coefficients"):
        hm.Model(formula, data)
    hm.Model("y ~ x", pd.DataFrame({"y": [1, 2], "x": [0.0, 1.0]}), family="poisson")


@pytest.mark.parametrize("size", [1e-300, 1e-150, 1e80, 1e150, 1e300])
@pytest.mark.parametrize("formula", ["y ~ x", "y ~ x + (x | number)", "y ~ 1 + (1 | number)"])
def test_numbers_whose_squares_are_none_are_named(formula: str, size: float) -> None:
    data = twins().assign(y=np.random.default_rng(1).normal(size=30))
    with pytest.raises(hm.DataError, match=r"'y' goes up to .*other units"):
        hm.Model(formula, data.assign(y=size * data["y"]))
    if "x" in formula and size != 1e80:
        with pytest.raises(hm.DataError, match=r"'x' goes up to .*other units"):
            hm.Model(formula, data.assign(x=size * data["x"]))
