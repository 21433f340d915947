"""Monotonic effects that vary over a factor: the shares of its steps are those of the population.

A level has one number, how much its mean step differs; each step differs by that times its share.
Results have an effect of each step, as the population has; programs, which know the shares, have
the number alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from hiermix.design.groupings import Grouping
from hiermix.design.monotone_steps import Steps
from hiermix.errors import FormulaError
from hiermix.formula.equations import qualified
from hiermix.formula.formula import Formula
from hiermix.formula.terms.monotonic import Monotonic
from hiermix.typing import IntArray


def check(formula: Formula) -> None:
    """Raise for monotonic effects that vary around none, or over strata."""
    for term in formula.groups:
        for each in term.specials:
            if not isinstance(each, Monotonic):
                continue
            if each not in formula.specials:
                raise FormulaError(
                    f"{term}: levels share the steps of the population, where {each} is missing: "
                    f"write y ~ {each} + {term}"
                )
            if getattr(term.how, "by", None) is not None:
                raise FormulaError(
                    f"{term}: monotonic effects vary over plain factors, not in strata: leave by= "
                    "out"
                )


def leads(grouping: Grouping) -> IntArray:
    """(Q,) place, among the numbers that a level has, of that which makes each effect."""
    before: Steps | None = None
    found, at = [], -1
    for each in grouping.moved or (None,) * len(grouping.effects):
        at += each is None or each is not before
        found.append(at)
        before = each
    return np.array(found, dtype=np.int64)


def firsts(grouping: Grouping) -> list[int]:
    """Return the first effect that each number of a level makes."""
    lead = leads(grouping)
    return np.unique(lead, return_index=True)[1].tolist() if len(lead) else []


def joined(grouping: Grouping) -> Grouping:
    """Return a factor as programs have it: one effect in place of the steps that it makes."""
    if not grouping.moved:
        return grouping
    kept = firsts(grouping)
    each = [grouping.moved[k] for k in kept]
    pairs = [(one, grouping.equations[k], k) for one, k in zip(each, kept, strict=True)]
    effects = tuple(
        grouping.effects[k] if one is None else qualified(one.term, equation)
        for one, equation, k in pairs
    )
    shared = tuple(grouping.shared[k] for k in kept)
    return replace(
        grouping,
        effects=effects,
        terms=tuple(grouping.terms[k] if one is None else one.term for one, _, k in pairs),
        equations=tuple(grouping.equations[k] for k in kept),
        places=tuple(range(len(kept))),
        blocks=tuple(_sizes(grouping, kept)),
        shared=() if shared == effects else shared,
        moved=tuple(each),
        joined=tuple(leads(grouping).tolist()),
    )


def _sizes(grouping: Grouping, kept: Sequence[int]) -> Iterator[int]:
    """Yield the sizes of blocks of the effects that are kept."""
    start = 0
    for size in grouping.blocks:
        inside = sum(start <= k < start + size for k in kept)
        if inside:
            yield inside
        start += size
