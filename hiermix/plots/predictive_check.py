"""Posterior predictive check: data like these from the model, overall and by group."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.families.family import needs_numbers
from hiermix.plots import style
from hiermix.plots.replicates import Replicates, replicates
from hiermix.plots.style import BLUE, INK, ORANGE, PALE, Plot
from hiermix.posterior.intervals import tails
from hiermix.posterior.posterior import Posterior
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STATISTICS = ("mean", "sd", "min", "max")
_BINS = 30
_SKEWED = 20
"""How many times as far as the median numbers go where steps of a scale grow in equal ratio."""


def plot_check(
    posterior: Posterior,
    group: str | None = None,
    *,
    statistic: str = "mean",
    prob: float = 0.9,
    ax: "Axes | None" = None,
    figsize: tuple[float, float] | None = None,
) -> Plot:
    """Check the model: compare the responses with those that it draws itself.

    Parameters
    ----------
    group : str, optional
        Grouping factor whose levels to compare; by default the distribution of all responses.
    statistic : {"mean", "sd", "min", "max"}
        What to compare of each level.
    prob : float
        Probability of the equal-tailed intervals.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    figsize : tuple of float, optional
        Width and height of a new figure in inches.

    Returns
    -------
    Plot
        With ``figure`` and ``data``, the numbers drawn.

    Notes
    -----
    Up to 300 draws and 20,000 rows, chosen at random, are used.
    """
    tails(prob)
    options.one_of("statistic", statistic, STATISTICS)
    if group is not None:
        needs_numbers(posterior.family, f"the {statistic} of each level")
        group = posterior.grouping(group).name
    design, seen = posterior.design, _rates(replicates(posterior))
    what = design.response_name + ("" if design.trials is None else " / trials")
    if group is None:
        ax = style.axes(ax, figsize or (style.WIDTH, 4.0))
        data = overall(seen, prob)
        _histogram(ax, data, what, prob)
        if design.categories and design.ratings is None:
            names = [style.shorten(label, 16) for label in design.categories]
            ax.set_xticks(range(1, len(names) + 1), names)
    else:
        data = by_group(seen, group, statistic, prob)
        ax = style.axes(ax, figsize or (style.width_for(len(data)), 4.0))
        _levels(ax, data, group, f"{statistic} of {what}", prob)
    inside = int(((data["observed"] >= data["low"]) & (data["observed"] <= data["high"])).sum())
    parts = "bins" if group is None else f"levels of {group}"
    style.title(
        ax,
        f"Posterior predictive check: {inside} of {len(data)} {parts} inside their "
        f"{style.percent(prob)} interval",
        seen.note(design.rows),
    )
    style.legend_below(ax)
    return Plot(style.figure_of(ax), data)


def overall(seen: Replicates, prob: float) -> pd.DataFrame:
    """One row a bin: its edges, rows observed in it, and mean, low, high of those replicated."""
    edges = _edges(seen.y, seen.drawn)
    count = np.array([np.histogram(draw, edges)[0] for draw in seen.drawn.T])
    low, high = np.quantile(count, tails(prob), axis=0)
    return pd.DataFrame({
        "left": edges[:-1], "right": edges[1:], "observed": np.histogram(seen.y, edges)[0],
        "mean": count.mean(axis=0), "low": low, "high": high,
    })  # fmt: skip


def _rates(seen: Replicates) -> Replicates:
    """Return shares of the trials where rows have some: successes of 5 and of 500 are not alike."""
    trials = seen.design.trials
    if trials is None:
        return seen
    some = np.flatnonzero(trials > 0)
    each = trials[some, None]
    return Replicates(seen.design.take(some), seen.y[some] / trials[some],
                      seen.mean[some] / each, seen.drawn[some] / each, seen.family)  # fmt: skip


def _edges(y: FloatArray, drawn: FloatArray) -> FloatArray:
    """Bins over the bulk of both: of equal width, or of equal ratio where a few lie far out.

    Few whole numbers have a bin each, and so have shares of few trials.
    """
    low, high = np.quantile(drawn, [0.001, 0.999])
    low, high = min(low, y.min()), max(high, y.max())
    if low == high:
        return np.array([low - 0.5, high + 0.5])
    values = np.unique(np.concatenate([y, drawn[:, :10].ravel()]))
    step = _step(values)
    if step is not None and (high - low) / step < 2 * _BINS:
        return np.asarray(np.arange(low - step / 2, high + step, step))
    middle = float(np.median(y))
    if low >= 0 and high - low > _SKEWED * (middle - low + (step or 0.0)):
        return _ratios(low, high, values, step)
    if step is not None:
        wide = step * int(np.ceil((high - low) / step / (2 * _BINS)))
        return np.asarray(np.arange(low - step / 2, high + wide, wide))
    return np.linspace(low, high, _BINS + 1)


def _step(values: FloatArray) -> float | None:
    """Return what all values are multiples of: 1 of whole numbers, 1 / n of shares of n trials."""
    if np.array_equal(values, np.round(values)):
        return 1.0
    smallest = float(np.diff(values).min()) if len(values) > 1 else 0.0
    places = values / smallest if smallest > 1e-6 else np.array([0.5])
    return smallest if np.abs(places - np.round(places)).max() < 1e-6 else None


def _ratios(low: float, high: float, values: FloatArray, step: float | None) -> FloatArray:
    """Return bins that grow in equal ratio, from the smallest number above zero on."""
    if step is None:
        first = float(values[values > 0].min())
        grown = np.geomspace(max(first, high * 1e-6), high, _BINS + 1)
        return grown if low > 0 else np.concatenate([[0.0], grown])
    grown = np.round(np.expm1(np.linspace(np.log1p(low), np.log1p(high + 1), _BINS + 1)))
    return np.asarray(np.unique(grown) - 0.5)


def by_group(seen: Replicates, group: str, statistic: str, prob: float) -> pd.DataFrame:
    """One row a level, from few rows to many: its statistic observed, and replicated."""
    grouping = seen.design.grouping(group)
    rows = grouping.factor.counts()
    present = np.flatnonzero(rows >= (2 if statistic == "sd" else 1))
    place = np.argsort(rows[present], kind="stable")
    groups = grouping.factor.members()
    columns = np.column_stack([seen.y, seen.drawn])
    trials = seen.design.trials
    shares = np.ones(len(columns)) if trials is None else trials  # successes of all trials together
    found = np.array([
        _statistic(columns[groups[code]], shares[groups[code]], statistic)
        for code in present[place]
    ])  # fmt: skip
    low, high = np.quantile(found[:, 1:], tails(prob), axis=1)
    return pd.DataFrame({
        "level": grouping.levels[present[place]], "rows": rows[present[place]],
        "observed": found[:, 0], "mean": found[:, 1:].mean(axis=1), "low": low, "high": high,
    })  # fmt: skip


def _statistic(rows: FloatArray, weights: FloatArray, name: str) -> FloatArray:
    found: FloatArray = {
        "mean": lambda: np.average(rows, axis=0, weights=weights),
        "sd": lambda: rows.std(axis=0, ddof=1),
        "min": lambda: rows.min(axis=0),
        "max": lambda: rows.max(axis=0),
    }[name]()
    return found


def _histogram(ax: "Axes", data: pd.DataFrame, response: str, prob: float) -> None:
    left, right = data["left"].to_numpy(), data["right"].to_numpy()
    width = right - left
    middle = left + width / 2
    if width.max() > 3 * width.min():
        whole = bool(np.all(left % 1 == 0.5))  # between whole numbers, zero among them
        ax.set_xscale("symlog", linthresh=1.0 if whole else float(width[width > 0].min()))
        shift = 0.5 if whole else 0.0
        middle = np.where(left + shift > 0, np.sqrt((left + shift) * (right - shift)), middle)
    ax.bar(left + 0.04 * width, data["observed"], width * 0.92, align="edge", color=PALE,
           alpha=0.7, label="observed")  # fmt: skip
    ax.vlines(middle, data["low"], data["high"], color=BLUE, linewidth=2.4, alpha=0.5,
              label=f"{style.percent(prob)} interval of the model's own data")  # fmt: skip
    ax.plot(middle, data["mean"], "o", color=BLUE, markersize=3.5, label="their mean")
    style.name_axes(ax, response, "rows")


def _levels(ax: "Axes", data: pd.DataFrame, group: str, what: str, prob: float) -> None:
    x, size = np.arange(len(data)), style.dot_size(len(data))
    outside = ((data["observed"] < data["low"]) | (data["observed"] > data["high"])).to_numpy()
    ax.vlines(x, data["low"], data["high"], color=BLUE, linewidth=size * 0.45, alpha=0.4,
              label=f"{style.percent(prob)} interval of the model's own data")  # fmt: skip
    ax.plot(x[~outside], data["observed"][~outside], "o", color=INK, markersize=size * 0.75,
            label="observed")  # fmt: skip
    ax.plot(x[outside], data["observed"][outside], "D", color=ORANGE, markersize=size * 0.9,
            label="observed, outside")  # fmt: skip
    middle = float(data["observed"].median())
    if data["low"].min() >= 0 and middle > 0 and data["high"].max() > _SKEWED * middle:
        ax.set_yscale("symlog", linthresh=middle)
    style.label_levels(ax, style.with_rows(data["level"], data["rows"]))
    style.name_axes(ax, f"{group} (rows), from few rows to many", what)
