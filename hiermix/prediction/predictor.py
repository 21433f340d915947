"""The linear predictor of rows under the draws of a fit, and responses drawn from it.

Rows are worked through in pieces, all draws of a row together; nothing of the size rows x groups
is made. What a row and a group get does not depend on the pieces or on what stands beside them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hiermix.design.batches import Rows
from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.design.imputed import Imputed
from hiermix.design.limits import check_errors
from hiermix.design.shared_levels import SharedLevels
from hiermix.families.family import Family, row_values
from hiermix.families.links import Own
from hiermix.families.normal_scales import NormalScale
from hiermix.families.residual_parameters import sigma_of_rows
from hiermix.formula.equations import MU
from hiermix.formula.terms.residual_terms import Residuals
from hiermix.keyed_streams import Streams
from hiermix.posterior.draw_arrays import Layout
from hiermix.prediction import missing_predictors
from hiermix.prediction.draw_weights import Weighed
from hiermix.prediction.new_groups import NewEffects
from hiermix.prediction.random_streams import row_hashes
from hiermix.prediction.residual_laws import Before, Law, Noise, needed
from hiermix.prediction.series_densities import log_density_given_others
from hiermix.typing import FloatArray, IntArray

_ROWS = 65_536
PIECE = 65_536
"""Of an array of a piece: small enough to stay in cache, where the work is several times faster."""


class Matrices(NamedTuple):
    """The matrices of some rows: a formula is evaluated once for many pieces."""

    X: dict[str, FloatArray]
    """By equation."""
    Z: dict[str, FloatArray]
    """By grouping factor."""

    @classmethod
    def of(cls, design: Design, rows: Rows, factors: Iterable[str]) -> "Matrices":
        """Evaluate the formula for some rows, with the columns that vary over some factors."""
        X = {each.name: design.X(rows, each.columns) for each in design.equations}
        return cls(X, {name: design.Z(name, rows) for name in factors})

    def rows(self, inside: slice) -> "Matrices":
        """Return some of the rows."""
        return Matrices({name: X[inside] for name, X in self.X.items()},
                        {name: Z[inside] for name, Z in self.Z.items()})  # fmt: skip


type Job = Callable[[], tuple[slice, FloatArray]]
"""Makes a piece of a prediction: rows, and their draws (n, S), or (n, S, C) of categories."""


class Pieces(Protocol):
    """What gives a prediction of some rows in pieces."""

    @property
    def design(self) -> Design:
        """The rows."""

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """Which stream of random numbers each row has."""

    @property
    def weighed(self) -> Weighed | None:
        """How the draws were weighed, if they were."""

    def shape(self, kind: str) -> tuple[int, ...]:
        """Return the shape of a prediction of one row, the draws first."""
        ...

    def jobs(self, kind: str) -> Iterator[Job]:
        """Yield the pieces in order, each made when it is called."""
        ...


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
    before: tuple[Before, ...] = ()
    """Rows whose residuals are carried on, in forecasts and updates of rows that go together."""

    def shape(self, kind: str) -> tuple[int, ...]:
        """Return the shape of a prediction of one row: draws, and categories where it has them."""
        C = len(self.design.categories)
        apart = {"linear": (C - 1,), "mean": (C,)} if self.family.unordered else {}
        if self.family.counted:
            apart["response"] = (C,)
        return (self.layout.draws, *(apart | {"probability": (C,)}).get(kind, ()))

    @property
    def named(self) -> bool:
        """Whether categories have equations by name, and not all the formula of the response."""
        return self.family.unordered and not self.design.alike

    @cached_property
    def hashes(self) -> NDArray[np.uint64]:
        """Which stream of random numbers each row has."""
        return row_hashes(self.design)

    @cached_property
    def noise(self) -> Noise:
        """Residuals of rows that go together."""
        return Noise(self.design, lambda: self.law, self.seed, self.hashes, self.before)

    @property
    def law(self) -> Law:
        """What residuals of rows that go together are drawn from."""
        return Law(needed(self.design), self.layout.own, self.residual_sds)

    def residual_sds(self, rows: IntArray) -> FloatArray:
        """Return the sds (n, S) of what is left of the responses of some rows."""
        return np.broadcast_to(self.own(rows)["sigma"], (len(rows), self.layout.draws))

    def standard_residuals(self, rows: IntArray) -> FloatArray:
        """Return what is left (n, S) of the responses of some rows, in units of its sds."""
        return self.residuals(rows) / self.residual_sds(rows)

    @property
    def together(self) -> bool:
        """Whether residuals of rows go together."""
        written = (isinstance(each, Residuals) for each in self.design.formula.specials)
        return self.design.series is not None or any(written)

    def jobs(self, kind: str) -> Iterator[Job]:
        """Yield the pieces of a prediction in order, each made when it is called."""
        entries = max(int(np.prod(self.shape(each))) for each in ("linear", kind))
        size = max(1, PIECE // entries)
        for start in range(0, self.design.rows, _ROWS):
            block = self.matrices(slice(start, start + _ROWS))
            stop = start + len(block.X[MU])
            for first in range(start, stop, size):
                rows = slice(first, min(first + size, stop))
                inside = slice(rows.start - start, rows.stop - start)
                yield partial(self.piece, kind, rows, block.rows(inside))

    def piece(
        self, kind: str, rows: slice, matrices: Matrices | None = None
    ) -> tuple[slice, FloatArray]:
        """Return the prediction of some rows, and which they are."""
        eta = self.linear(rows, matrices)
        known = {}
        if self.before and kind == "mean":
            expected, variance, _ = self.noise.rows(rows)
            eta, known = eta + expected, {"sigma": np.sqrt(variance)}
        if self.together and kind in ("response", "log_density"):
            return rows, self._together(kind, rows, eta)
        if kind in ("response", "log_density"):
            check_errors(self.design.formula.beside, self.design.limits)
        own = {} if kind == "linear" else self.own(rows, matrices) | known
        if kind != "response":
            found = self.expected(kind, rows, eta, own)
            return rows, self._without_gaps(rows, found) if kind == "log_density" else found
        drawn, ratings = self._response(rows, eta, own), self.design.ratings
        return rows, drawn if ratings is None else ratings[drawn.astype(np.intp) - 1]

    @property
    def linear_source(self) -> "Predictor":
        """What gives the linear predictor that is expected: this."""
        return self

    def values(self, kind: str, rows: slice, matrices: Matrices | None = None) -> FloatArray:
        """Return the prediction of some rows (n, S), or (n, S, C) of categories."""
        return self.piece(kind, rows, matrices)[1]

    def expected(self, kind: str, rows: slice, eta: FloatArray, own: Own) -> FloatArray:
        """Return what is expected of some rows, or their log density, at a linear predictor."""
        if kind == "linear":
            return eta
        if kind == "probability":
            return self.family.probabilities(eta, own)
        if kind == "log_density":
            return self._log_density(rows, eta, own)
        return self._mean(eta, own)

    def _mean(self, eta: FloatArray, own: Own) -> FloatArray:
        ratings = self.design.ratings
        if ratings is None or (np.diff(ratings) == 1).all():  # as if counted, and faster
            shift = 0.0 if ratings is None else ratings[0] - 1
            return self.family.mean(eta, own) + shift
        return np.asarray(self.family.probabilities(eta, own) @ ratings)

    def _log_density(self, rows: slice, eta: FloatArray, own: Own) -> FloatArray:
        """Log density of the observed responses, times the weights of their rows."""
        response, weights = self.design.response, self.design.weights
        assert response is not None
        found = self.family.log_density(response[rows, None], eta, own)
        return found if weights is None else found * weights[rows, None]

    def _without_gaps(self, rows: slice, found: FloatArray) -> FloatArray:
        """Put densities without missing predictors in the place of those given what was drawn."""
        design, response = self.design, self.design.response
        places = missing_predictors.where(design, rows)
        if not len(places):
            return found
        assert response is not None
        some = np.arange(design.rows)[rows][places]
        matrices, own = self.matrices(some), self.own(some)
        b = {MU: self.layout.b, **self.layout.of}
        known = [self._as_it_stands(name, b[name], some, matrices)
                 for name in (MU, *(each.name for each in design.imputed))]  # fmt: skip
        mean, sd = missing_predictors.law(design, b, self.layout.own, some, known)
        density = partial(self.family.log_density, response[some, None], own=own)
        found[places] = missing_predictors.integrated(density, mean, sd)
        return found

    def _together(self, kind: str, rows: slice, eta: FloatArray) -> FloatArray:
        """Return responses of rows that go together, or log densities of each given the others."""
        if kind == "response":
            return self.scale.back(eta + self.noise.rows(rows)[2])
        here = np.arange(rows.start, rows.stop)
        found = log_density_given_others(self.law, here, self.residuals)
        return found + self.log_slopes(here)

    def residuals(self, rows: IntArray) -> FloatArray:
        """Return what is left (n, S) of the responses of some rows, where they are normal."""
        assert self.design.response is not None
        return self.scale.to(self.design.response[rows, None]) - self.linear(rows)

    def log_slopes(self, rows: IntArray) -> FloatArray:
        """Return what densities of these lack (n, 1) to be those of the responses."""
        assert self.design.response is not None
        return self.scale.log_slope(self.design.response[rows, None])

    @property
    def scale(self) -> NormalScale:
        """The scale on which responses are normal."""
        assert self.family.normal is not None
        return self.family.normal

    def _response(self, rows: slice, eta: FloatArray, own: Own) -> FloatArray:
        """Draw responses; every row has a stream of its own."""
        streams = Streams(self.seed, "response")
        drawn = np.empty((len(eta), *self.shape("response")))
        for place, (hash_, same) in enumerate(self.hashes[rows].tolist()):
            here = {name: values if name in self.layout.own else values[place]
                    for name, values in own.items()}  # fmt: skip
            drawn[place] = self.family.draw(streams.at((hash_, same)), eta[place], here)
        return drawn

    def matrices(self, rows: Rows) -> Matrices:
        """Evaluate the formula for some rows."""
        chosen = [each.name for each in self.design.groupings if each.name in self.layout.r]
        return Matrices.of(self.design, rows, chosen)

    def linear(self, rows: Rows, matrices: Matrices | None = None) -> FloatArray:
        """Return the linear predictor (n, S) of some rows; (n, S, C - 1) of categories."""
        matrices = matrices or self.matrices(rows)
        if self.categories:
            each = [source.linear(rows, matrices) for source in self.categories]
            return np.stack(each, axis=-1)
        if self.named:
            by_name = self.layout.of.items()
            each = [self.of_equation(name, b, rows, matrices) for name, b in by_name]
            return np.stack(each, axis=-1)
        return self.of_equation(MU, self.layout.b, rows, matrices)

    def of_equation(self, name: str, b: FloatArray, rows: Rows, matrices: Matrices) -> FloatArray:
        """Return one linear predictor (n, S) of some rows."""
        eta = self._as_it_stands(name, b, rows, matrices)
        missing_predictors.enter(eta, self.design, name, b, rows, self._missing)
        return eta

    def _missing(self, predictor: Imputed, which: IntArray) -> FloatArray:
        """Return draws (n, S) of some of the missing values of a predictor."""
        name, drawn = predictor.name, self.layout.gaps
        if predictor.places is not None and name in drawn:
            return drawn[name][predictor.places[which]]
        rows = predictor.lacking[which]
        eta = self.of_equation(name, self.layout.of[name], rows, self.matrices(rows))
        return missing_predictors.fresh(
            predictor, eta, self.layout.own, self.seed, self.hashes[rows]
        )

    def _as_it_stands(self, name: str, b: FloatArray, rows: Rows, matrices: Matrices) -> FloatArray:
        """Return one linear predictor with what stands in for missing values."""
        eta: FloatArray = matrices.X[name] @ b
        offset = self.design.equation(name).offset
        if offset is not None:
            eta += offset[rows, None]
        for factor, Z in matrices.Z.items():
            grouping = self.design.grouping(factor)
            places = grouping.of_equation(name)
            for k, effects in zip(places, self._effects(grouping, rows, places), strict=True):
                if not grouping.constant[k]:
                    effects *= Z[:, k, None]
                eta += effects
        return eta

    def own(
        self,
        rows: Rows,
        matrices: Matrices | None = None,
        moved: Mapping[str, FloatArray] | None = None,
    ) -> dict[str, FloatArray]:
        """Return the family's own parameters, and what rows bring, ready to broadcast.

        Linear predictors (n, S) of parameters may be `moved` first.
        """
        beside = {
            name: each[rows, None] for name, each in row_values(self.design, self.family).items()
        }
        if not self.layout.of or self.named:
            sigma = sigma_of_rows(self.design.series, self.layout.own, rows)
            return self.layout.own | beside | sigma
        matrices = matrices or self.matrices(rows)
        by_row = {}
        for name, b in self.layout.of.items():
            if name in self.family.located:
                continue
            eta = self.of_equation(name, b, rows, matrices) + (moved or {}).get(name, 0.0)
            by_row[name] = self.family.parameter(name).by_row(eta)
        return self.layout.own | beside | by_row

    def _effects(self, grouping: Grouping, rows: Rows, places: list[int]) -> FloatArray:
        """Return some effects (places, n, S) of the groups of some rows."""
        codes = grouping.codes[rows]
        if isinstance(grouping, SharedLevels):
            each = [self._of_codes(grouping, mine, rows, places) for mine in codes.T]
            loads = grouping.loads(rows, places)
            return np.asarray(np.einsum("nmq,mqns->qns", loads, np.array(each)))
        return self._of_codes(grouping, codes, rows, places)

    def _of_codes(
        self, grouping: Grouping, codes: NDArray[np.integer], rows: Rows, places: list[int]
    ) -> FloatArray:
        """Return some effects (places, n, S) of the levels of these codes (n,)."""
        r = self.layout.r[grouping.name]
        known = (codes >= 0) & (codes < len(grouping.levels))
        if known.all():
            return r.at(codes, places)
        found = np.empty((r.shape[0], len(codes), r.shape[2]))
        found[:, known] = r.at(codes[known])
        for code in np.unique(codes[codes >= len(grouping.levels)]):
            label = grouping.new_levels[code - len(grouping.levels)]
            found[:, codes == code] = self.new.of_level(grouping, label)[:, None]
        for place in np.flatnonzero(codes < 0):
            hash_, same = self.hashes[rows][place].tolist()
            found[:, place] = self.new.of_row(grouping, (hash_, same))
        return found[places]
