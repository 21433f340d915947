"""Effects of nested factors given everything else: exact conditional draws, root to leaf.

Given what all of them share, that is the rest and the effects of crossed factors, levels of the
outermost factor are independent, each with all that lies inside: they are drawn some at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from hiermix.keyed_streams import Streams
from hiermix.statistics import within_between
from hiermix.statistics.conditional_effects import Hyperdraws
from hiermix.statistics.small_matrices import product
from hiermix.statistics.tree import Crossed, Tree
from hiermix.statistics.tree_algebra import Eliminated, eliminate
from hiermix.typing import FloatArray, IntArray

_ENTRIES = 100_000
"""Numbers in a piece of work: few enough that its dozen arrays stay in cache."""
_LEVELS = 256
"""Levels of all factors that are drawn at a time, or all inside one of the outermost factor."""


@dataclass(frozen=True, eq=False)
class NestedFactors:
    """The effects of nested factors, drawn when they are asked for: once for every other draw.

    A level has a stream of random numbers of its own, and levels of the outermost factor are always
    drawn with the same others, so that effects are the same whatever is asked for.
    """

    tree: Tree
    draws: Hyperdraws
    labels: Mapping[str, Sequence[str]]
    """Names of the levels of each factor."""
    seed: int
    _last: dict[int, dict[str, FloatArray]] = field(default_factory=dict, repr=False)
    """What was drawn last: effects of factors by the part of the tree."""

    def __getstate__(self) -> dict[str, object]:
        """Leave here what can be drawn again."""
        return self.__dict__ | {"_last": {}}

    def of_levels(self, name: str, levels: IntArray) -> FloatArray:
        """Return effects (Q, len(levels), S) of some levels, by their places."""
        for each in self.tree.crossed:
            if each.name == name:
                w = self._crossed[:, each.columns].T
                return w.reshape(-1, each.size, len(self.draws.b))[:, levels]
        factor = [each.name for each in self.tree.levels].index(name)
        parts = self._parts[factor][levels]
        found = np.empty((len(self.tree.levels[factor].own), len(levels), len(self.draws.b)))
        for part in np.unique(parts).tolist():
            mine = parts == part
            inside = np.searchsorted(self._inside(part)[factor], levels[mine])
            found[:, mine] = self._of_part(part)[name][:, inside]
        return found

    def all_levels(self) -> dict[str, FloatArray]:
        """Return effects (Q, J, S) of all levels of each factor, by its name."""
        S = len(self.draws.b)
        found = {each.name: self.of_levels(each.name, np.arange(each.size))
                 for each in self.tree.crossed}  # fmt: skip
        found |= {each.name: np.empty((len(each.own), each.size, S)) for each in self.tree.levels}
        for part in np.unique(self._parts[0]).tolist() if self.tree.levels else ():
            drawn = self._drawn(part)
            for each, inside in zip(self.tree.levels, self._inside(part), strict=True):
                found[each.name][:, inside] = drawn[each.name]
        return found

    def drawn_with(self, name: str, levels: IntArray) -> int:
        """Return how many numbers a draw of some levels takes: all that are drawn at once."""
        factors = [each.name for each in self.tree.levels]
        if name not in factors:
            return len(levels)
        place = factors.index(name)
        sizes = [3 * len(each.own) * np.bincount(parts, minlength=int(self._parts[0].max()) + 1)
                 for each, parts in zip(self.tree.levels, self._parts, strict=True)]  # fmt: skip
        largest = np.max(np.sum(sizes, axis=0)[np.unique(self._parts[place][levels])], initial=0)
        return len(levels) * len(self.tree.levels[place].own) + int(largest)

    @cached_property
    def _parts(self) -> list[IntArray]:
        """Which part of the tree each level of each factor is in."""
        roots = [np.arange(self.tree.levels[0].size)]
        for each in self.tree.levels[1:]:
            roots.append(roots[-1][each.above])
        sizes = sum(np.bincount(each, minlength=len(roots[0])) for each in roots)
        part = np.asarray(np.cumsum(sizes) - sizes) // _LEVELS
        return [part[each] for each in roots]

    def _inside(self, part: int) -> list[IntArray]:
        """Levels of each factor that are in a part."""
        return [np.flatnonzero(each == part) for each in self._parts]

    def _of_part(self, part: int) -> dict[str, FloatArray]:
        found = self._last.get(part)
        if found is None:
            found = self._drawn(part)
            self._last.clear()
            self._last[part] = found
        return found

    def _normals(self, name: str, levels: IntArray, number: int) -> FloatArray:
        """Return normal numbers (levels, number, S)."""
        labels = [self.labels[name][place] for place in levels.tolist()]
        return Streams(self.seed, "integrated", name).normals(labels, number, len(self.draws.b))

    def _drawn(self, part: int) -> dict[str, FloatArray]:
        """Draw the effects (Q, levels, S) of all factors of the tree that are in a part."""
        inside, S = self._inside(part), len(self.draws.b)
        some, found, noise = some_levels(self.tree, inside), {}, {}
        for each, levels in zip(some.levels, inside, strict=True):
            Q = len(each.own)
            found[each.name] = np.empty((Q, len(levels), S))
            noise[each.name] = self._normals(each.name, levels, 2 * Q if each is some.levels[-1]
                                             else Q)  # fmt: skip
        for draws in _pieces(some, S):
            given = _Given.of(some, self.draws, draws)
            mix = given.mixed_with(self._crossed[draws])
            u = np.zeros((0, 1, len(mix), 1))
            for one in eliminate(some, given.scaled, mix[:, :, None]):
                u = u[..., one.level.above]
                r = _effects(one, u, given.sigma, noise[one.level.name][..., draws])
                found[one.level.name][..., draws] = r[:, 0].swapaxes(1, 2)
                u = together(one, u, r)
        return found

    @cached_property
    def _crossed(self) -> FloatArray:
        """(S, W) effects of crossed factors, as coefficients of their columns."""
        tree, S = self.tree, len(self.draws.b)
        w = np.zeros((S, tree.W))
        if not tree.W:
            return w
        each = [self._of_crossed(one) for one in tree.crossed]
        z = np.concatenate(each)
        for draws in _pieces(tree, S):
            w[draws] = _crossed(_Given.of(tree, self.draws, draws), z[:, draws].T)
        return w

    def _of_crossed(self, one: Crossed) -> FloatArray:
        """Return normal numbers (columns, S) of a crossed factor."""
        Q = (one.columns.stop - one.columns.start) // one.size
        z = self._normals(one.name, np.arange(one.size), Q)
        return z.swapaxes(0, 1).reshape(Q * one.size, -1)


def some_levels(tree: Tree, inside: Sequence[IntArray]) -> Tree:
    """Return the statistics of some levels of the outermost factor, and of all inside them."""
    levels = []
    for place, each in enumerate(tree.levels):
        above = each.above[inside[place]]
        if place:
            above = np.searchsorted(inside[place - 1], above)
        levels.append(replace(each, size=len(inside[place]), above=above))
    leaf, w = inside[-1], tree.within
    around = inside[-2] if len(inside) > 1 else slice(None)
    return replace(
        tree, levels=tuple(levels), within=replace(w, R=w.R[leaf], QtR=w.QtR[leaf]),
        QtA=tree.QtA[leaf], AtA=tree.AtA[around], AtR=tree.AtR[around],
    )  # fmt: skip


def _pieces(tree: Tree, S: int) -> Iterator[slice]:
    sizes = (each.size * (each.carried + len(each.own)) ** 2 for each in tree.levels)
    width = max(sizes, default=0)
    size = max(1, _ENTRIES // max(1, width * (1 + tree.W)))
    for start in range(0, S, size):
        yield slice(start, min(start + size, S))


@dataclass(frozen=True)
class _Given:
    """Draws of everything but the effects."""

    tree: Tree
    b: FloatArray
    sigma: FloatArray
    Lambda: FloatArray

    @classmethod
    def of(cls, tree: Tree, draws: Hyperdraws, some: slice) -> "_Given":
        """Return some of the draws."""
        return cls(tree, draws.b[some], draws.sigma[some], draws.Lambda[some])

    @property
    def scaled(self) -> list[FloatArray]:
        """Lambda / sigma of each factor of the tree."""
        return [self.Lambda[:, each, each] / self.sigma[:, None, None] for each in self.tree.places]

    def start(self) -> FloatArray:
        """(S, W) effects of crossed factors that make up best for b."""
        P = self.b.shape[1]
        b_hat = self.tree.within.b_hat
        return b_hat[P:] - (self.b - b_hat[:P]) @ self.tree.along.T

    def mixed_with(self, w: FloatArray) -> FloatArray:
        """(S, 1 + P + W) what e and the columns are combined with, for coefficients w (S, W)."""
        d = np.concatenate([self.b, w], axis=1) - self.tree.within.b_hat
        return np.concatenate([np.ones((len(d), 1)), d], axis=1)


def _crossed(given: _Given, z: FloatArray) -> FloatArray:
    """Draw effects of crossed factors as coefficients (S, W), of normal numbers (S, W): (25)."""
    tree, S = given.tree, len(given.b)
    start = given.start()
    mix = np.zeros((S, 1 + len(tree.within.b_hat), 1 + tree.W))
    mix[:, :, 0] = given.mixed_with(start)
    mix[:, -tree.W :, 1:] = np.eye(tree.W)
    # 1. What is left of e and the columns, W'V^-1 [e, W].
    T = mix.swapaxes(1, 2) @ within_between.quadratic(tree.within) @ mix
    for one in eliminate(tree, given.scaled, mix):
        T += one.sign * one.squares()
    T /= given.sigma[:, None, None] ** 2
    # 2. In units of their sds.
    root = in_units(tree, given.Lambda)[:, -tree.W :, -tree.W :]
    A = np.eye(tree.W) + root.swapaxes(1, 2) @ T[:, 1:, 1:] @ root
    C = np.linalg.cholesky(A)
    pull = T[:, 1:, 1:] @ start[:, :, None] - T[:, 1:, :1]
    h = np.linalg.solve(C, root.swapaxes(1, 2) @ pull)
    w = root @ np.linalg.solve(C.swapaxes(1, 2), h + z[:, :, None])
    return np.asarray(w[:, :, 0])


def in_units(tree: Tree, Lambda: FloatArray) -> FloatArray:
    """Return which combinations of e and the columns (1, d) and effects over their sds stand for.

    For one Lambda (E, E), or for several, (..., E, E).

    Columns of crossed factors are counted from zero: the prior is there.
    """
    W, size = tree.W, 1 + len(tree.within.b_hat)
    found = np.zeros((*Lambda.shape[:-2], size, size))
    found[..., range(size - W), range(size - W)] = 1.0
    if W:
        found[..., -W:, 0] = -tree.within.b_hat[-W:]
    for each in tree.crossed:
        at = slice(size - W + each.columns.start, size - W + each.columns.stop)
        own = Lambda[..., each.effects, each.effects]
        levels = own[..., :, None, :, None] * np.eye(each.size)[:, None]
        found[..., at, at] = levels.reshape(*found[..., at, at].shape)
    return found


def _effects(one: Eliminated, u: FloatArray, sigma: FloatArray, noise: FloatArray) -> FloatArray:
    """Draw effects (Q, 1, S, J) of one factor, given what those around it add up to.

    `noise` are normal numbers (J, normals, S).
    """
    z = sigma[:, None] * np.ascontiguousarray(noise.transpose(1, 2, 0))[:, None]
    return product(one.Lambda, one.draw(u, z))


def together(one: Eliminated, u: FloatArray, r: FloatArray) -> FloatArray:
    """Return what effects add up to in each column, with those of one more factor."""
    columns = max(len(u), int(one.level.own.max()) + 1)
    total = np.zeros((columns, *r.shape[1:]))
    total[: len(u)] = u
    total[one.level.own] += r
    return total
