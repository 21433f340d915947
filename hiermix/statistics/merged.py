"""Rows that repeat, merged wherever they come from: what a model that samples effects needs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from hiermix.design import checks, response_checks
from hiermix.design.build import build
from hiermix.design.coding import check_states, complete
from hiermix.design.design import Design
from hiermix.design.level_covariance import Matrices
from hiermix.design.packing import decode, encode
from hiermix.design.roles import Roles
from hiermix.design.survey import whole_columns
from hiermix.design.tables import Table
from hiermix.errors import DataError, count
from hiermix.families import table
from hiermix.families.family import Family
from hiermix.files import netcdf, read_tree, write_tree
from hiermix.formula.formula import Formula, parse
from hiermix.statistics import repeated_rows
from hiermix.statistics.as_tree import packed, unpacked

if TYPE_CHECKING:
    import xarray as xr

ROWS = "(rows)"
"""Name of the column that says how many rows, or what weight of them, a merged one stands for."""
_SEEN = "(seen)"
_MOST = 3_000_000
"""Different rows that a model which samples effects may have: X and Z of them stand in memory."""
FORMAT = 1


@dataclass(frozen=True, eq=False, repr=False)
class MergedRows:
    """Different rows and how often each was seen; see `statistics`.

    They add and subtract as `Statistics` do. The model of them is an ordinary one, weighted.

    Attributes
    ----------
    rows, dropped : int
        Rows that were merged, and those left out for a missing value.
    """

    formula: Formula
    family: Family
    weights: str | None
    options: Mapping[str, Any]
    """``link`` and ``success``."""
    frame: pd.DataFrame
    """Different rows of the columns used, their total weight and their number."""
    states: Mapping[str, Any] | None
    rows: int
    dropped: int = 0

    def __len__(self) -> int:
        """Return the number of rows that were merged."""
        return self.rows

    def __repr__(self) -> str:
        dropped = f" ({self.dropped:,} dropped)" if self.dropped else ""
        return "\n".join(
            [
                f"Rows of {self.formula}, family {self.family.name}",
                f"rows     {self.rows:,}{dropped}",
                f"merged   {count(len(self.frame), 'different row')}",
                f"size     {self.frame.memory_usage(index=False).sum() / 1e6:,.2f} MB",
            ]
        )

    @property
    def said(self) -> dict[str, Any]:
        """Options of a model of these rows."""
        return {**self.options, "weights": self.weights}

    def design(self, formula: str | None = None, data2: Matrices | None = None) -> Design:
        """Return the design of the rows, weighted, for their formula or another of their columns.

        Raises
        ------
        DataError
            The formula has a column that the rows don't have.
        """
        parsed = self.formula if formula in (None, str(self.formula)) else parse(str(formula))
        if parsed.beside != self.formula.beside or parsed.response != self.formula.response:
            raise DataError(
                f"{formula!r} has another response than the rows, which are of "
                f"{str(self.formula)!r}"
            )
        roles = Roles(parsed, None)
        frame = self.frame.drop(columns=_SEEN)
        checks.known_columns(roles.columns, Table.of(frame))
        frame = merged([self.frame[[*roles.columns, ROWS, _SEEN]]]).drop(columns=_SEEN)
        states = {} if self.states is None and whole_columns(roles) else self.states
        found = build(
            parsed, frame, weights=ROWS, states=states,
            response_rule=self.family.response_rule(self.options["success"]),
            continuous=self.family.continuous, data2=data2,
        )  # fmt: skip
        return replace(found, merged=self.rows)

    def __add__(self, other: MergedRows) -> MergedRows:
        """Return the rows of both.

        Raises
        ------
        DataError
            They are of other formulas or families, or functions know other things of their rows.
        """
        if not isinstance(other, MergedRows):
            return NotImplemented
        self._check_like(other)
        filled = [each.frame for each in (self, other) if each.rows]
        return replace(
            self,
            frame=merged(filled) if filled else self.frame,
            rows=self.rows + other.rows,
            dropped=self.dropped + other.dropped,
        )

    def __radd__(self, other: object) -> MergedRows:
        """Return these rows for ``sum([...])``, which starts from zero."""
        return self if other == 0 else NotImplemented

    def __sub__(self, other: MergedRows) -> MergedRows:
        """Return these rows without those of the other.

        Raises
        ------
        DataError
            As for a sum, or there are rows that these don't have.
        """
        if not isinstance(other, MergedRows):
            return NotImplemented
        self._check_like(other)
        taken = other.frame.assign(**{name: -other.frame[name] for name in (ROWS, _SEEN)})
        frame = merged([self.frame, taken])
        lacking = int((frame[_SEEN] < 0).sum())
        if lacking or other.rows >= self.rows:
            raise DataError(
                f"the rows to take away have {count(lacking, 'row')} that these don't have: "
                "subtract what was added" if lacking else "no rows are left"
            )  # fmt: skip
        frame = frame[frame[_SEEN] > 0].reset_index(drop=True)
        return replace(
            self, frame=frame, rows=self.rows - other.rows,
            dropped=max(self.dropped - other.dropped, 0),
        )  # fmt: skip

    def _check_like(self, other: MergedRows) -> None:
        mine, theirs = (
            (str(each.formula), each.family.name, each.weights, dict(each.options))
            for each in (self, other)
        )
        if mine != theirs:
            raise DataError(
                f"rows of {mine[0]}, family {mine[1]}, and of {theirs[0]}, family {theirs[1]}, "
                "can't be added: build both of one formula, with the same options"
            )
        check_states(self.states, other.states)

    # Files -------------------------------------------------------------------------------------

    def tree(self) -> xr.DataTree:
        """Return the rows as a tree of arrays; see `of_tree`."""
        import xarray as xr

        arrays, how = encode(self.frame)
        found = xr.DataTree(xr.Dataset({name: (("row",), array) for name, array in arrays.items()}))
        found.attrs = {
            "hiermix_rows": FORMAT,
            "formula": str(self.formula),
            "family": self.family.name,
            "options": json.dumps(self.said),
            "states": json.dumps(packed(self.states)),
            "columns": json.dumps(how),
            "rows": self.rows,
            "dropped": self.dropped,
        }
        return found

    @classmethod
    def of_tree(cls, tree: xr.DataTree) -> MergedRows:
        """Return the rows that a tree holds."""
        attrs = tree.attrs
        options = json.loads(attrs["options"])
        weights = options.pop("weights")
        return cls(
            parse(attrs["formula"]), table.find(attrs["family"], options["link"]), weights, options,
            decode(tree.to_dataset(), json.loads(attrs["columns"])),
            unpacked(json.loads(attrs["states"])), int(attrs["rows"]), int(attrs["dropped"]),
        )  # fmt: skip

    def save(self, path: str | Path) -> None:
        """Write the rows as netCDF, to a temporary name first."""
        write_tree(self.tree(), netcdf(path, "a set of merged rows"))

    @classmethod
    def load(cls, path: str | Path) -> MergedRows:
        """Read rows that `save` wrote."""
        return cls.of_tree(read_tree(path, "a set of merged rows", "hiermix_rows", FORMAT))

    @classmethod
    def of(
        cls, total: Merging, family: Family, options: Mapping[str, Any], states: Any
    ) -> MergedRows:
        """Return what was merged."""
        frame = total.held[0] if total.held else pd.DataFrame()
        roles = total.roles
        return cls(
            roles.formula, family, roles.weights, options, frame, states, total.rows, total.dropped
        )


@dataclass(eq=False)
class Merging:
    """The different rows so far."""

    roles: Roles
    missing: str
    held: list[pd.DataFrame] = field(default_factory=list)
    rows: int = 0
    dropped: int = 0

    def take(self, batches: Iterable[Table]) -> Merging:
        """Merge the rows of batches, whenever as many came as there are different ones."""
        for found in complete(self.roles, batches, self.missing):
            self.rows += len(found.frame)
            self.dropped += found.dropped
            self.held.append(merged([_counted(found.frame, self.roles)]))
            if sum(map(len, self.held[1:])) > len(self.held[0]):
                self.held = [merged(self.held)]
        self.held = [merged(self.held)] if self.held else []
        return self


def _too_many(different: int, rows: int) -> DataError:
    return DataError(
        f"{different:,} different rows remain of {rows:,}: a model that samples effects "
        f"takes {_MOST:,} at most. Round or bin numeric predictors, leave some out, or fit a "
        "sample of the rows"
    )


def _counted(frame: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """Return rows with their weight, which stands in no other role, and number."""
    weights = roles.weights
    if weights is None:
        return frame.assign(**{ROWS: 1.0, _SEEN: 1})
    response_checks.numeric_column(weights, frame[weights], "weights")
    weight = frame[weights].to_numpy(dtype=float)
    response_checks.usable_weights(f"column {weights!r}", weight, frame.index)
    counted: dict[str, Any] = {ROWS: weight, _SEEN: 1}
    return frame[list(Roles(roles.formula, None).columns)].assign(**counted)


def merged(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return every different row once, with the sums of weights and of numbers of rows."""
    whole = repeated_rows.stacked(parts)
    by = [name for name in whole if name not in (ROWS, _SEEN)]
    found = whole.groupby(by, sort=False, observed=True, dropna=False)[[ROWS, _SEEN]].sum()
    if len(found) > _MOST:
        raise _too_many(len(found), int(found[_SEEN].sum()))
    return found.reset_index()
