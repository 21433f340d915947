"""The chart that takes a program's coordinates to points of the posterior and back.

Programs sample ``raw`` and ``z`` around a quick fit. A point is what they stand for: the same
numbers whatever the quick fit was, so that a point found in one chart can be looked up in another.
The arithmetic is that of `parts/hyperparameters.stan` and `tuned_effects`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hiermix.families.correlations import block_cholesky
from hiermix.stan import monotonic_data, shrinkage_data, stan_data
from hiermix.stan.variables import EFFECTS, GAPS, SIZE
from hiermix.tuning.points import Point
from hiermix.typing import FloatArray, IntArray, StanData

_FURTHEST = 12.0
"""Log sds beyond their center at which the population stops following."""
_GROWN = 50.0
"""Log of how far weights follow the family's own parameters."""


@dataclass(frozen=True)
class _Factor:
    """One grouping factor, as a program has it."""

    effects: slice
    """Its places among the sds."""
    z: slice
    """Its places among the effects (Q J,)."""
    ZtWZ: FloatArray
    """(J, Q, Q)"""
    ZtWR: FloatArray
    """(J, Q, 1 + P)"""
    along_own: FloatArray
    """(J, Q, A), or no columns"""
    by_own: FloatArray
    """(A,) how the logarithm of the weights moves, or none"""
    outer: tuple[tuple[slice, IntArray, FloatArray], ...]
    """Of each factor around it: its places, the level above each level, Z_inner'w Z_outer."""
    common: "_Common | None"
    root: FloatArray | None
    """(J, J) effects of its levels from the independent ones that have the coordinates."""

    def related(self, effects: FloatArray) -> FloatArray:
        """Effects (J, Q) of the levels from independent ones."""
        return effects if self.root is None else np.asarray(self.root @ effects)

    def independent(self, effects: FloatArray) -> FloatArray:
        """Undo `related`."""
        return effects if self.root is None else np.linalg.solve(self.root, effects)


