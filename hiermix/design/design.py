"""Formula + frame -> Design: response, population columns, group effects, level indices.

The only user of formulaic. A design stores how each column was encoded, so that new rows go through
the same door (`Design.on`); groups are aligned by label, never by position. Nothing of the size
rows x columns is held: X and Z are made for the rows asked for.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from importlib import import_module
from itertools import chain
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hiermix.design import cells, checks, frames, kinds
from hiermix.design.expressions import Expressions, by_row, taken_out, worked_out
from hiermix.design.frames import NewRows
from hiermix.design.kinds import Kind, KnownLabels
from hiermix.design.partitions import warn_of_twins
from hiermix.errors import ArgumentError, DataError, HiermixError, filtered_warnings
from hiermix.formula.formula import (
    TRANSFORMS,
    Formula,
    GroupTerm,
    Use,
    alias,
    aliased,
    check_expression,
    columns,
    expression_uses,
    in_results,
    quoted,
    terms,
    unaliased,
    uses,
)
from hiermix.formula.splines import CONSTRAINTS, WHOLE
from hiermix.typing import FloatArray

type Codes = NDArray[np.int32]
type Labels = NDArray[np.object_]
type Rows = slice | NDArray[np.intp]
type ResponseRule = Callable[[pd.Series, str, FloatArray | None], FloatArray]
"""A family's rule: (values, column name, trials or None) -> numbers, or DataError."""

SLICE = 131_072
"""Rows of a pass over a design: few enough to stay in cache, many enough to hide the overhead."""


@dataclass(frozen=True, eq=False)
class Grouping:
    """One grouping factor with all coefficients that vary over it."""

    name: str
    columns: tuple[str, ...]
    effects: tuple[str, ...]
    """Labels of the varying coefficients."""
    blocks: tuple[int, ...]
    """Sizes of consecutive blocks of correlated effects."""
    levels: Labels
    """The user's own labels; dates as ISO text; ``"a:b"`` for an interaction."""
    codes: Codes
    """Position in `levels` per row; from ``len(levels)`` on in `new_levels`; -1: label missing."""
    new_levels: Labels = field(default_factory=lambda: np.empty(0, dtype=object))
    origin: FloatArray | None = None
    """(Q,) what the columns of Z have subtracted; see `origins`."""


@dataclass(frozen=True, eq=False)
class Design:
    """What a formula makes of a frame."""

    formula: Formula
    frame: pd.DataFrame
    """The columns that the formula uses, in the storage of their kind."""
    others: pd.DataFrame
    """The other columns of the same rows. pandas copies on write: they stay as they were given."""
    rows: int
    terms: tuple[str, ...]
    """Labels of the columns of X, ``"Intercept"`` first if the model has one."""
    groupings: tuple[Grouping, ...]
    response_name: str
    response: FloatArray | None
    """None where new data have no response; NaN where new data have it missing."""
    trials: FloatArray | None
    weights: FloatArray | None
    offset: FloatArray | None
    """The sum of all offsets."""
    censored: FloatArray | None
    unused_levels: Mapping[str, int]
    """Categorical columns and how many of their levels no row has."""
    _encoded: pd.DataFrame = field(repr=False)
    _plan: _Plan = field(repr=False)

    def X(self, rows: Rows = slice(None)) -> FloatArray:  # noqa: N802
        """Return the population design (n, P) of some rows, in raw units."""
        return self._plan.population.matrix(self._encoded.iloc[rows])

    def Z(self, name: str, rows: Rows = slice(None)) -> FloatArray:  # noqa: N802
        """Return the design (n, Q) of the coefficients that vary over a grouping factor."""
        part = self._encoded.iloc[rows]
        blocks = [spec.matrix(part) for spec in self._plan.effects[name]]
        Z = blocks[0] if len(blocks) == 1 else np.hstack(blocks)
        origin = self.grouping(name).origin
        return Z if origin is None else Z - origin

    @property
    def categories(self) -> tuple[object, ...]:
        """Labels of the response, counted from 1, in order; none where it is a number."""
        rule = self._plan.response_rule
        return getattr(rule, "labels", ()) if hasattr(rule, "ordered") else ()

    @property
    def unordered(self) -> bool:
        """Whether those labels have no order: each but the first has a linear predictor."""
        return not getattr(self._plan.response_rule, "ordered", True)

    def has(self, name: str) -> bool:
        """Tell whether the data have a column, used by the formula or not."""
        return name in self.frame or name in self.others

    def column(self, name: str) -> pd.Series:
        """Return a column for the rows, used by the formula or not."""
        return self.frame[name] if name in self.frame else self.others[name]

    @property
    def ratings(self) -> FloatArray | None:
        """What the categories of a response stand for, where they are numbers in order."""
        labels = self.categories
        numbers = [each for each in labels if isinstance(each, int | float | np.number)]
        if self.unordered or not labels or len(numbers) < len(labels):
            return None
        return np.array(numbers, dtype=np.float64)

    @property
    def observed(self) -> FloatArray | None:
        """The response as predictions have it: ratings as they were given, not counted from 1."""
        return None if self.response is None else self.as_given(self.response)

    def as_given(self, response: FloatArray) -> FloatArray:
        """Return ratings for categories that count from 1; other responses as they are."""
        if self.ratings is None:
            return response
        known = ~np.isnan(response)
        found = np.full(len(response), np.nan)
        found[known] = self.ratings[response[known].astype(np.intp) - 1]
        return found

    def outcomes(self, values: pd.Series) -> FloatArray:
        """Return responses that come without the rest of their rows; categories count from 1."""
        values = kinds.stored(values)
        if values.isna().all():
            return np.full(len(values), np.nan)
        rule = self._plan.response_rule
        if rule is not None and hasattr(rule, "labels"):
            return rule(values, self.response_name, None)
        checks.numeric_response(values, self.response_name)
        checks.finite(self.response_name, values)
        return values.to_numpy(dtype=np.float64, na_value=np.nan)

    def grouping(self, name: str) -> Grouping:
        """Return a grouping factor by name."""
        name = in_results(name)
        return next(each for each in self.groupings if each.name == name)

    def take(self, rows: NDArray[np.intp]) -> Design:
        """Return the design of some of its own rows, by position."""

        def some(values: FloatArray | None) -> FloatArray | None:
            return None if values is None else values[rows]

        return replace(
            self,
            frame=self.frame.iloc[rows],
            others=self.others.iloc[rows],
            rows=len(rows),
            groupings=tuple(replace(each, codes=each.codes[rows]) for each in self.groupings),
            response=some(self.response),
            trials=some(self.trials),
            weights=some(self.weights),
            offset=some(self.offset),
            censored=some(self.censored),
            _encoded=self._encoded.iloc[rows],
        )

    def on(
        self,
        new_data: NewRows,
        *,
        groups: Collection[str] | None = None,
        new_groups: str | None = None,
        weights: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        trials: bool = False,
    ) -> Design:
        """Put new rows through the encoding of this design.

        Parameters
        ----------
        new_data
            Rows with the columns of the formula, as `frames.rows` takes them. The response, trials,
            weights and the censoring column may be left out; extra columns don't matter.
        groups
            Names of the grouping factors wanted; columns of the others may be left out, and their
            codes are -1. None means all.
        new_groups
            The policy for unseen and missing labels; ``"error"`` raises. None leaves them to the
            caller, in `Grouping.new_levels` and as codes of -1.
        weights, offset
            Values per row, where the fit had arrays instead of columns.
        trials
            Whether the column of trials must be there.
        """
        rows = frames.rows(new_data)
        if trials and self._plan.roles.trials is not None:
            checks.known_columns([self._plan.roles.trials], rows)
        return _on(self, rows, groups, new_groups, weights, offset)


