"""What formulaic knows of one sum of terms: the only user of it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from itertools import chain
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hiermix.design import cells, checks, column_checks, response_checks
from hiermix.design.batches import slices
from hiermix.design.expressions import Expressions, taken_out, worked_out
from hiermix.errors import DataError, HiermixError
from hiermix.formula.calls import called, check_expression, expression_uses
from hiermix.formula.names import TRANSFORMS, unaliased
from hiermix.formula.splines import CONSTRAINTS, WHOLE
from hiermix.typing import FloatArray

BROUGHT = "(brought)"
"""Before the label of a column that rows bring along; alone, the name of a column of ones."""


def bringing(encoded: pd.DataFrame, columns: Mapping[str, FloatArray]) -> pd.DataFrame:
    """Return an encoded frame whose rows bring columns along, by label: none is worked out."""
    marked = {f"{BROUGHT}{label}": values for label, values in columns.items()}
    ones = {name: np.ones(len(encoded)) for name in (BROUGHT, f"{BROUGHT}Intercept")}
    return pd.concat([encoded, pd.DataFrame(ones | marked, index=encoded.index)], axis=1)


def brought(part: pd.DataFrame, labels: Sequence[str]) -> FloatArray:
    """Return columns (n, labels) that rows bring along."""
    return part[[f"{BROUGHT}{label}" for label in labels]].to_numpy(dtype=np.float64)


class Beside(NamedTuple):
    """Columns that stand behind those of a sum of terms, and are no work of formulaic."""

    labels: tuple[str, ...]
    matrix: Callable[[pd.DataFrame], FloatArray]
    """(n, columns) of rows of an encoded frame."""
    ones: bool = False
    """Whether they are all ones, with numbers of each membership of a row beside them."""


@dataclass(frozen=True, eq=False)
class Spec:
    """A sum of terms with everything that encodes new rows the same way."""

    text: str
    labels: tuple[str, ...]
    spec: Any
    expressions: Expressions
    cells: tuple[cells.Cells, ...] = ()
    """Combinations of categories that rows have, of the terms that lack some."""
    kept: tuple[int, ...] | None = None
    """Columns that are left for lack of such combinations; None means all."""
    states: Mapping[str, Any] = field(default_factory=dict)
    """What functions know of all rows, by their expression as it stands in this sum."""
    beside: tuple[Beside, ...] = ()
    """Further columns, the last ones."""
    brought: bool = False
    """Whether rows that stand for many bring the columns along, by their labels: `bringing`."""
    beside_threshold: bool = False
    """Whether a threshold stands for the intercept, which is none of the columns."""

    def with_columns(self, columns: Sequence[Beside]) -> Spec:
        """Return the sum with further columns."""
        added = tuple(each for each in columns if each.labels)
        labels = self.labels + tuple(chain.from_iterable(each.labels for each in added))
        return replace(self, labels=labels, beside=(*self.beside, *added))

    @property
    def ones(self) -> tuple[str, ...]:
        """Labels of the columns that stand for numbers of memberships."""
        return tuple(chain.from_iterable(each.labels for each in self.beside if each.ones))

    @property
    def _own(self) -> int:
        """Number of columns that are formulaic's."""
        return len(self.labels) - sum(len(each.labels) for each in self.beside)

    @property
    def computes(self) -> bool:
        """Whether some column is more than one of the frame's own: a product, or a function."""
        return bool(self.expressions or self.beside) or any(
            len(term.factors) > 1 or factor.eval_method.value == "python"
            for term in self.spec.formula
            for factor in term.factors
        )

    def matrix(self, part: pd.DataFrame) -> FloatArray:
        """Return the columns for rows of an encoded frame."""
        if self.brought and BROUGHT in part:
            return brought(part, self.labels)
        if self.beside:
            beside = (each.matrix(part) for each in self.beside)
            return np.hstack([self._of_terms(part), *beside])
        return self._of_terms(part)

    def _of_terms(self, part: pd.DataFrame) -> FloatArray:
        if not self._own:
            return np.empty((len(part), 0))
        if self.labels[: self._own] == ("Intercept",):
            return np.ones((len(part), 1))
        with _phrased(self.text):
            part = worked_out(self.expressions, part)
        matrix = np.asarray(_materialise(self.spec, part), dtype=np.float64)
        return matrix if self.kept is None else matrix[:, self.kept]

    def without_intercept(self) -> Spec:
        """Leave out the intercept of a sum, if it has one: a threshold stands for it."""
        if self.labels[:1] != ("Intercept",):
            return replace(self, beside_threshold=True)
        if self.cells:
            raise DataError(
                f"{self.text}: some combination of categories has no row. Make columns of 0 and 1"
            )
        kept = tuple(range(1, self._own))
        return replace(self, labels=self.labels[1:], kept=kept, beside_threshold=True)

    def without(self, places: Collection[int]) -> Spec:
        """Leave out columns that combinations without rows leave undetermined, with a word."""
        if not places:
            return self
        untold = set(places)
        for each in self.cells:
            if gone := sorted(each.places & untold):
                each.warn([self.labels[place] for place in gone])
            untold -= each.places
        kept = tuple(place for place in range(self._own) if place not in places)
        labels = tuple(self.labels[place] for place in kept) + self.labels[self._own :]
        return replace(self, labels=labels, kept=kept)


