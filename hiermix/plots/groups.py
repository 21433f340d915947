"""The groups side by side: their coefficients or effects with intervals, from low to high."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix.categories import further
from hiermix.design import Design
from hiermix.errors import ArgumentError, count, did_you_mean
from hiermix.group_tables import coefficient_draws, effect_draws
from hiermix.plots import layout
from hiermix.plots.layout import BLUE, GREY, INK, Plot

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

KINDS = ("effects", "coefficients")


def plot(
    tree: "xr.DataTree",
    design: Design,
    group: str,
    *,
    effects: str | Sequence[str] | None,
    kind: str,
    prob: float,
    ax: "Axes | None",
    figsize: tuple[float, float] | None,
) -> Plot:
    """Draw one panel an effect, its levels from low to high."""
    effect_draws(tree, design, group)
    chosen = layout.choose_effects(effects, design.grouping(group).effects, group)
    data = pd.concat([numbers(tree, design, group, effect, kind, prob) for effect in chosen],
                     ignore_index=True)  # fmt: skip
    shown = data["effect"].unique().tolist()
    axes = layout.stack(ax, len(shown), figsize)
    for panel, effect in zip(axes, shown, strict=True):
        _caterpillar(panel, data[data["effect"] == effect], group, effect, prob)
    layout.legend_below(axes[-1])
    return Plot(layout.figure_of(axes[0]), data)


def numbers(
    tree: "xr.DataTree", design: Design, group: str, effect: str, kind: str, prob: float
) -> pd.DataFrame:
    """One row a level, ordered by its posterior mean; category after category, if there are any.

    Columns: level, effect, mean, low, high, population (what no deviation means), and, of effects,
    differs: does the interval leave out zero?
    """
    layout.percent(prob)
    if kind not in KINDS:
        near = did_you_mean(str(kind), KINDS)
        raise ArgumentError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}.{near}")
    where = {f"{group}_effect": effect}
    deviations = effect_draws(tree, design, group).sel(where)
    drawn = deviations if kind == "effects" else coefficient_draws(tree, design, group).sel(where)
    population = (drawn - deviations).mean(("chain", "draw"))
    if not design.unordered:
        return _ordered(drawn, population, effect, kind, prob)
    each = [
        _ordered(drawn.sel(category=label), population.sel(category=label), f"{label}, {effect}",
                 kind, prob)
        for label in further(design)
    ]  # fmt: skip
    return pd.concat(each, ignore_index=True)


def _ordered(
    drawn: "xr.DataArray", population: "xr.DataArray", effect: str, kind: str, prob: float
) -> pd.DataFrame:
    low, high = drawn.quantile([(1 - prob) / 2, (1 + prob) / 2], ("chain", "draw")).to_numpy()
    frame = pd.DataFrame({
        "level": drawn[drawn.dims[-1]].to_numpy(), "effect": effect,
        "mean": drawn.mean(("chain", "draw")).to_numpy(), "low": low, "high": high,
        "population": population.to_numpy()[0],
    })  # fmt: skip
    if kind == "effects":
        frame["differs"] = (frame["low"] > 0) | (frame["high"] < 0)
    return frame.sort_values("mean", ignore_index=True)


def _caterpillar(ax: "Axes", data: pd.DataFrame, group: str, effect: str, prob: float) -> None:
    size = layout.dot_size(len(data))
    ax.axhline(data["population"].iloc[0], color=INK, linestyle=(0, (5, 3)), linewidth=0.9,
               zorder=1)  # fmt: skip
    interval = f"{layout.percent(prob)} interval"
    if "differs" in data:
        _dots(ax, data, ~data["differs"], GREY, size, f"{interval} holds zero")
        _dots(ax, data, data["differs"], BLUE, size, f"{interval} leaves out zero")
        number = f"{int(data['differs'].sum())} of {count(len(data), 'group')}"
        text = f"Effects on {effect} by {group}: {number} differ from the population"
    else:
        _dots(ax, data, data["mean"].notna(), BLUE, size, interval)
        low, high = data["mean"].min(), data["mean"].max()
        text = f"{effect} of {len(data)} levels of {group}: from {low:.3g} to {high:.3g}"
    layout.label_levels(ax, data["level"].tolist())
    layout.name_axes(ax, group, effect)
    layout.title(ax, text)


def _dots(
    ax: "Axes", data: pd.DataFrame, which: pd.Series, color: str, size: float, label: str
) -> None:
    x, part = np.flatnonzero(which), data[which]
    ax.vlines(x, part["low"], part["high"], color=color, linewidth=size * 0.45, alpha=0.45)
    ax.plot(x, part["mean"], "o", color=color, markersize=size, label=label)
