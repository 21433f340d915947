"""Missing values of predictors in rows that are predicted, or whose response is given.

Those of the fit have draws of their own; those of new rows are drawn from their equation. Where a
response is given, its density is that of a row without them: draws of the fit have seen the
response, so they are integrated out. They are normal and enter linear predictors linearly, which
leaves one integral over the location of the response.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hiermix.design.batches import Rows
from hiermix.design.design import Design
from hiermix.design.imputed import Imputed
from hiermix.families.imputed_laws import sigma
from hiermix.families.links import Own
from hiermix.formula.equations import MU
from hiermix.keyed_streams import Streams
from hiermix.prediction.random_streams import Hashes
from hiermix.statistics.parabola import parabola
from hiermix.typing import FloatArray, IntArray

_NODES, _CLIMBS, _LONGEST = 21, 10, 3.0
_STEP = 1e-3
"""Of differences, in sds of what is integrated out."""
_LEAST = 0.1
"""Of the curvature, in that of the law of what is missing: densities may not be concave."""

type Values = Callable[[Imputed, IntArray], FloatArray]
"""A predictor and some of its missing values, by their place, to draws (n, S) of them."""


def where(design: Design, rows: Rows) -> IntArray:
    """Return the places, among some rows, of those that lack a predictor."""
    each = [_lacking(one, rows)[0] for one in design.imputed]
    return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *each]))


def _lacking(predictor: Imputed, rows: Rows) -> tuple[IntArray, IntArray]:
    """Return the places among some rows of those that lack one, and which values these are."""
    at = np.full(len(predictor.filled), -1)
    at[predictor.lacking] = np.arange(len(predictor.lacking))
    found = at[rows]
    return np.flatnonzero(found >= 0), found[found >= 0]


def enter(
    eta: FloatArray, design: Design, equation: str, b: FloatArray, rows: Rows, values: Values
) -> None:
    """Put missing values in the place of those that stand in for them, in a linear predictor.

    Parameters
    ----------
    eta : array, shape (n, S)
        The linear predictor of some rows, which is changed.
    design : Design
        Of the rows.
    equation : str
        Which linear predictor it is.
    b : array, shape (P, S)
        Its population coefficients.
    rows : slice or array
        Which rows.
    values : callable
        Draws of missing values.
    """
    columns = design.equation(equation).columns
    for each in design.imputed:
        places, which = _lacking(each, rows)
        if not len(places):
            continue
        slopes = design.slopes(each.name, each.lacking[which], columns)
        if slopes.any():
            away = values(each, which) - each.filled[each.lacking[which], None]
            eta[places] += (slopes @ b) * away


def fresh(predictor: Imputed, eta: FloatArray, own: Own, seed: int, hashes: Hashes) -> FloatArray:
    """Draw missing values of new rows around their linear predictors (n, S), a stream a row."""
    streams = Streams(seed, "missing", predictor.name)
    noise = [streams.at((hash_, same)).standard_normal(eta.shape[1])
             for hash_, same in hashes.tolist()]  # fmt: skip
    return np.asarray(eta + own[sigma(predictor.name)] * np.array(noise).reshape(eta.shape))


@dataclass
class _Law:
    """Normal variables (n, S): a mean, and loadings on independent standard normal ones."""

    mean: FloatArray
    loads: dict[str, FloatArray] = field(default_factory=dict)

    def add(self, slope: FloatArray, other: "_Law") -> None:
        """Add a multiple of another one."""
        self.mean = self.mean + slope * other.mean
        for name, load in other.loads.items():
            self.loads[name] = self.loads.get(name, 0.0) + slope * load


def law(
    design: Design,
    b: Mapping[str, FloatArray],
    own: Own,
    rows: IntArray,
    known: Sequence[FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """Mean and sd (n, S) of the response's location in rows that lack predictors.

    Parameters
    ----------
    design : Design
        Of the rows.
    b : mapping
        Population coefficients (P, S) by equation.
    own : mapping
        The family's own parameters.
    rows : array
        Which rows.
    known : sequence of array
        Linear predictors (n, S) with what stands in: of the location, then of each predictor.
    """  # fmt: skip
    laws: dict[str, _Law] = {}

    def with_others(equation: str, eta: FloatArray) -> _Law:
        found = _Law(eta)
        for name, other in laws.items():
            columns = design.equation(equation).columns
            found.add(design.slopes(name, rows, columns) @ b[equation], other)
        return found

    for each, eta in zip(design.imputed, known[1:], strict=True):
        found = with_others(each.name, eta - each.filled[rows, None])
        lacks = np.isin(rows, each.lacking)[:, None]
        found.loads[each.name] = np.broadcast_to(own[sigma(each.name)], eta.shape)
        loads = {name: load * lacks for name, load in found.loads.items()}
        laws[each.name] = _Law(found.mean * lacks, loads)
    location = with_others(MU, known[0])
    square = sum((load**2 for load in location.loads.values()), np.zeros_like(known[0]))
    return location.mean, np.sqrt(square)


def integrated(
    log_density: Callable[[FloatArray], FloatArray], mean: FloatArray, sd: FloatArray
) -> FloatArray:
    """Log of a density, averaged over normal variables of a mean and sd (n, S).

    Gauss and Hermite's points around the mode, as wide as the curvature there says.
    """

    def height(t: FloatArray) -> FloatArray:
        found = np.nan_to_num(log_density(mean + sd * t), nan=-1e10, neginf=-1e10)
        return np.asarray(found - 0.5 * t**2)

    t = np.zeros_like(mean)
    for _ in range(_CLIMBS):
        _, slope, curvature = parabola(height, t, _STEP)
        step = slope / np.maximum(curvature, 1.0)
        t = t + np.clip(step, -_LONGEST, _LONGEST)
        if np.abs(step).max(initial=0.0) < _STEP:
            break
    width = 1 / np.sqrt(np.maximum(parabola(height, t, _STEP).curvature, _LEAST))
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    logs = np.log(weights / weights.sum()) + 0.5 * nodes**2
    each = [height(t + width * node) + log for node, log in zip(nodes, logs, strict=True)]
    return np.asarray(np.logaddexp.reduce(each, axis=0) + np.log(width))
