"""Libraries that not everybody needs: imported when they are used, missed by name."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from hiermix.errors import DataError

EXTRAS = {"pyarrow": "arrow", "duckdb": "duckdb", "dask": "dask", "polars": "polars"}
"""Module and the extra of hiermix that brings it."""


def module(name: str) -> Any:
    """Return a module.

    Raises
    ------
    DataError
        It is not installed; with the line that installs it.
    """
    top = name.split(".")[0]
    try:
        return import_module(name)
    except ImportError as error:
        raise DataError(
            f"this source needs {top}, which is not installed: pip install 'hiermix[{EXTRAS[top]}]'"
        ) from error
