"""Bayesian hierarchical (mixed-effects) models with Stan, from Python."""

from hiermix.backtest import Backtest, backtest
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
from hiermix.fit import Fit
from hiermix.forecast import Forecast
from hiermix.formula import Group
from hiermix.model import Model, load
from hiermix.pooling import pooling

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "Backtest",
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
    "backtest",
    "compare",
    "load",
    "load_dataset",
    "pooling",
]
