"""Marks what of a tree is worked out when it is read, and worked out again instead of saved."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

ON_DEMAND = "on_demand"
"""Attribute of such groups and variables."""


def is_on_demand(array: "xr.DataArray") -> bool:
    """Whether an array is made when it is read, and was not loaded since."""
    return ON_DEMAND in array.attrs and not array.variable._in_memory


def without(posterior: "xr.Dataset") -> "xr.Dataset":
    """Return what is kept of a posterior."""
    made = [name for name, array in posterior.data_vars.items() if is_on_demand(array)]
    return posterior.drop_vars(made)


def is_kept(posterior: "xr.Dataset") -> bool:
    """Whether all of a posterior is."""
    return not any(map(is_on_demand, posterior.data_vars.values()))
