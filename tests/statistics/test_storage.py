"""However a column is stored, in whatever batches: the statistics of the pandas frame."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from tests.row_sources import arrow, dd, duckdb, pl, pq
from tests.same_sums import assert_same, assert_same_cells

N = 240
FORMULAS: dict[str, Any] = {
    "numbers": "y ~ x + i + (1 + i | g)",
    "truth": "y ~ flag * x + (1 | flag:k)",
    "text": "y ~ word + late + offset(i) + (1 | g)",
    "whole": "y ~ C(k) + poly(i, 2) + scale(x) + (1 | k)",
    "dates": "y ~ trend(day) + fourier(day, 'week') + (1 | day)",
    "functions": "y ~ np.log(x - 40) + np.sqrt(x - 43) + (1 + np.log(x - 40) | g)",
    "cells": "y ~ s(x, k=5) + word + (1 | g) + (1 | k)",
    "strata": ["y ~ bs(x, df=4) + (1 | g)", "sigma ~ word"],
}


def rows() -> pd.DataFrame:
    rng, place = np.random.default_rng(8), np.arange(N)
    data = pd.DataFrame(
        {
            "x": rng.normal(50, 2, N),
            "i": rng.integers(-3, 9, N),
            "k": rng.integers(1, 4, N),
            "g": rng.choice(["north", "south", "east"], N),
            "word": rng.choice(["no", "yes", "perhaps"], N),
            "late": np.where(place < N - 3, "early", "late"),
            "flag": rng.integers(0, 2, N).astype(bool),
            "day": pd.Timestamp("2024-03-28") + pd.to_timedelta(place % 90, unit="D"),
            "w": np.where(place % 7 < 3, 0.0, 1.5),
        }
    )
    data["y"] = 1e3 + data["x"] + data["g"].map(len) + 0.3 * data["i"] + rng.normal(size=N)
    return data


def plain(data: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    return data, {}


def weightless(data: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A level has no weight, and neither has the first batch."""
    none = (data["g"] == "east") | (data.index < 60)
    return data.assign(w=data["w"].mask(none, 0.0)), {"weights": "w"}


def missing(data: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Some values of each column are missing, and in the first batches all of some."""
    place = data.index
    gaps = {
        "x": data["x"].mask((place % 17 == 3) | (place < 40)),
        "word": data["word"].where((place % 19 != 4) & (place > 60), None),
        "g": data["g"].where(place % 23 != 4, None),
        "i": data["i"].astype("Int64").mask(place % 29 == 4),
        "k": data["k"].astype("Int64").mask((place % 31 == 4) | (place < 20)),
        "flag": data["flag"].astype("boolean").mask(place % 37 == 4),
        "day": data["day"].mask(place % 41 == 4),
    }
    return data.assign(**gaps), {"missing": "drop"}


FRAMES: dict[str, Callable[[pd.DataFrame], tuple[pd.DataFrame, dict[str, Any]]]] = {
    "plain": plain,
    "weightless": weightless,
    "missing": missing,
}


def pieces(data: pd.DataFrame) -> list[pd.DataFrame]:
    """Return batches of all sizes: empty ones, of one row, and long ones."""
    ends = [0, 1, 1, 30, 61, 62, 130, 131, 131, 200, N]
    return [data.iloc[low:high] for low, high in pairwise(ends)]


def whole_to_float(piece: pd.DataFrame) -> pd.DataFrame:
    return piece.astype({"i": float, "k": float})


def text_to_categories(piece: pd.DataFrame) -> pd.DataFrame:
    g = pd.Categorical(piece["g"], categories=["none", "south", "east", "north"])
    return piece.astype({"word": "category", "late": "category"}).assign(g=g)


def to_objects(piece: pd.DataFrame) -> pd.DataFrame:
    small = {"i": "Int8", "k": "UInt8"} if piece["k"].hasnans or piece["i"].hasnans else {
        "i": "int8", "k": "uint8"}  # fmt: skip
    return piece.astype({"flag": object, "g": object, "word": object, **small})


def dictionaries(piece: pd.DataFrame) -> Any:
    table = arrow(piece)
    for name in ("g", "word", "late"):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, table[name].dictionary_encode())
    return table


STORED: list[Callable[[pd.DataFrame], Any]] = [
    lambda piece: piece,
    whole_to_float,
    text_to_categories,
    lambda piece: piece.convert_dtypes(),
    lambda piece: piece.convert_dtypes(dtype_backend="pyarrow"),
    to_objects,
    dictionaries,
    arrow,
    pl.from_pandas,
]


def in_turn(data: pd.DataFrame, shift: int) -> Iterator[Any]:
    """Yield batches, each stored in another way than the one before it."""
    for place, piece in enumerate(pieces(data)):
        yield STORED[(place + shift) % len(STORED)](piece)


def files(data: pd.DataFrame, folder: Path) -> Path:
    """Write files that store columns in other ways: Arrow brings them to those of the first."""
    for place, piece in enumerate(pieces(data)):
        table = (arrow, dictionaries, lambda each: arrow(whole_to_float(each)))[place % 3](piece)
        pq.write_table(table, folder / f"part{place:02}.parquet", row_group_size=13)
    return folder


SOURCES: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "batches": lambda data, folder: pieces(data),
    "batches backwards": lambda data, folder: pieces(data)[::-1],
    "stored in turn": lambda data, folder: lambda: in_turn(data, 0),
    "stored in other turns": lambda data, folder: lambda: in_turn(data, 4),
    "single rows": lambda data, folder: lambda: (data.iloc[k : k + 1] for k in range(N)),
    "shuffled": lambda data, folder: data.sample(frac=1, random_state=2),
    "dictionaries": lambda data, folder: dictionaries(data),
    "files": files,
    "lazy categories": lambda data, folder: (
        pl.from_pandas(data).with_columns(pl.col("g").cast(pl.Categorical)).lazy()
    ),
    "duckdb": lambda data, folder: duckdb.from_arrow(arrow(data)),
    "dask": lambda data, folder: dd.from_pandas(data.astype({"g": "category"}), npartitions=5),
    "dask with empty partitions": lambda data, folder: dd.from_pandas(
        data, npartitions=5
    ).map_partitions(lambda part: part[part["x"] > 0]),
}


def check(formula: str, how: str, source: str, folder: Path) -> None:
    data, options = FRAMES[how](rows())
    if source == "dask with empty partitions" and how == "missing":
        return
    expected = hm.statistics(FORMULAS[formula], data, **options)
    found = hm.statistics(FORMULAS[formula], SOURCES[source](data, folder), **options)
    if isinstance(expected, hm.Statistics):
        assert isinstance(found, hm.Statistics)
        assert_same(found, expected)
    else:
        assert isinstance(expected, hm.CellSums)
        assert isinstance(found, hm.CellSums)
        assert_same_cells(found, expected)


@pytest.mark.parametrize(
    ("formula", "how", "source"),
    [(f, h, s) for k, (f, h) in enumerate((f, h) for f in FORMULAS for h in FRAMES)
     for s in list(SOURCES)[k % 6 :: 6]],
)  # fmt: skip
def test_storage_and_batches_change_nothing(
    formula: str, how: str, source: str, tmp_path: Path
) -> None:
    check(formula, how, source, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("how", FRAMES)
def test_no_storage_and_no_batches_change_anything(formula: str, how: str, tmp_path: Path) -> None:
    for source in SOURCES:
        folder = tmp_path / source.replace(" ", "_")
        folder.mkdir()
        check(formula, how, source, folder)
