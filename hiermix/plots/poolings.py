"""Each group without and with partial pooling, beside complete pooling, and what predicts best."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix.plots import style
from hiermix.plots.style import BLUE, INK, ORANGE, Plot
from hiermix.posterior.intervals import tails
from hiermix.posterior.posterior import Posterior
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

type Elpd = Mapping[str, tuple[float, FloatArray]]
"""Pooling to its elpd and the elpd of each row."""

_COLORS = {"complete": INK, "no": ORANGE, "partial": BLUE}


def plot(
    posteriors: Mapping[str, Posterior],
    group: str,
    elpd: Elpd,
    *,
    effects: str | Sequence[str] | None,
    prob: float,
    figsize: tuple[float, float] | None,
) -> Plot:
    """Draw a panel an effect, and a last one of predictive densities."""
    chosen = style.choose_effects(
        effects, posteriors["no"].grouping(group), posteriors["no"].grouping(group).of_location
    )
    data = numbers(posteriors, group, prob)
    data = data[data["effect"].isin(chosen)].reset_index(drop=True)
    width = style.width_for(len(data) // len(chosen))
    size = figsize or (width, 2.6 * len(chosen) + 1.8)
    heights = [*[2.6] * len(chosen), 1.0]
    axes = style.panels(len(chosen) + 1, 1, size, height_ratios=heights)
    for panel, effect in zip(axes, chosen, strict=False):
        _line_up(panel, data[data["effect"] == effect], group, effect, prob)
    _densities(axes[-1], elpd)
    style.legend_below(axes[0], 3)
    return Plot(style.figure_of(axes[0]), data)


def numbers(posteriors: Mapping[str, Posterior], group: str, prob: float) -> pd.DataFrame:
    """One row a level and effect, from few rows to many.

    Columns: level, effect, rows; complete; and of no and partial pooling mean, sd, low, high.
    """
    levels = tails(prob)
    grouping = posteriors["no"].grouping(group)
    rows = grouping.factor.counts()
    order = np.argsort(rows, kind="stable")
    effects = grouping.of_location
    frame = pd.DataFrame({
        "level": np.repeat(grouping.levels[order], len(effects)),
        "effect": list(effects) * len(order),
        "rows": np.repeat(rows[order], len(effects)),
        "complete": posteriors["complete"].means(effects).tolist() * len(order),
    })  # fmt: skip
    for name in ("no", "partial"):
        varying = posteriors[name].effects(group).dims[-1]

        def figures(draws: "xr.DataArray", varying: Hashable = varying) -> FloatArray:
            some = draws.sel({varying: list(effects)}).to_numpy()
            values = some.reshape(-1, *some.shape[2:])
            ends = np.quantile(values, levels, axis=0)
            return np.concatenate([values.mean(axis=0), values.std(axis=0, ddof=1), *ends], axis=1)

        found = posteriors[name].by_level(group, "coefficients", figures)[order]
        for what, values in zip(("", " sd", " low", " high"), np.split(found, 4, axis=1),
                                strict=True):  # fmt: skip
            frame[f"{name}{what}"] = values.ravel()
    return frame


def _line_up(ax: "Axes", data: pd.DataFrame, group: str, effect: str, prob: float) -> None:
    size = style.dot_size(2 * len(data))
    x = np.arange(len(data))
    ax.axhline(data["complete"].iloc[0], color=INK, linestyle=(0, (5, 3)), linewidth=1.1,
               label="complete pooling")  # fmt: skip
    for name, shift in (("no", -0.2), ("partial", 0.2)):
        color, face = _COLORS[name], "white" if name == "no" else BLUE
        ax.vlines(x + shift, data[f"{name} low"], data[f"{name} high"], color=color, alpha=0.45,
                  linewidth=size * 0.4)  # fmt: skip
        label = f"{name} pooling, {style.percent(prob)} interval"
        ax.plot(x + shift, data[name], "o", color=color, markerfacecolor=face, markersize=size,
                markeredgewidth=size / 5, label=label)  # fmt: skip
    ax.set_ylim(_limits(data))
    style.label_levels(ax, style.with_rows(data["level"], data["rows"]))
    style.name_axes(ax, f"{group} (rows), from few rows to many", effect)
    style.title(ax, f"{effect} by {group}: no pooling and partial pooling", _outside(ax, data))


def _limits(data: pd.DataFrame) -> tuple[float, float]:
    """Hold all estimates; intervals without pooling may be as wide as their prior, and are cut."""
    inner = data[["complete", "partial low", "partial high", "no"]].to_numpy()
    low, high = float(inner.min()), float(inner.max())
    reach = (high - low) / 2
    low, high = max(low - reach, data["no low"].min()), min(high + reach, data["no high"].max())
    low, high = min(low, float(inner.min())), max(high, float(inner.max()))
    return style.limits(np.array([low, high]), np.empty(0))


def _outside(ax: "Axes", data: pd.DataFrame) -> str:
    low, high = ax.get_ylim()
    number = int(((data["no low"] < low) | (data["no high"] > high)).sum())
    return f"{number} intervals without pooling go beyond the edges" if number else ""


def _densities(ax: "Axes", elpd: Elpd) -> None:
    """Differences of elpd to the best, with the standard error of the difference."""
    best = max(elpd, key=lambda name: elpd[name][0])
    for place, name in enumerate(reversed(list(elpd))):
        difference = elpd[name][1] - elpd[best][1]
        error = float(np.sqrt(len(difference) * difference.var()))
        color, face = _COLORS[name], "white" if name == "no" else _COLORS[name]
        ax.errorbar(elpd[name][0] - elpd[best][0], place, xerr=error, color=color, fmt="o",
                    markersize=5, markerfacecolor=face)  # fmt: skip
    ax.set_yticks(range(len(elpd)), [f"{name} pooling" for name in reversed(list(elpd))])
    ax.set_ylim(-0.6, len(elpd) - 0.4)
    ax.grid(axis="y", visible=False)
    style.name_axes(ax, "elpd (leave-one-out) less that of the best, ± se of the difference", "")
    style.title(ax, verdict(elpd))


def verdict(elpd: Elpd) -> str:
    """Say which pooling predicts best: those within two standard errors of the best share it."""
    best = max(elpd, key=lambda name: elpd[name][0])
    near = []
    for name, (_, rows) in elpd.items():
        difference = rows - elpd[best][1]
        if -difference.sum() <= 2 * np.sqrt(len(difference) * difference.var()):
            near.append(name)
    if len(near) == 1:
        return f"{best.capitalize()} pooling predicts unseen rows best"
    both = " and ".join([", ".join(near[:-1]), near[-1]])
    return f"{both.capitalize()} pooling predict unseen rows about equally well"
