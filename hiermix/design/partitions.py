"""The same groups under two names: a model can't tell their effects apart, only priors do."""

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from hiermix.design import checks, group_checks
from hiermix.design.encoding import Encoding
from hiermix.design.groupings import Grouping
from hiermix.design.roles import Roles
from hiermix.formula.names import in_results
from hiermix.formula.sums import columns

type Factor = tuple[np.ndarray, Collection[str]]
"""Codes of the rows, and the effects that vary."""


def warn_of_twins(factors: Mapping[str, Factor], population: Mapping[str, np.ndarray]) -> None:
    """Warn of factors that split the rows in the same way.

    Parameters
    ----------
    factors : mapping of str to (array, collection of str)
        Grouping factors.
    population : mapping of str to array
        Codes of columns that stand in the population part as categories.
    """
    for (one, (codes, effects)), (other, (others, more)) in combinations(factors.items(), 2):
        shared = [effect for effect in effects if effect in more]
        if shared and alike(codes, others):
            checks.warn(
                f"{one!r} and {other!r} split the rows in the same way: the sds of "
                f"{', '.join(shared)} can't be told apart, only the sum of their squares. Keep one."
            )
    for name, (codes, effects) in factors.items():
        for column, others in population.items():
            if "Intercept" in effects and alike(codes, others):
                checks.warn(
                    f"{name!r}, a grouping factor, and {column!r}, a population factor, split the "
                    "rows in the same way: only the priors tell the two apart. Keep one."
                )


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two rows share a code of one wherever they share a code of the other."""
    first, second = pd.factorize(one)[0], pd.factorize(other)[0]
    # Counted in the order of first appearance, the same partition has the same numbers.
    return bool(np.array_equal(first, second))


def in_one_part(
    roles: Roles,
    encodings: Mapping[str, Encoding],
    groupings: Sequence[Grouping],
    frame: pd.DataFrame,
) -> None:
    """Warn of groups that are in the model twice, under one name or two.

    A frame of rows that stand for others may lack predictors.
    """
    used = columns(roles.formula.population)
    categories = [name for name in used if encodings[name].levels is not None]
    for column in categories:
        if in_results(column) in roles.factors:
            group_checks.not_in_both_parts(column)
    warn_of_twins(
        {each.name: (each.codes, each.effects) for each in groupings if each.factor.partitions},
        {
            name: frame[name].to_numpy()
            for name in categories
            if in_results(name) not in roles.factors and name in frame
        },
    )
