"""What a plan needs to know of all rows, gathered from batches of them; it adds up.

Every level of a category, every combination of levels that stand in one term, and the values of
columns of which functions such as ``poly`` look at all. Nothing else of a row is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hiermix.design import kinds
from hiermix.design.roles import Roles
from hiermix.design.specs import state_columns
from hiermix.formula.names import alias
from hiermix.formula.sums import columns, terms
from hiermix.formula.terms.smooths import CurveTerm

type Keys = tuple[str, ...]
type Order = tuple[object, ...] | None


@dataclass(frozen=True, eq=False)
class Survey:
    """What some rows show."""

    empty: pd.DataFrame
    """No rows, with the columns used, in the storage of their kinds, categories as their values."""
    orders: Mapping[str, Order]
    """Of categories that come in an order: the same in all rows that were seen, else None."""
    cells: Mapping[Keys, pd.DataFrame]
    """Of categories, and of those that stand together in a term: a row of each combination, with
    all categories and nothing but these."""
    whole: Mapping[str, pd.Series]
    """Of columns that are state as a whole."""

    @property
    def complete(self) -> bool:
        """Whether the first rows tell everything: there are no levels and no states to gather."""
        return not self.cells and not self.whole

    def __add__(self, other: Survey) -> Survey:
        mine, theirs = self.orders, other.orders
        return Survey(
            pd.concat([self.empty, other.empty]),
            {name: mine[name] if mine[name] == theirs[name] else None for name in mine},
            {
                keys: _stacked([rows, other.cells[keys]]).drop_duplicates(list(keys))
                for keys, rows in self.cells.items()
            },
            {name: pd.concat([self.whole[name], other.whole[name]], ignore_index=True)
             for name in self.whole},
        )  # fmt: skip

    def shown(self) -> pd.DataFrame:
        """Return rows in which every level and combination stands, and nothing else is told."""
        cells = [*self.cells.values()]
        rows = _stacked(cells).drop_duplicates() if cells else pd.DataFrame(index=range(1))
        rows = _stacked([rows.iloc[:1], rows])  # two at least
        found = {}
        for name in self.empty:
            order = self.orders[str(name)]
            one = self._one(str(name)) if not order else pd.Series(order[:1])
            values = rows.get(name, one.iloc[[0] * len(rows)].reset_index(drop=True))
            found[name] = _ordered(values, order)
        return pd.DataFrame(found)

    def _one(self, name: str) -> pd.Series:
        """Return a value that says nothing of any row; of a spline's column one that it spans."""
        if name not in self.whole:
            return _neutral(self.empty[name])
        values = self.whole[name].sort_values()
        return values.iloc[[len(values) // 2]]


def survey(roles: Roles, data: pd.DataFrame) -> Survey:
    """Look at complete rows of the columns used, in the storage of their kinds."""
    plain = pd.DataFrame({name: kinds.as_values(data[name]).array for name in data})
    every = list(_keys(roles, plain))
    categories = plain[list(dict.fromkeys(name for keys in every for name in keys))]
    return Survey(
        plain.iloc[:0],
        {str(name): _order(data[name]) for name in data},
        {keys: categories.drop_duplicates(list(keys)) for keys in every},
        {name: plain[name] for name in whole_columns(roles)},
    )


def _keys(roles: Roles, data: pd.DataFrame) -> Iterator[Keys]:
    """Yield the categories, and those that stand in one term."""
    uses, seen = roles.uses(), set()

    def is_category(name: str) -> bool:
        how = {use.how for use in uses[name]}
        return "category" in how or kinds.what(data[name]) == "categories"

    together = [columns(term) for text in _texts(roles) for term in terms(text)]
    together += [(use.column,) for each in roles.formula.specials for use in each.uses]
    together += [(name,) for name in roles.stratum_columns(roles.factors)]
    for names in together:
        some = tuple(name for name in names if is_category(name))
        for keys in (*((name,) for name in some), some):
            if keys and keys not in seen:
                seen.add(keys)
                yield keys


def whole_columns(roles: Roles) -> list[str]:
    """Return the columns that are state as a whole."""
    identifiers = {name for text in _texts(roles) for name in state_columns(text)}
    curved = {use.column for each in roles.formula.specials if isinstance(each, CurveTerm)
              for use in each.uses}  # fmt: skip
    return [name for name in roles.uses() if alias(name) in identifiers or name in curved]


def _texts(roles: Roles) -> list[str]:
    formula = roles.formula
    texts = [each.population for each in formula.equations]
    texts += [f"0 + {text}" for each in formula.equations for text in each.offsets]
    texts += [term.effects for term in formula.groups]
    return texts if roles.worked_out is None else [*texts, f"0 + {roles.worked_out}"]


def _order(values: pd.Series) -> Order:
    dtype = values.dtype
    return tuple(dtype.categories) if isinstance(dtype, pd.CategoricalDtype) else None


def _ordered(values: pd.Series, order: Order) -> pd.Series:
    return values if order is None else values.astype(pd.CategoricalDtype(pd.Index(order)))


def _stacked[T: (pd.Series, pd.DataFrame)](parts: Sequence[T]) -> T:
    return pd.concat(parts, ignore_index=True)


_NEUTRAL = {"M": pd.Timestamp(2000, 1, 1), "m": pd.Timedelta(days=1), "O": ""}


def _neutral(empty: pd.Series) -> pd.Series:
    """Return one value of the kind of a column: it says nothing of any row."""
    dtype: Any = empty.dtype
    if isinstance(dtype, pd.PeriodDtype):
        return pd.Series(pd.period_range("2000", periods=1, freq=dtype.freq))
    if isinstance(dtype, pd.DatetimeTZDtype):
        return pd.Series([pd.Timestamp(2000, 1, 1, tz=dtype.tz)], dtype=dtype)
    value = "" if isinstance(dtype, pd.StringDtype) else _NEUTRAL.get(dtype.kind, 1)
    return pd.Series([value], dtype=dtype)
