"""Writes tables to files piece by piece, so that memory does not grow with their size."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from hiermix import optional, options
from hiermix.errors import ArgumentError
from hiermix.files import replacing

SUFFIXES = (".parquet", ".csv")


def table_path(path: str | Path) -> Path:
    """Return the path of a table, whose suffix says what is written."""
    found = options.path(path)
    if found.suffix.lower() not in SUFFIXES:
        raise ArgumentError(f"into= must end in {' or '.join(SUFFIXES)}, not {found.name!r}")
    return found


def write(pieces: Iterable[pd.DataFrame], path: Path) -> Path:
    """Write pieces of a table, whole or not at all; a file that is there is replaced."""
    opened = _csv if path.suffix.lower() == ".csv" else _parquet
    with replacing(path) as temporary, opened(temporary) as put:
        for piece in pieces:
            put(piece)
    return path


@contextlib.contextmanager
def _csv(path: Path) -> Iterator[Any]:
    with path.open("w", newline="", encoding="utf-8") as file:
        yield lambda piece: piece.to_csv(file, index=False, header=file.tell() == 0)


@contextlib.contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    pa, pq = optional.module("pyarrow"), optional.module("pyarrow.parquet")
    writers: list[Any] = []

    def put(piece: pd.DataFrame) -> None:
        schema = writers[0].schema if writers else None
        table = pa.Table.from_pandas(piece, schema=schema, preserve_index=False)
        if not writers:
            table = table.replace_schema_metadata(None)
            writers.append(pq.ParquetWriter(path, table.schema))
        writers[0].write_table(table.replace_schema_metadata(None))

    try:
        yield put
    finally:
        for each in writers:
            each.close()
