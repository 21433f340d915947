"""What a family is: its links, its distribution, its parameters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np

from hiermix.design.design import Design
from hiermix.design.plan import Outcomes, ResponseRule
from hiermix.errors import ArgumentError
from hiermix.families import circular, known_ends
from hiermix.families import response_rules as rules
from hiermix.families.discrimination import at_thresholds, discriminated
from hiermix.families.item_thresholds import THRESHOLDS_AT, at_rows, of_items
from hiermix.families.links import Own, unchanged
from hiermix.families.normal_scales import NormalScale
from hiermix.families.own_parameter import OwnParameter
from hiermix.families.prior import Prior
from hiermix.families.residual_variances import LogMean
from hiermix.typing import FloatArray

type Rule = Callable[..., Outcomes]
"""What is given and the name of the family to the response in numbers."""


type Scale = Callable[[Design, str], tuple[float, float]]


type Residual = Callable[[str, Own, LogMean], FloatArray | float]
"""Link, own parameters (S,) and the log of the mean response (S,) to the residual variance (S,)."""


type Form = Literal[
    "as given",
    "from the earliest",
    "whole",
    "additive",
    "successes",
    "events",
    "counts",
    "trials",
    "ordered",
    "stepwise",
    "chosen",
    "counted",
]


class Limit(NamedTuple):
    """What a family becomes where one of its parameters is infinite."""

    parameter: str
    family: str


@dataclass(frozen=True)
class Family:
    """One row of the table, with one of its links."""

    name: str
    links: tuple[str, ...]
    """The first is the default."""
    program: str
    rule: Rule
    """What the response must be; see `response_rules`."""
    scale_of: Scale
    """Location and spread of the linear predictor to expect, from the data: default priors."""
    linked_mean: Callable[[str, FloatArray, Own], FloatArray]
    linked_draw: Callable[[str, np.random.Generator, FloatArray, Own], FloatArray]
    linked_log_density: Callable[[str, FloatArray, FloatArray, Own], FloatArray]
    residual_variance: Residual | None
    """On the scale of the linear predictor; None where responses are no numbers, or angles."""
    own: tuple[OwnParameter, ...] = ()
    form: Form = "as given"
    """How its program reads the response; see `stan.responses`."""
    continuous: bool = False
    skewed: bool = False
    """Is a response not likeliest where its linear predictor, which is its mean, is?"""
    mixed: bool = False
    """Are some responses, such as zeros, values of their own among measurements?"""
    starts_late: bool = False
    """Has it responses only from a parameter of its own on?"""
    circular: bool = False
    """Are responses angles, which are the same a turn further on?"""
    concave: bool = True
    """Is its log density concave in the linear predictor, so that effects have one mode?"""
    binary: bool = False
    """Is the response 0 or 1, so that a label may stand for success?"""
    trials: bool = False
    """Does it count successes of trials?"""
    linked_log_tails: (
        Callable[[str, FloatArray, FloatArray, Own], tuple[FloatArray, FloatArray]] | None
    ) = None
    """Log probabilities of at most y and of more than y; None where none is censored."""
    linked_excess: Callable[[str, FloatArray, FloatArray, Own], FloatArray] | None = None
    """Mean of Y - E(Y) over Y above y; see `tails`. None where none is truncated."""
    support: known_ends.Support = (-np.inf, np.inf)
    """Up to which number no response lies, and up to which all do."""
    categories: Literal["none", "ordered", "unordered"] = "none"
    """Ordered ones have thresholds, each unordered one but the first a linear predictor."""
    linked_probabilities: Callable[[str, FloatArray, Own], FloatArray] | None = None
    """Of categories, on a last axis."""
    counted: bool = False
    """Is a response the counts of all categories, so that draws and means have one of each?"""

    additive: Callable[[FloatArray], FloatArray] = unchanged
    """To the scale on which the response is, nearly, the linear predictor plus noise."""
    unit: str | None = None
    """Own parameter that is the scale of this noise."""
    normal: NormalScale | None = None
    """The scale on which this noise is normal, so that group effects can be integrated out."""
    vanishing: bool = False
    """Can it vanish, so that a response that the design gives exactly has no bounded density?"""
    plug_in: str | None = None
    """Own parameter that is the sd of a normal response: textbooks forecast with it."""

    of_residuals: Callable[[Design], tuple[OwnParameter, ...]] | None = None
    """Own parameters where residuals go together; None where they can't."""

    separable: bool = False
    """Can a predictor separate the responses, so that data bound a slope on one side only?"""
    limit: Limit | None = None
    """A simpler family, where there is one that may do."""

    likelihood: str = ""
    """Stan functions of a family that is none of the table's; see `custom_family`."""

    link: str = ""

    imputed: tuple[OwnParameter, ...] = ()
    """Residual sds of predictors with missing values, if a model has some; see `imputed_laws`."""
    located: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Location and spread to expect of the linear predictors of these, by their equation."""

    def mean(self, eta: FloatArray, own: Own) -> FloatArray:
        """Linear predictor and own parameters to the mean of the response.

        For trials: the expected successes. For ordered categories: the expected category, counted
        from 1; `probabilities` has their probabilities. For unordered categories: their
        probabilities, on a last axis, where the linear predictor has those of all but the first.
        """
        with _beyond_numbers():
            eta, own = self._discriminated(eta, own)
            mean = self.linked_mean(self.link, eta, own)
            if "least" not in own:
                return mean
            return known_ends.truncated_mean(mean, self._excess, self._tails, eta, own)

    def draw(self, rng: np.random.Generator, eta: FloatArray, own: Own) -> FloatArray:
        """Draw a random response for every element of the linear predictor.

        Within its bounds, where it has some; whether it would be censored does not matter.
        """
        with _beyond_numbers():
            eta, own = self._discriminated(eta, own)
            if "least" not in own:
                return self.linked_draw(self.link, rng, eta, own)
            draw, whole = partial(self.linked_draw, self.link), not self.continuous
            return known_ends.truncated_draw(
                draw, self._tails, rng, eta, own, self.support, whole=whole
            )

    def log_density(self, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
        """Response, linear predictor and own parameters to the pointwise log density.

        Where a response is censored, to the log probability of what is known of it.
        """
        with _beyond_numbers():
            eta, own = self._discriminated(eta, own)
            density = partial(self.linked_log_density, self.link)
            if "low" not in own and "least" not in own:
                return density(y, eta, own)
            return known_ends.log_density(density, self._tails, y, eta, own)

    def _discriminated(self, eta: FloatArray, own: Own) -> tuple[FloatArray, Own]:
        """Return both on the scale of the link; a parameter of a custom family may be called so."""
        own = of_items(own)
        if all(each.learned for each in self.own):
            return eta, own
        return discriminated(eta, at_thresholds(own) if self.in_steps else own)

    def residual(self, y: FloatArray, mean: FloatArray) -> FloatArray:
        """Response less its mean; of angles the shorter way around."""
        return circular.difference(y, mean) if self.circular else np.asarray(y - mean)

    def summed_up(self, draws: FloatArray, axis: int = 1) -> tuple[FloatArray, FloatArray]:
        """Return the mean of draws along an axis, and draws that stand on a line around it."""
        if not self.circular:
            return draws.mean(axis=axis), draws
        return circular.direction(draws, axis), circular.around(draws, axis)

    def _tails(self, y: FloatArray, eta: FloatArray, own: Own) -> tuple[FloatArray, FloatArray]:
        assert self.linked_log_tails is not None
        return self.linked_log_tails(self.link, y, eta, own)

    def _excess(self, y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
        assert self.linked_excess is not None
        return self.linked_excess(self.link, y, eta, own)

    def probabilities(self, eta: FloatArray, own: Own) -> FloatArray:
        """Probability of every category, on a last axis of its own."""
        assert self.linked_probabilities is not None
        return self.linked_probabilities(self.link, *self._discriminated(eta, own))

    def at_equations(
        self, names: Sequence[str], etas: FloatArray
    ) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Linear predictors (equations, ...) to that of the response, and parameters by row.

        Those of unordered categories stand on a last axis.
        """
        if self.unordered:
            return np.moveaxis(etas, 0, -1), {}
        further = zip(names[1:], etas[1:], strict=True)
        return etas[0], {name: self.parameter(name).by_row(eta) for name, eta in further
                         if name not in self.located}  # fmt: skip

    def on(self, design: Design) -> "Family":
        """Return the family with its own parameters as the rows of a design have them."""
        return replace(self, own=tuple(each.on(design) for each in self.own))

    def parameter(self, name: str) -> OwnParameter:
        """Return one of the family's own parameters, or of the equations of thresholds."""
        known = {each.name: each for each in self.own}
        return known.get(name) or OwnParameter(name, _of_threshold, "identity")

    def scalars(self, design: Design) -> tuple[OwnParameter, ...]:
        """Return the own parameters that are one number for all rows: they have no equation."""
        if design.series is not None and self.of_residuals is not None:
            return self.of_residuals(design)
        names = [each.name for each in design.equations]
        if design.formula.beside.known_errors:
            names.append("sigma")
        own = (*(each for each in self.own if each.learned), *self.imputed)
        return tuple(each for each in own if each.name not in names)

    def scale(self, design: Design) -> tuple[float, float]:
        """Location and spread of the linear predictor to expect."""
        return self.scale_of(design, self.link)

    def expected(self, equation: str, where: tuple[float, float]) -> tuple[float, float]:
        """Return the same of any equation.

        `where` is `scale`, of the response's location.
        """
        if equation in self.located:
            return self.located[equation]
        parameters = [own for own in self.own if own.name == equation]
        if not parameters:
            return where
        return parameters[0].location(where[1]), parameters[0].spread

    @property
    def unordered(self) -> bool:
        """Whether responses are no numbers: each category has a linear predictor of its own."""
        return self.categories == "unordered"

    def kind_of_response(self, design: Design) -> "np.dtype[Any]":
        """Return the dtype of responses, by which ArviZ tells counts from measurements."""
        ratings = design.ratings
        whole = ratings is None or bool((ratings == ratings.round()).all())
        return np.dtype(np.int64 if whole and not self.continuous else np.float64)

    @property
    def in_steps(self) -> bool:
        """Whether each threshold may have an equation of its own."""
        return self.form == "stepwise"

    @property
    def thresholds(self) -> bool:
        """Whether thresholds take the place of the intercept."""
        return self.categories == "ordered"

    def response_rule(self, success: Any = None) -> ResponseRule:
        """Return the rule for the response; `success` is the label that counts as 1."""
        if success is not None and not self.binary:
            raise ArgumentError(f"success= is for family 'bernoulli', not {self.name!r}")
        if success is not None:
            return ResponseRule(partial(rules.success, success=success))
        return ResponseRule(partial(self.rule, family=self.name), self.categories)


