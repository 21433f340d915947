"""Draws of what bends curves: ``s`` (basis), ``sd_smooth`` (smooth), ``lengthscale`` (process)."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hiermix.design.curve_factors import CurveFactor
from hiermix.design.design import Design
from hiermix.typing import FloatArray, IntArray

if TYPE_CHECKING:
    import xarray as xr

SD, BENDS, SMOOTH, BASIS = "sd_smooth", "s", "smooth", "basis"
LENGTH, PROCESS = "lengthscale", "process"
"""Names of the variables and of their dims."""

type Variables = dict[str, tuple[tuple[str, ...], np.ndarray]]


def spreads(curves: Sequence[tuple[CurveFactor, FloatArray]]) -> Variables:
    """Return the variables of the spreads of curves, each (..., S): an sd, then a lengthscale."""
    found: Variables = {}
    for name, dim, place in ((SD, SMOOTH, 0), (LENGTH, PROCESS, 1)):
        each = [spread[..., place] for _, spread in curves if spread.shape[-1] > place]
        if each:
            found[name] = ((dim,), np.stack(each, axis=-1))
    return found


def labels(factors: Sequence[CurveFactor]) -> dict[str, list[str]]:
    """Return the labels of curves, of those that have a lengthscale, and of their bends."""
    if not factors:
        return {}
    bends = [label for each in factors for label in each.curve.bends]
    found = {SMOOTH: [each.name for each in factors], BASIS: bends}
    lengths = [each.name for each in factors if each.spreads.lengths]
    return found | ({PROCESS: lengths} if lengths else {})


def bends(
    design: Design, effects: Callable[[str, IntArray], FloatArray]
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Return the variable of what bends curves, from effects (chain, draw, level, effect) by name.

    `design` is that of the program.
    """
    parts = [
        each.coefficients(effects(each.name, np.arange(len(each.levels))))
        for each in design.groupings
        if isinstance(each, CurveFactor)
    ]
    return {BENDS: (("chain", "draw", BASIS), np.concatenate(parts, axis=-1))} if parts else {}


def known(posterior: "xr.Dataset", terms: Sequence[str]) -> list[str]:
    """Return those of some terms that bend a curve."""
    labels = set(posterior[BASIS].to_numpy().tolist()) if BASIS in posterior.dims else set()
    return [term for term in terms if term in labels]


def of(posterior: "xr.Dataset", terms: Sequence[str]) -> "xr.DataArray":
    """Draws of some of them, along ``basis``."""
    return posterior[BENDS].sel({BASIS: list(terms)})
