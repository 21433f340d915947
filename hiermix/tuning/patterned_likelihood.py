"""Log density of residual parameters, sds and correlations: effects and population integrated out.

The restricted likelihood of `restricted_likelihood`, for residuals whose precision mixes patterns.
Numbers in brackets are equations of docs/how-it-samples.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hiermix.design.design import Design
from hiermix.families.correlations import lkj, size_of
from hiermix.families.own_parameter import OwnParameter, by_parameter
from hiermix.families.prior import Prior, log_densities
from hiermix.statistics.pattern_forms import Likely, without_effects
from hiermix.statistics.patterns import Patterned
from hiermix.tuning.coordinates import Hyperpriors
from hiermix.tuning.mode import LARGEST_LOG
from hiermix.tuning.restricted_likelihood import inverse_root
from hiermix.typing import FloatArray

_STEP = 1e-5


@dataclass(frozen=True)
class ResidualPriors:
    """What comes before the log sds in phi: coefficients of further equations, own parameters."""

    further: list[Prior]
    own: Callable[[FloatArray], FloatArray]
    """Log prior (S,) of the coordinates (S, A) of the family's own parameters, with Jacobians."""
    values: Callable[[FloatArray], dict[str, FloatArray]]
    """Own parameters (S, ...) at their coordinates."""
    coordinates: int
    """How many of these."""


