"""What is expected of rows whose groups are not known: averaged over the fitted spread.

The effects of all factors enter one linear predictor of a row as one normal variable, of variance
z' Sigma z summed over the factors. So one dimension of quadrature does for any number of them, and
for a family with several linear predictors as many as vary.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hiermix.design.batches import Rows
from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.errors import ArgumentError
from hiermix.families import continuous, links, mixed, successes
from hiermix.families.discrimination import DISC
from hiermix.formula.equations import MU
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import predict, update
from hiermix.prediction.linear_sums import is_linear
from hiermix.prediction.normal_nodes import joint_nodes, normal_nodes
from hiermix.prediction.predictor import Matrices, Predictor
from hiermix.typing import FloatArray

_OF_LOGARITHMS = (continuous.lognormal_mean, mixed.hurdle_lognormal_mean)
_OF_LOCATION = (links.mean, successes.binomial_mean)
"""Means that depend on the response's location alone, and on what it is multiplied by."""

type Roots = Mapping[tuple[str, str | None], FloatArray]
"""By grouping factor, and equation where each has effects of its own: (S, Q, Q), or of rows
(n, S, Q), what standard normal variables are multiplied with."""


@dataclass(frozen=True, eq=False)
class PopulationAverage:
    """Expectations of rows over new groups: exact but for the quadrature."""

    source: Predictor
    """Without the effects of any group."""
    roots: tuple[Roots, ...]
    """Cholesky factors of the covariance of effects, one mapping a linear predictor."""
    parameters: tuple[str, ...] = ()
    """Those of the family that groups move, in the order of their linear predictors."""

    @property
    def design(self) -> Design:
        """The rows."""
        return self.source.design

    @property
    def linear_source(self) -> Predictor:
        """What gives the linear predictor that is expected: effects of new groups cancel."""
        return self.source

    def shape(self, kind: str) -> tuple[int, ...]:
        """Return the shape of what is expected of one row."""
        return self.source.shape(kind)

    def values(self, kind: str, rows: slice, matrices: "Matrices | None" = None) -> FloatArray:
        """Return what is expected of some rows (n, S), or (n, S, C) of categories."""
        self._check(kind)
        matrices = matrices or self.matrices(rows)
        alone = matrices._replace(Z={})
        eta = self.source.linear(rows, alone)
        moved = [_moved(each, matrices.Z) for each in self.roots]
        total: FloatArray = np.zeros((len(eta), *self.shape(kind)))
        if len(moved) == 1 and not self.source.family.unordered:
            own = self.source.own(rows, alone)
            sd = np.sqrt(_covariance(moved[0], moved[0], self.source.layout.draws))
            for node, weight in zip(*normal_nodes(float(sd.max(initial=0.0))), strict=True):
                total += weight * self.source.expected(kind, rows, eta + node * sd, own)
            return total
        L = _joint(moved, self.source.layout.draws)
        largest = float(np.sqrt(np.max(np.sum(L**2, axis=-1), initial=0.0)))
        for node, weight in zip(*joint_nodes(largest, len(moved)), strict=True):
            total += weight * self._expected(kind, rows, eta, L @ node, alone)
        return total

    def _expected(
        self, kind: str, rows: slice, eta: FloatArray, step: FloatArray, alone: Matrices
    ) -> FloatArray:
        """Return what is expected where groups move linear predictors by a step (n, S, K)."""
        if self.source.family.unordered:
            return self.source.expected(kind, rows, eta + step, self.source.own(rows, alone))
        first, *others = np.moveaxis(step, -1, 0)
        own = self.source.own(rows, alone, dict(zip(self.parameters, others, strict=True)))
        return self.source.expected(kind, rows, eta + first, own)

    def _check(self, kind: str) -> None:
        """Raise where there is no average: exp(sigma^2 / 2) of a lognormal sigma has no mean.

        What is linear in the effects is expected where they are zero, whatever their law.
        """
        way = "ask over='new group' or 'typical group', or scale='linear'"
        for each in () if is_linear(self.source, kind) else self.design.groupings:
            update.normal_effects(each, "over='population'", way)
        lognormal = self.source.family.linked_mean in _OF_LOGARITHMS
        bounded = self.source.design.limits.most is not None
        if lognormal and not bounded and "sigma" in self.parameters:
            raise ArgumentError(
                "over='population': where groups differ in sigma, the means of lognormal responses "
                "have no mean over all groups. Ask over='typical group' or 'new group', or "
                "scale='linear'"
            )

    def matrices(self, rows: Rows) -> Matrices:
        """Evaluate the formula for some rows: here effects enter by their spread alone."""
        groupings = {each.name: each for each in self.design.groupings}
        found = Matrices.of(self.design, rows, groupings)
        Z = {name: groupings[name].with_new.sized(each, rows) for name, each in found.Z.items()}
        return found._replace(Z=Z)