def _of_threshold(scale: float) -> Prior:
    return Prior("normal", (0.0, 1.0))


def _beyond_numbers() -> np.errstate:
    """Let numbers become zero or infinite in silence, as exp(-800) and log(0) do."""
    return np.errstate(over="ignore", under="ignore", divide="ignore")


def needs_numbers(family: Family, what: str) -> None:
    """Raise where responses are unordered categories.

    Raises
    ------
    ArgumentError
        Always, for such a family.
    """
    if family.unordered:
        are = "counts of several categories" if family.counted else "labels"
        raise ArgumentError(
            f"{what} needs responses that are numbers: those of family {family.name!r} are {are}"
        )


def needs_a_line(family: Family, what: str) -> None:
    """Raise where responses are unordered categories or angles.

    Raises
    ------
    ArgumentError
        Always, for such a family.
    """
    needs_numbers(family, what)
    if family.circular:
        raise ArgumentError(
            f"{what} needs responses that stand on a line: those of family {family.name!r} are "
            "angles"
        )


def needs_one_a_row(family: Family, what: str) -> None:
    """Raise where a response is the counts of several categories.

    Raises
    ------
    ArgumentError
        Always, for such a family.
    """
    if family.counted:
        raise ArgumentError(
            f"{what} needs responses of one number or label a row: those of family {family.name!r} "
            "are counts of several categories"
        )


def row_values(design: Design, family: Family) -> dict[str, FloatArray]:
    """Return what rows bring to a family's functions beside the linear predictor."""
    limits = design.limits
    found = {"trials": design.trials, "rate": limits.rate, "se": limits.se,
             "counts": design.counts}  # fmt: skip
    if design.items is not None:
        found[THRESHOLDS_AT] = at_rows(design.items, limits.item)
    ends = known_ends.of_rows(design, family.support, whole=not family.continuous)
    return {name: values for name, values in found.items() if values is not None} | ends
