"""What bends the curves of smooths as levels of factors, of which programs know the sds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import override

import numpy as np
import pandas as pd

from hiermix.design.batches import Rows
from hiermix.design.curves import Curve
from hiermix.design.design import Design
from hiermix.design.factor import Mixture
from hiermix.design.groupings import Grouping
from hiermix.design.specs import Spec
from hiermix.formula.equations import qualified
from hiermix.typing import FloatArray

_ONES = Spec("1", ("Intercept",), None, {})


@dataclass(frozen=True, eq=False)
class CurveFactor(Grouping):
    """A curve as a factor: every row has something of each of its levels."""

    curve: Curve = field(kw_only=True)
    basis: Callable[[Rows], FloatArray] = field(kw_only=True)
    """(n, K) how much some rows have of each level, in the curve's turned columns."""

    @property
    @override
    def factor(self) -> Mixture:
        return Mixture(self.codes, len(self.levels), self.basis)

    @property
    @override
    def sd_names(self) -> list[tuple[str, ...]]:
        return [(f"sd_smooth[{self.name}]", "sd_smooth", "sd")]

    @override
    def repeated(self, times: int) -> CurveFactor:
        size, codes = len(self.codes), np.tile(self.codes, times)

        def columns(rows: Rows) -> FloatArray:
            return self.basis(np.arange(len(codes))[rows] % size)

        return replace(self, codes=codes, basis=columns)


def as_factors(design: Design) -> Design:
    """Return a design as programs have it: what bends curves is levels of factors."""
    plan = design._plan
    if not plan.curves:
        return design
    factors = tuple(_factor(each, design) for each in plan.curves)
    effects = {**plan.effects, **{each.name: (_ONES,) for each in factors}}
    return replace(
        design,
        equations=tuple(
            replace(each, terms=plan.straight[each.columns].labels) for each in design.equations
        ),
        groupings=(*design.groupings, *factors),
        _plan=replace(plan, populations=plan.straight, effects=effects, curves=()),
    )


def _factor(curve: Curve, design: Design) -> CurveFactor:
    encoded: pd.DataFrame = design._encoded
    levels = np.empty(len(curve.bends), dtype=object)
    levels[:] = curve.bends
    return CurveFactor(
        name=curve.name,
        columns=(),
        effects=(qualified("Intercept", curve.equation),),
        terms=("Intercept",),
        equations=(curve.equation,),
        places=(0,),
        blocks=(1,),
        levels=levels,
        codes=np.zeros(design.rows, dtype=np.int32),
        curve=curve,
        basis=partial(_basis, curve, encoded),
    )


def _basis(curve: Curve, encoded: pd.DataFrame, rows: Rows) -> FloatArray:
    return curve.bent(encoded.iloc[rows]) @ curve.turn
