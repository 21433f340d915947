"""Files that are whole or not there: written under another name first, then renamed."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hiermix import options
from hiermix.errors import ArgumentError, DataError

if TYPE_CHECKING:
    import xarray as xr

SUFFIXES = (".nc", ".nc4", ".netcdf", "")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name in the same folder; rename it on success, remove it on failure."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise DataError(f"can't write {path}: {error.strerror or error}") from error
    os.close(handle)
    try:
        yield Path(name)
        os.replace(name, path)
    except OSError as error:
        raise DataError(f"can't write {path}: {error.strerror or error}") from error
    finally:
        Path(name).unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; move it into place on success."""
    try:
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    except OSError as error:
        raise DataError(f"can't write {path}: {error.strerror or error}") from error
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(f"can't write {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def netcdf(path: str | Path, what: str) -> Path:
    """Return a path that says netCDF, or nothing, of what is written there."""
    path = options.path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ArgumentError(
            f"{what} is saved as netCDF, not as {path.suffix[1:]!r}: write "
            f"{str(path.with_suffix('.nc'))!r}"
        )
    return path


def write_tree(tree: "xr.DataTree", path: Path) -> None:
    """Write a tree as netCDF, whole or not at all."""
    with replacing(path) as temporary:
        tree.to_netcdf(temporary, engine="h5netcdf")


def read_tree(path: str | Path, what: str, mark: str, newest: int) -> "xr.DataTree":
    """Read a tree whose attribute `mark` is the version of its format.

    Raises
    ------
    DataError
        The file is missing, truncated, of something else, or of a version above the `newest`.
    """
    import xarray as xr

    path = options.path(path)
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise DataError(
            f"{path} can't be read as netCDF: it is truncated, or no file of {what}"
        ) from error
    version = tree.attrs.get(mark)
    if version is None:
        raise DataError(f"{path} is no {what.removeprefix('a ')} saved by hiermix")
    if int(version) > newest:
        raise DataError(
            f"{path} was written by a newer hiermix (format {version}; this one reads up to "
            f"{newest}): upgrade hiermix"
        )
    return tree
