"""Fitted lines with their bands over the data, one panel a group."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.design import kinds
from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.families.family import Family
from hiermix.plots import held_values, style
from hiermix.plots.style import BLUE, INK, Plot
from hiermix.posterior.intervals import tails
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import predict
from hiermix.prediction.pieces import draw_matrix
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = 20
"""Groups that are drawn if none are named: more can't be read."""
_GRID = 40
_FEW = 8
"""A numeric column of at most so many values is drawn at these alone."""


def plot_fit(
    posterior: Posterior,
    x: str,
    *,
    by: str,
    levels: Sequence[object] | None = None,
    prob: float = 0.9,
    sharey: bool | None = None,
    figsize: tuple[float, float] | None = None,
) -> Plot:
    """Draw the fitted mean against a column with its band over the data, a panel a group.

    Of unordered categories: the probability of each, with a mark for every row along the edge.
    Columns that x determines, such as the month of a date, move with it; others are held at the
    mean (labels and whole numbers: the most frequent) of the group's own rows; the effects of
    other grouping factors at zero. Where x is a column beside the formula, the mean is that of
    each of the group's own rows.

    Parameters
    ----------
    x : str
        Column of the data.
    by : str
        Grouping factor.
    levels : sequence, optional
        Levels to draw; by default up to 20, spread from those of few rows to those of many.
    prob : float
        Probability of the equal-tailed band.
    sharey : bool, optional
        Whether all panels have one scale; by default where that flattens few of them.
    figsize : tuple of float, optional
        Width and height in inches.

    Returns
    -------
    Plot
        With ``figure`` and ``data``, the lines drawn.
    """
    design, family = posterior.design, posterior.family
    design.check_rows("plot_fit")
    check_column(design, x)
    grouping = posterior.grouping(by)
    by, shown = grouping.name, _levels(grouping, levels)
    data = numbers(posterior, x, by, shown, prob)
    columns = min(len(shown), 4 if len(shown) <= 16 else 5)
    rows = -(-len(shown) // columns)
    size = figsize or (style.WIDTH, max(3.2, 1.2 + 1.7 * rows))
    own = [_own_rows(design, grouping, level, x) for level in shown]
    if sharey is None:
        sharey = family.unordered or style.share_scale(*_reaches(data, own, shown))
    axes = style.panels(rows, columns, size, sharex=True, sharey=sharey)
    draw = _probabilities if family.unordered else _panel
    for panel, level, mine in zip(axes, shown, own, strict=False):
        draw(panel, data[data["level"] == level], mine, x, prob)
    if family.unordered:  # the rows' marks lie below zero, where no probability is
        axes[0].set_yticks([tick for tick in axes[0].get_yticks() if 0 <= tick <= 1])
    for panel in axes[len(shown) :]:
        panel.set_visible(False)
    _write(axes, columns, x, design, by, len(shown), len(grouping.levels), sharey=sharey)
    figure = style.figure_of(axes[0])
    figure.supylabel(_of_response(design, family), fontsize=style.TEXT, color=INK)
    style.legend_below(axes[0])
    return Plot(figure, data)


def _reaches(
    data: pd.DataFrame, own: Sequence[pd.DataFrame], levels: Sequence[object]
) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and the highest number of each panel."""
    each = [data[data["level"] == level] for level in levels]
    bands = np.array([(part["low"].min(), part["high"].max()) for part in each])
    seen = np.array([(rows["y"].min(), rows["y"].max()) if len(rows) else (np.inf, -np.inf)
                     for rows in own])  # fmt: skip
    return np.minimum(bands[:, 0], seen[:, 0]), np.maximum(bands[:, 1], seen[:, 1])


def numbers(
    posterior: Posterior, x: str, by: str, levels: Sequence[object], prob: float
) -> pd.DataFrame:
    """One row a level and value of x: mean, low, high of the group's mean response, population.

    Of unordered categories, one row a category too: of its probability. Columns that x determines
    move with it, others are held at the group's mean, or its most frequent value; effects of other
    grouping factors at zero.
    """
    ends, design = tails(prob), posterior.design
    grouping = posterior.grouping(by)
    column, along = kinds.stored(design.column(x)), held_values.moving(design, grouping, x)
    determined = bool(along[0])
    grid = held_values.at_observed(column) if determined else (
        _grid(column, whole=x == design.formula.beside.trials))  # fmt: skip
    parts = [held_values.rows(design, grouping, level, x, grid, along) for level in levels]
    frame = pd.concat(parts)
    rows = design.on(frame, groups=[by], offset=np.zeros(len(frame)))
    source = predict.predictor(posterior.on(rows), group_effects=[by])
    # Successes are drawn as shares: rows differ in their trials.
    unordered = posterior.family.unordered
    trials = 1.0 if rows.trials is None or unordered else rows.trials[:, None]
    kind = "probability" if unordered else "mean"
    draws = draw_matrix(source, kind) / trials
    none = predict.predictor(posterior.on(rows), group_effects="none")
    population = (draw_matrix(none, kind) / trials).mean(axis=1)

    def frame_of(draws: FloatArray, population: FloatArray) -> pd.DataFrame:
        low, high = np.quantile(draws, ends, axis=1)
        return pd.DataFrame({
            "level": np.repeat(np.array(levels, dtype=object), [len(part) for part in parts]),
            x: style.drawable(pd.concat([part[x] for part in parts])).tolist(),
            "mean": draws.mean(axis=1), "low": low, "high": high, "population": population,
        })  # fmt: skip

    if not unordered:
        return frame_of(draws, population)
    return pd.concat(
        [frame_of(draws[..., c], population[:, c]).assign(category=str(label))
         for c, label in enumerate(design.categories)], ignore_index=True
    )  # fmt: skip


def check_column(design: Design, x: str) -> None:
    """Raise an ArgumentError unless `x` is a column of the data."""
    if not design.has(x):
        names = [*design.frame, *design.others]
        near = did_you_mean(str(x), names)
        known = ", ".join(map(repr, names))
        raise ArgumentError(f"{x!r} is no column of the data.{near} Known: {known}")


def _levels(grouping: Grouping, levels: Sequence[object] | None) -> list[object]:
    """Return the levels named, or some that span the range from few rows to many."""
    if levels is not None:
        known = set(grouping.levels)
        levels = options.names("levels", levels)
        if not levels:
            raise ArgumentError("levels names no level to draw")
        for level in levels:
            if level not in known:
                near = did_you_mean(str(level), grouping.levels)
                raise ArgumentError(f"{quoted(level)} is no level of {grouping.name}.{near}")
            if not grouping.rows_of(level).any():
                raise ArgumentError(f"{quoted(level)} of {grouping.name} has no row to draw")
        return list(levels)
    rows = grouping.factor.counts()
    order = np.argsort(rows, kind="stable")
    order = order[rows[order] > 0]
    number = min(len(order), PANELS)
    return list(grouping.levels[order[np.linspace(0, len(order) - 1, number).round().astype(int)]])


def _grid(column: pd.Series, *, whole: bool) -> list[Any]:
    values = column.unique()
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.remove_unused_categories().cat.categories.tolist()
    if not pd.api.types.is_numeric_dtype(column.dtype) or len(values) <= _FEW:
        return sorted(values.tolist())
    grid = np.linspace(float(column.min()), float(column.max()), _GRID)
    return np.unique(grid.round()).tolist() if whole else grid.tolist()


def _own_rows(design: Design, grouping: Grouping, level: object, x: str) -> pd.DataFrame:
    own = grouping.rows_of(level)
    assert design.observed is not None
    y = design.observed if design.trials is None else design.observed / design.trials
    if design.counts is not None:  # no row is of one category
        y = np.full(design.rows, np.nan)
    return pd.DataFrame(
        {
            "x": style.drawable(kinds.stored(design.column(x))[own].reset_index(drop=True)),
            "y": y[own],
        }
    )


def _apart(at: pd.Series, grid: Sequence[Any]) -> Any:
    """Return x, moved a little where few values would hide points under each other."""
    if len(grid) > _FEW or not pd.api.types.is_numeric_dtype(at.dtype) or len(grid) < 2:
        return at
    reach = 0.06 * float(np.diff(grid).min())
    # The golden ratio spreads any number of points evenly, and the same way each time.
    return at + reach * (2 * (np.arange(len(at)) * 0.618034 % 1) - 1)


def _panel(ax: "Axes", data: pd.DataFrame, own: pd.DataFrame, x: str, prob: float) -> None:
    at = data[x].tolist()
    size = float(np.clip(60 / max(len(own), 1), 2.0, 3.5))
    ax.plot(_apart(own["x"], at), own["y"], "o", color=INK, alpha=0.55, markersize=size,
            markeredgewidth=0, label="observed")  # fmt: skip
    ax.plot(at, data["population"], color=INK, linestyle=(0, (5, 3)), linewidth=0.9,
            label="population (no group effect)")  # fmt: skip
    ax.fill_between(at, data["low"], data["high"], color=BLUE, alpha=0.25, linewidth=0,
                    label=f"{style.percent(prob)} interval of the mean")  # fmt: skip
    ax.plot(at, data["mean"], color=BLUE, linewidth=1.4, label="this group")
    _label(ax, data, own, at)


def _probabilities(ax: "Axes", data: pd.DataFrame, own: pd.DataFrame, x: str, prob: float) -> None:
    """Draw a line a category with its band; marks along the edge are the rows observed."""
    at = data[x].drop_duplicates().tolist()
    for c, (category, part) in enumerate(data.groupby("category", sort=False)):
        again, place = divmod(c, len(style.COLORS))
        color, dashes = style.COLORS[place], ("-", "-.", ":")[again % 3]
        rows = _apart(own["x"], at)[own["y"] == c + 1]
        ax.plot(rows, np.full(len(rows), -0.03 - 0.03 * c), "|", color=color, markersize=4)
        ax.fill_between(at, part["low"], part["high"], color=color, alpha=0.22, linewidth=0)
        ax.plot(at, part["population"], color=color, linestyle=(0, (5, 3)), linewidth=0.8)
        ax.plot(at, part["mean"], dashes, color=color, linewidth=1.4, label=str(category))
    ax.plot([], color=INK, linestyle=(0, (5, 3)), linewidth=0.8, label="population")
    _label(ax, data, own, at)


def _label(ax: "Axes", data: pd.DataFrame, own: pd.DataFrame, at: Sequence[Any]) -> None:
    """Write the level and its rows above a panel, and every x below it if there are few."""
    if isinstance(own["x"].dtype, np.dtype) and own["x"].dtype.kind == "M":
        style.date_ticks(ax, style.inches(ax))
    elif len(at) <= _FEW:
        ax.set_xticks(at)
    name = style.fitting(data["level"].iloc[0], 0.8 * style.inches(ax))
    ax.set_title(f"{name} ({len(own)})", fontsize=style.SMALL + 0.5, loc="left", color=INK, pad=3)


def _of_response(design: Design, family: Family) -> str:
    if family.unordered:
        return f"probability of {design.response_name}"
    return design.response_name + ("" if design.trials is None else " / trials")


def _write(
    axes: Sequence["Axes"],
    columns: int,
    x: str,
    design: Design,
    by: str,
    shown: int,
    total: int,
    *,
    sharey: bool,
) -> None:
    which = f"all {total} groups" if shown == total else f"{shown} of {total} groups"
    text = f"{design.response_name} against {x} by {by}: {which}, from few rows to many"
    text += "" if sharey or shown == 1 else "; each on its own scale"
    style.main_title(axes[0], text)
    # A panel above an empty place has to carry the numbers of x.
    for panel in axes[max(0, shown - columns) : shown]:
        panel.tick_params(labelbottom=True)
        panel.set_xlabel(x, fontsize=style.SMALL, color=INK)
