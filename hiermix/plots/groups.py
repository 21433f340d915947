"""The groups side by side: their coefficients or effects with intervals, from low to high."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.errors import count
from hiermix.plots import style
from hiermix.plots.style import BLUE, GREY, INK, PALE, Plot
from hiermix.posterior.intervals import tails
from hiermix.posterior.posterior import Posterior
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

KINDS = ("effects", "coefficients")
_LONGEST = 60
"""Characters of a label that has a line of its own."""


def plot_groups(
    posterior: Posterior,
    group: str,
    *,
    effects: str | Sequence[str] | None = None,
    kind: str = "effects",
    prob: float = 0.9,
    horizontal: bool = False,
    ax: "Axes | None" = None,
    figsize: tuple[float, float] | None = None,
) -> Plot:
    """Draw the levels of a grouping factor from low to high, one panel an effect.

    Of unordered categories, one panel an effect and category.

    Parameters
    ----------
    group : str
        Grouping factor.
    effects : str or sequence of str, optional
        Coefficients to draw; all that vary over the factor by default.
    kind : {"effects", "coefficients"}
        Deviations from the population, coloured where the interval leaves out zero; or
        population plus deviation.
    prob : float
        Probability of the equal-tailed intervals.
    horizontal : bool
        Draw the levels one below the other, each with its label.
    ax : matplotlib.axes.Axes, optional
        Where to draw a figure of one panel; a new figure by default.
    figsize : tuple of float, optional
        Width and height of a new figure in inches.

    Returns
    -------
    Plot
        With ``figure`` and ``data``, the numbers drawn.
    """
    grouping = posterior.grouping(group)
    group, chosen = grouping.name, style.choose_effects(effects, grouping)
    data = pd.concat([numbers(posterior, group, effect, kind, prob) for effect in chosen],
                     ignore_index=True)  # fmt: skip
    shown = data["effect"].unique().tolist()
    levels = len(data) // len(shown)
    width, height = style.width_for(levels), style.height_for(levels)
    if horizontal:
        axes = style.stack(ax, len(shown), figsize or (style.WIDTH, height * len(shown)))
    else:
        axes = style.stack(ax, len(shown), figsize, width=width)
    for panel, effect in zip(axes, shown, strict=True):
        draw = _forest if horizontal else _caterpillar
        draw(panel, data[data["effect"] == effect], group, effect, prob)
    style.legend_below(axes[-1])
    return Plot(style.figure_of(axes[0]), data)


def numbers(posterior: Posterior, group: str, effect: str, kind: str, prob: float) -> pd.DataFrame:
    """One row a level, ordered by its posterior mean; category after category, if there are any.

    Columns: level, effect, mean, low, high, population (what no deviation means), and, of effects,
    differs: does the interval leave out zero?
    """
    tails(prob)
    options.one_of("kind", kind, KINDS)
    varying = posterior.grouping(group).dim

    def figures(draws: "xr.DataArray") -> FloatArray:
        """Mean, low and high (..., level, 3) of the draws of some levels."""
        some = draws.sel({varying: effect})
        values = some.to_numpy().reshape(-1, *some.shape[2:])
        ends = np.quantile(values, tails(prob), axis=0)
        return np.stack([values.mean(axis=0), *ends], axis=-1)

    found = posterior.by_level(group, kind, figures)
    grouping = posterior.grouping(group)
    place = grouping.of_level.index(effect)
    population = (np.zeros(1) if kind == "effects" else
                  posterior.beside(grouping, place).mean(("chain", "draw")).to_numpy())  # fmt: skip
    labels = posterior.effects(group)[posterior.effects(group).dims[-2]].to_numpy()
    if not posterior.design.alike:
        return _ordered(found, labels, float(population.ravel()[0]), effect, kind)
    centers = np.broadcast_to(population.ravel(), len(found)).tolist()
    each = [
        _ordered(found[c], labels, centers[c], f"{label}, {effect}", kind)
        for c, label in enumerate(posterior.equations)
    ]
    return pd.concat(each, ignore_index=True)


def _ordered(
    found: FloatArray, labels: np.ndarray, population: float, effect: str, kind: str
) -> pd.DataFrame:
    frame = pd.DataFrame({
        "level": labels, "effect": effect, "mean": found[:, 0], "low": found[:, 1],
        "high": found[:, 2], "population": population,
    })  # fmt: skip
    if kind == "effects":
        frame["differs"] = (frame["low"] > 0) | (frame["high"] < 0)
    return frame.sort_values("mean", ignore_index=True)


def _caterpillar(ax: "Axes", data: pd.DataFrame, group: str, effect: str, prob: float) -> None:
    """Draw levels side by side."""
    _groups(ax, data, prob, upright=True)
    style.label_levels(ax, data["level"].tolist())
    style.name_axes(ax, group, effect)
    style.title(ax, _headline(data, group, effect))


def _forest(ax: "Axes", data: pd.DataFrame, group: str, effect: str, prob: float) -> None:
    """Draw levels one below the other, each with its whole label."""
    _groups(ax, data, prob, upright=False)
    labels = [style.shorten(level, _LONGEST) for level in data["level"]]
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(-0.7, len(labels) - 0.3)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", color=PALE, linewidth=0.4, alpha=0.5)
    style.name_axes(ax, effect, group)
    beside = max(map(len, labels)) * style.SMALL * 0.55 / 72
    style.title(ax, _headline(data, group, effect), width=max(2.0, style.inches(ax) - beside))


def _headline(data: pd.DataFrame, group: str, effect: str) -> str:
    if "differs" in data:
        number = f"{int(data['differs'].sum())} of {count(len(data), 'group')}"
        return f"Effects on {effect} by {group}: {number} differ from the population"
    low, high = data["mean"].min(), data["mean"].max()
    return f"{effect} of {len(data)} levels of {group}: from {low:.3g} to {high:.3g}"


def _groups(ax: "Axes", data: pd.DataFrame, prob: float, *, upright: bool) -> None:
    size = style.dot_size(len(data)) if upright else 4.0
    line = ax.axhline if upright else ax.axvline
    line(data["population"].iloc[0], color=INK, linestyle=(0, (5, 3)), linewidth=0.9, zorder=1)
    interval = f"{style.percent(prob)} interval"
    kinds = (
        [(~data["differs"], GREY, f"{interval} holds zero"),
         (data["differs"], BLUE, f"{interval} leaves out zero")]
        if "differs" in data
        else [(data["mean"].notna(), BLUE, interval)]
    )  # fmt: skip
    for which, color, label in kinds:
        place, part = np.flatnonzero(which), data[which]
        lines = ax.vlines if upright else ax.hlines
        lines(place, part["low"], part["high"], color=color, linewidth=size * 0.45, alpha=0.45)
        dots = (place, part["mean"]) if upright else (part["mean"], place)
        ax.plot(*dots, "o", color=color, markersize=size, label=label)
