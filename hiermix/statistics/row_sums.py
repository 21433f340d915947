"""What a program that integrates effects out needs of its rows, from the rows or without them."""

from __future__ import annotations

from typing import Protocol

from hiermix.design.design import Design
from hiermix.families.linear_scale import less_offset, response
from hiermix.statistics.gram import Gram, statistics
from hiermix.statistics.within_between import Within, split_rows
from hiermix.typing import FloatArray, IntArray


class Sums(Protocol):
    """Sums over the rows of a design, which may have an origin subtracted from its Z."""

    def level_counts(self, design: Design) -> list[IntArray]:
        """Return the number of rows of each level, factor by factor."""
        ...

    def gram(self, design: Design) -> Gram:
        """Return the sums around the least-squares fit."""
        ...

    def within(self, design: Design, gram: Gram) -> Within:
        """Return those within groups and between them, apart."""
        ...


class _FromRows:
    def level_counts(self, design: Design) -> list[IntArray]:
        return [each.factor.counts() for each in design.groupings]

    def gram(self, design: Design) -> Gram:
        y = response_less_offset(design)
        return statistics(design, factor_name(design), y, design.weights)

    def within(self, design: Design, gram: Gram) -> Within:
        y = response_less_offset(design)
        return split_rows(gram, design, factor_name(design), y, design.weights)


FROM_ROWS: Sums = _FromRows()


def factor_name(design: Design) -> str | None:
    """Return the name of the one grouping factor, if there is one."""
    return design.groupings[0].name if design.groupings else None


def response_less_offset(design: Design) -> FloatArray:
    """Return the fitted responses (rows,), less any offset."""
    return less_offset(response(design), design)
