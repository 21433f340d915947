"""Levels of grouping factors and codes of rows: by label, never by position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import group_checks
from hiermix.design.batches import Rows
from hiermix.design.codes import Codes, Labels, codes_of
from hiermix.design.effect_sizes import EffectSizes
from hiermix.design.factor import Factor
from hiermix.design.kinds import spelled
from hiermix.design.level_covariance import LevelCovariance
from hiermix.design.level_curves import LevelCurve
from hiermix.design.level_strata import Strata, strata_of, strata_on
from hiermix.design.monotone_steps import Steps
from hiermix.design.plan import Plan
from hiermix.formula.equations import MU, qualified
from hiermix.formula.terms import GroupTerm
from hiermix.typing import FloatArray


@dataclass(frozen=True, eq=False)
class Grouping:
    """One grouping factor with all coefficients that vary over it."""

    name: str
    columns: tuple[str, ...]
    effects: tuple[str, ...]
    """Labels of the varying coefficients, ``"x"``, or ``"sigma_x"`` in the equation of sigma."""
    terms: tuple[str, ...]
    """Labels of the columns that they belong to."""
    equations: tuple[str, ...]
    """Names of the equations that they enter."""
    places: tuple[int, ...]
    """Columns of Z that they belong to: categories share theirs."""
    blocks: tuple[int, ...]
    """Sizes of consecutive blocks of correlated effects."""
    levels: Labels
    """The user's own labels; dates as ISO text; ``"a:b"`` for an interaction."""
    codes: Codes
    """Position in `levels` per row; from ``len(levels)`` on in `new_levels`; -1: label missing."""
    new_levels: Labels = field(default_factory=lambda: np.empty(0, dtype=object))
    origin: FloatArray | None = None
    """(Q,) what the columns of Z have subtracted; see `origins`."""
    strata: Strata | None = None
    """What the levels lie in, where each stratum has effects of its own."""
    covariance: LevelCovariance | None = None
    """That of the levels, where they are not independent."""
    heavy: bool = False
    """Whether the effects of a level are t-distributed together, and not normal."""
    shared: tuple[str, ...] = ()
    """Label of the sd of each effect, where some have one together."""
    moved: tuple[Steps | None, ...] = ()
    """The monotonic effect that each effect is a step of, where one is."""
    joined: tuple[int, ...] = ()
    """In programs, which effect each column of Z enters, where several are steps of one."""

    @property
    def sds(self) -> tuple[str, ...]:
        """Labels of the sds: of effects, but for those that share one."""
        return tuple(dict.fromkeys(self.shared or self.effects))

    def sd_of(self, effect: str) -> str:
        """Return the label of the sd of an effect."""
        return (self.shared or self.effects)[self.effects.index(effect)]

    @property
    def spreads(self) -> EffectSizes:
        """Which spreads the sds of the effects are made of."""
        labels = self.sds
        return EffectSizes.shared([labels.index(each) for each in self.shared or self.effects])

    @property
    def constant(self) -> tuple[bool, ...]:
        """Whether the column of each effect is all ones."""
        return tuple(term == "Intercept" and self.strata is None for term in self.terms)

    @property
    def of_level(self) -> tuple[str, ...]:
        """Labels of the effects that one level has: those of its stratum, where there are some."""
        if self.strata is None:
            return self.effects
        Q = len(self.effects) // len(self.strata.labels)
        each = zip(self.terms[:Q], self.equations[:Q], strict=True)
        return tuple(qualified(term, equation) for term, equation in each)

    @property
    def total(self) -> int:
        """Number of effects of all levels."""
        return len(self.levels) * len(self.effects)

    @property
    def spelled(self) -> list[str]:
        """Labels of the levels as results and streams have them."""
        return list(map(spelled, self.levels.tolist()))

    @property
    def dim(self) -> str:
        """Name of the dim of the effects that one level has."""
        plain = self.strata is None and not self.shared
        return f"{self.name}_effect" if plain else f"{self.name}_term"

    def columns_of(self, Z: FloatArray, rows: Rows) -> FloatArray:
        """Return the columns (n, Q) of all effects, of those that were written."""
        if self.strata is not None:
            return self.strata.widened(Z, rows, self.origin)
        if self.joined:
            Z = Z @ np.eye(len(self.effects))[list(self.joined)]
        return Z if self.origin is None else Z - self.origin

    def of_one_level(
        self,
        Z: FloatArray,
        equation: str,
    ) -> tuple[FloatArray, list[int]]:
        """Return the columns and places, in `of_level`, of the effects that enter an equation."""
        Z = Z if self.strata is None else self.strata.narrowed(Z)
        places = [k for k in self.of_equation(equation) if k < Z.shape[1]]
        return Z[:, places], places

    def take(self, rows: NDArray[np.intp]) -> Grouping:
        """Return the same for some of the rows, by position."""
        strata = None if self.strata is None else self.strata.take(rows)
        return replace(self, codes=self.codes[rows], strata=strata)

    @property
    def factor(self) -> Factor:
        """Levels of the rows: of rows that have one of `levels`, not a new or a missing one."""
        return Factor(self.codes, len(self.levels))

    @property
    def with_new(self) -> Factor:
        """Levels of the rows where none lacks a label: new ones stand after those of the fit."""
        return Factor(self.codes, len(self.levels) + len(self.new_levels))

    def in_one_new(self, label: str) -> Grouping:
        """Return the same with all rows in one level that the fit never saw."""
        codes = np.full_like(self.codes, len(self.levels))
        return replace(self, codes=codes, new_levels=labels_array([label]))

    def in_new(self, label: str) -> Grouping:
        """Return the same with rows in as many levels that the fit never saw as they have."""
        return self.in_one_new(label)

    def sizes(self, rows: Rows) -> FloatArray | float:
        """Sd of the effects of the levels of some rows (n,), in units of the effects' own."""
        if self.covariance is None:
            return 1.0
        new = np.ones(len(self.new_levels) + 1)  # the last one: no label
        return np.concatenate([np.sqrt(np.diag(self.covariance.matrix)), new])[self.codes[rows]]

    @property
    def unlabelled(self) -> NDArray[np.intp]:
        """Positions of rows without a label."""
        return np.flatnonzero(self.codes < 0)

    @property
    def has_missing(self) -> bool:
        """Whether a row has no label."""
        return bool((self.codes < 0).any())

    def repeated(self, times: int) -> Grouping:
        """Return the same levels for the rows, repeated as a whole."""
        strata = None if self.strata is None else self.strata.repeated(times)
        return replace(self, codes=np.tile(self.codes, times), strata=strata)

    def of_equation(self, name: str) -> list[int]:
        """Return the places of the effects that enter an equation."""
        return [place for place, each in enumerate(self.equations) if each == name]

    @property
    def of_location(self) -> tuple[str, ...]:
        """Labels of the effects of a level that enter the response's location."""
        each = zip(self.of_level, self.equations, strict=False)
        return tuple(label for label, equation in each if equation == MU)

    @property
    def bars(self) -> list[list[int]]:
        """Places of the effects of each block that enter one equation, the intercept first."""
        found, start = [], 0
        for size in self.blocks:
            block = range(start, start + size)
            names = dict.fromkeys(self.equations[start : start + size])
            found += [[k for k in block if self.equations[k] == name] for name in names]
            start += size
        return found

    def rows_of(self, level: object) -> NDArray[np.bool_]:
        """(rows,) whether a row has this label."""
        return self.factor.at(int(np.flatnonzero(self.levels == level)[0]))

    @property
    def sd_names(self) -> list[tuple[str, ...]]:
        """Names under which a prior of each spread may be written, the special first."""
        return [(f"sd[{self.name}, {each}]", f"sd[{self.name}]", "sd") for each in self.sds]

    @property
    def cor_name(self) -> str:
        """Name under which a prior of its correlations may be written."""
        return f"cor[{self.name}]"

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of effects that vary together, by position."""
        found, start = [], 0
        for size in self.blocks:
            found += [(start + j, start + i) for i in range(size) for j in range(i)]
            start += size
        return found


def matrices(groupings: Sequence[Grouping]) -> dict[str, pd.DataFrame]:
    """Return the covariances of levels by name, as `data2` has them."""
    return {each.covariance.name: each.covariance.frame(each.levels.tolist())
            for each in groupings if each.covariance is not None}  # fmt: skip


def make_grouping(name: str, frame: pd.DataFrame, plan: Plan, continuous: bool) -> Grouping:
    """Return a grouping factor of the fit: its levels, the codes of its rows, its blocks."""
    terms = plan.roles.factors[name]
    codes, levels = codes_of(name, terms[0].factor, frame)
    effects = [qualified(label, equation) for label, equation in _labels(plan, name)]
    group_checks.distinct_effects(name, effects)
    group_checks.curves_alone(name, effects, [str(term.curve) for term in terms if term.curve])
    group_checks.several_levels(name, levels, " + ".join(map(str, terms)))
    first, *inner = terms[0].factor
    plausible = bool(inner) or group_checks.is_grouping(first, frame[first], len(levels))
    told = continuous and not plan.roles.formula.beside.known_errors
    if plausible and told and "Intercept" in effects:
        group_checks.fewer_levels_than_rows(name, len(levels), len(frame))
    found = grouping_of(name, plan, levels, codes)
    law, by = plan.roles.laws[name], plan.roles.strata(name)
    found = replace(found, heavy=law is not None and law.dist == "student")
    if by is None:
        return found
    return _in_strata(found, strata_of(by, frame, name, found.factor, found.levels))


def _in_strata(grouping: Grouping, strata: Strata) -> Grouping:
    """Give every stratum effects of its own."""
    times = len(strata.labels)
    return replace(
        grouping,
        effects=strata.named(grouping.effects),
        terms=grouping.terms * times,
        equations=grouping.equations * times,
        places=tuple(range(times * len(grouping.effects))),
        blocks=grouping.blocks * times,
        strata=strata,
    )


def grouping_of(name: str, plan: Plan, levels: Sequence[object], codes: Codes) -> Grouping:
    """Return a grouping factor of a plan with these levels: its effects and their blocks."""
    terms, specs = plan.roles.factors[name], plan.effects[name]
    each = _labels(plan, name)
    return Grouping(
        name=name,
        columns=terms[0].factor,
        effects=tuple(qualified(label, equation) for label, equation in each),
        terms=tuple(label for label, _ in each),
        equations=tuple(equation for _, equation in each),
        places=tuple(range(len(each))),
        blocks=blocks_of_terms(terms, [len(spec.labels) for spec in specs]),
        levels=labels_array(levels),
        codes=codes,
        shared=_shared(plan, name),
        moved=_moved(plan, each),
    )


def _shared(plan: Plan, name: str) -> tuple[str, ...]:
    """Return the label of the sd of each effect of a factor where some have one together."""
    curves = {term.curve: each for term, each in _curves_of(plan, name)}
    moved = _moved(plan, _labels(plan, name))
    if not curves and not moved:
        return ()
    found: list[str] = []
    for term, spec in zip(plan.roles.factors[name], plan.effects[name], strict=True):
        labels = spec.labels
        if term.curve is not None:
            line, slope, bends = curves[term.curve].spreads
            labels = (line, slope, *[bends] * (len(labels) - 2))
        found += [qualified(label, term.equation) for label in labels]
    pairs = zip(found, moved or (None,) * len(found), strict=True)
    return tuple(
        label if each is None else qualified(each.term, each.equation) for label, each in pairs
    )


def _moved(plan: Plan, labels: Sequence[tuple[str, str]]) -> tuple[Steps | None, ...]:
    """Return the monotonic effect that each label, of an equation, is a step of."""
    known = {(label, each.equation): each for each in plan.steps for label in each.labels}
    found = tuple(known.get(pair) for pair in labels)
    return found if any(found) else ()


def _curves_of(plan: Plan, name: str) -> Iterator[tuple[GroupTerm, LevelCurve]]:
    """Yield the terms of a factor that are curves, and these."""
    curved = [term for term in plan.roles.factors[name] if term.curve is not None]
    mine = [each for each in plan.level_curves if each.factor == name]
    return zip(curved, mine, strict=True)


def _labels(plan: Plan, name: str) -> list[tuple[str, str]]:
    """Return the column and the equation of each effect of a factor."""
    pairs = zip(plan.roles.factors[name], plan.effects[name], strict=True)
    return [(label, term.equation) for term, spec in pairs for label in spec.labels]


def blocks_of_terms(terms: Sequence[GroupTerm], sizes: Sequence[int]) -> tuple[int, ...]:
    """Sizes of blocks of correlated effects; terms of one key, which follow each other, are one."""
    blocks: list[int] = []
    key = None
    for term, size in zip(terms, sizes, strict=True):
        if term.key is not None and term.key == key:
            blocks[-1] += size
        else:
            blocks += [size] if term.correlated else [1] * size
        key = term.key
    return tuple(blocks)


def grouping_on(
    fitted: Grouping, frame: pd.DataFrame, plan: Plan, new_groups: str | None, *, encode: bool
) -> Grouping:
    """Return a fitted grouping with codes for other rows: by label, never by position."""
    if not encode:
        rows = np.zeros(len(frame), dtype=np.int32)
        strata = None if fitted.strata is None else replace(fitted.strata, codes=rows)
        return replace(fitted, codes=rows - 1, strata=strata)
    codes, labels = codes_of(fitted.name, fitted.columns, frame, plan.labels)
    position = {label: place for place, label in enumerate(fitted.levels)}
    unseen = [label for label in labels if label not in position]
    if new_groups is not None:
        if fitted.covariance is not None:
            group_checks.unrelated_levels(fitted.name, fitted.covariance.name, unseen, new_groups)
        group_checks.unseen_levels(fitted.name, unseen, new_groups)
        group_checks.missing_labels(fitted.name, codes == -1, new_groups, frame.index)
    if unseen:
        group_checks.labels_read_apart(fitted.name, [*fitted.levels, *unseen])
    position |= {label: len(fitted.levels) + place for place, label in enumerate(unseen)}
    table = np.array([*(position[label] for label in labels), -1], dtype=np.int32)
    found = replace(fitted, codes=table[codes], new_levels=labels_array(unseen))
    if fitted.strata is None:
        return found
    known, every = plan.labels[fitted.strata.column], labels_array([*fitted.levels, *unseen])
    factor = found.with_new if new_groups is not None else None
    strata = strata_on(fitted.strata, frame, known, fitted.name, factor, every)
    return replace(found, strata=strata)


def labels_array(labels: Sequence[object]) -> Labels:
    """Return labels of any kinds as an array of them."""
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array
