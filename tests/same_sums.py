"""Whether two statistics are one but for rounding."""

import numpy as np
import pytest

import hiermix as hm
from hiermix.statistics import moved


def assert_same(found: hm.Statistics, expected: hm.Statistics, relative: float = 1e-12) -> None:
    assert (len(found), found.dropped) == (len(expected), expected.dropped)
    assert found.levels.tolist() == expected.levels.tolist()
    assert found.counts.tolist() == expected.counts.tolist()
    mine, theirs = moved.around(found.sums, found.centre, expected.centre), expected.sums
    assert mine.n == pytest.approx(theirs.n, rel=relative)
    assert mine.ete == pytest.approx(theirs.ete, rel=relative)
    # Entries are compared in units of their row and column: off the diagonal some are near zero.
    x, e = np.sqrt(np.diag(theirs.XtX)), np.sqrt(theirs.ete)
    z = np.sqrt(np.einsum("jqq->jq", theirs.ZtZ))
    z[z == 0] = 1.0  # of levels without weight
    close = {
        "XtX": (mine.XtX - theirs.XtX) / np.outer(x, x),
        "Xte": (mine.Xte - theirs.Xte) / (x * e),
        "ZtZ": (mine.ZtZ - theirs.ZtZ) / (z[:, :, None] * z[:, None, :]),
        "ZtX": (mine.ZtX - theirs.ZtX) / (z[:, :, None] * x),
        "Zte": (mine.Zte - theirs.Zte) / (z * e),
    }
    for name, difference in close.items():
        assert np.abs(difference).max(initial=0.0) < relative, name


def assert_same_cells(found: hm.CellSums, expected: hm.CellSums, relative: float = 1e-12) -> None:
    assert (len(found), found.dropped) == (len(expected), expected.dropped)
    assert found.cells.keys.astype(object).equals(expected.cells.keys.astype(object))
    assert found.cells.number.tolist() == expected.cells.number.tolist()
    mine, theirs = found.cells.around(found.origin, expected.origin), expected.cells
    np.testing.assert_allclose(mine.weight, theirs.weight, rtol=relative)
    # In units of what a column's squares, of all rows, would be on average.
    mean, square = theirs.whole()
    size = np.sqrt(np.diag(square) + mean**2)
    some = size > 0
    away = ((mine.mean - theirs.mean) / np.where(some, size, 1.0))[:, some]
    assert np.abs(away).max(initial=0.0) < relative
    weight = np.where(theirs.weight > 0, theirs.weight, 1.0)
    units = np.outer(size, size)[np.ix_(some, some)] * weight[:, None, None]
    squares = (mine.squares - theirs.squares)[:, some][:, :, some] / units
    assert np.abs(squares).max(initial=0.0) < relative
