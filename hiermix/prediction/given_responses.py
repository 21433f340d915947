"""Effects of new groups given those of several responses that are known of their rows.

Under a draw of everything else, responses and effects of a new group are jointly normal. So effects
that a sample would draw from the fitted spread are drawn given what is known: from N(C A, C) with
C^-1 = Sigma^-1 + sum of Z'R^-1 Z and A the sum of Z'R^-1 e, over the rows of the group. Z, e and R
are the columns, the rest and the residual covariance of the responses that a row has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from hiermix.design.groupings import Grouping
from hiermix.design.joint_design import Joint, by_response
from hiermix.errors import DataError, at_rows
from hiermix.families.correlations import matrix_of
from hiermix.families.residual_parameters import CORRELATIONS, SDS
from hiermix.keyed_streams import generator
from hiermix.prediction.new_groups import NewEffects
from hiermix.prediction.predictor import Predictor
from hiermix.typing import FloatArray, IntArray


def covariance(source: Predictor, responses: int) -> FloatArray:
    """Return that of the residuals of a row, (S, K, K)."""
    own = source.layout.own
    sd, R = own[SDS], matrix_of(own[CORRELATIONS], responses)
    return np.asarray(sd[:, :, None] * R * sd[:, None, :])


def patterns(masks: np.ndarray) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield the rows of each pattern, and the places that these have."""
    kinds, kind = np.unique(masks, axis=0, return_inverse=True)
    for which, mask in enumerate(kinds):
        yield np.flatnonzero(kind.ravel() == which), np.flatnonzero(mask)


def with_known(source: Predictor, given: Sequence[int]) -> Predictor:
    """Return a predictor whose effects of new groups know some responses of their rows.

    Parameters
    ----------
    source
        Of rows of several responses; effects of their new groups are sampled.
    given
        Which responses are known where they are there.
    """
    joint = source.design
    assert isinstance(joint, Joint)
    known = np.zeros((len(joint.frame), len(joint.parts)), dtype=bool)
    y = np.column_stack(list(by_response(joint).values()))
    known[:, given] = ~np.isnan(y[:, given])
    _check_one(joint, known.any(axis=1))
    effects = {}
    for grouping in joint.groupings:
        first, new = len(grouping.levels), len(grouping.new_levels)
        codes = np.full(len(known), -1)
        codes[joint.units] = grouping.codes
        _check_labels(grouping, known.any(axis=1), joint)
        for place in range(new):
            units = np.flatnonzero((codes == first + place) & known.any(axis=1))
            if len(units):
                label = str(grouping.new_levels[place])
                effects[grouping.name, label] = _drawn(source, grouping, label, units, known, y)
    return replace(source, new=NewEffects(source.layout, "sample", source.seed, effects))


def _check_one(joint: Joint, known: np.ndarray) -> None:
    """Raise for rows in new groups of several factors: what is known tells of all together."""
    new = np.zeros((len(joint.frame), len(joint.groupings)), dtype=bool)
    for place, each in enumerate(joint.groupings):
        new[joint.units[each.codes >= len(each.levels)], place] = True
    rows = np.flatnonzero(known & (new.sum(axis=1) > 1))
    if len(rows):
        names = [
            each.name for each, some in zip(joint.groupings, new[rows[0]], strict=True) if some
        ]
        raise DataError(
            f"given= learns of new groups of one factor at a time, and rows are of new ones of "
            f"{' and '.join(map(repr, names))} {at_rows(rows, joint.frame.index)}: "
            "new_groups='population' sets their effects to zero"
        )


def _check_labels(grouping: Grouping, known: np.ndarray, joint: Joint) -> None:
    """Raise for rows of no group, of which something is known."""
    units = np.unique(joint.units[grouping.unlabelled])
    rows = units[known[units]]
    if len(rows):
        raise DataError(
            f"given= tells of groups too, and rows without a label of {grouping.name!r} "
            f"{at_rows(rows, joint.frame.index)} are of none: write labels, one a "
            "row where each is a group of its own"
        )


def _drawn(
    source: Predictor,
    grouping: Grouping,
    label: str,
    units: IntArray,
    known: np.ndarray,
    y: FloatArray,
) -> FloatArray:
    """Draw the effects (Q, S) of a new group given what is known of its rows."""
    joint = source.design
    assert isinstance(joint, Joint)
    plain = replace(source, new=NewEffects(source.layout, "population", source.seed))
    Sigma, Lambda = covariance(source, len(joint.parts)), source.layout.Lambda[grouping.name]
    S, Q, _ = Lambda.shape
    A, C = np.zeros((S, Q)), np.zeros((S, Q, Q))
    row = np.full((len(joint.parts), len(known)), -1)
    for k in range(len(joint.parts)):
        mine = joint.of_response(k)
        row[k, joint.units[mine]] = np.arange(mine.start, mine.stop)
    for here, some in patterns(known[units]):
        at = [row[k, units[here]] for k in some]
        Z = np.stack([joint.Z(grouping.name, rows) for rows in at], axis=1)  # (n, p, Q)
        e = np.stack([y[units[here], k, None] - plain.linear(rows)
                      for k, rows in zip(some, at, strict=True)], axis=1)  # (n, p, S)  # fmt: skip
        P = np.linalg.inv(Sigma[:, some[:, None], some])
        C += np.einsum("spr,npi,nrj->sij", P, Z, Z, optimize=True)
        A += np.einsum("spr,npi,nrs->si", P, Z, e, optimize=True)
    M = np.eye(Q) + np.swapaxes(Lambda, 1, 2) @ C @ Lambda
    root = np.linalg.cholesky(M)
    noise = generator(source.seed, "effect", grouping.name, label).standard_normal((S, Q))
    half = np.linalg.solve(root, np.swapaxes(Lambda, 1, 2) @ A[..., None]) + noise[..., None]
    v = np.linalg.solve(np.swapaxes(root, 1, 2), half)
    return np.asarray((Lambda @ v)[..., 0].T)
