"""Bayesian hierarchical (mixed-effects) models with Stan, from Python."""

from hiermix.comparison import compare
from hiermix.datasets import load_dataset
from hiermix.errors import (
    ArgumentError,
    DataError,
    EngineError,
    FormulaError,
    HiermixError,
    HiermixWarning,
    PriorError,
)
from hiermix.forecast import Forecast
from hiermix.formula import Group
from hiermix.model import Fit, Model, load
from hiermix.pooling import pooling

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "DataError",
    "EngineError",
    "Fit",
    "Forecast",
    "FormulaError",
    "Group",
    "HiermixError",
    "HiermixWarning",
    "Model",
    "PriorError",
    "compare",
    "load",
    "load_dataset",
    "pooling",
]
