"""Statistics as a tree of arrays, which a file can hold, and back; never pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix.design.coding import Coding
from hiermix.design.packing import decode, encode
from hiermix.families import table
from hiermix.formula.formula import parse
from hiermix.statistics.moments import Moments, Pilot
from hiermix.statistics.moved import Centre

if TYPE_CHECKING:
    import xarray as xr

type Parts = tuple[Coding, Centre, Moments, np.ndarray, np.ndarray, int, int]
"""What `Statistics` are made of."""

_DIMS = {
    "xx": ("term", "term_"),
    "xe": ("term",),
    "zz": ("row_level", "effect", "effect_"),
    "zx": ("row_level", "effect", "term"),
    "ze": ("row_level", "effect"),
    "x_center": ("term",),
    "pilot": ("term",),
    "z_center": ("effect",),
    "counts": ("row_level",),
}
FORMAT = 1


def tree_of(parts: Parts) -> xr.DataTree:
    """Return a tree that holds statistics."""
    import xarray as xr

    coding, centre, sums, levels, counts, rows, dropped = parts
    arrays = {
        "xx": sums.XtX, "xe": sums.Xte, "zz": sums.ZtZ, "zx": sums.ZtX, "ze": sums.Zte,
        "x_center": sums.pilot.center, "pilot": sums.pilot.b, "z_center": centre.z,
        "counts": counts,
    }  # fmt: skip
    labels, how = encode(pd.DataFrame({"label": pd.Series(levels.tolist())}))
    found = xr.DataTree.from_dict(
        {
            "/": xr.Dataset({name: (_DIMS[name], array) for name, array in arrays.items()}),
            "/levels": xr.Dataset({name: (("place",), array) for name, array in labels.items()}),
        }
    )
    add_coding(found, coding)
    found.attrs |= {
        "hiermix_statistics": FORMAT,
        "levels": json.dumps(how),
        "intercept_at": json.dumps(centre.constant),
        "weight_total": float(sums.n), "ee": float(sums.ete), "rows": rows, "dropped": dropped,
    }  # fmt: skip
    return found


def parts_of(tree: xr.DataTree) -> Parts:
    """Return what a tree holds."""
    attrs, found = tree.attrs, tree.to_dataset()
    values = {name: found[name].to_numpy() for name in _DIMS}
    pilot = Pilot(values["x_center"], values["pilot"])
    sums = Moments(
        pilot, float(attrs["weight_total"]), values["xx"], values["xe"], float(attrs["ee"]),
        values["zz"], values["zx"], values["ze"],
    )  # fmt: skip
    labels = decode(tree["levels"].to_dataset(), json.loads(attrs["levels"]))["label"]
    levels = np.empty(len(labels), dtype=object)
    levels[:] = labels.tolist()
    centre = Centre(pilot, values["z_center"], json.loads(attrs["intercept_at"]))
    return (
        coding_of(tree),
        centre,
        sums,
        levels,
        values["counts"],
        int(attrs["rows"]),
        int(attrs["dropped"]),
    )


def add_coding(tree: xr.DataTree, coding: Coding) -> None:
    """Give a tree what encodes rows."""
    import xarray as xr

    shown, kinds = encode(coding.shown)
    columns = {name: (("row",), array) for name, array in shown.items()}
    tree["shown"] = xr.DataTree(xr.Dataset(columns))
    tree.attrs |= {
        "formula": str(coding.formula),
        "family": coding.family,
        "weights": json.dumps(coding.weights),
        "states": json.dumps(packed(dict(coding.states or {}))),
        "shown": json.dumps(kinds),
    }


def coding_of(tree: xr.DataTree) -> Coding:
    """Return what encodes rows, of a tree that `add_coding` gave it."""
    attrs = tree.attrs
    family = attrs.get("family", "gaussian")
    return Coding(
        parse(attrs["formula"]),
        json.loads(attrs["weights"]),
        table.find(family).response_rule(),
        decode(tree["shown"].to_dataset(), json.loads(attrs["shown"])),
        unpacked(json.loads(attrs["states"])),
        family,
    )


# States of functions: dicts whose keys may be numbers, arrays, times -----------------------------


def packed(value: Any) -> Any:
    """Return what a function knows of its rows as JSON can say it."""
    if isinstance(value, Mapping):
        return {"dict": [[packed(key), packed(each)] for key, each in value.items()]}
    if isinstance(value, np.ndarray):
        return {"array": packed(value.tolist())}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [packed(each) for each in value]}
    if isinstance(value, pd.Timestamp | np.datetime64):
        return {"time": pd.Timestamp(value).isoformat()}
    if isinstance(value, pd.Timedelta | np.timedelta64):
        return {"duration": pd.Timedelta(value).isoformat()}
    return value.item() if isinstance(value, np.generic) else value


def unpacked(value: Any) -> Any:
    """Return what `packed` has said."""
    match value:
        case {"dict": pairs}:
            return {unpacked(key): unpacked(each) for key, each in pairs}
        case {"array": each}:
            return np.array(unpacked(each))
        case {"list": each}:
            return [unpacked(one) for one in each]
        case {"tuple": each}:
            return tuple(unpacked(one) for one in each)
        case {"time": text}:
            return pd.Timestamp(text)
        case {"duration": text}:
            return pd.Timedelta(text)
    return value
