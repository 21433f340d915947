"""Answers about several responses as one, with a column or a dim that says which it is of."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix.answers.answer import Answer
from hiermix.design.joint_design import DIM
from hiermix.prediction.estimates import along_rows

_OF_DRAWS = ("chain", "draw")

if TYPE_CHECKING:
    import xarray as xr


def answers(each: Mapping[str, Answer]) -> Answer:
    """Return the answers about several responses as one, response by response."""
    import xarray as xr

    first = next(iter(each.values()))
    labels = [one.labels.assign(**{DIM: name}) for name, one in each.items()]
    whole = pd.concat(labels, ignore_index=True)
    bare = [one.draws.drop_vars([name for name in one.draws.coords if name not in _OF_DRAWS])
            for one in each.values()]  # fmt: skip
    joined = xr.concat(bare, "row").assign_coords(row=np.arange(len(whole)), **along_rows(whole))
    return Answer(joined, whole, first.over, first.scale, first.null, first.conf_level)


def tables(each: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return tables about several responses as one, whose rows have the response before them."""
    return pd.concat(each, names=[DIM])


def datasets(each: "Mapping[str, xr.Dataset]") -> "xr.Dataset":
    """Return datasets about several responses as one, along a dim."""
    import xarray as xr

    return xr.concat(list(each.values()), pd.Index(list(each), name=DIM), join="outer")