def build(
    formula: Formula,
    data: pd.DataFrame,
    *,
    missing: str = "error",
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    trials: str | int | None = None,
    censored: str | None = None,
    response_rule: ResponseRule | None = None,
    continuous: bool = True,
) -> Design:
    """Build the design of a formula on a frame.

    Parameters
    ----------
    formula
        What `hiermix.formula.formula.parse` made.
    data
        The frame. It is never changed.
    missing
        ``"error"``, or ``"drop"`` to leave out rows with a missing value in a used column.
    weights, offset
        A column's name, or a value per row.
    trials, censored
        What ``trials()`` and ``cens()`` say in a formula.
    response_rule
        The family's rule for the response; without one the response is any numeric column.
    continuous
        Whether the response is continuous: then it must vary, and one row per group is remarked.
    """
    # 1. The frame, the columns that are used, and the rows that are complete.
    data = frames.frame(data)
    checks.unique_columns(data)
    checks.enough_rows(data)
    formula = _with_keywords(formula, offset, trials, censored)
    roles = _Roles(formula, weights if isinstance(weights, str) else None)
    _check_names(roles, data, weights, offset, trials, censored)
    frame, kept = _complete_rows(_select(data, roles.columns), roles, missing)
    checks.enough_rows(frame, " that is complete")

    # 2. How each column is encoded, and the specs of X, of each Z, of offsets and response.
    encodings = {name: _encoding(name, frame[name], found) for name, found in roles.uses().items()}
    encoded = _encode(encodings, frame)
    plan = _plan(roles, encodings, frame, encoded, response_rule)

    # 3. Levels and codes, the response and what stands beside it.
    groupings = tuple(_grouping(name, frame, plan, continuous) for name in roles.factors)
    _in_one_part(roles, encodings, groupings, frame)
    arrays = (
        _given(what, values, len(data), kept)
        for what, values in (("weights", weights), ("offset", offset))
    )
    beside = _beside(plan, frame, encoded, *arrays)
    response = _response(plan, frame, encoded, beside.trials)
    if continuous:
        checks.constant_response(roles.response_name, response)

    # 4. Population columns that can be told apart.
    plan = replace(plan, population=_told_apart(plan, encoded, frame.index))
    _check_effects(plan, encoded, frame.index, roles.factors)
    for grouping in groupings:
        _check_varying(plan, encoded, grouping, frame.index)
    others = data.drop(columns=list(frame))
    return Design(
        formula=formula,
        frame=frame,
        others=others if kept is None else others.iloc[kept],
        rows=len(frame),
        terms=plan.population.labels,
        groupings=groupings,
        response_name=roles.response_name,
        response=response,
        unused_levels=_unused_levels(frame),
        _encoded=encoded,
        _plan=replace(plan, array_offset=offset is not None and not isinstance(offset, str)),
        **beside._asdict(),
    )


def _check_names(roles: _Roles, data: pd.DataFrame, *keywords: object) -> None:
    """Raise for names that are no column, or that results can't have."""
    checks.free_names(list(roles.factors))
    checks.names_apart(list(map(in_results, roles.columns)), roles.columns)
    for argument, column in zip(("weights", "offset", "trials", "censored"), keywords, strict=True):
        if isinstance(column, str) and not column.isdecimal():
            checks.known_columns([column], data, argument)
    checks.known_columns(roles.columns, data, parameters=roles.curves)


