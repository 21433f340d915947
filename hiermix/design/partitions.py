"""The same groups under two names: a model can't tell their effects apart, only priors do."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from hiermix.design import checks, group_checks
from hiermix.design.encoding import Encoding
from hiermix.design.groupings import Grouping
from hiermix.design.roles import Roles
from hiermix.formula.equations import qualified
from hiermix.formula.names import in_results
from hiermix.formula.sums import columns


def in_one_part(
    roles: Roles,
    encodings: Mapping[str, Encoding],
    groupings: Sequence[Grouping],
    frame: pd.DataFrame,
) -> None:
    """Warn of groups that are in an equation twice, under one name or two.

    A frame of rows that stand for others may lack predictors.
    """
    for one, other in combinations([each for each in groupings if each.factor.partitions], 2):
        _twin_factors(one, other)
    for equation in roles.formula.equations:
        used = columns(equation.population)
        categories = [name for name in used if encodings[name].levels is not None]
        for each in groupings:
            if each.of_equation(equation.name):
                _in_population(each, equation.name, categories, frame)


def _twin_factors(one: Grouping, other: Grouping) -> None:
    """Warn of factors that split the rows in the same way."""
    shared = [effect for effect in one.effects if effect in other.effects]
    if shared and alike(one.codes, other.codes):
        checks.warn(
            f"{one.name!r} and {other.name!r} split the rows in the same way: the sds of "
            f"{', '.join(shared)} can't be told apart, only the sum of their squares. Keep one."
        )


def _in_population(
    grouping: Grouping, equation: str, categories: Sequence[str], frame: pd.DataFrame
) -> None:
    """Warn of categories in the population part of an equation that are the levels of a factor."""
    partly = qualified("Intercept", equation) not in grouping.effects
    for column in categories:
        if in_results(column) == grouping.name:
            group_checks.not_in_both_parts(column)
        elif partly or not grouping.factor.partitions or column not in frame:
            continue
        elif alike(grouping.codes, frame[column].to_numpy()):
            checks.warn(
                f"{grouping.name!r}, a grouping factor, and {column!r}, a population factor, split "
                "the rows in the same way: only the priors tell the two apart. Keep one."
            )


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two rows share a code of one wherever they share a code of the other."""
    first, second = pd.factorize(one)[0], pd.factorize(other)[0]
    # Counted in the order of first appearance, the same partition has the same numbers.
    return bool(np.array_equal(first, second))
