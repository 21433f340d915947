"""Panels of a check: numbers that ought to be uniform in their band, and what priors weigh."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix.plots import style
from hiermix.plots.style import BLUE, COLORS, GREY, INK, ORANGE, PALE, Plot
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PROB = 0.99
_SIMULATIONS = 1_000
_MOST = 15
"""Parameters whose priors are drawn: those that weigh most."""
_NAMED = 4


def plot_panels(
    uniform: Mapping[str, Mapping[str, FloatArray]],
    weights: pd.DataFrame,
    limit: float,
    figsize: tuple[float, float] | None = None,
) -> Plot:
    """Draw a panel for each set of numbers, and one of the sensitivities.

    Parameters
    ----------
    uniform
        Title of a panel, then name to numbers that are uniform if all is right.
    weights
        Sensitivities to ``prior`` and ``likelihood``, a row a parameter.
    limit
        Sensitivity from which on a prior matters.
    """
    number = len(uniform) + (len(weights) > 0)
    across = min(number, 2)
    down = -(-number // 2)
    axes = style.panels(down, across, figsize or (style.WIDTH * across / 2 + 1, 3.6 * down))
    parts = []
    for (title, lines), ax in zip(uniform.items(), axes, strict=False):
        parts.append(_curves(lines).assign(panel=title))
        _uniform(ax, parts[-1], title)
    if len(weights):
        some = weights.sort_values("prior").tail(_MOST)
        parts.append(some.rename_axis("name").reset_index().assign(panel="priors"))
        _sensitivities(axes[len(uniform)], some, limit)
    for ax in axes[number:]:
        ax.set_visible(False)
    return Plot(style.figure_of(axes[0]), pd.concat(parts, ignore_index=True))


def _curves(lines: Mapping[str, FloatArray]) -> pd.DataFrame:
    """Share of numbers below each point less the point, with the band of uniform ones."""
    from arviz_stats.ecdf_utils import ecdf_pit

    parts = []
    for name, values in lines.items():
        rng = np.random.default_rng(0)
        at, share, low, high = ecdf_pit(np.sort(values), _PROB, _SIMULATIONS, rng=rng)
        parts.append(pd.DataFrame({
            "name": name, "place": at, "gap": share - at, "low": low - at, "high": high - at,
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _uniform(ax: "Axes", data: pd.DataFrame, title: str) -> None:
    groups = list(data.groupby("name", sort=False))
    widest = max(groups, key=lambda each: float(each[1]["high"].max()))[1]
    ax.fill_between(widest["place"], widest["low"], widest["high"], color=PALE, alpha=0.35,
                    linewidth=0, step="mid")  # fmt: skip
    ax.axhline(0, color=GREY, linewidth=0.8)
    outside = 0
    for place, (name, line) in enumerate(groups):
        out = bool(((line["gap"] < line["low"]) | (line["gap"] > line["high"])).any())
        outside += out
        color = ORANGE if out else BLUE if len(groups) == 1 else COLORS[place % len(COLORS)]
        ax.plot(line["place"], line["gap"], color=color, linewidth=1.8 if out else 1.0,
                label=str(name) if len(groups) <= _NAMED or out else None)  # fmt: skip
    if len(groups) > 1 and ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize=style.SMALL)
    ax.set_xlim(0, 1)
    style.name_axes(ax, "probability below what was seen", "share below, less expected")
    said = "inside" if not outside else f"{outside} of {len(groups)} outside"
    style.title(ax, title, f"{said} the {style.percent(_PROB)} band of a right model")


def _sensitivities(ax: "Axes", some: pd.DataFrame, limit: float) -> None:
    place = np.arange(len(some))
    ax.hlines(place, some["prior"], some["likelihood"], color=PALE, linewidth=0.8)
    ax.plot(some["likelihood"], place, "o", color=BLUE, markersize=4.5, label="to the likelihood")
    ax.plot(some["prior"], place, "D", color=ORANGE, markersize=4.5, label="to the priors")
    ax.axvline(limit, color=INK, linewidth=0.8, linestyle="--")
    ax.set_yticks(place, [style.shorten(each, 24) for each in some.index])
    ax.grid(axis="y", visible=False)
    ax.legend(frameon=False, fontsize=style.SMALL)
    style.name_axes(ax, "sensitivity", "")
    style.title(ax, "What priors and data weigh", "priors matter right of the dashed line")
