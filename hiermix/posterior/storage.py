"""Saves a fit as netCDF and loads it. Never pickle.

The file holds the columns that the formula used, dates, and columns that were named, so that a
loaded fit rebuilds its design and predicts without the original frame.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.design.design import Design
from hiermix.design.kinds import stored, what
from hiermix.design.known_ahead import Calendar
from hiermix.design.packing import decode, encode
from hiermix.errors import ArgumentError, did_you_mean
from hiermix.files import netcdf, read_tree, write_tree
from hiermix.posterior import effects_on_demand
from hiermix.posterior.on_demand import ON_DEMAND

if TYPE_CHECKING:
    import xarray as xr

FORMAT = 2
"""Version of the files that this code writes; files of a later one are refused."""
_INDEX = "(index)"
"""Name of the column that holds the index of the frame."""


def save(
    tree: "xr.DataTree",
    frame: pd.DataFrame,
    path: str | Path,
    calendar: Calendar | None = None,
    parts: "Mapping[str, xr.DataTree] | None" = None,
) -> None:
    """Write the tree, and further `parts`, to a temporary file, then rename it into place."""
    path = netcdf(path, "a fit")
    out = effects_on_demand.saved(tree.filter(lambda node: ON_DEMAND not in node.attrs))
    out.attrs = dict(tree.attrs)
    columns, kinds = encode(frame)
    out["constant_data"] = _tree_of(columns)
    out.attrs |= {"hiermix_format": FORMAT, "columns": json.dumps(kinds)}
    if calendar is not None:
        columns, kinds = encode(
            pd.DataFrame({name: stored(calendar.frame[name]) for name in calendar.frame})
        )
        out["calendar"] = _tree_of(columns)
        out.attrs["calendar"] = json.dumps({"keys": calendar.keys, "columns": kinds})
    for name, part in (parts or {}).items():
        out[name] = part
    write_tree(out, path)


def columns(design: Design, keep: Sequence[str] = ()) -> pd.DataFrame:
    """Return the columns that a saved fit has: those of the formula, dates, and those named."""
    others = design.others
    for name in options.names("keep", keep):
        if not design.has(name):
            near = did_you_mean(str(name), others.columns)
            raise ArgumentError(f"keep names {name!r}, not a column of the data.{near}")
    wanted = [name for name in others if isinstance(name, str)
              and (name in keep or what(stored(others[name])) == "dates")]  # fmt: skip
    frame = design.frame.assign(**{name: stored(others[name]) for name in wanted})
    index = frame.index
    if isinstance(index, pd.RangeIndex | pd.MultiIndex):
        return frame
    return frame.assign(**{_INDEX: stored(pd.Series(index, index=index))})


def load(path: str | Path) -> tuple["xr.DataTree", pd.DataFrame, Calendar | None]:
    """Read a tree, the frame of the columns used, and the calendar.

    Raises
    ------
    DataError
        The file is missing, truncated, not a fit of hiermix, or from a newer version.
    """
    tree = read_tree(path, "a fit", "hiermix_format", FORMAT)
    frame = decode(tree["constant_data"].to_dataset(), json.loads(tree.attrs["columns"]))
    frame = frame.set_index(_INDEX).rename_axis(None) if _INDEX in frame else frame
    if "calendar" not in tree.children:
        return tree, frame, None
    said = json.loads(tree.attrs["calendar"])
    known = decode(tree["calendar"].to_dataset(), said["columns"])
    return tree, frame, Calendar(known, tuple(said["keys"]))


def _tree_of(columns: Mapping[str, np.ndarray]) -> "xr.DataTree":
    import xarray as xr

    return xr.DataTree(xr.Dataset({name: (("row",), array) for name, array in columns.items()}))
