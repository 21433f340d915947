"""Posterior predictive check: data like these from the model, overall and by group."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix.design import Design
from hiermix.errors import ArgumentError, did_you_mean
from hiermix.families import Family, needs_numbers
from hiermix.group_tables import effect_draws
from hiermix.plots import layout
from hiermix.plots.layout import BLUE, INK, ORANGE, PALE, Plot
from hiermix.plots.replicates import Replicates, replicates
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

STATISTICS = ("mean", "sd", "min", "max")
_BINS = 30


def plot(
    tree: "xr.DataTree",
    design: Design,
    family: Family,
    group: str | None,
    *,
    statistic: str,
    prob: float,
    ax: "Axes | None",
    figsize: tuple[float, float] | None,
) -> Plot:
    """Draw the distribution of all responses, or a statistic of each group."""
    layout.percent(prob)
    if statistic not in STATISTICS:
        near = did_you_mean(str(statistic), STATISTICS)
        known = ", ".join(STATISTICS)
        raise ArgumentError(f"statistic must be one of {known}, not {statistic!r}.{near}")
    if group is not None:
        needs_numbers(family, f"the {statistic} of each level")
        effect_draws(tree, design, group)
    seen = replicates(tree, design, family)
    ax = layout.axes(ax, figsize or (layout.WIDTH, 4.0))
    if group is None:
        data = overall(seen, prob)
        _histogram(ax, data, design.response_name, prob)
        if family.unordered:
            names = [layout.shorten(label, 16) for label in design.categories]
            ax.set_xticks(range(1, len(names) + 1), names)
    else:
        data = by_group(seen, group, statistic, prob)
        _levels(ax, data, group, f"{statistic} of {design.response_name}", prob)
    inside = int(((data["observed"] >= data["low"]) & (data["observed"] <= data["high"])).sum())
    what = "bins" if group is None else f"levels of {group}"
    layout.title(
        ax,
        f"Posterior predictive check: {inside} of {len(data)} {what} inside their "
        f"{layout.percent(prob)} interval",
        seen.note(design.rows),
    )
    layout.legend_below(ax)
    return Plot(layout.figure_of(ax), data)


def overall(seen: Replicates, prob: float) -> pd.DataFrame:
    """One row a bin: its edges, rows observed in it, and mean, low, high of those replicated."""
    edges = _edges(seen.y, seen.drawn)
    count = np.array([np.histogram(draw, edges)[0] for draw in seen.drawn.T])
    low, high = np.quantile(count, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
    return pd.DataFrame({
        "left": edges[:-1], "right": edges[1:], "observed": np.histogram(seen.y, edges)[0],
        "mean": count.mean(axis=0), "low": low, "high": high,
    })  # fmt: skip


def _edges(y: FloatArray, drawn: FloatArray) -> FloatArray:
    """Bins of equal width over the bulk of both; one a value where few whole numbers occur."""
    low, high = np.quantile(drawn, [0.001, 0.999])
    low, high = min(low, y.min()), max(high, y.max())
    whole = bool(np.all(y == np.round(y)) and np.all(drawn == np.round(drawn)))
    if whole:
        step = max(1, int(np.ceil((high - low + 1) / (2 * _BINS))))
        return np.arange(low - 0.5, high + step, step)
    return np.linspace(low, high, _BINS + 1)


def by_group(seen: Replicates, group: str, statistic: str, prob: float) -> pd.DataFrame:
    """One row a level, from few rows to many: its statistic observed, and replicated."""
    grouping = seen.design.grouping(group)
    order = np.argsort(grouping.codes, kind="stable")
    rows = np.bincount(grouping.codes, minlength=len(grouping.levels))
    present = np.flatnonzero(rows >= (2 if statistic == "sd" else 1))
    place = np.argsort(rows[present], kind="stable")
    groups = np.split(order, np.cumsum(rows)[:-1])
    columns = np.column_stack([seen.y, seen.drawn])
    found = np.array([_statistic(columns[groups[code]], statistic) for code in present[place]])
    low, high = np.quantile(found[:, 1:], [(1 - prob) / 2, (1 + prob) / 2], axis=1)
    return pd.DataFrame({
        "level": grouping.levels[present[place]], "rows": rows[present[place]],
        "observed": found[:, 0], "mean": found[:, 1:].mean(axis=1), "low": low, "high": high,
    })  # fmt: skip


def _statistic(rows: FloatArray, name: str) -> FloatArray:
    found: FloatArray = {
        "mean": lambda: rows.mean(axis=0),
        "sd": lambda: rows.std(axis=0, ddof=1),
        "min": lambda: rows.min(axis=0),
        "max": lambda: rows.max(axis=0),
    }[name]()
    return found


def _histogram(ax: "Axes", data: pd.DataFrame, response: str, prob: float) -> None:
    width = data["right"] - data["left"]
    middle = data["left"] + width / 2
    ax.bar(middle, data["observed"], width * 0.92, color=PALE, alpha=0.7, label="observed")
    ax.vlines(middle, data["low"], data["high"], color=BLUE, linewidth=2.4, alpha=0.5,
              label=f"{layout.percent(prob)} interval of the model's own data")  # fmt: skip
    ax.plot(middle, data["mean"], "o", color=BLUE, markersize=3.5, label="their mean")
    layout.name_axes(ax, response, "rows")


def _levels(ax: "Axes", data: pd.DataFrame, group: str, what: str, prob: float) -> None:
    x, size = np.arange(len(data)), layout.dot_size(len(data))
    outside = ((data["observed"] < data["low"]) | (data["observed"] > data["high"])).to_numpy()
    ax.vlines(x, data["low"], data["high"], color=BLUE, linewidth=size * 0.45, alpha=0.4,
              label=f"{layout.percent(prob)} interval of the model's own data")  # fmt: skip
    ax.plot(x[~outside], data["observed"][~outside], "o", color=INK, markersize=size * 0.75,
            label="observed")  # fmt: skip
    ax.plot(x[outside], data["observed"][outside], "D", color=ORANGE, markersize=size * 0.9,
            label="observed, outside")  # fmt: skip
    layout.label_levels(ax, layout.with_rows(data["level"], data["rows"]))
    layout.name_axes(ax, f"{group} (rows), from few rows to many", what)
