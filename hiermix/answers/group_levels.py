"""Levels of a grouping factor side by side: their coefficients, contrasts of them, their ranks."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix import options
from hiermix.answers.answer import Answer
from hiermix.answers.rankings import Ranking
from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.posterior.posterior import Posterior
from hiermix.prediction.estimates import estimates
from hiermix.prediction.row_hypotheses import Rows, apply
from hiermix.prediction.scales import SCALES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hiermix.plots.style import Plot

KINDS = ("coefficients", "effects")


def levels(
    posterior: Posterior,
    group: str,
    *,
    effect: str | None = None,
    kind: str = "coefficients",
    hypothesis: Any = None,
    conf_level: float = 0.95,
) -> Answer:
    """Answer what each level of a grouping factor has, or how levels differ, on the linear scale.

    On the scale of the response ask ``fit.means(group)`` or ``fit.comparisons({group: ...})``.

    Parameters
    ----------
    group : str
        Grouping factor.
    effect : str, optional
        Coefficient that varies over it; the first by default.
    kind : {"coefficients", "effects"}
        Population plus deviation, or the deviation alone. Contrasts are the same.
    hypothesis : str, list or array, optional
        Contrasts of levels, as in `predictions`: ``"pairwise"``, ``"reference"``,
        ``"sequential"``, an expression such as ``"b1 - b0"`` or of labels, or weights.
    conf_level : float
        Probability of the equal-tailed interval.

    Returns
    -------
    Answer
        With ``draws``, ``table()``, ``plot()`` and ``ranks()``.
    """
    grouping = posterior.grouping(group)
    options.one_of("kind", kind, KINDS)
    known = grouping.of_level
    chosen = known[0] if effect is None else effect
    if chosen not in known:
        raise ArgumentError(
            f"{quoted(effect)} does not vary by {grouping.name}."
            f"{did_you_mean(str(effect), known)} Known: {', '.join(known)}"
        )
    found = (
        posterior.group_coefficients(group) if kind == "coefficients" else posterior.effects(group)
    )
    level, varying = found.dims[-2:]
    picked = found.sel({varying: chosen}, drop=True).transpose(level, "chain", "draw", ...)
    values = picked.to_numpy().reshape(picked.shape[0], posterior.size, *picked.shape[3:])
    labels = pd.DataFrame({grouping.name: picked[level].to_numpy()})
    scale = SCALES["linear"]
    if hypothesis is not None:
        contrasts = apply(hypothesis, Rows(labels, values, scale.contrast, scale.written))
        labels, values = contrasts.labels, contrasts.draws
    categories = [str(each) for each in posterior.equations if each is not None]
    return Answer.of(
        estimates(
            posterior, np.asarray(values), labels, categories=categories, over="these groups",
            scale="linear", null=0.0, conf_level=conf_level,
        )
    )  # fmt: skip


def ranks(
    posterior: Posterior,
    group: str,
    *,
    effect: str | None = None,
    best: int = 1,
    order: str = "highest",
    conf_level: float = 0.95,
) -> Ranking:
    """Rank the levels of a grouping factor in every draw, by one of their coefficients.

    To rank by what is expected of the response, ask ``fit.means(group).ranks()``.

    Parameters
    ----------
    group : str
        Grouping factor.
    effect : str, optional
        Coefficient that varies over it; the first by default.
    best : int
        Of how many best ones the table has the probability to be among them.
    order : {"highest", "lowest"}
        Which end is best.
    conf_level : float
        Probability of the equal-tailed interval.

    Returns
    -------
    Ranking
        With ``draws``, ``table()`` and ``plot()``.
    """
    answer = levels(posterior, group, effect=effect)
    return answer.ranks(best=best, order=order, conf_level=conf_level)


def plot_ranks(
    posterior: Posterior,
    group: str,
    *,
    effect: str | None = None,
    best: int = 1,
    order: str = "highest",
    prob: float = 0.9,
    ax: "Axes | None" = None,
    figsize: tuple[float, float] | None = None,
) -> "Plot":
    """Draw the ranks of levels with intervals, and the probability to be among the best.

    Parameters
    ----------
    group, effect, best, order
        Those of `ranks`.
    prob : float
        Probability of the equal-tailed intervals.
    ax : matplotlib.axes.Axes, optional
        Where to draw the ranks alone; a new figure by default.
    figsize : tuple of float, optional
        Width and height of a new figure in inches.

    Returns
    -------
    Plot
        With ``figure`` and ``data``, the numbers drawn.
    """
    found = ranks(posterior, group, effect=effect, best=best, order=order, conf_level=prob)
    return found.plot(ax=ax, figsize=figsize)