@dataclass(frozen=True)
class _Common:
    """What the levels of a factor have in common, where apart; see `tuning.common_parts`."""

    share: FloatArray
    """(J,)"""
    column: FloatArray
    """(P, Q) what one unit of it is in b."""
    extent: float

    def forward(
        self, A: FloatArray, v: FloatArray, noise: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return coordinates (J, Q) of the effects, and t (Q,), from those without the law of t."""
        inverse, B, root = self._laws(A)
        back = np.linalg.solve(B, self.share @ v)
        t = np.linalg.solve(root, self.share @ noise)
        return v + self.share[:, None] * (t - inverse @ back), t

    def back(self, A: FloatArray, v: FloatArray, mean: FloatArray) -> FloatArray:
        """Return what `forward` had before it; the noise is that less its mean."""
        inverse, B, root = self._laws(A)
        t = self.share @ v
        back = np.linalg.solve(B, root @ t + self.share @ mean)
        return np.asarray(v + self.share[:, None] * (inverse @ back - t))

    def _laws(self, A: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        inverse = np.linalg.inv(A)
        B = np.einsum("j,jqk->qk", self.share**2, inverse)
        return inverse, B, np.linalg.cholesky(B)


class Chart:
    """Coordinates (raw, z) of a program with its data."""

    def __init__(self, data: StanData) -> None:
        self.center, self.scale = np.asarray(data["center"]), np.asarray(data["scale"])
        self.bend, self.spread = np.asarray(data["sd_bend"]), np.asarray(data["sd_spread"])
        self.rest, self.reach, self.hold = (
            np.asarray(data[name]) for name in ("rest", "reach", "hold")
        )
        self.blocks = np.asarray(data["block"]).tolist()
        self.D, self.P = (int(data[name]) for name in (SIZE, "P"))
        self.sizes = stan_data.sizes(data)
        cor = sum(size * (size - 1) // 2 for size in self.blocks)
        self.shrinkage = shrinkage_data.of(data)
        end = self.D - (0 if self.shrinkage is None else self.shrinkage.size)
        self.tails = int(data["tails"])
        start = end - self.tails - cor
        self.sds, self.cor = slice(start - self.sizes.spreads, start), slice(start, end)
        self.bounds = stan_data.bounds(data)
        self.monotonic = monotonic_data.of(data)
        self.moving = int(data.get("own_moving", 0))
        self.weighing = int(data.get("own_weighing", 0))
        self.factors = list(_factors(data)) if EFFECTS in data else []
        self.b_hat = np.asarray(data["b_hat"])[: self.P] if self.factors else np.zeros(self.P)
        effects, gaps = int(data.get(EFFECTS, 0)), int(data.get(GAPS, 0))
        self.K = effects + gaps
        self.gaps = slice(effects, self.K)

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self.D + self.K

    @property
    def independent(self) -> list[tuple[slice, int, int]]:
        """Places among z, levels J and effects Q of what is independent given the rest.

        Levels of a factor have the effects of each; missing values are levels with one.
        """
        each = [(factor.z, *factor.ZtWZ.shape[:2]) for factor in self.factors]
        gaps = self.gaps.stop - self.gaps.start
        return [*each, (self.gaps, gaps, 1)] if gaps else each

    def point(self, q: FloatArray) -> Point:
        """Return the point at coordinates q (D + K,)."""
        raw, z = q[: self.D], q[self.D :]
        theta = self.center + self.scale @ raw
        log_sd = theta[self.sds] - 0.5 * self.bend * self._below(theta[self.sds]) ** 2
        Lambda = self._root(log_sd, theta[self.cor])
        params, local = theta[self.P : self.sds.start], theta[self.cor.stop :]
        F = len(self.hold)
        b = theta[: self.P] + self.scale[: self.P, :F] @ (
            self._following(log_sd, Lambda) @ raw[:F] - raw[:F]
        )
        if self.shrinkage is not None:
            b = self.shrinkage.slopes(raw[: self.P], self.shrinkage.sds(params, local))
        b = self.monotonic.steps(self.bounds.inside(b))
        d, r, relative = b[: len(self.b_hat)] - self.b_hat, np.zeros(self.K), np.zeros(self.K)
        away = self._away(params, self.moving), self._away(params, self.weighing)
        for each in self.factors:
            own = Lambda[each.effects, each.effects]
            A, mean = _tuned(each, own, d, relative, away)
            C = np.linalg.cholesky(A)
            noise = np.linalg.solve(C.swapaxes(1, 2), _by_level(z[each.z], C))[:, :, 0]
            v, shared = mean + noise, np.zeros(len(own))
            if each.common is not None:
                v, t = each.common.forward(A, v, noise)
                shared = each.common.extent * (own @ t)
                b = b - each.common.column @ shared
            r[each.z] = each.related(v @ own.T).T.ravel()
            relative[each.z] = (v @ own.T - shared).T.ravel()
        r[self.gaps] = z[self.gaps]
        return Point(b, params, log_sd, theta[self.cor], r, local)

    def coordinates(self, point: Point) -> FloatArray:
        """Return the coordinates of a point."""
        sds = self._unbent(point.log_sd)
        theta = np.concatenate([point.own, sds, point.cor, point.local])
        P, F = self.P, len(self.hold)
        q, factors = np.zeros(self.size), self.factors if len(point.r) else []
        if len(point.r) == self.K:
            q[self.D :][self.gaps] = point.r[self.gaps]
        Lambda = self._root(point.log_sd, point.cor)
        away = self._away(point.own, self.moving), self._away(point.own, self.weighing)
        b, v, relative = point.b, [], point.r.copy()
        for each in factors:
            own = Lambda[each.effects, each.effects]
            r = each.independent(_by_level(point.r[each.z], each.ZtWZ)[:, :, 0])
            v.append(np.linalg.solve(own, r[:, :, None])[:, :, 0])
            if each.common is not None:
                shared = each.common.extent * (own @ (each.common.share @ v[-1]))
                b = b + each.common.column @ shared
                relative[each.z] -= np.repeat(shared, len(each.ZtWZ))
        for each, values in zip(factors, v, strict=True):
            own = Lambda[each.effects, each.effects]
            A, mean = _tuned(each, own, b - self.b_hat, relative, away)
            before = values if each.common is None else each.common.back(A, values, mean)
            root = np.linalg.cholesky(A).swapaxes(1, 2)
            z = root @ (before - mean)[:, :, None]
            q[self.D :][each.z] = z[:, :, 0].T.ravel()
        free = self.bounds.outside(self.monotonic.sampled(b))
        theta = np.concatenate([free, theta]) - self.center
        if self.shrinkage is not None:
            sds = self.shrinkage.sds(point.own, point.local)
            q[:P] = self.shrinkage.raw(free, sds)
            theta = theta - self.scale[:, :P] @ q[:P]
            q[P : self.D] = np.linalg.solve(self.scale[P:, P:], theta[P:])
            return q
        q[: self.D] = np.linalg.solve(self.scale, theta)
        q[:F] = np.linalg.solve(self._following(point.log_sd, Lambda), q[:F])
        return q

    def _away(self, own: FloatArray, number: int) -> FloatArray:
        """Return how far own parameters that effects follow are from their center."""
        return np.asarray(own[:number] - self.center[self.P : self.P + number])

    def _root(self, log_sd: FloatArray, cor: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):
            sds = np.exp(self.sizes.log_sds(log_sd))
            return np.asarray(sds[:, None] * block_cholesky(cor, self.blocks))

    def _below(self, theta: FloatArray) -> FloatArray:
        return np.asarray(np.logaddexp(0.0, (self.center[self.sds] - theta) / self.spread))

    def _unbent(self, log_sd: FloatArray) -> FloatArray:
        """Undo the bend, by Newton's method from below: the bent log sd is concave in theta."""
        theta = log_sd.copy()
        for _ in range(50):
            below = self._below(theta)
            slope = 1 - self.bend / self.spread * below * np.expm1(-below)
            theta += (log_sd - theta + 0.5 * self.bend * below**2) / slope
        return theta

    def _following(self, log_sd: FloatArray, Lambda: FloatArray) -> FloatArray:
        """(F, F) what the first coordinates of b are multiplied by."""
        F = len(self.hold)
        if not F:
            return np.zeros((0, 0))
        near = log_sd - np.logaddexp(0.0, log_sd - self.center[self.sds] - _FURTHEST)
        share = np.exp(self.sizes.log_sds(near) - self.sizes.log_sds(log_sd))
        reached = self.reach @ (share[:, None] * Lambda)
        free = np.linalg.cholesky(self.rest + reached @ reached.T)
        held = np.linalg.cholesky(free.T @ self.hold @ free + np.eye(F))
        return np.asarray(free @ np.linalg.inv(held).T)


def _tuned(
    factor: _Factor,
    Lambda: FloatArray,
    d: FloatArray,
    around: FloatArray,
    away: tuple[FloatArray, FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """Precision of v, (J, Q, Q), and its mean, (J, Q); r = Lambda v."""
    moving, weighing = away
    grown = np.exp(np.clip(factor.by_own @ weighing, -_GROWN, _GROWN))
    s = factor.ZtWR @ np.concatenate([[1.0], d]) + factor.along_own @ moving
    for places, above, crossed in factor.outer:
        outer = around[places].reshape(crossed.shape[2], -1).T[above]
        s = s - np.einsum("jqk,jk->jq", crossed, outer)
    A = np.eye(len(Lambda)) + grown * (Lambda.T @ factor.ZtWZ @ Lambda)
    return A, np.linalg.solve(A, grown * (s @ Lambda)[:, :, None])[:, :, 0]


def _by_level(values: FloatArray, like: FloatArray) -> FloatArray:
    """(Q J,) effect after effect to columns (J, Q, 1)."""
    J, Q, _ = like.shape
    return values.reshape(Q, J).T[:, :, None]


def _factors(data: StanData) -> Iterator[_Factor]:
    """Take the data of a program apart, factor by factor."""
    P, effect, level, at = int(data["P"]), 0, 0, 0
    root, known = 0, np.asarray(data["related_root"])
    places: list[slice] = []
    sizes = zip(np.asarray(data["Q"]).tolist(), np.asarray(data["J"]).tolist(), strict=True)
    for m, (Q, J) in enumerate(sizes):
        rows, columns = np.tril_indices(Q)
        ZtWZ = np.zeros((J, Q, Q))
        lower = np.asarray(data["ZtWZ"])[level : level + J, : len(rows)]
        ZtWZ[:, rows, columns] = ZtWZ[:, columns, rows] = lower
        ZtWR = np.asarray(data["ZtWR"])[level : level + J, : Q * (1 + P)].reshape(J, Q, 1 + P)
        moving = int(data["own_moving"])
        along = np.asarray(data["along_own"])[level : level + J, : Q * moving]
        along = along.reshape(J, Q, moving)
        places.append(slice(at, at + Q * J))
        outer = tuple(_outer(data, m, Q, places))
        common = None
        if np.asarray(data["apart"])[m]:
            share = np.asarray(data["share"])[level : level + J]
            column = np.asarray(data["column"])[:, effect : effect + Q]
            common = _Common(share, column, float(np.asarray(data["extent"])[m]))
        related = None
        if np.asarray(data["related"])[m]:
            related, root = known[root : root + J, :J], root + J
        own = slice(effect, effect + Q)
        by_own = np.asarray(data["weight_by_own"])[m]
        yield _Factor(own, places[-1], ZtWZ, ZtWR, along, by_own, outer, common, related)
        effect, level, at = effect + Q, level + J, at + Q * J


def _outer(
    data: StanData, m: int, Q: int, places: list[slice]
) -> Iterator[tuple[slice, IntArray, FloatArray]]:
    """Yield the factors that factor m is nested in."""
    row, J, wide = 0, np.asarray(data["J"]), np.asarray(data["Q"])
    above, crossed = np.asarray(data["above"]), np.asarray(data["ZtWZ_outer"])
    for inner, outer in zip(np.asarray(data["inner"]), np.asarray(data["outer"]), strict=True):
        rows = slice(row, row + J[inner - 1])
        row = rows.stop
        if inner - 1 == m:
            last = wide[outer - 1]
            matrices = crossed[rows, : Q * last].reshape(-1, Q, last)
            yield places[outer - 1], above[rows] - 1, matrices
