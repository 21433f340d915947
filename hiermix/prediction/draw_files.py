"""Writes a prediction to a file piece by piece, so that memory does not grow with its size."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hiermix.errors import ArgumentError
from hiermix.files import replacing, replacing_folder
from hiermix.table_files import SUFFIX

if TYPE_CHECKING:
    import xarray as xr

_FORMATS = (".nc", ".zarr")


def write(
    pieces: Iterable["xr.DataArray"], empty: "xr.DataArray", names: "xr.Dataset", path: Path
) -> "xr.DataArray":
    """Write pieces to a new file, under a temporary name first, and open it.

    Parameters
    ----------
    pieces : iterable of DataArray
        (chain, draw, row), and further dims, in the order of rows.
    empty : DataArray
        One like the pieces, without rows.
    names : Dataset
        Coordinates along ``row`` of all pieces together.
    path : Path
        ``.nc`` for netCDF, ``.zarr`` for zarr. A file that is there is replaced.
    """
    import xarray as xr

    if path.suffix not in _FORMATS:
        draws = " or ".join(_FORMATS)
        raise ArgumentError(
            f"into= must end in {draws} for draws, or {SUFFIX} for a table, not {path.name!r}"
        )
    rows = names.sizes["row"]
    coords = empty.coords.to_dataset().drop_dims("row").assign_coords(names.coords)
    start = coords if rows else coords.assign({empty.name: empty.variable})
    if path.suffix == ".zarr":
        _write_zarr(pieces, start, empty, rows, path)
        return xr.open_dataarray(path, engine="zarr", chunks=None, consolidated=False)
    _write_netcdf(pieces, start, empty, path)
    return xr.open_dataarray(path, engine="h5netcdf")


def _write_netcdf(
    pieces: Iterable["xr.DataArray"], start: "xr.Dataset", empty: "xr.DataArray", path: Path
) -> None:
    import h5netcdf

    with replacing(path) as temporary:
        start.to_netcdf(temporary, engine="h5netcdf")
        with h5netcdf.File(temporary, "a") as file:

            def create(chunks: tuple[int, ...]) -> Any:
                return file.create_variable(str(empty.name), empty.dims, np.float64, chunks=chunks)

            _fill(create, pieces)


def _write_zarr(
    pieces: Iterable["xr.DataArray"],
    start: "xr.Dataset",
    empty: "xr.DataArray",
    rows: int,
    path: Path,
) -> None:
    try:
        import zarr
    except ModuleNotFoundError as error:
        raise ArgumentError(
            f"into={path.name!r} needs the package zarr: install it, or write a '.nc' file"
        ) from error
    shape = (*empty.shape[:2], rows, *empty.shape[3:])
    with replacing_folder(path) as temporary:
        start.to_zarr(temporary, mode="w", consolidated=False)
        group = zarr.open_group(temporary, mode="a")

        def create(chunks: tuple[int, ...]) -> Any:
            return group.create_array(
                str(empty.name), shape=shape, chunks=chunks, dtype="float64",
                dimension_names=[str(dim) for dim in empty.dims],
            )  # fmt: skip

        _fill(create, pieces)


def _fill(create: Callable[[tuple[int, ...]], Any], pieces: Iterable["xr.DataArray"]) -> None:
    """Create the variable with chunks of the size of the first piece, and put all pieces in."""
    target, first = None, 0
    for piece in pieces:
        target = create(piece.shape) if target is None else target
        last = first + piece.sizes["row"]
        target[:, :, first:last] = np.ascontiguousarray(piece)
        first = last