def population_average(posterior: Posterior) -> PopulationAverage:
    """Return what averages over new groups, for the rows of a posterior's design."""
    source = predict.predictor(posterior, group_effects="none")
    groupings = posterior.design.groupings
    roots = [
        {(each.name, equation): _rows(posterior.Lambda(each, equation), each, MU)
         for each in groupings}
        for equation in posterior.equations
    ]  # fmt: skip
    bounded = posterior.design.limits.truncated
    alone = posterior.family.linked_mean in _OF_LOCATION and DISC not in posterior.parameters
    matter = bounded or not alone
    parameters = [name for name in posterior.parameters if source.named
                  or (matter and any(name in each.equations for each in groupings))]  # fmt: skip
    roots += [
        {(each.name, None): _rows(posterior.Lambda(each), each, name) for each in groupings}
        for name in parameters
    ]
    # The linear predictor of the reference is zero where categories have equations by name.
    return PopulationAverage(source, tuple(roots[source.named :]), tuple(parameters))


def _rows(Lambda: FloatArray, grouping: Grouping, equation: str) -> FloatArray:
    """Return a factor whose rows are those of the effects that enter an equation, zero but for."""
    mine = np.isin(np.arange(Lambda.shape[1]), grouping.of_equation(equation))
    return Lambda if mine.all() else Lambda * mine[:, None]


def _moved(roots: Roots, Zs: Mapping[str, FloatArray]) -> Roots:
    """Return what normal variables are multiplied with in rows (n, S, Q), once where rows agree."""
    found = {}
    for key, root in roots.items():
        Z = Zs[key[0]]
        rows = Z[:1] if (Z[:1] == Z).all() else Z
        columns = [rows @ root[:, :, k].T for k in range(root.shape[2])]
        found[key] = np.stack(columns, axis=-1)
    return found


def _covariance(one: Roots, other: Roots, draws: int) -> FloatArray:
    """Covariance (n, S) of what effects add to two linear predictors."""
    total: FloatArray = np.zeros((1, draws))
    for key in one.keys() & other.keys():
        total = total + np.sum(one[key] * other[key], axis=-1)
    return total


def _joint(moved: Sequence[Roots], draws: int) -> FloatArray:
    """Cholesky factor (n, S, K, K) of the covariance of what effects add to linear predictors."""
    K = len(moved)
    pairs = {(i, j): _covariance(moved[i], moved[j], draws) for i in range(K) for j in range(i + 1)}
    L = np.zeros((max(map(len, pairs.values())), draws, K, K))
    for j in range(K):
        rest = pairs[j, j] - np.sum(L[..., j, :j] ** 2, axis=-1)
        L[..., j, j] = np.sqrt(np.maximum(rest, 0.0))
        for i in range(j + 1, K):
            inner = pairs[i, j] - np.sum(L[..., i, :j] * L[..., j, :j], axis=-1)
            safe = np.where(L[..., j, j] > 0, L[..., j, j], 1.0)
            L[..., i, j] = np.where(L[..., j, j] > 0, inner / safe, 0.0)
    return L
