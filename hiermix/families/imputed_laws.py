"""The law of predictors with missing values: normal around a linear predictor of their own."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from hiermix.design.design import Design
from hiermix.design.imputed import Imputed
from hiermix.errors import FormulaError
from hiermix.families.family import Family
from hiermix.families.own_parameter import OwnParameter
from hiermix.families.prior import Prior
from hiermix.formula.equations import MU
from hiermix.typing import FloatArray

_LOG_ROOT = 0.5 * float(np.log(2 * np.pi))


def sigma(name: str) -> str:
    """Name of the residual sd of a predictor."""
    return f"sigma_{name}"


def with_laws(family: Family, design: Design) -> Family:
    """Return a family with the residual sds of the predictors that have an equation.

    Raises
    ------
    FormulaError
        A predictor is called as a parameter of the family.
    """
    for each in design.imputed:
        if each.name in (MU, *(one.name for one in family.own)):
            raise FormulaError(
                f"{each.name} | mi(): {each.name!r} is a parameter of family {family.name!r} too. "
                "Rename the column"
            )
    own = tuple(
        OwnParameter(sigma(each.name), partial(_around, each.spread)) for each in design.imputed
    )
    where = {each.name: (each.location, each.spread) for each in design.imputed}
    return replace(family, imputed=own, located=where)


def _around(spread: float, scale: float) -> Prior:
    """Prior of a residual sd; the scale of the response says nothing of it."""
    return Prior("exponential", (1 / spread,))


def log_density(
    predictor: Imputed, rows: slice, eta: FloatArray, own: Mapping[str, FloatArray]
) -> FloatArray:
    """Log density of the values of some rows at their linear predictors; zero of missing ones."""
    sd = own[sigma(predictor.name)]
    known = np.ones(len(predictor.filled), dtype=np.bool_)
    known[predictor.lacking] = False
    away = (predictor.filled[rows] - eta) / sd
    return np.where(known[rows], -_LOG_ROOT - np.log(sd) - 0.5 * away**2, 0.0)