def _on(
    fitted: Design,
    new_data: pd.DataFrame,
    groups: Collection[str] | None,
    new_groups: str | None,
    weights: ArrayLike | None,
    offset: ArrayLike | None,
) -> Design:
    plan = fitted._plan
    roles = plan.roles
    asked = roles.factors if groups is None else {in_results(name) for name in groups}
    wanted = [name for name in roles.factors if name in asked]

    # 1. The columns that must be there, and those that are used if they are.
    checks.unique_columns(new_data, roles.columns)
    predictors = roles.predictors(wanted)
    checks.known_columns([*predictors, *roles.factor_columns(wanted)], new_data)
    frame = _select(new_data, [name for name in roles.columns if name in new_data.columns])
    beside_response = [name for name in (roles.trials,) if name is not None]
    has_response = all(name in frame for name in (*roles.response_columns, *beside_response))

    # 2. The same encoding; missing values may stand in the response alone.
    for name in predictors:
        checks.no_missing(name, frame[name])
    transformed = roles.response_columns if has_response and plan.response is not None else ()
    frame = _in_kind(plan, frame, [*predictors, *transformed], roles.factor_columns(wanted))
    shown = {*predictors, *(roles.response_columns if has_response else ())}
    encodings = {name: each for name, each in plan.encodings.items() if name in shown}
    encoded = _encode(encodings, frame)
    _check_rows([plan.population], encoded, frame.index)
    _check_effects(plan, encoded, frame.index, wanted)
    for spec in (plan.population, *chain.from_iterable(plan.effects[name] for name in wanted)):
        for each in spec.cells:
            each.check(worked_out(spec.expressions, encoded), frame.index)

    # 3. Codes by label, the response and what stands beside it.
    groupings = tuple(
        _grouping_on(each, frame, plan, new_groups, encode=each.name in wanted)
        for each in fitted.groupings
    )
    if plan.array_offset and offset is None:
        raise DataError("the fit had an offset that is no column: pass offset= for the new rows")
    beside = _beside(plan, frame, encoded, weights, offset)
    if beside.trials is not None:
        checks.usable_trials(str(roles.formula.trials), beside.trials, frame.index)
    response = _response(plan, frame, encoded, beside.trials) if has_response else None
    return replace(
        fitted,
        frame=frame,
        others=new_data.drop(columns=list(frame)),
        rows=len(frame),
        groupings=groupings,
        response=response,
        _encoded=encoded,
        **beside._asdict(),
    )


# Roles -----------------------------------------------------------------------------------------


class _Roles:
    """Which columns a formula uses, and for what."""

    def __init__(self, formula: Formula, weights: str | None) -> None:
        self.formula = formula
        self.weights = weights
        self.response_columns = columns(formula.response)
        self.response_name = in_results(unaliased(aliased(formula.response)))
        self.factors: dict[str, tuple[GroupTerm, ...]] = {}
        for term in formula.groups:
            self.factors[term.name] = (*self.factors.get(term.name, ()), term)

    @property
    def plain_response(self) -> str | None:
        """The response's column, where it is one column as it stands."""
        column = self.response_columns[0]
        return column if self.formula.response == quoted(column) else None

    @property
    def curves(self) -> tuple[str, ...]:
        """Columns that stand, with others, in a term with a function: a curve may be meant."""
        each = [columns(term) for term in terms(self.formula.population) if "(" in term]
        return _unique(*(names for names in each if len(names) > 1))

    @property
    def trials(self) -> str | None:
        trials = self.formula.trials
        return None if trials is None or trials.isdecimal() else trials

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column used, in the order of first mention."""
        beside = (self.trials, self.formula.censored, self.weights)
        return _unique(
            self.response_columns,
            self.predictors(self.factors),
            self.factor_columns(self.factors),
            [name for name in beside if name is not None],
        )

    def predictors(self, factors: Collection[str]) -> tuple[str, ...]:
        """Return the columns that the linear predictor needs, with the effects of those factors."""
        formula = self.formula
        texts = [formula.population, *formula.offsets]
        texts += [term.effects for name in factors for term in self.factors[name]]
        return _unique(*map(columns, texts))

    def factor_columns(self, factors: Collection[str]) -> tuple[str, ...]:
        """Return the columns whose values are labels of those factors."""
        return _unique(*(self.factors[name][0].factor for name in factors))

    def uses(self) -> dict[str, list[Use]]:
        """How formulaic will use each column that goes through it."""
        formula = self.formula
        texts = [formula.population, *formula.offsets, *(term.effects for term in formula.groups)]
        if self.plain_response is None:
            texts.append(formula.response)
        found: dict[str, list[Use]] = {}
        for use in (use for text in texts for use in uses(text)):
            found.setdefault(use.column, []).append(use)
        return found


def _unique(*names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(names)))


def _with_keywords(
    formula: Formula, offset: str | ArrayLike | None, trials: str | int | None, censored: str | None
) -> Formula:
    """Write what was said by keyword into the formula: equal things are equal."""
    if isinstance(offset, str):
        formula = replace(formula, offsets=(*formula.offsets, quoted(offset)))
    if trials is not None:
        checks.trials_argument(trials)
        formula = replace(formula, trials=_once("trials", formula.trials, str(trials)))
    if censored is not None:
        formula = replace(formula, censored=_once("censored", formula.censored, censored))
    return formula


def _once(what: str, written: str | None, keyword: str) -> str:
    if written not in (None, keyword):
        raise ArgumentError(f"{what} is {keyword!r}, but the formula says {written!r}: say it once")
    return keyword


# Frames ----------------------------------------------------------------------------------------


def _select(data: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return some columns without copying their values."""
    for name in names:
        checks.hashable(name, data[name])
    frame = pd.DataFrame({name: kinds.stored(data[name]).array for name in names}, copy=False)
    return frame.set_axis(data.index) if names else pd.DataFrame(index=data.index)


def _in_kind(
    plan: _Plan, frame: pd.DataFrame, predictors: Sequence[str], factors: Sequence[str]
) -> pd.DataFrame:
    """Return new rows with every predictor and label read as the kind that it was in the fit."""
    read = {}
    for name in _unique(predictors, factors):
        encoding = plan.encodings.get(name)
        labels = encoding is None or encoding.levels is not None
        read[name] = plan.kind_of[name].read(frame[name], labels=labels)
    return frame.assign(**{name: values for name, values in read.items()
                           if values is not frame[name]})  # fmt: skip


