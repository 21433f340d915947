"""Writes tables to Parquet files piece by piece, so that memory does not grow with their size."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from hiermix import optional, options
from hiermix.errors import ArgumentError, DataError, first_three
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

    A column is stored as its first piece is, or as whatever holds the values of all.

    Raises
    ------
    DataError
        There are no pieces, or they have other columns, or nothing holds the values of one.
    """
    pa = optional.module("pyarrow")
    tables = (pa.Table.from_pandas(each, preserve_index=False) for each in pieces)
    with replacing(path) as temporary:
        first = next(tables, None)
        if first is None:
            raise DataError(f"there are no rows to write to {path}")
        with closing(_File(temporary, first.schema.remove_metadata())) as file:
            for each in chain([first], tables):
                file.add(each)
    return path


class _File:
    """A file of tables whose columns are stored alike."""

    def __init__(self, path: Path, schema: Any) -> None:
        self._path = path
        self._open(schema)

    def _open(self, schema: Any) -> None:
        self._schema = schema
        self._writer: Any = optional.module("pyarrow.parquet").ParquetWriter(self._path, schema)

    def close(self) -> None:
        """End the file."""
        self._writer.close()

    def add(self, table: Any) -> None:
        """Write another table; what is there is written once more where it must be wider."""
        _same_columns(self._schema.names, table.column_names)
        if not all(map(_holds, self._schema.types, table.columns)):
            self._widen(table.schema)
        self._writer.write_table(table.cast(self._schema))

    def _widen(self, schema: Any) -> None:
        pa, pq = optional.module("pyarrow"), optional.module("pyarrow.parquet")
        wider = pa.schema([_wider(*both) for both in zip(self._schema, schema, strict=True)])
        self.close()
        narrow = self._path.with_name(f"{self._path.name}.narrow")
        self._path.rename(narrow)
        try:
            self._open(wider)
            with pq.ParquetFile(narrow) as held:
                for batch in held.iter_batches():
                    self._writer.write_table(pa.Table.from_batches([batch]).cast(wider))
        finally:
            narrow.unlink()


def _same_columns(known: Sequence[str], now: Sequence[str]) -> None:
    if list(known) != list(now):
        raise DataError(
            f"batches of the rows have other columns: {first_three(known)} in the first one, and "
            f"{first_three(now)} in another"
        )


def _holds(stored: Any, values: Any) -> bool:
    """Tell whether values come back as they are from how a column is stored."""
    pa = optional.module("pyarrow")
    if values.type == stored:
        return True
    values = values.cast(_plain(values.type))
    try:
        return bool(values.cast(stored).cast(values.type).equals(values))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False


def _wider(known: Any, now: Any) -> Any:
    """Return the field that holds the values of two."""
    pa = optional.module("pyarrow")
    try:
        both = [pa.schema([each.with_type(_plain(each.type)).remove_metadata()])
                for each in (known, now)]  # fmt: skip
        return pa.unify_schemas(both, promote_options="permissive").field(0)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(
            f"column {known.name!r} is stored as {known.type} in some batches of the rows and as "
            f"{now.type} in others: store it alike in all"
        ) from error


def _plain(stored: Any) -> Any:
    """Return what categories are stored as without their dictionary."""
    dictionary = optional.module("pyarrow").types.is_dictionary(stored)
    return stored.value_type if dictionary else stored
