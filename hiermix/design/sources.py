"""Sources of rows that don't stand in memory, each read by the library that it belongs to.

A pass over a source is a fold: a function that makes one thing of some batches, and an addition of
two such things. Files, queries and iterators give all their batches to one call of the function;
Dask and Spark call it where the rows are, and add up what it made.
"""

from __future__ import annotations

import copy
import glob
import pickle
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import pandas as pd

from hiermix import optional
from hiermix.design import checks, frames
from hiermix.design.batches import BATCH, slices
from hiermix.design.tables import Table
from hiermix.errors import DataError, first_three
from hiermix.typing import FloatArray

type Batches = Iterator[Table]

_TREE = 8
"""Results that Dask adds up at a time."""


class Source(Protocol):
    """Rows that can be passed over."""

    once: bool
    """Whether there is one pass and no second."""

    def first(self) -> Batches:
        """Yield some batches, from the first on; looking at them takes nothing off a pass."""
        ...

    def fold[T](self, part: Callable[[Batches], T], add: Callable[[T, T], T]) -> T:
        """Pass over all rows."""
        ...


@dataclass(eq=False)
class Stream:
    """Batches that come one after the other."""

    again: Callable[[], Batches]
    once: bool = False
    _opened: Batches | None = field(default=None, repr=False)

    def first(self) -> Batches:
        """Yield batches; of a stream that can't be opened again, to be given once more."""
        if not self.once:
            yield from self.again()
            return
        seen = []
        if self._opened is None:
            self._opened = self.again()
        for batch in self._opened:
            seen.append(batch)
            self._opened = chain(seen, self._opened)
            yield batch
            seen = seen[:0]

    def fold[T](self, part: Callable[[Batches], T], add: Callable[[T, T], T]) -> T:
        """Give all batches to one call."""
        opened, self._opened = self._opened, None
        return part(opened if opened is not None else self.again())


@dataclass(eq=False)
class Dask:
    """Partitions of a Dask frame: its scheduler works on each, and adds the results in a tree."""

    frame: Any
    once: bool = False

    def first(self) -> Batches:
        """Yield partitions."""
        for place in range(self.frame.npartitions):
            yield Table.of(self.frame.partitions[place].compute())

    def fold[T](self, part: Callable[[Batches], T], add: Callable[[T, T], T]) -> T:
        """Have Dask call the function for each partition."""
        delayed: Any = optional.module("dask").delayed
        work, together = delayed(partial(_of_frame, part)), delayed(partial(_sum, add))
        results = [work(each) for each in self.frame.to_delayed()]
        while len(results) > 1:
            places = range(0, len(results), _TREE)
            results = [together(results[place : place + _TREE]) for place in places]
        return cast(T, results[0].compute())

    def each(self, do: Callable[[int, Table], None]) -> None:
        """Have Dask call a function with the place of each partition and its rows."""
        dask: Any = optional.module("dask")
        work = dask.delayed(_do_with)
        parts = enumerate(self.frame.to_delayed())
        dask.compute(*(work(do, place, each) for place, each in parts))


def _do_with(do: Callable[[int, Table], None], place: int, frame: pd.DataFrame) -> None:
    do(place, Table.of(frame))


def _of_frame[T](part: Callable[[Batches], T], frame: pd.DataFrame) -> T:
    return part(iter([Table.of(frame)]))


def _sum[T](add: Callable[[T, T], T], results: Sequence[T]) -> T:
    return reduce(add, results)


@dataclass(eq=False)
class Spark:
    """A Spark frame: its executors call the function on Arrow batches, by ``mapInArrow``."""

    frame: Any
    once: bool = False

    def first(self) -> Batches:
        """Yield the first rows."""
        yield Table.of(self.frame.limit(BATCH).toPandas())

    def fold[T](self, part: Callable[[Batches], T], add: Callable[[T, T], T]) -> T:
        """Have Spark call the function for each of its partitions."""
        results = self.frame.mapInArrow(partial(in_arrow, part), "part binary").collect()
        each: Iterator[T] = (pickle.loads(bytes(row[0])) for row in results)
        return reduce(add, each)

    def write(self, beside: Callable[[Table], Mapping[str, FloatArray]], path: Path) -> None:
        """Have Spark write its rows, with numbers beside them, to a folder of Parquet files."""
        schema = copy.deepcopy(self.frame.schema)
        for name in beside(Table.of(self.frame.limit(1).toPandas())):
            schema = schema.add(name, "double")
        with_numbers = self.frame.mapInArrow(partial(beside_in_arrow, beside), schema)
        with_numbers.write.mode("overwrite").parquet(str(path))


