"""Tables of predictions: from and to files, in batches, the numbers of a prediction in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix import table_files
from hiermix.design import sources

pytestmark = pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")  # few draws

FIT = {"seed": 1, "chains": 2, "warmup": 150, "draws": 60, "progress": False}
PROBS = [0.1, 0.5]


def frame(rows: int = 200, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    shop = rng.integers(0, 6, rows)
    x = rng.normal(size=rows)
    y = x + 0.5 * shop + rng.normal(size=rows)
    word = np.array(["low", "mid", "high"])[np.digitize(y, [0, 1.5])]
    return pd.DataFrame({"id": np.arange(rows), "y": y, "x": x, "shop": shop, "word": word})


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model("y ~ x + (1 + x | shop)", frame()).fit(**FIT)


@pytest.fixture(scope="module")
def later() -> pd.DataFrame:
    return frame(90, 4).drop(columns="y")


def expected(fit: hm.Fit, rows: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """The table, from the draws themselves."""
    draws = fit.predict(rows, **options).to_numpy().reshape(120, -1)
    return rows.assign(
        mean=draws.mean(axis=0), sd=draws.std(axis=0, ddof=1),
        **{f"q{100 * p:g}": np.quantile(draws, p, axis=0) for p in PROBS},
    )  # fmt: skip


def assert_table(path: Path, table: pd.DataFrame) -> None:
    found = pd.read_parquet(path)
    assert list(found) == list(table)
    pd.testing.assert_frame_equal(
        found.sort_values("id", ignore_index=True), table, check_dtype=False, rtol=1e-10
    )


def opened(kind: str, rows: pd.DataFrame, folder: Path) -> Any:
    """The rows as a source of some kind, in batches of 40 rows."""
    parts = [rows.iloc[start : start + 40] for start in range(0, len(rows), 40)]
    (folder / "rows").mkdir()
    for place, part in enumerate(parts):
        part.to_parquet(folder / "rows" / f"{place}.parquet")
    files = str(folder / "rows" / "*.parquet")
    if kind == "polars":
        return pytest.importorskip("polars").scan_parquet(files)
    if kind == "arrow":
        return pytest.importorskip("pyarrow").Table.from_pandas(rows).to_reader(max_chunksize=40)
    if kind == "dask":
        return pytest.importorskip("dask.dataframe").read_parquet(str(folder / "rows"))
    if kind == "duckdb":
        pytest.importorskip("duckdb")
    each: dict[str, Any] = {
        "frame": rows, "files": files, "folder": folder / "rows", "frames": parts,
        "function": lambda: iter(parts), "iterator": iter(parts),
        "duckdb": f"select * from '{files}'",
    }  # fmt: skip
    return each[kind]


KINDS = ("frame", "files", "folder", "frames", "function", "iterator", "arrow", "polars", "duckdb",
         "dask")  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_source_is_predicted_into_a_file(
    fit: hm.Fit, later: pd.DataFrame, tmp_path: Path, kind: str
) -> None:
    source = opened(kind, later, tmp_path)
    path = fit.predict(source, quantiles=PROBS, kind="response", into=tmp_path / "out.parquet")
    assert path == tmp_path / "out.parquet"
    assert path.is_dir() == (kind == "dask")
    assert_table(path, expected(fit, later, kind="response"))
    assert {each.name for each in tmp_path.iterdir()} == {"rows", "out.parquet"}


def test_spark_writes_what_its_executors_predict(
    fit: hm.Fit, later: pd.DataFrame, tmp_path: Path
) -> None:
    """The function is called on Arrow batches, pickled, as executors do."""
    from tests.row_sources import FakeSpark  # which asks for all libraries of sources

    source, path = FakeSpark(later), tmp_path / "out.parquet"
    assert fit.predict(source, quantiles=[0.5], kind="response", into=path) == path
    whole = fit.predict([later], quantiles=[0.5], kind="response", into=tmp_path / "one.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(path), pd.read_parquet(whole), rtol=1e-12)


def test_the_fitted_rows_are_a_table_too(fit: hm.Fit, tmp_path: Path) -> None:
    path = fit.predict(quantiles=PROBS, into=tmp_path / "out.parquet")
    table = expected(fit, frame()).drop(columns=["id", "word"]).reset_index(names="id")
    pd.testing.assert_frame_equal(pd.read_parquet(path), table.drop(columns="id"), rtol=1e-10)


def test_without_quantiles_there_are_mean_and_sd(
    fit: hm.Fit, later: pd.DataFrame, tmp_path: Path
) -> None:
    found = pd.read_parquet(fit.predict(later, into=str(tmp_path / "out.parquet")))
    assert list(found) == [*later, "mean", "sd"]


def test_new_groups_are_the_same_in_every_batch(
    fit: hm.Fit, later: pd.DataFrame, tmp_path: Path
) -> None:
    rows = later.assign(shop=later["shop"] % 3 * 50)
    parts = [rows.iloc[:40], rows.iloc[40:]]
    path = fit.predict(parts, new_groups="sample", quantiles=PROBS, into=tmp_path / "o.parquet")
    assert_table(path, expected(fit, rows, new_groups="sample"))
    one = fit.predict(rows.assign(y=0.0), new_groups="update", into=tmp_path / "u.parquet")
    assert len(pd.read_parquet(one)) == 90
    with pytest.raises(hm.ArgumentError, match="learns from all rows of a group at once"):
        fit.predict(parts, new_groups="update", into=tmp_path / "x.parquet")


def test_categories_have_columns_of_their_own(later: pd.DataFrame, tmp_path: Path) -> None:
    fit = hm.Model("word ~ x + (1 | shop)", frame(), family="categorical").fit(**FIT)
    path = fit.predict([later], kind="probability", quantiles=[0.5], into=tmp_path / "o.parquet")
    found, draws = pd.read_parquet(path), fit.predict(later, kind="probability")
    np.testing.assert_allclose(
        found["mean[low]"], draws.sel(category="low").mean(("chain", "draw")), rtol=1e-10
    )
    assert list(found)[-9:-6] == ["mean[high]", "sd[high]", "q50[high]"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"new_data": lambda rows: [rows.assign(mean=1.0)]}, "have a column 'mean', as the table"),
        ({"new_data": lambda rows: [rows.drop(columns="x")]}, "formula names 'x', not a column"),
        ({"new_data": lambda rows: [rows.assign(shop=77)]}, "label of 'shop' was not in the fit"),
        ({"new_data": lambda rows: [rows.iloc[:0]]}, "there are no rows to write"),
        ({"new_data": lambda rows: "nowhere/*.parquet"}, "there is no file nowhere"),
        ({"into": None}, r"rows of a source \(list\) are predicted in batches, into a table"),
        (
            {"into": "out.txt", "new_data": lambda rows: rows},
            r"must end in \.nc or \.zarr.* or \.parquet for a table",
        ),
        ({"offset": np.zeros(90)}, "take no offset as an array"),
        ({"quantiles": [2]}, "quantiles must be between 0 and 1"),
    ],
)
def test_what_is_wrong_is_said_and_leaves_no_file(
    fit: hm.Fit, later: pd.DataFrame, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    options = {"new_data": lambda rows: [rows], "into": "out.parquet", **change}
    make, name = options.pop("new_data"), options.pop("into")
    into = tmp_path / name if name else None
    with pytest.raises((hm.DataError, hm.ArgumentError), match=message):
        fit.predict(make(later), into=into, **options)
    assert not list(tmp_path.iterdir())


def test_ctrl_c_leaves_no_file(fit: hm.Fit, later: pd.DataFrame, tmp_path: Path) -> None:
    def parts() -> Iterator[pd.DataFrame]:
        yield later
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit.predict(parts, into=tmp_path / "out.parquet")
    assert not list(tmp_path.iterdir())


def test_rows_are_read_in_batches(
    fit: hm.Fit, later: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "BATCH", 16)
    later.to_parquet(tmp_path / "rows.parquet")
    path = fit.predict(tmp_path / "rows.parquet", quantiles=PROBS, into=tmp_path / "out.parquet")
    assert_table(path, expected(fit, later))


# Columns that batches store otherwise ------------------------------------------------------------

STORED: dict[str, tuple[list[Any], list[Any]]] = {
    "whole, then not": ([[1, 2], [1.5], [3]], [1.0, 2.0, 1.5, 3.0]),
    "small, then large": ([np.array([1], np.int8), [300]], [1, 300]),
    "short digits, then long": ([np.array([0.5], np.float32), [0.1]], [0.5, 0.1]),
    "none, then text": ([[None, None], ["a"]], [None, None, "a"]),
    "text, then none": ([["a"], [None]], ["a", None]),
    "categories, then text": ([pd.Categorical(["a"]), ["b"]], ["a", "b"]),
    "text, then categories": ([["a"], pd.Categorical(["b"])], ["a", "b"]),
    "more categories than were": (
        [pd.Categorical(["c7"]), pd.Categorical([f"c{k}" for k in range(300)])],
        ["c7", *(f"c{k}" for k in range(300))],
    ),
    "days, then moments": (
        [pd.to_datetime(["2024-01-01"]).as_unit("s"), pd.to_datetime(["2024-01-02 03:04:05.6"])],
        [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02 03:04:05.6")],
    ),
}


@pytest.mark.parametrize("how", STORED)
def test_a_column_holds_the_values_of_all_batches(how: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pieces, values = STORED[how]
    tables = (pd.DataFrame({"z": each}) for each in pieces)
    found = pd.read_parquet(table_files.write(tables, tmp_path / "out.parquet"))["z"]
    assert [None if pd.isna(each) else each for each in found] == values
    assert [each.name for each in tmp_path.iterdir()] == ["out.parquet"]


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ([{"z": [2]}, {"z": ["a"]}], r"column 'z' is stored as int64 in some .* as .*string in"),
        ([{"z": [True]}, {"z": [2]}], r"column 'z' is stored as bool in some .* as int64 in"),
        ([{"z": [2]}, {"v": [2]}], "batches of the rows have other columns: 'z' in the first one"),
    ],
    ids=["text", "truth", "columns"],
)
def test_batches_that_have_no_table_leave_no_file(
    pieces: list[dict[str, Any]], message: str, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(hm.DataError, match=message):
        table_files.write(map(pd.DataFrame, pieces), tmp_path / "out.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_writing_that_is_interrupted_leaves_no_file(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")

    def pieces() -> Iterator[pd.DataFrame]:
        yield pd.DataFrame({"z": [1]})
        yield pd.DataFrame({"z": [0.5]})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        table_files.write(pieces(), tmp_path / "out.parquet")
    assert list(tmp_path.iterdir()) == []
