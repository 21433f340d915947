"""How partial pooling moves each group from its own estimate towards the population."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix.errors import count
from hiermix.families.family import needs_numbers
from hiermix.plots import style
from hiermix.plots.style import BLUE, INK, ORANGE, PALE, Plot
from hiermix.posterior import no_pooling
from hiermix.posterior.intervals import tails
from hiermix.posterior.posterior import Posterior
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_ELLIPSES = (0.5, 0.9)
_NAMED = 25
"""Groups of a plane that can be named without a crowd."""


def plot_shrinkage(
    posterior: Posterior,
    group: str,
    *,
    effects: str | Sequence[str] | None = None,
    prob: float = 0.9,
    ax: "Axes | None" = None,
    figsize: tuple[float, float] | None = None,
) -> Plot:
    """Draw how partial pooling moves each group from its own estimate.

    One effect: for each group, ordered by its rows, an arrow from the estimate from its rows
    alone (least squares, or maximum likelihood; absent where they can't tell) to the posterior
    mean with its interval, beside the population mean and the complete-pooling estimate. Two
    effects: one against the other, with ellipses that hold 50 % and 90 % of groups as fitted.
    More: one below the other.

    Parameters
    ----------
    group : str
        Grouping factor.
    effects : str or sequence of str, optional
        Coefficients to draw; all that vary over the factor by default.
    prob : float
        Probability of the equal-tailed intervals.
    ax : matplotlib.axes.Axes, optional
        Where to draw a figure of one panel; a new figure by default.
    figsize : tuple of float, optional
        Width and height of a new figure in inches.

    Returns
    -------
    Plot
        With ``figure`` and ``data``, the numbers drawn.
    """
    needs_numbers(posterior.family, "plot_shrinkage")
    posterior.design.check_rows("plot_shrinkage")
    grouping = posterior.grouping(group)
    group, chosen = grouping.name, style.choose_effects(effects, grouping, grouping.of_location)
    data = numbers(posterior, group, prob)
    data = data[data["effect"].isin(chosen)].reset_index(drop=True)
    if len(chosen) == 2 and grouping.strata is None:
        ax = style.axes(ax, figsize or (6.5, 5.6))
        _plane(ax, data, chosen, group, _center_and_covariance(posterior, group, chosen))
        return Plot(style.figure_of(ax), data)
    width = style.width_for(len(data) // len(chosen))
    panels = style.stack(ax, len(chosen), figsize, width=width)
    for panel, effect in zip(panels, chosen, strict=True):
        _line_up(panel, data[data["effect"] == effect], group, effect, prob)
    style.legend_below(panels[-1], 5)
    return Plot(style.figure_of(panels[0]), data)


def numbers(posterior: Posterior, group: str, prob: float) -> pd.DataFrame:
    """One row a level and effect, ordered by the number of rows of the level.

    Columns: level, effect, rows, no_pooling (NaN where the level's rows can't tell), mean, low,
    high of the posterior, population (its posterior mean) and complete_pooling.
    """
    levels = tails(prob)
    grouping = posterior.grouping(group)
    effects = grouping.of_location
    varying = posterior.effects(group).dims[-1]

    def figures(draws: "xr.DataArray") -> FloatArray:
        """Mean, low and high of the draws of some levels, for each effect (level, 3 x effects)."""
        some = draws.sel({varying: list(effects)}).to_numpy()
        values = some.reshape(-1, *some.shape[2:])
        ends = np.quantile(values, levels, axis=0)
        return np.concatenate([values.mean(axis=0), *ends], axis=1)

    mean, low, high = np.split(posterior.by_level(group, "coefficients", figures), 3, axis=1)
    rows = grouping.factor.counts()
    center = posterior.means(effects)
    pooled = no_pooling.complete(posterior)
    order = np.argsort(rows, kind="stable")
    repeat = len(effects)
    frame = {
        "level": np.repeat(grouping.levels[order], repeat),
        "effect": list(effects) * len(order),
        "rows": np.repeat(rows[order], repeat),
        "no_pooling": no_pooling.per_group(posterior, group)[order].ravel(),
        "mean": mean[order].ravel(),
        "low": low[order].ravel(),
        "high": high[order].ravel(),
        "population": np.tile(center, len(order)),
        "complete_pooling": [pooled.get(each, 0.0) for each in effects] * len(order),
    }
    return pd.DataFrame(frame)


def _line_up(ax: "Axes", data: pd.DataFrame, group: str, effect: str, prob: float) -> None:
    """One coefficient: groups along x from few rows to many."""
    x, size = np.arange(len(data)), style.dot_size(len(data))
    ax.axhline(data["complete_pooling"].iloc[0], color=INK, linestyle=(0, (5, 3)), linewidth=1.1,
               zorder=1, label="complete pooling")  # fmt: skip
    ax.axhline(data["population"].iloc[0], color=BLUE, linewidth=0.9, zorder=1,
               label="population mean")  # fmt: skip
    ax.vlines(x, data["low"], data["high"], color=BLUE, alpha=0.35, linewidth=size * 0.45,
              label=f"{style.percent(prob)} interval")  # fmt: skip
    _arrows(ax, np.column_stack([x, data["no_pooling"]]), np.column_stack([x, data["mean"]]))
    ax.plot(x, data["no_pooling"], "o", markersize=size, markerfacecolor="white",
            markeredgecolor=ORANGE, markeredgewidth=size / 5, label="no pooling")  # fmt: skip
    ax.plot(x, data["mean"], "o", markersize=size, color=BLUE, label="partial pooling")
    near = data[["low", "high", "population", "complete_pooling"]].to_numpy().ravel()
    ax.set_ylim(style.limits(near, data["no_pooling"].to_numpy()))
    style.label_levels(ax, style.with_rows(data["level"], data["rows"]))
    style.name_axes(ax, f"{group} (rows), from few rows to many", effect)
    style.title(ax, _headline(data, group, effect), _unseen(ax, data))


def _headline(data: pd.DataFrame, group: str, effect: str) -> str:
    both = data.dropna(subset="no_pooling")
    before, after = both["no_pooling"].std(), both["mean"].std()
    if not before > 0:
        return f"{effect} by {group}: partial pooling"
    verb = "narrows" if after < before else "widens"
    spread = f"the spread (sd) of groups from {before:.2g} to {after:.2g}"
    return f"{effect} by {group}: partial pooling {verb} {spread}"


def _unseen(ax: "Axes", data: pd.DataFrame) -> str:
    """Say what the figure can't show: estimates that don't exist, or lie beyond its edges."""
    low, high = ax.get_ylim()
    missing = int(data["no_pooling"].isna().sum())
    outside = int(((data["no_pooling"] < low) | (data["no_pooling"] > high)).sum())
    notes = []
    if missing:
        notes.append(f"{count(missing, 'group')} whose own rows can't tell: no circle")
    if outside:
        notes.append(f"{count(outside, 'circle')} beyond the edges")
    return "; ".join(notes)


def _arrows(ax: "Axes", start: FloatArray, end: FloatArray) -> None:
    """Draw arrows from no pooling to partial pooling where both exist."""
    known = np.isfinite(start).all(axis=1)
    if not known.any():
        return
    start, step = start[known], (end - start)[known]
    width = style.dot_size(len(known)) / 6
    ax.quiver(*start.T, *step.T, angles="xy", scale_units="xy", scale=1, color=ORANGE, alpha=0.75,
              units="inches", width=width / 72, headwidth=5, headlength=6, headaxislength=5,
              minlength=0, zorder=1.9)  # fmt: skip


def _plane(
    ax: "Axes",
    data: pd.DataFrame,
    effects: tuple[str, ...],
    group: str,
    normal: tuple[FloatArray, FloatArray],
) -> None:
    """Two coefficients against each other."""
    first, second = (data[data["effect"] == effect].reset_index() for effect in effects)
    size = style.dot_size(2 * len(first))
    center, covariance = normal
    for prob in _ELLIPSES:
        ax.plot(*ellipse(center, covariance, prob).T, color=BLUE, linewidth=0.9,
                alpha=1.2 - prob, label=f"{style.percent(prob)} of groups, as fitted")  # fmt: skip
    start, end = (np.column_stack([first[each], second[each]]) for each in ("no_pooling", "mean"))
    _arrows(ax, start, end)
    ax.plot(first["no_pooling"].where(second["no_pooling"].notna()), second["no_pooling"], "o",
            markersize=size, markerfacecolor="white", markeredgecolor=ORANGE,
            markeredgewidth=size / 5, label="no pooling")  # fmt: skip
    ax.plot(
        first["mean"], second["mean"], "o", markersize=size, color=BLUE, label="partial pooling"
    )
    ax.plot(first["complete_pooling"][0], second["complete_pooling"][0], "P", color=INK,
            markeredgecolor="white", markersize=9, label="complete pooling")  # fmt: skip
    if len(first) <= _NAMED:
        _name(ax, first, second)
    ax.grid(axis="x", color=PALE, linewidth=0.4, alpha=0.5)
    outline = ellipse(center, covariance, _ELLIPSES[-1])
    for axis, each, edge in (
        (ax.set_xlim, first, outline[:, 0]),
        (ax.set_ylim, second, outline[:, 1]),
    ):
        near = np.concatenate([each["mean"], edge, each["complete_pooling"][:1]])
        axis(style.limits(near, each["no_pooling"].to_numpy()))
    style.name_axes(ax, *effects)
    style.title(ax, f"{effects[0]} and {effects[1]} by {group}: no pooling to partial pooling",
                 _unseen_plane(ax, first, second))  # fmt: skip
    style.legend_below(ax, 3)


def _name(ax: "Axes", first: pd.DataFrame, second: pd.DataFrame) -> None:
    """Write each level beside its circle, on the side that its arrow leaves free."""
    dx = (first["no_pooling"] - first["mean"]).fillna(1.0)
    x, y = (each["no_pooling"].fillna(each["mean"]) for each in (first, second))
    for level, here, there, right in zip(first["level"], x, y, dx > 0, strict=True):
        ax.annotate(style.shorten(level, 16), (here, there), (6 if right else -6, 0),
                    textcoords="offset points", ha="left" if right else "right", va="center",
                    fontsize=style.SMALL, color=INK, annotation_clip=True)  # fmt: skip


def _unseen_plane(ax: "Axes", first: pd.DataFrame, second: pd.DataFrame) -> str:
    x, y = first["no_pooling"].to_numpy(), second["no_pooling"].to_numpy()
    known = np.isfinite(x) & np.isfinite(y)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    outside = known & ~((x >= left) & (x <= right) & (y >= low) & (y <= high))
    notes = []
    if not known.all():
        notes.append(
            f"{count(int((~known).sum()), 'group')} whose own rows can't tell both: no arrow"
        )
    if outside.any():
        notes.append(f"{count(int(outside.sum()), 'arrow')} from beyond the edges")
    return "; ".join(notes)


def _center_and_covariance(
    posterior: Posterior, group: str, effects: Sequence[str]
) -> tuple[FloatArray, FloatArray]:
    """Return the population coefficients and the covariance of two effects."""
    dim, draws = f"{group}_effect", posterior.draws
    labels = map(posterior.design.grouping(group).sd_of, effects)
    sd = [draws[f"sd_{group}"].sel({dim: each}).to_numpy() for each in labels]
    # Medians: with few groups the mean of a variance lies far out in its tail.
    middle = [float(np.median(each)) for each in sd]
    covariance = np.diag(np.square(middle))
    pair = f"cor_{group}"
    if pair in draws:
        labels = draws[f"{group}_pair"].to_numpy().tolist()
        for label in (", ".join(effects), ", ".join(reversed(effects))):
            if label in labels:
                cor = float(draws[pair].sel({f"{group}_pair": label}).median())
                covariance[0, 1] = covariance[1, 0] = cor * middle[0] * middle[1]
    return posterior.means(effects), covariance


def ellipse(
    center: FloatArray, covariance: FloatArray, prob: float, points: int = 200
) -> FloatArray:
    """Outline (points, 2) of the smallest region that holds `prob` of a bivariate normal."""
    from scipy.stats import chi2

    angle = np.linspace(0, 2 * np.pi, points)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    return np.asarray(center + np.sqrt(chi2.ppf(prob, 2)) * circle @ root.T)
