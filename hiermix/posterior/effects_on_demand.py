"""Effects that were integrated out, in the posterior: kept where they fit, else drawn when read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hiermix import memory as memories
from hiermix.design.design import Design
from hiermix.errors import DataError
from hiermix.posterior.draws import effects_dims
from hiermix.posterior.on_demand import ON_DEMAND, is_kept, without
from hiermix.statistics.conditional_effects import Hyperdraws
from hiermix.statistics.integrated_effects import IntegratedEffects
from hiermix.typing import FloatArray, IntArray

if TYPE_CHECKING:
    import xarray as xr

HYPERDRAWS = "hyperdraws"
"""Group of a tree that has what the effects are drawn from, beside the rows or their sums."""


def with_effects(
    posterior: "xr.Dataset", effects: IntegratedEffects, design: Design, memory: int
) -> "xr.Dataset":
    """Add the effects of each factor to a posterior: drawn, or where they need more, lazily.

    Parameters
    ----------
    memory : int
        Bytes that the draws of all effects together may take; below zero they are not kept.
    """
    if effects.nbytes(design.groupings) <= memory:
        found: Mapping[str, Any] = effects.all_levels()
        return _added(posterior, found, design, {})
    from hiermix.posterior.lazy_arrays import lazy

    found = {}
    for each in design.groupings:
        shape = (*effects.shape, len(each.levels), len(each.of_level))
        make = _Reading(effects, each.name, max(memory, memories.budget(None)))
        found[each.name] = lazy(make, 2, shape)
    return _added(posterior, found, design, {ON_DEMAND: 1})


def _added(
    posterior: "xr.Dataset", found: Mapping[str, Any], design: Design, attrs: Mapping[str, int]
) -> "xr.Dataset":
    variables = {
        f"r_{each.name}": (effects_dims(posterior, each), found[each.name], attrs)
        for each in design.groupings
    }
    return posterior.assign(variables)


@dataclass(frozen=True, eq=False)
class _Reading:
    """Reads effects of some levels, if these are not too many at once."""

    effects: IntegratedEffects
    name: str
    most: int
    """Bytes."""

    def __call__(self, levels: IntArray) -> FloatArray:
        size = self.effects.nbytes_of_levels(self.name, levels)
        if size > self.most:
            raise DataError(
                f"draws of the effects of {len(levels):,} levels of {self.name!r} take "
                f"{memories.written(size)}, more than the {memories.written(self.most)} that draws "
                f"of effects may take: read some of the levels, as "
                f"fit.data.posterior['r_{self.name}'][:, :, :1000], or a table of all, "
                f"fit.group_effects({self.name!r})"
            )
        return self.effects.of_levels(self.name, levels)


# In files ----------------------------------------------------------------------------------------

_POPULATION, _ROOT, _OWN = "population", "Lambda", "own_"


def stored(draws: Hyperdraws, posterior: "xr.Dataset") -> "xr.Dataset":
    """Return draws of the rest as arrays of a file."""
    import xarray as xr

    shape = posterior.sizes["chain"], posterior.sizes["draw"]
    each = {_POPULATION: draws.b, _ROOT: draws.Lambda}
    each |= {f"{_OWN}{name}": values for name, values in draws.own.items()}
    found = {}
    for name, values in each.items():
        dims = ("chain", "draw", f"{name}_row", f"{name}_column")[: values.ndim + 1]
        found[name] = (dims, values.reshape(*shape, *values.shape[1:]))
    return xr.Dataset(found)


def read(found: "xr.Dataset") -> Hyperdraws:
    """Return what `stored` wrote."""
    each = {str(name): values.to_numpy() for name, values in found.data_vars.items()}
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in each.items()}
    own = {name.removeprefix(_OWN): flat[name] for name in flat if name.startswith(_OWN)}
    return Hyperdraws(flat[_POPULATION], own, flat[_ROOT])


def saved(tree: "xr.DataTree") -> "xr.DataTree":
    """Return a tree with the effects or what they are drawn from, not with both.

    Raises
    ------
    DataError
        The draws are not those that the effects are drawn from any more.
    """
    posterior = tree["posterior"].to_dataset()
    if HYPERDRAWS not in tree.children:
        return tree
    if is_kept(posterior):
        return tree.filter(lambda node: node.name != HYPERDRAWS)
    sizes, whole = tree["posterior"].sizes, tree[HYPERDRAWS].sizes
    if any(sizes[dim] != whole[dim] for dim in ("chain", "draw")):
        raise DataError(
            "some of the draws were chosen, and a file holds what all of them are drawn from: load "
            "the group effects first, fit.data['posterior'] = fit.data['posterior'].load(), or "
            "save all draws"
        )
    out = tree.copy()
    out["posterior"] = type(tree)(without(posterior))
    return out
