"""Saves a fit as netCDF and loads it. Never pickle.

The file holds the columns that the formula used, dates, and columns that were named, so that a
loaded fit rebuilds its design and predicts without the original frame.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.design.design import Design
from hiermix.design.kinds import period_freq, stored, what
from hiermix.design.known_ahead import Calendar
from hiermix.errors import ArgumentError, DataError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr

ON_DEMAND = "on_demand"
"""Attribute of groups that are worked out again instead of saved."""
FORMAT = 2
"""Version of the files that this code writes; files of a later one are refused."""
_INDEX = "(index)"
"""Name of the column that holds the index of the frame."""
SUFFIXES = (".nc", ".nc4", ".netcdf", "")


def save(
    tree: "xr.DataTree", frame: pd.DataFrame, path: str | Path, calendar: Calendar | None = None
) -> None:
    """Write the tree to a temporary file beside `path`, then rename it into place."""
    path = options.path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ArgumentError(
            f"a fit is saved as netCDF, not as {path.suffix[1:]!r}: write "
            f"{str(path.with_suffix('.nc'))!r}"
        )
    out = tree.filter(lambda node: ON_DEMAND not in node.attrs)
    out.attrs = dict(tree.attrs)
    columns, kinds = _encode(frame)
    out["constant_data"] = _tree_of(columns)
    out.attrs |= {"hiermix_format": FORMAT, "columns": json.dumps(kinds)}
    if calendar is not None:
        columns, kinds = _encode(
            pd.DataFrame({name: stored(calendar.frame[name]) for name in calendar.frame})
        )
        out["calendar"] = _tree_of(columns)
        out.attrs["calendar"] = json.dumps({"keys": calendar.keys, "columns": kinds})
    with replacing(path) as temporary:
        out.to_netcdf(temporary, engine="h5netcdf")


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


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name in the same folder; rename it on success, remove it on failure."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise DataError(f"can't write {path}: {error.strerror or error}") from error
    os.close(handle)
    try:
        yield Path(name)
        os.replace(name, path)
    except OSError as error:
        raise DataError(f"can't write {path}: {error.strerror or error}") from error
    finally:
        Path(name).unlink(missing_ok=True)


def load(path: str | Path) -> tuple["xr.DataTree", pd.DataFrame, Calendar | None]:
    """Read a tree, the frame of the columns used, and the calendar.

    Raises
    ------
    DataError
        The file is missing, truncated, not a fit of hiermix, or from a newer version.
    """
    import xarray as xr

    path = options.path(path)
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise DataError(
            f"{path} can't be read as netCDF: it is truncated, or no file of a fit"
        ) from error
    version = tree.attrs.get("hiermix_format")
    if version is None:
        raise DataError(f"{path} is no fit saved by hiermix")
    if int(version) > FORMAT:
        raise DataError(
            f"{path} was written by a newer hiermix (format {version}; this one reads up to "
            f"{FORMAT}): upgrade hiermix"
        )
    frame = _decode(tree["constant_data"].to_dataset(), json.loads(tree.attrs["columns"]))
    frame = frame.set_index(_INDEX).rename_axis(None) if _INDEX in frame else frame
    if "calendar" not in tree.children:
        return tree, frame, None
    said = json.loads(tree.attrs["calendar"])
    known = _decode(tree["calendar"].to_dataset(), said["columns"])
    return tree, frame, Calendar(known, tuple(said["keys"]))


# Columns -----------------------------------------------------------------------------------------


def _encode(frame: pd.DataFrame) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """Columns as plain arrays, and what turns them back: names, dtypes, categories."""
    arrays: dict[str, np.ndarray] = {}
    kinds = []
    for position, name in enumerate(frame.columns):
        packed, kind = _pack(frame[name])
        arrays |= {f"column_{position}{part}": array for part, array in packed.items()}
        kinds.append({"name": str(name), **kind})
    return arrays, kinds


def _pack(column: pd.Series) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the plain arrays of a stored column by the ends of their names, and its kind."""
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        packed, kind = _pack(pd.Series(dtype.categories))
        levels = {part: array.tolist() for part, array in packed.items()}
        return {"": column.cat.codes.to_numpy()}, {
            "dtype": "category", "levels": levels, "of": kind, "ordered": bool(dtype.ordered)
        }  # fmt: skip
    if isinstance(dtype, pd.IntervalDtype):
        left, kind = _pack(pd.Series(column.array.left))
        right, _ = _pack(pd.Series(column.array.right))
        packed = {f"_{end}": packed[""] for end, packed in (("left", left), ("right", right))}
        return packed, {"dtype": "interval", "ends": kind, "closed": dtype.closed}
    if isinstance(dtype, pd.PeriodDtype):
        return {"": column.array.asi8}, {"dtype": "period", "freq": period_freq(dtype)}
    if isinstance(dtype, pd.DatetimeTZDtype):
        packed, kind = _pack(column.dt.tz_convert("UTC").dt.tz_localize(None))
        return packed, kind | {"zone": str(dtype.tz)}
    if dtype.kind in "Mm":
        return {"": column.to_numpy().view(np.int64)}, {"dtype": str(dtype)}
    if dtype.kind in "OUT" or isinstance(dtype, pd.StringDtype):
        texts, types = _texts(column)
        return {"": texts}, {"dtype": str(dtype), "types": types}
    wider = {"float16": np.float32, "float128": np.float64}.get(str(dtype), dtype)
    return {"": column.to_numpy().astype(wider)}, {"dtype": str(dtype)}


