"""Draws of what bends curves: ``s`` (basis), with their sds, ``sd_smooth`` (smooth)."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hiermix.design.curve_factors import CurveFactor
from hiermix.design.curves import Curve
from hiermix.design.design import Design
from hiermix.typing import FloatArray, IntArray

if TYPE_CHECKING:
    import xarray as xr

SD, BENDS, SMOOTH, BASIS = "sd_smooth", "s", "smooth", "basis"
"""Names of the variables and of their dims."""

type Variables = dict[str, tuple[tuple[str, ...], np.ndarray]]


def sds(curves: Sequence[tuple[Curve, FloatArray]]) -> Variables:
    """Return the variable of the sds of curves, each (..., 1)."""
    if not curves:
        return {}
    return {SD: ((SMOOTH,), np.concatenate([sd for _, sd in curves], axis=-1))}


def labels(curves: Sequence[tuple[Curve, FloatArray]]) -> dict[str, list[str]]:
    """Return the labels of curves, and of their bends."""
    if not curves:
        return {}
    bends = [label for curve, _ in curves for label in curve.bends]
    return {SMOOTH: [curve.name for curve, _ in curves], BASIS: bends}


def bends(
    design: Design, effects: Callable[[str, IntArray], FloatArray]
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Return the variable of what bends curves, from effects (chain, draw, level, effect) by name.

    `design` is that of the program, which turns the columns of a curve.
    """
    parts = [
        effects(each.name, np.arange(len(each.levels)))[..., 0] @ each.curve.turn.T
        for each in design.groupings
        if isinstance(each, CurveFactor)
    ]
    return {BENDS: (("chain", "draw", BASIS), np.concatenate(parts, axis=-1))} if parts else {}


def known(posterior: "xr.Dataset", terms: Sequence[str]) -> list[str]:
    """Return those of some terms that bend a curve."""
    labels = set(posterior[BASIS].to_numpy().tolist()) if BENDS in posterior else set()
    return [term for term in terms if term in labels]


def of(posterior: "xr.Dataset", terms: Sequence[str]) -> "xr.DataArray":
    """Draws of some of them, along ``basis``."""
    return posterior[BENDS].sel({BASIS: list(terms)})
