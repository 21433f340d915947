"""Splines and polynomials for formulas: formulaic's, centred, refused in plain words."""

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
    if df is not None and knots is not None:
        raise ArgumentError("bs() takes df or knots, not both")
    _at_least("bs", df, degree + bool(include_intercept))
    _within("bs", x, knots, extrapolation, state, lower_bound, upper_bound)
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
    _within(name, x, knots, extrapolation, state, lower_bound, upper_bound)
    return {
        "df": df, "knots": knots, "lower_bound": lower_bound, "upper_bound": upper_bound,
        "extrapolation": extrapolation, "_state": state,
    }  # fmt: skip


def _remembers(function: Any) -> None:
    """Mark a transform that remembers the fit, as formulaic looks for it."""
    function.__is_stateful_transform__ = True
    function.get_required_variables = lambda *_, **__: ()


def _one_of(name: str, df: int | None, knots: Numbers | None) -> None:
    if (df is None) == (knots is None):
        raise ArgumentError(f"{name}() takes df, the number of columns, or knots: write {name}"
                            "(x, df=5)")  # fmt: skip


def _at_least(name: str, df: int | None, least: int) -> None:
    if df is not None and df < least:
        raise ArgumentError(f"{name}(): df is a whole number from {least} up, not {df}")


def _within(
    name: str,
    x: Any,
    knots: Numbers | None,
    extrapolation: str,
    state: dict[str, Any],
    lower_bound: float | None,
    upper_bound: float | None,
) -> None:
    """Raise for knots outside the bounds, and for values there unless it is said what holds."""
    values = np.asarray(x, dtype=np.float64)
    low, high = state.get("lower_bound", lower_bound), state.get("upper_bound", upper_bound)
    low, high = (np.min(values) if low is None else low), (np.max(values) if high is None else high)
    if not low < high:
        raise ArgumentError(f"{name}(): bounds {low:g} and {high:g} leave nothing between them")
    off = [knot for knot in knots or () if not low < knot < high]
    if off:
        raise ArgumentError(
            f"{name}(): knots lie between the bounds {low:g} and {high:g}, not at "
            f"{first_three(off)}"
        )
    if len(set(knots or ())) < len(knots or ()):
        raise ArgumentError(f"{name}(): knots repeat: {first_three(sorted(knots or ()))}")
    outside = values[(values < low) | (values > high)]
    if len(outside) and extrapolation == "raise":
        raise DataError(
            f"{name}() knows values from {low:g} to {high:g}, those of the fit or its bounds, and "
            f"{len(outside):,} lie outside: {first_three(outside.tolist())}. Say what holds there: "
            "extrapolation='extend', 'clip' or 'zero'."
        )


def poly(x: Any, degree: int = 1, raw: bool = False, *, _state: State = None, **_: Any) -> Any:
    """Return orthogonal polynomials of x, or its plain powers, those of R."""
    from formulaic.transforms import poly as of_library

    state = {} if _state is None else _state
    distinct = state.setdefault("distinct", len(np.unique(np.asarray(x, dtype=np.float64))))
    if degree >= distinct:
        raise ArgumentError(
            f"poly(): degree is below the number of distinct values, {distinct}, not {degree}"
        )
    return of_library(x, degree, raw, _state=state)


for _transform in (bs, cr, cc, poly):
    _remembers(_transform)
