"""Factors nested in each other: which are, and statistics with the inner ones integrated out.

The effects of casks and of the batches that they belong to make up for each other. A program
samples them well when the outer effects are tuned to what the rows say once the inner effects are
integrated out, and the inner ones to what is left given the outer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hiermix.design.batches import slices
from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.statistics import within_between
from hiermix.statistics.gram import Gram, solve_symmetric, statistics
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True)
class Pair:
    """A factor and one that it is nested in."""

    inner: str
    outer: str
    above: IntArray
    """(J_inner,) level of the outer factor that each level of the inner one belongs to."""


def outer_first(design: Design) -> Design:
    """Put every factor after those that it is nested in, whatever the order of the formula."""
    ordered: list[Grouping] = []
    for each in design.groupings:
        inside = (_above(other, each) is not None for other in ordered)
        ordered.insert(next((i for i, yes in enumerate(inside) if yes), len(ordered)), each)
    return replace(design, groupings=tuple(ordered))


def pairs(design: Design) -> list[Pair]:
    """Pairs of nested factors: each factor with the chain of ever finer ones that follow it."""
    found = []
    for place, outer in enumerate(design.groupings):
        last = outer
        for inner in sorted(design.groupings[place + 1 :], key=lambda each: len(each.levels)):
            if _above(inner, last) is not None:
                above = _above(inner, outer)
                assert above is not None
                found.append(Pair(inner.name, outer.name, above))
                last = inner
    return found


def crossed(design: Design, known: Sequence[Pair]) -> bool:
    """Whether two factors are crossed: neither is nested in the other."""
    J = sum(each.factor.partitions for each in design.groupings)
    return len({(pair.inner, pair.outer) for pair in known}) < J * (J - 1) // 2


def _above(inner: Grouping, outer: Grouping) -> IntArray | None:
    """Level of `outer` for each level of `inner`; None where a level has several."""
    related = inner.covariance is not None or outer.covariance is not None
    more = len(inner.levels) > len(outer.levels) and not related
    return inner.factor.above(outer.factor) if more else None


def cross(
    design: Design, pair: Pair, weights: FloatArray, Lambdas: Mapping[str, FloatArray]
) -> FloatArray:
    """Z_inner' V^-1 Z_outer of each inner level, shape (J_inner, Q_inner, Q_outer).

    V is the covariance of the working response by the rows and the factors inside the inner one,
    whose scales are `Lambdas`.
    """
    names = [pair.outer, pair.inner, *_chain(design, pair.inner, Lambdas)]
    reduced = _reduce(design, names, 2, np.zeros(design.rows), weights, Lambdas)
    return reduced.crossed[pair.inner, pair.outer]


def marginal(
    design: Design,
    name: str,
    response: FloatArray,
    weights: FloatArray,
    Lambdas: Mapping[str, FloatArray],
) -> Gram:
    """Statistics of a factor with the chain of factors inside it integrated out.

    Parameters
    ----------
    design : Design
        The model's design.
    name : str
        The outer factor.
    response, weights : array, shape (rows,)
        Working response, which has the inner effects in it, and working weights.
    Lambdas : mapping
        Scale diag(sd) L of the effects of each inner factor.
    """
    names = [name, *_chain(design, name, Lambdas)]
    reduced = _reduce(design, names, 1, response, weights, Lambdas)
    return reduced.outermost(name)


def _chain(design: Design, name: str, Lambdas: Mapping[str, FloatArray]) -> list[str]:
    """Factors inside one, the coarsest first, whose scales are known."""
    return [pair.inner for pair in pairs(design) if pair.outer == name and pair.inner in Lambdas]


@dataclass(frozen=True)
class Chain:
    """What rows say of factors nested in each other, while some are integrated out."""

    grams: dict[str, Gram]
    crossed: dict[tuple[str, str], FloatArray]
    """Z_inner' W Z_outer of each inner level."""
    above: Mapping[tuple[str, str], IntArray]
    quadratic: FloatArray
    """(1 + P, 1 + P) of the response and -X."""

    def integrate(self, names: Sequence[str], keep: int, Lambdas: Mapping[str, FloatArray]) -> None:
        """Integrate all but the first `keep` factors out, the innermost first, in place."""
        for place in range(len(names) - 1, keep - 1, -1):
            inner = names[place]
            _eliminate(
                inner, names[:place], self.grams, self.crossed, self.above, Lambdas[inner],
                self.quadratic,
            )  # fmt: skip

    def outermost(self, name: str) -> Gram:
        """Return the statistics of the factor that is left."""
        return _recentred(self.grams[name], self.quadratic)


