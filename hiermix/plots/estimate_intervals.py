"""Estimates of an answer with their intervals, one below the other."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix.errors import ArgumentError
from hiermix.plots import style
from hiermix.plots.style import BLUE, INK, PALE, Plot
from hiermix.posterior.coefficients import TERM
from hiermix.prediction.estimates import STATISTICS, Estimates, telling

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 200
_LONGEST = 48


def plot_estimates(
    found: Estimates,
    *,
    ax: "Axes | None" = None,
    figsize: tuple[float, float] | None = None,
) -> Plot:
    """Draw a line an estimate, with a mark at no difference where the answer compares."""
    data = found.table()
    if len(data) > _MOST:
        raise ArgumentError(
            f"{len(data):,} estimates can't be read in one figure: average rows, with by="
        )
    labels = _labels(data)
    height = style.height_for(len(data)) + 0.3
    panel = style.axes(ax, figsize or (style.WIDTH * 0.85, height))
    place = np.arange(len(data))[::-1]
    if _compares(data):
        panel.axvline(found.null, color=INK, linestyle=(0, (5, 3)), linewidth=0.9, zorder=1)
    panel.hlines(place, data["conf_low"], data["conf_high"], color=BLUE, linewidth=2.2, alpha=0.45)
    panel.plot(data["estimate"], place, "o", color=BLUE, markersize=5)
    panel.set_yticks(place, labels)
    panel.set_ylim(-0.7, len(data) - 0.3)
    panel.grid(axis="y", visible=False)
    panel.grid(axis="x", color=PALE, linewidth=0.4, alpha=0.5)
    style.name_axes(panel, _measure(found, data), ", ".join(telling(data, STATISTICS)))
    note = f"{style.percent(found.conf_level)} intervals"
    style.title(panel, _headline(found, data), note, style.beside_labels(panel, labels))
    return Plot(style.figure_of(panel), data)


def _compares(data: pd.DataFrame) -> bool:
    return "contrast" in data


def _labels(data: pd.DataFrame) -> list[str]:
    """Return what tells the rows apart."""
    rows = data[telling(data, STATISTICS)].astype(object).itertuples(index=False)
    return [style.shorten(", ".join(map(_text, row)) or "all rows", _LONGEST) for row in rows]


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _measure(found: Estimates, data: pd.DataFrame) -> str:
    if not _compares(data):
        return f"{found.scale} scale"
    words = {"response": "difference", "linear": "difference of the linear predictor"}
    return words.get(found.scale, found.scale)


def _headline(found: Estimates, data: pd.DataFrame) -> str:
    if not _compares(data):
        return f"Expected over {found.over}"
    told = telling(data, STATISTICS)
    shared = [str(data[name].iloc[0]) for name in (TERM, "contrast")
              if name in data and name not in told]  # fmt: skip
    sure = int((data["probability"] > found.conf_level).sum())
    beyond = f"{sure} of {len(data)} with a direction beyond {style.percent(found.conf_level)}"
    return f"{': '.join(shared) or 'Comparisons'} over {found.over}, {beyond}"
