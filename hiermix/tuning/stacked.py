"""Rows of a design with several equations, once for each: one design with more rows.

To the penalised fit every equation of a row is a row of its own, with a parabola of its own: the
rows of the first equation, then those of the second. Columns and effects that don't enter it are
zero there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import partial

import numpy as np

from hiermix.design.batches import SLICE, Rows
from hiermix.design.design import Design
from hiermix.design.equation import Equation
from hiermix.design.groupings import Grouping
from hiermix.formula.equations import MU
from hiermix.typing import FloatArray


@dataclass(frozen=True, eq=False)
class Stacked(Design):
    """The rows of a design, equation below equation."""

    base: Design = field(kw_only=True)
    x_mean: FloatArray = field(kw_only=True)
    """(P,) subtracted from the columns of all equations, side by side."""
    known: dict[str, FloatArray] = field(default_factory=dict, init=False)
    """X, by no name, and Z by that of its factor, that have been worked out."""

    def X(self, rows: Rows = slice(None), equation: str = MU) -> FloatArray:  # noqa: N802
        """Return the population design, centred, in the columns of each row's equation."""
        return self._once("", rows, self._X)

    def Z(self, name: str, rows: Rows = slice(None)) -> FloatArray:  # noqa: N802
        """Return the design of the varying coefficients, in the columns of the equation."""
        return self._once(name, rows, partial(self._Z, name))

    def _once(self, name: str, rows: Rows, matrix: Callable[[Rows], FloatArray]) -> FloatArray:
        """Work out a matrix of all rows once, if a pass over them has one piece."""
        every = isinstance(rows, slice) and rows.indices(self.rows) == (0, self.rows, 1)
        if not every or self.rows > SLICE:
            return matrix(rows)
        if name not in self.known:
            self.known[name] = matrix(rows)
            self.known[name].flags.writeable = False
        return self.known[name]

    def _X(self, rows: Rows) -> FloatArray:  # noqa: N802
        found, at = np.zeros((len(self._where(rows)[0]), len(self.x_mean))), 0
        for mine, here, each in self._parts(rows):
            columns = slice(at, at + len(each.terms))
            found[mine, columns] = self.base.X(here, each.columns) - self.x_mean[columns]
            at = columns.stop
        return found

    def _Z(self, name: str, rows: Rows) -> FloatArray:  # noqa: N802
        grouping = self.base.grouping(name)
        found = np.zeros((len(self._where(rows)[0]), len(grouping.effects)))
        for mine, here, each in self._parts(rows):
            effects = grouping.of_equation(each.name)
            places = [grouping.places[k] for k in effects]
            found[np.ix_(mine, effects)] = self.base.Z(name, here)[:, places]
        return found

    def _where(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Return equation and row of the base, of some rows."""
        equation, row = np.divmod(np.arange(self.rows)[rows], self.base.rows)
        return equation, row

    def _parts(self, rows: Rows) -> list[tuple[np.ndarray, np.ndarray, Equation]]:
        """Return, of each equation, which of the rows are its, and which of the base they are."""
        equation, row = self._where(rows)
        each = [np.flatnonzero(equation == place) for place in range(len(self.base.equations))]
        return [(mine, row[mine], one)
                for mine, one in zip(each, self.base.equations, strict=True)]  # fmt: skip


def stack(design: Design, x_mean: FloatArray) -> Stacked:
    """Stack the rows of a design with several equations; it has no response of its own."""
    L = len(design.equations)
    terms = tuple(f"{each.name}, {term}" for each in design.equations for term in each.terms)
    known = np.concatenate([each.known(design.rows) for each in design.equations])
    shared = {each.name: getattr(design, each.name) for each in fields(Design)} | {
        "rows": L * design.rows,
        "equations": (Equation("all", terms, known),),
        "groupings": tuple(_stacked(each, L) for each in design.groupings),
        "response": None,
        "weights": None if design.weights is None else np.tile(design.weights, L),
    }
    return Stacked(**shared, base=design, x_mean=x_mean)


def _stacked(grouping: Grouping, L: int) -> Grouping:
    """Name effects as the columns of X are named, so that the same ones are found."""
    names = zip(grouping.equations, grouping.terms, strict=True)
    effects = tuple(f"{equation}, {term}" for equation, term in names)
    return replace(grouping.repeated(L), effects=effects)
