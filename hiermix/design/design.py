"""Formula + frame -> Design: response, population columns, group effects, level indices.

A design stores how each column was encoded, so that new rows go through
the same door (`Design.on`); groups are aligned by label, never by position. Nothing of the size
rows x columns is held: X and Z are made for the rows asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hiermix.design import beside_rows, checks, frames, response_checks, shared_levels
from hiermix.design.batches import Rows
from hiermix.design.curves import Curve
from hiermix.design.encoding import encoded_frame
from hiermix.design.equation import Equation, equations_of
from hiermix.design.expressions import worked_out
from hiermix.design.frames import NewRows, select
from hiermix.design.groupings import Grouping
from hiermix.design.identifiable import check_effects, check_rows
from hiermix.design.imputed import Imputed, standing_in
from hiermix.design.items import Items
from hiermix.design.known_ahead import Calendar
from hiermix.design.level_curves import LevelCurve
from hiermix.design.limits import Limits
from hiermix.design.monotone_steps import Steps
from hiermix.design.plan import (
    Labels,
    Plan,
    Summed,
    in_kind,
)
from hiermix.design.response import beside_of, outcomes_of, response_of
from hiermix.design.series import Series
from hiermix.design.tables import Table
from hiermix.errors import DataError
from hiermix.formula.equations import MU
from hiermix.formula.formula import Formula
from hiermix.formula.names import alias, in_results
from hiermix.typing import FloatArray

_BY_ROW = "response", "trials", "weights", "censored", "counts"
_NO_OFFSET = "the fit had an offset that is no column: pass offset= for the new rows"


@dataclass(frozen=True, eq=False)
class Design:
    """What a formula makes of a frame."""

    formula: Formula
    frame: pd.DataFrame
    """The columns that the formula uses, in the storage of their kind."""
    others: Table
    """The other columns of the same rows, as they were given."""
    rows: int
    equations: tuple[Equation, ...]
    """Linear predictors: that of the response's location first, or those of categories."""
    groupings: tuple[Grouping, ...]
    response_name: str
    response: FloatArray | None
    """None where new data have no response; NaN where new data have it missing."""
    trials: FloatArray | None
    weights: FloatArray | None
    censored: FloatArray | None
    limits: Limits
    unused_levels: Mapping[str, int]
    """Categorical columns and how many of their levels no row has."""
    summed: Summed | None
    """What is known of rows that were added up and are not here."""
    _encoded: pd.DataFrame = field(repr=False)
    _plan: Plan = field(repr=False)
    merged: int = 0
    """Number of rows that these stand for, where equal ones were merged."""
    calendar: Calendar | None = None
    """What is known of times, for rows that come without it."""
    series: Series | None = None
    """Which rows have residuals that go together; None where they are independent."""
    unanswered: Table | None = None
    """Rows without a response, to be predicted."""
    imputed: tuple[Imputed, ...] = ()
    """Predictors with missing values, each behind those that its equation needs."""
    counts: FloatArray | None = None
    """Where the response is counts of categories: (rows, categories), and `response` totals."""

    @property
    def terms(self) -> tuple[str, ...]:
        """Labels of the population columns of the first equation."""
        return self.equations[0].terms

    @property
    def offset(self) -> FloatArray | None:
        """Offset (rows,) of the first equation."""
        return self.equations[0].offset

    @property
    def parts(self) -> tuple[Design, ...]:
        """Designs of the responses, one by one, where there are several."""
        return ()

    @property
    def reported(self) -> tuple[Equation, ...]:
        """Equations as priors and results name them: those of several responses apart."""
        return self.equations

    def equation(self, name: str) -> Equation:
        """Return an equation by name."""
        return next(each for each in self.equations if each.name == name)

    def X(self, rows: Rows = slice(None), equation: str = MU) -> FloatArray:  # noqa: N802
        """Return the population design (n, P) of some rows and an equation, in raw units."""
        return self._plan.populations[equation].matrix(self._encoded.iloc[rows])

    def slopes(self, predictor: str, rows: Rows, equation: str = MU) -> FloatArray:
        """Return what X (n, P) of some rows and an equation has of one unit of a predictor."""
        part, spec = self._encoded.iloc[rows], self._plan.populations[equation]
        at = (spec.matrix(part.assign(**{alias(predictor): value})) for value in (1.0, 0.0))
        return next(at) - next(at)

    def Z(self, name: str, rows: Rows = slice(None)) -> FloatArray:  # noqa: N802
        """Return the design (n, Q) of the coefficients that vary over a grouping factor."""
        part = self._encoded.iloc[rows]
        blocks = [spec.matrix(part) for spec in self._plan.effects[name]]
        Z = blocks[0] if len(blocks) == 1 else np.hstack(blocks)
        return self.grouping(name).columns_of(Z, rows)

    @property
    def categories(self) -> Labels:
        """Labels of the response, counted from 1, in order; none where it is a number."""
        rule = self._plan.response_rule
        return self._plan.response_labels if rule and rule.categories != "none" else ()

    @property
    def unordered(self) -> bool:
        """Whether those labels have no order: each but the first has a linear predictor."""
        rule = self._plan.response_rule
        return rule is not None and rule.categories == "unordered"

    @property
    def alike(self) -> bool:
        """Whether these have one formula, and nothing else in common: draws have a dim for them."""
        return self.unordered and all(each.columns == MU for each in self.equations)

    def has(self, name: str) -> bool:
        """Tell whether the data have a column, used by the formula or not."""
        return name in self.frame or name in self.others

    def column(self, name: str) -> pd.Series:
        """Return a column for the rows, used by the formula or not; empty where these are gone."""
        if self.merged and not self.has(name) and name in self._plan.kind_of:
            gone: pd.Series = pd.Series([], dtype=self._plan.kind_of[name].dtype)
            return gone
        return self.frame[name] if name in self.frame else self.others[name]

    @property
    def curves(self) -> tuple[Curve, ...]:
        """Those of smooths."""
        return self._plan.curves

    @property
    def level_curves(self) -> tuple[LevelCurve, ...]:
        """Curves that vary over a factor."""
        return self._plan.level_curves

    @property
    def steps(self) -> tuple[Steps, ...]:
        """Monotonic effects."""
        return self._plan.steps

    @property
    def items(self) -> Items | None:
        """Those that have thresholds of their own."""
        return self._plan.items

    @property
    def step_places(self) -> list[slice]:
        """Places of the steps of each among the coefficients of all equations."""
        labels = [(each.name, term) for each in self.equations for term in each.terms]
        starts = [labels.index((each.equation, each.labels[0])) for each in self.steps]
        pairs = zip(starts, self.steps, strict=True)
        return [slice(start, start + len(each.labels)) for start, each in pairs]

    @property
    def predictors(self) -> tuple[str, ...]:
        """Columns that the linear predictor needs, but for the labels of grouping factors."""
        roles = self._plan.roles
        return roles.predictors(roles.factors)

    @property
    def response_columns(self) -> tuple[str, ...]:
        """Columns that the response is made of."""
        return tuple(self._plan.roles.response_columns)

    @property
    def of_expectation(self) -> list[str]:
        """Columns of the frame that tell apart what is expected of one trial of rows."""
        roles = self._plan.roles
        aside = {*roles.response_columns, roles.trials, roles.weights} - {*self.predictors}
        return [str(name) for name in self.frame if name not in aside]

    def levels_of(self, name: str) -> Labels:
        """Levels of a column that the formula takes as categories; none of other columns."""
        encoding = self._plan.encodings.get(name)
        return () if encoding is None else encoding.levels or encoding.seen or ()

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
        return outcomes_of(self._plan, values)

    def grouping(self, name: str) -> Grouping:
        """Return a grouping factor by name."""
        name = in_results(name)
        return next(each for each in self.groupings if each.name == name)

    def check_rows(self, what: str) -> None:
        """Raise a DataError where something needs the rows, and there are sums alone."""
        if self.summed is not None or self.merged:
            checks.rows_not_here(what, merged=self.merged > 0)

    def take(self, rows: NDArray[np.intp]) -> Design:
        """Return the design of some of its own rows, by position."""
        each = {name: getattr(self, name) for name in _BY_ROW}
        some = {name: values[rows] for name, values in each.items() if values is not None}
        return replace(
            self,
            frame=self.frame.iloc[rows],
            others=self.others.take(rows),
            rows=len(rows),
            equations=tuple(each.take(rows) for each in self.equations),
            groupings=tuple(each.take(rows) for each in self.groupings),
            **some,
            limits=self.limits.take(rows),
            series=self.series and self.series.take(rows),
            imputed=tuple(each.take(rows) for each in self.imputed),
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
            Whether the columns of trials and of bounds must be there.
        """
        rows = frames.new_rows(new_data)
        rows = rows if self.calendar is None else self.calendar.joined_to(rows)
        if beside_rows.name_of("offset") in self._plan.roles.columns:  # an array, in the fit
            if offset is None and beside_rows.name_of("offset") not in rows.columns:
                raise DataError(_NO_OFFSET)
            rows, offset = beside_rows.as_column(rows, "offset", offset)[0], None
        if trials:
            checks.known_columns(self._plan.roles.of_response, rows)
        found = _on(self, rows, groups, new_groups, weights, offset)
        if trials and self.formula.counted and self.formula.beside.trials is None:
            response_checks.known_totals(self.response_name, found.trials, found.frame.index)
        return found


def _on(
    fitted: Design,
    new_data: Table,
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
    frame = select(new_data, [name for name in roles.columns if name in new_data.columns])
    beside_response = [name for name in (roles.trials,) if name is not None]
    has_response = all(name in frame for name in (*roles.response_columns, *beside_response))

    # 2. The same encoding; missing values may stand in the response alone.
    for name in predictors:
        if name not in roles.formula.imputed:
            checks.no_missing(name, frame[name])
    transformed = roles.response_columns if has_response and plan.response is not None else ()
    frame = in_kind(plan, frame, [*predictors, *transformed], roles.factor_columns(wanted))
    shown = {*predictors, *(roles.response_columns if has_response else ())}
    encodings = {name: each for name, each in plan.encodings.items() if name in shown}
    encoded = encoded_frame(encodings, frame)
    imputed = tuple(each.on(encoded) for each in fitted.imputed)
    encoded = standing_in(imputed, encoded)
    check_rows([*plan.populations.values()], encoded, frame.index)
    check_effects(plan, encoded, frame.index, wanted)
    every = plan.populations.values(), *(plan.effects[name] for name in wanted)
    for spec in chain.from_iterable(every):
        for each in spec.cells:
            each.check(worked_out(spec.expressions, encoded), frame.index)

    # 3. Codes by label, the response and what stands beside it.
    groupings = tuple(
        shared_levels.on(each, frame, plan, new_groups, encode=each.name in wanted)
        for each in fitted.groupings
    )
    if plan.array_offset and offset is None:
        raise DataError(_NO_OFFSET)
    beside = beside_of(plan, frame, weights)
    if roles.formula.beside.trials is not None and beside.trials is not None:
        response_checks.usable_trials(str(roles.formula.beside.trials), beside.trials, frame.index)
    response = None
    if has_response:
        response = response_of(plan, frame, encoded, beside).numbers
    return replace(
        fitted,
        frame=frame,
        others=new_data.without(frame),
        rows=len(frame),
        equations=equations_of(plan, frame, encoded, offset),
        groupings=groupings,
        response=response,
        summed=None,
        merged=False,
        series=fitted.series and fitted.series.on(frame),
        imputed=imputed,
        _encoded=encoded,
        **beside._asdict(),
    )