def _complete_rows(
    frame: pd.DataFrame, roles: _Roles, missing: str
) -> tuple[pd.DataFrame, NDArray[np.intp] | None]:
    """Return the rows without missing values, and their positions unless all rows are."""
    drop = checks.missing_policy(missing) == "drop"
    masks = {str(name): frame[name].isna().to_numpy() for name in frame if frame[name].hasnans}
    checks.missing_values(masks, frame.index, drop=drop)
    if not masks:
        return frame, None
    complete = ~np.logical_or.reduce(list(masks.values()))
    kept = np.flatnonzero(complete)
    for name in roles.factor_columns(roles.factors):
        before, after = frame[name].dropna(), frame[name].iloc[kept]
        checks.groups_left(name, before.unique(), after.unique())
    return _select(frame.iloc[kept], list(map(str, frame))), kept


def _given(
    what: str, values: str | ArrayLike | None, rows: int, kept: NDArray[np.intp] | None
) -> FloatArray | None:
    """Return an array for the rows that were kept; columns were cut with the frame."""
    if values is None or isinstance(values, str):
        return None
    array = _array(what, values, rows)
    return array if kept is None else array[kept]


def _unused_levels(frame: pd.DataFrame) -> dict[str, int]:
    unused = {
        name: len(frame[name].cat.categories) - frame[name].nunique()
        for name in frame
        if isinstance(frame[name].dtype, pd.CategoricalDtype)
    }
    return {str(name): number for name, number in unused.items() if number}


def _slices(rows: int) -> Iterator[slice]:
    for start in range(0, rows, SLICE):
        yield slice(start, min(start + SLICE, rows))


# Columns as formulaic gets them ----------------------------------------------------------------


@dataclass(frozen=True)
class _Encoding:
    """How a column goes to formulaic: as numbers, or as categories with these levels."""

    name: str
    levels: tuple[object, ...] | None
    """None: numbers."""
    seen: tuple[object, ...] | None = None
    """The levels of numbers that stand in C() as well."""

    def encode(self, values: pd.Series) -> pd.Series:
        if self.levels is None:
            numbers = _numbers(self.name, values, whole=self.seen is not None)
            if self.seen is not None:
                self._codes(numbers, self.seen)
            return numbers
        codes = self._codes(values, self.levels)
        return pd.Series(pd.Categorical.from_codes(codes, categories=pd.Index(self.levels)))

    def _codes(self, values: pd.Series, levels: Sequence[object]) -> NDArray[np.int64]:
        """Return the position of each row's level, found by value."""
        codes, uniques = pd.factorize(values)
        place = {level: position for position, level in enumerate(levels)}
        known = KnownLabels(levels)
        table = np.array([*(place.get(known.find(unique), -1) for unique in uniques), -1])
        checks.levels_seen(self.name, values, (table[codes] == -1) & (codes != -1), levels)
        return table[codes]


def _encoding(name: str, values: pd.Series, found: Sequence[Use]) -> _Encoding:
    """Decide how a column of the fit is encoded; raise if it can't be what the formula makes it."""
    checks.not_complex(name, values)
    how = {use.how for use in found}
    if isinstance(values.dtype, pd.CategoricalDtype):
        used = values.cat.remove_unused_categories().cat.categories
        return _Encoding(name, _plain_levels(name, used))
    if how == {"category"}:
        return _Encoding(name, _levels(name, values))
    what = kinds.what(values)
    if what in ("dates", "durations"):
        _check_times(name, values, found)
    if what != "categories":
        return _Encoding(name, None, _levels(name, values) if "category" in how else None)
    return _boxed_encoding(name, values, found)


def _check_times(name: str, values: pd.Series, found: Sequence[Use]) -> None:
    """Raise where dates or durations would be taken for numbers: only some functions know them."""
    for use in found:
        knows = use.how != "number" or by_row(use.function) or use.function in ("fourier", "trend")
        if use.how == "bare" or not knows:
            checks.not_times(name, values, kinds.what(values))


def _levels(name: str, values: pd.Series) -> tuple[object, ...]:
    return _plain_levels(name, _in_order(values.unique()))


def _plain_levels(name: str, levels: Iterable[object]) -> tuple[object, ...]:
    plain = tuple(kinds.plain(level) for level in levels)
    checks.labels_read_apart(name, plain)
    return plain


def _boxed_encoding(name: str, values: pd.Series, found: Sequence[Use]) -> _Encoding:
    """Decide for columns of text and of Python objects."""
    uniques = [kinds.plain(value) for value in values.unique()]
    checks.not_numbers_in_disguise(name, values.dtype, uniques)
    if any(isinstance(value, date) for value in values.unique()):
        checks.mixed_dates(name)
    checks.one_kind(name, uniques)
    for use in found:
        if use.how == "number":
            checks.not_text(name, use.function, uniques)
    return _Encoding(name, _levels(name, values))


