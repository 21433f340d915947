"""Columns that can be told apart, and are finite."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
import pandas as pd

from hiermix.design import column_checks
from hiermix.design.groupings import Grouping
from hiermix.design.plan import Plan
from hiermix.design.specs import Spec, finite_slices
from hiermix.formula.equations import MU, EquationText
from hiermix.formula.sums import columns
from hiermix.typing import FloatArray

_DEPENDENT = 1e-11
"""A column is dependent if this is the sine of its angle to the span of those before it."""


_SHARE = 1e-8
"""The smallest share of another column that counts as part of a combination."""


def told_apart(plan: Plan, equation: EquationText, encoded: pd.DataFrame, index: pd.Index) -> Spec:
    """Return an equation's columns without those that empty cells leave undetermined.

    Raise if a column is no number somewhere, or a combination of those before it for any other
    reason.
    """
    spec = plan.populations[equation.name]
    constants = int(spec.beside_threshold)
    labels = ("Intercept",) * constants + spec.labels
    column_checks.distinct_terms(labels)
    for column in columns(equation.population):
        levels = plan.encodings[column].levels
        if levels is not None and len(levels) == 1 and "Intercept" in labels:
            column_checks.one_level(column, levels[0])
    if labels in ((), ("Intercept",)):
        return spec
    triangle = np.empty((0, len(labels)))
    for X in finite_slices(spec, encoded, index):
        X = np.column_stack([np.ones((len(X), constants)), X])
        # One QR decomposition, slice by slice: unlike X'X it doesn't square the condition number.
        triangle = np.linalg.qr(np.vstack([triangle, X]), mode="r")
    return without_dependent(
        spec,
        triangle,
        lambda place: float(spec.matrix(encoded.iloc[:1])[0, place]),
        constants=constants,
    )


def without_dependent(
    spec: Spec,
    triangle: FloatArray,
    first: Callable[[int], float],
    least: float = _DEPENDENT,
    constants: int = 0,
) -> Spec:
    """Return a spec without columns that empty cells leave undetermined; raise for others.

    Parameters
    ----------
    spec
        Of the population.
    triangle
        Any matrix whose columns have the lengths and angles of those of X.
    first
        The value of a column in some row.
    least
        The sine of an angle at which a column is taken for a combination of others.
    constants
        How many columns stand before those of the spec: an intercept that is none of its terms.
    """
    labels = ("Intercept",) * constants + spec.labels
    lengths = np.abs(triangle).max(axis=0)
    triangle = triangle / np.where(lengths > 0, lengths, 1.0)  # units don't matter
    excused = frozenset().union(*(each.places for each in spec.cells))
    dependent = dependent_columns(triangle, least)
    own = [place - constants for place in dependent]
    for place, mine in zip(dependent, own, strict=True):
        if mine not in excused:
            _refuse_dependent(triangle, labels, place, dependent, first(mine))
    return spec.without(own)


def dependent_columns(triangle: FloatArray, least: float) -> list[int]:
    """Return the columns that are combinations of those before them."""
    basis = np.empty((len(triangle), 0))
    found = []
    for place, column in enumerate(triangle.T):
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)  # once more: what rounding left
        length = np.linalg.norm(rest)
        if length <= least * np.linalg.norm(column):
            found.append(place)
        else:
            basis = np.column_stack([basis, rest / length])
    return found


def _refuse_dependent(
    triangle: FloatArray, labels: Sequence[str], place: int, dependent: Sequence[int], first: float
) -> None:
    """Raise for a column that is constant, or a combination of others, and name those."""
    before = [other for other in range(place) if other not in dependent]
    if len(before) == len(triangle):  # these give any column, of so many rows
        column_checks.more_terms_than_rows(len(labels), len(triangle))
    column = triangle[:, place]
    shares = np.linalg.lstsq(triangle[:, before], column, rcond=None)[0]
    large = np.abs(shares) > _SHARE * np.linalg.norm(column)
    named = [labels[other] for other, counts in zip(before, large, strict=True) if counts]
    if named in ([], ["Intercept"]):
        column_checks.constant_term(labels[place], first, intercept=bool(named))
    column_checks.dependent_term(labels[place], [name for name in named if name != "Intercept"])


def check_effects(
    plan: Plan, encoded: pd.DataFrame, index: pd.Index, factors: Collection[str]
) -> None:
    """Raise if a varying column is no number somewhere."""
    check_rows([spec for name in factors for spec in plan.effects[name]], encoded, index)


def check_varying(plan: Plan, encoded: pd.DataFrame, grouping: Grouping, index: pd.Index) -> None:
    """Raise if a column that varies beside the intercept of its group is constant.

    Other combinations may stand in group terms: each block has a spread of its own.
    """
    if "Intercept" not in grouping.effects or set(grouping.effects) <= set(
        plan.populations[MU].labels
    ):
        return
    for spec in plan.effects[grouping.name]:
        ranges = [(Z.min(axis=0), Z.max(axis=0)) for Z in finite_slices(spec, encoded, index)]
        low, high = np.min(ranges, axis=(0, 1)), np.max(ranges, axis=(0, 1))
        for label, least, most in zip(spec.labels, low, high, strict=True):
            if least == most and label not in ("Intercept", *spec.ones):
                column_checks.constant_term(label, float(least), intercept=True)


def check_rows(specs: Sequence[Spec], encoded: pd.DataFrame, index: pd.Index) -> None:
    """Raise if what a spec computes is no finite number somewhere."""
    for spec in specs:
        if spec.computes:  # the frame's own columns were found finite before
            for _ in finite_slices(spec, encoded, index):
                pass
