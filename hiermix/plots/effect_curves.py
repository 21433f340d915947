"""What is expected along a column, by another one: curves with bands, or means with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.design import kinds
from hiermix.design.design import Design
from hiermix.errors import ArgumentError, count
from hiermix.plots import observed_values, style
from hiermix.plots.observed_values import AVERAGED, SERIES, X, Y
from hiermix.plots.style import COLORS, INK, Plot
from hiermix.posterior.intervals import tails
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import grids, questions
from hiermix.prediction.estimands import label_columns
from hiermix.prediction.estimates import CATEGORY, Estimates
from hiermix.prediction.grids import DataGrid
from hiermix.prediction.questions import Asked

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCALES = ("response", "linear", "mean")
_POINTS = 60
_FEW = 8
"""A number of at most so many values is drawn at these, as levels are."""
_LINES = len(COLORS)
_CLUSTER = 0.4
"""How far means of one place along x reach, as a part of what neighbours are apart."""
_MOST = 400
"""Values of a column that the model does not use."""


def plot_effects(
    posterior: Posterior,
    x: str,
    *,
    by: str | None = None,
    over: str | None = None,
    scale: str = "response",
    prob: float = 0.9,
    data: bool = True,
    ax: "Axes | None" = None,
    figsize: tuple[float, float] | None = None,
) -> Plot:
    """Draw what is expected along a column, by the levels of another, with bands over the data.

    Other categories are averaged over their levels, other numbers held at their mean: the numbers
    are those of `means`. Along a column that the model does not use, expectations of the fitted
    rows are averaged. Of categories: the probability of each, a panel a level of `by`.

    Parameters
    ----------
    x : str
        Column along the axis: a number gives a curve, levels give means.
    by : str, optional
        Column that tells curves apart: levels, or a number, at its quartiles where it has many
        values.
    over : {"these groups", "typical group", "new group", "population"}, optional
        Whom it is about; the population by default, and these groups where x or `by` is a grouping
        factor.
    scale : {"response", "linear", "mean"}
        As in `predictions`.
    prob : float
        Probability of the equal-tailed band.
    data : bool
        Whether to draw the observed responses: as they are, or their averages where they are
        yes or no, categories, or many.
    ax : matplotlib.axes.Axes, optional
        Where to draw a figure of one panel; a new figure by default.
    figsize : tuple of float, optional
        Width and height of a new figure in inches.

    Returns
    -------
    Plot
        With ``figure`` and ``data``, the numbers drawn.
    """
    tails(prob)
    options.one_of("scale", scale, SCALES)
    design = posterior.design
    for name, who in ((x, "x"), (by, "by")):
        if name is not None:
            grids.known_column(design, name, who)
    if x == by:
        raise ArgumentError(f"x and by are both {x!r}: leave by out")
    found = numbers(posterior, x, by, over, scale, prob)
    table = found.table().rename(columns={"conf_low": "low", "conf_high": "high"})
    values = [None] if by is None else list(dict.fromkeys(table[by].tolist()))
    seen = None
    if data:
        seen = observed_values.observed(posterior, x, by, values, scale)
    canvas = Canvas(design, table, x, by, values, seen)
    panels = values if CATEGORY in table and by is not None else [None]
    axes = style.stack(ax, len(panels), figsize)
    for panel, value in zip(axes, panels, strict=True):
        canvas.draw(panel, value, first=panel is axes[0])
    _write(axes, found, design, x, by, prob)
    return Plot(style.figure_of(axes[0]), table)


def numbers(
    posterior: Posterior, x: str, by: str | None, over: str | None, scale: str, prob: float
) -> Estimates:
    """Return what is expected at values of x, by the levels of `by`."""
    design = posterior.design
    names = [name for name in (x, by) if name is not None]
    known = {*design.predictors, *label_columns(design)}
    asked = Asked(None, names, over or "", scale, None, None, prob)
    if not known.issuperset(names):
        for name in names:
            _few_values(design, name)
        return questions.averaged(posterior, asked, None)
    values = {x: _along(design, x)} | ({} if by is None else {by: _apart(design, by)})
    grid = DataGrid(values, "balanced")
    return questions.averaged(posterior, questions.replaced(asked, newdata=grid), None)


def _few_values(design: Design, name: str) -> None:
    number = len(kinds.stored(design.column(name)).unique())
    if number > _MOST:
        raise ArgumentError(
            f"column {name!r} is not in the model and has {number:,} different values: averages of "
            f"rows by it can't be drawn. Cut it into bands first, pd.cut(data[{name!r}], 10)"
        )


def _along(design: Design, name: str) -> list[Any]:
    """Return the values of x: levels, few numbers, or many even steps."""
    column = kinds.stored(design.column(name))
    what = kinds.what(column)
    few = len(column.unique()) <= _FEW
    if what == "numeric" and not few and not design.levels_of(name):
        return list(np.linspace(float(column.min()), float(column.max()), _POINTS))
    values = grids.levels(design, name)
    if what in ("dates", "durations") and len(values) > _POINTS:
        return [values[k] for k in np.linspace(0, len(values) - 1, _POINTS).astype(int)]
    return values


def _apart(design: Design, name: str) -> list[Any]:
    """Return the values of `by`: levels, few numbers, or quartiles."""
    values = grids.levels(design, name)
    if len(values) <= _LINES or not _is_number(design, name):
        if len(values) > 4 * _LINES:
            raise ArgumentError(
                f"by={name!r} has {count(len(values), 'level')}: so many curves can't be told apart"
            )
        return values
    column = kinds.stored(design.column(name)).dropna().to_numpy(dtype=np.float64)
    return [float(f"{each:.4g}") for each in np.quantile(column, [0.25, 0.5, 0.75])]


def _is_number(design: Design, name: str) -> bool:
    return not design.levels_of(name) and kinds.what(kinds.stored(design.column(name))) == "numeric"


# Drawing -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Canvas:
    """What is drawn: estimates along x, and the rows beside them."""

    design: Design
    table: pd.DataFrame
    x: str
    by: str | None
    values: list[Any]
    """Those of `by`, in order."""
    seen: pd.DataFrame | None

    @property
    def labels(self) -> list[str]:
        """Levels along x, where it has places instead of numbers."""
        if not observed_values.has_levels(self.design, self.x):
            return []
        return [kinds.spelled(each) for each in dict.fromkeys(self.table[self.x].tolist())]

    def draw(self, ax: "Axes", value: Any, *, first: bool) -> None:
        """Draw one panel: all curves, or those of one value of `by`."""
        part = self.table if value is None else self.table[self.table[self.by] == value]
        column = CATEGORY if CATEGORY in part else self.by
        keys = [None] if column is None else list(dict.fromkeys(part[column].tolist()))
        for place, key in enumerate(keys):
            own = part if key is None else part[part[column] == key]
            label = None if key is None else _name(column, key, self.by)
            self._rows(ax, value, place, key, len(keys))
            self._curve(ax, own, place, len(keys), label if first else None)
        self._mark_rows(ax)
        if value is not None:
            ax.annotate(_name(self.by, value, self.by), (1, 1), (-2, 2), xycoords="axes fraction",
                        textcoords="offset points", fontsize=style.TEXT, color=INK, ha="right",
                        annotation_clip=False)  # fmt: skip
        if self.labels:
            style.label_levels(ax, self.labels)
        elif part[self.x].dtype.kind == "M":
            style.date_ticks(ax, style.inches(ax))
        elif len(part[self.x].unique()) <= _FEW:
            ax.set_xticks(sorted(part[self.x].unique()))

    def _curve(
        self, ax: "Axes", own: pd.DataFrame, place: int, number: int, label: str | None
    ) -> None:
        color, dash = COLORS[place % _LINES], ("-", "-.", ":", "--")[place // _LINES % 4]
        at = self._places(own[self.x])
        if self.labels or len(own) <= _FEW:
            at = at + self._aside(place, number, own)
            ax.vlines(at, own["low"], own["high"], color=color, linewidth=2.4, alpha=0.5)
            ax.plot(at, own["estimate"], "o", color=color, markersize=5.5, label=label)
            return
        ax.fill_between(at, own["low"], own["high"], color=color, alpha=0.22, linewidth=0)
        ax.plot(at, own["estimate"], dash, color=color, linewidth=1.6, label=label)

    def _rows(self, ax: "Axes", value: Any, place: int, key: Any, number: int) -> None:
        """Draw the rows that are beside a curve."""
        if self.seen is None:
            return
        seen = self.seen
        if CATEGORY in seen:
            seen = seen[seen[CATEGORY] == key]
            seen = seen if value is None else seen[seen[SERIES] == self.values.index(value)]
        elif key is not None:
            seen = seen[seen[SERIES] == self.values.index(key)]
        if not len(seen):
            return
        averaged = bool(seen[AVERAGED].iloc[0])
        at = self._places(seen[X])
        if self.labels or len(self.table[self.x].unique()) <= _FEW:
            at = at + self._aside(place, number, self.table) + (
                0.0 if averaged else self._jitter(len(seen), number))  # fmt: skip
        color = INK if key is None else COLORS[place % _LINES]
        marker, size, alpha = ("D", 3.6, 0.75) if averaged else ("o", 3.0, 0.3)
        ax.plot(at, seen[Y], marker, color=color, markersize=size, alpha=alpha,
                markeredgewidth=0)  # fmt: skip

    def _mark_rows(self, ax: "Axes") -> None:
        """Name the rows in the legend, and keep them in view but for those far off."""
        if self.seen is None:
            return
        averaged = bool(self.seen[AVERAGED].iloc[0])
        what = "averages observed" if averaged else "observed"
        ax.plot([], [], "D" if averaged else "o", color=INK, markersize=3.3, alpha=0.6,
                markeredgewidth=0, label=what)  # fmt: skip
        near = self.table[["low", "high"]].to_numpy().ravel()
        ax.set_ylim(*style.limits(near, self.seen[Y].to_numpy(dtype=np.float64)))

    def _places(self, values: pd.Series) -> Any:
        """Return numbers along x; positions of levels."""
        if not self.labels:
            return values.to_numpy()
        place = {label: k for k, label in enumerate(self.labels)}
        spelled = values.astype(object).map(kinds.spelled)
        return spelled.map(place).to_numpy(dtype=np.float64)

    def _step(self) -> float:
        """Return how far neighbours along x are apart."""
        if self.labels or self.table[self.x].dtype.kind not in "iuf":
            return 1.0
        known = np.unique(self.table[self.x])
        return float(np.diff(known).min()) if len(known) > 1 else 1.0

    def _aside(self, place: int, number: int, own: pd.DataFrame) -> float:
        """Return how far a series of means stands from its place, so that all are seen."""
        if own[self.x].dtype.kind == "M":
            return 0.0
        return self._step() * _CLUSTER * (place - (number - 1) / 2) / max(number, 2)

    def _jitter(self, rows: int, number: int) -> Any:
        # The golden ratio spreads any number of points evenly, and the same way each time.
        reach = 0.7 * self._step() * _CLUSTER / max(number, 2)
        return reach * (np.arange(rows) * 0.618034 % 1 - 0.5)


def _name(column: str | None, key: Any, by: str | None) -> str:
    text = kinds.spelled(key) if not isinstance(key, float) else f"{key:g}"
    return f"{column} {text}" if column == by else text


def _write(
    axes: Sequence["Axes"], found: Estimates, design: Design, x: str, by: str | None, prob: float
) -> None:
    apart = "" if by is None else f" by {by}"
    response = design.response_name + ("" if design.trials is None else " / trials")
    what = f"probability of {response}" if CATEGORY in found.draws.dims else response
    what = f"linear predictor of {response}" if found.scale == "linear" else what
    style.title(
        axes[0], f"{what} against {x}{apart}, over {_the(found.over)}",
        f"{_rest(design, x, by)}; {style.percent(prob)} intervals",
    )  # fmt: skip
    for panel in axes:
        style.name_axes(panel, x if panel is axes[-1] else "", what)
    style.legend_below(axes[-1])


def _rest(design: Design, x: str, by: str | None) -> str:
    """Say what becomes of the other columns."""
    known = {*design.predictors, *label_columns(design)}
    if not known.issuperset({x, by} - {None}):
        return "averages of the fitted rows"
    others = [name for name in design.predictors if name not in (x, by)]
    return "others at their mean, levels alike" if others else "expected values"


def _the(over: str) -> str:
    return {"population": "the population", "these groups": over}.get(over, f"a {over}")
