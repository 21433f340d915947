"""Columns as plain arrays that a file can hold, and what turns them back; never pickle."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix.design.kinds import period_freq

if TYPE_CHECKING:
    import xarray as xr


def encode(frame: pd.DataFrame) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """Columns as plain arrays, and what turns them back: names, dtypes, categories."""
    arrays: dict[str, np.ndarray] = {}
    kinds = []
    for position, name in enumerate(frame.columns):
        packed, kind = pack(frame[name])
        arrays |= {f"column_{position}{part}": array for part, array in packed.items()}
        kinds.append({"name": str(name), **kind})
    return arrays, kinds


def pack(column: pd.Series) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the plain arrays of a stored column by the ends of their names, and its kind."""
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        packed, kind = pack(pd.Series(dtype.categories))
        levels = {part: array.tolist() for part, array in packed.items()}
        return {"": column.cat.codes.to_numpy()}, {
            "dtype": "category", "levels": levels, "of": kind, "ordered": bool(dtype.ordered)
        }  # fmt: skip
    if isinstance(dtype, pd.IntervalDtype):
        left, kind = pack(pd.Series(column.array.left))
        right, _ = pack(pd.Series(column.array.right))
        packed = {f"_{end}": packed[""] for end, packed in (("left", left), ("right", right))}
        return packed, {"dtype": "interval", "ends": kind, "closed": dtype.closed}
    if isinstance(dtype, pd.PeriodDtype):
        return {"": column.array.asi8}, {"dtype": "period", "freq": period_freq(dtype)}
    if isinstance(dtype, pd.DatetimeTZDtype):
        packed, kind = pack(column.dt.tz_convert("UTC").dt.tz_localize(None))
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


def decode(columns: "xr.Dataset", kinds: list[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the frame that `encode` took apart."""
    frame = {}
    for position, kind in enumerate(kinds):
        name = f"column_{position}"
        packed = {str(each).removeprefix(name): columns[each].to_numpy() for each in columns
                  if str(each) == name or str(each).startswith(f"{name}_")}  # fmt: skip
        frame[kind["name"]] = unpack(packed, kind)
    return pd.DataFrame(frame)


def unpack(packed: Mapping[str, Any], kind: Mapping[str, Any]) -> Any:
    """Return the column that `_pack` took apart, here or in version 0.1."""
    dtype = kind["dtype"]
    if dtype == "category":
        old = kind.get("categories")  # what 0.1 wrote
        levels = unpack(kind["levels"], kind["of"]) if old is None else old
        whole = pd.CategoricalDtype(pd.Index(levels), ordered=kind["ordered"])
        return pd.Series(pd.Categorical.from_codes(packed[""].astype(int), dtype=whole))
    if dtype == "interval":
        left, right = (pd.Index(unpack({"": packed[f"_{end}"]}, kind["ends"]))
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
