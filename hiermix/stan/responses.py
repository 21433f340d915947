"""The response in the form that a family's program reads."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from hiermix.design.design import Design
from hiermix.families import thresholds
from hiermix.families.discrimination import specific
from hiermix.families.family import Family, Form
from hiermix.families.known_ends import stand_in
from hiermix.families.linear_scale import earliest
from hiermix.families.own_parameter import category_count
from hiermix.stan import known_intervals
from hiermix.statistics.repeated_rows import Repeats
from hiermix.typing import FloatArray, StanData

ADDED_UP: tuple[Form, ...] = ("successes", "events", "chosen", "counted")
"""Forms in which rows of equal linear predictor are one, whatever their response."""
_LARGEST_COUNT = 10_000
"""Beyond it a sum over all smaller counts costs more than it saves."""


class _Rows(NamedTuple):
    """The fitted rows, and which of them stand for others."""

    design: Design
    family: Family
    y: FloatArray
    weight: FloatArray
    """Of each row's log density: none where the response is censored."""
    repeats: Repeats


def response(design: Design, family: Family, repeats: Repeats) -> StanData:
    """Build the response in the form that the family's program reads.

    Rows that repeat are added up: their weights; of successes and of Poisson counts the numbers
    themselves, times their weights.
    """
    weight = np.ones(design.rows) if design.weights is None else design.weights
    seen = weight if design.censored is None else weight * (design.censored == 0)
    data = FORMS[family.form](_Rows(design, family, stand_in(design), seen, repeats))
    if family.linked_log_tails is not None:
        data |= known_intervals.intervals(design, family, weight, repeats)
    if len(family.links) > 1:
        data["link"] = family.links.index(family.link) + 1
    return data


def errors(design: Design, repeats: Repeats) -> StanData:
    """Build the standard errors of rows, where they are known, for the program of normal rows."""
    se = design.limits.se
    return {
        "errors": int(se is not None),
        "known_variance": np.zeros(0) if se is None else se[repeats.first] ** 2,
        "no_sigma": int(design.formula.beside.known_errors),
    }


def _as_given(rows: _Rows) -> StanData:
    return {"weight": rows.repeats.total(rows.weight), "y": rows.y[rows.repeats.first]}


def _from_the_earliest(rows: _Rows) -> StanData:
    # Rows that are known to an interval alone are in no density: no ndt comes too late for them.
    seen = np.where(rows.weight > 0, rows.y, rows.y.max() + 1)
    return _as_given(rows) | {
        "y": seen[rows.repeats.first], "earliest": earliest(rows.design)
    }  # fmt: skip


def _whole(rows: _Rows) -> StanData:
    found = _as_given(rows)
    return found | {"y": rows.y[rows.repeats.first].astype(np.int64)}


def _additive(rows: _Rows) -> StanData:
    return _as_given(rows) | {"y": rows.family.additive(rows.y[rows.repeats.first])}


def _counts(rows: _Rows) -> StanData:
    reached = _reached(rows.y[rows.repeats.first], rows.repeats.total(rows.weight))
    return _as_given(rows) | _rate(rows) | {"top": len(reached), "reached": reached}


def _rate(rows: _Rows) -> StanData:
    rate = rows.design.limits.rate
    found = np.zeros(0) if rate is None else rate[rows.repeats.first]
    return {"rated": int(rate is not None), "counted_over": found}


def _reached(y: FloatArray, weight: FloatArray) -> FloatArray:
    """Weight of the rows whose count reaches 1, 2, ...; empty for very large counts."""
    if not len(y) or y.max() > _LARGEST_COUNT:
        return np.zeros(0)
    at = np.bincount(y.astype(np.int64), weight)
    return at[:0:-1].cumsum()[::-1].copy()


def _trials(rows: _Rows) -> StanData:
    assert rows.design.trials is not None
    return _as_given(rows) | {"trials": rows.design.trials[rows.repeats.first]}


def _ordered(rows: _Rows) -> StanData:
    return _as_given(rows) | {
        "y": rows.y[rows.repeats.first].astype(np.int64),
        "C": category_count(rows.design),
        "anchor": thresholds.anchor(rows.design) + 1,
    }


def _cumulative(rows: _Rows) -> StanData:
    """Ordered categories as places of their lower bounds, among those of all items."""
    found, which = thresholds.ladder(rows.design), rows.repeats.first
    sizes, item = np.array(found.sizes), rows.design.limits.item
    codes = np.zeros(len(which), dtype=np.int64) if item is None else item[which].astype(np.int64)
    y = rows.y[which].astype(np.int64)
    starts = np.cumsum([0, *(sizes + 1)])[:-1]
    return _as_given(rows) | {
        "item_count": len(sizes),
        "C": sizes,
        "anchor": np.array(found.anchors, dtype=np.int64) + 1,
        "y": starts[codes] + y,
        "outermost": np.where(y == 1, 1, np.where(y == sizes[codes], 2, 0)),
    }


def _stepwise(rows: _Rows) -> StanData:
    """Ordered categories, and which equation each threshold has beside."""
    names = [each.name for each in rows.design.equations]
    places = [names.index(name) + 1 if name in names else 0 for name in specific(rows.design)]
    return _ordered(rows) | {"specific": np.array(places, dtype=np.int64)}


def _chosen(rows: _Rows) -> StanData:
    C, total = category_count(rows.design), rows.repeats.total
    chosen = [total(rows.weight * (rows.y == category)) for category in range(2, C + 1)]
    return {"C": C, "weight": total(rows.weight), "chosen": np.column_stack(chosen), "base": 0.0}


def _counted(rows: _Rows) -> StanData:
    from scipy.special import gammaln

    counts, total = rows.design.counts, rows.repeats.total
    assert counts is not None
    ways = gammaln(rows.y + 1) - gammaln(counts + 1).sum(axis=1)
    chosen = [total(rows.weight * each) for each in counts.T[1:]]
    return {
        "C": len(chosen) + 1,
        "weight": total(rows.weight * rows.y),
        "chosen": np.column_stack(chosen),
        "base": float(rows.weight @ ways) if len(rows.repeats.first) else 0.0,
    }


def _successes(rows: _Rows) -> StanData:
    from scipy.special import gammaln

    y, total = rows.y, rows.repeats.total
    n = np.ones(len(y)) if rows.design.trials is None else rows.design.trials
    choose = gammaln(n + 1) - gammaln(y + 1) - gammaln(n - y + 1)
    return {
        "successes": total(rows.weight * y),
        "trials": total(rows.weight * n),
        "base": float(rows.weight @ choose) if len(rows.repeats.first) else 0.0,
    }


def _events(rows: _Rows) -> StanData:
    from scipy.special import gammaln

    total = rows.repeats.total
    return {
        "y": total(rows.weight * rows.y),
        "exposure": total(rows.weight),
        "base": -float(rows.weight @ gammaln(rows.y + 1)) if len(rows.repeats.first) else 0.0,
    }


FORMS: Mapping[Form, Callable[[_Rows], StanData]] = {
    "as given": _as_given,
    "from the earliest": _from_the_earliest,
    "whole": _whole,
    "additive": _additive,
    "successes": _successes,
    "events": _events,
    "counts": _counts,
    "trials": _trials,
    "ordered": _cumulative,
    "stepwise": _stepwise,
    "chosen": _chosen,
    "counted": _counted,
}
