"""The summary table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from hiermix.posterior.intervals import names as interval_names

if TYPE_CHECKING:
    import xarray as xr


def names(tree: "xr.DataTree") -> list[str]:
    """Variables of the summary: everything but the group effects."""
    return [str(name) for name in tree.posterior.data_vars if not str(name).startswith("r_")]


def table(tree: "xr.DataTree", variables: Sequence[str], prob: float) -> pd.DataFrame:
    """Mean, sd, median, equal-tailed interval, effective sizes, R-hat, Monte-Carlo errors."""
    from arviz_stats import summary

    options = {"var_names": list(variables), "ci_prob": prob, "ci_kind": "eti", "round_to": "none"}
    frame: pd.DataFrame = summary(tree, **options)
    low, high = (name for name in frame if str(name).startswith("eti"))
    frame = frame.rename(columns=dict(zip((low, high), interval_names(prob), strict=True)))
    median = summary(tree, kind="stats_median", **options)["median"]
    frame.insert(2, "median", median)
    return frame