def _reduce(
    design: Design,
    names: Sequence[str],
    keep: int,
    response: FloatArray,
    weights: FloatArray,
    Lambdas: Mapping[str, FloatArray],
) -> Chain:
    """Integrate all but the first factors of a chain out, the innermost first."""
    known = [pair for pair in pairs(design) if pair.inner in names and pair.outer in names]
    above = {(pair.inner, pair.outer): pair.above for pair in known}
    grams = {each: statistics(design, each, response, weights) for each in names}
    crossed = {(pair.inner, pair.outer): _cross(design, pair, weights) for pair in known}
    chain = Chain(grams, crossed, above, within_between.quadratic(grams[names[0]]))
    chain.integrate(names, keep, Lambdas)
    return chain


def _cross(design: Design, pair: Pair, weights: FloatArray) -> FloatArray:
    """Z_inner' W Z_outer of each inner level."""
    inner, outer = design.grouping(pair.inner), design.grouping(pair.outer)
    total = np.zeros((len(inner.levels), len(inner.effects), len(outer.effects)))
    for rows in slices(design.rows):
        WZ = design.Z(pair.inner, rows) * weights[rows, None]
        total += inner.factor.products(WZ, design.Z(pair.outer, rows), rows)
    return total


def _eliminate(
    inner: str,
    outers: Sequence[str],
    grams: dict[str, Gram],
    crossed: dict[tuple[str, str], FloatArray],
    above: Mapping[tuple[str, str], IntArray],
    Lambda: FloatArray,
    quadratic: FloatArray,
) -> None:
    """Integrate one factor's effects out of the statistics of those it is nested in, in place.

    Equation (16) of docs/how-it-samples.md, for Z'WZ, Z'WR and e'We alike.
    """
    gram = grams[inner]
    K = Lambda @ np.linalg.inv(np.eye(gram.Q) + Lambda.T @ gram.ZtZ @ Lambda) @ Lambda.T
    KR = K @ gram.ZtR
    quadratic -= np.einsum("jqa,jqb->ab", gram.ZtR, KR)
    for place, outer in enumerate(outers):
        XK = crossed[inner, outer].swapaxes(1, 2) @ K
        at, J = above[inner, outer], len(grams[outer].ZtZ)
        grams[outer] = replace(
            grams[outer],
            ZtZ=grams[outer].ZtZ - _sums(XK @ crossed[inner, outer], at, J),
            ZtR=grams[outer].ZtR - _sums(XK @ gram.ZtR, at, J),
        )
        for further in outers[:place]:
            crossed[outer, further] -= _sums(XK @ crossed[inner, further], at, J)


def _sums(values: FloatArray, at: IntArray, J: int) -> FloatArray:
    """Sum the matrices of the inner levels over each outer level."""
    total = np.zeros((J, *values.shape[1:]))
    np.add.at(total, at, values)
    return total


def _recentred(gram: Gram, quadratic: FloatArray) -> Gram:
    """Statistics around the generalised least-squares fit."""
    step = -solve_symmetric(quadratic[1:, 1:], quadratic[1:, 0])
    ZtR = gram.ZtR.copy()
    ZtR[:, :, 0] += gram.ZtR[:, :, 1:] @ step
    rss = max(float(quadratic[0, 0] + quadratic[0, 1:] @ step), 0.0)
    return replace(gram, b_hat=gram.b_hat + step, XtX=quadratic[1:, 1:], rss=rss, ZtR=ZtR)
