"""A family that a user writes: its likelihood in Stan, and mean, draw and log density in numpy."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np

from hiermix import options
from hiermix.design.design import Design
from hiermix.errors import ArgumentError, quoted
from hiermix.families import custom_units, linear_scale, links
from hiermix.families import response_rules as rules
from hiermix.families.family import Family, Rule
from hiermix.families.links import Own
from hiermix.families.own_parameter import OwnParameter
from hiermix.families.prior import Prior, parse_prior
from hiermix.formula.equations import MU
from hiermix.typing import FloatArray

type Support = Literal["real", "positive", "share", "count"]

_SUPPORTS: dict[str, tuple[Rule, Callable[[FloatArray], FloatArray]]] = {
    "real": (rules.real, links.unchanged),
    "positive": (rules.positive, np.log),
    "share": (rules.share, links.log_odds),
    "count": (rules.count, links.unchanged),
}
_LOCATION_LINKS = ("identity", "log", "logit", "probit", "cloglog")
_TRANSFORMS: dict[str, Literal["log", "log_above_one", "logit"]] = {
    "log": "log", "logit": "logit", "logm1": "log_above_one",
}  # fmt: skip
_PRIORS = {"log": "student_t(3, 0, 2.5)", "logit": "beta(1, 1)", "logm1": "gamma(2, 0.1)"}


@dataclass(frozen=True, eq=False)
class CustomFamily:
    """A family of responses that the package doesn't have.

    Before the first fit its parts are checked against each other: the numpy density against Stan's
    at random points, that it adds up to one, the draws against it, and the mean.

    Parameters
    ----------
    name : str
        Of the family, and of its Stan function.
    likelihood : str
        Stan functions, of which one is ``<name>_lpdf(real y, real mu, ...)``, or of counts
        ``<name>_lpmf(int y, real mu, ...)``, with the parameters in their order.
    parameters : mapping of str to str
        Parameters and their links. First ``"mu"``, which the formula is about: ``"identity"``,
        ``"log"``, ``"logit"``, ``"probit"`` or ``"cloglog"``. Then the others, which may have
        formulas of their own: ``"log"``, ``"logit"``, or ``"logm1"``, the log of what it has above
        one.
    mean : callable
        ``mean(mu, ...)``: the mean of the response, of arrays that broadcast.
    draw : callable
        ``draw(rng, mu, ...)``: a response for each element of the broadcast arrays.
    log_density : callable
        ``log_density(y, mu, ...)``: the pointwise log density.
    support : {"real", "positive", "share", "count"}
        What responses are: any numbers, those above zero, those between zero and one, or 0, 1, ...
    priors : mapping of str to str, optional
        Default priors of the parameters but for mu, in Stan's notation; wide ones by default, and
        in units of the response for those that stretch with it.

    Raises
    ------
    ArgumentError
        A part is missing or of the wrong kind.
    """

    name: str
    likelihood: str = field(repr=False)
    parameters: Mapping[str, str]
    mean: Callable[..., Any] = field(repr=False)
    draw: Callable[..., Any] = field(repr=False)
    log_density: Callable[..., Any] = field(repr=False)
    support: Support = "real"
    priors: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise ArgumentError(
                f"the name of a family is small letters, digits and _, not {quoted(self.name)}"
            )
        options.one_of("support", self.support, tuple(_SUPPORTS))
        function = self.function
        if not isinstance(self.likelihood, str) or function + "(" not in self.likelihood:
            first = "int y" if self.support == "count" else "real y"
            raise ArgumentError(
                f"the likelihood of family {self.name!r} is the text of a Stan function: "
                f"real {function}({first}, real mu, ...), with the parameters in their order"
            )
        for what in ("mean", "draw", "log_density"):
            if not callable(getattr(self, what)):
                raise ArgumentError(f"{what} of family {self.name!r} is a function")
        self._check_parameters()

    def _check_parameters(self) -> None:
        if not isinstance(self.parameters, Mapping) or next(iter(self.parameters), None) != MU:
            raise ArgumentError(
                f"parameters of family {self.name!r} are a dict whose first is 'mu', such as "
                "{'mu': 'identity', 'sigma': 'log'}"
            )
        for place, (name, link) in enumerate(self.parameters.items()):
            known = tuple(_TRANSFORMS) if place else _LOCATION_LINKS
            options.one_of(f"the link of {name}", link, known)
        if not isinstance(self.priors, Mapping):
            raise ArgumentError(
                f"priors of family {self.name!r} are a dict, such as {{'sigma': 'exponential(1)'}}"
            )
        for name in self.priors:
            if name not in self.own:
                raise ArgumentError(
                    f"priors name {quoted(name)}, which is no parameter of family {self.name!r} "
                    "beside mu"
                )
            parse_prior(self.priors[name])

    @property
    def function(self) -> str:
        """Name of its Stan function."""
        return f"{self.name}_{'lpmf' if self.support == 'count' else 'lpdf'}"

    @property
    def own(self) -> dict[str, str]:
        """Parameters beside mu, and their links."""
        return {name: link for name, link in self.parameters.items() if name != MU}

    @property
    def link(self) -> str:
        """Link of mu."""
        return self.parameters[MU]

    @property
    def written(self) -> dict[str, Any]:
        """What a file can hold of it: all but its functions in numpy."""
        return {
            "name": self.name, "likelihood": self.likelihood, "support": self.support,
            "parameters": dict(self.parameters), "priors": dict(self.priors),
        }  # fmt: skip

    def family(self) -> Family:
        """Return it as a row of the table of families is."""
        rule, additive = _SUPPORTS[self.support]
        whole = self.support == "count"
        return Family(
            self.name, (self.link,), "custom", rule, _scale,
            partial(_mean, self), partial(_draw, self), partial(_log_density, self), None,
            own=tuple(self._own(name, link) for name, link in self.own.items()),
            form="whole" if whole else "as given", continuous=not whole, concave=False,
            skewed=True, starts_late=True, mixed=not self._moves,  # for all that is known
            additive=additive, likelihood=self.likelihood, link=self.link,
        )  # fmt: skip

    def _own(self, name: str, link: str) -> OwnParameter:
        if name not in self.priors and name in self._units:
            return OwnParameter(name, _of_scale, _TRANSFORMS[link])
        prior = parse_prior(self.priors.get(name, _PRIORS[link]))
        return OwnParameter(name, partial(_same, prior), _TRANSFORMS[link])

    @cached_property
    def _moves(self) -> bool:
        """Whether a response may be counted from anywhere, as its mean is."""
        own = tuple(self.own.items())
        return self._of_any_number and custom_units.moves(self.log_density, own)

    @cached_property
    def _units(self) -> tuple[str, ...]:
        """Parameters that are in units of the response."""
        own = tuple(self.own.items())
        return custom_units.units(self.log_density, own) if self._of_any_number else ()

    @property
    def _of_any_number(self) -> bool:
        return self.support == "real" and self.link == "identity"


def _same(prior: Prior, scale: float) -> Prior:
    return prior


def _of_scale(scale: float) -> Prior:
    return Prior("student_t", (3.0, 0.0, 2.5 * scale))


def _scale(design: Design, link: str) -> tuple[float, float]:
    """Location and spread to expect: of the response as it is, or as a mean that is linked to it.

    A response beyond the range of the link says nothing of them, and successes say nothing of a
    mean without a link: the likelihood links it, by a function that is its own.
    """
    y = linear_scale.response(design)
    if link == "identity" and not np.isin(y, (0, 1)).all():
        return linear_scale.of_response(design, link)
    if link == "identity" or y.min() < 0 or (link != "log" and y.max() > 1):
        return 0.0, 1.0
    return linear_scale.of_mean(design, link)


def _values(custom: CustomFamily, eta: FloatArray, own: Own) -> list[FloatArray]:
    return [links.inverse_link(custom.link, eta), *(own[name] for name in custom.own)]


def _mean(custom: CustomFamily, link: str, eta: FloatArray, own: Own) -> FloatArray:
    return np.broadcast_to(custom.mean(*_values(custom, eta, own)), _shape(eta, custom, own))


def _shape(eta: FloatArray, custom: CustomFamily, own: Own) -> tuple[int, ...]:
    return np.broadcast_shapes(np.shape(eta), *(np.shape(own[name]) for name in custom.own))


def _draw(
    custom: CustomFamily, link: str, rng: np.random.Generator, eta: FloatArray, own: Own
) -> FloatArray:
    values = np.broadcast_arrays(*_values(custom, eta, own))
    return np.asarray(custom.draw(rng, *values), dtype=np.float64)


def _log_density(
    custom: CustomFamily, link: str, y: FloatArray, eta: FloatArray, own: Own
) -> FloatArray:
    return np.asarray(custom.log_density(y, *_values(custom, eta, own)), dtype=np.float64)
