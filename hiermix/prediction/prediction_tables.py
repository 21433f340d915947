"""Predictions of rows from any source into a table of a file: batches in, batches out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from hiermix import table_files
from hiermix.design import frames, sources
from hiermix.design.frames import NewRows
from hiermix.design.sources import Dask, Spark
from hiermix.design.tables import Table
from hiermix.errors import ArgumentError, first_three
from hiermix.files import replacing_folder
from hiermix.posterior.intervals import levels, quantile_name, sorted_quantiles
from hiermix.prediction import pieces
from hiermix.prediction.joint_predictions import extra_dims
from hiermix.prediction.predictor import Pieces
from hiermix.typing import FloatArray

type Make = Callable[[NewRows | None], Pieces]
"""Returns what predicts new rows, or the fitted ones for None."""


@dataclass(frozen=True)
class PredictionTables:
    """Rows as they are given, with what is predicted for them beside."""

    make: Make
    kind: str
    quantiles: Sequence[float]

    def write(self, rows: NewRows | None, path: Path) -> Path:
        """Write the table of rows that stand in memory, or come from a source."""
        if not sources.streams(rows):
            return table_files.write(self._of_memory(rows), path)
        source = sources.source(rows, None)
        if isinstance(source, Dask):
            return self._of_partitions(source, path)
        if isinstance(source, Spark):
            source.write(self._beside, path)
            return path
        return source.fold(partial(self._of_batches, path), _never)

    def _of_memory(self, rows: NewRows | None) -> Iterator[pd.DataFrame]:
        source = self.make(rows)
        given = source.design.frame if rows is None else frames.rows(rows)
        yield self._table(given, source)

    def _of_batches(self, path: Path, batches: Iterable[Table]) -> Path:
        return table_files.write(map(self._of_batch, batches), path)

    def _of_batch(self, batch: Table) -> pd.DataFrame:
        frame = batch.to_pandas()
        return self._table(frame, self.make(frame))

    def _of_partitions(self, source: Dask, path: Path) -> Path:
        """Have Dask's workers write a folder of files, one a partition."""
        with replacing_folder(path) as folder:
            source.each(partial(self._of_partition, folder))
        return path

    def _of_partition(self, folder: Path, place: int, rows: Table) -> None:
        table_files.write([self._of_batch(rows)], folder / f"part{place:05}.parquet")

    def _beside(self, batch: Table) -> dict[str, FloatArray]:
        frame = batch.to_pandas()
        return self._new_columns(frame, self.make(frame))

    def _table(self, rows: pd.DataFrame, source: Pieces) -> pd.DataFrame:
        found = self._new_columns(rows, source)
        plain = rows.reset_index(drop=True)
        return pd.concat([plain, pd.DataFrame(found)], axis="columns")

    def _new_columns(self, rows: pd.DataFrame, source: Pieces) -> dict[str, FloatArray]:
        found = self._columns(source)
        taken = [name for name in found if name in rows.columns]
        if taken:
            raise ArgumentError(
                f"the rows have a column {first_three(taken)}, as the table of predictions will: "
                "give it another name"
            )
        return found

    def _columns(self, source: Pieces) -> dict[str, FloatArray]:
        """Return mean, sd and quantiles (rows,), of each category or response if there are some."""
        probs = levels(self.quantiles) if len(self.quantiles) else np.empty(0)
        names = ["mean", "sd", *map(quantile_name, probs.tolist())]
        line = partial(pieces.on_a_line, source, self.kind)
        found = pieces.reduced(source, self.kind, partial(_figures, probs, line))
        several = extra_dims(source, self.kind)
        if not several:
            return dict(zip(names, found.T, strict=True))
        (labels,) = several.values()
        return {f"{name}[{label}]": found[:, c, k]
                for c, label in enumerate(labels) for k, name in enumerate(names)}  # fmt: skip


def _figures(
    probs: FloatArray, line: Callable[[FloatArray], FloatArray], _: slice, part: FloatArray
) -> FloatArray:
    """Return mean, sd and quantiles (n, ..., k) of draws (n, S, ...)."""
    last = np.ascontiguousarray(np.moveaxis(line(part), 1, -1))
    mean, sd = last.mean(axis=-1), last.std(axis=-1, ddof=1)
    ends = sorted_quantiles(last.reshape(-1, last.shape[-1]), probs)
    return np.stack([mean, sd, *(each.reshape(mean.shape) for each in ends)], axis=-1)


def _never(one: Path, other: Path) -> Path:
    raise AssertionError("a stream gives all its batches to one call")
