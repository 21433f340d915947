"""Priors: scale-aware defaults and overrides in Stan's notation, as the numbers programs read.

A prior table maps the full name of every parameter (``b[floor]``, ``sd[county, Intercept]``,
``cor[county]``) to a proper distribution. An override names one parameter or a class of them:
``sd[county, floor]`` before ``sd[county]`` before ``sd``.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from hiermix.errors import PriorError, did_you_mean, quoted
from hiermix.formula.equations import MU
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True)
class Distribution:
    """One row of the table of distributions: how Stan codes and calls it."""

    code: int
    arguments: tuple[str, ...]
    positive: bool  # its support is above zero (or within (0, 1))


DISTRIBUTIONS: Mapping[str, Distribution] = {
    "normal": Distribution(1, ("location", "scale"), False),
    "student_t": Distribution(2, ("df", "location", "scale"), False),
    "cauchy": Distribution(2, ("location", "scale"), False),
    "double_exponential": Distribution(3, ("location", "scale"), False),
    "logistic": Distribution(4, ("location", "scale"), False),
    "exponential": Distribution(5, ("scale",), True),
    "gamma": Distribution(6, ("location", "scale"), True),
    "inv_gamma": Distribution(7, ("location", "scale"), True),
    "lognormal": Distribution(8, ("location", "scale"), True),
    "weibull": Distribution(9, ("location", "scale"), True),
    "beta": Distribution(10, ("location", "scale"), True),
}
"""Stan's names; ``location`` and ``scale`` stand for the first and second argument as Stan has
them (shape and rate for gamma)."""

_SIGNED = tuple(name for name, row in DISTRIBUTIONS.items() if not row.positive)


@dataclass(frozen=True)
class Prior:
    """A proper prior distribution in Stan's parameterisation.

    Parameters
    ----------
    distribution : str
        Stan's name, or ``"lkj"`` for a correlation matrix.
    arguments : tuple of float
        In Stan's order.
    """

    distribution: str
    arguments: tuple[float, ...]
    given: bool = field(default=False, compare=False)
    """Whether the user wrote it: it holds as written, and needs no remark."""

    def __str__(self) -> str:
        """Return the prior as Stan writes it, ``normal(0, 2.5)``."""
        return f"{self.distribution}({', '.join(f'{value:.4g}' for value in self.arguments)})"

    @property
    def exact(self) -> str:
        """The prior with every digit, which `parse_prior` reads back as the same prior."""
        return f"{self.distribution}({', '.join(repr(float(value)) for value in self.arguments)})"

    @property
    def code(self) -> int:
        """Number by which the programs know the distribution."""
        return DISTRIBUTIONS[self.distribution].code

    @property
    def location(self) -> float:
        """First Stan argument of location or shape; 0 where there is none."""
        return self._argument("location", 0.0)

    @property
    def scale(self) -> float:
        """Stan argument of scale or rate."""
        return self._argument("scale", 1.0)

    @property
    def df(self) -> float:
        """Degrees of freedom of a Student t; 1 for a Cauchy."""
        return self._argument("df", 1.0)

    def _argument(self, name: str, default: float) -> float:
        names = DISTRIBUTIONS[self.distribution].arguments
        return self.arguments[names.index(name)] if name in names else default

    def frozen(self) -> Any:
        """Return the distribution as a frozen scipy distribution."""
        return _frozen(self)

    def stan_row(self, *, positive: bool) -> list[float]:
        """Return what the programs read: location, scale, df, log mass above zero."""
        cut = positive and not DISTRIBUTIONS[self.distribution].positive
        mass = float(self.frozen().logsf(0.0)) if cut else 0.0
        return [self.location, self.scale, self.df, mass]


@cache
def _frozen(prior: Prior) -> Any:
    """Freeze a distribution once: scipy takes milliseconds for it."""
    from scipy import stats

    a, b = prior.location, prior.scale
    table: dict[int, Callable[[], Any]] = {
        1: lambda: stats.norm(a, b),
        2: lambda: stats.t(prior.df, a, b),
        3: lambda: stats.laplace(a, b),
        4: lambda: stats.logistic(a, b),
        5: lambda: stats.expon(scale=1 / b),
        6: lambda: stats.gamma(a, scale=1 / b),
        7: lambda: stats.invgamma(a, scale=b),
        8: lambda: stats.lognorm(b, scale=np.exp(a)),
        9: lambda: stats.weibull_min(a, scale=b),
        10: lambda: stats.beta(a, b),
    }
    return table[prior.code]()


type PriorTable = dict[str, Prior]


def parse_prior(text: str) -> Prior:
    """Read a prior in Stan's notation, ``"student_t(3, 0, 2.5)"``.

    Raises
    ------
    PriorError
        Unknown distribution, wrong number of arguments, or one out of range.
    """
    match = re.fullmatch(r"\s*(\w+)\s*\(([^()]*)\)\s*", text) if isinstance(text, str) else None
    if match is None:
        raise PriorError(
            f"prior {quoted(text)} can't be read: write it as in Stan, 'normal(0, 2.5)'"
        )
    name, inside = match.groups()
    if name == "flat" or (name not in DISTRIBUTIONS and name != "lkj"):
        known = [*DISTRIBUTIONS, "lkj"]
        raise PriorError(
            f"prior {text!r}: no distribution {name!r} here.{did_you_mean(name, known)} "
            f"Known: {', '.join(known)}. Priors are always proper."
        )
    return _checked(text, name, _numbers(text, inside))


def _numbers(text: str, inside: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in inside.split(",") if part.strip())
    except ValueError:
        raise PriorError(f"prior {text!r}: arguments must be numbers") from None


def _checked(text: str, name: str, arguments: tuple[float, ...]) -> Prior:
    wanted = ("shape",) if name == "lkj" else DISTRIBUTIONS[name].arguments
    if len(arguments) != len(wanted):
        raise PriorError(
            f"prior {text!r}: {name} takes {len(wanted)} arguments ({', '.join(wanted)}), "
            f"not {len(arguments)}"
        )
    shapes = ("gamma", "inv_gamma", "weibull", "beta")
    for argument, value in zip(wanted, arguments, strict=True):
        bounded = argument != "location" or name in shapes
        if not np.isfinite(value) or (bounded and value <= 0):
            rule = "positive and finite" if bounded else "finite"
            raise PriorError(f"prior {text!r}: its {argument} is {value:g} but must be {rule}")
    return Prior(name, arguments)


@dataclass(frozen=True)
class Slot:
    """A parameter that needs a prior: its names from special to general, and a default."""

    names: tuple[str, ...]
    default: Prior
    positive: bool = False

    @property
    def name(self) -> str:
        """Full name, as printed."""
        return self.names[0]


def b_name(term: str, equation: str = MU) -> str:
    """Name of the prior of a population coefficient: ``b[x]``, or ``b_sigma[x]`` of sigma."""
    of = "" if equation == MU else f"_{equation}"
    return f"Intercept{of}" if term == "Intercept" else f"b{of}[{term}]"


def population_slots(
    terms: Sequence[str], *, location: FloatArray, scale: FloatArray, equation: str = MU
) -> Iterable[Slot]:
    """Slots of the population coefficients; `location` and `scale` (P,) are their defaults'."""
    for term, center, width in zip(terms, location, scale, strict=True):
        name = b_name(term, equation)
        names = (name,) if term == "Intercept" else (name, name.partition("[")[0])
        yield Slot(names, Prior("normal", (float(center), float(width))))


