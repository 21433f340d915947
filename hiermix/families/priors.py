"""Priors: scale-aware defaults and overrides in Stan's notation, as the numbers programs read.

A prior table maps the full name of every parameter (``b[floor]``, ``sd[county, Intercept]``,
``cor[county]``) to a proper distribution. An override names one parameter or a class of them:
``sd[county, floor]`` before ``sd[county]`` before ``sd``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hiermix.errors import PriorError, count, did_you_mean, quoted
from hiermix.families.prior import DIRICHLET, DISTRIBUTIONS, TOGETHER, Prior, parse_prior
from hiermix.formula.equations import MU
from hiermix.typing import FloatArray, IntArray

_HALF = (0.0, np.inf)

type PriorTable = dict[str, Prior]


@dataclass(frozen=True)
class Slot:
    """A parameter that needs a prior: its names from special to general, and a default."""

    names: tuple[str, ...]
    default: Prior
    positive: bool = False
    bounded: bool = False
    """Whether its prior may bound it."""
    unit: tuple[float, float] | None = None
    """Of a slope that may be shrunk: one over the spread of the predictor, spread of its link."""
    within: tuple[float, float] = (-np.inf, np.inf)
    """Where it is: priors are cut off there."""
    shares: int = 0
    """How many shares it is, where these have one prior together."""

    @property
    def name(self) -> str:
        """Full name, as printed."""
        return self.names[0]


_STEP = re.compile(r"(mo\(.*?\)(?::[^\[]*)?)\[.*\]")


def b_name(term: str, equation: str = MU) -> str:
    """Name of the prior of a population coefficient: ``b[x]``, or ``b_sigma[x]`` of sigma."""
    of = "" if equation == MU else f"_{equation}"
    step = _STEP.fullmatch(term)  # one of those of a monotonic effect, which have one prior
    return f"Intercept{of}" if term == "Intercept" else f"b{of}[{step[1] if step else term}]"


def shares_name(term: str, equation: str = MU) -> str:
    """Name of the prior of the shares of a monotonic effect: ``simo[mo(x)]``."""
    return f"simo{'' if equation == MU else f'_{equation}'}[{term}]"


def population_slots(
    terms: Sequence[str],
    *,
    location: FloatArray,
    scale: FloatArray,
    size: FloatArray,
    spread: float,
    equation: str = MU,
) -> Iterable[Slot]:
    """Slots of the population coefficients.

    Parameters
    ----------
    terms
        Their labels.
    location, scale
        (P,) of their defaults.
    size
        (P,) spread of their columns.
    spread
        Of the linear predictor.
    equation
        Its name.
    """
    for term, center, width, each in zip(terms, location, scale, size, strict=True):
        name = b_name(term, equation)
        names = (name,) if term == "Intercept" else (name, name.partition("[")[0])
        default = Prior("normal", (float(center), float(width)))
        slope = term != "Intercept"
        unit = (float(1 / each), spread) if slope and equation == MU else None
        yield Slot(names, default, bounded=slope, unit=unit)


def of_any_response(slot: Slot) -> Slot:
    """Return the slot of a coefficient of one response, with the name of those of any last."""
    general = "Intercept" if slot.name.startswith("Intercept") else "b"
    return replace(slot, names=(*slot.names, general))


def group_slots(
    name: str, sd_names: Sequence[tuple[str, ...]], blocks: Sequence[int], *, scale: FloatArray
) -> Iterable[Slot]:
    """Slots of one grouping factor, by the names of its sds; `scale` (Q,) is their defaults'."""
    for names, width in zip(sd_names, scale.tolist(), strict=True):
        default = Prior("student_t", (3.0, 0.0, width))
        yield Slot(names, default, positive=True)
    if max(blocks) > 1:
        yield Slot((f"cor[{name}]", "cor"), Prior("lkj", (1.0,)))


def share_slot(term: str, equation: str, number: int, name: str) -> Slot:
    """Slot of the shares of a monotonic effect: all ways to share are alike by default.

    `name` is that of results; ``simo[mo(x)]`` stands beside ``b[mo(x)]``.
    """
    full = shares_name(term, equation)
    return Slot((full, name, full.partition("[")[0]), Prior(DIRICHLET, (1.0,)), shares=number)


def process_slots(
    sd_names: Sequence[tuple[str, ...]], *, scale: float, told: tuple[float, float]
) -> Iterable[Slot]:
    """Slots of a process: its sd, and its lengthscale.

    That is between what its columns can follow at the least and the width of its range, but for
    1 % beyond either end.
    """
    of_sd, of_length = sd_names
    yield Slot(of_sd, Prior("student_t", (3.0, 0.0, scale)), positive=True)
    yield Slot(of_length, Prior("inv_gamma", between(*told)), positive=True)