def _texts(column: pd.Series) -> tuple[np.ndarray, str]:
    """Objects as JSON texts; numbers among them stay numbers."""
    if all(isinstance(value, str) for value in column):
        return np.array(column.to_list(), dtype=str), "str"
    return np.array([json.dumps(value, default=str) for value in column], dtype=str), "json"


def _decode(columns: "xr.Dataset", kinds: list[Mapping[str, Any]]) -> pd.DataFrame:
    frame = {}
    for position, kind in enumerate(kinds):
        name = f"column_{position}"
        packed = {str(each).removeprefix(name): columns[each].to_numpy() for each in columns
                  if str(each) == name or str(each).startswith(f"{name}_")}  # fmt: skip
        frame[kind["name"]] = _unpack(packed, kind)
    return pd.DataFrame(frame)


def _unpack(packed: Mapping[str, Any], kind: Mapping[str, Any]) -> Any:
    """Return the column that `_pack` took apart, here or in version 0.1."""
    dtype = kind["dtype"]
    if dtype == "category":
        old = kind.get("categories")  # what 0.1 wrote
        levels = _unpack(kind["levels"], kind["of"]) if old is None else old
        whole = pd.CategoricalDtype(pd.Index(levels), ordered=kind["ordered"])
        return pd.Series(pd.Categorical.from_codes(packed[""].astype(int), dtype=whole))
    if dtype == "interval":
        left, right = (pd.Index(_unpack({"": packed[f"_{end}"]}, kind["ends"]))
                       for end in ("left", "right"))  # fmt: skip
        return pd.Series(pd.arrays.IntervalArray.from_arrays(left, right, closed=kind["closed"]))
    if dtype == "period":
        return pd.Series(
            pd.arrays.PeriodArray(np.asarray(packed[""], np.int64), pd.PeriodDtype(kind["freq"]))
        )
    values = np.asarray(packed[""])
    if dtype.startswith(("datetime64", "timedelta64")):
        times = pd.Series(values.astype(np.int64).view(dtype))
        return times.dt.tz_localize("UTC").dt.tz_convert(kind["zone"]) if "zone" in kind else times
    if "types" in kind:
        texts = [str(value) for value in values]
        if kind["types"] == "json":
            return pd.Series([json.loads(text) for text in texts], dtype=object)
        return pd.Series(texts, dtype=dtype)
    return pd.Series(values).astype(dtype)


def _tree_of(columns: Mapping[str, np.ndarray]) -> "xr.DataTree":
    import xarray as xr

    return xr.DataTree(xr.Dataset({name: (("row",), array) for name, array in columns.items()}))