def beside_in_arrow(
    beside: Callable[[Table], Mapping[str, FloatArray]], batches: Iterator[Any]
) -> Iterator[Any]:
    """Yield, as Spark's ``mapInArrow`` wants it, batches with numbers beside their columns."""
    pa = optional.module("pyarrow")
    for batch in filter(len, batches):
        found = beside(of_arrow(batch))
        columns = [*batch.columns, *map(pa.array, found.values())]
        yield pa.RecordBatch.from_arrays(columns, names=[*batch.schema.names, *found])


def in_arrow(part: Callable[[Batches], Any], batches: Iterator[Any]) -> Iterator[Any]:
    """Yield, as Spark's ``mapInArrow`` wants it, one batch that holds what was made of many."""
    pa = optional.module("pyarrow")
    made = pickle.dumps(part(filter(len, map(of_arrow, batches))))
    yield pa.RecordBatch.from_pydict({"part": pa.array([made], pa.binary())})


# What is what ------------------------------------------------------------------------------------


type Columns = Sequence[str] | None
"""Names of columns; None for all."""


def streams(given: Any) -> bool:
    """Tell whether rows are to be read in batches, because they need not stand in memory."""
    return any(holds(given) for holds, _ in _KINDS)


def only_streams(given: Any) -> bool:
    """Tell whether rows are no frame that could be collected at once."""
    kinds = (_is_text, _is_dataset, _is_iterator, callable, _is_frames)
    return any(holds(given) for holds in kinds)


def source(given: Any, columns: Columns) -> Source:
    """Return what reads some columns, or all, of whatever holds rows.

    Raises
    ------
    DataError
        It holds none, or lacks one of the columns; or its library is missing.
    """
    for holds, opened in _KINDS:
        if holds(given):
            return opened(given, columns)
    return _in_memory(frames.table(given), columns)


def _made_by(library: str, method: str) -> Callable[[Any], bool]:
    """Return what tells objects of a library, which is not imported for it, with a method."""
    return lambda given: (
        type(given).__module__.partition(".")[0] == library and hasattr(given, method)
    )


def _is_text(given: Any) -> bool:
    return isinstance(given, str | Path)


def _is_dataset(given: Any) -> bool:
    return hasattr(given, "get_fragments")


def _is_iterator(given: Any) -> bool:
    return hasattr(given, "__next__") and not hasattr(given, "__arrow_c_stream__")


def _is_frames(given: Any) -> bool:
    return isinstance(given, list | tuple) and not any(
        isinstance(each, dict | pd.Series) for each in given
    )


def _named(text: str | Path, columns: Columns) -> Source:
    """Open what a text names: files, or the rows of a query."""
    if isinstance(text, str) and re.match(r"\s*(select|from|with)\s", text, re.IGNORECASE):
        return _query(optional.module("duckdb").sql(text), columns)
    return _dataset(_files(str(text)), columns)


def _dask(frame: Any, columns: Columns) -> Source:
    return Dask(frame[_known(columns, frame.columns)])


def _spark(frame: Any, columns: Columns) -> Source:
    return Spark(frame.select(*_known(columns, frame.columns)))


def _known(columns: Columns, there: Sequence[str]) -> list[str]:
    """Return the columns asked for, which are there."""
    if columns is None:
        return list(there)
    checks.known_columns(columns, Table.of(pd.DataFrame(columns=list(there))))
    return list(columns)


def _tables(given: Iterator[Any]) -> Batches:
    for each in given:
        found = frames.table(each)
        if len(found):
            yield found


def _in_memory(table: Table, columns: Columns) -> Source:
    columns = list(table) if columns is None else columns
    checks.unique_columns(table, columns)
    checks.known_columns(columns, table)
    some = pd.DataFrame({name: table[name].array for name in columns}, copy=False)
    return Stream(lambda: (Table.of(some.iloc[rows]) for rows in slices(len(some))))


# Arrow, Parquet, queries -------------------------------------------------------------------------