class PatternedRestricted:
    """Log density of phi = (further, own, log sd, correlations), population integrated out."""

    def __init__(self, rows: Patterned, priors: Hyperpriors, residual: ResidualPriors) -> None:
        self.rows, self.priors, self.residual = rows, priors, residual
        self.before = len(residual.further) + residual.coordinates
        self.precision = priors.b_precision
        prior = np.array([prior.normal[0] for prior in priors.b])
        self.location = np.concatenate([prior, np.zeros(rows.block.W)]) - rows.b_hat
        self.of_further = log_densities(residual.further)
        self.of_effects = priors.log_scales()

    @property
    def sd_places(self) -> range:
        """Places of the log sds in phi."""
        return range(self.before, self.before + len(self.priors.sd))

    def unpack(self, phi: FloatArray) -> "_Natural":
        """Weights of the patterns, log det R, and Lambda."""
        further, theta, effects = np.split(phi, [len(self.residual.further), self.before])
        mixed = self.rows.precision.mixed(further[None], self.residual.values(theta[None]))
        Lambda, block = self.priors.root(effects), self.rows.block
        own = Lambda[block.own, block.own] if block.W else Lambda
        sds = np.diag(Lambda)[block.effect]
        return _Natural(mixed.weights[0], float(mixed.log_det[0]), own, sds)

    def population(self, phi: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Conditional mode of the population coefficients and a root of their covariance."""
        found, P = self._solve(self.unpack(phi)), self.rows.P
        root = found.root
        if self.rows.block.W:
            root = np.linalg.cholesky(root[:P] @ root[:P].T)
        return self.rows.b_hat[:P] + found.d[:P], root

    def _precision(self, at: "_Natural") -> FloatArray:
        """Precisions of the priors of all columns: those of the block follow from their sds."""
        return np.concatenate([self.precision, at.sds**-2.0]) if len(at.sds) else self.precision

    def value_and_gradient(self, phi: FloatArray) -> tuple[float, FloatArray]:
        """Log density (7) and its gradient; sums over groups analytic, small maps by differences.

        The gradient of an integral over b is the mean of the gradient over b.
        """
        nowhere = -np.inf, np.zeros(len(phi))
        if np.abs(phi).max(initial=0.0) > LARGEST_LOG:
            return nowhere
        try:
            with np.errstate(all="ignore"):
                at = self.unpack(phi)
                found = self._solve(at)
                value = self._value(at, found) + self._prior(phi)
                if not np.isfinite(value):
                    return nowhere
                return value, self._gradient(phi, at, found)
        except np.linalg.LinAlgError:
            return nowhere

    def _value(self, at: "_Natural", found: "_Solved") -> float:
        one_d, off = np.concatenate([[1.0], found.d]), found.d - self.location
        return -0.5 * float(
            at.log_det + found.log_det + one_d @ found.form @ one_d
            + off @ (self._precision(at) * off) + 2 * np.sum(np.log(at.sds))
            - 2 * np.sum(np.log(np.diag(found.root)))
        )  # fmt: skip

    def _solve(self, at: "_Natural") -> "_Solved":
        found, precision = without_effects(self.rows, at.weights, at.Lambda), self._precision(at)
        A = found.form[1:, 1:] + np.diag(precision)
        root = inverse_root(A) if len(A) else np.zeros((0, 0))
        d = root @ (root.T @ (precision * self.location - found.form[1:, 0]))
        return _Solved(found.form, found.effects, found.log_det, d, root)

    def _gradient(self, phi: FloatArray, at: "_Natural", found: "_Solved") -> FloatArray:
        # 1. Quadratic forms gain a column for each direction in which b is uncertain.
        spread = np.zeros((1 + len(found.d),) * 2)
        spread[:, 0] = 1.0, *found.d
        spread[1:, 1:] = found.root
        # 2. In the weights of the patterns, and in Lambda.
        rows, groups = self.rows, self.rows.rotated
        R = len(at.weights)
        slope = np.bincount(
            rows.pattern_of_root, rows.sign * np.sum((rows.roots @ spread) ** 2, axis=1), R
        )
        d_root = np.zeros_like(at.Lambda)
        if found.effects is not None:
            each = found.effects
            far, v = each.delta @ spread, each.v @ spread
            there = far[groups.group]
            cells = np.einsum("cqk,cqk->c", there, groups.ZtKZ @ there - 2 * (groups.ZtKA @ spread))
            covariance = at.Lambda @ each.inverse @ at.Lambda.T * groups.count[:, None, None]
            cells += np.einsum("cqp,cqp->c", groups.ZtKZ, covariance[groups.group])
            slope = slope + np.bincount(groups.pattern, cells, R)
            d_root = 2 * np.einsum("jqk,jpk->qp", each.G @ far - each.U @ spread, v)
            told = each.G @ at.Lambda @ each.inverse
            d_root += 2 * np.einsum("jqp,j->qp", told, groups.count)
        d_root = self._with_block(d_root, at, spread)
        # 3. Through the small maps from phi.
        residual, rest = phi[: self.before], phi[self.before :]
        return np.concatenate(
            [self._through_residuals(residual, slope), self._through_effects(rest, d_root)]
        )

    def _with_block(self, d_root: FloatArray, at: "_Natural", spread: FloatArray) -> FloatArray:
        """Slopes in Lambda of all factors, from those in that of the factor beside the block."""
        block = self.rows.block
        if not block.W:
            return d_root
        E = len(self.priors.sizes.of)
        found = np.zeros((E, E))
        found[block.own, block.own] = d_root
        w = spread[1 + self.rows.P :].copy()
        w[:, 0] += self.rows.b_hat[self.rows.P :]
        along = 2 / at.sds - 2 * np.sum(w**2, axis=1) / at.sds**3
        np.add.at(found, (block.effect, block.effect), along)
        return found

    def _through_residuals(self, at: FloatArray, slope: FloatArray) -> FloatArray:
        """Gradient in what the residuals depend on: all steps of the differences at once."""
        n, steps = len(self.residual.further), _STEP * np.eye(len(at))
        points = np.concatenate([at + steps, at - steps])
        mixed = self.rows.precision.mixed(points[:, :n], self.residual.values(points[:, n:]))
        value = self._prior_of_residuals(points) - 0.5 * (mixed.weights @ slope + mixed.log_det)
        return np.asarray((value[: len(at)] - value[len(at) :]) / (2 * _STEP))

    def _through_effects(self, at: FloatArray, d_root: FloatArray) -> FloatArray:
        """Gradient in log sds and correlations."""
        steps = _STEP * np.eye(len(at))
        slope = (self.priors.root(at + steps) - self.priors.root(at - steps)) / (2 * _STEP)
        prior = self.of_effects.value_and_gradient(at)[1]
        return np.asarray(prior - 0.5 * np.sum(d_root * slope, axis=(1, 2)))

    def _prior(self, phi: FloatArray) -> float:
        of_effects, _ = self.of_effects.value_and_gradient(phi[self.before :])
        return float(self._prior_of_residuals(phi[None, : self.before])[0]) + of_effects

    def _prior_of_residuals(self, at: FloatArray) -> FloatArray:
        """(S,) log prior of residual parameters (S, ...)."""
        further, own = np.split(at, [len(self.residual.further)], axis=1)
        return np.asarray(self.residual.own(own) + self.of_further(further).sum(axis=1))


def log_prior_of(
    own: Sequence[OwnParameter],
    priors: Sequence[Sequence[Prior]],
    design: Design,
    theta: FloatArray,
) -> FloatArray:
    """Log prior (S,) of coordinates (S, A) of own parameters, with Jacobians, but for a constant.

    A parameter has one prior, or each of its numbers has.
    """
    lp: FloatArray = np.zeros(len(theta))
    for (each, part), mine in zip(by_parameter(own, theta, design), priors, strict=True):
        if mine[0].distribution == "lkj":
            lp += lkj(part, [size_of(part.shape[1])], mine[0].arguments)[0]
        else:
            values = np.split(each.value(part, design), len(mine), axis=1)
            lp += sum(prior.frozen().logpdf(some).sum(axis=1)
                      for prior, some in zip(mine, values, strict=True))  # fmt: skip
            lp += each.log_jacobian(part)
    return lp


class _Natural(NamedTuple):
    weights: FloatArray
    log_det: float
    Lambda: FloatArray
    """Of the factor beside the block."""
    sds: FloatArray
    """(W,) of the coefficients of the block."""


class _Solved(NamedTuple):
    form: FloatArray
    """E'V^-1 e as a quadratic form in (1, d)."""
    effects: Likely | None
    log_det: float
    d: FloatArray
    root: FloatArray
