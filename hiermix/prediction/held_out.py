"""What cross-validation leaves out together, and what follows for standard errors.

Rows of a group that was left out share its unknown effect, so that their log densities move
together: errors are those of sums over groups (as brms has them with ``joint = "group"``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix.design import response_checks, row_labels
from hiermix.design.design import Design
from hiermix.errors import ArgumentError, DataError, count, did_you_mean
from hiermix.formula.names import in_results
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr
    from arviz_stats import ELPDData

type Groups = str | Sequence[object] | pd.Series | np.ndarray | None
"""A grouping factor, a column, a label a row, or None for rows."""

_MARK, _JOINT = "left_out", "joint"


def units(design: Design, groups: Groups) -> tuple[str | None, np.ndarray]:
    """Return the name of what is left out together, and each row's label; rows have no name."""
    if groups is None:
        return None, np.arange(design.rows)
    if not isinstance(groups, str):
        name = getattr(groups, "name", None)
        return str(name or "group"), _checked(pd.Series(np.asarray(groups)), "groups", design)
    factors = {each.name: each for each in design.groupings}
    if groups in factors:
        return groups, factors[groups].levels[factors[groups].factor.level_of_rows()]
    for frame in (design.frame, design.others):
        if groups in frame:
            return groups, _checked(frame[groups], groups, design)
    known = [*factors, *map(str, design.frame), *map(str, design.others)]
    raise ArgumentError(
        f"{groups!r} is no grouping factor of this fit and no column of its frame."
        f"{did_you_mean(groups, known)} A saved fit has the columns of its formula alone: pass "
        f"groups=data[{groups!r}]"
    )


def _checked(labels: pd.Series, name: str, design: Design) -> np.ndarray:
    response_checks.right_length(name, len(labels), design.rows)
    missing = int(labels.isna().sum())
    if missing:
        raise DataError(
            f"{name!r} has {count(missing, 'missing label')}: fill them, or drop these rows before "
            "the fit"
        )
    if labels.nunique() < 2:
        raise ArgumentError(f"{name!r} has one label: there is nothing to leave out by it")
    return labels.to_numpy(dtype=object)


def mark(result: "ELPDData", name: str, labels: np.ndarray) -> "ELPDData":
    """Put the labels on the pointwise densities, and take errors over groups."""
    each = result.elpd_i.assign_coords({_MARK: ("row", labels)}).assign_attrs(left_out=name)
    return replace(result, elpd_i=each, se=_error(_sums(each).to_numpy()))


def _error(sums: FloatArray) -> float:
    return float(np.sqrt(len(sums) * sums.var(ddof=1)))


def _sums(each: "xr.DataArray") -> "xr.DataArray":
    """Return sums over groups, in the order in which they come in the rows."""
    codes, _ = pd.factorize(each[_MARK].to_numpy())
    return each.copy(deep=False).drop_vars(_MARK).groupby(each["row"].copy(data=codes)).sum()


def coords(name: str | None, labels: pd.Index) -> "xr.Coordinates":
    """Return the coordinates of densities of all rows of a label together."""
    import xarray as xr

    dim = in_results(name or "group")
    dim = "group" if dim in row_labels.TAKEN else dim
    return xr.Coordinates({dim: row_labels.label_values(pd.Series(labels))})


def together(name: str | None) -> dict[str, Any]:
    """Return what marks such densities."""
    return {_MARK: name, _JOINT: 1}


def joint(result: "ELPDData", name: str | None, labels: pd.Index) -> "ELPDData":
    """Return densities of all rows of a label together, by label."""
    import xarray as xr

    at = coords(name, labels)
    each = xr.DataArray(result.elpd_i.to_numpy(), coords=at, dims=list(at.dims),
                        attrs=together(name))  # fmt: skip
    return replace(result, elpd_i=each, se=_error(each.to_numpy()))


def alike(results: Sequence["ELPDData"]) -> bool:
    """Whether all leave out the same: rows, or the same groups of rows."""
    return len({_partition(each) for each in results}) == 1


def _partition(result: "ELPDData") -> tuple[Any, ...]:
    if _is_joint(result):
        return tuple(result.elpd_i[result.elpd_i.dims[0]].to_numpy().tolist())
    if _MARK not in result.elpd_i.coords:
        return ()
    return (pd.factorize(result.elpd_i[_MARK].to_numpy())[0].tobytes(),)


def _is_joint(result: "ELPDData") -> bool:
    return _JOINT in result.elpd_i.attrs


def phrase(result: "ELPDData") -> str:
    """Say what was left out."""
    name: Any = result.elpd_i.attrs.get(_MARK)
    how = ", all rows together" if _is_joint(result) else ""
    return "left out rows" if name is None else f"left out levels of {name!r}{how}"


def by_unit(results: Mapping[str, "ELPDData"]) -> dict[str, "ELPDData"]:
    """Return results whose points are what was left out together, less the best of all results."""
    points = {
        name: _sums(each.elpd_i) if _MARK in each.elpd_i.coords else each.elpd_i
        for name, each in results.items()
    }
    # Stacking takes exp of these: those of a group of many rows, or of a far row, would underflow.
    best = np.max([each.to_numpy() for each in points.values()], axis=0)
    return {
        name: replace(each, elpd_i=points[name] - best, n_data_points=len(best))
        for name, each in results.items()
    }
