"""From whatever holds rows to their statistics: a plan first, then sums around a pilot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import Any

import numpy as np

from hiermix.design import group_checks, response_checks, sources
from hiermix.design.coding import Coding, complete
from hiermix.design.roles import Roles, with_keywords
from hiermix.design.sources import Batches, Source
from hiermix.design.survey import Survey, survey, whole_columns
from hiermix.errors import ArgumentError, DataError, FormulaError
from hiermix.families import table
from hiermix.families.family import Family
from hiermix.formula.formula import Formula, parse
from hiermix.formula.names import in_results
from hiermix.formula.response_terms import NOTHING_BESIDE
from hiermix.formula.terms import Group
from hiermix.statistics import moved
from hiermix.statistics.merged import MergedRows, Merging
from hiermix.statistics.moved import Centre
from hiermix.statistics.summed import Statistics, near
from hiermix.statistics.summing import Summing, first_centre


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
    like: Statistics | MergedRows | None = None,
) -> Statistics | MergedRows:
    """Add up what a model needs of its rows, wherever they are.

    Rows are read in batches, once or twice: levels of predictors and what functions such as
    ``poly`` need of all rows first, if the formula has some, then the sums. Of no row more is kept.

    A Gaussian model needs sums alone. Other families need their rows, but equal ones once: with
    predictors that are categories these are few, however many rows there are.

    Parameters
    ----------
    formula : str or sequence of str
        As in `Model`; for family "gaussian" with one equation and one grouping factor at most.
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
    like : Statistics, optional
        Statistics that these will be added to: columns are coded as there, and one pass will do.

    Returns
    -------
    Statistics or MergedRows
        For `Model.from_statistics`.

    Raises
    ------
    FormulaError, DataError, ArgumentError
        As in `Model`; a source that can't be read or lacks a column.
    """
    if not isinstance(family, str):
        raise ArgumentError("statistics are of families by name, not of custom ones")
    found = table.find(family, link)
    parsed = with_keywords(parse(formula, groups), _column("offset", offset), trials, censored)
    found.check_equations(parsed)
    _no_special_terms(parsed)
    roles = _roles(parsed, _column("weights", weights))
    opened = sources.source(source, roles.columns)
    if not found.integrates:
        said = {"link": link, "success": success}
        return _merged(opened, roles, found, said, missing, like)
    _no_more_than_sums(roles)
    if isinstance(like, MergedRows):
        raise ArgumentError("like= must be statistics of the same family")
    return _gaussian(opened, roles, found, missing, like)


def _gaussian(
    source: Source, roles: Roles, family: Family, missing: str, like: Statistics | None
) -> Statistics:
    if like is None:
        coding = _coding(source, roles, family, missing)
        centre = first_centre(coding, sources.sample(source), missing)
    else:
        coding, centre = like.coding, like.centre
        replace(coding, formula=roles.formula, weights=roles.weights).check_formula(coding)
    total = _summed(source, coding, centre, missing)
    _check_rows(total)
    _check_sums(total)
    if not near(total) and not source.once and like is None:
        # The first rows lie far from the others, as those of the first days do.
        centre = moved.least_squares(total.sums, total.centre)
        total = _summed(source, coding, centre, missing)
    return total


def _merged(
    source: Source,
    roles: Roles,
    family: Family,
    said: Mapping[str, Any],
    missing: str,
    like: Statistics | MergedRows | None,
) -> MergedRows:
    states = None
    if like is not None:
        if not isinstance(like, MergedRows) or like.family.name != family.name:
            raise ArgumentError("like= must be statistics of the same family")
        states = like.states
    elif whole_columns(roles):
        states = _coding(source, roles, family, missing).states
    total = source.fold(partial(_merge, roles, family, said, states, missing), _both_rows)
    _check_rows(total)
    return total


def _merge(
    roles: Roles, family: Family, said: Mapping[str, Any], states: Any, missing: str,
    batches: Batches,
) -> MergedRows:  # fmt: skip
    return MergedRows.of(Merging(roles, missing).take(batches), family, said, states)


def _check_sums(found: Statistics) -> None:
    """Raise where sums are no numbers, or of nothing."""
    response_checks.some_weight(found.coding.weights, np.array([found.sums.n]))
    labels = ["the response", *(each for each in found.coding.plan.population.labels
                                if each != "Intercept")]  # fmt: skip
    sizes = [found.sums.ete, *np.diag(found.sums.XtX)[1:].tolist()]
    for label, size in zip(labels, sizes, strict=True):
        if not np.isfinite(size):
            raise DataError(f"squares of {label} are no numbers any more: use other units")


def _both_rows(one: MergedRows, two: MergedRows) -> MergedRows:
    return one + two


def _check_rows(found: Statistics | MergedRows) -> None:
    if found.rows < 2:
        raise DataError(f"the source has {found.rows} complete rows; 2 or more are needed")


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
        found = source.fold(look, _both)
    assert found is not None
    return Coding.of(roles, family.response_rule(), found)


def _survey(roles: Roles, missing: str, batches: Batches) -> Survey | None:
    each = (rows.frame for rows in complete(roles, batches, missing))
    return reduce(_both, (survey(roles, rows) for rows in each if len(rows)), None)


def _both(one: Survey | None, two: Survey | None) -> Survey | None:
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


def _no_special_terms(formula: Formula) -> None:
    """Raise for terms that nobody adds up yet."""
    for each in (*formula.specials, *(term.how for term in formula.groups if term.how)):
        raise FormulaError(
            f"statistics know nothing of {each} yet: fit the rows themselves with hm.Model"
        )


def _no_more_than_sums(roles: Roles) -> None:
    """Raise for what the sums of a Gaussian model don't have."""
    if roles.formula.beside != NOTHING_BESIDE:
        raise DataError(
            "statistics take nothing behind the response's bar, no trials(), cens(), trunc() or "
            "rate(): sums over rows don't know it. Fit the rows themselves with hm.Model"
        )
    if roles.formula.further:
        name = roles.formula.further[0].name
        raise DataError(
            f"statistics are of one equation, and the formula has one of {name} too: sums over "
            "rows don't know it. Fit the rows themselves with hm.Model"
        )
    if len(roles.factors) > 1:
        names = ", ".join(map(repr, roles.factors))
        raise DataError(
            f"statistics have one grouping factor, and the formula has {len(roles.factors)}: "
            f"{names}. Keep one, or fit the rows themselves with hm.Model"
        )
