"""When it pays to integrate a factor of many levels out and to sample those beside it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hiermix.design.curve_factors import as_factors
from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.statistics import nested

_LEVELS = 50
"""Levels of a factor from which integrating its effects out is worth a program of its own."""
_MANY = 4
"""Times as many levels as a factor has that the one of most levels may have."""
_PRODUCTS = 1.5
"""Products of a level and an effect that cost as much as an effect of a row."""


def pays(design: Design) -> bool:
    """Tell whether sums over pairs of levels cost less than rows, and are enough.

    Levels of every factor share no rows and are alike; all rows are at hand.
    """
    factors = as_factors(design).groupings
    if not design.rows or design.merged or design.summed is not None:
        return False
    if design.parts or design.imputed:
        return False
    if not all(each.factor.partitions and _plain(each) for each in factors):
        return False
    last = integrated(design)
    return len(last.levels) >= _LEVELS and _entries(factors, last, design.rows) <= (
        _PRODUCTS * design.rows * sum(len(each.effects) for each in factors)
    )


def ordered(design: Design) -> Design:
    """Put the factor that is integrated out last; it is nested in others, or in none."""
    last = integrated(design)
    others = tuple(each for each in design.groupings if each is not last)
    return replace(design, groupings=(*others, last))


def integrated(design: Design) -> Grouping:
    """Return the factor of most levels, or one of many that is nested in others.

    Factors in each other make up for each other, so that these are the harder ones to sample.
    """
    outer = Counter(pair.inner for pair in nested.pairs(design))
    most = max(len(each.levels) for each in design.groupings)
    many = [each for each in design.groupings if len(each.levels) * _MANY >= most]
    return max(many, key=lambda each: (outer[each.name], len(each.levels)))


def _plain(grouping: Grouping) -> bool:
    alike = grouping.strata is None and not grouping.shared
    return alike and grouping.covariance is None and not grouping.heavy


def _entries(factors: Sequence[Grouping], last: Grouping, rows: int) -> int:
    """Return how many products of a level of the factor and an effect of another there may be."""
    J, Q = len(last.levels), len(last.effects)
    return sum(
        min(rows, J * len(each.levels)) * len(each.effects) * Q
        for each in factors if each is not last
    )  # fmt: skip
