"""What all plots share: the object they return, colours, axes, labels that fit."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.design import kinds
from hiermix.design.groupings import Grouping
from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.posterior.intervals import tails
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart with any colour vision and in grey print.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
COLORS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", "#E69F00")
INK, GREY, PALE = "#333333", "#808080", "#B8B8B8"
WIDTH = 8.0
_WIDEST = 24.0
_WIDENED = 1.1
_FLAT = 0.2
"""A panel is flat where its numbers take less than this share of its height."""
SMALL, TEXT, TITLE = 7.5, 9.0, 10.5
_POINTS = 72
_BESIDE = 0.55
"""Inches of a mark in a legend, and of margins."""


@dataclass(frozen=True)
class Plot:
    """A figure and the numbers it shows; a notebook draws it.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        Belongs to no global state: nothing to close, never drawn twice.
    data : DataFrame
        The numbers drawn.
    """

    figure: "Figure"
    data: pd.DataFrame

    def save(self, path: str | Path, *, dpi: float = 200) -> None:
        """Write the figure to a file; its suffix is the format."""
        self.figure.savefig(path, dpi=dpi)

    def savefig(self, path: str | Path, **options: Any) -> None:
        """Write the figure to a file, with the options of matplotlib's ``Figure.savefig``."""
        self.figure.savefig(path, **{"dpi": 200, **options})

    def __repr__(self) -> str:
        """Name what is inside, instead of every number."""
        return f"Plot({len(self.data):,} x {len(self.data.columns)} numbers drawn)"

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return the picture at twice its size in a notebook: sharp on dense screens."""
        memory = BytesIO()
        self.figure.savefig(memory, format="png", dpi=2 * _POINTS)
        width, height = self.figure.get_size_inches() * _POINTS
        return memory.getvalue(), {"width": round(width), "height": round(height)}


def axes(ax: "Axes | None", figsize: tuple[float, float]) -> "Axes":
    """Return the axes given, or those of a new figure outside of pyplot."""
    return panels(1, 1, figsize)[0] if ax is None else dress(ax)


def panels(rows: int, columns: int, figsize: tuple[float, float], **share: Any) -> list["Axes"]:
    """Return the axes of a new figure, row by row."""
    from matplotlib.figure import Figure

    size = figsize if isinstance(figsize, list | tuple) else ()
    if len(size) != 2 or not all(isinstance(each, int | float) and each > 0 for each in size):
        raise ArgumentError(f"figsize is width and height in inches, not {quoted(figsize)}")
    figure = Figure(figsize=figsize, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, **share)
    return [dress(ax) for ax in grid.ravel()]


def stack(
    ax: "Axes | None",
    number: int,
    figsize: tuple[float, float] | None,
    height: float = 2.7,
    width: float = WIDTH,
) -> list["Axes"]:
    """Return panels one below the other; one may be drawn into axes that are given."""
    if ax is not None and number == 1:
        return [dress(ax)]
    if ax is not None:
        raise ArgumentError(f"{number} panels don't fit into one ax: leave ax out, or ask for one")
    return panels(number, 1, figsize or (width, 4.0 if number == 1 else height * number))


def dress(ax: "Axes") -> "Axes":
    """Leave only the ink that carries numbers."""
    if not hasattr(ax, "spines"):
        raise ArgumentError(f"ax is axes of matplotlib, not {quoted(ax)}")
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(PALE)
    ax.tick_params(labelsize=SMALL, color=PALE, labelcolor=INK)
    ax.grid(axis="y", color=PALE, linewidth=0.4, alpha=0.5)
    ax.set_axisbelow(True)
    ax.yaxis.get_offset_text().set(fontsize=SMALL, color=INK, ha="right")  # beside the titles
    return ax


def figure_of(ax: "Axes") -> "Figure":
    """Return the figure that axes stand in."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


