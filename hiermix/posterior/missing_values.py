"""Draws of missing values of predictors: ``mi_x`` along ``mi_x_row``, their rows in the frame."""

from typing import TYPE_CHECKING

from hiermix.design.design import Design
from hiermix.formula.names import in_results
from hiermix.posterior.coefficients import Variables
from hiermix.posterior.draw_arrays import Which, flat
from hiermix.typing import FloatArray, IntArray

if TYPE_CHECKING:
    import xarray as xr


def name_of(predictor: str) -> str:
    """Name of the variable of the missing values of a predictor."""
    return f"mi_{in_results(predictor)}"


def dim_of(predictor: str) -> str:
    """Name of its dim."""
    return f"{name_of(predictor)}_row"


def variables(gaps: FloatArray | None, design: Design) -> tuple[Variables, dict[str, IntArray]]:
    """Return variables and labels of draws (chain, draw, gaps) of what is missing, all together."""
    found: Variables = {}
    labels: dict[str, IntArray] = {}
    at = 0
    for each in design.imputed if gaps is not None else ():
        here = slice(at, at + len(each.lacking))
        at = here.stop
        if len(each.lacking):
            assert gaps is not None
            values = gaps[..., here] + each.filled[each.lacking]
            found[name_of(each.name)] = ((dim_of(each.name),), values)
            labels[dim_of(each.name)] = each.lacking
    return found, labels


def holds(variable: "xr.DataArray") -> bool:
    """Tell whether a variable holds missing values."""
    name = str(variable.name)
    return name.startswith("mi_") and variable.dims[2:] == (f"{name}_row",)


def matrices(posterior: "xr.Dataset", design: Design, which: Which) -> dict[str, FloatArray]:
    """Draws (gaps, S) of the missing values of each predictor that has some."""
    return {each.name: flat(posterior[name_of(each.name)], which).T
            for each in design.imputed if name_of(each.name) in posterior}  # fmt: skip
