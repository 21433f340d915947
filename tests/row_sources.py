"""A frame as every kind of source that rows are read from."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pads = pytest.importorskip("pyarrow.dataset")
duckdb = pytest.importorskip("duckdb")
dd = pytest.importorskip("dask.dataframe")


def arrow(data: pd.DataFrame) -> Any:
    return pa.Table.from_pandas(data, preserve_index=False)


def pieces(data: pd.DataFrame) -> Iterator[pd.DataFrame]:
    yield from (data.iloc[place : place + 37] for place in range(0, len(data), 37))


def parquet(data: pd.DataFrame, folder: Path) -> Path:
    for place, piece in enumerate(pieces(data)):
        pq.write_table(arrow(piece), folder / f"part{place}.parquet", row_group_size=11)
    return folder


def sql(data: pd.DataFrame) -> Any:
    return duckdb.from_arrow(arrow(data))


SOURCES: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "parquet folder": parquet,
    "parquet glob": lambda data, folder: str(parquet(data, folder) / "*.parquet"),
    "arrow dataset": lambda data, folder: pads.dataset(parquet(data, folder)),
    "sql": lambda data, folder: f"select * from '{parquet(data, folder)}/*.parquet' order by z",
    "duckdb": lambda data, folder: sql(data),
    "lazy polars": lambda data, folder: pl.from_arrow(arrow(data)).lazy(),
    "scanned polars": lambda data, folder: pl.scan_parquet(parquet(data, folder) / "*.parquet"),
    "polars": lambda data, folder: pl.from_arrow(arrow(data)),
    "arrow table": lambda data, folder: arrow(data),
    "dask": lambda data, folder: dd.from_pandas(data, npartitions=7),
    "frames": lambda data, folder: list(pieces(data)),
    "frames backwards": lambda data, folder: list(pieces(data))[::-1],
    "iterators": lambda data, folder: lambda: pieces(data),
    "iterators of few rows": lambda data, folder: (
        lambda: (data.iloc[place : place + 7] for place in range(0, len(data), 7))
    ),
    "iterators of polars": lambda data, folder: lambda: map(pl.from_pandas, pieces(data)),
    "arrow dtypes": lambda data, folder: data.convert_dtypes(dtype_backend="pyarrow"),
}
ONCE: dict[str, Callable[[pd.DataFrame], Any]] = {
    "iterator": pieces,
    "arrow reader": lambda data: arrow(data).to_reader(max_chunksize=40),
}
