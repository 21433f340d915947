"""When it pays to integrate a factor of many levels out and to sample those beside it."""

from collections import Counter
from collections.abc import Mapping, Sequence
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

    Rows may be some that stand for all, with weights.
    """
    if not design.rows or design.parts or not _candidates(design):
        return False
    factors, last = as_factors(design).groupings, integrated(design)
    if len(last.levels) < _LEVELS:
        return False
    own = {each.name: _of_rows(each) for each in factors}
    return _entries(factors, last, own) <= _PRODUCTS * sum(own.values())


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
    found = _candidates(design)
    most = max(len(each.levels) for each in found)
    many = [each for each in found if len(each.levels) * _MANY >= most]
    return max(many, key=lambda each: (outer[each.name], len(each.levels)))


def _candidates(design: Design) -> list[Grouping]:
    """Return the factors of which every row has one level."""
    return [each for each in design.groupings if each.factor.partitions]


def _of_rows(grouping: Grouping) -> int:
    """Return how many effects all rows have of a factor: of a curve each has all."""
    return int(grouping.factor.parts().nnz) * len(grouping.of_level)


def _entries(factors: Sequence[Grouping], last: Grouping, own: Mapping[str, int]) -> int:
    """Return how many products of a level of the factor and an effect of another there may be."""
    J, Q = len(last.levels), len(last.of_level)
    return sum(
        Q * min(own[each.name], J * len(each.levels) * len(each.of_level))
        for each in factors if each.name != last.name
    )  # fmt: skip
