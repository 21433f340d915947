"""Saves a fit as netCDF and loads it. Never pickle.

The file holds the columns that the formula used, so that a loaded fit rebuilds its design and
predicts without the original frame.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix.errors import DataError

if TYPE_CHECKING:
    import xarray as xr

ON_DEMAND = "on_demand"
"""Attribute of groups that are worked out again instead of saved."""
FORMAT = 1
"""Version of the files that this code writes; files of a later one are refused."""


def save(tree: "xr.DataTree", frame: pd.DataFrame, path: str | Path) -> None:
    """Write the tree to a temporary file beside `path`, then rename it into place."""
    path = Path(path)
    out = tree.filter(lambda node: ON_DEMAND not in node.attrs)
    out.attrs = dict(tree.attrs)
    columns, kinds = _encode(frame)
    out["constant_data"] = _tree_of(columns)
    out.attrs |= {"hiermix_format": FORMAT, "columns": json.dumps(kinds)}
    with replacing(path) as temporary:
        out.to_netcdf(temporary, engine="h5netcdf")


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


def load(path: str | Path) -> tuple["xr.DataTree", pd.DataFrame]:
    """Read a tree and the frame of the columns used.

    Raises
    ------
    DataError
        The file is missing, truncated, not a fit of hiermix, or from a newer version.
    """
    import xarray as xr

    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise DataError(
            f"{path} can't be read as netCDF: truncated or foreign ({error})"
        ) from error
    version = tree.attrs.get("hiermix_format")
    if version is None:
        raise DataError(f"{path} is no fit saved by hiermix")
    if int(version) > FORMAT:
        raise DataError(
            f"{path} was written by a newer hiermix (format {version}; this one reads up to "
            f"{FORMAT}): upgrade hiermix"
        )
    return tree, _decode(tree["constant_data"].to_dataset(), json.loads(tree.attrs["columns"]))


def _encode(frame: pd.DataFrame) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """Columns as plain arrays, and what turns them back: names, dtypes, categories."""
    arrays, kinds = {}, []
    for position, name in enumerate(frame.columns):
        column = frame[name]
        kind: dict[str, Any] = {"name": str(name), "dtype": str(column.dtype)}
        if isinstance(column.dtype, pd.CategoricalDtype):
            categories = column.cat.categories
            kind |= {"dtype": "category", "categories": categories.tolist(),
                     "ordered": bool(column.cat.ordered)}  # fmt: skip
            arrays[f"column_{position}"] = column.cat.codes.to_numpy()
        elif column.dtype.kind in "M":
            arrays[f"column_{position}"] = (
                column.to_numpy().astype("datetime64[ns]").astype(np.int64)
            )
            kind["dtype"] = "datetime64[ns]"
        elif column.dtype.kind in "OUT" or isinstance(column.dtype, pd.StringDtype):
            arrays[f"column_{position}"], kind["types"] = _texts(column)
        else:
            arrays[f"column_{position}"] = column.to_numpy()
        kinds.append(kind)
    return arrays, kinds


def _texts(column: pd.Series) -> tuple[np.ndarray, str]:
    """Objects as JSON texts; numbers among them stay numbers."""
    if all(isinstance(value, str) for value in column):
        return np.array(column.to_list(), dtype=str), "str"
    return np.array([json.dumps(value, default=str) for value in column], dtype=str), "json"


def _decode(columns: "xr.Dataset", kinds: list[Mapping[str, Any]]) -> pd.DataFrame:
    frame = {}
    for position, kind in enumerate(kinds):
        values = columns[f"column_{position}"].to_numpy()
        frame[kind["name"]] = _column(values, kind)
    return pd.DataFrame(frame)


def _column(values: np.ndarray, kind: Mapping[str, Any]) -> Any:
    if kind["dtype"] == "category":
        dtype = pd.CategoricalDtype(kind["categories"], ordered=kind["ordered"])
        return pd.Categorical.from_codes(values.astype(int), dtype=dtype)
    if kind["dtype"].startswith("datetime64"):
        return values.astype("datetime64[ns]")
    if "types" in kind:
        texts = [str(value) for value in values]
        if kind["types"] == "json":
            return pd.Series([json.loads(text) for text in texts], dtype=object)
        return pd.Series(texts, dtype=kind["dtype"])
    return pd.Series(values).astype(kind["dtype"])


def _tree_of(columns: Mapping[str, np.ndarray]) -> "xr.DataTree":
    import xarray as xr

    return xr.DataTree(xr.Dataset({name: (("row",), array) for name, array in columns.items()}))
