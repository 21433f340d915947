"""Surfaces of two columns, ``t2(x, z)``, on the scale of the linear predictor, and the rows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix.design import kinds
from hiermix.design.tensor_splines import TensorPiece
from hiermix.errors import ArgumentError, quoted
from hiermix.formula.equations import MU, qualified
from hiermix.formula.names import alias
from hiermix.plots import style
from hiermix.plots.style import INK, Plot
from hiermix.posterior.intervals import tails
from hiermix.posterior.posterior import Posterior
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIDE, _DOTS = 40, 2_000
"""Points of a grid along each column, and rows that are drawn at most."""


def named(posterior: Posterior, name: str) -> list[TensorPiece]:
    """Return the pieces of the surface of that name; none where there is no such."""
    return [each for each in _pieces(posterior) if name == _name(each)]


def names(posterior: Posterior) -> list[str]:
    """Return the names of all surfaces."""
    return list(dict.fromkeys(map(_name, _pieces(posterior))))


def check_column(posterior: Posterior, x: str) -> None:
    """Raise where a column has no curve, and is one of those of a surface."""
    over = [each for each in _pieces(posterior) if x in each.columns]
    if over:
        raise ArgumentError(
            f"{quoted(x)} has no curve of its own in this fit: plot_smooth({_name(over[0])!r}) "
            f"draws the surface, plot_effects({x!r}) what is expected along {x}"
        )


def plot_surface(
    posterior: Posterior,
    pieces: Sequence[TensorPiece],
    prob: float,
    ax: "Axes | None",
    figsize: tuple[float, float] | None,
) -> Plot:
    """Draw what a surface adds: its mean in colours with contours, and where rows are."""
    first = pieces[0]
    x, z = first.columns
    rows = pd.DataFrame({name: _values(posterior, name) for name in first.columns})
    sides = [np.linspace(rows[name].min(), rows[name].max(), _SIDE) for name in (x, z)]
    grid = pd.DataFrame(dict(zip((x, z), map(np.ravel, np.meshgrid(*sides)), strict=True)))
    drawn = _added(posterior, pieces, grid)
    low, high = np.quantile(drawn, tails(prob), axis=1)
    data = grid.assign(estimate=drawn.mean(axis=1), low=low, high=high)
    data.insert(0, "smooth", _name(first))
    axes = style.axes(ax, figsize or (6.4, 4.8))
    values = data["estimate"].to_numpy().reshape(_SIDE, _SIDE)
    filled = axes.contourf(*sides, values, levels=12, cmap="viridis")
    lines = axes.contour(
        *sides, values, levels=np.asarray(filled.levels)[::2], colors=INK, linewidths=0.6
    )
    axes.clabel(lines, fontsize=style.SMALL)
    some = rows.iloc[np.linspace(0, len(rows) - 1, min(len(rows), _DOTS)).astype(int)]
    axes.plot(some[x], some[z], ".", color=INK, markersize=2, alpha=0.5)
    style.name_axes(axes, x, z)
    what = posterior.design.response_name if first.equation == MU else first.equation
    style.title(axes, _name(first), f"added to {what}, posterior mean")
    return Plot(style.figure_of(axes), data)


def _added(posterior: Posterior, pieces: Sequence[TensorPiece], rows: pd.DataFrame) -> FloatArray:
    """Return what a surface adds (n, S): zero on the average of the rows of the fit."""
    equation = pieces[0].equation
    part = rows.rename(columns=alias)
    total = np.zeros(())
    terms = list(posterior.design.equation(equation).terms)
    b = posterior.b(None if equation == MU else equation)
    for each in pieces:
        places = [terms.index(label) for label in (*each.lines, *each.bends)]
        total = total + np.hstack([each.straight(part), each.bent(part)]) @ b[places]
    return np.asarray(total)


def _pieces(posterior: Posterior) -> list[TensorPiece]:
    return [each for each in posterior.design.curves if isinstance(each, TensorPiece)]


def _name(piece: TensorPiece) -> str:
    return qualified(piece.surface, piece.equation)


def _values(posterior: Posterior, column: str) -> FloatArray:
    return kinds.stored(posterior.design.column(column)).to_numpy(dtype=np.float64)
