"""Curves of a smooth on the scale of the linear predictor, with bands, and where the rows are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix.design import kinds
from hiermix.design.curves import Curve
from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.formula.equations import MU
from hiermix.plots import style
from hiermix.plots.style import COLORS, INK, Plot
from hiermix.posterior.intervals import tails
from hiermix.posterior.posterior import Posterior
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 100


def plot_smooth(
    posterior: Posterior,
    x: str,
    *,
    prob: float = 0.9,
    ax: "Axes | None" = None,
    figsize: tuple[float, float] | None = None,
) -> Plot:
    """Draw the curves of a smooth: what they add to the linear predictor, and the rows below.

    A curve is zero on the average of its rows. One that is multiplied by a number is drawn for one
    unit of it.

    Parameters
    ----------
    x : str
        Column, or the smooth's own name, ``"s(x, by=f)"``.
    prob : float
        Probability of the equal-tailed band.
    ax : matplotlib.axes.Axes, optional
        Where to draw a figure of one panel; a new figure by default.
    figsize : tuple of float, optional
        Width and height of a new figure in inches.

    Returns
    -------
    Plot
        With ``figure`` and ``data``, the numbers drawn: ``smooth``, x, ``estimate``, ``low``,
        ``high``.
    """
    tails(prob)
    curves = _curves(posterior, x)
    column = curves[0].column
    values = kinds.stored(posterior.design.column(column)).to_numpy(dtype=np.float64)
    at = np.linspace(values.min(), values.max(), _POINTS)
    data = pd.concat([numbers(posterior, each, at, prob) for each in curves], ignore_index=True)
    equations = list(dict.fromkeys(each.equation for each in curves))
    axes = style.stack(ax, len(equations), figsize)
    for panel, equation in zip(axes, equations, strict=True):
        mine = [each for each in curves if each.equation == equation]
        _draw(panel, data, mine, column)
        _rug(panel, values)
        what = posterior.design.response_name if equation == MU else equation
        style.name_axes(panel, column if panel is axes[-1] else "", f"added to {what}")
    style.title(axes[0], _title(curves), f"{style.percent(prob)} intervals")
    if len(curves) > len(equations):
        style.legend_below(axes[-1])
    return Plot(style.figure_of(axes[0]), data)


def numbers(posterior: Posterior, curve: Curve, at: FloatArray, prob: float) -> pd.DataFrame:
    """Return what a curve adds at some values."""
    equation = posterior.design.equation(curve.equation)
    terms = list(equation.terms)
    places = [terms.index(label) for label in (*curve.lines, *curve.bends)]
    b = posterior.b(None if curve.equation == MU else curve.equation)[places]
    drawn = curve.along(at) @ b
    low, high = np.quantile(drawn, tails(prob), axis=1)
    return pd.DataFrame({"smooth": curve.name, curve.column: at,
                         "estimate": drawn.mean(axis=1), "low": low, "high": high})  # fmt: skip


def _curves(posterior: Posterior, x: str) -> Sequence[Curve]:
    """Return the curves of a column, or of the one smooth that is named."""
    known = posterior.design.curves
    found = [each for each in known if x in (each.column, each.name, each.name.partition("[")[0])]
    if not found:
        names = list(dict.fromkeys(name for each in known for name in (each.column, each.name)))
        listed = ", ".join(map(repr, names)) or "none; write s(x) in the formula"
        near = did_you_mean(str(x), names)
        raise ArgumentError(f"{quoted(x)} is no smooth of this fit.{near} Known: {listed}")
    if len({each.column for each in found}) > 1:  # a smooth called like another one's column
        found = [each for each in found if x == each.column]
    return found


def _draw(ax: "Axes", data: pd.DataFrame, curves: Sequence[Curve], column: str) -> None:
    for place, each in enumerate(curves):
        own = data[data["smooth"] == each.name]
        color, dash = COLORS[place % len(COLORS)], ("-", "-.", ":", "--")[place // len(COLORS) % 4]
        ax.fill_between(own[column], own["low"], own["high"], color=color, alpha=0.22, linewidth=0)
        ax.plot(own[column], own["estimate"], dash, color=color, linewidth=1.6, label=each.name)


def _rug(ax: "Axes", values: FloatArray) -> None:
    """Mark where rows are, at the bottom."""
    known = np.unique(values)
    some = known[np.linspace(0, len(known) - 1, min(len(known), 500)).astype(int)]
    ax.plot(some, np.zeros(len(some)), "|", color=INK, markersize=5, alpha=0.35,
            transform=ax.get_xaxis_transform(), clip_on=False)  # fmt: skip


def _title(curves: Sequence[Curve]) -> str:
    names = list(dict.fromkeys(each.name for each in curves))
    return names[0] if len(names) == 1 else f"smooths of {curves[0].column}"
