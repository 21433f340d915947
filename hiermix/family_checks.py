"""The parts of a custom family checked against each other: density, Stan's, draws and mean."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from hiermix.engines import gradients
from hiermix.engines.embedded import Embedded
from hiermix.errors import ArgumentError, EngineError, ignored_warnings
from hiermix.families.custom_family import CustomFamily
from hiermix.families.links import inverse_link
from hiermix.stan import custom_program
from hiermix.typing import FloatArray

_SETS, _EACH = 12, 5
"""Sets of parameters, and responses of each, at which densities are compared."""
_DRAWS = 20_000
_SAME = 1e-7
"""Relative difference of log densities that rounding may leave."""
_MASS = 1e-3
"""By how much a density may add up to something else than one, for quadrature's sake."""
_ERRORS = 6.0
_MOST = 1_000_000
"""Counts that are added up."""


class _Point(NamedTuple):
    """A set of parameters, one number each."""

    values: tuple[float, ...]
    said: str


def check_once(family: object) -> None:
    """Check a family, if it is one that somebody wrote, before the first fit."""
    if isinstance(family, CustomFamily):
        gradients.where_they_work(partial(check, family))


@cache
def check(custom: CustomFamily) -> None:
    """Raise where the parts of a family don't agree; once for each.

    Raises
    ------
    ArgumentError
        With the parameters at which they don't, and both numbers.
    """
    rng = np.random.default_rng(1)
    points = [_point(custom, rng, place) for place in range(_SETS)]
    _check_shapes(custom, points[0])
    drawn = [_drawn(custom, point, rng, _EACH) for point in points]
    _compare_densities(custom, points, drawn)
    for point in points[:3]:
        _check_distribution(custom, point, rng)


def _point(custom: CustomFamily, rng: np.random.Generator, place: int) -> _Point:
    """Choose parameters that are neither small nor large on the scale of their links.

    Where one is small a density may have its mass nearer to zero or one than any number. A mean
    without a link may be any number, and so is below zero every other time.
    """
    eta = rng.normal(0.0, 0.5, 1 + len(custom.own))
    if custom.link == "identity":
        eta[0] = abs(eta[0]) * (-1) ** place
    eta[1:] += 0.7
    mu = float(inverse_link(custom.link, eta[:1])[0])
    own = [float(inverse_link("logit" if link == "logit" else "log", eta[i : i + 1])[0])
           + (link == "logm1") for i, link in enumerate(custom.own.values(), start=1)]  # fmt: skip
    said = ", ".join(f"{name}={value:.4g}" for name, value in
                     zip(custom.parameters, (mu, *own), strict=True))  # fmt: skip
    return _Point((mu, *own), said)


# Arrays ------------------------------------------------------------------------------------------


def _check_shapes(custom: CustomFamily, point: _Point) -> None:
    """Rows, draws, and rows by draws must broadcast, as predictions hand them over."""
    mu, *own = point.values
    values = [np.full((3, 4), mu), *(np.full(4, value) for value in own)]
    drawn = _called(custom, "draw", np.random.default_rng(0), *np.broadcast_arrays(*values))
    _check_shape(custom, "draw", drawn)
    _check_shape(custom, "log_density", _called(custom, "log_density", drawn[:, :1], *values))
    mean = _called(custom, "mean", *values)
    if mean.shape not in ((), (4,)):  # one that does not depend on all of them
        _check_shape(custom, "mean", mean)


def _check_shape(custom: CustomFamily, what: str, found: FloatArray) -> None:
    if found.shape != (3, 4):
        raise ArgumentError(
            f"{what} of family {custom.name!r} returns an array of {found.shape} for parameters of "
            "(3, 4): write it with functions that work on whole arrays, such as numpy's"
        )


def _called(custom: CustomFamily, what: str, *arguments: Any) -> FloatArray:
    try:
        with np.errstate(all="ignore"):
            return np.asarray(getattr(custom, what)(*arguments), dtype=np.float64)
    except Exception as error:
        names = ", ".join(custom.parameters)
        first = {"draw": "rng, ", "log_density": "y, "}.get(what, "")
        raise ArgumentError(
            f"{what}({first}{names}) of family {custom.name!r} fails on arrays: {error}"
        ) from error


def _drawn(
    custom: CustomFamily, point: _Point, rng: np.random.Generator, number: int
) -> FloatArray:
    y = _called(custom, "draw", rng, *(np.full(number, value) for value in point.values))
    low, high = {"real": (-np.inf, np.inf), "share": (0, 1)}.get(custom.support, (0, np.inf))
    outside = ~np.isfinite(y) | (y < low) | (y > high)
    if custom.support == "count":
        outside |= y != np.floor(y)
    if outside.any():
        raise ArgumentError(
            f"family {custom.name!r} draws {y[outside][0]:.4g} at {point.said}, which is not "
            f"{custom.support}: look at draw, and at support="
        )
    return y


# Densities ---------------------------------------------------------------------------------------


def _compare_densities(custom: CustomFamily, points: list[_Point], drawn: list[FloatArray]) -> None:
    y = np.concatenate(drawn)
    values = np.repeat([point.values for point in points], _EACH, axis=0)
    mine = _called(custom, "log_density", y, *values.T)
    theirs = _of_stan(custom, y, values)
    wrong = ~(np.abs(mine - theirs) <= _SAME * np.maximum(1.0, np.abs(theirs)))
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise ArgumentError(
            f"the densities of family {custom.name!r} differ at y={y[at]:.4g}, "
            f"{points[at // _EACH].said}: log_density is {mine[at]:.8g}, Stan's {theirs[at]:.8g}. "
            f"Parameters come in the order {', '.join(custom.parameters)}, constants count, and a "
            "Stan function has one return, at its end"
        )