def _encode(encodings: Mapping[str, _Encoding], frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame that formulaic gets: plain types, identifiers for names, no index."""
    encoded = {alias(name): each.encode(frame[name]).array for name, each in encodings.items()}
    return pd.DataFrame(encoded, index=pd.RangeIndex(len(frame)), copy=False)


def _numbers(name: str, values: pd.Series, *, whole: bool) -> pd.Series:
    """Return numbers as float64, truth values as they are, dates by the clock on the wall.

    Whole numbers would overflow in products and powers, and in silence; they stay whole where they
    are categories too, so that their labels do.
    """
    what = kinds.what(values)
    if what == "dates":
        return kinds.moments(values)
    if what != "numeric" or (whole and values.dtype.kind in "iu"):
        return values
    numbers = values.to_numpy(dtype=np.dtype(np.float64), na_value=np.nan)
    values = pd.Series(numbers, index=values.index, copy=False)
    checks.finite(name, values)
    return values


def _in_order(labels: Iterable[Any]) -> list[Any]:
    """Sort labels; labels of several types by type first."""
    labels = list(labels)
    return [labels[place] for place in _order(labels)]


def _order(labels: Iterable[Any]) -> NDArray[np.intp]:
    """Return the positions of labels in order."""
    labels = list(labels)
    places = range(len(labels))
    try:
        found = sorted(places, key=lambda place: labels[place])
    except TypeError:
        found = sorted(places, key=lambda place: (type(labels[place]).__name__, str(labels[place])))
    return np.array(found, dtype=np.intp)


# Specs: what formulaic knows of one sum of terms -----------------------------------------------


@dataclass(frozen=True, eq=False)
class _Spec:
    """A sum of terms with everything that encodes new rows the same way."""

    text: str
    labels: tuple[str, ...]
    spec: Any
    expressions: Expressions
    cells: tuple[cells.Cells, ...] = ()
    """Combinations of categories that rows have, of the terms that lack some."""
    kept: tuple[int, ...] | None = None
    """Columns that are left for lack of such combinations; None means all."""

    @property
    def computes(self) -> bool:
        """Whether some column is more than one of the frame's own: a product, or a function."""
        return bool(self.expressions) or any(
            len(term.factors) > 1 or factor.eval_method.value == "python"
            for term in self.spec.formula
            for factor in term.factors
        )

    def matrix(self, part: pd.DataFrame) -> FloatArray:
        """Return the columns for rows of an encoded frame."""
        if not self.labels:
            return np.empty((len(part), 0))
        if self.labels == ("Intercept",):
            return np.ones((len(part), 1))
        with _phrased(self.text):
            part = worked_out(self.expressions, part)
        matrix = np.asarray(_materialise(self.spec, part), dtype=np.float64)
        return matrix if self.kept is None else matrix[:, self.kept]

    def without(self, places: Collection[int]) -> _Spec:
        """Leave out columns that combinations without rows leave undetermined, with a word."""
        if not places:
            return self
        untold = set(places)
        for each in self.cells:
            if gone := sorted(each.places & untold):
                each.warn([self.labels[place] for place in gone])
            untold -= each.places
        kept = tuple(place for place in range(len(self.labels)) if place not in places)
        return replace(self, labels=tuple(self.labels[place] for place in kept), kept=kept)


def _fit_spec(text: str, encoded: pd.DataFrame) -> _Spec:
    """Fit a spec on as few rows as carry its state."""
    from formulaic import Formula as Terms
    from formulaic import ModelSpec

    source, expressions = taken_out(text)
    with _phrased(text):
        terms = Terms(source)
        transform_state: dict[str, Any] = {}
        encoder_state: dict[str, Any] = {}
        whole = _whole_spline(terms, worked_out(expressions, encoded.iloc[:2]))
        for expression in _stateful(terms):
            spec = ModelSpec.from_spec(
                f"0 + {expression}",
                output="numpy",
                na_action="ignore",
                transform_state={expression: dict(WHOLE)} if expression == whole else {},
            )
            fitted = _materialise(
                spec, _rows_with_state(expression, expressions, encoded)
            ).model_spec
            transform_state |= fitted.transform_state
            encoder_state |= fitted.encoder_state
    spec = ModelSpec.from_spec(
        terms,
        output="numpy",
        na_action="ignore",
        transform_state=transform_state,
        encoder_state=encoder_state,
    )
    with _phrased(text):
        first = worked_out(expressions, encoded.iloc[:2])
    fitted = _materialise(spec, first).model_spec
    labels = tuple(unaliased(label) for label in fitted.column_names)
    empty = cells.incomplete(fitted, worked_out(expressions, encoded))
    return _Spec(text, labels, fitted, expressions, empty)


def _whole_spline(terms: Any, encoded: pd.DataFrame) -> str | None:
    """Return the spline that keeps all columns: the first, if nothing else has the intercept."""
    if any(term == "1" or not cells.parts(term, encoded)[1] for term in terms):
        return None
    for factor in chain.from_iterable(term.factors for term in terms):
        match check_expression(factor.expr):
            case ast.Call(ast.Name("cr" | "cs" | "cc"), positional, named):
                asked = len(positional) > CONSTRAINTS or any(
                    each.arg == "constraints" for each in named
                )
                return None if asked else str(factor.expr)
    return None


def _stateful(terms: Any) -> list[str]:
    """Return the calls whose result for one row depends on the others; check every call again."""
    found = []
    for expression in dict.fromkeys(
        factor.expr
        for term in terms
        for factor in term.factors
        if factor.eval_method.value == "python"
    ):
        called = {
            ast.unparse(node.func)
            for node in ast.walk(check_expression(expression))
            if isinstance(node, ast.Call)
        }
        if any(name != "I" and not TRANSFORMS[name].startswith("numpy:") for name in called):
            found.append(expression)
    return found


def _rows_with_state(
    expression: str, expressions: Expressions, encoded: pd.DataFrame
) -> pd.DataFrame:
    """Return every row, or one of each level where only the levels are the state."""
    named = {node.id for node in ast.walk(check_expression(expression))
             if isinstance(node, ast.Name)}  # fmt: skip
    rows = worked_out({name: expressions[name] for name in named & expressions.keys()}, encoded)
    found = expression_uses(expression)
    if found and all(use.how == "category" for use in found):
        return rows[~rows.duplicated([name for name in rows if name in named])]
    return rows


def _materialise(spec: Any, part: pd.DataFrame) -> Any:
    from formulaic.errors import DataMismatchWarning

    text = str(spec.formula)
    unseen = filtered_warnings("error", DataMismatchWarning)
    with _phrased(text), unseen, np.errstate(all="ignore"):
        try:
            return spec.get_model_matrix(part, context=_context())
        except DataMismatchWarning as found:
            return checks.term_levels_seen(unaliased(text), found)


@contextmanager
def _phrased(text: str) -> Iterator[None]:
    """Turn whatever formulaic and the transforms raise into a DataError that names the terms."""
    try:
        yield
    except HiermixError:
        raise
    except Exception as error:
        # formulaic wraps what a transform raised.
        inner = error.__cause__ or error.__context__ or error
        if isinstance(inner, HiermixError):
            raise inner from None
        raise DataError(f"can't make the columns of {unaliased(text)!r}: {inner}") from error


@cache
def _context() -> dict[str, Any]:
    """Return the functions a formula may call, and nothing else."""
    context: dict[str, Any] = {}
    spaces: dict[str, dict[str, Any]] = {}
    for name, place in TRANSFORMS.items():
        module, _, attribute = place.partition(":")
        function = getattr(import_module(module), attribute)
        space, _, member = name.rpartition(".")
        (spaces.setdefault(space, {}) if space else context)[member] = function
    return context | {space: SimpleNamespace(**members) for space, members in spaces.items()}


@dataclass(frozen=True, eq=False)
class _Plan:
    """Everything a design needs to encode rows, and nothing of the rows themselves."""

    roles: _Roles
    kind_of: Mapping[str, Kind]
    labels: Mapping[str, KnownLabels]
    """Of the columns of grouping factors."""
    encodings: Mapping[str, _Encoding]
    population: _Spec
    effects: Mapping[str, tuple[_Spec, ...]]
    offsets: tuple[_Spec, ...]
    response: _Spec | None
    response_rule: ResponseRule | None
    array_offset: bool = False


def _plan(
    roles: _Roles,
    encodings: Mapping[str, _Encoding],
    frame: pd.DataFrame,
    encoded: pd.DataFrame,
    response_rule: ResponseRule | None,
) -> _Plan:
    formula = roles.formula
    factors = roles.factor_columns(roles.factors)
    return _Plan(
        roles=roles,
        kind_of={str(name): Kind.of(str(name), frame[name]) for name in frame},
        labels={name: KnownLabels(_column_codes(name, frame[name])[1]) for name in factors},
        encodings=encodings,
        population=_fit_spec(formula.population, encoded),
        effects={
            name: tuple(_without_zeros(_fit_spec(term.effects, encoded), encoded) for term in terms)
            for name, terms in roles.factors.items()
        },
        offsets=tuple(_fit_spec(f"0 + {text}", encoded) for text in formula.offsets),
        response=(None if roles.plain_response else _fit_spec(f"0 + {formula.response}", encoded)),
        response_rule=response_rule,
    )


# Grouping factors ------------------------------------------------------------------------------


def _grouping(name: str, frame: pd.DataFrame, plan: _Plan, continuous: bool) -> Grouping:
    terms = plan.roles.factors[name]
    codes, levels = _codes(name, terms[0].factor, frame)
    specs = plan.effects[name]
    effects = [label for spec in specs for label in spec.labels]
    checks.distinct_effects(name, effects)
    checks.several_levels(name, levels, " + ".join(map(str, terms)))
    first, *inner = terms[0].factor
    plausible = bool(inner) or checks.is_grouping(first, frame[first], len(levels))
    if plausible and continuous and "Intercept" in effects:
        checks.fewer_levels_than_rows(name, len(levels), len(frame))
    blocks = [
        size
        for term, spec in zip(terms, specs, strict=True)
        for size in ([len(spec.labels)] if term.correlated else [1] * len(spec.labels))
    ]
    return Grouping(
        name=name,
        columns=terms[0].factor,
        effects=tuple(effects),
        blocks=tuple(blocks),
        levels=_objects(levels),
        codes=codes,
    )


def _grouping_on(
    fitted: Grouping, frame: pd.DataFrame, plan: _Plan, new_groups: str | None, *, encode: bool
) -> Grouping:
    """Return a fitted grouping with codes for other rows: by label, never by position."""
    if not encode:
        return replace(fitted, codes=np.full(len(frame), -1, dtype=np.int32))
    codes, labels = _codes(fitted.name, fitted.columns, frame, plan.labels)
    position = {label: place for place, label in enumerate(fitted.levels)}
    unseen = [label for label in labels if label not in position]
    if new_groups is not None:
        checks.unseen_levels(fitted.name, unseen, new_groups)
        checks.missing_labels(fitted.name, codes == -1, new_groups, frame.index)
    if unseen:
        checks.labels_read_apart(fitted.name, [*fitted.levels, *unseen])
    position |= {label: len(fitted.levels) + place for place, label in enumerate(unseen)}
    table = np.array([*(position[label] for label in labels), -1], dtype=np.int32)
    return replace(fitted, codes=table[codes], new_levels=_objects(unseen))


def _codes(
    name: str,
    factor: Sequence[str],
    frame: pd.DataFrame,
    known: Mapping[str, KnownLabels] | None = None,
) -> tuple[Codes, list[object]]:
    """Return a code per row and the labels in order; -1 where a label is missing.

    With `known`, labels are those of the fit, however they are written.
    """
    each = known or {}
    codes, labels = _column_codes(factor[0], frame[factor[0]], each.get(factor[0]))
    for column in factor[1:]:
        inner, inner_labels = _column_codes(column, frame[column], each.get(column))
        codes, labels = _crossed(codes, labels, inner, inner_labels)
        checks.labels_read_apart(name, labels)
    return codes.astype(np.int32), labels


def _crossed(
    outer: NDArray[np.int64],
    outer_labels: Sequence[object],
    inner: NDArray[np.int64],
    inner_labels: Sequence[object],
) -> tuple[NDArray[np.int64], list[object]]:
    """Return codes and labels of the pairs that some row has, in the order of the two."""
    size = len(inner_labels)
    pairs = np.where((outer < 0) | (inner < 0), -1, outer * size + inner)
    codes, found = pd.factorize(pairs, sort=True)
    missing = int((found < 0).sum())
    spelled = kinds.spelled
    labels = [
        f"{spelled(outer_labels[pair // size])}:{spelled(inner_labels[pair % size])}"
        for pair in found[missing:]
    ]
    return codes - missing, list(labels)


def _column_codes(
    name: str, values: pd.Series, known: KnownLabels | None = None
) -> tuple[NDArray[np.int64], list[object]]:
    """Return codes and labels of one column; categories keep their order, others are sorted."""
    checks.no_mixed_truth(name, values)
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.cat.remove_unused_categories()
        codes, uniques = values.cat.codes.to_numpy().astype(np.int64), values.cat.categories
        order = np.arange(len(uniques))
    else:
        codes, uniques = pd.factorize(values)
        order = _order(uniques)
    labels = _plain_labels(name, uniques[order])
    if known is not None:
        labels = [known.find(label) for label in labels]
    place = {label: position for position, label in enumerate(dict.fromkeys(labels))}
    table = np.full(len(uniques) + 1, -1)
    table[order] = [place[label] for label in labels]
    return table[codes], list(place)


def _plain_labels(name: str, uniques: Iterable[object]) -> list[object]:
    labels = [kinds.plain(label) for label in uniques]
    for label in labels:
        if not isinstance(label, str | int | float):
            checks.plain_label(name, label)
    checks.labels_read_apart(name, labels)
    return labels


def _objects(labels: Sequence[object]) -> Labels:
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array


def _in_one_part(
    roles: _Roles,
    encodings: Mapping[str, _Encoding],
    groupings: Sequence[Grouping],
    frame: pd.DataFrame,
) -> None:
    """Warn of groups that are in the model twice, under one name or two."""
    used = columns(roles.formula.population)
    categories = [name for name in used if encodings[name].levels is not None]
    for column in categories:
        if in_results(column) in roles.factors:
            checks.not_in_both_parts(column)
    warn_of_twins(
        {each.name: (each.codes, each.effects) for each in groupings},
        {
            name: frame[name].to_numpy()
            for name in categories
            if in_results(name) not in roles.factors
        },
    )


# The response and what stands beside it --------------------------------------------------------


def _response(
    plan: _Plan, frame: pd.DataFrame, encoded: pd.DataFrame, trials: FloatArray | None
) -> FloatArray:
    """Return the response in numbers, by the family's rule if there is one."""
    name = plan.roles.response_name
    if plan.response is None:
        values = frame[plan.roles.plain_response]
        checks.not_complex(name, values)
    else:
        values = pd.Series(_one_column(plan.response, encoded), index=frame.index)
        given = frame[list(plan.roles.response_columns)].notna().all(axis=1)
        matrix = np.where(given, values, 0.0)[:, None]
        checks.finite_terms([name], matrix, 0, frame.index)
    if values.isna().all():  # new data with a column kept free for the response
        return np.full(len(values), np.nan)
    if plan.response_rule is not None:
        return plan.response_rule(values, name, trials)
    checks.numeric_response(values, name)
    checks.finite(name, values)
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


class _Beside(NamedTuple):
    """What stands beside the response, each None where there is none."""

    trials: FloatArray | None
    weights: FloatArray | None
    offset: FloatArray | None
    censored: FloatArray | None


def _beside(
    plan: _Plan,
    frame: pd.DataFrame,
    encoded: pd.DataFrame,
    weights: ArrayLike | None,
    offset: ArrayLike | None,
) -> _Beside:
    return _Beside(
        trials=_trials(plan.roles, frame),
        weights=_weights(plan.roles.weights, frame, weights),
        offset=_offset(plan, frame, encoded, offset),
        censored=_censored(plan.roles.formula.censored, frame),
    )


def _trials(roles: _Roles, frame: pd.DataFrame) -> FloatArray | None:
    trials = roles.formula.trials
    if trials is None or (roles.trials is not None and roles.trials not in frame):
        return None
    if roles.trials is None:
        return np.full(len(frame), float(trials))
    return _numeric(roles.trials, frame, "trials")


def _weights(column: str | None, frame: pd.DataFrame, given: ArrayLike | None) -> FloatArray | None:
    if given is not None:
        weights = _array("weights", given, len(frame))
        checks.usable_weights("the array", weights, frame.index)
        return weights
    if column is None or column not in frame:
        return None
    weights = _numeric(column, frame, "weights")
    checks.usable_weights(f"column {column!r}", weights, frame.index)
    return weights


def _offset(
    plan: _Plan, frame: pd.DataFrame, encoded: pd.DataFrame, given: ArrayLike | None
) -> FloatArray | None:
    if not plan.offsets and given is None:
        return None
    parts: list[FloatArray] = []
    if given is not None:
        parts.append(_array("offset", given, len(frame)))
        checks.usable_offset("the array", parts[0], frame.index)
    for spec in plan.offsets:
        parts.append(_one_column(spec, encoded))
        checks.usable_offset(f"offset({spec.labels[0]})", parts[-1], frame.index)
    return np.asarray(np.sum(parts, axis=0), dtype=np.float64)


_CENSORED = {"left": -1.0, "none": 0.0, "right": 1.0, "interval": 2.0}
_CENSORED |= {kinds.spelled(code): code for code in _CENSORED.values()}
_CENSORED |= {"False": 0.0, "True": 1.0}


def _censored(column: str | None, frame: pd.DataFrame) -> FloatArray | None:
    """Return -1 left, 0 not, 1 right, 2 interval censored, as brms codes them."""
    if column is None or column not in frame:
        return None
    values = frame[column]
    codes = np.array([_CENSORED.get(kinds.spelled(value), np.nan) for value in values.tolist()])
    checks.known_censoring(column, values, np.isnan(codes))
    return codes


def _numeric(column: str, frame: pd.DataFrame, what: str) -> FloatArray:
    checks.numeric_column(column, frame[column], what)
    return frame[column].to_numpy(dtype=np.float64, na_value=np.nan)


def _array(what: str, given: ArrayLike, rows: int) -> FloatArray:
    array = kinds.numbers(given)
    checks.numeric_array(what, array)
    checks.right_length(what, len(array), rows)
    return np.asarray(array, dtype=np.float64)


def _one_column(spec: _Spec, encoded: pd.DataFrame) -> FloatArray:
    matrix = spec.matrix(encoded)
    checks.one_column(spec.text.removeprefix("0 + "), matrix.shape[1])
    return matrix[:, 0]


# Columns that can be told apart, and are finite --------------------------------------------------


_DEPENDENT = 1e-11
"""A column is dependent if this is the sine of its angle to the span of those before it."""
_SHARE = 1e-8
"""The smallest share of another column that counts as part of a combination."""


def _told_apart(plan: _Plan, encoded: pd.DataFrame, index: pd.Index) -> _Spec:
    """Return the population's columns without those that empty cells leave undetermined.

    Raise if a column is no number somewhere, or a combination of those before it for any other
    reason.
    """
    spec = plan.population
    labels = spec.labels
    checks.distinct_terms(labels)
    for column in columns(plan.roles.formula.population):
        levels = plan.encodings[column].levels
        if levels is not None and len(levels) == 1 and "Intercept" in labels:
            checks.one_level(column, levels[0])
    if labels in ((), ("Intercept",)):
        return spec
    triangle = np.empty((0, len(labels)))
    for X in _finite_slices(spec, encoded, index):
        # One QR decomposition, slice by slice: unlike X'X it doesn't square the condition number.
        triangle = np.linalg.qr(np.vstack([triangle, X]), mode="r")
    lengths = np.abs(triangle).max(axis=0)
    triangle /= np.where(lengths > 0, lengths, 1.0)  # units don't matter
    excused = frozenset().union(*(each.places for each in spec.cells))
    dependent = _dependent(triangle)
    for place in dependent:
        if place not in excused:
            first = float(spec.matrix(encoded.iloc[:1])[0, place])
            _refuse_dependent(triangle, labels, place, dependent, first)
    return spec.without(dependent)


def _dependent(triangle: FloatArray) -> list[int]:
    """Return the columns that are combinations of those before them."""
    basis = np.empty((len(triangle), 0))
    found = []
    for place, column in enumerate(triangle.T):
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)  # once more: what rounding left
        length = np.linalg.norm(rest)
        if length <= _DEPENDENT * np.linalg.norm(column):
            found.append(place)
        else:
            basis = np.column_stack([basis, rest / length])
    return found


