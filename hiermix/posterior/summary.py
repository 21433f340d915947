"""The summary table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.errors import ArgumentError, did_you_mean
from hiermix.formula.names import in_results
from hiermix.posterior import missing_values, smooth_draws
from hiermix.posterior.intervals import names as interval_names
from hiermix.posterior.intervals import tails

if TYPE_CHECKING:
    import xarray as xr


def names(posterior: "xr.Dataset") -> list[str]:
    """Variables of the summary: everything that is no effect, no bend of a curve, no gap."""
    names = [str(name) for name in posterior.data_vars if not str(name).startswith("r_")]
    names = [name for name in names if not missing_values.holds(posterior[name])]
    return [name for name in names if name != smooth_draws.BENDS or smooth_draws.SD not in names]


def chosen(posterior: "xr.Dataset", variables: Sequence[str] | None) -> list[str]:
    """Return the variables asked for; by default those of `names`."""
    if variables is None:
        return names(posterior)
    known = [str(name) for name in posterior.data_vars]
    wanted = [in_results(str(name)) for name in options.names("variables", variables)]
    for name in wanted:
        if name not in known:
            raise ArgumentError(
                f"variables names {name!r}, not one of the posterior.{did_you_mean(name, known)} "
                f"Known: {', '.join(known)}"
            )
    if not wanted:
        raise ArgumentError("variables names nothing to summarise")
    return wanted


def table(tree: "xr.DataTree", variables: Sequence[str], prob: float) -> pd.DataFrame:
    """Mean, sd, median, equal-tailed interval, effective sizes, R-hat, Monte-Carlo errors."""
    from arviz_stats import summary

    tails(prob)
    how = {"var_names": list(variables), "ci_prob": prob, "ci_kind": "eti", "round_to": "none"}
    with np.errstate(divide="ignore", invalid="ignore"):  # of a chain that never moved
        frame: pd.DataFrame = summary(tree, **how)
    low, high = (name for name in frame if str(name).startswith("eti"))
    frame = frame.rename(columns=dict(zip((low, high), interval_names(prob), strict=True)))
    median = summary(tree, kind="stats_median", **how)["median"]
    frame.insert(2, "median", median)
    return frame