def _of_stan(custom: CustomFamily, y: FloatArray, values: FloatArray) -> FloatArray:
    """Log density of each response, by the likelihood in Stan."""
    family = custom.family()
    data = custom_program.density_data(family, y, values)
    try:
        _, gradient = Embedded().log_density(
            custom_program.density(family), data, np.zeros((1, len(y)))
        )
    except EngineError as error:
        kind = "int" if custom.support == "count" else "real"
        names = ", ".join(f"real {name}" for name in custom.parameters)
        raise ArgumentError(
            f"the likelihood of family {custom.name!r} can't be compiled. It is called as "
            f"real {custom.function}({kind} y, {names}), and stands in the block of functions "
            f"already. {error}"
        ) from error
    return np.asarray(gradient[0])


def _check_distribution(custom: CustomFamily, point: _Point, rng: np.random.Generator) -> None:
    """Check that the density adds up to one, and that draws and mean are those of it."""
    y = np.sort(_drawn(custom, point, rng, _DRAWS))
    ends = y[[0, _DRAWS // 4, _DRAWS // 2, 3 * _DRAWS // 4, -1]]
    parts = _sums(custom, point, ends) if custom.support == "count" else list(
        _integrals(custom, point, ends)
    )  # fmt: skip
    mass, moment = np.sum(parts, axis=0)
    if not abs(mass - 1) <= _MASS:
        any_number = ". mu has link identity, and may be any number: see links log and logit"
        raise ArgumentError(
            f"the density of family {custom.name!r} adds up to {mass:.6g} instead of 1 at "
            f"{point.said}{any_number if custom.link == 'identity' else ''}"
        )
    _check_draws(custom, point, y, ends, np.cumsum([part[0] for part in parts]))
    mean = float(_called(custom, "mean", *map(np.array, point.values)))
    size = abs(moment) + float(np.subtract(*np.quantile(y, [0.75, 0.25])))
    if np.isfinite(mean) and abs(mean - moment) > 10 * _MASS * size:
        raise ArgumentError(
            f"mean of family {custom.name!r} is {mean:.6g} at {point.said}, and that of its "
            f"density {moment:.6g}"
        )


def _check_draws(
    custom: CustomFamily, point: _Point, y: FloatArray, ends: FloatArray, below: FloatArray
) -> None:
    for end, probability in zip(ends[1:4], below[1:4], strict=True):
        share = float(np.mean(y <= end))
        error = np.sqrt(max(probability * (1 - probability), 1e-4) / _DRAWS)
        if abs(share - probability) > _ERRORS * error + _MASS:
            raise ArgumentError(
                f"family {custom.name!r} draws {share:.3f} of its responses up to {end:.4g} at "
                f"{point.said}, and its density says {probability:.3f}"
            )


def _integrals(
    custom: CustomFamily, point: _Point, ends: FloatArray
) -> Iterator[tuple[float, float]]:
    """Mass and first moment of the pieces between the ends, and beyond them.

    Along the logarithm, or the logit, where responses are bounded: a density may have no bound
    where they end.
    """
    from scipy.integrate import quad

    scale, values = _SCALES[custom.support], [np.array(value) for value in point.values]

    def density(t: float, power: int) -> float:
        y, log_slope = scale.back(t)
        inside = float(_called(custom, "log_density", np.array(y), *values))
        return float(np.exp(inside + log_slope)) * y**power

    for start, stop in pairwise([scale.low, *map(scale.to, ends.tolist()), scale.high]):
        with ignored_warnings():
            yield tuple(  # type: ignore[misc]
                quad(partial(density, power=power), start, stop, limit=200)[0] for power in (0, 1)
            )


class _Scale(NamedTuple):
    """A scale on which responses have no ends but those of numbers."""

    low: float
    high: float
    to: Callable[[float], float]
    back: Callable[[float], tuple[float, float]]
    """To the response, and the log of its slope."""


def _logit(y: float) -> float:
    inside = min(max(y, 1e-300), 1 - 1e-16)
    return float(np.log(inside) - np.log1p(-inside))


def _share(t: float) -> tuple[float, float]:
    return float(1 / (1 + np.exp(-t))), float(-np.logaddexp(0, t) - np.logaddexp(0, -t))


_SCALES = {
    "real": _Scale(-np.inf, np.inf, float, lambda t: (t, 0.0)),
    "positive": _Scale(-690.0, 690.0, lambda y: float(np.log(max(y, 1e-299))),
                       lambda t: (float(np.exp(t)), t)),
    "share": _Scale(-690.0, 36.0, _logit, _share),
}  # fmt: skip


def _sums(custom: CustomFamily, point: _Point, ends: FloatArray) -> list[tuple[float, float]]:
    """Mass and first moment of the counts up to each end, and beyond the last."""
    most = int(min(100 * (ends[-1] + 10), _MOST))
    counts = np.arange(most + 1.0)
    values = [np.full(len(counts), value) for value in point.values]
    mass = np.exp(_called(custom, "log_density", counts, *values))
    edges = [-1, *ends, most]
    inside = [(counts > low) & (counts <= high) for low, high in pairwise(edges)]
    return [(float(mass[some].sum()), float(mass[some] @ counts[some])) for some in inside]
