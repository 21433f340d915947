"""Splines for formulas: formulaic's own, centred beside an intercept, refused in plain words."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from hiermix.errors import ArgumentError, DataError, first_three

type Numbers = Sequence[float]
type Outside = Literal["raise", "clip", "na", "zero", "extend"]
type State = dict[str, Any] | None

WHOLE = {"constraints": None}
"""State that has a natural or cyclic spline keep all columns: where no intercept stands beside."""
CONSTRAINTS = 5
"""Position of that argument."""
_OUTSIDE = ("raise", "clip", "na", "zero", "extend")


def bs(
    x: Any,
    df: int | None = None,
    knots: Numbers | None = None,
    degree: int = 3,
    include_intercept: bool = False,
    lower_bound: float | None = None,
    upper_bound: float | None = None,
    extrapolation: Outside = "raise",
    *,
    _state: State = None,
    **_: Any,
) -> Any:
    """Return B-splines of x, those of R and patsy."""
    from formulaic.transforms import basis_spline

    state = {} if _state is None else _state
    _whole("bs", "degree", degree, 0)
    _whole("bs", "df", df, degree + bool(include_intercept))
    _within("bs", x, extrapolation, state, lower_bound, upper_bound)
    bounds = {"lower_bound": lower_bound, "upper_bound": upper_bound}
    shape = {"degree": degree, "include_intercept": include_intercept}
    return basis_spline(x, df, knots, **shape, **bounds, extrapolation=extrapolation, _state=state)


def cr(
    x: Any,
    df: int | None = None,
    knots: Numbers | None = None,
    lower_bound: float | None = None,
    upper_bound: float | None = None,
    constraints: Any = "center",
    extrapolation: Outside = "extend",
    *,
    _state: State = None,
    **_: Any,
) -> Any:
    """Return a natural cubic spline of x; centred: over the rows of the fit its mean is zero."""
    from formulaic.transforms import natural_cubic_spline

    options = _cubic("cr", x, df, knots, lower_bound, upper_bound, extrapolation, _state)
    return natural_cubic_spline(x, **options, constraints=constraints)


def cc(
    x: Any,
    df: int | None = None,
    knots: Numbers | None = None,
    lower_bound: float | None = None,
    upper_bound: float | None = None,
    constraints: Any = "center",
    extrapolation: Outside = "extend",
    *,
    _state: State = None,
    **_: Any,
) -> Any:
    """Return a cyclic cubic spline of x, centred like `cr`: its ends meet."""
    from formulaic.transforms import cyclic_cubic_spline

    options = _cubic("cc", x, df, knots, lower_bound, upper_bound, extrapolation, _state)
    return cyclic_cubic_spline(x, **options, constraints=constraints)


def _cubic(
    name: str,
    x: Any,
    df: int | None,
    knots: Numbers | None,
    lower_bound: float | None,
    upper_bound: float | None,
    extrapolation: Outside,
    state: State,
) -> dict[str, Any]:
    """Check what cubic splines are given, and return it as formulaic takes it."""
    state = {} if state is None else state
    _one_of(name, df, knots)
    _whole(name, "df", df, 2)
    _within(name, x, extrapolation, state, lower_bound, upper_bound)
    return {
        "df": df, "knots": knots, "lower_bound": lower_bound, "upper_bound": upper_bound,
        "extrapolation": extrapolation, "_state": state,
    }  # fmt: skip


def _remembers(function: Any) -> None:
    """Mark a transform that remembers the fit, as formulaic looks for it."""
    function.__is_stateful_transform__ = True
    function.get_required_variables = lambda *_, **__: ()


for _spline in (bs, cr, cc):
    _remembers(_spline)


def _one_of(name: str, df: int | None, knots: Numbers | None) -> None:
    if (df is None) == (knots is None):
        raise ArgumentError(f"{name}() takes df, the number of columns, or knots: write {name}"
                            "(x, df=5)")  # fmt: skip


def _whole(name: str, option: str, value: object, least: int) -> None:
    """Raise unless an option is left out or a whole number, large enough."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ArgumentError(f"{name}(): {option} is a whole number from {least} up, not {value!r}")


def _within(
    name: str, x: Any, extrapolation: str, state: dict[str, Any], *bounds: float | None
) -> None:
    """Raise for values outside the bounds, unless it is said what holds there."""
    if extrapolation not in _OUTSIDE:
        known = ", ".join(map(repr, _OUTSIDE))
        raise ArgumentError(f"{name}(): extrapolation is {extrapolation!r}, not one of {known}")
    if extrapolation != "raise":
        return
    values = np.asarray(x, dtype=np.float64)
    low, high = (
        state.get(key, given)
        for key, given in zip(("lower_bound", "upper_bound"), bounds, strict=True)
    )
    low, high = (np.min(values) if low is None else low), (np.max(values) if high is None else high)
    outside = values[(values < low) | (values > high)]
    if len(outside):
        raise DataError(
            f"{name}() knows values from {low:g} to {high:g}, those of the fit or its bounds, and "
            f"{len(outside):,} lie outside: {first_three(outside.tolist())}. Say what holds there: "
            "extrapolation='extend', 'clip' or 'zero'."
        )
