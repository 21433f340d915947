"""Labels of the sds and correlations of residuals that go together, and these as matrices."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hiermix import options
from hiermix.design.design import Design
from hiermix.errors import ArgumentError
from hiermix.families.correlations import matrix_of
from hiermix.families.residual_parameters import CORRELATIONS, RHO, SDS
from hiermix.formula.names import in_results
from hiermix.posterior import coefficients
from hiermix.posterior.posterior import Posterior
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class ResidualLabels:
    """Dims of variables and their coordinates; none where there is one sigma."""

    of: dict[str, str] = field(default_factory=dict)
    coords: dict[str, Any] = field(default_factory=dict)

    def dims(self, name: str) -> tuple[str, ...]:
        """Return the dims of a variable after those of draws; none for one that is not ours."""
        return (self.of[name],) if name in self.of else ()


def of(design: Design) -> ResidualLabels:
    """Return the labels of a design's residuals: positions by the name of their column."""
    series = design.series
    if series is None or series.in_time:
        return ResidualLabels()
    dim, labels = position_dim(design), np.array(list(series.positions))
    names = list(map(str, series.positions))
    pairs = [f"{names[u]}, {names[t]}" for t in range(len(names)) for u in range(t)]
    return ResidualLabels(
        {SDS: dim, CORRELATIONS: f"{dim}_pair"}, {dim: labels, f"{dim}_pair": pairs}
    )


def position_dim(design: Design) -> str:
    """Dim of positions: named as their column, unless that name stands for something else."""
    assert design.series is not None
    name = in_results(design.series.term.place)
    taken = {"chain", "draw", "row", "sigma", SDS, CORRELATIONS, *coefficients.NAMES}
    taken |= {each.name for each in design.groupings}
    return f"{name}_position" if name in taken else name


def residual_correlation(posterior: Posterior, *, lags: int = 10) -> "xr.DataArray":
    """Correlations of the residuals of rows that go together, as posterior draws.

    Parameters
    ----------
    lags : int
        With ``ar()``: how many steps apart rows are at most.

    Returns
    -------
    DataArray
        With ``ar()``: (chain, draw, lag), ``lag`` in the unit of the times, days or months of
        dates. With ``unstr()``: (chain, draw, position, position), named as its column, the second
        with ``_other`` behind.

    Raises
    ------
    ArgumentError
        Residuals are independent.
    """
    import xarray as xr

    series = posterior.design.series
    if series is None:
        raise ArgumentError(
            "residuals are independent given the effects: write ar(time, by=g) or "
            "unstr(visit, by=id) in the formula"
        )
    coords = {name: posterior.draws[name] for name in ("chain", "draw")}
    if series.in_time:
        steps = np.arange(options.whole("lags", lags, 1) + 1)
        values: FloatArray = posterior.draws[RHO].to_numpy()[..., None] ** steps
        labels: dict[str, Any] = {"lag": steps * series.step}
    else:
        below = posterior.draws[CORRELATIONS].to_numpy()
        flat = matrix_of(below.reshape(-1, below.shape[-1]), len(series.positions))
        values = flat.reshape(*below.shape[:2], *flat.shape[1:])
        dim = position_dim(posterior.design)
        positions = posterior.draws[dim].to_numpy()
        labels = {dim: positions, f"{dim}_other": positions}
    return xr.DataArray(
        values, dims=("chain", "draw", *labels), coords=coords | labels, name="residual_correlation"
    )
