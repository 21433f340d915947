"""Ranks with intervals, one below the other, and beside them how likely each is among the best."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix.errors import ArgumentError
from hiermix.plots import style
from hiermix.plots.style import BLUE, INK, ORANGE, PALE, Plot
from hiermix.prediction.estimates import CATEGORY, telling

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 400
_LONGEST = 40
_NUMBERS = ("rank", "conf_low", "conf_high", "probability", CATEGORY)


def plot_ranking(
    data: pd.DataFrame,
    best: int,
    order: str,
    prob: float,
    *,
    ax: "Axes | None" = None,
    figsize: tuple[float, float] | None = None,
) -> Plot:
    """Draw a line each, the best one on top.

    Parameters
    ----------
    data
        Labels, then rank, conf_low, conf_high and probability, from the best on.
    best, order, prob
        Those of `Fit.ranks`.
    """
    if len(data) > _MOST:
        raise ArgumentError(f"{len(data):,} ranks can't be read in one figure: draw some of them")
    parts = [part for _, part in data.groupby(CATEGORY, sort=False)] if CATEGORY in data else [data]
    height = style.height_for(len(data)) + 0.5 * len(parts)
    size = figsize or (style.WIDTH * 0.85, height)
    if ax is not None:
        axes = style.stack(ax, len(parts), figsize)
    else:
        axes = style.panels(len(parts), 2, size, sharey="row", width_ratios=[3, 1])
    for part, left in zip(parts, axes if ax is not None else axes[::2], strict=True):
        _ranks(left, part, best, order, prob)
    for part, right in zip(parts, [] if ax is not None else axes[1::2], strict=ax is None):
        _probabilities(right, part, best)
    return Plot(style.figure_of(axes[0]), data)


def _ranks(ax: "Axes", data: pd.DataFrame, best: int, order: str, prob: float) -> None:
    from matplotlib.ticker import MaxNLocator

    place = _places(data)
    ax.axvspan(0.5, best + 0.5, color=ORANGE, alpha=0.1, linewidth=0)
    ax.hlines(place, data["conf_low"], data["conf_high"], color=BLUE, linewidth=2.2, alpha=0.45)
    ax.plot(data["rank"], place, "o", color=BLUE, markersize=4.5)
    ax.set_xlim(0.5, len(data) + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", color=PALE, linewidth=0.4, alpha=0.5)
    names = telling(data, _NUMBERS)
    labels = data[names].astype(str).agg(", ".join, axis=1)
    ax.set_yticks(place, [style.shorten(each, _LONGEST) for each in labels])
    ax.set_ylim(-0.7, len(data) - 0.3)
    style.name_axes(ax, f"rank (1 is the {order})", names[0] if len(names) == 1 else "")
    likeliest = int(np.argmax(data["probability"]))
    chance = f"{100 * data['probability'].iloc[likeliest]:.0f} %"
    about = "" if CATEGORY not in data else f"{data[CATEGORY].iloc[0]}: "
    text = f"{about}{labels.iloc[likeliest]} is likeliest {_which(best)} ({chance})"
    style.title(ax, text, f"{style.percent(prob)} intervals")


def _probabilities(ax: "Axes", data: pd.DataFrame, best: int) -> None:
    ax.barh(_places(data), data["probability"], height=0.6, color=ORANGE, alpha=0.7)
    ax.set_xlim(0, 1)
    ax.tick_params(labelleft=False)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", color=PALE, linewidth=0.4, alpha=0.5)
    ax.set_xlabel(f"probability\n{_which(best)}", fontsize=style.TEXT, color=INK)


def _places(data: pd.DataFrame) -> np.ndarray:
    return np.arange(len(data))[::-1]


def _which(best: int) -> str:
    return "the best" if best == 1 else f"among the best {best}"
