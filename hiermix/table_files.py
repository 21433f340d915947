"""Writes tables to Parquet files piece by piece, so that memory does not grow with their size."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from hiermix import optional, options
from hiermix.errors import ArgumentError, DataError
from hiermix.files import replacing

SUFFIX = ".parquet"


def is_table(path: str | Path) -> bool:
    """Tell whether a path is that of a table."""
    return options.path(path).suffix.lower() == SUFFIX


def table_path(path: str | Path) -> Path:
    """Return the path of a table, whose suffix says what is written."""
    found = options.path(path)
    if not is_table(found):
        raise ArgumentError(f"into= must end in {SUFFIX}, not {found.name!r}")
    return found


def write(pieces: Iterable[pd.DataFrame], path: Path) -> Path:
    """Write pieces of a table, whole or not at all; a file that is there is replaced.

    Raises
    ------
    DataError
        There are no pieces.
    """
    pa, pq = optional.module("pyarrow"), optional.module("pyarrow.parquet")
    tables: Any = (pa.Table.from_pandas(each, preserve_index=False) for each in pieces)
    with replacing(path) as temporary:
        first = next(tables, None)
        if first is None:
            raise DataError(f"there are no rows to write to {path}")
        schema = first.schema.remove_metadata()
        with pq.ParquetWriter(temporary, schema) as writer:
            for each in chain([first], tables):
                writer.write_table(each.cast(schema))
    return path
