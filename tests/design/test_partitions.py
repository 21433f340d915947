"""The same groups under two names are remarked."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm


def twins() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    number = np.repeat(np.arange(6), 5)
    names = np.array(["Ames", "Bath", "Cork", "Dijon", "Ely", "Fano"])[::-1]
    frame = pd.DataFrame({"number": number, "name": names[number], "x": rng.normal(size=30)})
    return frame.assign(y=rng.normal(size=30), half=number % 3, u=rng.normal(size=6)[number])


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (
            "y ~ 1 + (1 | number) + (1 | name)",
            r"'number' and 'name' split .* sds of Intercept can't",
        ),
        ("y ~ 1 + (x | number) + (0 + x | name)", r"split the rows .* sds of x can't be told"),
        ("y ~ 1 + (1 | number / name)", r"'number' and 'number:name' split the rows"),
        ("y ~ name + (1 | number)", r"'number', a grouping factor, and 'name', a population"),
        (["y ~ x", "sigma ~ name + (1 | number)"], r"'number', a grouping factor, and 'name', a p"),
        (["y ~ x", "sigma ~ name + (1 | name)"], "'name' is a grouping factor and a population"),
    ],
)
def test_groups_under_two_names_are_remarked(formula: str | list[str], message: str) -> None:
    with pytest.warns(hm.HiermixWarning, match=message):
        hm.Model(formula, twins())


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ 1 + (1 | number) + (0 + x | name)",  # independent effects of the same groups
        "y ~ 1 + (1 | number) + (1 | half)",
        "y ~ u + (1 | number)",  # a figure of the group is no category
        ["y ~ name", "sigma ~ (1 | name)"],  # each in another equation
        ["y ~ x + (1 | number)", "sigma ~ name"],
    ],
)
def test_groups_that_differ_are_not_remarked(formula: str | list[str]) -> None:
    hm.Model(formula, twins())
