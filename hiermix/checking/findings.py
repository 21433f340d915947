"""What a check finds: a number, its limit, and a sentence where it is doubtful."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hiermix.design.design import Design
from hiermix.errors import count
from hiermix.posterior import summary
from hiermix.posterior.posterior import Posterior
from hiermix.posterior.single_values import flat, label
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr


class Finding(NamedTuple):
    """A row of the report."""

    part: str
    """Which check it is of."""
    about: str
    measure: str
    value: float
    limit: float = np.nan
    doubtful: bool = False
    text: str = ""
    """Said in the report, doubtful or not."""


class NotLookedAtError(Exception):
    """A part of a check has nothing to look at; with the reason."""


def needs_rows(design: Design) -> None:
    """Raise where there are no rows to look at."""
    if design.response is None or design.merged or not design.rows:
        raise NotLookedAtError("the rows are not here, only what was added up of them")


def needs_independent_rows(design: Design) -> None:
    """Raise where residuals of rows go together, so that none can be looked at by itself."""
    needs_rows(design)
    if any(len(each.lacking) for each in design.imputed):
        raise NotLookedAtError("draws of missing predictors have seen the responses")
    if design.series is not None:
        raise NotLookedAtError("residuals of rows go together: no row can be looked at by itself")


def quantities(draws: "xr.Dataset", *, moving: bool = True) -> dict[str, FloatArray]:
    """Return draws (S,) of single parameters by the names of summaries, effects of levels aside.

    By default those that move: a correlation with itself does not.
    """
    found = {}
    for name in summary.names(draws):
        array = draws[name]
        for place, values in enumerate(np.moveaxis(flat(array), -1, 0)):
            if np.ptp(values) > 0 or not moving:
                found[label(name, array, place)] = values.ravel()
    return found


def thinned(posterior: Posterior, most: int) -> Posterior:
    """Return every k-th draw of each chain, so that about so many are left."""
    step = -(-posterior.size // max(most, 1))
    if step == 1:
        return posterior
    return Posterior(
        posterior.draws.isel(draw=slice(None, None, step)),
        posterior.design, posterior.family, posterior.attrs,
    )  # fmt: skip


def listed(names: Iterable[str]) -> str:
    """Return up to three names, and how many others there are."""
    every = list(names)
    more = f" and {count(len(every) - 3, 'other')}" if len(every) > 3 else ""
    return ", ".join(every[:3]) + more
