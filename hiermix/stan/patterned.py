"""Which models have residuals whose precision mixes patterns, and their programs."""

from collections.abc import Sequence
from dataclasses import replace

from hiermix.design import effect_parts
from hiermix.design.curve_factors import CurveFactor, main_factor
from hiermix.design.design import Design
from hiermix.design.effect_parts import Parts
from hiermix.design.groupings import Grouping
from hiermix.design.series import Series
from hiermix.errors import ArgumentError, count
from hiermix.families import residual_parameters
from hiermix.formula.equations import MU
from hiermix.stan import programs
from hiermix.statistics.strata import SIGMA, Strata, strata
from hiermix.statistics.wide_design import widened

_WORTH = 0.5
"""Strata for each row up to which sums cost less than rows, where there are no effects."""
_PRODUCTS = 30
"""Products of two columns of a block that cost as much as a row."""


def possible(design: Design) -> bool:
    """Whether residual variances differ, by standard errors or an equation of sigma alone.

    Beside one factor with effects in the location others may stand in a block, where sigma has no
    effects; those of sigma have none in common with the location's.
    """
    further, errors = [each.name for each in design.equations[1:]], design.limits.se is not None
    if further != [SIGMA] and (further or not errors):
        return False
    if any(_of_sigma(each) and not _plain(each) for each in design.groupings):
        return False
    parts = effect_parts.by_equation(design)
    beside = _beside(parts)
    if beside and not _in_block(parts, beside):
        return False
    alone = [each for each in parts.design.groupings if each not in beside]
    if not all(each.factor.partitions for each in alone):
        return False
    return bool(located(design)) or errors or _strata(design).patterns <= _WORTH * design.rows


def _beside(parts: Parts) -> list[Grouping]:
    """Return the factors of the location but for one with most effects, and smooths."""
    main = main_factor(parts.of_location)
    return [each for each in parts.of_location if each is not main]


def _in_block(parts: Parts, beside: Sequence[Grouping]) -> bool:
    """Whether factors and smooths fit into a block of columns beside another factor, and pay."""
    design = parts.design
    if design.formula.beside.known_errors:
        return False
    if not all(isinstance(each, CurveFactor) or _one_by_one(each) for each in beside):
        return False
    _, block = widened(replace(design, groupings=parts.of_location))
    main = [each for each in parts.of_location if each not in beside]
    levels = sum(each.total for each in main)
    number, rows = strata(design).patterns, design.rows
    few = block.W <= residual_parameters.MOST_BESIDE and number <= _WORTH * rows
    return few and (number + levels) * block.W**2 <= _PRODUCTS * rows


def _one_by_one(grouping: Grouping) -> bool:
    """Whether effects are independent, of levels of which each row has one."""
    return _plain(grouping) and grouping.factor.partitions and max(grouping.blocks) == 1


def located(design: Design) -> list[Grouping]:
    """Return the factors with effects in the response's location."""
    return [each for each in design.groupings if MU in each.equations]


def _of_sigma(grouping: Grouping) -> bool:
    return SIGMA in grouping.equations


def _plain(grouping: Grouping) -> bool:
    """Whether levels are independent and alike, with effects of sigma by themselves."""
    alike = not isinstance(grouping, CurveFactor) and grouping.strata is None
    alike = alike and grouping.covariance is None and not grouping.heavy
    return alike and not grouping.shared and effect_parts.can_be_taken_apart(grouping)


def _strata(design: Design) -> Strata:
    return strata(effect_parts.by_equation(design).design)


def of_series(design: Design, series: Series, effects: str) -> tuple[str, str]:
    """Return the program of residuals that go together, and why; raise for what can't be beside."""
    residual_parameters.check(design)
    if effects == "sampled":
        raise ArgumentError(
            f"{series.term} integrates group effects out: effects='sampled' is for independent "
            "residuals"
        )
    for each in design.groupings:
        if each.heavy or each.covariance is not None or any(each.moved):
            what = "of steps whose shares are sampled" if any(each.moved) else (
                "t-distributed" if each.heavy else "of related levels")  # fmt: skip
            raise ArgumentError(
                f"{series.term} integrates group effects out, and those of {each.name!r} are "
                f"{what}: leave one of the two out"
            )
    name = programs.SERIES if series.in_time else programs.POSITIONS
    if design.parts:
        return name, "exact, with one factor at most beside several responses"
    _, block = widened(design)
    beside = f" and {count(block.W, 'column')} in one block" if block.W else ""
    how = f"exact, with one factor at most{beside} beside {series.term}"
    return name, how if len(design.equations) == 1 else f"{how}{_values(strata(design))}"


def chosen(design: Design) -> tuple[str, str]:
    """Return the program, and why."""
    parts = effect_parts.by_equation(design)
    beside = _beside(parts)
    _, block = widened(replace(parts.design, groupings=parts.of_location))
    how = "with one factor" if len(located(design)) > len(beside) else "without factors"
    how = how if located(design) else "without effects"
    how += f" and {count(block.W, 'column')} in one block" if beside else ""
    if design.formula.beside.known_errors:
        return programs.STRATA, f"exact, {how} and standard errors that are known"
    sampled = any(_of_sigma(each) for each in design.groupings)
    name = programs.STRATA_BESIDE if sampled else programs.STRATA
    return name, f"exact, {how}{_values(_strata(design))}"


def _values(found: Strata) -> str:
    """Say how many values sigma has, and what that costs."""
    rows = len(found.stratum)
    costs = ", which cost as much as rows" if found.patterns > _WORTH * rows else ""
    return f" and {count(found.patterns, 'value')} of sigma{costs}"
