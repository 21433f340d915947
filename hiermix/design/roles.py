"""Which column of a frame is what in a model."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import chain
from typing import Any

from numpy.typing import ArrayLike

from hiermix.design import response_checks
from hiermix.errors import ArgumentError
from hiermix.formula.calls import aliased
from hiermix.formula.formula import Formula
from hiermix.formula.names import in_results, quoted, unaliased
from hiermix.formula.sums import columns, terms, uses
from hiermix.formula.terms import GroupTerm
from hiermix.formula.terms.effect_laws import law_of
from hiermix.formula.terms.smooths import FactorSmooth
from hiermix.formula.tokens import Use


class Roles:
    """Which columns a formula uses, and for what."""

    def __init__(self, formula: Formula, weights: str | None) -> None:
        self.formula = formula
        self.weights = weights
        self.response_columns = formula.response_columns
        self.response_name = in_results(unaliased(aliased(formula.response)))
        self.factors: dict[str, tuple[GroupTerm, ...]] = {}
        for term in (*formula.groups, *map(_of_levels, _factor_smooths(formula))):
            self.factors[term.name] = beside_its_key(self.factors.get(term.name, ()), term)
        self.laws = {name: law_of(terms) for name, terms in self.factors.items()}

    @property
    def plain_response(self) -> str | None:
        """The response's column, where it is one column as it stands."""
        if self.formula.counted:
            return None
        column = self.response_columns[0]
        return column if self.formula.response == quoted(column) else None

    @property
    def worked_out(self) -> str | None:
        """The text that the response is worked out by, where it is no column as it stands."""
        return None if self.plain_response or self.formula.counted else self.formula.response

    @property
    def curves(self) -> tuple[str, ...]:
        """Columns that stand, with others, in a term with a function: a curve may be meant."""
        sums = [each.population for each in self.formula.equations]
        each = [columns(term) for text in sums for term in terms(text) if "(" in term]
        return distinct(*(names for names in each if len(names) > 1))

    @property
    def trials(self) -> str | None:
        """The column of trials; None where they are a number or there are none."""
        trials = self.formula.beside.trials
        return None if trials is None or trials.isdecimal() else trials

    @property
    def of_response(self) -> tuple[str, ...]:
        """Columns, beside those of the linear predictor, that say which response to expect."""
        beside = self.formula.beside
        bounds = [name for name in (beside.least, beside.most) if isinstance(name, str)]
        counted = () if beside.trials is not None else self.formula.counted
        return distinct([] if self.trials is None else [self.trials], counted, bounds)

    @property
    def items(self) -> tuple[str, ...]:
        """The column of items that have thresholds of their own, if there are some."""
        items = self.formula.beside.items
        return () if items is None else (items,)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column used, in the order of first mention."""
        return distinct(
            self.response_columns,
            self.predictors(self.factors),
            self.factor_columns(self.factors),
            *(each.columns for each in self.formula.specials),
            *(term.columns for term in self.formula.groups),
            self.formula.beside.columns,
            () if self.weights is None else (self.weights,),
        )

    def predictors(self, factors: Collection[str]) -> tuple[str, ...]:
        """Return the columns that the linear predictor needs, with the effects of those factors."""
        texts = [piece for each in self.formula.equations for piece in each.pieces]
        varying = [term for name in factors for term in self.factors[name]]
        texts += [term.effects for term in varying]
        every = (*self.formula.specials, *chain(*(term.specials for term in varying)))
        specials = ([use.column for use in each.uses] for each in every)
        return distinct(*map(columns, texts), *specials, self.stratum_columns(factors), self.items)

    def strata(self, factor: str) -> str | None:
        """Return the column of the strata of a factor, if it has some."""
        law = self.laws[factor]
        return None if law is None else law.by

    def stratum_columns(self, factors: Collection[str]) -> tuple[str, ...]:
        """Return the columns that say in which stratum the levels of those factors are."""
        return tuple(by for by in map(self.strata, factors) if by is not None)

    def factor_columns(self, factors: Collection[str]) -> tuple[str, ...]:
        """Return the columns whose values are labels of those factors."""
        return distinct(*(self.factors[name][0].factor for name in factors))

    def uses(self) -> dict[str, list[Use]]:
        """How formulaic will use each column that goes through it."""
        texts = [*self.formula.pieces]
        if self.worked_out is not None:
            texts.append(self.worked_out)
        found: dict[str, list[Use]] = {}
        written = (use for text in texts for use in uses(text))
        apart = (*self.stratum_columns(self.factors), *self.items)
        strata = [Use(column, "category") for column in apart]
        for use in chain(written, strata, *(each.uses for each in self.formula.all_specials)):
            found.setdefault(use.column, []).append(use)
        return found


def _factor_smooths(formula: Formula) -> list[FactorSmooth]:
    return [each for each in formula.specials if isinstance(each, FactorSmooth)]


def _of_levels(smooth: FactorSmooth) -> GroupTerm:
    """Return curves of levels as the bar that they are: independent effects of a factor."""
    return GroupTerm("0", (smooth.factor,), False, smooth.equation, curve=smooth)


def beside_its_key(terms: tuple[GroupTerm, ...], term: GroupTerm) -> tuple[GroupTerm, ...]:
    """Add a term to those of its factor, after the last one that it is correlated with."""
    mates = [place for place, each in enumerate(terms) if term.key and each.key == term.key]
    at = mates[-1] + 1 if mates else len(terms)
    return *terms[:at], term, *terms[at:]


def distinct(*names: Iterable[str]) -> tuple[str, ...]:
    """Return every name once, in the order of first mention."""
    return tuple(dict.fromkeys(chain.from_iterable(names)))


def with_keywords(
    formula: Formula, offset: str | ArrayLike | None, trials: str | int | None, censored: str | None
) -> Formula:
    """Write what was said by keyword into the formula: equal things are equal."""
    if isinstance(offset, str):
        formula = replace(formula, offsets=(*formula.offsets, quoted(offset)))
    if trials is not None:
        response_checks.trials_argument(trials)
        formula = _said(formula, "trials", str(trials))
    if censored is not None:
        formula = _said(formula, "censored", censored)
    return formula


def _said(formula: Formula, what: str, keyword: str) -> Formula:
    """Write a keyword behind the response's bar, where it may stand already."""
    written = getattr(formula.beside, what)
    if written not in (None, keyword):
        raise ArgumentError(f"{what} is {keyword!r}, but the formula says {written!r}: say it once")
    said: dict[str, Any] = {what: keyword}
    return replace(formula, beside=replace(formula.beside, **said))
