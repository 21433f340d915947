"""Bayesian hierarchical (mixed-effects) models with Stan, from Python."""

from hiermix.datasets import load_dataset
from hiermix.design.centering import center_within
from hiermix.errors import (
    ArgumentError,
    DataError,
    EngineError,
    FormulaError,
    HiermixError,
    HiermixWarning,
    PriorError,
)
from hiermix.families.custom_family import CustomFamily
from hiermix.fit import Fit
from hiermix.forecasting.forecast import Forecast
from hiermix.formula.terms import Group
from hiermix.loading import load
from hiermix.model import Model
from hiermix.prediction.cross_validation import compare
from hiermix.prediction.grids import datagrid
from hiermix.statistics.cell_sums import CellSums
from hiermix.statistics.merged import MergedRows
from hiermix.statistics.of_source import statistics
from hiermix.statistics.series_sums import SeriesSums
from hiermix.statistics.summed import Statistics
from hiermix.studies.backtest import Backtest, backtest
from hiermix.studies.many_fits import fit_many
from hiermix.studies.pooling import pooling
from hiermix.version import __version__ as __version__

__all__ = [
    "ArgumentError",
    "Backtest",
    "CellSums",
    "CustomFamily",
    "DataError",
    "EngineError",
    "Fit",
    "Forecast",
    "FormulaError",
    "Group",
    "HiermixError",
    "HiermixWarning",
    "MergedRows",
    "Model",
    "PriorError",
    "SeriesSums",
    "Statistics",
    "backtest",
    "center_within",
    "compare",
    "datagrid",
    "fit_many",
    "load",
    "load_dataset",
    "pooling",
    "statistics",
]


def __dir__() -> list[str]:
    """List what is public."""
    return [*__all__, "__version__"]
