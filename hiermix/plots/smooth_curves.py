"""Curves of a smooth on the scale of the linear predictor, with bands, and where the rows are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix.design import kinds
from hiermix.design.curves import Curve
from hiermix.design.level_curves import LevelCurve
from hiermix.design.tensor_splines import TensorPiece
from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.formula.equations import MU, qualified
from hiermix.plots import style, surfaces
from hiermix.plots.style import COLORS, INK, Plot
from hiermix.posterior.intervals import tails
from hiermix.posterior.posterior import Posterior
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 100
_LEVELS, _BANDS = 50, 8
"""Levels of a factor whose curves are drawn at most, and curves that have bands."""


def plot_smooth(
    posterior: Posterior,
    x: str,
    *,
    prob: float = 0.9,
    ax: "Axes | None" = None,
    figsize: tuple[float, float] | None = None,
) -> Plot:
    """Draw the curves of a smooth: what they add to the linear predictor, and the rows below.

    A curve is zero on the average of its rows; a Gaussian process, on that of all rows, which takes
    its level away, that the intercept has as well. Those of ``s(x, g, bs="fs")`` are what
    levels add, fifty of many, without bands where they are more than eight. A curve that is
    multiplied by a number is drawn for one unit of it. A surface, ``t2(x, z)``, is drawn by its
    mean, in colours with contours, over both columns.

    Parameters
    ----------
    x : str
        Column, or the smooth's own name, ``"s(x, by=f)"``, ``"t2(x, z)"``.
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
    posterior.design.check_rows("plot_smooth")
    if pieces := surfaces.named(posterior, x):
        return surfaces.plot_surface(posterior, pieces, prob, ax, figsize)
    curves = _curves(posterior, x)
    column = curves[0].column
    values = _rows(posterior, column)
    at = np.linspace(values.min(), values.max(), _POINTS)
    data = pd.concat([numbers(each, at, prob) for each in curves], ignore_index=True)
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


@dataclass(frozen=True)
class _Shown:
    """A curve to be drawn."""

    smooth: str
    """What it is one of: ``"s(x, by=f)"``."""
    name: str
    column: str
    equation: str
    along: Callable[[FloatArray], FloatArray]
    """Draws (n, S) at some values."""


def numbers(curve: _Shown, at: FloatArray, prob: float) -> pd.DataFrame:
    """Return what a curve adds at some values."""
    drawn = curve.along(at)
    low, high = np.quantile(drawn, tails(prob), axis=1)
    return pd.DataFrame({"smooth": curve.name, curve.column: at,
                         "estimate": drawn.mean(axis=1), "low": low, "high": high})  # fmt: skip


def _rows(posterior: Posterior, column: str) -> FloatArray:
    """Return the values of the fitted rows."""
    return kinds.stored(posterior.design.column(column)).to_numpy(dtype=np.float64)


def _of_all(posterior: Posterior, curve: Curve) -> _Shown:
    """Return a curve of the population."""

    def along(at: FloatArray) -> FloatArray:
        terms = list(posterior.design.equation(curve.equation).terms)
        places = [terms.index(label) for label in (*curve.lines, *curve.bends)]
        b = posterior.b(None if curve.equation == MU else curve.equation)[places]
        # A process has a level, which trades off with the intercept.
        level = 0.0 if curve.lines else curve.along(_rows(posterior, curve.column)).mean(axis=0) @ b
        return np.asarray(curve.along(at) @ b - level)

    smooth = curve.name.partition("[")[0]
    return _Shown(smooth, curve.name, curve.column, curve.equation, along)


def _of_levels(posterior: Posterior, of: LevelCurve) -> Iterator[_Shown]:
    """Yield the curves that the levels of a factor have; of many levels some."""
    grouping, curve = posterior.design.grouping(of.factor), of.curve
    labels = [qualified(each, curve.equation) for each in of.effects]
    places = [grouping.effects.index(label) for label in labels]
    J = len(grouping.levels)

    def along(place: int, at: FloatArray) -> FloatArray:
        effects = posterior.r(grouping).at(np.array([place]), places)[:, 0]
        return np.asarray(of.along(at) @ effects)

    for place in np.linspace(0, J - 1, min(J, _LEVELS)).astype(int).tolist():
        name = f"{curve.name}[{grouping.levels[place]}]"
        yield _Shown(curve.name, name, curve.column, curve.equation, partial(along, place))


def _curves(posterior: Posterior, x: str) -> Sequence[_Shown]:
    """Return the curves of a column, or of the one smooth that is named."""
    design = posterior.design
    alone = [each for each in design.curves if not isinstance(each, TensorPiece)]
    known = [_of_all(posterior, each) for each in alone]
    for of in design.level_curves:
        known += _of_levels(posterior, of)
    found = [each for each in known if x in (each.column, each.name, each.smooth)]
    if not found:
        surfaces.check_column(posterior, x)
        names = list(dict.fromkeys(name for each in known for name in (each.column, each.smooth)))
        names += surfaces.names(posterior)
        listed = ", ".join(map(repr, names)) or "none; write s(x) in the formula"
        near = did_you_mean(str(x), names)
        raise ArgumentError(f"{quoted(x)} is no smooth of this fit.{near} Known: {listed}")
    if len({each.column for each in found}) > 1:  # a smooth called like another one's column
        found = [each for each in found if x == each.column]
    return found


def _draw(ax: "Axes", data: pd.DataFrame, curves: Sequence[_Shown], column: str) -> None:
    for place, each in enumerate(curves):
        own = data[data["smooth"] == each.name]
        color, dash = COLORS[place % len(COLORS)], ("-", "-.", ":", "--")[place // len(COLORS) % 4]
        if len(curves) <= _BANDS:
            ax.fill_between(own[column], own["low"], own["high"], color=color, alpha=0.22,
                            linewidth=0)  # fmt: skip
        ax.plot(own[column], own["estimate"], dash, color=color, linewidth=1.6, label=each.name)


def _rug(ax: "Axes", values: FloatArray) -> None:
    """Mark where rows are, at the bottom."""
    known = np.unique(values)
    some = known[np.linspace(0, len(known) - 1, min(len(known), 500)).astype(int)]
    ax.plot(some, np.zeros(len(some)), "|", color=INK, markersize=5, alpha=0.35,
            transform=ax.get_xaxis_transform(), clip_on=False)  # fmt: skip


def _title(curves: Sequence[_Shown]) -> str:
    names = list(dict.fromkeys(each.name for each in curves))
    return names[0] if len(names) == 1 else f"smooths of {curves[0].column}"
