"""From an engine's arrays to a labelled ArviZ DataTree. The only builder of trees.

Names and dims: ``Intercept``; ``b`` (term); ``sd_<group>`` (<group>_effect); ``cor_<group>``
(<group>_pair), the correlations of the pairs of effects that vary together; ``df_<group>``, of
t-distributed effects; ``r_<group>`` (<group>, <group>_effect, or <group>_term where each stratum
has an sd or effects share one); of smooths ``sd_smooth`` (smooth), ``lengthscale`` (process) and
``s`` (basis); missing values of predictors ``mi_<column>`` (mi_<column>_row), by their place in the
frame; and the family's own parameters. Labels are the user's. A factor with the name of a variable
or of another dim, such as ``b`` or ``row``, has its levels in <group>_level.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix.design import kinds
from hiermix.design.curve_factors import CurveFactor
from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.design.joint_design import Joint, by_response
from hiermix.engines import Samples
from hiermix.families.family import Family
from hiermix.formula.equations import MU
from hiermix.formula.names import in_results
from hiermix.formula.threshold_formulas import threshold_of
from hiermix.posterior import (
    coefficients,
    missing_values,
    residual_labels,
    shrunk_slopes,
    smooth_draws,
    step_draws,
)
from hiermix.posterior.coefficients import Variables
from hiermix.typing import Drawn, FloatArray

if TYPE_CHECKING:
    import xarray as xr


def tree(
    posterior: "xr.Dataset",
    samples: Samples,
    design: Design,
    family: Family,
    attrs: Mapping[str, Any],
    parts: "Mapping[str, xr.Dataset] | None" = None,
) -> "xr.DataTree":
    """Gather posterior, sampler statistics, response and the columns used.

    Parameters
    ----------
    posterior : Dataset
        From `posterior`.
    samples : Samples
        What the engine returned.
    design : Design
        The fitted rows.
    family : Family
        Of the response.
    attrs : mapping
        Formula, family, priors, versions, seed, timings: stored with the tree.
    parts : mapping, optional
        Further groups.
    """
    import xarray as xr

    stats = {name: (("chain", "draw"), array) for name, array in samples.stats.items()}
    coords = {"chain": posterior.chain, "draw": posterior.draw}
    observed: Variables = {}
    if design.observed is not None:
        kind = family.kind_of_response(design)
        last = counted(design)
        found = by_response(design) if isinstance(design, Joint) else {
            design.response_name: design.observed if design.counts is None else design.counts
        }  # fmt: skip
        observed |= {name: (("row", *last), values.astype(kind)) for name, values in found.items()}
    groups = {
        "posterior": posterior,
        "sample_stats": xr.Dataset(stats, coords=coords),
        "observed_data": xr.Dataset(observed, coords=counted(design)),
        "constant_data": columns(design),
        **(parts or {}),
    }
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update(attrs)
    return tree


def counted(design: Design) -> dict[str, list[str]]:
    """Return the dim of responses that are counts of categories, and its labels."""
    return {} if design.counts is None else {"category": [*map(str, design.categories)]}


def posterior(
    drawn: Drawn,
    effects: Mapping[str, FloatArray],
    design: Design,
    x_mean: FloatArray,
) -> "xr.Dataset":
    """Label the draws.

    Parameters
    ----------
    drawn : Drawn
        Of the program.
    effects : mapping
        Grouping factor to its effects (chain, draw, level, effect), where there are draws of them.
    design : Design
        The fitted rows, for their labels.
    x_mean : array, shape (P,)
        What was subtracted from the columns of X; moves the intercept back to X = 0.
    """
    import xarray as xr

    chains, length = drawn.b.shape[:2]
    thresholds = "threshold" in drawn.own
    variables: Variables = {}
    coords: dict[str, Any] = {"chain": np.arange(chains), "draw": np.arange(length)}
    at = 0
    for each in design.reported:
        columns = slice(at, at + len(each.terms))
        b = coefficients.at_zero(drawn.b[..., columns], each.terms, x_mean[columns])
        replaced = thresholds and each.name == MU
        variables |= coefficients.variables(each.terms, b, thresholds=replaced, equation=each.name)
        coords |= coefficients.labels(each.terms, each.name)
        steps, labels = step_draws.variables(design.steps, each.name, each.terms, b)
        variables |= steps
        coords |= labels
        at = columns.stop
    residual = residual_labels.of(design)
    variables |= {name: (residual.dims(name) or _dims(values, name), values)
                  for name, values in drawn.own.items()}  # fmt: skip
    coords |= residual.coords
    if thresholds:
        variables["threshold"] = (("threshold_dim",), _thresholds(drawn, design, x_mean))
        coords["threshold_dim"] = between(design)
    if drawn.shrunk is not None:
        found, labels = shrunk_slopes.variables(drawn.shrunk, design.terms)
        variables |= found
        coords |= labels
    found, labels = missing_values.variables(drawn.gaps, design)
    variables |= found
    coords |= labels
    at, curves, spreads = 0, [], _spreads_of(drawn, design)
    tails = [each.name for each in design.groupings if each.heavy]
    for place, name in enumerate(tails):
        assert drawn.df is not None
        variables[f"df_{name}"] = ((), drawn.df[..., place])
    for grouping in design.groupings:
        these = slice(at, at + len(grouping.effects))
        at = these.stop
        if isinstance(grouping, CurveFactor):
            curves.append((grouping, next(spreads)))
            continue
        variables |= _spread(grouping, next(spreads), drawn.L[..., these, these])
        level = level_dim(grouping.name, {"row", *coefficients.NAMES, *variables, *coords})
        if grouping.name in effects:
            r, strata = effects[grouping.name], grouping.strata
            dims = (level, grouping.dim)
            variables[f"r_{grouping.name}"] = (dims, r if strata is None else strata.own(r))
        coords |= _labels(grouping, level)
    variables |= smooth_draws.spreads(curves)
    coords |= smooth_draws.labels([factor for factor, _ in curves])
    return xr.Dataset({name: (("chain", "draw", *dims), values) for name, (dims, values) in
                       variables.items()}, coords=coords)  # fmt: skip


def _thresholds(drawn: Drawn, design: Design, x_mean: FloatArray) -> FloatArray:
    """Move thresholds to X = 0, in the columns of the location and in those of their own."""
    found, at = drawn.own["threshold"].copy(), 0
    for each in design.reported:
        slopes = slice(at + each.intercepts, at + len(each.terms))
        at = slopes.stop
        shift = drawn.b[..., slopes] @ x_mean[slopes]
        if each.name == MU:
            found += shift[..., None]
        elif each.beside_threshold and (place := threshold_of(each.name)):
            found[..., place - 1] += shift
    return found


def _spreads_of(drawn: Drawn, design: Design) -> Iterator[FloatArray]:
    """Yield the spreads of each factor: sds as its effects have them, and lengthscales."""
    sd = spread = 0
    for each in design.groupings:
        sizes, E = each.spreads, len(each.effects)
        if sizes.lengths:
            assert drawn.spread is not None
            yield drawn.spread[..., spread : spread + sizes.spreads]
        else:
            yield drawn.sd[..., sd + np.unique(sizes.of, return_index=True)[1]]
        sd, spread = sd + E, spread + sizes.spreads


def between(design: Design) -> list[str]:
    """Labels of the thresholds between categories: ``"low|high"``, of items ``"q1, low|high"``."""
    found = [f"{low}|{high}" for low, high in pairwise(design.categories)]
    if design.items is None:
        return found
    pairs = zip(design.items.labels, design.items.sizes, strict=True)
    return [f"{kinds.spelled(item)}, {one}" for item, size in pairs for one in found[: size - 1]]


def _dims(values: FloatArray, name: str) -> tuple[str, ...]:
    return tuple(f"{name}_dim" for _ in values.shape[2:])


def _spread(grouping: Grouping, sd: FloatArray, L: FloatArray) -> Variables:
    name = grouping.name
    variables: Variables = {f"sd_{name}": ((f"{name}_effect",), sd)}
    if grouping.pairs:
        each = [np.sum(L[..., i, :] * L[..., j, :], axis=-1) for i, j in grouping.pairs]
        variables[f"cor_{name}"] = ((f"{name}_pair",), np.stack(each, axis=-1))
    return variables


def level_dim(name: str, taken: Collection[str]) -> str:
    """Dim of the levels of a factor: a variable and a dim of one name would lose the labels."""
    return f"{name}_level" if name in taken else name


def effects_dims(posterior: "xr.Dataset", grouping: Grouping) -> tuple[str, ...]:
    """Return the dims of the effects of a factor in a posterior that has its labels."""
    name = grouping.name
    level = f"{name}_level" if f"{name}_level" in posterior.coords else name
    return "chain", "draw", level, grouping.dim


def _labels(grouping: Grouping, level: str) -> dict[str, Any]:
    names = grouping.effects
    labels: dict[str, Any] = {
        level: plain(grouping.levels),
        grouping.dim: list(grouping.of_level),
        f"{grouping.name}_effect": list(grouping.sds),
    }
    if grouping.pairs:
        labels[f"{grouping.name}_pair"] = [f"{names[i]}, {names[j]}" for i, j in grouping.pairs]
    return labels


def plain(labels: np.ndarray) -> np.ndarray:
    """Labels of one type as an array of that type, so that netCDF can hold them."""
    return np.array(labels.tolist())


def relabelled(tree: "xr.DataTree", design: Design) -> "xr.DataTree":
    """Give a tree that 0.1 wrote the labels of today: it joined 1.0 and 2 to 1.0:2.

    Levels have been in the same order ever since, and so have thresholds, which had no labels.
    """
    posterior = tree["posterior"].to_dataset()
    if "threshold" in posterior:
        posterior = posterior.assign_coords(threshold_dim=between(design))
    for grouping in design.groupings:
        dim = effects_dims(posterior, grouping)[2]
        if posterior.sizes[dim] == len(grouping.levels):
            posterior = posterior.assign_coords({dim: plain(grouping.levels)})
    tree["posterior"] = type(tree)(posterior)
    return tree


def columns(design: Design) -> "xr.Dataset":
    """Columns that the formula uses, in types that xarray has: other labels as text."""
    import xarray as xr

    return xr.Dataset({in_results(str(name)): (("row",), _in_numpy(design.frame[name]))
                       for name in design.frame})  # fmt: skip


def _in_numpy(column: pd.Series) -> np.ndarray:
    if isinstance(column.dtype, np.dtype) and column.dtype != object:
        return column.to_numpy()
    codes, uniques = pd.factorize(column)
    labels = [label if isinstance(label, str | int | float) else str(label)
              for label in map(kinds.plain, uniques)]  # fmt: skip
    gap = "" if any(isinstance(label, str) for label in labels) else np.nan
    return np.array([*labels, gap] if (codes < 0).any() else labels)[codes]
