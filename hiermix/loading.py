"""Loads a saved fit: its model is built again from the columns that were saved with it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hiermix.errors import DataError, HiermixWarning, ignored_warnings
from hiermix.families.custom_family import CustomFamily
from hiermix.fit import Fit
from hiermix.model import Model
from hiermix.posterior import draws as trees
from hiermix.posterior import effects_on_demand, labelling, matrix_files, storage
from hiermix.posterior.effects_on_demand import HYPERDRAWS
from hiermix.posterior.recorded import CUSTOM
from hiermix.statistics.cell_sums import CellSums
from hiermix.statistics.merged import MergedRows
from hiermix.statistics.of_source import AddedUp
from hiermix.statistics.series_sums import SeriesSums
from hiermix.statistics.summed import Statistics

if TYPE_CHECKING:
    import xarray as xr


_KINDS: "Mapping[str, Callable[[xr.DataTree], AddedUp]]" = {
    "hiermix_rows": MergedRows.of_tree,
    "hiermix_cells": CellSums.of_tree,
    "hiermix_series": SeriesSums.of_tree,
    "hiermix_statistics": Statistics.of_tree,
}
"""What reads statistics from a file, by the mark of their kind."""


def load(path: str | Path, *, family: CustomFamily | None = None) -> Fit:
    """Load a saved fit, which predicts without the original frame.

    Parameters
    ----------
    path : path
        Name of the file.
    family : CustomFamily, optional
        That of the fit, if it has one: no file holds functions in Python.

    Raises
    ------
    DataError
        The file is missing, truncated, foreign or from a newer version; or the custom family is
        missing or another one.
    """
    tree, frame, calendar = storage.load(path)
    options = json.loads(tree.attrs["options"])
    options["family"] = _family(tree.attrs, family)
    priors = json.loads(tree.attrs["priors"])
    with ignored_warnings(HiermixWarning):  # they were said when the model was made
        if "statistics" in tree.children:
            held = tree.children["statistics"]
            of_tree = next(each for mark, each in _KINDS.items() if mark in held.attrs)
            model = Model.from_statistics(
                of_tree(held), tree.attrs["formula"], priors=priors,
                data2=matrix_files.matrices_of(tree) or None,
            )  # fmt: skip
        else:
            model = Model(
                tree.attrs["formula"], frame, priors=priors, calendar=calendar,
                data2=matrix_files.matrices_of(tree), **options,
            )  # fmt: skip
    defaults = json.loads(tree.attrs.get("default_priors", "[]"))
    model.priors |= {name: replace(model.priors[name], given=False) for name in defaults}
    # Files of 0.1 know no origins: their priors hold at x = 0, as priors that are written do.
    found = json.loads(tree.attrs.get("origins", "{}"))
    model.origins = dict(model.origins) | {name: np.array(each) for name, each in found.items()}
    tree = trees.relabelled(tree, model.design)
    return Fit(model, tree if HYPERDRAWS not in tree.children else _with_effects(tree, model))


def _family(attrs: Mapping[Any, Any], given: CustomFamily | None) -> str | CustomFamily:
    """Return the family of a fit: its name, or the one given again if that is its own."""
    name = str(attrs["family"])
    if CUSTOM not in attrs:
        if given is not None:
            raise DataError(
                f"the fit is of family {name!r}, not of a custom one: leave family= out"
            )
        return name
    if given is None:
        raise DataError(
            f"the fit is of the custom family {name!r}, whose functions in Python no file holds: "
            "give it again, hm.load(path, family=...)"
        )
    saved, mine = json.loads(attrs[CUSTOM]), given.written
    others = [what for what, value in saved.items() if mine[what] != value]
    if others:
        raise DataError(
            f"the custom family has another {' and '.join(others)} than that of the fit"
        )
    return given


def _with_effects(tree: "xr.DataTree", model: Model) -> "xr.DataTree":
    """Give a tree the effects that were not kept, to be drawn as before from the same sums."""
    draws = effects_on_demand.read(tree[HYPERDRAWS].to_dataset())
    posterior = tree["posterior"].to_dataset()
    shape = posterior.sizes["chain"], posterior.sizes["draw"]
    effects = labelling.integrated(
        model.assemble(prior_only=bool(tree.attrs["prior_only"])), draws, shape,
        int(tree.attrs["seed"]), model.design, model.origins,
    )  # fmt: skip
    tree["posterior"] = type(tree)(
        effects_on_demand.with_effects(posterior, effects, model.design, memory=-1)
    )
    return tree
