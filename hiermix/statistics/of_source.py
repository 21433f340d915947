"""From whatever holds rows to their statistics: a plan first, then sums around a pilot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import Any

from hiermix import options
from hiermix.design import group_checks, sources
from hiermix.design.coding import Coding, complete
from hiermix.design.roles import Roles, with_keywords
from hiermix.design.sources import Batches, Source
from hiermix.design.survey import Survey, survey
from hiermix.errors import DataError
from hiermix.families import table
from hiermix.families.family import Family
from hiermix.formula.formula import Formula, parse
from hiermix.formula.names import in_results
from hiermix.formula.terms import Group
from hiermix.statistics import moved
from hiermix.statistics.moved import Centre
from hiermix.statistics.summed import Statistics, near
from hiermix.statistics.summing import Summing, first_centre


def statistics(
    formula: str,
    source: Any,
    family: str = "gaussian",
    *,
    groups: Sequence[Group] = (),
    weights: str | None = None,
    offset: str | None = None,
    missing: str = "error",
    like: Statistics | None = None,
) -> Statistics:
    """Add up what a Gaussian model needs of its rows, wherever they are.

    Rows are read in batches, once or twice: levels of predictors and what functions such as
    ``poly`` need of all rows first, if the formula has some, then the sums. Of no row more is kept.

    Parameters
    ----------
    formula : str
        As in `Model`, with one grouping factor at most.
    source : object
        Frames of pandas, polars or Arrow; a polars LazyFrame, a DuckDB relation or a query as
        text, the path or glob pattern of Parquet files, a pyarrow data set, whatever speaks the
        Arrow C stream; a Dask or a Spark frame, which are worked on where they are; a list of
        frames, or a function that returns an iterator of frames. An iterator itself can be passed
        over once, and that must do.
    family : str
        ``"gaussian"``.
    groups, missing
        As in `Model`.
    weights, offset : str, optional
        Columns.
    like : Statistics, optional
        Statistics that these will be added to: columns are coded as there, and one pass will do.

    Returns
    -------
    Statistics
        For `Model.from_statistics`.

    Raises
    ------
    FormulaError, DataError, ArgumentError
        As in `Model`; a source that can't be read or lacks a column.
    """
    found = _family(family)
    roles = _roles(parse(formula, groups), weights, offset)
    opened = sources.source(source, roles.columns)
    if like is None:
        coding = _coding(opened, roles, found, missing)
        centre = first_centre(coding, sources.sample(opened), missing)
    else:
        coding, centre = like.coding, like.centre
        _same_formula(roles, coding)
    total = _summed(opened, coding, centre, missing)
    if total.rows < 2:
        raise DataError(f"the source has {total.rows} complete rows; 2 or more are needed")
    if not near(total) and not opened.once and like is None:
        # The first rows lie far from the others, as those of the first days do.
        centre = moved.least_squares(total.sums, total.centre)
        total = _summed(opened, coding, centre, missing)
    return total


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


def _family(name: str) -> Family:
    found = table.find(name, None)
    if not found.integrates:
        options.one_of("family", name, ("gaussian",))
    return found


def _roles(formula: Formula, weights: str | None, offset: str | None) -> Roles:
    for name, value in (("weights", weights), ("offset", offset)):
        if value is not None and not isinstance(value, str):
            raise DataError(f"{name} must be the name of a column of the source")
    roles = Roles(with_keywords(formula, offset, None, None), weights)
    if roles.formula.trials is not None or roles.formula.censored is not None:
        raise DataError("statistics take no trials() and no cens(): family 'gaussian' has none")
    if len(roles.factors) > 1:
        names = ", ".join(map(repr, roles.factors))
        raise DataError(
            f"statistics have one grouping factor, and the formula has {len(roles.factors)}: "
            f"{names}. Keep one, or fit the rows themselves with hm.Model"
        )
    group_checks.free_names(list(roles.factors))
    group_checks.names_apart(list(map(in_results, roles.columns)), roles.columns)
    return roles


def _same_formula(roles: Roles, coding: Coding) -> None:
    asked = replace(coding, formula=roles.formula, weights=roles.weights)
    asked.check_formula(coding)
