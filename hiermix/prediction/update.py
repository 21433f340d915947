"""Effects of new levels given their own rows, and draws of the rest weighed, without refitting.

Under the draws of everything else, the effects of levels that the fit never saw depend on their
own rows alone. Gaussian: one exact draw from N(Lambda M^-1 Lambda' Z'We, sigma^2 Lambda M^-1
Lambda') with M = sigma^2 I + Lambda' Z'WZ Lambda (Lindley and Smith, 1972); where residuals go
together, the same with the precision of these rows' residuals in the place of W. Other families:
candidates around the mode, one chosen by importance weights (Rubin, 1988). New levels that share
rows, such as a new batch and its new casks, are updated together.

The draws of everything else know nothing of the new rows. Each is weighed by the density of these
rows given it, effects integrated out: exactly, or as the mean weight of the candidates.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hiermix.design import checks
from hiermix.design.groupings import Grouping
from hiermix.errors import ArgumentError, DataError
from hiermix.families import known_ends
from hiermix.formula.equations import MU
from hiermix.keyed_streams import generator
from hiermix.prediction import new_series, series_densities
from hiermix.prediction.draw_weights import Weighed, weigh
from hiermix.prediction.importance_sampling import FEW, Target, log_integral, resample
from hiermix.prediction.level_clusters import Ints, Level, clusters
from hiermix.prediction.new_groups import NewEffects
from hiermix.prediction.predictor import Predictor
from hiermix.typing import FloatArray, IntArray

_ENTRIES = 1_000_000
MOST = 300
"""Coefficients that are worked together; more of them ask for a fit of their own."""

type Effects = dict[tuple[str, str], FloatArray]
"""Effects (Q, S) of new levels, by factor and label."""


def with_updated(source: Predictor) -> Predictor:
    """Return a predictor whose draws, and effects of new levels, know the rows with a response.

    Levels without such rows have effects drawn from the fitted spread.
    """
    new_series.check_levels(source)
    known, log_density = conditional(source)
    alone = new_series.learned(source)
    if not known and not len(alone):
        return replace(source, new=NewEffects(source.layout, "update", source.seed))
    if len(alone):
        log_density += new_series.log_density(source, alone)
    weighed = weigh(log_density, generator(source.seed, "weigh"))
    _say(weighed)
    layout = source.layout.take(weighed.order)
    known = {name: r[:, weighed.order] for name, r in known.items()}
    new = NewEffects(layout, "update", source.seed, known)
    found = replace(source, layout=layout, new=new, weighed=weighed)
    return new_series.carried_on(found, learned_from(found))


def conditional(source: Predictor) -> tuple[Effects, FloatArray]:
    """Draw effects of new levels given each draw of the rest; and the rows' log density (S,)."""
    known: Effects = {}
    log_density = np.zeros(source.layout.draws)
    for cluster in in_clusters(source):
        for each, _ in cluster.levels:
            check_effects(each, "new_groups='update'", "write 'sample', or fit anew")
        if cluster.q > MOST:
            raise DataError(
                f"{len(cluster.levels):,} new levels share rows: too many to update at once. Fit "
                "the model to all rows."
            )
        v, log = cluster.drawn()
        known |= cluster.effects(v)
        log_density += log
    return known, log_density


def in_clusters(source: Predictor) -> Iterator["Cluster"]:
    """Yield the new levels that share rows with a response."""
    plain = replace(source, new=NewEffects(source.layout, "population", source.seed))
    for levels, rows in clusters(source.design, list(source.layout.r)):
        yield Cluster(plain, levels, rows)


def learned_from(source: Predictor) -> Ints:
    """Return the rows whose response an update has taken in."""
    each = [rows for _, rows in clusters(source.design, list(source.layout.r))]
    return np.concatenate([np.empty(0, dtype=np.intp), *each, new_series.learned(source)])


def _say(weighed: Weighed) -> None:
    if weighed.doubtful:
        checks.warn(
            f"the new rows leave {weighed.effective:,.0f} effective draws of "
            f"{len(weighed.order):,} (Pareto k {weighed.pareto_k:.2f}): they say what few draws of "
            "the fit had reckoned with. More draws help a little; a fit to all rows is right."
        )


