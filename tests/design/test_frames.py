"""One table of rows in the frames of every library: the same Stan data, the same answers."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix import optional
from hiermix.design import tables
from hiermix.typing import StanData

pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")
duckdb = pytest.importorskip("duckdb")
dd = pytest.importorskip("dask.dataframe")
nw = pytest.importorskip("narwhals")

N = 60
FAST: dict[str, Any] = {"seed": 1, "chains": 2, "warmup": 60, "draws": 50, "progress": False}
GAUSSIAN = "y ~ x + word + trend(day) + offset(z) + (1 + x | g)"


def rows() -> pd.DataFrame:
    place = np.arange(N)
    return pd.DataFrame(
        {
            "y": np.sin(place**2.0),
            "x": np.cos(place),
            "z": place % 3,
            "k": place % 5,
            "w": 1.0 + place % 2,
            "flag": place % 2 == 0,
            "word": np.array(["no", "yes", "perhaps"])[place % 3],
            "g": [f"g{each % 6}" for each in place],
            "day": pd.date_range("2024-03-28", periods=N),
            "unused": [f"note {each}" for each in place],
        }
    )


def through_arrow(data: pd.DataFrame) -> Any:
    return pa.Table.from_pandas(data, preserve_index=False)


class Stream:
    """What says nothing of itself but how to read it as Arrow."""

    def __init__(self, data: pd.DataFrame) -> None:
        self.table = through_arrow(data)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


FRAMES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "nullable": lambda data: data.convert_dtypes(),
    "arrow dtypes": lambda data: data.convert_dtypes(dtype_backend="pyarrow"),
    "polars": lambda data: pl.from_arrow(through_arrow(data)),
    "lazy polars": lambda data: pl.from_arrow(through_arrow(data)).lazy(),
    "arrow table": through_arrow,
    "arrow batches": lambda data: pa.Table.from_batches(through_arrow(data).to_batches(7)),
    "arrow reader": lambda data: through_arrow(data).to_reader(),
    "arrow dictionary": lambda data: through_arrow(data).set_column(
        6, "word", pa.array(pd.Categorical(data["word"]))
    ),
    "arrow stream": Stream,
    "narwhals": lambda data: nw.from_native(through_arrow(data)),
    "duckdb": lambda data: duckdb.from_arrow(through_arrow(data)),
    "dask": lambda data: dd.from_pandas(data, npartitions=3),
}
MODELS: dict[str, dict[str, Any]] = {
    "gaussian": {"formula": GAUSSIAN, "weights": "w"},
    "poisson": {"formula": "k ~ x + flag + (1 | g)", "family": "poisson"},
    "bernoulli": {"formula": "flag ~ C(z) + (1 | g)", "family": "bernoulli"},
    "ordinal": {"formula": "k ~ x + (1 | g)", "family": "ordinal"},
}


@cache
def of_pandas(kind: str) -> StanData:
    return hm.Model(data=rows(), **MODELS[kind]).stan_data()


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("library", FRAMES)
def test_frames_of_every_library_are_the_same_stan_data(library: str, kind: str) -> None:
    expected = of_pandas(kind)
    found = hm.Model(data=FRAMES[library](rows()), **MODELS[kind]).stan_data()
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model(GAUSSIAN, rows(), weights="w").fit(**FAST)


@pytest.mark.parametrize("library", FRAMES)
def test_new_rows_of_every_library_are_predicted_alike(fit: hm.Fit, library: str) -> None:
    make = FRAMES[library]
    new = rows().iloc[:9].assign(g="new", y=rows()["y"] + 1)
    doors: dict[str, Callable[[Any], Any]] = {
        "predict": lambda data: fit.predict(data, new_groups="sample", quantiles=[0.1, 0.9]),
        "update": lambda data: fit.predict(data, new_groups="update", kind="mean").to_numpy(),
    }
    for name, door in doors.items():
        np.testing.assert_array_equal(door(make(new)), door(new), err_msg=name)
    later = rows().assign(day=rows()["day"] + pd.Timedelta(days=N))
    found, expected = (
        fit.forecast(data, time="day", by="g", new_groups="sample") for data in (make(later), later)
    )
    np.testing.assert_array_equal(found.table()["mean"], expected.table()["mean"])
    np.testing.assert_array_equal(found.score(make(later)), expected.score(later))


def studies(data: Any) -> list[pd.DataFrame]:
    text = "y ~ x + (1 | g)"
    back = hm.backtest(text, data, time="day", by="z", horizon=5, origins=1, **FAST)
    return [back.table(), hm.pooling(text, data, **FAST).groups()]


@pytest.fixture(scope="module")
def studies_of_pandas() -> list[pd.DataFrame]:
    return studies(rows())


@pytest.mark.parametrize("library", ["arrow dtypes", "lazy polars", "duckdb"])
def test_studies_take_every_frame(library: str, studies_of_pandas: list[pd.DataFrame]) -> None:
    given = studies(FRAMES[library](rows()))
    for found, expected in zip(given, studies_of_pandas, strict=True):
        pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("library", ["polars", "arrow table", "narwhals"])
def test_columns_that_nobody_uses_are_not_converted(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted = []
    true = tables._column

    def noted(given: Any, name: str) -> Any:
        converted.append(name)
        return true(given, name)

    monkeypatch.setattr(tables, "_column", noted)
    model = hm.Model("y ~ x + (1 | g)", FRAMES[library](rows()))
    assert sorted(converted) == ["g", "x", "y"]
    assert model.design.column("unused").tolist() == rows()["unused"].tolist()
    some = rows().index % 5 > 0
    dropped = FRAMES[library](rows().assign(x=rows()["x"].where(some)))
    model = hm.Model("y ~ x + (1 | g)", dropped, missing="drop")
    kept = rows()[some]
    assert model.design.column("unused").tolist() == kept["unused"].tolist()


def test_a_library_that_is_missing_is_named_with_its_install_line() -> None:
    with pytest.raises(hm.DataError, match=r"needs duckdb.*pip install 'hiermix\[duckdb\]'"):
        optional.module("duckdb.there_is_no_such_module")
