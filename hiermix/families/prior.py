"""A prior distribution in Stan's notation, and the numbers that programs read of it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from hiermix.errors import PriorError, did_you_mean, quoted
from hiermix.typing import FloatArray


@dataclass(frozen=True)
class Distribution:
    """One row of the table of distributions: how Stan codes and calls it."""

    code: int
    arguments: tuple[str, ...]
    support: tuple[float, float] = (-np.inf, np.inf)

    @property
    def positive(self) -> bool:
        """Whether it has no mass below zero."""
        return self.support[0] == 0


_POSITIVE, _SHARE = (0.0, np.inf), (0.0, 1.0)

DISTRIBUTIONS: Mapping[str, Distribution] = {
    "normal": Distribution(1, ("location", "scale")),
    "student_t": Distribution(2, ("df", "location", "scale")),
    "cauchy": Distribution(2, ("location", "scale")),
    "double_exponential": Distribution(3, ("location", "scale")),
    "logistic": Distribution(4, ("location", "scale")),
    "exponential": Distribution(5, ("scale",), _POSITIVE),
    "gamma": Distribution(6, ("location", "scale"), _POSITIVE),
    "inv_gamma": Distribution(7, ("location", "scale"), _POSITIVE),
    "lognormal": Distribution(8, ("location", "scale"), _POSITIVE),
    "weibull": Distribution(9, ("location", "scale"), _POSITIVE),
    "beta": Distribution(10, ("location", "scale"), _SHARE),
}
"""Stan's names; ``location`` and ``scale`` stand for the first and second argument as Stan has
them (shape and rate for gamma)."""

SHRINKAGE: Mapping[str, Mapping[str, float]] = {
    "horseshoe": {
        "df": 1.0, "scale_global": 1.0, "df_global": 1.0, "scale_slab": 2.0, "df_slab": 4.0,
    },
    "r2d2": {"mean_R2": 0.5, "prec_R2": 2.0, "cons_D2": 0.5},
}  # fmt: skip
"""Priors of all slopes together, whose prior sds are parameters: arguments and their defaults, as
brms has them. Scales are in units of spread of the response by spread of the predictor."""

LKJ, DIRICHLET = TOGETHER = "lkj", "dirichlet"
"""Distributions of several numbers together: correlations, and shares that add up to one."""

_HALF = "half_"
"""Before a distribution around zero: ``half_normal(1)`` is ``normal(0, 1, lower=0)``."""


@dataclass(frozen=True)
class Prior:
    """A proper prior distribution in Stan's parameterisation.

    Parameters
    ----------
    distribution : str
        Stan's name; ``"lkj"`` for a correlation matrix, ``"dirichlet"`` for shares.
    arguments : tuple of float
        In Stan's order.
    lower, upper : float
        Where it is cut off.
    """

    distribution: str
    arguments: tuple[float, ...]
    given: bool = field(default=False, compare=False)
    """Whether the user wrote it: it holds as written, and needs no remark."""
    lower: float = -np.inf
    upper: float = np.inf
    unit: float = field(default=1.0, compare=False)
    """Of slopes that are shrunk: one over the spread of the predictor."""
    spread: float = field(default=1.0, compare=False)
    """Likewise, of the linear predictor of the response."""

    def __str__(self) -> str:
        """Return the prior as Stan writes it, ``normal(0, 2.5)``."""
        return self._written(lambda value: f"{value:.4g}")

    @property
    def exact(self) -> str:
        """The prior with every digit, which `parse_prior` reads back as the same prior."""
        return self._written(lambda value: repr(float(value)))

    def _written(self, number: Callable[[float], str]) -> str:
        inside = [number(value) for value in self.arguments]
        cuts = (("lower", self.lower), ("upper", self.upper))
        inside += [f"{name}={number(value)}" for name, value in cuts if np.isfinite(value)]
        return f"{self.distribution}({', '.join(inside)})"

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

    @property
    def shrinks(self) -> bool:
        """Whether it is a prior of all slopes together, whose prior sds are parameters."""
        return self.distribution in SHRINKAGE

    @property
    def bounds(self) -> tuple[float, float]:
        """Where its support ends: infinite where it does not."""
        if self.shrinks:
            return -np.inf, np.inf
        low, high = DISTRIBUTIONS[self.distribution].support
        return max(low, self.lower), min(high, self.upper)

    @property
    def bounded(self) -> bool:
        """Whether its support ends anywhere."""
        return bool(np.isfinite(self.bounds).any())

    @property
    def normal(self) -> tuple[float, float]:
        """Location and scale of the normal prior that stands for it in quick fits."""
        if self.shrinks:
            return 0.0, self.unit * self.spread
        return _stand_in(self) if self.bounded else (self.location, self.scale)

    def frozen(self) -> Any:
        """Return the distribution, without the cuts, as a frozen scipy distribution."""
        return _frozen(self)

    def log_mass(self, *, positive: bool = False) -> float:
        """Log of the probability that the cuts leave, one at zero included if `positive`."""
        low, high = self.bounds
        low = max(low, 0.0) if positive else low
        support = DISTRIBUTIONS[self.distribution].support
        if (low, high) == support:
            return 0.0
        if high == support[1]:
            return float(self.frozen().logsf(low))
        return float(np.log(self.between(low, high)))

    def between(self, low: float, high: Any) -> Any:
        """Probability between two values, without the cuts; no digits are lost on 1 - 1."""
        frozen = self.frozen()
        if frozen.sf(low) < 0.5:
            return frozen.sf(low) - frozen.sf(high)
        return frozen.cdf(high) - frozen.cdf(low)

    def stan_row(self, *, positive: bool) -> list[float]:
        """Return what the programs read: location, scale, df, log mass that the cuts leave."""
        return [self.location, self.scale, self.df, self.log_mass(positive=positive)]


def log_densities(priors: Sequence[Prior]) -> Callable[[FloatArray], FloatArray]:
    """Return what gives log densities (..., n) of values (..., n), without the cuts.

    Priors of one distribution share a call: scipy takes as long for one number as for hundreds.
    """
    places: dict[int, list[int]] = {}
    for place, prior in enumerate(priors):
        places.setdefault(prior.code, []).append(place)
    together = [(at, _of_scipy(code, *np.array([[priors[i].df, priors[i].location, priors[i].scale]
                                                for i in at]).T))
                for code, at in places.items()]  # fmt: skip

    def density(values: FloatArray) -> FloatArray:
        found = np.empty(values.shape)
        for at, distribution in together:
            found[..., at] = distribution.logpdf(values[..., at])
        return found

    return density


@cache
def _frozen(prior: Prior) -> Any:
    """Freeze a distribution once: scipy takes milliseconds for it."""
    return _of_scipy(prior.code, prior.df, prior.location, prior.scale)


def _of_scipy(code: int, df: Any, a: Any, b: Any) -> Any:
    """Return a distribution of scipy, of Stan's arguments or arrays of them."""
    from scipy import stats

    table: dict[int, Callable[[], Any]] = {
        1: lambda: stats.norm(a, b),
        2: lambda: stats.t(df, a, b),
        3: lambda: stats.laplace(a, b),
        4: lambda: stats.logistic(a, b),
        5: lambda: stats.expon(scale=1 / b),
        6: lambda: stats.gamma(a, scale=1 / b),
        7: lambda: stats.invgamma(a, scale=b),
        8: lambda: stats.lognorm(b, scale=np.exp(a)),
        9: lambda: stats.weibull_min(a, scale=b),
        10: lambda: stats.beta(a, b),
    }
    return table[code]()


