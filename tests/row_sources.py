"""A frame as every kind of source that rows are read from."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pads = pytest.importorskip("pyarrow.dataset")
duckdb = pytest.importorskip("duckdb")
dd = pytest.importorskip("dask.dataframe")


GAPS: dict[str, Any] = {"weights": "w", "missing": "drop"}
"""How statistics of rows `with_gaps` are asked for."""


def with_gaps(data: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with some that lack x."""
    return data.assign(x=data["x"].mask(data.index % 50 == 7, np.nan))


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


class FakeSpark:
    """What hiermix asks of a Spark frame, with the batches of a partition as Spark gives them."""

    __module__ = "pyspark.sql"

    def __init__(self, data: pd.DataFrame) -> None:
        self.data, self.columns = data, list(data)

    def select(self, *columns: str) -> "FakeSpark":
        return FakeSpark(self.data[list(columns)])

    def limit(self, n: int) -> "FakeSpark":
        return FakeSpark(self.data.iloc[:n])

    def toPandas(self) -> pd.DataFrame:  # noqa: N802
        return self.data

    def mapInArrow(self, function: Any, schema: Any) -> "FakeSpark":  # noqa: N802
        assert schema == "part binary" or list(schema.added) == ["mean", "sd", "q50"]
        function = pickle.loads(pickle.dumps(function))
        found = [
            batch
            for piece in pieces(self.data)
            for batch in function(iter(arrow(piece).to_batches(max_chunksize=10)))
        ]
        return FakeSpark(pa.Table.from_batches(found).to_pandas())

    @property
    def schema(self) -> "FakeSchema":
        return FakeSchema()

    @property
    def write(self) -> "FakeSpark":
        return self

    def mode(self, name: str) -> "FakeSpark":
        assert name == "overwrite"
        return self

    def parquet(self, path: str) -> None:
        Path(path).mkdir()
        self.data.to_parquet(Path(path, "part0.parquet"))

    def collect(self) -> list[tuple[Any, ...]]:
        return list(self.data.itertuples(index=False, name=None))


class FakeSchema:
    """Columns that were added to those of a Spark frame."""

    def __init__(self, *added: str) -> None:
        self.added = added

    def add(self, name: str, kind: str) -> "FakeSchema":
        assert kind == "double"
        return FakeSchema(*self.added, name)
