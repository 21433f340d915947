"""What a formula says that a family has no use for."""

import numpy as np

from hiermix.design import response_checks
from hiermix.design.design import Design
from hiermix.errors import DataError
from hiermix.families import known_ends
from hiermix.families import response_rules as rules
from hiermix.families.family import Family


def check_design(family: Family, design: Design) -> None:
    """Raise if the formula says what the family has no use for.

    Raises
    ------
    DataError
        Trials, censoring, bounds, rates or an offset beside a family without; residuals that go
        together; no intercept beside thresholds.
    """
    _check_trials(family, design)
    _check_limits(family, design)
    if design.limits.se is not None:
        _check_errors(family, design)
    if design.series is not None:
        _check_series(family, design)
    if family.unordered:
        _check_unordered(family, design)
    if family.thresholds and "Intercept" not in design.terms:
        raise DataError(
            f"family {family.name!r} has thresholds in the place of an intercept: "
            "leave '0 +' out of the formula"
        )


def _check_trials(family: Family, design: Design) -> None:
    if design.trials is not None and not family.trials:
        raise DataError(f"family {family.name!r} has no trials: use 'binomial' or 'beta_binomial'")
    if design.trials is not None and family.binary and (design.trials != 1).any():
        raise DataError("family 'bernoulli' has one trial a row: use 'binomial'")


_OTHERS = "families of measurements, of times and of counts do"


def _check_limits(family: Family, design: Design) -> None:
    if design.censored is not None and family.linked_log_tails is None:
        raise DataError(f"family {family.name!r} takes no censoring, cens(): {_OTHERS}")
    if design.limits.truncated and family.linked_excess is None:
        raise DataError(f"family {family.name!r} takes no truncation, trunc(): {_OTHERS}")
    _check_ends(family, design)
    counts = family.rule is rules.count and family.link == "log"
    if design.limits.rate is not None and not counts:
        raise DataError(
            f"family {family.name!r} takes no rate(): it is for counts by the log of their mean, "
            "such as of 'poisson'"
        )


def _check_ends(family: Family, design: Design) -> None:
    """Raise where a response is known to be what no response of the family can be."""
    ends = known_ends.of_rows(design, family.support, whole=not family.continuous)
    if "low" not in ends:
        return
    assert design.response is not None
    nothing = np.isposinf(ends["low"]) | np.isneginf(ends["high"])
    found = response_checks.rows_that_break(nothing, design.response, design.frame.index)
    if found:
        raise DataError(
            f"family {family.name!r} has no responses there: what cens() says of a row lies "
            f"outside of the family's values: there is {found}"
        )


def _check_errors(family: Family, design: Design) -> None:
    if family.plug_in is None:
        raise DataError(
            f"family {family.name!r} takes no standard errors, se(): they are for 'gaussian'"
        )
    if known_ends.known(design) or design.series is not None:
        raise DataError(
            "responses with standard errors, se(), can't be censored or truncated, and their "
            "residuals don't go together: leave one of these out"
        )
    if design.formula.beside.known_errors and len(design.equations) > 1:
        raise DataError(
            "se() alone has no sigma for an equation: write se("
            f"{design.formula.beside.se}, sigma=True) for one beside the standard errors"
        )


def _check_series(family: Family, design: Design) -> None:
    assert design.series is not None
    if family.of_residuals is None:
        raise DataError(
            f"family {family.name!r} has no residuals that go together: {design.series.term} is "
            "for families 'gaussian' and 'lognormal'"
        )
    if known_ends.known(design):
        raise DataError(
            f"residuals of censored or truncated responses can't go together: leave out "
            f"{design.series.term}, or cens() and trunc()"
        )


def _check_unordered(family: Family, design: Design) -> None:
    if design.offset is not None:
        raise DataError(
            f"family {family.name!r} has several linear predictors, and takes no offset"
        )
    for each in design.groupings:
        if each.heavy and design.alike:
            raise DataError(
                f"family {family.name!r} has effects for each category, and gr({each.name}, "
                "dist='student') one number of degrees of freedom: leave dist out"
            )
    if "category" in design.frame:
        raise DataError(
            f"results of family {family.name!r} have a dim 'category': rename the column of that "
            "name, data.rename(columns={'category': ...})"
        )
