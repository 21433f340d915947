"""Effects of the steps of monotonic effects that vary over a factor, by what programs draw.

A level has a number for all steps of one: see `hiermix.design.level_steps`.
"""

from typing import TYPE_CHECKING

import numpy as np

from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.design.level_steps import firsts, leads
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr


def sizes(posterior: "xr.Dataset", grouping: Grouping) -> FloatArray:
    """Return effects (chain, draw, Q) of one unit of what makes them: shares times their number."""
    lead, first = leads(grouping), firsts(grouping)
    found: list[FloatArray | float] = []
    for place, each in enumerate(grouping.moved):
        if each is None:
            found.append(1.0)
        else:
            shares = posterior[each.names[1]].to_numpy()
            found.append(shares.shape[-1] * shares[..., place - first[lead[place]]])
    shape = posterior["chain"].size, posterior["draw"].size
    return np.stack([np.broadcast_to(one, shape) for one in found], axis=-1)


def expanded(posterior: "xr.Dataset", design: Design) -> "xr.Dataset":
    """Return a posterior whose effects are those of each step."""
    for each in design.groupings:
        name = f"r_{each.name}"
        if not each.moved or name not in posterior:
            continue
        r = posterior[name]
        effects = r.to_numpy()[..., leads(each)]
        made = effects * sizes(posterior, each)[:, :, None]
        posterior = posterior.drop_vars(name).assign_coords({each.dim: list(each.of_level)})
        posterior = posterior.assign({name: ((*r.dims[:-1], each.dim), made)})
    return posterior


def roots(small: FloatArray, sizes: FloatArray, grouping: Grouping) -> FloatArray:
    """Cholesky factors (S, Q, Q) of all effects, by those of what makes them and sizes (S, Q)."""
    Q, lead = len(grouping.effects), leads(grouping)
    found = np.zeros((len(small), Q, Q))
    found[:, :, firsts(grouping)] = small[:, lead] * sizes[:, :, None]
    return found
