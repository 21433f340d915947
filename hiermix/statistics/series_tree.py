"""Sums of rows that go together as a tree of arrays, which a file can hold, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix.design import times
from hiermix.design.coding import Coding
from hiermix.design.kinds import Kind as Held
from hiermix.design.packing import decode, encode
from hiermix.formula.terms.residual_terms import AutoRegression
from hiermix.statistics.as_tree import add_coding, coding_of
from hiermix.statistics.bundles import Bundles, Kind
from hiermix.statistics.cell_coding import own_columns
from hiermix.statistics.cell_moments import CellMoments, Origin
from hiermix.statistics.series_pieces import Pieces, Rows
from hiermix.statistics.series_times import Calendar

if TYPE_CHECKING:
    import xarray as xr

MARK, FORMAT = "hiermix_series", 1
_ENDS = "first", "last"


def tree_of(
    coding: Coding, origin: Origin, bundles: Bundles, pieces: Pieces, calendar: Calendar,
    rows: int, dropped: int,
) -> xr.DataTree:  # fmt: skip
    """Return a tree that holds sums of series."""
    import xarray as xr

    found = xr.DataTree()
    add_bundles(found, bundles)
    found["origin"] = xr.DataTree(origin_arrays(origin))
    for name in _ENDS:
        found[name] = _rows_tree(getattr(pieces, name))
    add_coding(found, coding)
    found.attrs |= {
        MARK: FORMAT,
        "calendar": json.dumps(_calendar(calendar)),
        "rows": rows,
        "dropped": dropped,
    }
    return found


def parts_of(
    tree: xr.DataTree,
) -> tuple[Coding, Origin, Bundles, Pieces, Calendar, int, int]:
    """Return what a tree holds."""
    coding, attrs = coding_of(tree), tree.attrs
    in_time = any(isinstance(each, AutoRegression) for each in coding.formula.specials)
    own = own_columns(coding.roles) if in_time else ()
    pieces = Pieces(*(_rows(tree[name], own) for name in _ENDS))
    return (
        coding, origin_of(tree["origin"].to_dataset()), bundles_of(tree), pieces,
        _read_calendar(json.loads(attrs["calendar"]), coding), int(attrs["rows"]),
        int(attrs["dropped"]),
    )  # fmt: skip


# Moments -----------------------------------------------------------------------------------------


def add_bundles(tree: xr.DataTree, bundles: Bundles) -> None:
    """Give a tree the moments of bundles, a branch a kind."""
    import xarray as xr

    for place, moments in enumerate(bundles.values()):
        arrays = {
            "number": (("cell",), moments.number),
            "weight": (("cell",), moments.weight),
            "mean": (("cell", "column"), moments.mean),
            "squares": (("cell", "column", "column_"), moments.squares),
        }
        branch = xr.DataTree(xr.Dataset(arrays))
        _add_frame(branch, "keys", moments.keys)
        tree[f"kind_{place}"] = branch
    labels, how = encode(pd.DataFrame({"place": _series(_places(list(bundles)))}))
    tree["places"] = xr.DataTree(xr.Dataset({n: (("place",), each) for n, each in labels.items()}))
    tree["places"].attrs |= {"columns": json.dumps(how), "sizes": [len(kind) for kind in bundles]}


def bundles_of(tree: xr.DataTree) -> dict[Kind, CellMoments]:
    """Return the moments that `add_bundles` gave a tree."""
    held = tree["places"]
    labels = decode(held.to_dataset(), json.loads(held.attrs["columns"]))["place"].tolist()
    found, start = {}, 0
    for place, size in enumerate(np.atleast_1d(held.attrs["sizes"]).tolist()):
        branch = tree[f"kind_{place}"]
        arrays = branch.to_dataset()
        number, weight, mean, squares = (
            arrays[name].to_numpy() for name in ("number", "weight", "mean", "squares")
        )
        keys = _frame(branch["keys"], len(number))
        kind = tuple(labels[start : start + size])
        found[kind] = CellMoments(keys, number, weight, mean, squares)
        start += size
    return found


def _places(kinds: Sequence[Kind]) -> list[object]:
    return [place for kind in kinds for place in kind]


def _series(values: Sequence[object]) -> pd.Series:
    return pd.Series(list(values), dtype=None if values else object)


def origin_arrays(origin: Origin) -> Any:
    """Return an origin as arrays."""
    import xarray as xr

    return xr.Dataset(
        {"center": (("term",), origin.center), "slopes": (("term",), origin.slopes),
         "level": ((), origin.level)}
    )  # fmt: skip


def origin_of(held: xr.Dataset) -> Origin:
    """Return the origin that arrays are of."""
    return Origin(held["center"].to_numpy(), float(held["level"]), held["slopes"].to_numpy())


# Pieces ------------------------------------------------------------------------------------------


def _rows_tree(rows: Rows) -> xr.DataTree:
    import xarray as xr

    arrays = {
        "time": (("piece",), rows.time),
        "month": (("piece",), rows.month),
        "columns": (("piece", "column"), rows.columns),
    }
    found = xr.DataTree(xr.Dataset(arrays))
    _add_frame(found, "keys", rows.keys)
    _add_frame(found, "labels", pd.DataFrame({"label": _series(rows.label.tolist())}))
    return found


def _rows(tree: Any, own: tuple[str, ...]) -> Rows:
    held = tree.to_dataset()
    time, month, columns = (held[name].to_numpy() for name in ("time", "month", "columns"))
    label = np.empty(len(time), dtype=object)
    label[:] = _frame(tree["labels"], len(time))["label"].tolist()
    return Rows(label, _frame(tree["keys"], len(time)), time, month, columns, own)


def _add_frame(tree: xr.DataTree, name: str, frame: pd.DataFrame) -> None:
    import xarray as xr

    arrays, how = encode(frame)
    held = {each: (("place",), array) for each, array in arrays.items()}
    tree[name] = xr.DataTree(xr.Dataset(held))
    tree[name].attrs["columns"] = json.dumps(how)


def _frame(tree: Any, rows: int) -> pd.DataFrame:
    found = decode(tree.to_dataset(), json.loads(tree.attrs["columns"]))
    return found if len(found.columns) else found.reindex(range(rows))


# Times -------------------------------------------------------------------------------------------


def _calendar(calendar: Calendar) -> dict[str, Any]:
    form = calendar.form
    orders = [None if order is None else list(order) for order in calendar.orders]
    return {
        "form": None if form is None else form.name,
        "format": form.format if isinstance(form, times.Text) else None,
        "days": [calendar.least, calendar.most, calendar.ends],
        "orders": orders,
    }


def _read_calendar(held: dict[str, Any], coding: Coding) -> Calendar:
    least, most, ends = held["days"]
    orders = frozenset(None if order is None else tuple(order) for order in held["orders"])
    name, format_ = held["form"], held["format"]
    form: times.Form | None = None
    if format_ is not None:
        form = times.Text(name, Held.of(name, coding.shown[name]), format_)
    elif name is not None:
        form = times.form(name, coding.shown[name])
    return Calendar(form, least, most, ends, orders)
