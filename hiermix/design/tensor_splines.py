"""``t2(x, z)``: a surface of three pieces, each with an sd of its own (Wood et al., 2013).

Curves of a column are a line, N, and what bends it, R. Of their products N N is not penalised: x, z
and x z are columns of the population. R N bends along x, N R along z and R R along both. Columns of
each piece are counted from what the population fits best, and sized as those of a curve are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, override

import numpy as np
import pandas as pd

from hiermix.design import natural_splines
from hiermix.design.batches import slices
from hiermix.design.curves import Curve, Part, known_state, numbers
from hiermix.design.natural_splines import NaturalSpline
from hiermix.errors import count
from hiermix.formula.equations import qualified
from hiermix.formula.names import in_results
from hiermix.formula.terms.smooths import Smooth
from hiermix.formula.terms.tensor_smooths import TensorSmooth
from hiermix.typing import FloatArray

_OF_ROWS = "widths", "counted", "turn"
"""Fields of a piece that are of the rows it was fitted to, beside the curves of its columns."""


@dataclass(frozen=True, eq=False)
class TensorPiece(Curve):
    """Products of curves of two columns, of one sd."""

    surface: str
    """The name of the whole."""
    sides: tuple[NaturalSpline, NaturalSpline]
    bending: tuple[bool, bool]
    """Along which of them it bends."""
    widths: FloatArray
    """(2,) sds of the columns."""
    counted: FloatArray
    """(5, K) what of `unpenalised` is taken off the products; and by what these are divided."""
    turn: FloatArray
    """(K, K) as that of a `NaturalSpline`."""

    @property
    @override
    def size(self) -> int:
        return len(self.turn)

    @property
    def columns(self) -> tuple[str, str]:
        """Both columns."""
        return self.sides[0].column, self.sides[1].column

    @property
    @override
    def lines(self) -> tuple[str, ...]:
        """Those of the first piece: labels of what no piece penalises."""
        x, z = self.columns
        labels = tuple(f"{self.surface}[linear {each}]" for each in (x, z, f"{x}:{z}"))
        return labels if self.bending == (True, False) else ()

    @property
    @override
    def described(self) -> str:
        beside = " beside lines" if self.lines else ""
        return f"{count(self.size, 'column')}{beside}"

    @property
    @override
    def state(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in _OF_ROWS}
        return own | {"each": [each.state for each in self.sides]}

    @override
    def straight(self, part: pd.DataFrame) -> FloatArray:
        if not self.lines:
            return np.empty((len(part), 0))
        return np.asarray(self.unpenalised(part)[:, 1:] * [*self.widths, self.widths.prod()])

    @override
    def functions(self, part: pd.DataFrame) -> FloatArray:
        left = self.products(part) - self.unpenalised(part) @ self.counted[:4]
        return np.asarray(left / self.counted[4])

    def products(self, part: pd.DataFrame) -> FloatArray:
        """(n, K) of the curves of both columns."""
        each = zip(self.sides, self.bending, self._lines(part), strict=True)
        one, two = (side.functions(part) if bends else line for side, bends, line in each)
        return np.asarray((one[:, :, None] * two[:, None, :]).reshape(len(part), -1))

    def unpenalised(self, part: pd.DataFrame) -> FloatArray:
        """(n, 4) products of lines, of columns in sds from their means."""
        one, two = self._lines(part)
        return np.column_stack([one, two[:, 1], one[:, 1] * two[:, 1]])

    def _lines(self, part: pd.DataFrame) -> list[FloatArray]:
        """(n, 2) of each column: a constant and the column."""
        each = [(numbers(part, side.column) - side.center) / width
                for side, width in zip(self.sides, self.widths, strict=True)]  # fmt: skip
        return [np.column_stack([np.ones(len(part)), values]) for values in each]


def known(term: TensorSmooth, states: Mapping[str, Any]) -> Iterator[TensorPiece]:
    """Yield the pieces of a surface as they were fitted before."""
    for label, bending in _pieces(term):
        state = known_state(term, label, states)
        sides = [
            next(natural_splines.known(one, {}, {qualified(one.label, term.equation): each}))
            for one, each in zip(_curves(term), state["each"], strict=True)
        ]
        own = {each: np.asarray(state[each]) for each in _OF_ROWS}
        yield _piece(term, label, bending, (sides[0], sides[1]), **own)


def fitted(term: TensorSmooth, encoded: pd.DataFrame) -> Iterator[TensorPiece]:
    """Yield the pieces of a surface, fitted to the rows of an encoded frame."""
    one, two = (next(natural_splines.fitted(each, {}, encoded)) for each in _curves(term))
    widths = np.array([numbers(encoded, each.column).std() for each in (one, two)])
    for label, bending in _pieces(term):
        K = int(np.prod([len(side.turn) if bends else 2
                         for side, bends in zip((one, two), bending, strict=True)]))  # fmt: skip
        none = np.vstack([np.zeros((4, K)), np.ones((1, K))])
        yield _sized(_piece(term, label, bending, (one, two), widths, none, np.eye(K)), encoded)


def _curves(term: TensorSmooth) -> list[Smooth]:
    return [Smooth(name, term.size, equation=term.equation) for name in term.columns]


def _pieces(term: TensorSmooth) -> Iterator[tuple[str, tuple[bool, bool]]]:
    """Yield the label of each piece, and along which columns it bends."""
    x, z = term.columns
    for name, bending in ((x, (True, False)), (z, (False, True)), (f"{x}:{z}", (True, True))):
        yield f"{term.label}[{name}]", bending


def _piece(
    term: TensorSmooth,
    label: str,
    bending: tuple[bool, bool],
    sides: tuple[NaturalSpline, NaturalSpline],
    widths: FloatArray,
    counted: FloatArray,
    turn: FloatArray,
) -> TensorPiece:
    return TensorPiece(
        in_results(label), term.equation, term.column, Part(), in_results(term.label), sides,
        bending, widths, counted, turn,
    )  # fmt: skip


def _sized(piece: TensorPiece, encoded: pd.DataFrame) -> TensorPiece:
    """Take off what the population fits best, and give columns their size."""
    UtU, UtZ = np.zeros((4, 4)), np.zeros((4, piece.size))
    for rows in slices(len(encoded)):
        U, Z = piece.unpenalised(encoded.iloc[rows]), piece.products(encoded.iloc[rows])
        UtU += U.T @ U
        UtZ += U.T @ Z
    off = np.linalg.lstsq(UtU, UtZ, rcond=None)[0]
    left = replace(piece, counted=np.vstack([off, piece.counted[4]]))
    square = sum(Z.T @ Z for Z in (left.functions(encoded.iloc[rows])
                                   for rows in slices(len(encoded))))  # fmt: skip
    size = np.sqrt(np.trace(square) / len(encoded))
    counted = np.vstack([off, np.full(piece.size, size)])
    return replace(left, counted=counted, turn=np.linalg.eigh(square)[1])
