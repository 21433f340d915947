"""From whatever holds rows to their statistics: a plan first, then sums around a pilot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import Any, Protocol, Self

import numpy as np

from hiermix.design import group_checks, response_checks, sources
from hiermix.design.coding import Coding, complete
from hiermix.design.roles import Roles, with_keywords
from hiermix.design.sources import Batches, Source
from hiermix.design.survey import Survey, survey, whole_columns
from hiermix.errors import ArgumentError, DataError, FormulaError, count
from hiermix.families import formulas_of_family, table
from hiermix.families.family import Family
from hiermix.formula.equations import MU
from hiermix.formula.formula import Formula, parse
from hiermix.formula.names import in_results
from hiermix.formula.response_terms import NOTHING_BESIDE
from hiermix.formula.terms import Group
from hiermix.formula.terms.category_specific import CategorySpecific
from hiermix.formula.terms.effect_laws import EffectLaw
from hiermix.formula.terms.memberships import Memberships
from hiermix.formula.terms.monotonic import Monotonic
from hiermix.formula.terms.residual_terms import Residuals
from hiermix.formula.terms.smooths import CurveTerm
from hiermix.statistics import moved
from hiermix.statistics.cell_coding import SummedColumns
from hiermix.statistics.cell_sums import CellSums, first_origin
from hiermix.statistics.merged import MergedRows, Merging
from hiermix.statistics.moment_sums import MomentSums
from hiermix.statistics.moved import Centre
from hiermix.statistics.series_sums import SeriesSums
from hiermix.statistics.summed import Statistics, near
from hiermix.statistics.summing import Summing, first_centre
from hiermix.typing import FloatArray

type AddedUp = Statistics | CellSums | SeriesSums | MergedRows
"""Whatever adds up."""


def statistics(
    formula: str | Sequence[str],
    source: Any,
    family: str = "gaussian",
    *,
    groups: Sequence[Group] = (),
    weights: str | None = None,
    offset: str | None = None,
    trials: str | int | None = None,
    censored: str | None = None,
    missing: str = "error",
    link: str | None = None,
    success: Any = None,
    whole_groups: bool = False,
    like: AddedUp | None = None,
) -> AddedUp:
    """Add up what a model needs of its rows, wherever they are.

    Rows are read in batches, once or twice: levels of predictors and what functions such as
    ``poly`` need of all rows first, if the formula has some, then the sums. Of no row more is kept.

    A Gaussian model, or a lognormal one, needs sums alone: of its groups, or, with several factors,
    smooths, strata of sigma or further equations, of each combination of their levels that occurs.
    Other families need their rows, but equal ones once: with predictors that are categories these
    are few, however many rows there are.

    Parameters
    ----------
    formula : str or sequence of str
        As in `Model`, but for missing predictors, ``mi(x)``, and, where sums alone do, censored or
        truncated responses. Of ``ar()`` pieces of a series follow each other in time, and all rows
        of a unit of ``unstr()`` stand together.
    source : object
        Frames of pandas, polars or Arrow; a polars LazyFrame, a DuckDB relation or a query as
        text, the path or glob pattern of Parquet files, a pyarrow data set, whatever speaks the
        Arrow C stream; a Dask or a Spark frame, which are worked on where they are; a list of
        frames, or a function that returns an iterator of frames. An iterator itself can be passed
        over once, and that must do.
    family : str
        Distribution of the response.
    groups, trials, censored, missing, link, success
        As in `Model`.
    weights, offset : str, optional
        Columns.
    whole_groups : bool
        Keep moments of each group by itself, which `Fit.loo` needs to leave groups out, where sums
        over all groups would do for the model: it takes more memory and time.
    like : Statistics, CellSums, SeriesSums or MergedRows, optional
        Statistics that these will be added to: columns are coded as there, and one pass will do.

    Returns
    -------
    Statistics, CellSums, SeriesSums or MergedRows
        Sums of a Gaussian model of one factor at most, of any other, or of residuals that go
        together; or rows that were merged: for `Model.from_statistics`.

    Raises
    ------
    FormulaError, DataError, ArgumentError
        As in `Model`; a source that can't be read or lacks a column.
    """
    if not isinstance(family, str):
        raise ArgumentError("statistics are of families by name, not of custom ones")
    found = table.find(family, link)
    parsed = with_keywords(parse(formula, groups), _column("offset", offset), trials, censored)
    formulas_of_family.check_equations(found, parsed)
    _served(parsed, found)
    roles = _roles(parsed, _column("weights", weights))
    opened = sources.source(source, roles.columns)
    if found.normal is None:
        said = {"link": link, "success": success}
        return _merged(opened, roles, found, said, missing, like)
    _no_limits(roles)
    if one_factor_alone(roles) and not whole_groups:
        return _gaussian(opened, roles, found, missing, _like(like, Statistics))
    if residual_terms(parsed):
        _unweighted(roles)
        return _celled(opened, roles, found, missing, _like(like, SeriesSums), SeriesSums)
    return _celled(opened, roles, found, missing, _like(like, CellSums), CellSums)


def _coded[T](
    source: Source, roles: Roles, family: Family, missing: str, known: tuple[Coding, T] | None,
    first: Callable[[Coding, Batches, str], T],
) -> tuple[Coding, T]:  # fmt: skip
    """Return how columns are coded and what sums are around: as known, or by a look at the rows."""
    if known is None:
        coding = _coding(source, roles, family, missing)
        return coding, first(coding, sources.sample(source), missing)
    coding, _ = known
    asked = replace(coding, formula=roles.formula, weights=roles.weights, family=family.name)
    asked.check_formula(coding)
    return known


def _gaussian(
    source: Source, roles: Roles, family: Family, missing: str, like: Statistics | None
) -> Statistics:
    known = None if like is None else (like.coding, like.centre)
    coding, centre = _coded(source, roles, family, missing, known, first_centre)
    total = _summed(source, coding, centre, missing)
    _check_rows(total)
    _check_sums(total)
    if not near(total) and not source.once and like is None:
        # The first rows lie far from the others, as those of the first days do.
        centre = moved.least_squares(total.sums, total.centre)
        total = _summed(source, coding, centre, missing)
    return total


def _celled[T: MomentSums](
    source: Source, roles: Roles, family: Family, missing: str, like: T | None, kind: type[T]
) -> T:
    known = None if like is None else (like.coding, like.origin)
    coding, origin = _coded(source, roles, family, missing, known, first_origin)
    total = source.fold(partial(kind.of, coding, origin, missing), _both).joined()
    _check_rows(total)
    every = total.every
    _check_finite(coding, every.weight, (*SummedColumns(coding).labels, ""), every.whole()[1])
    if not total.near() and not source.once and like is None:
        # The first rows lie far from the others, as those of the first days do.
        total = source.fold(partial(kind.of, coding, total.centred(), missing), _both).joined()
    return total


class _Adds(Protocol):
    def __add__(self, other: Any, /) -> Self: ...


def _both[T: _Adds](one: T, two: T) -> T:
    return one + two


def _like[T](given: Any, kind: type[T]) -> T | None:
    """Return statistics that others are to be added to, which must be of their kind."""
    if given is not None and not isinstance(given, kind):
        raise ArgumentError("like= must be statistics of the same formula and family")
    return given


def _merged(
    source: Source,
    roles: Roles,
    family: Family,
    said: Mapping[str, Any],
    missing: str,
    like: AddedUp | None,
) -> MergedRows:
    states = None
    known = _like(like, MergedRows)
    if known is not None:
        if known.family.name != family.name:
            raise ArgumentError("like= must be statistics of the same family")
        states = known.states
    elif whole_columns(roles):
        states = _coding(source, roles, family, missing).states
    total = source.fold(partial(_merge, roles, family, said, states, missing), _both)
    _check_rows(total)
    return total


def _merge(
    roles: Roles, family: Family, said: Mapping[str, Any], states: Any, missing: str,
    batches: Batches,
) -> MergedRows:  # fmt: skip
    return MergedRows.of(Merging(roles, missing).take(batches), family, said, states)


def _check_sums(found: Statistics) -> None:
    labels = [each for each in found.coding.plan.population.labels if each != "Intercept"]
    squares = np.diag([*np.diag(found.sums.XtX)[1:], found.sums.ete])
    _check_finite(found.coding, np.array([found.sums.n]), (*labels, ""), squares)


def _check_finite(
    coding: Coding, weight: FloatArray, labels: Sequence[str], squares: FloatArray
) -> None:
    """Raise where sums are no numbers, or of nothing; the response comes last."""
    response_checks.some_weight(coding.weights, weight)
    for label, size in zip(labels, np.diag(squares), strict=True):
        if not np.isfinite(size):
            what = label or "the response"
            raise DataError(f"squares of {what} are no numbers any more: use other units")


def _check_rows(found: AddedUp | MomentSums) -> None:
    if found.rows < 2:
        rows = count(found.rows, "complete row")
        raise DataError(f"the source has {rows}; 2 or more are needed")


def _summed(source: Source, coding: Coding, centre: Centre, missing: str) -> Statistics:
    return source.fold(partial(_sums, coding, centre, missing), _add)


def _add(one: Statistics, two: Statistics) -> Statistics:
    return one + two


def _sums(coding: Coding, centre: Centre, missing: str, batches: Batches) -> Statistics:
    return Statistics.of(Summing(coding, centre, missing).take(batches))


def _coding(source: Source, roles: Roles, family: Family, missing: str) -> Coding:
    """Look at the rows until there is nothing more to learn of how they are coded."""
    look = partial(_survey, roles, missing)
    found = next((each for batch in source.first() if (each := look(iter([batch])))), None)
    if found is None:
        raise DataError("the source has no complete rows")
    if not found.complete:
        if source.once:
            raise DataError(
                "the source can be passed over once, and the formula has levels or functions that "
                "need all rows first: pass a function that returns a fresh iterator, or like=, "
                "statistics that know them"
            )
        found = source.fold(look, _all_seen)
    assert found is not None
    return Coding.of(roles, family.response_rule(), found, family.name)


def _survey(roles: Roles, missing: str, batches: Batches) -> Survey | None:
    each = (rows.frame for rows in complete(roles, batches, missing))
    return reduce(_all_seen, (survey(roles, rows) for rows in each if len(rows)), None)


def _all_seen(one: Survey | None, two: Survey | None) -> Survey | None:
    if one is None or two is None:
        return one or two
    return one + two


def _column(name: str, value: Any) -> Any:
    if value is not None and not isinstance(value, str):
        raise DataError(f"{name} must be the name of a column of the source")
    return value


def _roles(formula: Formula, weights: str | None) -> Roles:
    roles = Roles(formula, weights)
    group_checks.free_names(list(roles.factors))
    group_checks.names_apart(list(map(in_results, roles.columns)), roles.columns)
    return roles


_ROW_BY_ROW = CategorySpecific, CurveTerm, EffectLaw, Memberships, Monotonic
"""Special terms of which a row's columns follow from the row, and from what a survey gathers."""


