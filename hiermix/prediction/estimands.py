"""Which groups an answer is about: these, a typical one, a new one, or all that there could be."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.design import kinds
from hiermix.design.batches import Rows
from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.design.shared_levels import SharedLevels
from hiermix.errors import ArgumentError, DataError, at_rows, count, first_three
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import predict
from hiermix.prediction.averages import Source
from hiermix.prediction.population_average import population_average
from hiermix.typing import FloatArray

OVER = ("these groups", "typical group", "new group", "population")
NEW_GROUP = "new group"
"""The label by which a new group has its random effects."""


def check_over(over: str) -> str:
    """Return the option `over`, which names an estimand."""
    options.one_of("over", over, OVER)
    return over


def source_of(posterior: Posterior, frame: pd.DataFrame, over: str) -> Source:
    """Return what is expected of rows under an estimand."""
    rows = _encoded(posterior.design, frame, over)
    on = posterior.on(replace(rows, trials=None))  # successes are answered as shares
    if over == "population":
        return population_average(on)
    effects = "none" if over == "typical group" else "all"
    return predict.predictor(on, group_effects=effects, new_groups="sample")


def label_columns(design: Design) -> tuple[str, ...]:
    """Return the columns that name groups."""
    return tuple(dict.fromkeys(name for each in design.groupings for name in each.columns))


def _encoded(design: Design, frame: pd.DataFrame, over: str) -> Design:
    """Put rows through the encoding of the fit; labels count for these groups alone."""
    if over == "these groups":
        rows = design.on(frame, new_groups="population")
        for each in rows.groupings:
            _check_known(each)
        return rows
    told = {*design.predictors, *_memberships(design, frame)}
    some = {name: [_label(design, name)] * len(frame)
            for name in label_columns(design) if name not in told}  # fmt: skip
    rows = design.on(frame.assign(**some))
    return replace(rows, groupings=tuple(_in_new_groups(each, told) for each in rows.groupings))


def _memberships(design: Design, frame: pd.DataFrame) -> set[str]:
    """Return columns that tell how many groups of a factor a row has, and how much of each."""
    shared = (each.columns for each in design.groupings if isinstance(each, SharedLevels))
    return {name for columns in shared if frame.columns.isin(columns).sum() == len(columns)
            for name in columns}  # fmt: skip


def _label(design: Design, name: str) -> Any:
    """Return a label of a column; it counts for nothing."""
    if design.rows:
        return design.frame[name].iloc[0]
    return next((each.levels[0] for each in design.groupings if each.columns == (name,)), "")


def _in_new_groups(grouping: Grouping, told: set[str]) -> Grouping:
    label = ":".join([NEW_GROUP] * len(grouping.columns))
    known = told.issuperset(grouping.columns)
    return grouping.in_new(label) if known else grouping.in_one_new(label)


_WAYS = (
    "over='population', 'typical group' and 'new group' are about groups that were not in the fit"
)


def _check_known(grouping: Grouping) -> None:
    """Raise where over='these groups' meets other groups, or none."""
    new = grouping.new_levels
    if len(new):
        were = "label" if len(new) == 1 else "labels"
        raise DataError(
            f"{len(new):,} {were} of {grouping.name!r} {'was' if len(new) == 1 else 'were'} not in "
            f"the fit: {first_three(new)}. {_WAYS}."
        )
    missing = grouping.unlabelled
    if len(missing):
        raise DataError(
            f"column {grouping.name!r} has {count(len(missing), 'missing label')} "
            f"{at_rows(missing)}. {_WAYS}."
        )


_MOST = 20_000_000
"""Rows of a grid in all of the fitted groups."""


# Rows without a group ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Spread:
    """Rows repeated for the fitted groups: each for those that it can be in."""

    frame: pd.DataFrame
    origin: Rows = slice(None)
    """The row that each one repeats."""
    share: FloatArray | float = 1.0
    """The share of the fitted rows that are in its groups, of those that the origin can be in."""


def over_these_groups(design: Design, frame: pd.DataFrame) -> Spread:
    """Repeat rows of a grid for the fitted groups, with the share of rows that these have."""
    names = label_columns(design)
    missing = [name for name in names if name not in frame]
    if not missing:
        return Spread(frame)
    design.check_rows(f"an average over {', '.join(map(repr, missing))}")
    shared = [name for name in names if name in frame]
    counts = design.frame[list(names)].value_counts(sort=False, dropna=False)
    known = _keyed(counts.rename("rows_").reset_index(), shared)
    by = known.groupby(["key_", *missing], observed=True, sort=False)["rows_"]
    asked = pd.DataFrame({"key_": _keyed(frame, shared)["key_"], "origin_": np.arange(len(frame))})
    pairs = asked.merge(by.agg("sum").reset_index(), on="key_", how="left", sort=False)
    _check_there(frame, shared, pairs)
    if len(pairs) > _MOST:
        raise ArgumentError(
            f"{count(len(frame), 'row')} of a grid, each in all of the fitted groups, make "
            f"{len(pairs):,} rows: name groups in the grid, ask for fewer values, or over another "
            "estimand, over='population'"
        )
    origin = pairs["origin_"].to_numpy()
    rows = frame.iloc[origin].reset_index(drop=True)
    rows = rows.assign(**{name: pairs[name].array for name in missing})
    number = pairs["rows_"].to_numpy(dtype=np.float64)
    return Spread(rows, origin, number / np.bincount(origin, number)[origin])


def _keyed(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Add a text by which rows of equal labels are found, however they are written."""
    key = pd.Series("", index=frame.index)
    for name in names:
        key += kinds.stored(frame[name]).astype(object).map(kinds.spelled) + "\x1f"
    return frame.assign(key_=key)


def _check_there(frame: pd.DataFrame, shared: Collection[str], pairs: pd.DataFrame) -> None:
    lost = np.flatnonzero(pairs["rows_"].isna())
    if len(lost):
        first = frame.iloc[pairs["origin_"].iloc[lost[0]]]
        label = ", ".join(f"{name}={first[name]!r}" for name in shared)
        raise DataError(f"no fitted row has {label}: there are no such groups. {_WAYS}.")
