"""Which models have residuals whose precision mixes patterns, and their programs."""

from hiermix.design import effect_parts
from hiermix.design.design import Design
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


def possible(design: Design) -> bool:
    """Whether residual variances differ, by standard errors or an equation of sigma alone.

    At most one factor may have effects in the location, and effects of sigma none in common.
    """
    further, errors = [each.name for each in design.equations[1:]], design.limits.se is not None
    if further != [SIGMA] and (further or not errors):
        return False
    if len(located(design)) > 1 or not all(each.factor.partitions for each in design.groupings):
        return False
    if any(_of_sigma(each) and not _plain(each) for each in design.groupings):
        return False
    return bool(located(design)) or errors or _strata(design).patterns <= _WORTH * design.rows


def located(design: Design) -> list[Grouping]:
    """Return the factors with effects in the response's location."""
    return [each for each in design.groupings if MU in each.equations]


def _of_sigma(grouping: Grouping) -> bool:
    return SIGMA in grouping.equations


def _plain(grouping: Grouping) -> bool:
    """Whether levels are independent and alike, with effects of sigma by themselves."""
    alike = grouping.strata is None and grouping.covariance is None and not grouping.heavy
    return alike and not grouping.shared and effect_parts.can_be_taken_apart(grouping)


def _strata(design: Design) -> Strata:
    return strata(effect_parts.apart(design).design)


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
    return name, f"exact, with one factor at most{beside} beside {series.term}"


def chosen(design: Design) -> tuple[str, str]:
    """Return the program, and why."""
    how = "with one factor" if located(design) else "without effects"
    if design.formula.beside.known_errors:
        return programs.STRATA, f"exact, {how} and standard errors that are known"
    number = _strata(design).patterns
    costs = "" if number <= _WORTH * design.rows else ", which cost as much as rows"
    sampled = any(_of_sigma(each) for each in design.groupings)
    name = programs.STRATA_BESIDE if sampled else programs.STRATA
    return name, f"exact, {how} and {count(number, 'value')} of sigma{costs}"
