"""Files that are whole or not there, whatever happens while they are written."""

from pathlib import Path

import pandas as pd
import pytest

import hiermix as hm
from hiermix import files, table_files

pq = pytest.importorskip("pyarrow.parquet")


def test_a_file_takes_the_place_of_another_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with files.replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == tmp_path
    assert path.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["kept.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_what_fails_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    path, folder = tmp_path / "kept.txt", tmp_path / "folder"
    path.write_text("old")
    folder.mkdir()
    (folder / "part").write_text("old")

    def half() -> None:
        with files.replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    def half_a_folder() -> None:
        with files.replacing_folder(folder) as temporary:
            (temporary / "part").write_text("half")
            raise error

    for writes in (half, half_a_folder):
        with pytest.raises(error):
            writes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "kept.txt"]
    assert path.read_text() == (folder / "part").read_text() == "old"


def test_a_folder_takes_the_place_of_a_folder_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    for made in (lambda: path.write_text("file"), lambda: None):
        made()
        with files.replacing_folder(path) as temporary:
            (temporary / "part").write_text("new")
        assert [each.name for each in path.iterdir()] == ["part"]
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_places_that_are_none_are_told(tmp_path: Path) -> None:
    for way in (files.replacing, files.replacing_folder):
        writing = way(tmp_path / "away" / "x")
        with pytest.raises(hm.DataError, match=r"can't write .*away/x.*No such file"):
            writing.__enter__()
    with pytest.raises(hm.DataError, match="there is no file"):
        files.read_tree(tmp_path / "none.nc", "a fit", "version", 1)
    broken = tmp_path / "broken.nc"
    broken.write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    with pytest.raises(hm.DataError, match="truncated, or no file of a fit"):
        files.read_tree(broken, "a fit", "version", 1)


def test_versions_and_other_trees_are_told(tmp_path: Path) -> None:
    import xarray as xr

    path = tmp_path / "tree.nc"
    files.write_tree(xr.DataTree(xr.Dataset(attrs={"version": 3})), path)
    assert files.read_tree(path, "a fit", "version", 3).attrs["version"] == 3
    with pytest.raises(hm.DataError, match=r"newer hiermix \(format 3; this one reads up to 2\)"):
        files.read_tree(path, "a fit", "version", 2)
    with pytest.raises(hm.DataError, match="is no fit saved by hiermix"):
        files.read_tree(path, "a fit", "mark", 3)


@pytest.mark.parametrize(
    ("name", "fits"),
    [("a.nc", True), ("a", True), ("a.NC4", True), ("a.netcdf", True), ("a.json", False)],
)
def test_names_say_netcdf_or_nothing(name: str, fits: bool) -> None:
    if fits:
        assert files.netcdf(name, "a fit") == Path(name)
    else:
        with pytest.raises(hm.ArgumentError, match=r"not as 'json': write 'a\.nc'"):
            files.netcdf(name, "a fit")


def test_tables_are_written_piece_by_piece(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pieces = (pd.DataFrame({"x": [k, k + 1], "g": [f"g{k}", "h"]}) for k in range(3))
    table_files.write(pieces, path)
    found = pd.read_parquet(path)
    assert found["x"].tolist() == [0, 1, 1, 2, 2, 3]
    assert pq.ParquetFile(path).num_row_groups == 3
    with pytest.raises(hm.DataError, match="there are no rows to write"):
        table_files.write(iter(()), path)
    pd.testing.assert_frame_equal(pd.read_parquet(path), found)
    with pytest.raises(hm.ArgumentError, match=r"into= must end in \.parquet, not 't\.csv'"):
        table_files.table_path("t.csv")