def of_arrow(batch: Any) -> Table:
    """Return a batch of Arrow as a table."""
    import narwhals as nw

    return Table.of(nw.from_native(optional.module("pyarrow").Table.from_batches([batch])))


def _files(text: str) -> Any:
    """Return the Parquet files that a path or a pattern names, as a dataset."""
    pads = optional.module("pyarrow.dataset")
    found: Any = sorted(glob.glob(text, recursive=True)) if glob.has_magic(text) else text
    if not found or (isinstance(found, str) and not Path(found).exists()):
        raise DataError(f"there is no file {text}")
    try:
        return pads.dataset(found, format="parquet", partitioning="hive")
    except (OSError, ValueError) as error:
        raise DataError(f"{text} can't be read as Parquet: {error}") from error


def _dataset(dataset: Any, columns: Columns) -> Source:
    names = _known(columns, dataset.schema.names)
    for fragment in dataset.get_fragments():
        _check_file(fragment, names)
    return Stream(partial(_read, dataset, names))


def _check_file(fragment: Any, columns: Sequence[str]) -> None:
    """Raise where a file lacks a column: Arrow would fill it with missing values."""
    try:
        there = fragment.physical_schema.names
    except (OSError, ValueError) as error:
        raise DataError(f"{fragment.path} can't be read as Parquet: {error}") from error
    in_path = optional.module("pyarrow.dataset").get_partition_keys(fragment.partition_expression)
    lacking = [name for name in columns if name not in there and name not in in_path]
    if lacking:
        raise DataError(f"{fragment.path} has no column {first_three(lacking)}")


def _read(dataset: Any, columns: list[str]) -> Batches:
    """Yield batches of a dataset, with little read ahead: memory stays that of few of them.

    File by file: a scanner of all holds more of them the more there are.
    """
    try:
        for fragment in dataset.get_fragments():
            some = {"columns": columns, "batch_size": BATCH, "batch_readahead": 2}
            for batch in fragment.to_batches(schema=dataset.schema, **some):
                if batch.num_rows:
                    yield of_arrow(batch)
    except OSError as error:
        raise DataError(f"a file of the data set can't be read: {error}") from error


def _query(relation: Any, columns: Columns) -> Source:
    wanted = _known(columns, relation.columns)
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in wanted)
    some = relation.project(names)
    read = some.to_arrow_reader if hasattr(some, "to_arrow_reader") else some.fetch_record_batch
    return Stream(lambda: map(of_arrow, read(BATCH)))


def _lazy(frame: Any, columns: Columns) -> Source:
    pl = optional.module("polars")
    optional.module("pyarrow")
    some = frame.select(_known(columns, frame.collect_schema().names()))
    some = some.with_columns(pl.selectors.categorical().cast(pl.String))

    def batches() -> Batches:
        if hasattr(some, "collect_batches"):
            each = some.collect_batches(
                chunk_size=BATCH, maintain_order=False, lazy=True, engine="streaming"
            )
        else:
            each = some.collect(engine="streaming").iter_slices(BATCH)
        return map(of_arrow, chain.from_iterable(part.to_arrow().to_batches() for part in each))

    return Stream(batches)


def sample(source: Source, rows: int = 20_000) -> Iterator[Table]:
    """Yield the first batches until they have so many rows."""
    seen = 0
    for batch in source.first():
        yield batch.take(np.arange(min(len(batch), rows - seen)))
        seen += len(batch)
        if seen >= rows:
            return


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any, Columns], Source]], ...] = (
    (_is_text, _named),
    (_is_dataset, _dataset),
    (_made_by("duckdb", "project"), _query),
    (_made_by("polars", "collect"), _lazy),
    (_made_by("dask", "npartitions"), _dask),
    (_made_by("pyspark", "mapInArrow"), _spark),
    (_is_iterator, lambda given, columns: Stream(lambda: _tables(given), once=True)),
    (callable, lambda given, columns: Stream(lambda: _tables(given()))),
    (_is_frames, lambda given, columns: Stream(lambda: _tables(iter(given)))),
    (
        lambda given: hasattr(given, "read_next_batch"),
        lambda given, columns: Stream(lambda: map(of_arrow, given), once=True),
    ),
)
"""How each kind of source is told and opened; what is none of them stands in memory."""
