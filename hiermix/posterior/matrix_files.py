"""Covariances between levels in the file of a fit: a group for each, labelled both ways."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from hiermix.design.groupings import Grouping, matrices
from hiermix.posterior.draws import plain

if TYPE_CHECKING:
    import xarray as xr

_GROUP = "data2"


def parts(groupings: Sequence[Grouping]) -> "dict[str, xr.DataTree]":
    """Return the matrices of a design, each in a group of its own."""
    import xarray as xr

    found: dict[str, xr.DataTree] = {}
    for name, frame in matrices(groupings).items():
        labels = plain(frame.index.to_numpy(dtype=object))
        values = xr.Dataset(
            {"matrix": (("level", "other"), frame.to_numpy())},
            coords={"level": labels, "other": labels},
            attrs={"name": name},
        )
        found[f"{_GROUP}_{len(found)}"] = xr.DataTree(values)
    return found


def matrices_of(tree: "xr.DataTree") -> dict[str, pd.DataFrame]:
    """Return the matrices that a file has, by name."""
    held = [node.to_dataset() for name, node in tree.children.items() if name.startswith(_GROUP)]
    return {str(each.attrs["name"]): _frame(each["matrix"]) for each in held}


def _frame(matrix: "xr.DataArray") -> pd.DataFrame:
    labels = matrix["level"].to_numpy()
    return pd.DataFrame(matrix.to_numpy(), index=labels, columns=labels)
