"""The linear predictor of rows under the draws of a fit, and responses drawn from it.

Rows are worked through in pieces, all draws of a row together; nothing of the size rows x groups
is made. What a row and a group get does not depend on the pieces or on what stands beside them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hiermix.design.batches import Rows
from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.families.family import Family, row_values
from hiermix.posterior.draw_arrays import Layout
from hiermix.prediction.draw_weights import Weighed
from hiermix.prediction.new_groups import NewEffects
from hiermix.prediction.random_streams import RowStreams, row_hashes
from hiermix.typing import FloatArray

_ROWS = 65_536
PIECE = 65_536
"""Of an array of a piece: small enough to stay in cache, where the work is several times faster."""


class Matrices(NamedTuple):
    """The matrices of some rows: a formula is evaluated once for many pieces."""

    X: FloatArray
    Z: dict[str, FloatArray]

    def rows(self, inside: slice) -> "Matrices":
        """Return some of the rows."""
        return Matrices(self.X[inside], {name: Z[inside] for name, Z in self.Z.items()})


type Job = Callable[[], tuple[slice, FloatArray]]
"""Makes a piece of a prediction: rows, and their draws (n, S), or (n, S, C) of categories."""


@dataclass(frozen=True, eq=False)
class Predictor:
    """The linear predictor of a design's rows under the draws of a fit."""

    design: Design
    family: Family
    layout: Layout
    new: NewEffects
    seed: int
    categories: tuple["Predictor", ...] = ()
    """One for each category but the first, where each has a linear predictor; the first of them
    is like this one."""
    weighed: Weighed | None = None
    """How the draws were weighed by new rows with a response, if they were."""

    def shape(self, kind: str) -> tuple[int, ...]:
        """Return the shape of a prediction of one row: draws, and categories where it has them."""
        K, C = len(self.categories), len(self.design.categories)
        apart = {"linear": (K,), "mean": (C,)} if K else {}
        return (self.layout.draws, *(apart | {"probability": (C,)}).get(kind, ()))

    @cached_property
    def hashes(self) -> NDArray[np.uint64]:
        """Which stream of random numbers each row has."""
        return row_hashes(self.design)

    def jobs(self, kind: str) -> Iterator[Job]:
        """Yield the pieces of a prediction in order, each made when it is called."""
        entries = max(int(np.prod(self.shape(each))) for each in ("linear", kind))
        size = max(1, PIECE // entries)
        for start in range(0, self.design.rows, _ROWS):
            block = self.matrices(slice(start, start + _ROWS))
            stop = start + len(block.X)
            for first in range(start, stop, size):
                rows = slice(first, min(first + size, stop))
                inside = slice(rows.start - start, rows.stop - start)
                yield partial(self.piece, kind, rows, block.rows(inside))

    def piece(
        self, kind: str, rows: slice, matrices: Matrices | None = None
    ) -> tuple[slice, FloatArray]:
        """Return the prediction of some rows, and which they are."""
        eta = self.linear(rows, matrices)
        if kind != "response":
            return rows, self.expected(kind, rows, eta)
        drawn, ratings = self._response(rows, eta), self.design.ratings
        return rows, drawn if ratings is None else ratings[drawn.astype(np.intp) - 1]

    @property
    def linear_source(self) -> "Predictor":
        """What gives the linear predictor that is expected: this."""
        return self

    def values(self, kind: str, rows: slice, matrices: Matrices | None = None) -> FloatArray:
        """Return the prediction of some rows (n, S), or (n, S, C) of categories."""
        return self.piece(kind, rows, matrices)[1]

    def expected(self, kind: str, rows: slice, eta: FloatArray) -> FloatArray:
        """Return what is expected of some rows, or their log density, at a linear predictor."""
        if kind == "linear":
            return eta
        if kind == "probability":
            return self.family.probabilities(eta, self.own(rows))
        if kind == "log_density":
            return self._log_density(rows, eta)
        return self._mean(rows, eta)

    def _mean(self, rows: slice, eta: FloatArray) -> FloatArray:
        own, ratings = self.own(rows), self.design.ratings
        if ratings is None or (np.diff(ratings) == 1).all():  # as if counted, and faster
            shift = 0.0 if ratings is None else ratings[0] - 1
            return self.family.mean(eta, own) + shift
        return np.asarray(self.family.probabilities(eta, own) @ ratings)

    def _log_density(self, rows: slice, eta: FloatArray) -> FloatArray:
        """Log density of the observed responses, times the weights of their rows."""
        response, weights = self.design.response, self.design.weights
        assert response is not None
        found = self.family.log_density(response[rows, None], eta, self.own(rows))
        return found if weights is None else found * weights[rows, None]

    def _response(self, rows: slice, eta: FloatArray) -> FloatArray:
        """Draw responses; every row has a stream of its own."""
        streams = RowStreams(self.seed, "response")
        drawn = np.empty(eta.shape[:2])
        for place, (hash_, same) in enumerate(self.hashes[rows].tolist()):
            own = self.own(rows.start + place)
            drawn[place] = self.family.draw(streams.at((hash_, same)), eta[place], own)
        return drawn

    def matrices(self, rows: Rows) -> Matrices:
        """Evaluate the formula for some rows."""
        chosen = [each.name for each in self.design.groupings if each.name in self.layout.r]
        return Matrices(self.design.X(rows), {name: self.design.Z(name, rows) for name in chosen})

    def linear(self, rows: Rows, matrices: Matrices | None = None) -> FloatArray:
        """Return the linear predictor (n, S) of some rows; (n, S, C - 1) of categories."""
        matrices = matrices or self.matrices(rows)
        if self.categories:
            each = [source.linear(rows, matrices) for source in self.categories]
            return np.stack(each, axis=-1)
        X, Zs = matrices
        eta: FloatArray = X @ self.layout.b
        if self.design.offset is not None:
            eta += self.design.offset[rows, None]
        for name, Z in Zs.items():
            grouping = self.design.grouping(name)
            effects = self._effects(grouping, rows)
            for k, label in enumerate(grouping.effects):
                if label != "Intercept":
                    effects[k] *= Z[:, k, None]
                eta += effects[k]
        return eta

    def own(self, rows: Rows | int) -> dict[str, FloatArray]:
        """Return the family's own parameters, and what rows bring, ready to broadcast."""
        beside = row_values(self.design)
        return self.layout.own | {name: each[rows, None] for name, each in beside.items()}

    def _effects(self, grouping: Grouping, rows: Rows) -> FloatArray:
        """Return the effects (Q, n, S) of the groups of some rows."""
        codes = grouping.codes[rows]
        r = self.layout.r[grouping.name]
        known = (codes >= 0) & (codes < len(grouping.levels))
        if known.all():
            return r.take(codes, axis=1)
        found = np.empty((len(r), len(codes), r.shape[2]))
        found[:, known] = r[:, codes[known]]
        for code in np.unique(codes[codes >= len(grouping.levels)]):
            label = grouping.new_levels[code - len(grouping.levels)]
            found[:, codes == code] = self.new.of_level(grouping, label)[:, None]
        for place in np.flatnonzero(codes < 0):
            hash_, same = self.hashes[rows][place].tolist()
            found[:, place] = self.new.of_row(grouping, (hash_, same))
        return found
