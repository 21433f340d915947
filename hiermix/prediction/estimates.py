"""An answer in numbers: draws of what was asked, by label, and their table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix.design import kinds
from hiermix.design.row_labels import TAKEN
from hiermix.errors import ArgumentError
from hiermix.posterior.intervals import tails
from hiermix.posterior.posterior import Posterior
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

CATEGORY = "category"
STATISTICS = ("estimate", "sd", "conf_low", "conf_high", "probability")


@dataclass(frozen=True, eq=False)
class Estimates:
    """Draws of what was asked, a row each, and what they are.

    Attributes
    ----------
    draws : DataArray
        (chain, draw, row), and ``category`` where responses have some; labels stand along ``row``.
    labels : DataFrame
        What each row is: its term, contrast, and columns of ``by``.
    over, scale : str
        The estimand and the scale.
    null : float
        What no difference is on this scale.
    conf_level : float
        Probability of the interval in the table.
    """

    draws: "xr.DataArray"
    labels: pd.DataFrame
    over: str
    scale: str
    null: float
    conf_level: float

    def table(self, *, conf_level: float | None = None) -> pd.DataFrame:
        """Return a row an estimate, of each category if there are any.

        Parameters
        ----------
        conf_level : float, optional
            Probability of the equal-tailed interval; that of the question by default.

        Returns
        -------
        DataFrame
            What the row is, then ``estimate`` (posterior mean), ``sd``, ``conf_low`` and
            ``conf_high``, and ``probability`` of direction: that of the sign which most draws
            have, or of the side of 1 where ratios are compared.
        """
        prob = self.conf_level if conf_level is None else conf_level
        low, high = tails(prob, "conf_level")
        values = self._flat()
        with np.errstate(invalid="ignore"):
            ends = np.quantile(values, [low, high], axis=1)
            above, below = ((values > self.null).mean(axis=1), (values < self.null).mean(axis=1))
            columns = (values.mean(axis=1), values.std(axis=1, ddof=1), *ends,
                       np.maximum(above, below))  # fmt: skip
        frame = self._rows()
        return frame.assign(**dict(zip(STATISTICS, columns, strict=True)))

    def _flat(self) -> FloatArray:
        """Draws (rows x categories, S)."""
        last = [dim for dim in self.draws.dims if dim not in ("chain", "draw")]
        stacked = self.draws.transpose(*last, "chain", "draw").to_numpy()
        return stacked.reshape(-1, self.draws.sizes["chain"] * self.draws.sizes["draw"])

    def _rows(self) -> pd.DataFrame:
        if CATEGORY not in self.draws.dims:
            return self.labels.copy()
        categories = self.draws[CATEGORY].to_numpy().tolist()
        place = np.repeat(np.arange(len(self.labels)), len(categories))
        repeated = self.labels.iloc[place].reset_index(drop=True)
        return repeated.assign(**{CATEGORY: categories * len(self.labels)})

    def __len__(self) -> int:
        """Return the number of estimates."""
        return len(self._rows())

    def __repr__(self) -> str:
        """Show the table, and what it is about."""
        return shown_text(self.table(), STATISTICS, self.caption())

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        return shown_html(self.table(), STATISTICS, self.caption())

    def caption(self) -> str:
        """Say over which groups, on which scale and with which interval."""
        return f"over {self.over}; scale: {self.scale}; {100 * self.conf_level:g} % intervals"


def telling(table: pd.DataFrame, statistics: Sequence[str]) -> list[str]:
    """Return the columns that tell the rows of a table apart: one at least, if there is any."""
    names = [str(name) for name in table if name not in statistics]
    return [name for name in names if len(table[name].unique()) > 1] or names[-1:]


def shown_text(table: pd.DataFrame, statistics: Sequence[str], caption: str) -> str:
    """Return a table with short numbers, and what it is about."""
    return f"{_shortened(table, statistics).to_string(max_rows=30, index=False)}\n{caption}"


def shown_html(table: pd.DataFrame, statistics: Sequence[str], caption: str) -> str:
    """Return the same for a notebook."""
    shown = _shortened(table, statistics).to_html(max_rows=30, index=False, border=0)
    return f"{shown}<p><small>{caption}</small></p>"


def _shortened(table: pd.DataFrame, statistics: Sequence[str]) -> pd.DataFrame:
    return table.assign(**{name: table[name].map(_short) for name in statistics})


def _short(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else str(value)


def estimates(
    posterior: Posterior,
    values: FloatArray,
    labels: pd.DataFrame,
    *,
    categories: list[str],
    over: str,
    scale: str,
    null: float,
    conf_level: float,
) -> Estimates:
    """Label draws (R, S) or (R, S, C)."""
    import xarray as xr

    check_names(labels)
    tails(conf_level, "conf_level")
    labels = labels.reset_index(drop=True)
    dims = ["chain", "draw", "row", *([CATEGORY] if categories else [])]
    coords: dict[str, Any] = {dim: posterior.draws[dim] for dim in ("chain", "draw")}
    coords["row"] = np.arange(len(labels))
    coords |= {CATEGORY: categories} if categories else {}
    coords |= along_rows(labels)
    split = values.reshape(len(values), *posterior.shape, *values.shape[2:])
    draws = xr.DataArray(np.moveaxis(split, 0, 2), dims=dims, coords=coords, name="estimate")
    return Estimates(draws, labels, over, scale, null, conf_level)


def along_rows(labels: pd.DataFrame) -> dict[str, Any]:
    """Return what rows are as coordinates."""
    return {str(name): ("row", _plain(labels[name])) for name in labels if name not in TAKEN}


def check_names(labels: pd.DataFrame, statistics: Sequence[str] = STATISTICS) -> None:
    """Raise where a column of the data would stand beside one of the table's own name."""
    taken = [name for name in labels if name in statistics]
    twice = labels.columns[labels.columns.duplicated()].tolist()
    for name in [*taken, *twice]:
        raise ArgumentError(
            f"tables of answers have a column {name!r} of their own: rename the data's, "
            f"data.rename(columns={{{name!r}: ...}})"
        )


def _plain(values: pd.Series) -> np.ndarray:
    """Return labels as numbers, dates or objects, without pandas' own types."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biufM":
        return values.to_numpy()
    return np.array([kinds.plain(each) for each in values], dtype=object)
