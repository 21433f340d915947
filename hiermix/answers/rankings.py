"""Ranks of the rows of an answer, with intervals and the probability to be among the best."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiermix import options, plots
from hiermix.errors import ArgumentError
from hiermix.posterior.intervals import tails
from hiermix.posterior.ranks import ranks
from hiermix.prediction.estimates import CATEGORY, Estimates, check_names, shown_html, shown_text

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from hiermix.plots.style import Plot

RANK, LOW, HIGH, PROBABILITY = "rank", "conf_low", "conf_high", "probability"
STATISTICS = (RANK, LOW, HIGH, PROBABILITY)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Draws of ranks, from 1, the best one.

    Attributes
    ----------
    draws : DataArray
        (chain, draw, row), and ``category`` where responses have some.
    labels : DataFrame
        What each row is.
    best : int
        How many are the best ones.
    order : {"highest", "lowest"}
        Which end is best.
    conf_level : float
        Probability of the interval in the table.
    """

    draws: "xr.DataArray"
    labels: pd.DataFrame
    best: int
    order: str
    conf_level: float

    def table(self, *, conf_level: float | None = None) -> pd.DataFrame:
        """Return a row each, from the best on.

        Parameters
        ----------
        conf_level : float, optional
            Probability of the equal-tailed interval.

        Returns
        -------
        DataFrame
            What is ranked, ``rank`` (posterior mean), ``conf_low`` and ``conf_high`` (ranks), and
            ``probability`` to be among the ``best``.
        """
        prob = self.conf_level if conf_level is None else conf_level
        levels = tails(prob, "conf_level")
        ranked = self.draws.transpose("chain", "draw", ...).to_numpy()
        flat = ranked.reshape(-1, *ranked.shape[2:])
        low, high = np.quantile(flat, levels, axis=0, method="inverted_cdf")
        mean, among = flat.mean(axis=0), (flat <= self.best).mean(axis=0)
        parts = dict(zip(STATISTICS, (mean, low, high, among), strict=True))
        if CATEGORY not in self.draws.dims:
            return self.labels.assign(**parts).sort_values(RANK, ignore_index=True)
        tables = [
            self.labels.assign(
                **{CATEGORY: name}, **{each: values[:, c] for each, values in parts.items()}
            ).sort_values(RANK)
            for c, name in enumerate(self.draws[CATEGORY].to_numpy().tolist())
        ]
        return pd.concat(tables, ignore_index=True)

    def plot(
        self, *, ax: "Axes | None" = None, figsize: tuple[float, float] | None = None
    ) -> "Plot":
        """Draw ranks with their intervals, and the probability to be among the best.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw the ranks alone; a new figure by default.
        figsize : tuple of float, optional
            Width and height of a new figure in inches.

        Returns
        -------
        Plot
            With ``figure`` and ``data``, the table drawn.
        """
        return plots.rank_intervals.plot_ranking(
            self.table(), self.best, self.order, self.conf_level, ax=ax, figsize=figsize
        )

    def __repr__(self) -> str:
        """Show the table, and what is ranked."""
        return shown_text(self.table(), STATISTICS, self._caption())

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        return shown_html(self.table(), STATISTICS, self._caption())

    def _caption(self) -> str:
        best = "to be the best" if self.best == 1 else f"to be among the best {self.best}"
        return f"1 is the {self.order}; probability {best}; {100 * self.conf_level:g} % intervals"


def ranking(found: Estimates, best: int, order: str, conf_level: float) -> Ranking:
    """Rank the rows of an answer in every draw."""
    tails(conf_level, "conf_level")
    number = len(found.labels)
    if number < 2:
        raise ArgumentError("ranks need two rows or more: ask by a column")
    best = options.whole("best", best, 1, number - 1)
    check_names(found.labels, STATISTICS)
    values = found.draws.transpose("row", ...)
    ranked = values.copy(data=ranks(values.to_numpy(), order)).transpose(*found.draws.dims)
    return Ranking(ranked.rename(RANK), found.labels, best, order, conf_level)
