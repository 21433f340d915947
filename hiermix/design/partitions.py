"""The same groups under two names: a model can't tell their effects apart, only priors do."""

from collections.abc import Collection, Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from hiermix.design import checks

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
