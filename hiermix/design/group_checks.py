"""What grouping factors, their labels and new levels must be, one rule a function."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import kinds
from hiermix.design.checks import warn
from hiermix.errors import DataError, at_rows, count, first_three

type Labels = NDArray[np.object_]


FEW_LEVELS = 5


RESERVED = {"chain": "ArviZ", "draw": "ArviZ"}
"""Names that a grouping factor can't take, and who takes them."""


def plain_label(name: str, label: object) -> None:
    """Raise because a label is no text, number, truth value or date."""
    kind = type(label).__name__
    raise DataError(
        f"labels of {name!r} are {kind.removesuffix('s')}s, such as {label!r}: make them text with "
        f"data[{name!r}].astype(str)"
    )


def labels_read_apart(name: str, labels: Iterable[object]) -> None:
    """Raise if two labels are written the same way, as 1 and '1' are."""
    labels = list(labels)
    if kinds.are_text(labels) and len(set(labels)) == len(labels):
        return  # at once, for there may be millions; pairs may be the same text twice
    seen: dict[str, object] = {}
    for label in labels:
        other = seen.setdefault(kinds.spelled(label), label)
        if other is not label:
            raise DataError(
                f"labels {_typed(other)} and {_typed(label)} of {name!r} read the same: "
                "make all of them one type"
            )


def no_mixed_truth(name: str, values: pd.Series) -> None:
    """Raise where True stands beside 1, or False beside 0: to Python they are one label."""
    if not is_mixed(values):
        return
    first: dict[int, object] = {}
    for label in values:
        if isinstance(label, bool | int | float) and label in (0, 1):
            other = first.setdefault(int(label), label)
            if isinstance(other, bool) != isinstance(label, bool):
                raise DataError(
                    f"labels {_typed(other)} and {_typed(label)} of {name!r} read the same: "
                    "make all of them one type"
                )


def is_mixed(values: pd.Series) -> bool:
    """Tell, in C and so quickly, whether a column holds Python objects of several types."""
    boxed = pd.api.types.is_object_dtype(values.dtype)
    return boxed and pd.api.types.infer_dtype(values, skipna=True).startswith("mixed")


def _typed(label: object) -> str:
    kind = "text" if isinstance(label, str) else type(label).__name__
    return f"{label!r} ({kind})"


def several_levels(name: str, levels: Sequence[object], term: str) -> None:
    """Raise for one level: the spread between groups needs two or more."""
    if len(levels) == 1:
        raise DataError(
            f"grouping column {name!r} has one level ({levels[0]!r}): the spread between groups "
            f"can't be learned. Drop {term}."
        )


def is_grouping(name: str, values: pd.Series, levels: int) -> bool:
    """Warn of a continuous column, seldom a group; return whether it passed."""
    rows = len(values)
    continuous = isinstance(values.dtype, np.dtype) and values.dtype.kind == "f"
    if not continuous or 2 * levels <= rows or (values == values.round()).all():
        return True
    warn(f"column {name!r} has {levels:,} different values in {count(rows, 'row')}: is it a group?")
    return False


def fewer_levels_than_rows(name: str, levels: int, rows: int) -> None:
    """Warn of one row per group: the spread between groups and sigma are one."""
    if levels == rows:
        warn(
            f"{name!r} has as many levels as rows ({rows:,}): its sd can't be told from sigma, "
            "only the priors tell them apart"
        )


def not_in_both_parts(name: str) -> None:
    """Warn of a grouping factor that is a population factor too."""
    warn(
        f"{name!r} is a grouping factor and a population factor: it is in the model twice, "
        "and only the priors tell the two apart. Keep one."
    )


def few_levels(name: str, levels: int) -> str:
    """Return a remark for the summary where a spread is learned from few groups, or ``""``."""
    if levels >= FEW_LEVELS:
        return ""
    return (
        f"{name!r} has {count(levels, 'level')}: with fewer than {FEW_LEVELS} the spread between "
        f"groups is learned mostly from the prior of sd_{name}"
    )


def free_names(names: Sequence[str]) -> None:
    """Raise for names of grouping factors that can't be names of dimensions."""
    for name in names:
        if name in RESERVED:
            raise DataError(
                f"grouping column {name!r}: the name is reserved by {RESERVED[name]}. "
                f"Rename the column, for example to {name + '_id'!r}."
            )
    for name in names:
        of_effects = [f"{kind}_{name}" for kind in ("sd", "cor", "df", "r")]
        for taken in (f"{name}_effect", f"{name}_term", *of_effects):
            if taken in names:
                raise DataError(
                    f"grouping columns {name!r} and {taken!r}: {taken!r} is reserved for the "
                    f"effects of {name!r}. Rename one of them."
                )


def names_apart(shown: Sequence[str], columns: Sequence[str]) -> None:
    """Raise for two columns whose names are one in results."""
    seen: dict[str, str] = {}
    for name, column in zip(shown, columns, strict=True):
        other = seen.setdefault(name, column)
        if other != column:
            raise DataError(
                f"columns {other!r} and {column!r} have one name in results, {name!r}, where / is "
                "no letter: rename one of them"
            )


def distinct_effects(name: str, labels: Sequence[str]) -> None:
    """Raise if an effect varies over a factor twice."""
    seen: set[str] = set()
    for label in labels:
        if label in seen:
            raise DataError(f"group terms repeat {label!r} for {name!r}: keep it in one term")
        seen.add(label)


def curves_alone(name: str, labels: Sequence[str], curves: Sequence[str]) -> None:
    """Raise if intercepts vary over a factor whose levels have curves: these have their own."""
    if curves and "Intercept" in labels:
        raise DataError(
            f"{curves[0]} has an intercept for each level of {name!r}: leave (1 | {name}) out, and "
            f"write (0 + x | {name}) for slopes of other columns"
        )


def unseen_levels(name: str, new_levels: Sequence[object] | Labels, new_groups: str) -> None:
    """Raise, under the policy ``"error"``, for labels that were not in the fit."""
    if new_groups != "error" or not len(new_levels):
        return
    were = "label" if len(new_levels) == 1 else "labels"
    raise DataError(
        f"{len(new_levels):,} {were} of {name!r} {'was' if len(new_levels) == 1 else 'were'} not "
        f"in the fit: {first_three(new_levels)}. "
        "new_groups='population' sets their effect to zero, 'sample' draws it from the fitted "
        "spread."
    )


def unrelated_levels(
    name: str, matrix: str, new_levels: Sequence[object] | Labels, new_groups: str
) -> None:
    """Raise for labels whose covariance with the levels of the fit nobody knows."""
    if len(new_levels) and new_groups != "population":
        raise DataError(
            f"{count(len(new_levels), 'label')} of {name!r} not in data2[{matrix!r}]: "
            f"{first_three(new_levels)}. Their covariance with the levels of the fit isn't known: "
            "fit with a matrix that has them, which needs no rows of theirs. "
            "new_groups='population' sets their effect to zero."
        )


def missing_labels(
    name: str, missing: NDArray[np.bool_], new_groups: str, index: pd.Index | None = None
) -> None:
    """Raise for missing labels unless the policy says what a group without data does."""
    rows = np.flatnonzero(missing)
    if len(rows) and new_groups not in ("population", "sample"):
        raise DataError(
            f"column {name!r} has {count(len(rows), 'missing label')} {at_rows(rows, index)}. "
            "new_groups='population' sets their effect to zero, 'sample' draws it from the fitted "
            "spread."
        )