@cache
def _stand_in(prior: Prior) -> tuple[float, float]:
    """Median, and half the distance of the quantiles one sd away, within the bounds."""
    frozen = prior.frozen()
    low, high = prior.bounds
    if frozen.sf(low) < 0.5:
        ends = frozen.sf([low, high])
        find = frozen.isf
    else:
        ends = frozen.cdf([low, high])
        find = frozen.ppf
    at = find(ends[0] + (ends[1] - ends[0]) * np.array([0.158655, 0.5, 0.841345]))
    return float(at[1]), float(abs(at[2] - at[0]) / 2)


def parse_prior(text: str) -> Prior:
    """Read a prior in Stan's notation, ``"student_t(3, 0, 2.5)"``, ``"normal(0, 1, lower=0)"``.

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
    if name.startswith(_HALF) and name.removeprefix(_HALF) in DISTRIBUTIONS:
        return _half(text, name.removeprefix(_HALF), inside)
    if name in SHRINKAGE:
        return _shrinking(text, name, inside)
    if name == "flat" or (name not in DISTRIBUTIONS and name not in TOGETHER):
        known = [*DISTRIBUTIONS, *TOGETHER, *SHRINKAGE]
        raise PriorError(
            f"prior {text!r}: no distribution {name!r} here.{did_you_mean(name, known)} "
            f"Known: {', '.join(known)}. Priors are always proper."
        )
    arguments, cuts = _arguments(text, inside)
    return _cut(text, _checked(text, name, arguments), cuts)


def _half(text: str, name: str, inside: str) -> Prior:
    """Read the half above zero of a distribution around zero, whose location is left out."""
    names = DISTRIBUTIONS[name].arguments
    arguments, cuts = _arguments(text, inside)
    if "location" not in names or DISTRIBUTIONS[name].positive or cuts:
        raise PriorError(f"prior {text!r} can't be read: write it as in Stan, 'normal(0, 2.5)'")
    left = [each for each in names if each != "location"]
    if len(arguments) != len(left):
        raise PriorError(
            f"prior {text!r}: {_HALF}{name} takes {', '.join(left)}, for it is around zero"
        )
    place = names.index("location")
    whole = (*arguments[:place], 0.0, *arguments[place:])
    return replace(_checked(text, name, whole), lower=0.0)


def _shrinking(text: str, name: str, inside: str) -> Prior:
    """Read a prior of all slopes: arguments in their order or by name, defaults for the rest."""
    found = dict(SHRINKAGE[name])
    parts = list(filter(str.strip, inside.split(",")))
    if len(parts) > len(found):
        raise PriorError(f"prior {text!r}: {name} takes {len(found)} arguments at most "
                         f"({', '.join(found)}), not {len(parts)}")  # fmt: skip
    for key, part in zip(found, parts, strict=False):
        named, equals, value = part.rpartition("=")
        named = named.strip() if equals else key
        if named not in found:
            raise PriorError(f"prior {text!r}: {name} takes {', '.join(found)}, not {named!r}")
        try:
            found[named] = float(value)
        except ValueError:
            raise PriorError(f"prior {text!r}: arguments must be numbers") from None
    for key, number in found.items():
        most = 1.0 if key == "mean_R2" else np.inf
        if not 0 < number < most:
            rule = "between 0 and 1" if most == 1 else "positive and finite"
            raise PriorError(f"prior {text!r}: its {key} is {number:g} but must be {rule}")
    return Prior(name, tuple(found.values()))


def _arguments(text: str, inside: str) -> tuple[tuple[float, ...], dict[str, float]]:
    """Return the numbers between the brackets, and the bounds by name."""
    numbers: list[float] = []
    cuts: dict[str, float] = {}
    for part in filter(str.strip, inside.split(",")):
        key, equals, value = part.rpartition("=")
        key = key.strip()
        if equals and (key not in ("lower", "upper") or key in cuts):
            raise PriorError(f"prior {text!r}: a bound is written once, lower=0 or upper=1")
        if cuts and not equals:
            raise PriorError(f"prior {text!r}: bounds come last, as in 'normal(0, 1, lower=0)'")
        try:
            number = float(value)
        except ValueError:
            raise PriorError(f"prior {text!r}: arguments must be numbers") from None
        if equals:
            cuts[key] = number
        else:
            numbers.append(number)
    return tuple(numbers), cuts


def _checked(text: str, name: str, arguments: tuple[float, ...]) -> Prior:
    wanted = ("shape",) * max(1, len(arguments)) if name == DIRICHLET else ("shape",)
    wanted = wanted if name in TOGETHER else DISTRIBUTIONS[name].arguments
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


def _cut(text: str, prior: Prior, cuts: Mapping[str, float]) -> Prior:
    """Cut a prior off at its bounds, which must leave some of it."""
    if not cuts:
        return prior
    if prior.distribution in TOGETHER or DISTRIBUTIONS[prior.distribution].positive:
        raise PriorError(
            f"prior {text!r}: {prior.distribution} has bounds of its own; those that are cut off "
            f"are {', '.join(name for name, row in DISTRIBUTIONS.items() if not row.positive)}"
        )
    if not np.isfinite(list(cuts.values())).all():
        raise PriorError(f"prior {text!r}: leave out a bound that is infinite")
    found = replace(prior, lower=cuts.get("lower", -np.inf), upper=cuts.get("upper", np.inf))
    if not found.lower < found.upper or not np.isfinite(found.log_mass()):
        raise PriorError(f"prior {text!r}: nothing of it is left between its bounds")
    return found
