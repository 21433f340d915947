"""Plots: one file a plot, imported when it is drawn; returns its figure and the numbers it drew."""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hiermix.plots import (
        backtests,
        check_panels,
        effect_curves,
        estimate_intervals,
        fits,
        forecasts,
        groups,
        held_values,
        notebook,
        observed_values,
        poolings,
        predictive_check,
        rank_intervals,
        replicates,
        residuals,
        shrinkage,
        smooth_curves,
        style,
    )

__all__ = [
    "backtests",
    "check_panels",
    "effect_curves",
    "estimate_intervals",
    "fits",
    "forecasts",
    "groups",
    "held_values",
    "notebook",
    "observed_values",
    "poolings",
    "predictive_check",
    "rank_intervals",
    "replicates",
    "residuals",
    "shrinkage",
    "smooth_curves",
    "style",
]


def __getattr__(name: str) -> ModuleType:
    if (Path(__file__).parent / f"{name}.py").exists():
        return import_module(f"hiermix.plots.{name}")
    raise AttributeError(f"module 'hiermix.plots' has no attribute {name!r}")
