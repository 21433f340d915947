"""Rows of a group that differ in one column: what moves with it, and where others are held."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hiermix.design.design import Design
from hiermix.design.groupings import Grouping

_MOST = 400
"""Values of x at which a curve is drawn where other columns move with it."""


def moving(design: Design, grouping: Grouping, x: str) -> tuple[list[str], list[str]]:
    """Return the columns that move with x: those that it determines, and those of each group.

    One is determined, as the month is by the date, if rows of equal x agree in it and groups share
    values of x. One is a group's own, as age is beside the year, if within every group it rises, or
    falls, whenever x rises. Held where another one moves, a column of time would tell of days that
    are no days.
    """
    if x not in design.frame:
        return [], []
    place = grouping.factor.level_of_rows()
    frame, codes = design.frame, pd.Series(place, index=design.frame.index)
    aside = {x, *design.response_columns, *grouping.columns}
    others = [str(name) for name in frame if name not in aside and len(frame[name].unique()) > 1]
    groups_of_x = codes.groupby(frame[x], observed=True).agg(lambda each: len(each.unique()))
    known = bool((groups_of_x > 1).mean() > 0.5) and len(groups_of_x) > 2
    pairs = {name: len(frame[[x, name]].drop_duplicates()) for name in others}
    determined = [name for name in others if known and pairs[name] == len(groups_of_x)]
    rest = [name for name in others if name not in determined]
    return determined, [name for name in rest if _in_step(frame[x], frame[name], codes)]


def _in_step(x: pd.Series, other: pd.Series, codes: pd.Series) -> bool:
    """Tell whether one column follows another, up or down, within every group that can tell."""
    if not all(_is_number(each) for each in (x, other)):
        return False
    pairs = pd.DataFrame({"x": _numbers(x), "other": _numbers(other), "code": codes.to_numpy()})
    ranks = pairs.groupby("code").rank()
    many = pairs.groupby("code")["x"].transform("nunique") > 2
    if not many.any():
        return False
    centred = ranks[many] - ranks[many].groupby(pairs["code"][many]).transform("mean")
    same = np.isclose(centred["x"], centred["other"])
    turned = np.isclose(centred["x"], -centred["other"])
    return bool(same.all() or turned.all())


def _is_number(values: pd.Series) -> bool:
    return values.dtype.kind in "iufM" and isinstance(values.dtype, np.dtype)


def _numbers(values: pd.Series) -> np.ndarray:
    return values.to_numpy().astype(np.int64 if values.dtype.kind == "M" else np.float64)


def at_observed(values: pd.Series) -> list[Any]:
    """Return the values of a column in order, or some of them if they are very many."""
    known = np.sort(values.unique())
    return list(known[np.unique(np.linspace(0, len(known) - 1, _MOST).astype(int))])


def rows(
    design: Design,
    grouping: Grouping,
    level: object,
    x: str,
    grid: Sequence[Any],
    along: tuple[list[str], list[str]],
) -> pd.DataFrame:
    """Return rows of one level along x; its own rows where x is no column of the formula."""
    mine: np.ndarray = grouping.rows_of(level)
    own = design.frame[mine].drop(columns=list(design.response_columns))
    if x not in design.frame:
        own = own.assign(**{x: design.others[x][mine]})
        ordered: pd.DataFrame = own.sort_values(x, kind="stable", ignore_index=True)
        return ordered
    held: pd.DataFrame = own.iloc[[0] * len(grid)].reset_index(drop=True)
    determined, each = along
    for name in own.columns.difference(list(grouping.columns)):
        if name in determined:
            known = design.frame.drop_duplicates(x).set_index(x)[name]
            held[name] = known.reindex(list(grid)).array
        elif name in each:
            held[name] = _interpolated(own[x], own[name], grid)
        else:
            whole = name == design.formula.beside.trials
            held[name] = own[name].mode().iloc[0] if whole else typical(own[name])
    held[x] = pd.Series(grid).astype(own[x].dtype if own[x].dtype.kind not in "iu" else float)
    return held


def _interpolated(x: pd.Series, other: pd.Series, grid: Sequence[Any]) -> Any:
    """Return the other column at values of x, on a line beyond the group's own."""
    points = pd.DataFrame({"x": _numbers(x), "other": _numbers(other)}).groupby("x").mean()
    known, values = points.index.to_numpy(dtype=float), points["other"].to_numpy()
    at = _numbers(pd.Series(grid, dtype=x.dtype if x.dtype.kind == "M" else float)).astype(float)
    found = np.interp(at, known, values)
    if len(known) > 1:
        slope = (values[-1] - values[0]) / (known[-1] - known[0])
        found += slope * (at - np.clip(at, known[0], known[-1]))
    if other.dtype.kind == "M":
        return pd.Series(found.astype(np.int64)).astype(other.dtype)
    return found


def typical(column: pd.Series) -> Any:
    """Return the mean of real numbers, and the most frequent of whole numbers and labels."""
    if pd.api.types.is_float_dtype(column.dtype):
        return float(column.mean())
    return column.mode().iloc[0]
