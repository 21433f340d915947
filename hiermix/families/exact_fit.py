"""Responses that the design gives without error: nothing is left for a residual to be.

As where a group's figure stands on each of its rows: the density then grows without bound as sigma
goes to zero, and there is no posterior. Found on the scale on which the family is nearly additive.
"""

import numpy as np

from hiermix.design.curve_factors import as_factors
from hiermix.design.design import Design
from hiermix.design.factor import Factor
from hiermix.design.groupings import Grouping
from hiermix.errors import DataError, count
from hiermix.families.family import Family
from hiermix.families.linear_scale import less_offset
from hiermix.formula.equations import MU
from hiermix.typing import FloatArray

_ROUNDING = 1e-12
"""Residuals of exact sums, relative to the response."""
_ROWS = 5_000
"""Rows of whole groups that are looked at first: an exact design is exact there too."""


def check(design: Design, family: Family) -> None:
    """Raise a DataError if population terms, or they and one factor, leave no residual."""
    _check_predictors(design)
    if design.limits.se is not None:  # what is left has a variance that is known
        return
    if not family.vanishing or design.response is None or design.censored is not None:
        return
    rows, P = len(_all(design)), len(as_factors(design).terms)  # what bends curves is held
    if rows <= P:
        raise DataError(
            f"{count(rows, 'row')} and {count(P, 'population coefficient')} leave no residual to "
            "learn: the coefficients give every row exactly. Drop a term, or add rows"
        )
    y = less_offset(family.additive(design.response), design)
    factors = [each for each in design.groupings if each.factor.partitions]
    for grouping in factors or (None,):
        some = _whole_groups(design, grouping)
        if _is_exact(design, grouping, y, some) and _is_exact(design, grouping, y, _all(design)):
            raise DataError(_sentence(design, grouping, y))


def _check_predictors(design: Design) -> None:
    """Raise where the equation of a predictor with missing values leaves no residual."""
    for each in design.imputed:
        known = np.setdiff1d(np.arange(design.rows), each.lacking)
        factors = [one for one in design.groupings if one.of_equation(each.name)]
        for grouping in factors or (None,):
            partitions = grouping is None or grouping.factor.partitions
            if partitions and _is_exact(design, grouping, each.filled, known, each.name):
                beside = "" if grouping is None else f" and the coefficients of {grouping.name!r}"
                raise DataError(
                    f"{each.name} | mi(): {each.name!r} is an exact sum of the terms of its "
                    f"equation{beside} in all {count(len(known), 'row')} that have it: there is "
                    "no residual, and nothing to draw missing values from. A figure of a group, "
                    "which stands on each of its rows, is filled in by group before"
                )


def _all(design: Design) -> np.ndarray:
    used = np.ones(design.rows, bool) if design.weights is None else design.weights > 0
    return np.flatnonzero(used)


def _whole_groups(design: Design, grouping: Grouping | None) -> np.ndarray:
    rows = _all(design)
    if grouping is None or len(rows) <= _ROWS:
        return rows[:_ROWS]
    many = grouping.factor.counts(rows)
    # Large groups first: small ones may be fitted exactly by their own coefficients.
    order = np.argsort(-many, kind="stable")
    last = int(np.searchsorted(np.cumsum(many[order]), _ROWS))
    kept = np.zeros(len(many), dtype=bool)
    kept[order[: last + 1]] = True
    return np.asarray(rows[grouping.factor.gather(kept, rows)])


def _is_exact(
    design: Design,
    grouping: Grouping | None,
    y: FloatArray,
    rows: np.ndarray,
    equation: str = MU,
) -> bool:
    """Whether rows are fitted exactly though there are more of them than coefficients."""
    known = design.X(rows, equation)
    columns = np.column_stack([y[rows, None], known])
    size = float(np.abs(y[rows]).max(initial=0.0))
    used = 0
    if grouping is not None:
        factor, Z = grouping.factor.on(rows), design.Z(grouping.name, rows)
        if equation != MU:
            Z = Z[:, [grouping.places[k] for k in grouping.of_equation(equation)]]
        for _ in range(2):  # once more, for what rounding left
            columns, used = _without_groups(columns, Z, factor)
    left, X = columns[:, 0], columns[:, 1:]
    X = X / np.maximum(np.abs(known).max(axis=0, initial=0.0), 1e-300)
    values, vectors = np.linalg.eigh(X.T @ X)
    kept = values > 1e-10 * max(len(rows), 1)
    inverse = vectors[:, kept] / values[kept] @ vectors[:, kept].T
    for _ in range(3):
        left = left - X @ (inverse @ (X.T @ left))
    spare = len(rows) - used - int(kept.sum())
    return spare > 0 and bool(np.abs(left).max(initial=0.0) <= _ROUNDING * size)


def _without_groups(columns: FloatArray, Z: FloatArray, factor: Factor) -> tuple[FloatArray, int]:
    """Residuals of columns, regressed on Z in each group; and how many coefficients that took."""
    Z = Z / np.maximum(np.abs(Z).max(axis=0), 1e-300)
    values, vectors = np.linalg.eigh(factor.products(Z, Z, symmetric=True))
    kept = values > 1e-10 * np.maximum(values[:, -1:], 1e-300)
    inverse = (vectors * np.where(kept, 1 / np.where(kept, values, 1.0), 0.0)[:, None]) @ (
        np.swapaxes(vectors, 1, 2)
    )
    left = np.empty_like(columns)
    for place, column in enumerate(columns.T):
        s = factor.scatter(Z * column[:, None])
        beta = (inverse @ s[..., None])[..., 0]
        left[:, place] = column - np.sum(Z * factor.gather(beta), axis=1)
    return left, int(kept.sum())


def _sentence(design: Design, grouping: Grouping | None, y: FloatArray) -> str:
    name = design.response_name
    if grouping is None:
        return (
            f"response {name!r} is an exact sum of the population terms in all {design.rows:,} "
            "rows: there is no residual to learn. Is it computed from them?"
        )
    factor = grouping.factor
    if np.allclose(y, factor.gather(factor.one_of(y)), rtol=1e-12, atol=0):
        filled = int(np.count_nonzero(factor.counts()))
        return (
            f"response {name!r} has one value in each of the {count(filled, 'level')} of "
            f"{grouping.name!r}: a group's figure on each of its rows leaves no residual to learn. "
            f"Keep one row a level and drop the bar of {grouping.name!r}"
        )
    return (
        f"response {name!r} is an exact sum of the population terms and the coefficients of "
        f"{grouping.name!r} in all {design.rows:,} rows: there is no residual to learn. Is it "
        "computed from them?"
    )
