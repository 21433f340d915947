"""What names the rows of a prediction: the index of their frame, and their groups."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix.design import kinds
from hiermix.design.design import Design
from hiermix.formula.names import in_results

if TYPE_CHECKING:
    import xarray as xr

TAKEN = {"chain", "draw", "row", "category", "quantile"}
"""Names of coordinates that columns of a frame can't have beside them."""


def coords(design: Design) -> "xr.Dataset":
    """Return coordinates along ``row``.

    ``row`` is the frame's index where that has one level without repeats, and else counts; then
    the levels of the index stand beside it. The columns of grouping factors do, too.
    """
    import xarray as xr

    index = design.frame.index
    single = index.is_unique and not isinstance(index, pd.MultiIndex)
    names = [] if single else [str(name or f"index_{at}") for at, name in enumerate(index.names)]
    beside = {
        name: pd.Series(index.get_level_values(at)) for at, name in enumerate(names)
    } | {
        str(name): design.frame[name]
        for name in dict.fromkeys(name for each in design.groupings for name in each.columns)
        if name in design.frame
    }  # fmt: skip
    first = label_values(pd.Series(index)) if single else np.arange(len(index))
    along: dict[str, Any] = {"row": first}
    along |= {in_results(name): ("row", label_values(values)) for name, values in beside.items()
              if name not in TAKEN}  # fmt: skip
    return xr.Dataset(coords=along)


def along(frame: pd.DataFrame, dim: str) -> dict[str, Any]:
    """Return the columns of a frame as coordinates along a dim."""
    return {in_results(str(name)): (dim, label_values(frame[name])) for name in frame
            if name not in TAKEN}  # fmt: skip


def label_values(values: pd.Series) -> np.ndarray:
    """Return labels as an array that files can hold: numbers, dates without a zone, or text."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biufM":
        return values.to_numpy()
    codes, uniques = pd.factorize(values)
    labels = [kinds.plain(label) for label in uniques]
    if any(not isinstance(label, int | float) for label in labels) or (codes < 0).any():
        labels = [*(kinds.spelled(label) for label in labels), ""]
    return np.array(labels)[codes] if labels else np.empty(len(values))
