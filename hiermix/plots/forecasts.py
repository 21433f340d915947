"""Fans of forecasts over the observed series, one panel a series."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.plots import style
from hiermix.plots.style import BLUE, INK, Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 100
"""Panels of one figure: more can't be read."""
_HISTORY = 30
"""Times of the past that are drawn at least, if there are so many."""
_BANDS = (
    ("q2.5", "q97.5", "95 %", 0.15),
    ("q10", "q90", "80 %", 0.25),
    ("q25", "q75", "50 %", 0.4),
)


def plot(
    table: pd.DataFrame,
    observed: pd.DataFrame,
    response: str,
    time: str,
    by: str,
    *,
    levels: Sequence[object] | None,
    panels: int,
    history: object,
    sharey: bool | None,
    figsize: tuple[float, float] | None,
) -> Plot:
    """Draw small multiples of the forecasts.

    Parameters
    ----------
    table : DataFrame
        ``series``, ``time``, ``median`` and quantiles, a row for every later row.
    observed : DataFrame
        ``series``, ``time`` and the response, a row for every fitted row.
    response, time, by : str
        What the axes show and what names a series.
    levels, panels, history, sharey, figsize
        Those of `Forecast.plot`.
    """
    known = list(dict.fromkeys(table["series"]))
    shown = _chosen(table, known, levels, panels)
    table, observed = (frame[frame["series"].isin(shown)] for frame in (table, observed))
    observed = _recent(observed, table, history)
    columns = _columns(len(shown))
    rows = -(-len(shown) // columns)
    size = figsize or (max(style.WIDTH, 1.6 * columns), max(3.4, 1.3 + 1.45 * rows))
    axes = style.panels(rows, columns, size)
    # Limits by hand: axes that share them are slow to draw in great number.
    x, y = _limits(table, observed, response)
    low, high = _reaches(table, observed, response)
    if sharey is None:
        sharey = style.share_scale(np.asarray(low, np.float64), np.asarray(high, np.float64))
    for panel, name in zip(axes, shown, strict=False):
        _panel(
            panel, table[table["series"] == name], observed[observed["series"] == name], response
        )
        panel.set_title(style.fitting(name, 0.75 * size[0] / columns), fontsize=style.SMALL,
                        color=INK, pad=3)  # fmt: skip
        panel.set(xlim=x, ylim=y if sharey else _wider(low[name], high[name]))
    for panel in axes[len(shown) :]:
        panel.set_visible(False)
    some = "" if levels is not None or len(shown) == len(known) else (
        f": {len(shown)} of {len(known):,}, spread evenly from low to high"
    )  # fmt: skip
    some += "" if sharey or len(shown) == 1 else "; each on its own scale"
    _write(axes, len(shown), some, columns, response, time, by, dates=_is_dates(table),
           sharey=sharey)  # fmt: skip
    drawn = pd.concat([observed.rename(columns={response: "observed"}), table], ignore_index=True)
    return Plot(style.figure_of(axes[0]), drawn)


def _recent(observed: pd.DataFrame, table: pd.DataFrame, history: object) -> pd.DataFrame:
    """Return the rows of the past that are drawn."""
    if isinstance(history, str) and history == "all":
        return observed
    if history is None:
        history = max(_HISTORY, 5 * int(table.groupby("series")["time"].nunique().max()))
    times = np.sort(observed["time"].unique())
    if isinstance(history, int | np.integer) and not isinstance(history, bool) and history > 0:
        first = times[-min(int(history), len(times))]
        return pd.DataFrame(observed[observed["time"] >= first])
    try:
        span: Any = pd.Timedelta(history) if _is_dates(table) else float(history)  # type: ignore[arg-type]
        if span > type(span)(0):
            return pd.DataFrame(observed[observed["time"] > table["time"].min() - span])
    except (ValueError, TypeError):
        pass
    raise ArgumentError(
        "history must be a number of times, a duration such as '90D', or 'all', not "
        f"{quoted(history)}"
    )


def _reaches(
    table: pd.DataFrame, observed: pd.DataFrame, response: str
) -> tuple["pd.Series[float]", "pd.Series[float]"]:
    """Return the lowest and the highest number of each series."""
    numbers = pd.concat([
        observed[["series", response]].set_axis(["series", "y"], axis=1),
        *(table[["series", end]].set_axis(["series", "y"], axis=1) for end in ("q2.5", "q97.5")),
    ])  # fmt: skip
    each = numbers.groupby("series")["y"]
    return each.min(), each.max()


def _wider(low: float, high: float) -> "Limits":
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _chosen(
    table: pd.DataFrame, known: list[str], levels: Sequence[object] | None, panels: int
) -> list[str]:
    if levels is not None:
        names = [str(level) for level in options.names("levels", levels)]
        for name in names:
            if name not in known:
                raise ArgumentError(
                    f"no series {name!r} in the forecast.{did_you_mean(name, known)}"
                )
        return names
    options.whole("panels", panels, 1, MOST)
    if len(known) <= panels:
        return known
    height = table.groupby("series")["median"].mean().sort_values()
    picked = set(height.index[np.linspace(0, len(height) - 1, panels).round().astype(int)])
    return [name for name in known if name in picked]


type Limits = tuple[Any, Any]


def _limits(table: pd.DataFrame, observed: pd.DataFrame, response: str) -> tuple[Limits, Limits]:
    times = pd.concat([observed["time"], table["time"]])
    heights = pd.concat([observed[response], table["q2.5"], table["q97.5"]])
    low, high = times.min(), times.max()
    wide, tall = 0.04 * (high - low), 0.05 * (heights.max() - heights.min())
    return (low - wide, high + wide), (heights.min() - tall, heights.max() + tall)


def _columns(panels: int) -> int:
    if panels <= 4:
        return panels
    return min(10, int(np.ceil(np.sqrt(panels * 1.1))))


def _panel(ax: "Axes", table: pd.DataFrame, observed: pd.DataFrame, response: str) -> None:
    past = observed.sort_values("time")
    later = table.sort_values("time")
    if len(past):
        ax.plot(past["time"], past[response], color=INK, linewidth=0.7, marker="o", markersize=1.8,
                label="observed")  # fmt: skip
    for low, high, label, alpha in _BANDS:
        ax.fill_between(later["time"], later[low], later[high], color=BLUE, alpha=alpha,
                        linewidth=0, label=label)  # fmt: skip
    ax.plot(later["time"], later["median"], color=BLUE, linewidth=1.2, label="median",
            marker="o" if len(later) == 1 else "", markersize=2.5)  # fmt: skip
    if len(later) == 1:
        _bars(ax, later)


def _bars(ax: "Axes", later: pd.DataFrame) -> None:
    """Draw the intervals of a single time, where a band would have no width."""
    for low, high, _, alpha in _BANDS:
        ax.vlines(later["time"], later[low], later[high], color=BLUE, alpha=alpha, linewidth=3.5)


def _write(
    axes: list["Axes"],
    shown: int,
    some: str,
    columns: int,
    response: str,
    time: str,
    by: str,
    *,
    dates: bool,
    sharey: bool,
) -> None:
    figure = style.figure_of(axes[0])
    style.main_title(axes[0], f"Forecast of {response}" + (f" by {by}" if by else "") + some)
    figure.supylabel(response, fontsize=style.TEXT, color=INK)
    for place, panel in enumerate(axes[:shown]):
        # Also where the panel below is empty.
        below = place + columns >= shown
        _ticks(panel, dates=dates)
        panel.tick_params(labelbottom=below, labelleft=not sharey or place % columns == 0)
        panel.set_xlabel(time if below else "", fontsize=style.SMALL, color=INK)
    style.legend_below(axes[0], 5)


def _ticks(ax: "Axes", *, dates: bool) -> None:
    """Few ticks, that don't run into each other."""
    from matplotlib.ticker import MaxNLocator

    if dates:
        style.date_ticks(ax, style.inches(ax))
    else:
        ax.xaxis.set_major_locator(MaxNLocator(max(2, int(style.inches(ax) / 0.35)), integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(4))


def _is_dates(table: pd.DataFrame) -> bool:
    return pd.api.types.is_datetime64_any_dtype(table["time"].dtype)
