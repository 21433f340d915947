"""Fits whose draws are invented: any design and family, without sampling."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import hiermix as hm
from hiermix.design.design import Design
from hiermix.families.family import Family
from hiermix.formula.equations import MU

SHAPE = (2, 8)
_OWN = {"sigma": 0.6, "shape": 2.0, "phi": 5.0, "nu": 4.0, "zi": 0.2, "hu": 0.3}


def invented(
    formula: str | list[str],
    data: pd.DataFrame,
    family: str = "gaussian",
    *,
    link: str | None = None,
    sd: float = 0.6,
    seed: int = 1,
    shape: tuple[int, int] = SHAPE,
    **settings: Any,
) -> hm.Fit:
    """Return a fit of a model whose draws are random numbers of a plausible size."""
    model = hm.Model(formula, data, family=family, link=link, **settings)
    rng = np.random.default_rng(seed)
    tree = xr.DataTree.from_dict({"posterior": _draws(model.design, model.family, rng, sd, shape)})
    tree.attrs["seed"] = 7
    return hm.Fit(model, tree)


def _draws(
    design: Design, family: Family, rng: np.random.Generator, sd: float, shape: tuple[int, int]
) -> xr.Dataset:
    lead: dict[str, Any] = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    if design.unordered:
        lead["category"] = [str(each) for each in design.categories[1:]]

    def drawn(coords: dict[str, Any], scale: float = 0.4) -> xr.DataArray:
        sizes = [len(each) for each in coords.values()]
        return xr.DataArray(scale * rng.standard_normal(sizes), coords, list(coords))

    found = _coefficients(design, family, lead, drawn)
    for own in family.scalars(design):
        first = {name: lead[name] for name in ("chain", "draw")}
        if own.name == "threshold":
            names = [f"t{k}" for k in range(len(design.categories) - 1)]
            steps = np.exp(drawn(first | {"threshold": names}, 0.2))
            found[own.name] = steps.cumsum("threshold") - 1.5
        else:
            found[own.name] = _OWN[own.name] * np.exp(drawn(first, 0.1))
    for each in design.groupings:
        effect = {f"{each.name}_effect": list(each.effects)}
        found[f"sd_{each.name}"] = sd * np.exp(drawn(lead | effect, 0.3))
        levels = lead | {each.name: each.levels.tolist()} | effect
        found[f"r_{each.name}"] = drawn(levels, 1.0) * found[f"sd_{each.name}"]
        if each.pairs:
            names = [f"{each.effects[i]}, {each.effects[j]}" for i, j in each.pairs]
            found[f"cor_{each.name}"] = np.tanh(drawn(lead | {f"{each.name}_pair": names}, 0.3))
    return xr.Dataset(found)


def _coefficients(
    design: Design, family: Family, lead: dict[str, Any], drawn: Callable[..., xr.DataArray]
) -> dict[str, xr.DataArray]:
    """Return intercepts and slopes of every equation."""
    found: dict[str, xr.DataArray] = {}
    for each in design.equations:
        mine = each.name == MU or design.unordered
        end, dim = ("", "term") if mine else (f"_{each.name}", f"{each.name}_term")
        slopes = [term for term in each.terms if term != "Intercept"]
        if "Intercept" in each.terms and not (mine and family.thresholds):
            found[f"Intercept{end}"] = drawn(lead)
        if slopes:
            found[f"b{end}"] = drawn(lead | {dim: slopes})
    return found


def panel(rows: int = 96, seed: int = 3) -> pd.DataFrame:
    """Return rows with numbers, categories, nested and crossed groups, all kinds of responses."""
    rng = np.random.default_rng(seed)
    g, h = np.arange(rows) % 6, rng.integers(0, 4, rows)
    frame = pd.DataFrame({
        "x": rng.uniform(0.5, 3, rows), "treat": rng.integers(0, 2, rows),
        "kind": rng.choice(["a", "b", "c"], rows), "g": [f"g{k}" for k in g],
        "h": [f"h{k}" for k in h], "cask": rng.integers(0, 3, rows),
        "size": rng.integers(1, 9, rows),
        "region": np.where(g < 3, "north", "south"), "w": rng.uniform(0, 1, rows),
        "y": rng.standard_normal(rows), "positive": rng.gamma(2, 1, rows),
        "count": rng.poisson(3, rows), "yes": rng.integers(0, 2, rows),
        "rating": rng.integers(1, 5, rows), "choice": rng.choice(["A", "B", "C"], rows),
    })  # fmt: skip
    return frame.assign(k=rng.binomial(frame["size"], 0.4))
