"""The model for its own rows and as many simulated ones: with rows, or with their sums alone."""

from collections.abc import Iterator, Sequence

import numpy as np

from hiermix.checking.findings import NotLookedAtError, needs_independent_rows
from hiermix.checking.refits import Refittable
from hiermix.design.design import Design
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import predict
from hiermix.prediction.pieces import draw_matrix
from hiermix.statistics.simulated import simulated
from hiermix.statistics.summed import Statistics
from hiermix.typing import FloatArray

_ENTRIES = 5_000_000


def models(
    posterior: Posterior, model: Refittable, places: np.ndarray, seed: int
) -> Iterator[Refittable]:
    """Yield, for each of some draws, the model of old responses and of new ones of that draw.

    Raises
    ------
    NotLookedAtError
        Responses can't be simulated.
    """
    if isinstance(model.statistics, Statistics):
        return _by_sums(posterior, model, model.statistics, places, seed)
    _check(posterior.design)
    return _by_rows(posterior, model, places, seed)


def _check(design: Design) -> None:
    needs_independent_rows(design)
    if design.weights is not None and (design.weights != 1).any():
        raise NotLookedAtError(_WEIGHTED)
    if design.counts is not None:
        raise NotLookedAtError("counts of several categories are simulated by no replicate yet")
    if design.imputed:
        raise NotLookedAtError("predictors with missing values are simulated by no replicate yet")
    if design.censored is not None:
        raise NotLookedAtError("of censored rows it is not known when others would be censored")


_WEIGHTED = "rows have weights, with which no response can be simulated"


def _by_rows(
    posterior: Posterior, model: Refittable, places: np.ndarray, seed: int
) -> Iterator[Refittable]:
    design = posterior.design
    assert design.response is not None
    rows, together = np.tile(np.arange(design.rows), 2), max(1, _ENTRIES // design.rows)
    for start in range(0, len(places), together):
        some = places[start : start + together]
        source = predict.predictor(posterior, seed=seed + start, draws=some)
        for drawn in draw_matrix(source, "response").T:
            response = np.concatenate([design.response, _coded(design, drawn)])
            yield model.of_rows(rows, response)


def _coded(design: Design, drawn: FloatArray) -> FloatArray:
    """Return responses as the fit has them: ratings count from 1."""
    if design.ratings is None:
        return drawn
    return np.searchsorted(design.ratings, drawn).astype(np.float64) + 1.0


# Sums --------------------------------------------------------------------------------------------


def _by_sums(
    posterior: Posterior, model: Refittable, found: Statistics, places: np.ndarray, seed: int
) -> Iterator[Refittable]:
    if found.coding.weights is not None:
        raise NotLookedAtError(_WEIGHTED)
    return (
        _of_sums(model, found + simulated(
            found, _coefficients(posterior, found, place), _effects(posterior, found, place),
            float(posterior.draws["sigma"].to_numpy().ravel()[place]),
            np.random.default_rng([seed, 7, int(place)]),
        ))
        for place in places
    )  # fmt: skip


def _of_sums(model: Refittable, sums: Statistics) -> Refittable:
    other: Refittable = model.from_statistics(sums, str(model.design.formula))
    other.priors, other.origins = model.priors, model.origins
    return other


def _coefficients(posterior: Posterior, found: Statistics, place: int) -> FloatArray:
    """Coefficients (P,) of the columns of statistics; zero of those that the model leaves out."""
    labels = found.coding.plan.population.labels
    known = posterior.design.terms
    columns = ["Intercept", *(each for each in labels if each != "Intercept")]
    b = dict(zip(known, posterior.b(draws=[place])[:, 0].tolist(), strict=True))
    return np.array([b.get(label, 0.0) for label in columns])


def _effects(posterior: Posterior, found: Statistics, place: int) -> FloatArray:
    """Effects (J, Q) of the columns of statistics, and of their levels."""
    specs = next(iter(found.coding.plan.effects.values()), ())
    columns = [label for spec in specs for label in spec.labels]
    r = np.zeros((len(found.levels), len(columns)))
    for grouping in posterior.design.groupings:
        chain, draw = np.unravel_index(place, posterior.shape)
        mine = posterior.effects(grouping.name).isel(chain=int(chain), draw=int(draw)).to_numpy()
        at = _places(found.levels.tolist(), grouping.levels.tolist())
        for label, values in zip(grouping.effects, mine.T, strict=True):
            r[at, columns.index(label)] = values
    return r


def _places(there: Sequence[object], here: Sequence[object]) -> list[int]:
    place = {level: position for position, level in enumerate(there)}
    return [place[level] for level in here]
