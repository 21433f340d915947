"""Sds of effects that may be zero: what the data leave open of who differs from whom."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hiermix.formula.equations import MU, EquationText, qualified
from hiermix.formula.formula import parse
from hiermix.posterior.single_values import flat, label
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr


def sentences(tree: "xr.DataTree", factors: Iterable[str]) -> Iterator[str]:
    """Sds that may be zero: absence of evidence, which is no evidence of absence."""
    origins = json.loads(tree.attrs.get("origins", "{}"))
    responses = json.loads(tree.attrs.get("responses", "[]"))
    equations = tuple(EquationText(name, "", ()) for name in responses) or (
        parse(tree.attrs.get("formula", "y ~ 1")).equations
    )
    for name in factors:
        array = tree["posterior"].dataset[f"sd_{name}"]
        effects = array[f"{name}_effect"].to_numpy().tolist()
        moved = _moved(dict(zip(effects, origins.get(name, []), strict=False)), equations)
        moved = [each for each in moved if next(iter(each)) in effects]
        for each in moved:
            array = _at_mean(each, tree, name, array)
        for place, draws in enumerate(np.moveaxis(flat(array), -1, 0)):
            if not at_zero(draws):
                continue
            *category, effect = label("", array, place)[1:-1].split(", ", array.ndim - 3)
            where = f" of {category[0]}" if category else ""
            intercepts = [qualified("Intercept", each.name) for each in equations]
            if effect in [next(iter(each)) for each in moved]:
                where += " at the mean of the bar's columns"
            yield (
                f"sd of {effect} by {name}{where} may be zero; up to "
                f"{np.quantile(draws, 0.95):.2g} (95 %): the data don't tell whether this "
                f"{'intercept' if effect.partition(':')[0] in intercepts else 'slope'} varies."
            )


def _moved(
    origins: Mapping[str, float], equations: Sequence[EquationText]
) -> list[dict[str, float]]:
    """Return, of each equation, its intercept's effect and the slopes that stand elsewhere."""
    found = []
    for each in equations:
        others = [one.name for one in equations if one.name not in (each.name, MU)]
        mine = {
            effect: at
            for effect, at in origins.items()
            if at and (effect.startswith(f"{each.name}_") if each.name != MU else
                       not any(effect.startswith(f"{other}_") for other in others))
        }  # fmt: skip
        if mine:
            found.append({qualified("Intercept", each.name): 1.0} | mine)
    return found


def _at_mean(
    way: Mapping[str, float], tree: "xr.DataTree", name: str, sd: "xr.DataArray"
) -> "xr.DataArray":
    """Sds of a factor's effects, that of an intercept where its prior holds.

    At x = 0 it has in it what slopes make of the way from there to the data, and is never small.
    """
    dim = f"{name}_effect"
    parts = {effect: at * sd.sel({dim: effect}, drop=True) for effect, at in way.items()}
    cor = tree["posterior"].dataset[f"cor_{name}"]
    known = set(cor[f"{name}_pair"].to_numpy().tolist())
    square = sum(part**2 for part in parts.values())
    for first, second in itertools.permutations(parts, 2):
        pair = f"{first}, {second}"
        if pair in known:
            together = cor.sel({f"{name}_pair": pair}, drop=True)
            square = square + 2 * together * parts[first] * parts[second]
    moved = np.sqrt(np.maximum(square, 0.0))
    return sd.where(sd[dim] != next(iter(way)), moved).transpose(*sd.dims)


def at_zero(draws: FloatArray) -> bool:
    """Say whether the density rises towards zero, from two slices of equal width near it."""
    width = np.quantile(draws, 0.5) / 2
    return bool(np.mean(draws < width) > np.mean((draws >= width) & (draws < 2 * width)))