def check_effects(grouping: Grouping, what: str, way: str) -> None:
    """Raise for effects that are not normal, or that enter other equations than the location's."""
    normal_effects(grouping, what, way)
    if len(grouping.of_equation(MU)) < len(grouping.effects):
        raise ArgumentError(
            f"{what} knows effects of the response's location alone, and those of "
            f"{grouping.name!r} enter other equations too: {way}"
        )


def normal_effects(grouping: Grouping, what: str, way: str) -> None:
    """Raise for effects that are t-distributed, where they are integrated as normal ones."""
    if grouping.heavy:
        raise ArgumentError(
            f"{what} knows normal effects alone, and those of {grouping.name!r} are t-distributed: "
            f"{way}"
        )


# The effects of one cluster of levels -----------------------------------------------------------


class Sums(NamedTuple):
    """What the rows of a Gaussian cluster say of its coefficients, times sigma^2."""

    G: FloatArray
    """Z'WZ (q, q), or (S, q, q)."""
    s: FloatArray
    """Z'We (q, S)."""
    squares: FloatArray
    """e'We (S,)."""
    sigma: FloatArray
    """(S,)"""
    log_det: FloatArray
    """(S,) of 2 pi times the covariance of the residuals."""


@dataclass(frozen=True, eq=False)
class Cluster:
    """New levels that share rows; q coefficients, v of them standardised: r = Lambda v."""

    source: Predictor
    levels: list[Level]
    rows: Ints

    @cached_property
    def q(self) -> int:
        """Number of coefficients."""
        return sum(len(each.effects) for each, _ in self.levels)

    @cached_property
    def response(self) -> FloatArray:
        """(n,) of the rows."""
        assert self.source.design.response is not None
        return self.source.design.response[self.rows]

    @cached_property
    def weights(self) -> FloatArray:
        """(n,) of the rows, 1 where there are none."""
        weights = self.source.design.weights
        return np.ones(len(self.rows)) if weights is None else weights[self.rows]

    @cached_property
    def Z(self) -> FloatArray:  # noqa: N802
        """Return the columns of all coefficients, (n, q)."""
        matrices = {
            each.name: self.source.design.Z(each.name, self.rows) for each, _ in self.levels
        }
        blocks = []
        for each, place in self.levels:
            mine = each.codes[self.rows] == len(each.levels) + place
            blocks.append(matrices[each.name] * mine[:, None])
        return np.hstack(blocks)

    def Lambda(self, draws: slice) -> FloatArray:  # noqa: N802
        """Return the Cholesky factor of their covariance, (B, q, q)."""
        parts = [self.source.layout.Lambda[each.name][draws] for each, _ in self.levels]
        full = np.zeros((len(parts[0]), self.q, self.q))
        at = 0
        for part in parts:
            here = slice(at, at + part.shape[1])
            full[:, here, here] = part
            at = here.stop
        return full

    def noise(self) -> FloatArray:
        """Return standard normals (S, q): those with which each level would be sampled."""
        S, seed = self.source.layout.draws, self.source.seed
        return np.hstack([
            generator(seed, "effect", each.name, str(each.new_levels[place]))
            .standard_normal((S, len(each.effects)))
            for each, place in self.levels
        ])  # fmt: skip

    def drawn(self) -> tuple[FloatArray, FloatArray]:
        """Draw v (S, q), and return the log density (S,) of the rows with v integrated out."""
        exact = self.gaussian and not self.source.layout.of
        return self.exact() if exact else self.resampled()

    @property
    def gaussian(self) -> bool:
        """Whether responses are normal of one sd, and all of them observed."""
        design = self.source.design
        plain = design.limits.se is None and not known_ends.known(design)
        return self.source.family.normal is not None and plain

    def exact(self) -> tuple[FloatArray, FloatArray]:
        """Draw v (S, q) of a Gaussian model, and return the log density (S,) of the rows."""
        G, s, squares, sigma, log_det_R = self._together() if self.together else self._sums()
        noise = self.noise()
        v, explained, log_det = np.empty_like(noise), np.empty_like(sigma), np.empty_like(sigma)
        for draws in self._some_draws():
            Lambda = self.Lambda(draws)
            M = np.swapaxes(Lambda, 1, 2) @ (G if G.ndim == 2 else G[draws]) @ Lambda
            M += (sigma[draws] ** 2)[:, None, None] * np.eye(self.q)
            C = np.linalg.cholesky(M)
            target = np.einsum("sij,is->sj", Lambda, s[:, draws])
            half = np.linalg.solve(C, target[:, :, None])
            h = half + (sigma[draws, None] * noise[draws])[..., None]
            v[draws] = np.linalg.solve(np.swapaxes(C, 1, 2), h)[..., 0]
            explained[draws] = np.sum(half[..., 0] ** 2, axis=1)
            log_det[draws] = 2 * np.sum(np.log(np.diagonal(C, axis1=1, axis2=2)), axis=1)
        scale = 2 * self.q * np.log(sigma) - log_det_R
        density = 0.5 * (scale - log_det - (squares - explained) / sigma**2)
        return v, density + self.weights @ self.source.log_slopes(self.rows)

    @property
    def together(self) -> bool:
        """Whether residuals of rows go together."""
        return self.source.design.series is not None

    def _together(self) -> "Sums":
        """Return the same sums under the precision of residuals that go together."""
        residuals, q = self.source.residuals, self.q

        def columns(rows: IntArray) -> FloatArray:
            Z, e = self.Z[np.searchsorted(self.rows, rows)], residuals(rows).T
            return np.concatenate([np.broadcast_to(Z, (len(e), *Z.shape)), e[:, :, None]], axis=2)

        found = series_densities.whitened(self.source.law, self.rows, columns, q + 1)
        log_det = found.log_det + len(self.rows) * np.log(2 * np.pi)
        form = found.products
        return Sums(form[:, :q, :q], form[:, :q, q].T, form[:, q, q], np.ones(len(form)), log_det)

    def _sums(self) -> "Sums":
        """Return the sums over rows: e are the residuals without new effects."""
        WZ = self.Z * self.weights[:, None]
        s: FloatArray = np.zeros((self.q, self.source.layout.draws))
        squares: FloatArray = np.zeros(self.source.layout.draws)
        size = max(1, _ENTRIES // self.source.layout.draws)
        for start in range(0, len(self.rows), size):
            part = slice(start, start + size)
            e = self.source.residuals(self.rows[part])
            s += WZ[part].T @ e
            squares += self.weights[part] @ e**2
        # A weight multiplies a row's log density, its -log(sigma) too.
        sigma, weight = self.source.layout.own["sigma"], self.weights.sum()
        log_det = 2 * weight * np.log(sigma) + weight * np.log(2 * np.pi)
        return Sums(WZ.T @ self.Z, s, squares, sigma, log_det)

    def _some_draws(self) -> Iterator[slice]:
        size = max(1, _ENTRIES // self.q**2)
        for start in range(0, self.source.layout.draws, size):
            yield slice(start, start + size)

    def resampled(self) -> tuple[FloatArray, FloatArray]:
        """Draw v (S, q) of any other model, and estimate the log density (S,) of the rows."""
        names = [f"{each.name}\x1f{each.new_levels[place]}" for each, place in self.levels]
        return resample(self._target(), generator(self.source.seed, "update", *names))

    def log_density(self) -> FloatArray:
        """Return the log density (S,) of the rows with v integrated out."""
        few = not self.gaussian and self.q <= FEW
        return log_integral(self._target()) if few else self.drawn()[1]

    def _target(self) -> Target:
        """Return the density of v and the rows, of models that are not Gaussian."""
        source = self.source
        own, y, weights = source.own(self.rows), self.response[:, None], self.weights[:, None]
        return Target(
            lambda eta: weights * source.family.log_density(y, eta, own),
            source.linear(self.rows), self.Z, self.Lambda(slice(None)),
        )  # fmt: skip

    def effects(self, v: FloatArray) -> Effects:
        """Return the effects (Q, S) by factor and label."""
        found, at = {}, 0
        for each, place in self.levels:
            Q = len(each.effects)
            Lambda = self.source.layout.Lambda[each.name]
            r = np.einsum("sij,sj->is", Lambda, v[:, at : at + Q])
            found[each.name, str(each.new_levels[place])] = np.asarray(r)
            at += Q
        return found
