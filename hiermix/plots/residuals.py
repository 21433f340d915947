"""Residuals against what was fitted, and against what the model says residuals look like."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix.design import kinds
from hiermix.families.family import needs_numbers
from hiermix.plots import style
from hiermix.plots.fits import check_column
from hiermix.plots.replicates import Replicates, replicates
from hiermix.plots.style import BLUE, INK, ORANGE, Plot
from hiermix.posterior.intervals import tails
from hiermix.posterior.posterior import Posterior
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BINS = 12
_DOTS = 3000


def plot_residuals(
    posterior: Posterior,
    *,
    against: str | None = None,
    prob: float = 0.9,
    figsize: tuple[float, float] | None = None,
) -> Plot:
    """Draw standardised residuals along the fit, and their quantiles in the model's own band.

    Residuals are those of a posterior draw: around the posterior mean they would be too small,
    and tilted by shrinkage, even if the model were right.

    Parameters
    ----------
    against : str, optional
        Column of the data for the first panel; the fitted mean by default.
    prob : float
        Probability of the band.
    figsize : tuple of float, optional
        Width and height in inches.

    Returns
    -------
    Plot
        With ``figure`` and ``data``, the numbers drawn.
    """
    needs_numbers(posterior.family, "plot_residuals")
    tails(prob)
    if against is not None:
        check_column(posterior.design, against)
    seen = replicates(posterior)
    data = numbers(seen, against, prob)
    left, right = style.panels(1, 2, figsize or (style.WIDTH, 4.2))
    _along(left, data, against)
    _quantiles(right, data, prob)
    style.title(left, "Standardised residuals in one draw", seen.note(posterior.design.rows))
    inside = ((data["sorted"] >= data["low"]) & (data["sorted"] <= data["high"])).mean()
    style.title(right, f"{100 * inside:.0f} % inside the model's own {style.percent(prob)} band")
    style.legend_below(left)
    return Plot(style.figure_of(left), data)


def numbers(seen: Replicates, against: str | None, prob: float) -> pd.DataFrame:
    """One row an observation.

    Residuals are those of a posterior draw, (observed - its mean) / sd, which behave as errors do
    if the model is right. Those around the posterior mean would not: the data have drawn it towards
    themselves, and shrinkage tilts them along the fit.

    Columns: x (the mean of one draw, or the column) and residual in that draw; and, each sorted
    apart from these, sorted (residuals in order, the median over draws) with expected, low and
    high, what residuals of data drawn from the model give at that place.
    """
    errors = seen.family.residual(seen.drawn, seen.mean)
    spread = errors.std(axis=1, ddof=1, keepdims=True)
    spread[spread == 0] = 1.0
    residual = seen.family.residual(seen.y[:, None], seen.mean) / spread
    own = np.sort(errors / spread, axis=0)
    below, above = tails(prob)
    low, expected, high = np.quantile(own, [below, 0.5, above], axis=1)
    x = seen.mean[:, -1]
    if against is not None:
        x = style.drawable(kinds.stored(seen.design.column(against))).to_numpy()
    return pd.DataFrame({
        "x": x, "residual": residual[:, -1], "sorted": np.median(np.sort(residual, axis=0), axis=1),
        "expected": expected, "low": low, "high": high,
    })  # fmt: skip


def _along(ax: "Axes", data: pd.DataFrame, against: str | None) -> None:
    step = max(1, len(data) // _DOTS)
    ax.axhline(0, color=INK, linestyle=(0, (5, 3)), linewidth=0.9)
    ax.plot(data["x"][::step], data["residual"][::step], "o", color=INK, alpha=0.35,
            markersize=max(2.0, style.dot_size(len(data) // 10)), markeredgewidth=0,
            label="rows")  # fmt: skip
    if pd.api.types.is_numeric_dtype(data["x"].dtype):
        trend = running_mean(data["x"].to_numpy(), data["residual"].to_numpy())
        ax.errorbar(trend[:, 0], trend[:, 1], 2 * trend[:, 2], color=ORANGE, fmt="o-", markersize=4,
                    linewidth=1.2, label="mean of neighbours ± 2 se")  # fmt: skip
    elif data["x"].dtype.kind == "M":
        style.date_ticks(ax, style.inches(ax))
    style.name_axes(ax, "mean in that draw" if against is None else against, "residual / sd")


def running_mean(x: FloatArray, residual: FloatArray) -> FloatArray:
    """Mean of x, mean of the residuals and its standard error in bins of equal numbers of rows."""
    values = np.unique(x)
    edges = (
        values
        if len(values) <= _BINS
        else np.unique(np.quantile(x, np.linspace(0, 1, _BINS + 1))[:-1])
    )
    bins = np.searchsorted(edges, x, side="right")
    found = [
        (x[own].mean(), residual[own].mean(), residual[own].std(ddof=1) / np.sqrt(own.sum()))
        for own in (bins == each for each in np.unique(bins))
        if own.sum() >= 3
    ]
    return np.array(found).reshape(-1, 3)


def _quantiles(ax: "Axes", data: pd.DataFrame, prob: float) -> None:
    label = f"{style.percent(prob)} band of the model's own data"
    ax.fill_between(data["expected"], data["low"], data["high"], color=BLUE, alpha=0.25,
                    linewidth=0, label=label)  # fmt: skip
    ax.plot(data["expected"], data["expected"], color=BLUE, linewidth=0.9)
    ax.plot(data["expected"], data["sorted"], "o", color=INK, markersize=2.5, markeredgewidth=0)
    style.name_axes(ax, "residual expected at this rank", "residual observed")
