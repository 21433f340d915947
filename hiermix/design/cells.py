"""Combinations of categories: which of them rows have, and that new rows have no others.

Where no row has some combination of an interaction, some of its columns are zero or a sum of
others. They are left out, as lme4 does, and what they would have said of that cell isn't known.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import numpy as np
import pandas as pd

from hiermix.design import column_checks
from hiermix.formula.calls import check_expression
from hiermix.formula.names import unaliased


@dataclass(frozen=True, eq=False)
class Cells:
    """The combinations that rows have, of the categories in one term that lacks some."""

    columns: tuple[str, ...]
    """Their identifiers in the encoded frame."""
    seen: pd.MultiIndex
    places: frozenset[int]
    """Positions, in its sum, of the term's columns and of the terms of lower order within it."""

    @property
    def name(self) -> str:
        """The combination as a formula writes it."""
        return unaliased(":".join(self.columns))

    def warn(self, left_out: Sequence[str]) -> None:
        """Say which combinations no row has, and which columns are left out for it."""
        levels = [self.seen.unique(place) for place in range(len(self.columns))]
        number = int(np.prod([len(each) for each in levels])) - len(self.seen)
        absent = (cell for cell in product(*levels) if cell not in self.seen)
        shown = [self._written(cell) for cell in islice(absent, 3)]
        column_checks.empty_cells(self.name, number, shown, left_out)

    def check(self, encoded: pd.DataFrame, index: pd.Index) -> None:
        """Raise for rows in a combination that the fit never saw."""
        cells = _index(encoded, self.columns)
        rows = np.flatnonzero(~cells.isin(self.seen))
        if len(rows):
            unseen = [self._written(cell) for cell in cells[rows].unique()]
            column_checks.cells_seen(self.name, unseen, rows, index)

    def _written(self, cell: Sequence[object]) -> str:
        return ", ".join(
            f"{unaliased(column)}={label!r}"
            for column, label in zip(self.columns, cell, strict=True)
        )


def incomplete(spec: Any, encoded: pd.DataFrame) -> tuple[Cells, ...]:
    """Return the terms of a fitted model spec whose categories don't occur in all combinations."""
    found = []
    factors = {term: parts(term, encoded) for term in spec.terms}
    for term, (columns, numbers) in factors.items():
        if len(columns) < 2:
            continue
        seen = _index(encoded, columns).unique()
        if len(seen) < np.prod([len(seen.unique(place)) for place in range(len(columns))]):
            places = frozenset(
                place
                for other, (inner, same) in factors.items()
                if other == term or (set(inner) < set(columns) and same == numbers)
                for place in spec.term_indices[other]
            )
            found.append(Cells(columns, seen, places))
    return tuple(found)


def parts(term: Any, encoded: pd.DataFrame) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the identifiers that a term takes as categories, and its other factors."""
    columns: list[str] = []
    numbers = set()
    for factor in term.factors:
        found = _categories(factor, encoded)
        columns += found
        numbers |= set() if found else {factor.expr}
    return tuple(dict.fromkeys(columns)), frozenset(numbers)


def _categories(factor: Any, encoded: pd.DataFrame) -> list[str]:
    """Return the identifiers that a factor of a term takes as categories."""
    if factor.eval_method.value == "python":
        calls = ast.walk(check_expression(factor.expr))
        return [name for call in calls for name in _made_category(call)]
    if factor.expr in encoded and isinstance(encoded[factor.expr].dtype, pd.CategoricalDtype):
        return [factor.expr]
    return []


def _made_category(node: ast.AST) -> list[str]:
    match node:
        case ast.Call(ast.Name("C"), [ast.Name(name), *_]):
            return [name]
    return []


def _index(encoded: pd.DataFrame, columns: Sequence[str]) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(encoded[list(columns)])