def between(low: float, high: float) -> tuple[float, float]:
    """Shape and scale of the inverse gamma that has 1 % below `low` and 1 % above `high`."""
    from scipy import optimize, stats

    def ratio(log_shape: float) -> float:
        law = stats.invgamma(np.exp(log_shape))
        return float(np.log(law.isf(0.01) / law.ppf(0.01)))

    wanted = np.log(max(high / low, 1.5))
    shape = float(np.exp(optimize.brentq(lambda x: ratio(x) - wanted, np.log(0.5), np.log(500))))
    return shape, float(np.sqrt(low * high / np.prod(stats.invgamma(shape).ppf([0.01, 0.99]))))


def fill(slots: Iterable[Slot], overrides: Mapping[str, str] | None = None) -> PriorTable:
    """Give every slot its most special override, or its default.

    Parameters
    ----------
    slots : iterable of Slot
        Every parameter of the model.
    overrides : mapping of str to str, optional
        Name of a parameter or a class of parameters to a prior in Stan's notation.

    Raises
    ------
    PriorError
        An override names nothing in the model, or its distribution doesn't fit the parameter.
    """
    slots = list(slots)
    _check_overrides(overrides)
    given = {
        canonical(name): replace(parse_prior(text), given=True)
        for name, text in (overrides or {}).items()
    }
    known = {canonical(name): name for slot in slots for name in slot.names}
    for name in overrides or {}:
        if canonical(name) not in known:
            raise PriorError(
                f"priors name {name!r}, which is not in the model."
                f"{did_you_mean(name, known.values())} Valid names: {', '.join(known.values())}"
            )
    found = {slot.name: _choose(slot, given) for slot in slots}
    if len({prior for prior in found.values() if prior.shrinks}) > 1:
        raise PriorError("slopes are shrunk together, by one prior: write it for 'b' alone")
    return found


def _check_overrides(overrides: object) -> None:
    """Raise unless priors are texts under names."""
    if overrides is not None and not isinstance(overrides, Mapping):
        raise PriorError(
            f"priors are a dict such as {{'b': 'normal(0, 1)'}}, not {quoted(overrides)}"
        )
    for name in overrides or {}:
        if not isinstance(name, str):
            raise PriorError(f"priors are named by text such as 'b', not by {quoted(name)}")


def canonical(name: str) -> str:
    """Name of a parameter with its blanks in the usual places, and a slash as in results."""
    return re.sub(r"\s*,\s*", ", ", name.strip()).replace("/", "÷")


def _choose(slot: Slot, given: Mapping[str, Prior]) -> Prior:
    names = map(canonical, slot.names)
    prior = next((given[name] for name in names if name in given), slot.default)
    kinds = {each.distribution for each in (prior, slot.default)}
    if len(kinds) > 1 and kinds & set(TOGETHER):
        raise PriorError(f"{prior} can't be the prior of {slot.name!r}{_instead(slot)}")
    if prior.shrinks:
        return _shrunk(slot, prior)
    if prior.distribution == DIRICHLET and len(prior.arguments) not in (1, slot.shares):
        raise PriorError(
            f"{prior} can't be the prior of {slot.name!r}: it has {count(slot.shares, 'share')}, "
            f"and a number for each or one for all, such as {slot.default}"
        )
    if prior.distribution not in TOGETHER:
        _check_bounds(slot, prior)
        low, high = slot.within
        return replace(prior, lower=max(prior.lower, low), upper=min(prior.upper, high))
    return prior


def _instead(slot: Slot) -> str:
    """Say what would be a prior of numbers that have one together, or nothing of others."""
    together = slot.default.distribution in TOGETHER
    return f": write {slot.default}, with other numbers" if together else ""


def _shrunk(slot: Slot, prior: Prior) -> Prior:
    """Return a prior of all slopes as it is for one of them."""
    if slot.unit is None:
        raise PriorError(
            f"{prior} can't be the prior of {slot.name!r}: it shrinks the slopes of the response's "
            "location, 'b', in a model of one linear predictor for it"
        )
    unit, spread = slot.unit
    return replace(prior, unit=unit, spread=spread)


def _check_bounds(slot: Slot, prior: Prior) -> None:
    """Raise for a bound where the parameter can't have it: slopes can have any."""
    if slot.bounded or (np.isfinite(slot.within).any() and prior.bounds == slot.within):
        return
    row = DISTRIBUTIONS[prior.distribution]
    if not slot.positive and prior.bounded:
        signed = [name for name, other in DISTRIBUTIONS.items() if not other.positive]
        raise PriorError(
            f"{prior} is no prior for {slot.name!r}, which can be negative: "
            f"use one of {', '.join(signed)}, without bounds"
        )
    if slot.positive and not row.positive and prior.bounds not in ((-np.inf, np.inf), _HALF):
        raise PriorError(
            f"{prior} is no prior for {slot.name!r}: positive parameters are cut off at zero and "
            "nowhere else, and bounds are for slopes, 'b[x]'"
        )


def coded(priors: Sequence[Prior], *, positive: bool) -> tuple[IntArray, FloatArray]:
    """Return the codes (n,) and the rows of numbers (n, 4) that the programs read."""
    codes = np.array([prior.code for prior in priors], dtype=np.int64)
    rows = [prior.stan_row(positive=positive) for prior in priors]
    return codes, np.array(rows, dtype=np.float64).reshape(-1, 4)