def _refuse_dependent(
    triangle: FloatArray, labels: Sequence[str], place: int, dependent: Sequence[int], first: float
) -> None:
    """Raise for a column that is constant, or a combination of others, and name those."""
    before = [other for other in range(place) if other not in dependent]
    column = triangle[:, place]
    shares = np.linalg.lstsq(triangle[:, before], column, rcond=None)[0]
    large = np.abs(shares) > _SHARE * np.linalg.norm(column)
    named = [labels[other] for other, counts in zip(before, large, strict=True) if counts]
    if named in ([], ["Intercept"]):
        checks.constant_term(labels[place], first, intercept=bool(named))
    checks.dependent_term(labels[place], [name for name in named if name != "Intercept"])


def _without_zeros(spec: _Spec, encoded: pd.DataFrame) -> _Spec:
    """Return varying columns without those that no row has for lack of a combination."""
    if not spec.cells:
        return spec
    used = [spec.matrix(encoded.iloc[rows]).any(axis=0) for rows in _slices(len(encoded))]
    some = np.logical_or.reduce(used)
    return spec.without([place for each in spec.cells for place in each.places if not some[place]])


def _check_effects(
    plan: _Plan, encoded: pd.DataFrame, index: pd.Index, factors: Collection[str]
) -> None:
    """Raise if a varying column is no number somewhere."""
    _check_rows([spec for name in factors for spec in plan.effects[name]], encoded, index)


