"""From statistics to what a model of their formula, or of a smaller one, needs: no rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hiermix.design import column_checks, group_checks
from hiermix.design.design import Design
from hiermix.design.identifiable import without_dependent
from hiermix.design.plan import Plan, Summed
from hiermix.errors import DataError, did_you_mean
from hiermix.formula.equations import MU
from hiermix.formula.names import in_results
from hiermix.formula.sums import columns
from hiermix.statistics import moved
from hiermix.statistics.column_spreads import Columns, Spreads, spreads
from hiermix.statistics.gram import Gram, around_least_squares
from hiermix.statistics.moments import Moments, Pilot
from hiermix.statistics.moved import Centre
from hiermix.statistics.smaller_formulas import smaller
from hiermix.statistics.summed import Statistics
from hiermix.statistics.within_between import Within, split
from hiermix.typing import FloatArray, IntArray

_CONSTANT = 1e-12
"""The spread of a column, as a share of its mean, below which it is constant."""
_DEPENDENT = 1e-7
"""The sine of an angle between columns below which sums have no digits to tell them apart."""
_EXACT = 1e-12
"""Share of a sum of squares below which nothing is left of it but rounding."""


@dataclass(frozen=True, eq=False)
class SummedRows:
    """Sums over the rows of a model; X has an intercept, whether the model has one or not."""

    design: Design
    """Without rows."""
    sums: Moments
    centre: Centre
    counts: IntArray
    """(J,) rows of each level; of none without a grouping factor."""

    @property
    def intercept(self) -> bool:
        """Whether the model has an intercept."""
        return "Intercept" in self.design.terms

    def spreads(self) -> Spreads:
        """Where the columns lie and how far they spread."""
        known = self.design.summed
        assert known is not None
        of_z = _of_z(self.sums, self.centre)
        z = {each.name: of_z for each in self.design.groupings}
        x = {MU: Columns(known.mean, known.covariance)}
        return spreads(x, z, self.design.equations)

    def scale(self) -> tuple[float, float]:
        """Mean and sd of the response, less its offset."""
        b = self.centre.pilot.b.copy()
        b[0] = 0.0
        mean = (self.sums.Xte[0] + self.sums.XtX[0] @ b) / self.sums.n
        square = (self.sums.ete + b @ (2 * self.sums.Xte + self.sums.XtX @ b)) / self.sums.n
        sd = float(np.sqrt(max(square - mean**2, 0.0)))
        return float(mean + self.centre.pilot.b[0]), sd

    def level_counts(self, design: Design) -> list[IntArray]:
        """Return the number of rows of each level, of the factor if there is one."""
        return [self.counts for _ in design.groupings]

    def gram(self, design: Design) -> Gram:
        """Return the sums around the least-squares fit."""
        center, b, z = self.centre.pilot.center, self.centre.pilot.b, np.zeros_like(self.centre.z)
        if design.groupings and design.groupings[0].origin is not None:
            z = design.groupings[0].origin
        if not self.intercept:
            center, b = np.zeros_like(center), np.concatenate([[0.0], b[1:]])
        there = Centre(Pilot(center, b), z, self.centre.constant)
        sums = moved.around(self.sums, self.centre, there)
        x = range(0 if self.intercept else 1, len(b))
        sums = moved.some_columns(sums, x, range(len(z)))
        return around_least_squares(sums, intercept=self.intercept)

    def within(self, design: Design, gram: Gram) -> Within:
        """Return those within groups and between them, apart; raise where nothing is within."""
        found = split(gram)
        mean, sd = self.scale()
        rounding = self.sums.n * (mean**2 + sd**2) * _EXACT**2
        if found.rss <= max(_EXACT * (found.whole - found.rss), rounding):
            raise DataError(
                f"response {design.response_name!r} is, to the digits that sums keep, an exact sum "
                "of the terms of the model: there is no residual to learn, or groups are too far "
                "apart for it. Fit hm.Model to the rows themselves"
            )
        return found


def of_formula(found: Statistics, formula: str | None) -> SummedRows:
    """Return the sums of a model of the formula of statistics, or of a smaller one.

    Raises
    ------
    DataError
        The formula has a column that the statistics don't have, or one that says nothing.
    """
    coding = (
        found.coding if formula is None else smaller(found.coding, formula, {"further": "equation"})
    )
    plan = coding.plan
    x, z = _places(found.coding.plan, plan)
    sums, centre = _chosen(found, x, z, plan)
    plan = _determined(plan, sums, centre)
    x, z = _places(found.coding.plan, plan)
    sums, centre = _chosen(found, x, z, plan)
    levels = {name: found.levels.tolist() for name in plan.roles.factors}
    _check(found, plan)
    _check_varying(plan, _of_z(sums, centre))
    summed = _summed(found.rows, sums, centre, plan)
    counts = found.counts if levels else found.counts[:0]
    return SummedRows(coding.design(levels, plan, summed), sums, centre, counts)


def _summed(rows: int, sums: Moments, centre: Centre, plan: Plan) -> Summed:
    """Return what the sums say of the columns of X and Z."""
    some = slice(0 if "Intercept" in plan.population.labels else 1, None)
    x = _columns(sums.XtX / sums.n, sums.XtX[0] / sums.n, centre.pilot.center)
    z = _of_z(sums, centre)
    squares = {name: z.square + np.outer(z.mean, z.mean) for name in plan.roles.factors}
    return Summed(rows, x.mean[some], x.square[some, some], squares)


def _places(whole: Plan, plan: Plan) -> tuple[list[int], list[int]]:
    """Return where columns of X, after a constant one, and of Z stand in those of statistics."""
    there = ["Intercept", *(each for each in whole.population.labels if each != "Intercept")]
    here = ["Intercept", *(each for each in plan.population.labels if each != "Intercept")]
    x = [_place(label, there) for label in here]
    z: list[int] = []
    for name, specs in plan.effects.items():
        if name not in whole.effects:
            known = ", ".join(map(repr, whole.effects)) or "none"
            raise DataError(f"the statistics have no grouping factor {name!r}; known: {known}")
        of_factor = [label for spec in whole.effects[name] for label in spec.labels]
        z += [_place(label, of_factor) for spec in specs for label in spec.labels]
    return x, z


def _place(label: str, there: Sequence[str]) -> int:
    if label not in there:
        raise DataError(
            f"the statistics have no column {label!r}.{did_you_mean(label, there)} Columns: "
            f"{', '.join(there)}"
        )
    return there.index(label)


def _chosen(
    found: Statistics, x: Sequence[int], z: Sequence[int], plan: Plan
) -> tuple[Moments, Centre]:
    """Return the sums of some columns, around a centre in which the others are nothing."""
    here = found.centre
    b = np.zeros_like(here.pilot.b)
    b[list(x)] = here.pilot.b[list(x)]
    varying = [label for specs in plan.effects.values() for spec in specs for label in spec.labels]
    constant = varying.index("Intercept") if "Intercept" in varying else None
    there = Centre(
        Pilot(here.pilot.center, b), here.z if constant is not None else np.zeros_like(here.z),
        here.constant,
    )  # fmt: skip
    sums = moved.some_columns(moved.around(found.sums, here, there), x, z)
    if not plan.roles.factors:
        sums = moved.without_levels(sums)
    centre = Centre(sums.pilot, there.z[list(z)], constant)
    best = moved.least_squares(sums, centre)
    return moved.around(sums, centre, best), best


def _determined(plan: Plan, sums: Moments, centre: Centre) -> Plan:
    """Return the plan without columns that empty cells leave undetermined."""
    intercept = "Intercept" in plan.population.labels
    some = slice(0 if intercept else 1, None)
    triangle = _triangle(sums, centre)[:, some]
    mean = _mean(sums, centre)[some]
    population = plan.population
    if population.labels not in ((), ("Intercept",)):
        population = without_dependent(
            population, triangle, lambda place: float(mean[place]), _DEPENDENT
        )
    effects = {}
    for name, specs in plan.effects.items():
        square = np.einsum("jqq->q", sums.ZtZ) + sums.n * centre.z**2
        ends = np.cumsum([len(spec.labels) for spec in specs])
        parts = np.split(square, ends[:-1])
        effects[name] = tuple(
            spec.without([place for each in spec.cells for place in each.places if not part[place]])
            for spec, part in zip(specs, parts, strict=True)
        )
    return replace(plan, populations={MU: population}, effects=effects)


def _mean(sums: Moments, centre: Centre) -> FloatArray:
    mean = centre.pilot.center + sums.XtX[0] / sums.n
    mean[0] = 1.0
    return np.asarray(mean)


def _triangle(sums: Moments, centre: Centre) -> FloatArray:
    """Return a matrix whose columns have the lengths and angles of those of X: means, then rest."""
    shift = sums.XtX[0] / sums.n
    square = sums.XtX - sums.n * np.outer(shift, shift)
    square[0] = square[:, 0] = 0.0
    size = np.sqrt(np.maximum(np.diag(square), 0.0))
    size[size == 0] = 1.0
    values, vectors = np.linalg.eigh(square / np.outer(size, size))
    root = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T * size
    return np.vstack([np.sqrt(sums.n) * _mean(sums, centre), root])


def _columns(square: FloatArray, mean: FloatArray, center: FloatArray) -> Columns:
    return Columns(center + mean, square - np.outer(mean, mean))


def _of_z(sums: Moments, centre: Centre) -> Columns:
    """Return the means of the columns of Z, and mean squares around them."""
    found = _columns(sums.ZtZ.sum(axis=0) / sums.n, moved.z_mean(sums), centre.z)
    if centre.constant is not None:  # but for rounding
        found.square[centre.constant] = found.square[:, centre.constant] = 0.0
    return found


def _check_varying(plan: Plan, z: Columns) -> None:
    """Raise if a column that varies beside the intercept of its group is constant."""
    specs = [spec for each in plan.effects.values() for spec in each]
    labels = [label for spec in specs for label in spec.labels]
    ones = {"Intercept", *(label for spec in specs for label in spec.ones)}
    if "Intercept" not in labels:
        return
    for label, mean, spread in zip(labels, z.mean, np.sqrt(np.diag(z.square)), strict=True):
        if label not in ones and spread <= _CONSTANT * abs(mean):
            column_checks.constant_term(label, float(mean), intercept=True)


def _check(found: Statistics, plan: Plan) -> None:
    """Raise or warn of what a model of the rows themselves would."""
    P = len(plan.population.labels)
    if found.rows <= P:
        raise DataError(
            f"{found.rows:,} rows and {P} population coefficients leave no residual to learn: drop "
            "a term, or add rows"
        )
    for name, terms in plan.roles.factors.items():
        group_checks.several_levels(name, found.levels.tolist(), " + ".join(map(str, terms)))
        if any("Intercept" in spec.labels for spec in plan.effects[name]):
            group_checks.fewer_levels_than_rows(name, len(found.levels), found.rows)
        for column in columns(plan.roles.formula.population):
            if plan.encodings[column].levels is not None and in_results(column) == name:
                group_checks.not_in_both_parts(column)
