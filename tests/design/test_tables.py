"""Columns of other libraries' frames, in pandas' storage and with every digit."""

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hiermix.design.tables import Table

nw = pytest.importorskip("narwhals")
pl = pytest.importorskip("polars")

DAY = datetime.datetime(2024, 3, 31, 12, tzinfo=datetime.UTC)
COLUMNS: dict[str, tuple[Any, list[Any]]] = {
    "whole": (pl.Series([2**62 + 1, 3]), [2**62 + 1, 3]),
    "gaps": (pl.Series([2**62 + 1, None]), [2**62 + 1, pd.NA]),
    "real": (pl.Series([0.1, None]), [0.1, np.nan]),
    "decimal": (pl.Series([Decimal("1.25"), Decimal("-3.5")]), [1.25, -3.5]),
    "zoned": (
        pl.Series([DAY]).dt.convert_time_zone("Europe/Paris"),
        [pd.Timestamp(DAY).tz_convert("Europe/Paris")],
    ),
    "category": (pl.Series(["b", "a"], dtype=pl.Categorical), ["b", "a"]),
    "enum": (pl.Series(["b", "a"], dtype=pl.Enum(["b", "a"])), ["b", "a"]),
    "text": (pl.Series(["ü", None]), ["ü", None]),
}


def polars(**columns: Any) -> Any:
    """Return a frame as doors hand it on."""
    return nw.from_native(pl.DataFrame(columns))


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_polars_keeps_its_values(name: str) -> None:
    given, expected = COLUMNS[name]
    found = Table.of(polars(x=given))["x"]
    for mine, theirs in zip(found.tolist(), expected, strict=True):
        assert (pd.isna(mine) and pd.isna(theirs)) or mine == theirs


def test_an_enum_keeps_its_order_and_a_category_has_none() -> None:
    table = Table.of(polars(e=COLUMNS["enum"][0], c=COLUMNS["category"][0]))
    assert table["e"].cat.ordered
    assert table["e"].cat.categories.tolist() == ["b", "a"]
    assert not isinstance(table["c"].dtype, pd.CategoricalDtype)


@pytest.mark.parametrize("make", [lambda **columns: pd.DataFrame(columns), polars])
def test_tables_are_cut_and_widened_without_changing_what_was_given(make: Any) -> None:
    given = make(a=[1, 2, 3], b=["x", "y", "z"])
    table = Table.of(given)
    wider = table.with_column("c", np.array([7, 8, 9])).with_column("a", np.array([4, 5, 6]))
    some = wider.take(np.array([2, 0])).without(["b"])
    found = some.to_pandas()
    assert list(found) == ["a", "c"]
    assert found["a"].tolist() == [6, 4]
    assert found["c"].tolist() == [9, 7]
    assert (len(table), table["a"].tolist(), "c" in table) == (3, [1, 2, 3], False)