def title(ax: "Axes", text: str, note: str = "", width: float | None = None) -> None:
    """Say what is seen, and below it, smaller, what to know when reading it.

    Lines have the width of the axes, in inches, unless labels leave less.
    """
    text = wrap(text, inches(ax) if width is None else width, TITLE)
    ax.set_title(text, loc="left", fontsize=TITLE, color=INK, pad=20 if note else 8)
    if note:
        ax.annotate(note, (0, 1), (0, 6), xycoords="axes fraction", textcoords="offset points",
                    fontsize=SMALL, color="#666666", annotation_clip=False)  # fmt: skip


def main_title(ax: "Axes", text: str) -> None:
    """Say above all panels what is seen."""
    figure = figure_of(ax)
    width = figure.get_size_inches()[0]
    figure.suptitle(wrap(text, width - 0.3, TITLE), fontsize=TITLE, color=INK, x=0.01, ha="left")


def inches(ax: "Axes") -> float:
    """Width of axes as they will be: the layout, when it is drawn, widens them."""
    return float(figure_of(ax).get_size_inches()[0] * ax.get_position().width * _WIDENED)


def beside_labels(ax: "Axes", labels: Sequence[str]) -> float:
    """Width of axes as the layout will leave it to them, with labels on their left."""
    left = max(map(text_width, labels), default=0.0)
    return max(1.15 * inches(ax) - left - _BESIDE, 1.0)


def wrap(text: str, width: float, size: float) -> str:
    """Break text of a size in points into lines of a width in inches."""
    return "\n".join(textwrap.wrap(text, max(10, int(width * _POINTS / (size * 0.53)))))


def fitting(label: object, width: float, size: float = SMALL) -> str:
    """Shorten a label to a width in inches."""
    return shorten(label, max(6, int(width * _POINTS / (size * 0.58))))


def name_axes(ax: "Axes", x: str, y: str) -> None:
    """Write what the axes show."""
    ax.set_xlabel(x, fontsize=TEXT, color=INK)
    ax.set_ylabel(y, fontsize=TEXT, color=INK)


def legend_below(ax: "Axes", columns: int = 4) -> None:
    """Put the legend under the axes, where it hides nothing: in as many columns as fit."""
    found: dict[str, Any] = {}
    for each in figure_of(ax).axes:
        found |= dict(zip(*reversed(each.get_legend_handles_labels()), strict=True))
    width = figure_of(ax).get_size_inches()[0] - _BESIDE
    names = [fitting(name, width - _BESIDE) for name in found]
    widest = max(map(text_width, names), default=0.0) + _BESIDE
    figure_of(ax).legend(
        list(found.values()), names, loc="outside lower center", frameon=False, fontsize=SMALL,
        ncols=int(np.clip(width / widest, 1, columns)),
    )  # fmt: skip


def text_width(text: str) -> float:
    """Inches that small text takes at most."""
    return len(text) * SMALL * 0.58 / _POINTS


def drawable(values: pd.Series) -> pd.Series:
    """Return numbers and dates as matplotlib takes them, and other labels as text."""
    what = kinds.what(values)
    found: pd.Series = kinds.moments(values)
    if what == "durations":
        found = values.dt.total_seconds() / 86400
    elif what == "categories":
        found = values.astype(object).map(kinds.spelled).astype(object)
    return found


def label_levels(ax: "Axes", labels: Sequence[str], *, longest: int = 16) -> None:
    """Name the groups along x: upright if they fit, else turned; every k-th if they are many."""
    room = inches(ax) * _POINTS / max(len(labels), 1)
    texts = [shorten(label, longest) for label in labels]
    widest = max(map(len, texts), default=0) * SMALL * 0.62
    step = int(np.ceil((SMALL + 1.5) / room))
    shown = range(0, len(labels), step)
    ax.set_xticks(list(shown), [texts[place] for place in shown],
                  rotation=0 if widest < room else 90)  # fmt: skip
    ax.set_xlim(-0.7, len(labels) - 0.3)


