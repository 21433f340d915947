"""Columns parted into what lies between groups and what lies within them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.design import checks, frames, kinds
from hiermix.design.codes import codes_of
from hiermix.errors import DataError, at_rows, count, first_three


def center_within(
    frame: frames.Frame,
    columns: str | Sequence[str],
    by: str | Sequence[str],
    *,
    means_of: frames.Frame | None = None,
) -> Any:
    """Part columns into the mean of their group and the deviation from it.

    For models that tell what happens within groups from what differs between them (Mundlak, 1978;
    Bell, Fairbrother and Jones, 2019): ``"y ~ x_within + x_between + (x_within | group)"``.

    Parameters
    ----------
    frame : DataFrame
        Of pandas, polars, pyarrow or what else hiermix reads.
    columns : str or sequence of str
        Columns of numbers.
    by : str or sequence of str
        Columns that name a group.
    means_of : DataFrame, optional
        Rows whose means of groups count, such as those of the fit for rows to be predicted; the
        frame's own by default.

    Returns
    -------
    DataFrame
        The frame, in its own library, with ``x_between`` and ``x_within`` for each column ``x``.

    Raises
    ------
    DataError
        Columns that are missing, hold no numbers or lack values; groups without a mean.
    """
    rows = frames.frame(frame)
    reference = rows if means_of is None else frames.frame(means_of)
    names, keys = list(options.names("columns", columns)), list(options.names("by", by))
    for each in (rows, reference):
        checks.known_columns([*names, *keys], each, "center_within")
        for name in (*names, *keys):
            _check(name, each[name], number=name in names)
    parts: dict[str, Any] = {}
    for name in names:
        values = kinds.numbers(rows[name])
        means = _means(rows, reference, name, keys)
        parts |= {f"{name}_between": means, f"{name}_within": values - means}
    if isinstance(frame, pd.DataFrame):
        return frame.assign(**parts)
    import narwhals as nw

    native = nw.from_native(frame)
    native = native.collect() if isinstance(native, nw.LazyFrame) else native
    made = [nw.new_series(name, each, backend=native.implementation)
            for name, each in parts.items()]  # fmt: skip
    return native.with_columns(*made).to_native()


def _check(name: str, values: pd.Series, *, number: bool) -> None:
    """Raise for a column that lacks values, or holds no numbers where means are taken."""
    missing = np.flatnonzero(values.isna())
    if len(missing):
        raise DataError(
            f"column {name!r} has {count(len(missing), 'missing value')} "
            f"{at_rows(missing, values.index)}: leave these rows out first, or means are of others"
        )
    if number and not kinds.is_numeric(kinds.stored(values)):
        raise DataError(f"column {name!r} has dtype {values.dtype}: means are of numbers")


def _means(rows: pd.DataFrame, reference: pd.DataFrame, name: str, keys: list[str]) -> Any:
    """Return the mean of its group for each row, by label."""
    codes, levels = codes_of(":".join(keys), tuple(keys), reference)
    values = kinds.numbers(reference[name])
    means = pd.Series(
        np.bincount(codes, values) / np.bincount(codes), index=list(map(kinds.spelled, levels))
    )
    mine, labels = codes_of(":".join(keys), tuple(keys), rows)
    wanted = list(map(kinds.spelled, labels))
    unseen = [label for label in wanted if label not in means.index]
    if unseen:
        raise DataError(
            f"{count(len(unseen), 'group')} of {':'.join(keys)!r} without rows in means_of: "
            f"{first_three(unseen)}"
        )
    return means.loc[wanted].to_numpy()[mine]
