"""What bends curves as effects of factors, of which programs know the sds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, override

import numpy as np
import pandas as pd

from hiermix.design.batches import Rows
from hiermix.design.curves import Curve
from hiermix.design.design import Design
from hiermix.design.effect_sizes import EffectSizes
from hiermix.design.factor import Factor, Mixture, Whole
from hiermix.design.groupings import Grouping, labels_array
from hiermix.design.hilbert_spaces import ProcessCurve
from hiermix.design.level_steps import joined
from hiermix.design.natural_splines import NaturalSpline
from hiermix.design.specs import Beside, Spec
from hiermix.design.tensor_splines import TensorPiece
from hiermix.formula.equations import qualified
from hiermix.typing import FloatArray

_ONES = Spec("1", ("Intercept",), None, {})
_NONE = Spec("0", (), None, {})


@dataclass(frozen=True, eq=False)
class CurveFactor(Grouping):
    """A curve as a factor."""

    curve: Curve = field(kw_only=True)

    @property
    @override
    def sd_names(self) -> list[tuple[str, ...]]:
        return [(f"sd_smooth[{self.name}]", "sd_smooth", "sd")]

    def coefficients(self, effects: FloatArray) -> FloatArray:
        """Return those of the curve's columns (..., K) from effects (..., level, effect)."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class SplineFactor(CurveFactor):
    """A spline, whose columns share an sd: every row has something of each of its levels."""

    basis: Callable[[Rows], FloatArray] = field(kw_only=True)
    """(n, K) how much some rows have of each level, in the curve's turned columns."""
    turn: FloatArray = field(kw_only=True)

    @property
    @override
    def factor(self) -> Mixture:
        return Mixture(self.codes, len(self.levels), self.basis)

    @override
    def repeated(self, times: int) -> SplineFactor:
        size, codes = len(self.codes), np.tile(self.codes, times)

        def columns(rows: Rows) -> FloatArray:
            return self.basis(np.arange(len(codes))[rows] % size)

        return replace(self, codes=codes, basis=columns)

    @override
    def coefficients(self, effects: FloatArray) -> FloatArray:
        return np.asarray(effects[..., 0] @ self.turn.T)


@dataclass(frozen=True, eq=False)
class ProcessFactor(CurveFactor):
    """A process: all rows are of one level, each of whose effects has an sd of its own."""

    frequency: FloatArray = field(kw_only=True)
    told: tuple[float, float] = field(kw_only=True)
    """Shortest lengthscale that its columns can follow, and the width of the range."""

    @property
    @override
    def factor(self) -> Factor:
        return Whole(self.codes, 1)

    @property
    @override
    def spreads(self) -> EffectSizes:
        return EffectSizes.of_process(self.frequency)

    @property
    @override
    def sd_names(self) -> list[tuple[str, ...]]:
        return [*super().sd_names, (f"lengthscale[{self.name}]", "lengthscale")]

    @override
    def coefficients(self, effects: FloatArray) -> FloatArray:
        return effects[..., 0, :]


def main_factor(groupings: Iterable[Grouping]) -> Grouping | None:
    """Return the factor of most effects, of those that are no curves."""
    plain = [each for each in groupings if not isinstance(each, CurveFactor)]
    return max(plain, key=lambda each: each.total, default=None)


def as_factors(design: Design) -> Design:
    """Return a design as programs have it: what bends curves is effects of factors.

    Steps of a monotonic effect that vary over a factor are one effect of it.
    """
    plan = design._plan
    design = replace(design, groupings=tuple(map(joined, design.groupings)))
    if not plan.curves:
        return design
    made = [_factor(each, design) for each in plan.curves]
    effects = {**plan.effects, **{factor.name: (spec,) for factor, spec in made}}
    return replace(
        design,
        equations=tuple(
            replace(each, terms=plan.straight[each.columns].labels) for each in design.equations
        ),
        groupings=(*design.groupings, *(factor for factor, _ in made)),
        _plan=replace(plan, populations=plan.straight, effects=effects, curves=()),
    )


def _factor(curve: Curve, design: Design) -> tuple[CurveFactor, Spec]:
    """Return a curve as a factor, and the columns of its effects."""
    if isinstance(curve, NaturalSpline | TensorPiece):
        basis = partial(_basis, curve, design._encoded)
        shared = _shared(curve, curve.bends, ("Intercept",), design.rows)
        return SplineFactor(**shared, basis=basis, turn=curve.turn), _ONES
    assert isinstance(curve, ProcessCurve)
    shared = _shared(curve, ("all",), curve.bends, design.rows)
    spec = _NONE.with_columns([Beside(curve.bends, curve.bent)])
    return ProcessFactor(**shared, frequency=curve.frequency, told=curve.told), spec


def _shared(
    curve: Curve, levels: tuple[str, ...], terms: tuple[str, ...], rows: int
) -> dict[str, Any]:
    """Return what factors of all kinds have."""
    return {
        "name": curve.name,
        "columns": (),
        "effects": tuple(qualified(term, curve.equation) for term in terms),
        "terms": terms,
        "equations": (curve.equation,) * len(terms),
        "places": tuple(range(len(terms))),
        "blocks": (1,) * len(terms),
        "levels": labels_array(levels),
        "codes": np.zeros(rows, dtype=np.int32),
        "curve": curve,
    }


def _basis(curve: NaturalSpline | TensorPiece, encoded: pd.DataFrame, rows: Rows) -> FloatArray:
    return curve.bent(encoded.iloc[rows]) @ curve.turn