def width_for(levels: int) -> float:
    """Width of a figure in which every one of so many levels has a label, up to a limit."""
    return float(np.clip(1.18 * levels * (SMALL + 1.6) / _POINTS, WIDTH, _WIDEST))


def height_for(levels: int) -> float:
    """Height of axes in which every one of so many levels has a line."""
    return float(np.clip(1.3 + levels * (SMALL + 3.0) / _POINTS, 2.0, 60.0))


def date_ticks(ax: "Axes", width: float) -> None:
    """Few dates along x, that don't run into each other; the year stands at its start or below."""
    from matplotlib.dates import (
        DAILY,
        HOURLY,
        MINUTELY,
        MONTHLY,
        SECONDLY,
        AutoDateLocator,
        ConciseDateFormatter,
    )

    locator = AutoDateLocator(minticks=2, maxticks=max(2, int(width / 0.5)))  # type: ignore[no-untyped-call]
    # Matplotlib's longest steps leave more ticks than a narrow panel takes, and then it warns.
    for unit, longest in ((MONTHLY, 12), (DAILY, 31), (HOURLY, 24), (MINUTELY, 60), (SECONDLY, 60)):
        locator.intervald[unit] = [*locator.intervald[unit], longest, 2 * longest]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    ax.xaxis.get_offset_text().set(fontsize=SMALL - 1, color=INK)


def with_rows(levels: Iterable[object], rows: Iterable[int]) -> list[str]:
    """Return labels that also tell how many rows a level has."""
    ends = [f" ({number})" for number in rows]
    return [shorten(level, 16 - len(end)) + end for level, end in zip(levels, ends, strict=True)]


def share_scale(low: FloatArray, high: FloatArray) -> bool:
    """Tell whether panels can share a scale: less than a quarter of them would be flat."""
    whole = float(np.max(high) - np.min(low))
    return bool(np.mean((high - low) > _FLAT * whole) > 0.75) or whole == 0


def shorten(label: object, longest: int) -> str:
    """Return a label of bounded length: its start and its end, which may tell it from others."""
    text = str(label)
    end = longest // 3
    return text if len(text) <= longest else text[: longest - 1 - end] + "…" + text[-end:]


def limits(near: FloatArray, far: FloatArray) -> tuple[float, float]:
    """Limits that hold all of `near`, and of `far` what is no outlier, with a margin."""
    far = far[np.isfinite(far)]
    if len(far):
        low, high = np.quantile(far, [0.25, 0.75])
        reach = 3 * (high - low)
        far = far[(far >= low - reach) & (far <= high + reach)]
    shown = np.concatenate([near[np.isfinite(near)], far])
    low, high = float(shown.min()), float(shown.max())
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def dot_size(number: int) -> float:
    """Diameter of a dot in points, so that neighbours among `number` stay apart."""
    return float(np.clip(WIDTH * _POINTS / max(number, 1) * 0.7, 1.8, 6.0))


def percent(prob: float) -> str:
    """Return ``"90 %"``.

    Raises
    ------
    ArgumentError
        A probability outside (0, 1).
    """
    tails(prob)
    return f"{100 * prob:g} %"


def choose_effects(
    effects: str | Sequence[str] | None, grouping: Grouping, known: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Return the effects to draw; all that are `known` by default.

    Raises
    ------
    ArgumentError
        An effect that does not vary over the grouping factor, or not in the response's location
        where only such ones can be drawn.
    """
    known = grouping.of_level if known is None else known
    if not known:
        raise ArgumentError(f"{grouping.name} has no effects on the location of the response")
    if effects is None:
        return tuple(known)
    chosen = options.names("effects", effects)
    for name in chosen:
        if name not in known:
            raise ArgumentError(
                f"{quoted(name)} does not vary by {grouping.name}.{did_you_mean(str(name), known)} "
                f"Known: {', '.join(known)}"
            )
    return chosen
