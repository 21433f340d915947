"""How well forecasts did from several origins: CRPS by step ahead, and coverage."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix.plots import style
from hiermix.plots.style import BLUE, GREEN, GREY, INK, ORANGE, Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLES = {
    "partial": ("partial pooling", BLUE, "o"),
    "no": ("no pooling", ORANGE, "s"),
    "complete": ("complete pooling", INK, "^"),
    "naive": ("last value", GREEN, "D"),
    "seasonal": ("value a season before", style.COLORS[3], "v"),
}
_INTERVALS = {"in_50": 50, "in_80": 80, "in_95": 95}


def plot(steps: pd.DataFrame, overall: pd.DataFrame, figsize: tuple[float, float] | None) -> Plot:
    """Draw two panels.

    Parameters
    ----------
    steps : DataFrame
        Mean scores by ``step`` and ``method``.
    overall : DataFrame
        Mean scores by ``method``.
    figsize : tuple of float, optional
        Width and height in inches.
    """
    left, right = style.panels(1, 2, figsize or (style.WIDTH, 3.8), width_ratios=[1.3, 1])
    methods = [name for name in _STYLES if name in set(overall["method"])]
    for name in methods:
        _crps(left, steps[steps["method"] == name], name)
    _coverage(right, overall.set_index("method"), methods)
    style.title(left, "CRPS by step ahead", "mean of all origins and series; smaller is better")
    style.title(right, "Coverage of intervals", "share held; the grey line is the nominal share")
    style.legend_below(left, 4)
    return Plot(style.figure_of(left), pd.concat([steps, overall], ignore_index=True))


def _crps(ax: "Axes", mine: pd.DataFrame, name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    label, color, marker = _STYLES[name]
    ax.plot(mine["step"], mine["crps"], color=color, marker=marker, markersize=5, linewidth=1.4,
            label=label, zorder=3 if name == "partial" else 2)  # fmt: skip
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.name_axes(ax, "steps ahead", "CRPS")


def _coverage(ax: "Axes", overall: pd.DataFrame, methods: list[str]) -> None:
    offsets = np.linspace(-0.24, 0.24, len(methods)) if len(methods) > 1 else np.zeros(1)
    for place, (column, nominal) in enumerate(_INTERVALS.items()):
        ax.hlines(nominal, place - 0.38, place + 0.38, color=GREY, linewidth=1.2)
        for offset, name in zip(offsets, methods, strict=True):
            _, color, marker = _STYLES[name]
            share = 100 * float(overall.loc[name, column])  # type: ignore[arg-type]
            ax.plot(place + offset, share, color=color, marker=marker, markersize=5, linestyle="")
    ax.set_xticks(range(len(_INTERVALS)), [f"{nominal} %" for nominal in _INTERVALS.values()])
    ax.set_ylim(0, 104)
    style.name_axes(ax, "interval", "held, %")
