"""Answer: estimates that can be drawn."""

from dataclasses import fields
from typing import TYPE_CHECKING

from hiermix import plots
from hiermix.answers.rankings import Ranking, ranking
from hiermix.prediction.estimates import Estimates

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hiermix.plots.style import Plot


class Answer(Estimates):
    """Draws of what was asked, with their table and their plot.

    Attributes
    ----------
    draws : DataArray
        (chain, draw, row), and ``category`` where responses have some; what each row is stands
        along ``row``.
    labels : DataFrame
        The same, a row an estimate: its term, contrast and the columns of ``by``.
    over, scale : str
        Which groups it is about, and on which scale it is.
    null : float
        What no difference is on this scale: 0, or 1 of ratios.
    conf_level : float
        Probability of the intervals.
    """

    @classmethod
    def of(cls, found: Estimates) -> "Answer":
        """Return estimates as an answer."""
        return cls(**{each.name: getattr(found, each.name) for each in fields(found)})

    def ranks(self, *, best: int = 1, order: str = "highest", conf_level: float = 0.95) -> Ranking:
        """Rank the rows in every draw.

        Parameters
        ----------
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
        return ranking(self, best, order, conf_level)

    def plot(
        self, *, ax: "Axes | None" = None, figsize: tuple[float, float] | None = None
    ) -> "Plot":
        """Draw each estimate with its interval, one below the other.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.
        figsize : tuple of float, optional
            Width and height of a new figure in inches.

        Returns
        -------
        Plot
            With ``figure`` and ``data``, the table drawn.
        """
        return plots.estimate_intervals.plot_estimates(self, ax=ax, figsize=figsize)