def fit_spec(
    text: str,
    encoded: pd.DataFrame,
    whole: pd.DataFrame | None = None,
    states: Mapping[str, Any] | None = None,
) -> Spec:
    """Fit a spec on as few rows as carry its state.

    Parameters
    ----------
    text
        A sum of terms.
    encoded
        Rows in which every level, and every combination of levels in a term, is seen.
    whole
        All rows, of the columns whose values are state; `encoded` by default.
    states
        Those of a spec that was fitted before, which are taken as they are.
    """
    whole = encoded if whole is None else whole
    from formulaic import Formula as Terms
    from formulaic import ModelSpec

    source, expressions = taken_out(text)
    with _phrased(text):
        terms = Terms(source)
        transform_state: dict[str, Any] = {}
        encoder_state: dict[str, Any] = {}
        spline = _whole_spline(terms, worked_out(expressions, encoded.iloc[:2]))
        found: dict[str, Any] = {}
        for expression in _stateful(terms):
            named = f"{expression}{' with all columns' if expression == spline else ''}"
            state = _state(named, states, dict(WHOLE) if expression == spline else None)
            of_levels = _of_levels(expression)
            some = encoded if of_levels or states is not None else whole
            rows = _rows_with_state(expression, expressions, some, of_levels=of_levels)
            _base_levels(expression, rows)
            spec = ModelSpec.from_spec(
                f"0 + {expression}",
                output="numpy",
                na_action="ignore",
                transform_state={} if state is None else {expression: state},
            )
            fitted = _materialise(spec, rows).model_spec
            transform_state |= fitted.transform_state
            found[named] = fitted.transform_state.get(expression)
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
    return Spec(text, labels, fitted, expressions, empty, states=found)


def _state(named: str, states: Mapping[str, Any] | None, first: Any) -> Any:
    """Return the state that a function starts from: that of a spec before, if there was one."""
    if states is None:
        return first
    if named not in states:
        raise column_checks.no_state(unaliased(named))
    return states[named]


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


def state_columns(text: str) -> list[str]:
    """Return identifiers of the columns, in formulaic's frame, of which all rows are state."""
    from formulaic import Formula as Terms

    source, expressions = taken_out(text)
    named = [
        node.id
        for expression in _stateful(Terms(source))
        if not _of_levels(expression)
        for node in ast.walk(check_expression(expression))
        if isinstance(node, ast.Name)
    ]
    inside = [
        node.id
        for name in named
        if name in expressions
        for node in ast.walk(expressions[name])
        if isinstance(node, ast.Name)
    ]
    return [name for name in [*named, *inside] if name not in TRANSFORMS]


def _stateful(terms: Any) -> list[str]:
    """Return the calls whose result for one row depends on the others; check every call again."""
    found = []
    for expression in dict.fromkeys(
        factor.expr
        for term in terms
        for factor in term.factors
        if factor.eval_method.value == "python"
    ):
        check_expression(expression)
        names = called(expression)
        if any(name != "I" and not TRANSFORMS[name].startswith("numpy:") for name in names):
            found.append(expression)
    return found


def _base_levels(expression: str, rows: pd.DataFrame) -> None:
    """Raise where contrasts of C() are to a level that no row has."""
    for node in ast.walk(check_expression(expression)):
        match node:
            case ast.Call(ast.Name("C"), [ast.Name(name), *_]):
                column = rows[name]
                whole = isinstance(column.dtype, pd.CategoricalDtype)
                seen = list(column.cat.categories if whole else pd.unique(column))
                for base in _bases(node):
                    column_checks.base_seen(unaliased(name), ast.literal_eval(base), seen)


def _bases(node: ast.Call) -> list[ast.expr]:
    """Return the base levels that contrasts inside a call name."""
    return [
        value
        for inner in ast.walk(node)
        if isinstance(inner, ast.Call)
        and ast.unparse(inner.func) in ("contr.treatment", "contr.SAS", "Treatment")
        for value in (*inner.args, *(each.value for each in inner.keywords))
    ]


def _of_levels(expression: str) -> bool:
    """Tell whether all that an expression knows of the rows is their levels."""
    found = expression_uses(expression)
    return bool(found) and all(use.how == "category" for use in found)


def _rows_with_state(
    expression: str, expressions: Expressions, encoded: pd.DataFrame, *, of_levels: bool
) -> pd.DataFrame:
    """Return every row, or one of each level where only the levels are the state."""
    named = {node.id for node in ast.walk(check_expression(expression))
             if isinstance(node, ast.Name)}  # fmt: skip
    rows = worked_out({name: expressions[name] for name in named & expressions.keys()}, encoded)
    if of_levels:
        return rows[~rows.duplicated([name for name in rows if name in named])]
    return rows


def _materialise(spec: Any, part: pd.DataFrame) -> Any:
    with _phrased(str(spec.formula)), np.errstate(all="ignore"):
        return spec.get_model_matrix(part, context=_context())


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
        raise column_checks.no_columns(unaliased(text), called(text)) from error


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


def one_column(spec: Spec, encoded: pd.DataFrame) -> FloatArray:
    """Return the one column that a transformed response or an offset is."""
    matrix = spec.matrix(encoded)
    response_checks.one_column(spec.text.removeprefix("0 + "), matrix.shape[1])
    return matrix[:, 0]


def without_zeros(spec: Spec, encoded: pd.DataFrame) -> Spec:
    """Return varying columns without those that no row has for lack of a combination."""
    if not spec.cells:
        return spec
    used = [spec.matrix(encoded.iloc[rows]).any(axis=0) for rows in slices(len(encoded))]
    some = np.logical_or.reduce(used)
    return spec.without([place for each in spec.cells for place in each.places if not some[place]])


def finite_slices(spec: Spec, encoded: pd.DataFrame, index: pd.Index) -> Iterator[FloatArray]:
    """Yield a matrix slice by slice; raise at the first row that is not finite."""
    for rows in slices(len(encoded)):
        matrix = spec.matrix(encoded.iloc[rows])
        checks.finite_terms(spec.labels, matrix, rows.start, index)
        yield matrix