def residual_terms(formula: Formula) -> list[Residuals]:
    """Return what ties rows together."""
    return [each for each in formula.specials if isinstance(each, Residuals)]


def _served(formula: Formula, family: Family) -> None:
    """Raise for what sums know nothing of: missing values, other families' residuals."""
    for name in formula.imputed:
        raise FormulaError(
            f"statistics know nothing of missing values, mi({name}): fit the rows themselves with "
            "hm.Model"
        )
    ties = residual_terms(formula)
    if ties and family.of_residuals is None:
        raise FormulaError(
            f"family {family.name!r} has no residuals that go together: {ties[0]} is for family "
            "'gaussian'"
        )
    if len(ties) > 1 or any(each.equation != MU for each in ties):
        raise FormulaError(
            "residuals go together in one way, said in the formula of the response: leave "
            f"{ties[-1]} out"
        )
    for each in (*formula.all_specials, *(term.how for term in formula.groups if term.how)):
        if not isinstance(each, (*_ROW_BY_ROW, Residuals)):
            raise FormulaError(
                f"statistics know nothing of {each} yet: fit the rows themselves with hm.Model"
            )


def _unweighted(roles: Roles) -> None:
    if roles.weights is not None:
        term = residual_terms(roles.formula)[0]
        raise DataError(
            f"{term} takes no weights: a row that counts twice has no place in its series"
        )


def _no_limits(roles: Roles) -> None:
    """Raise for what the sums of a Gaussian model don't have."""
    beside = roles.formula.beside
    if beside != replace(NOTHING_BESIDE, se=beside.se, sigma=beside.sigma):
        raise DataError(
            "statistics take no trials(), cens(), trunc() or rate() behind the response's bar: "
            "sums over rows don't know it. Fit the rows themselves with hm.Model"
        )


def one_factor_alone(roles: Roles) -> bool:
    """Tell whether sums over the levels of one factor are all that a Gaussian model needs."""
    formula = roles.formula
    special = formula.specials or any(term.how for term in formula.groups)
    plain = not special and not formula.further and formula.beside == NOTHING_BESIDE
    return plain and len(roles.factors) <= 1
