"""Single numbers of a variable of a posterior, by place and by the name that summaries print."""

from typing import TYPE_CHECKING

import numpy as np

from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr


def label(name: str, array: "xr.DataArray", place: int) -> str:
    """Name of one value as summaries print it: ``sd_county[floor]``."""
    dims = array.dims[2:]
    if not dims:
        return name
    at = np.unravel_index(place, array.shape[2:])
    return f"{name}[{', '.join(str(_at(array, dim, i)) for dim, i in zip(dims, at, strict=True))}]"


def _at(array: "xr.DataArray", dim: object, place: np.intp) -> object:
    return array[dim].to_numpy()[place] if dim in array.coords else place


def flat(array: "xr.DataArray") -> FloatArray:
    """Return (chain, draw, place)."""
    return np.asarray(array.to_numpy().reshape(*array.shape[:2], -1))