def _check_varying(plan: _Plan, encoded: pd.DataFrame, grouping: Grouping, index: pd.Index) -> None:
    """Raise if a column that varies beside the intercept of its group is constant.

    Other combinations may stand in group terms: each block has a spread of its own.
    """
    if "Intercept" not in grouping.effects or set(grouping.effects) <= set(plan.population.labels):
        return
    for spec in plan.effects[grouping.name]:
        ranges = [(Z.min(axis=0), Z.max(axis=0)) for Z in _finite_slices(spec, encoded, index)]
        low, high = np.min(ranges, axis=(0, 1)), np.max(ranges, axis=(0, 1))
        for label, least, most in zip(spec.labels, low, high, strict=True):
            if least == most and label != "Intercept":
                checks.constant_term(label, float(least), intercept=True)


def _check_rows(specs: Sequence[_Spec], encoded: pd.DataFrame, index: pd.Index) -> None:
    for spec in specs:
        if spec.computes:  # the frame's own columns were found finite before
            for _ in _finite_slices(spec, encoded, index):
                pass


def _finite_slices(spec: _Spec, encoded: pd.DataFrame, index: pd.Index) -> Iterator[FloatArray]:
    for rows in _slices(len(encoded)):
        matrix = spec.matrix(encoded.iloc[rows])
        checks.finite_terms(spec.labels, matrix, rows.start, index)
        yield matrix
