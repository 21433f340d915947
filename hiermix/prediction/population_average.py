"""What is expected of rows whose groups are not known: averaged over the fitted spread.

The effects of all factors enter one linear predictor of a row as one normal variable, of variance
z' Sigma z summed over the factors. So one dimension of quadrature does for any number of them, and
for a family with several linear predictors as many as these.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hiermix.design.batches import Rows
from hiermix.design.design import Design
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import predict
from hiermix.prediction.normal_nodes import normal_nodes
from hiermix.prediction.predictor import Matrices, Predictor
from hiermix.typing import FloatArray

_TENSOR = 1_000
"""Points of a product of one-dimensional rules; beyond, points of a low discrepancy take over."""
_SCATTERED = 4_096


@dataclass(frozen=True, eq=False)
class PopulationAverage:
    """Expectations of rows over new groups: exact but for the quadrature."""

    source: Predictor
    """Without the effects of any group."""
    spreads: tuple[Mapping[str, FloatArray], ...]
    """Cholesky factors (S, Q, Q) by grouping factor, one mapping a linear predictor."""

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
        matrices = matrices or self.matrices(rows)
        eta = self.source.linear(rows, matrices._replace(Z={}))
        if self.source.categories:
            return self._categories(kind, rows, eta, matrices.Z)
        sd = self._sd(self.spreads[0], matrices.Z)
        total: FloatArray = np.zeros((len(eta), *self.shape(kind)))
        nodes, weights = normal_nodes(float(np.max(sd, initial=0.0)))
        for node, weight in zip(nodes, weights, strict=True):
            total += weight * self.source.expected(kind, rows, eta + node * sd)
        return total

    def matrices(self, rows: Rows) -> Matrices:
        """Evaluate the formula for some rows: here effects enter by their spread alone."""
        design = self.design
        return Matrices(design.X(rows), {name: design.Z(name, rows) for name in self.spreads[0]})

    def _sd(self, spreads: Mapping[str, FloatArray], Zs: Mapping[str, FloatArray]) -> FloatArray:
        """Sd (n, S) of what groups add to one linear predictor; (1, S) where rows agree."""
        variance: FloatArray = np.zeros((1, self.source.layout.draws))
        for name, Lambda in spreads.items():
            rows = Zs[name][:1] if (Zs[name] == Zs[name][:1]).all() else Zs[name]
            moved = [rows @ Lambda[:, :, k].T for k in range(Lambda.shape[2])]
            variance = variance + sum(each**2 for each in moved)
        return np.sqrt(variance)

    def _categories(
        self, kind: str, rows: slice, eta: FloatArray, Zs: Mapping[str, FloatArray]
    ) -> FloatArray:
        """Average probabilities: effects of different categories are independent."""
        sd = np.stack([self._sd(each, Zs) for each in self.spreads], axis=-1)
        total: FloatArray = np.zeros((len(eta), *self.shape(kind)))
        for node, weight in zip(*_grid(float(sd.max(initial=0.0)), eta.shape[-1]), strict=True):
            total += weight * self.source.expected(kind, rows, eta + node * sd)
        return total


def population_average(posterior: Posterior) -> PopulationAverage:
    """Return what averages over new groups, for the rows of a posterior's design."""
    source = predict.predictor(posterior, group_effects="none")
    spreads = tuple(
        {each.name: posterior.Lambda(each, equation) for each in posterior.design.groupings}
        for equation in posterior.equations
    )
    return PopulationAverage(source, spreads)


def _grid(sd: float, dimensions: int) -> tuple[FloatArray, FloatArray]:
    """Return points (N, K) and weights of K independent standard normal variables."""
    nodes, weights = normal_nodes(sd)
    if len(nodes) ** dimensions > _TENSOR and dimensions > 1:
        points = _scattered(dimensions)
        return points, np.full(len(points), 1 / len(points))
    each = np.meshgrid(*[nodes] * dimensions, indexing="ij")
    products = np.prod(np.meshgrid(*[weights] * dimensions, indexing="ij"), axis=0)
    return np.stack([axis.ravel() for axis in each], axis=-1), products.ravel()


@lru_cache(8)
def _scattered(dimensions: int) -> FloatArray:
    """Return normal points (N, K) that fill the space evenly: Sobol's, scrambled (Owen, 1998)."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    uniform = qmc.Sobol(dimensions, seed=1).random(_SCATTERED)
    return np.asarray(ndtri(np.clip(uniform, 1e-12, 1 - 1e-12)))
