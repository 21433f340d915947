"""Parameters of residuals that go together, in the place of sigma alone; what stands beside."""

from collections.abc import Mapping

import numpy as np

from hiermix.design.curve_factors import CurveFactor, main_factor
from hiermix.design.design import Design
from hiermix.design.joint_design import Responses
from hiermix.design.series import Series
from hiermix.errors import DataError, FormulaError, at_rows
from hiermix.families.own_parameter import OwnParameter
from hiermix.families.prior import Prior
from hiermix.formula.equations import MU
from hiermix.typing import FloatArray

MOST_BESIDE = 100
"""Effects and columns of smooths that are integrated out in one block, beside a factor."""
SDS, CORRELATIONS, RHO = "sd_residual", "cor_residual", "rho"


def parameters(design: Design, sigma: OwnParameter) -> tuple[OwnParameter, ...]:
    """Return the parameters of residuals that go together: sds, and what correlates them.

    Sds of positions have a default like sigma's; an equation of sigma says all sds.
    """
    series = design.series
    assert series is not None
    return (*_sds(design, series, sigma), _correlations(series))


def _sds(design: Design, series: Series, sigma: OwnParameter) -> tuple[OwnParameter, ...]:
    if any(each.name == sigma.name for each in design.equations):
        return ()
    if series.in_time:
        return (sigma,)
    apart = tuple(map(str, series.positions)) if isinstance(series.term, Responses) else ()
    return (OwnParameter(SDS, sigma.default, "log", size=len(series.positions), labels=apart),)


def _correlations(series: Series) -> OwnParameter:
    if series.in_time:
        default = _whole if series.even else _above_zero
        return OwnParameter(RHO, default, "within", least=series.least)
    T = len(series.positions)
    return OwnParameter(CORRELATIONS, _any_correlations, "correlations", size=T * (T - 1) // 2)


def _whole(scale: float) -> Prior:
    return Prior("normal", (0.0, 1.0), lower=-1.0, upper=1.0)


def _above_zero(scale: float) -> Prior:
    return Prior("beta", (1.0, 1.0))


def _any_correlations(scale: float) -> Prior:
    return Prior("lkj", (1.0,))


def sigma_of_rows(
    series: Series | None, own: Mapping[str, FloatArray], rows: slice | np.ndarray
) -> dict[str, FloatArray]:
    """Return sigma (n, S) of rows whose positions have sds (S, T) of their own; else nothing."""
    if SDS not in own:
        return {}
    if series is None:
        raise DataError("the new rows lack the columns of unstr(): each position has its own sd")
    return {"sigma": own[SDS][:, series.place[rows].astype(np.intp)].T}


def check(design: Design) -> None:
    """Raise for what can't stand beside residuals that go together.

    Raises
    ------
    FormulaError, DataError
        Weights, effects of sigma, several grouping factors, or series in several levels.
    """
    series = design.series
    assert series is not None
    for each in design.groupings:
        if len(design.equations) > 1 and any(name != MU for name in each.equations):
            raise FormulaError(
                f"{series.term} stands beside an equation of sigma without smooths or effects: "
                f"leave those of {each.name!r} out, or write what is in them as predictors"
            )
    if design.weights is not None and series.weight is None:
        raise DataError(
            f"{series.term} takes no weights: a row that counts twice has no place in its series"
        )
    plain = [each for each in design.groupings if not isinstance(each, CurveFactor)]
    _check_beside(series, design)
    for grouping in plain:
        if not grouping.factor.partitions:
            raise FormulaError(
                f"{series.term} stands beside factors of which each row has one level: leave "
                f"{grouping.name} out"
            )
        level = grouping.factor.gather(np.arange(grouping.factor.size))
        row, last, _ = series.before()
        apart = np.sort(row[level[row] != level[last]])
        if len(apart):
            way = "" if series.term.by else ": name series inside of them, by="
            raise DataError(
                f"{series.term}: a series has rows of several levels of {grouping.name!r} "
                f"{at_rows(apart, design.frame.index)}; it must lie within one{way}"
            )


def _check_beside(series: Series, design: Design) -> None:
    """Raise where what stands beside the factor of most effects is more than a block holds."""
    most = main_factor(design.groupings)
    beside = [each for each in design.groupings if each is not most]
    number = sum(each.total for each in beside)
    if number > MOST_BESIDE:
        names = ", ".join(repr(each.name) for each in beside)
        raise FormulaError(
            f"{series.term} takes {MOST_BESIDE} effects and columns of smooths beside one grouping "
            f"factor, and {names} {'has' if len(beside) == 1 else 'have'} {number}: leave some out"
        )
    for each in beside:
        if max(each.blocks, default=1) > 1:
            raise FormulaError(
                f"{series.term} has correlated effects of one factor, {most and most.name!r}: "
                f"write those of {each.name!r} with two bars, (x || {each.name})"
            )
