"""Predictions of several responses: for each row all of them, which go together as they do.

Rows of the joint design are of one response each; here they are put beside each other again, a
number for each response of a row of the frame, missing where a fitted row lacks it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from hiermix.design.design import Design
from hiermix.design.joint_design import DIM, Joint, by_response
from hiermix.errors import ArgumentError, DataError, did_you_mean
from hiermix.keyed_streams import Streams
from hiermix.prediction.given_responses import covariance, patterns, with_known
from hiermix.prediction.predictor import PIECE, Job, Pieces, Predictor
from hiermix.prediction.random_streams import Hashes
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class JointPredictor:
    """Predictions (n, S, responses) of rows of a frame."""

    source: Predictor
    """What predicts the rows of the joint design."""
    given: tuple[int, ...] = ()
    """Responses that are known, so that the others are predicted given them."""
    weighed: None = None

    @cached_property
    def joint(self) -> Joint:
        """The joint design."""
        assert isinstance(self.source.design, Joint)
        return self.source.design

    @cached_property
    def design(self) -> Design:
        """The rows of the frame."""
        return by_unit(self.joint)

    @property
    def hashes(self) -> Hashes:
        """Which stream of random numbers each row has."""
        return self.source.hashes[np.unique(self.joint.units, return_index=True)[1]]

    def shape(self, kind: str) -> tuple[int, ...]:
        """Return the shape of a prediction of one row; its responses have one density."""
        draws = self.source.layout.draws
        return (draws,) if kind == "log_density" else (draws, len(self.joint.parts))

    def extra_dims(self, kind: str) -> dict[str, list[str]]:
        """Return the dim of a prediction that comes after the draws, and its labels."""
        return {} if kind == "log_density" else {DIM: list(self.joint.names)}

    def jobs(self, kind: str) -> Iterator[Job]:
        """Yield the pieces of a prediction in order, each made when it is called."""
        size = max(1, PIECE // int(np.prod(self.shape("linear"))))
        for first in range(0, self.design.rows, size):
            yield partial(self.piece, kind, slice(first, min(first + size, self.design.rows)))

    def piece(self, kind: str, rows: slice) -> tuple[slice, FloatArray]:
        """Return the prediction of some rows, and which they are."""
        eta = self._linear(rows)
        if kind == "log_density":
            return rows, self._log_density(rows, eta)
        if self.given:
            return rows, self._given_known(kind, rows, eta)
        if kind == "response":
            root = np.linalg.cholesky(self._covariance)
            eta += np.einsum("skq,nsq->nsk", root, self._normals(rows))
        return rows, eta

    @cached_property
    def _covariance(self) -> FloatArray:
        """Of the residuals (S, K, K)."""
        return covariance(self.source, len(self.joint.parts))

    @cached_property
    def _units(self) -> IntArray:
        """(rows of the joint design,) which of the rows that have any response."""
        return np.unique(self.joint.units, return_inverse=True)[1]

    @cached_property
    def _response(self) -> FloatArray:
        """(n, K), missing where there is none."""
        used = np.unique(self.joint.units)
        return np.stack(list(by_response(self.joint).values()), axis=-1)[used]

    def _linear(self, rows: slice) -> FloatArray:
        """Linear predictors (n, S, K) of some rows."""
        K = len(self.joint.parts)
        found = np.full((rows.stop - rows.start, self.source.layout.draws, K), np.nan)
        for k in range(K):
            whole = self.joint.of_response(k)
            units = self._units[whole]
            low, high = np.searchsorted(units, [rows.start, rows.stop])
            if low < high:
                part = slice(whole.start + low, whole.start + high)
                found[units[low:high] - rows.start, :, k] = self.source.linear(part)
        return found

    def _normals(self, rows: slice) -> FloatArray:
        """Return standard normal numbers (n, S, K) of the streams of some rows."""
        streams, shape = Streams(self.source.seed, "responses"), self.shape("linear")
        each = [streams.at((hash_, same)).standard_normal(shape)
                for hash_, same in self.hashes[rows].tolist()]  # fmt: skip
        return np.array(each).reshape(-1, *shape)

    def _log_density(self, rows: slice, eta: FloatArray) -> FloatArray:
        """Log density (n, S) of the responses that each row has."""
        left = self._response[rows][:, None] - eta
        found = np.empty(left.shape[:2])
        for here, some in patterns(~np.isnan(self._response[rows])):
            C = np.linalg.cholesky(self._covariance[:, some[:, None], some])
            e = left[here][:, :, some].transpose(1, 2, 0)
            z = np.linalg.solve(C, e)
            log_det = 2 * np.log(np.diagonal(C, axis1=1, axis2=2)).sum(axis=1)
            found[here] = (
                -0.5 * ((z**2).sum(axis=1) + log_det[:, None] + len(some) * np.log(2 * np.pi)).T
            )
        return found

    def _given_known(self, kind: str, rows: slice, eta: FloatArray) -> FloatArray:
        """Predict given the responses that are known: these are what they are."""
        y, noise = self._response[rows], self._normals(rows)
        known = np.zeros(y.shape, dtype=bool)
        known[:, list(self.given)] = ~np.isnan(y[:, list(self.given)])
        for here, g in patterns(known):
            rest = np.setdiff1d(np.arange(y.shape[1]), g)
            S = self._covariance
            pull = np.linalg.solve(S[:, g[:, None], g], S[:, g[:, None], rest])  # (S, g, rest)
            left = y[here][:, None, g] - eta[here][:, :, g]
            mean = eta[here][:, :, rest] + np.einsum("nsg,sgr->nsr", left, pull)
            if kind == "response":
                own = S[:, rest[:, None], rest] - S[:, rest[:, None], g] @ pull
                root = np.linalg.cholesky((own + own.swapaxes(1, 2)) / 2)
                mean = mean + np.einsum("srq,nsq->nsr", root, noise[here][:, :, rest])
            eta[np.ix_(here, np.arange(eta.shape[1]), rest)] = mean
            eta[np.ix_(here, np.arange(eta.shape[1]), g)] = y[here][:, None, g]
        return eta


def of_frame(source: Predictor, given: Sequence[str] = ()) -> Pieces:
    """Return what predicts the rows of a frame: with several responses, all of each row.

    Raises
    ------
    ArgumentError
        `given` names no response, or all of them.
    DataError
        The rows lack a response that is to be known.
    """
    design = source.design
    if not isinstance(design, Joint):
        if given:
            raise ArgumentError("given= names responses of a fit of several: this one has one")
        return source
    for name in given:
        if name not in design.names:
            known = ", ".join(map(repr, design.names))
            near = did_you_mean(str(name), design.names)
            raise ArgumentError(f"given names {name!r}, no response.{near} Known: {known}")
        if design.parts[design.names.index(name)].response is None:
            raise DataError(
                f"given names {name!r}, which is no column of the rows: add it, missing where it "
                "is not known"
            )
    if len(set(given)) == len(design.names):
        raise ArgumentError("given names all responses: there is none left to predict")
    places = tuple(map(design.names.index, dict.fromkeys(given)))
    if places and source.new.sampled:
        source = with_known(source, places)
    return JointPredictor(source, places)


def extra_dims(source: Pieces, kind: str) -> dict[str, list[str]]:
    """Return the dim of a prediction that has several numbers a row and draw, and its labels."""
    if isinstance(source, JointPredictor):
        return source.extra_dims(kind)
    if len(source.shape(kind)) == 1:
        return {}
    names = [str(label) for label in source.design.categories]
    return {"category": names[1:] if kind == "linear" else names}


def by_unit(design: Design) -> Design:
    """Return a design of the rows of the frame, for their labels alone; others as they are."""
    if not isinstance(design, Joint):
        return design
    used, first = np.unique(design.units, return_index=True)
    groupings = tuple(each.take(first) for each in design.groupings)
    return replace(design.parts[0], frame=design.frame.iloc[used], others=design.others.take(used),
                   rows=len(used), groupings=groupings)  # fmt: skip


def rows_of_units(design: Design, units: IntArray) -> IntArray:
    """Return the rows of a joint design that are of some rows of the frame; others as they are."""
    if not isinstance(design, Joint):
        return units
    used = np.unique(design.units)
    return np.flatnonzero(np.isin(design.units, used[units]))


def of_rows(design: Design, labels: np.ndarray) -> np.ndarray:
    """Return for each row of a joint design the label of its row of the frame."""
    if not isinstance(design, Joint):
        return labels
    used = np.unique(design.units)
    return np.asarray(labels[np.searchsorted(used, design.units)])