def group_slots(
    name: str, effects: Sequence[str], blocks: Sequence[int], *, scale: FloatArray
) -> Iterable[Slot]:
    """Slots of one grouping factor; `scale` (Q,) is that of the default of each sd."""
    for effect, width in zip(effects, scale.tolist(), strict=True):
        default = Prior("student_t", (3.0, 0.0, width))
        yield Slot(sd_names(name, effect), default, positive=True)
    if max(blocks) > 1:
        yield Slot((f"cor[{name}]", "cor"), Prior("lkj", (1.0,)))


def sd_names(group: str, effect: str) -> tuple[str, ...]:
    """Names under which a prior for the sd of an effect may be written, the special first."""
    return (f"sd[{group}, {effect}]", f"sd[{group}]", "sd")


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
    return {slot.name: _choose(slot, given) for slot in slots}


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
    if (prior.distribution == "lkj") != (slot.default.distribution == "lkj"):
        raise PriorError(f"{prior} can't be the prior of {slot.name!r}")
    if prior.distribution != "lkj" and not slot.positive and prior.distribution not in _SIGNED:
        raise PriorError(
            f"{prior} is no prior for {slot.name!r}, which can be negative: "
            f"use one of {', '.join(_SIGNED)}"
        )
    return prior


def coded(priors: Sequence[Prior], *, positive: bool) -> tuple[IntArray, FloatArray]:
    """Return the codes (n,) and the rows of numbers (n, 4) that the programs read."""
    codes = np.array([prior.code for prior in priors], dtype=np.int64)
    rows = [prior.stan_row(positive=positive) for prior in priors]
    return codes, np.array(rows, dtype=np.float64).reshape(-1, 4)
