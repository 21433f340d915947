"""Monotonic effects: a column for each step from a level of an ordered predictor to the next.

Their coefficients are ``b D share`` (Buerkner and Charpentier, 2020): b, the mean of the D steps,
and how the way from the first level to the last is shared among them, positive numbers that add up
to one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hiermix.design.encoding import Encoding
from hiermix.design.kinds import spelled
from hiermix.design.specs import Beside, Spec
from hiermix.errors import DataError, at_rows, count, first_three
from hiermix.formula.equations import qualified
from hiermix.formula.formula import Formula
from hiermix.formula.names import alias, in_results
from hiermix.formula.terms import GroupTerm
from hiermix.formula.terms.monotonic import Monotonic
from hiermix.typing import FloatArray

_MOST = 100


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of one monotonic effect."""

    term: str
    """``mo(x)``, or ``mo(x):z``"""
    equation: str
    column: str
    levels: tuple[object, ...]
    """In order."""
    written: str
    """The term of the formula that it is of."""
    times: tuple[Spec, int] | None = None
    """What a step is multiplied by: a column of a sum of terms."""
    shared: Steps | None = None
    """Those whose shares these are too, by their id."""

    @property
    def names(self) -> tuple[str, str]:
        """What results call the mean step and the shares: ``mo_x`` and ``simo_x``."""
        mean, shares = self._names
        return mean, shares if self.shared is None else self.shared.names[1]

    @property
    def _names(self) -> tuple[str, str]:
        rest = self.term.removeprefix(in_results(Monotonic(self.column).call))
        column = in_results(qualified(self.column, self.equation)) + rest
        return f"mo_{column}", f"simo_{column}"

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the columns: of the step up to each level but the first."""
        return tuple(f"{self.term}[{spelled(level)}]" for level in self.levels[1:])

    def matrix(self, part: pd.DataFrame) -> FloatArray:
        """(n, D) which steps rows of an encoded frame have behind them."""
        values = part[alias(self.column)]
        known = pd.Index(self.levels, dtype=object)
        place = known.get_indexer(pd.Index(values.astype(object)))
        unseen = np.flatnonzero(place < 0)
        if len(unseen):
            raise DataError(
                f"{self.term}: {count(len(unseen), 'value')} of {self.column!r} "
                f"{at_rows(unseen)} that no row of the fit had: "
                f"{first_three(values.iloc[unseen].unique().tolist())}. It knows "
                f"{', '.join(map(spelled, self.levels))}"
            )
        steps = place[:, None] > np.arange(len(self.levels) - 1)
        if self.times is None:
            return np.asarray(steps, dtype=np.float64)
        spec, column = self.times
        return np.asarray(steps * spec.matrix(part)[:, [column]])


def steps_of(
    formula: Formula,
    encodings: Mapping[str, Encoding],
    frame: pd.DataFrame,
    encoded: pd.DataFrame,
    fitted: Callable[[str], Spec],
) -> tuple[Steps, ...]:
    """Return the monotonic effects of a formula, with the levels of the rows.

    `fitted` makes a sum of terms encode rows.
    """
    terms = [each for each in formula.specials if isinstance(each, Monotonic)]
    found: list[Steps] = []
    first: dict[tuple[str, str], Steps] = {}
    for term in terms:
        levels = _levels(term, encodings[term.column], frame[term.column], encoded)
        beside = [each for each in terms
                  if (each.column, each.equation) == (term.column, term.equation)]  # fmt: skip
        for name, times in _times(term, beside, fitted):
            one = Steps(name, term.equation, term.column, levels, str(term), times)
            found.append(one if term.id is None else _sharing(one, term.id, first))
    names = [(each.equation, each.term) for each in found]
    for equation, name in names:
        if names.count((equation, name)) > 1:
            raise DataError(f"{name} stands in the formula twice: keep one")
    return tuple(found)


def _sharing(steps: Steps, of: str, first: dict[tuple[str, str], Steps]) -> Steps:
    """Return steps with the shares of the first ones of their equation and id, if those are not."""
    leader = first.setdefault((steps.equation, of), steps)
    if leader is steps:
        return steps
    sizes = [len(each.labels) for each in (leader, steps)]
    if sizes[0] != sizes[1]:
        raise DataError(
            f"{leader.written} and {steps.written} share the way among their steps, and have "
            f"{sizes[0]} and {sizes[1]}: give them ids of their own"
        )
    return replace(steps, shared=leader)


def _times(
    term: Monotonic, beside: Sequence[Monotonic], fitted: Callable[[str], Spec]
) -> Iterator[tuple[str, tuple[Spec, int] | None]]:
    """Yield the effects that a term is, one for each column of the rest of its product.

    The steps take the place of the intercept: categories have a column less where the effect stands
    without them too, and less again what products of fewer factors have.
    """
    call = in_results(term.call)
    if not term.times:
        yield call, None
        return
    smaller = {one.times for one in beside if one.times and one.times.count(":")
               < term.times.count(":")}  # fmt: skip
    base = "1" if any(not one.times for one in beside) else "0"
    before = fitted(" + ".join([base, *sorted(smaller)]))
    spec = fitted(" + ".join([base, *sorted(smaller), term.times]))
    if spec.cells:
        raise DataError(
            f"{term}: no row has some combination of the categories of {term.times}: make one "
            "column of them"
        )
    for place, label in enumerate(spec.labels):
        if label not in before.labels:
            yield f"{call}:{_plain(label)}", (spec, place)


def _plain(label: str) -> str:
    """Return a label without brackets, in which the label of a step stands."""
    return label.replace("[T.", "").replace("[", "").replace("]", "")


def level_columns(steps: Sequence[Steps], term: GroupTerm) -> list[Beside]:
    """Return the columns of the steps that vary in a group term."""
    written = {str(each) for each in term.specials}
    mine = [each for each in steps if each.equation == term.equation and each.written in written]
    return [Beside(each.labels, each.matrix) for each in mine]


def _levels(
    term: Monotonic, encoding: Encoding, column: pd.Series, encoded: pd.DataFrame
) -> tuple[object, ...]:
    name, dtype = term.column, column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        if not dtype.ordered:
            raise DataError(
                f"{term}: the categories of {name!r} have no order: write "
                f"data[{name!r}].cat.as_ordered(), or pd.Categorical(..., ordered=True)"
            )
        levels = encoding.levels or ()
    elif pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
        numbers = np.unique(encoded[alias(name)].to_numpy(dtype=np.float64))
        if (numbers != np.round(numbers)).any():
            raise DataError(
                f"{term}: {name!r} has numbers that are not whole, such as "
                f"{numbers[numbers != np.round(numbers)][0]:g}: a monotonic effect is of ordered "
                "categories or of whole numbers"
            )
        levels = tuple(numbers.tolist())
    else:
        raise DataError(
            f"{term}: {name!r} has no order: make it pd.Categorical(data[{name!r}], "
            "categories=[...], ordered=True), or whole numbers"
        )
    if not 2 <= len(levels) <= _MOST:
        raise DataError(
            f"{term}: {name!r} has {count(len(levels), 'level')}, and a monotonic effect takes 2 "
            f"to {_MOST}"
        )
    return levels
