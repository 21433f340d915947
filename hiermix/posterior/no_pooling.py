"""What the rows of each group say alone, and those of all groups together: no and complete pooling.

Beside a fit: coefficients that do not vary over the grouping factor, offsets, the effects of other
factors are held at their posterior means and the family's own parameters at their medians, so that
both ends of an arrow in a shrinkage plot mean the same. Least squares for Gaussian responses,
generalised where residuals go together, else maximum likelihood.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from hiermix.design import imputed
from hiermix.design.batches import slices
from hiermix.design.factor import Factor
from hiermix.families import known_ends
from hiermix.families.family import row_values
from hiermix.families.linear_scale import offsets
from hiermix.families.numerics import normal_sd
from hiermix.families.residual_parameters import sigma_of_rows
from hiermix.formula.equations import MU
from hiermix.posterior.posterior import Posterior
from hiermix.statistics.parabola import parabola
from hiermix.statistics.residual_correlations import whitened
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

_NULL = 1e-9
"""A direction whose singular value is smaller, relative to the largest, carries no information."""
_STEPS = 100
_LONGEST = 2.0
"""Greatest change of a linear predictor in a step, on the scale of a link or of an error."""

_CURVED = 1e-3
"""Information of a group below which its estimate is at infinity, on the scale of a link."""

type Slopes = Callable[[FloatArray], tuple[FloatArray, FloatArray, FloatArray]]
"""Linear predictor (n,) to the log density, its first derivative, and minus the second."""


def per_group(posterior: Posterior, group: str) -> FloatArray:
    """Estimates of each level alone, (level, effect of the location); NaN where rows can't tell."""
    grouping, design = posterior.grouping(group), posterior.design
    Z, mine = grouping.of_one_level(design.Z(grouping.name), MU)
    center = posterior.means([grouping.terms[place] for place in mine])
    eta = posterior_mean(posterior, without=grouping.name)
    return np.asarray(center + _estimates(Z, grouping.factor, eta, posterior))


def complete(posterior: Posterior) -> dict[str, float]:
    """Estimates from all rows together, without groups, by term."""
    design = posterior.design
    imputed.without_gaps(design.imputed, "an estimate without pooling")
    center = posterior.means(design.terms)
    X = design.X()
    eta = X @ center + offsets(design)
    one = Factor(np.zeros(design.rows, dtype=np.int64), 1)
    found = center + _estimates(X, one, eta, posterior)[0]
    return dict(zip(design.terms, found.tolist(), strict=True))


def _estimates(Z: FloatArray, factor: Factor, eta: FloatArray, posterior: Posterior) -> FloatArray:
    """Coefficients (group, Q) of Z that fit best beside `eta`."""
    design, family = posterior.design, posterior.family
    root = np.ones(design.rows) if design.weights is None else np.sqrt(design.weights)
    own = _own(posterior)
    parts = factor.members()
    start, unit = np.zeros((factor.size, Z.shape[1])), 1.0
    if family.unit is not None:
        y = family.additive(known_ends.stand_in(design)) - eta
        errors = {} if design.limits.se is None else {"se": design.limits.se[:, None]}
        sd = own | errors | sigma_of_rows(design.series, own, slice(None))
        root = root / np.ravel(normal_sd(sd) if family.normal else own[family.unit])
        if design.series is not None:
            white = whitened(design.series, own, np.column_stack([Z, y]) * root[:, None])
            one = np.ones(design.rows)
            return np.array([_least_squares(white[p, :-1], white[p, -1], one[p]) for p in parts])
        lines = np.array([_least_squares(Z[p], y[p], root[p]) for p in parts])
        if family.normal and not known_ends.known(design):
            return lines
        start, unit = np.nan_to_num(lines), float(np.median(own[family.unit]))
    slopes = _slopes(posterior, own, 1e-3 * unit)
    found, converged = _newton(Z, factor, start, eta, slopes, unit)
    known = np.array([_estimable(Z[p] * root[p, None]) for p in parts])
    return np.where(known & converged[:, None], found, np.nan)


def posterior_mean(
    posterior: Posterior, equation: str = MU, *, without: str | None = None
) -> FloatArray:
    """Posterior mean of a linear predictor of the fitted rows, less one factor's effects."""
    design, one = posterior.design, posterior.design.equation(equation)
    eta = one.known(design.rows).copy()
    b = posterior.means(one.terms, None if equation == MU else equation)
    means = {each.name: posterior.by_level(each.name, "effects", _mean)
             for each in design.groupings if each.name != without}  # fmt: skip
    for rows in slices(design.rows):
        eta[rows] += design.X(rows, equation) @ b
        for each in design.groupings:
            if each.name != without:
                Z, mine = each.of_one_level(design.Z(each.name, rows), equation)
                r = means[each.name][:, mine]
                eta[rows] += np.sum(Z * each.factor.gather(r, rows), axis=1)
    return eta


def _mean(draws: "xr.DataArray") -> FloatArray:
    return draws.mean(("chain", "draw")).to_numpy()


def _own(posterior: Posterior) -> dict[str, FloatArray]:
    """Own parameters: medians, as the mean of a shape that may be infinite is none; or by row."""
    family, design = posterior.family, posterior.design
    own = {each.name: posterior.draws[each.name].median(("chain", "draw")).to_numpy()[None]
           for each in family.scalars(design)}  # fmt: skip
    by_row = {name: family.parameter(name).by_row(posterior_mean(posterior, name))[:, None]
              for name in posterior.parameters if name not in family.located}  # fmt: skip
    return own | by_row


def _least_squares(Z: FloatArray, y: FloatArray, root: FloatArray) -> FloatArray:
    """Coefficients of one group; NaN for those that its rows say nothing of."""
    Z = Z * root[:, None]
    size, (U, s, Vt) = _decompose(Z)
    return np.where(_estimable(Z), Vt.T @ (U.T @ (y * root) / s) / size, np.nan)


def _estimable(Z: FloatArray) -> np.ndarray:
    """Whether the unit vector of a coefficient lies in the span of the rows."""
    _, (_, _, Vt) = _decompose(Z)
    return np.asarray(np.sum(Vt**2, axis=0) > 1 - 1e-6)


def _decompose(Z: FloatArray) -> tuple[FloatArray, tuple[FloatArray, FloatArray, FloatArray]]:
    """Lengths of the columns, and the singular vectors that carry information."""
    size = np.linalg.norm(Z, axis=0)
    size[size == 0] = 1.0
    U, s, Vt = np.linalg.svd(Z / size, full_matrices=False)
    kept = s > _NULL * max(s.max(initial=0.0), np.finfo(float).tiny)
    return size, (U[:, kept], s[kept], Vt[kept])


def _slopes(posterior: Posterior, own: dict[str, FloatArray], step: float) -> Slopes:
    """Return the pointwise log density and its derivatives, by differences: any family will do."""
    design, family = posterior.design, posterior.family
    own = own | {name: values[:, None] for name, values in row_values(design, family).items()}
    assert design.response is not None
    y = design.response[:, None]
    weights = 1.0 if design.weights is None else design.weights

    def slopes(eta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        with np.errstate(all="ignore"):
            at, first, second = parabola(
                lambda eta: family.log_density(y, eta[:, None], own)[:, 0], eta, step
            )
        return weights * at, weights * first, weights * second

    return slopes


def _newton(
    Z: FloatArray,
    factor: Factor,
    start: FloatArray,
    eta: FloatArray,
    slopes: Slopes,
    unit: float,
) -> tuple[FloatArray, np.ndarray]:
    """Maximise over all groups at once; False where the maximum is at infinity, or not found."""
    size = np.maximum(np.abs(Z).max(axis=0), np.finfo(float).tiny)
    Z, beta = Z / size, start * size

    def at(beta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        value, first, second = slopes(eta + np.sum(Z * factor.gather(beta), axis=1))
        return factor.scatter(np.nan_to_num(value, nan=-np.inf)), first, second

    here = at(beta)
    longest = _LONGEST * unit
    moved, tried = np.full(factor.size, np.inf), np.ones(factor.size)
    for _ in range(_STEPS):
        step = _step(Z, factor, *here[1:])
        moved = factor.greatest(np.abs(np.sum(Z * factor.gather(step), axis=1)))
        step *= (tried * np.minimum(1.0, longest / np.maximum(moved, 1e-300)))[:, None]
        if moved.max() < 1e-6 * longest:
            break
        there = at(beta + step)
        # Differences of values near the maximum are rounding.
        better = there[0] >= here[0] - 1e-9 * (1 + np.abs(here[0]))
        beta = np.where(better[:, None], beta + step, beta)
        tried = np.where(better, np.minimum(1.0, 4 * tried), tried / 4)
        here = at(beta)
    bounded = _curved(Z, factor, here[2]) > _CURVED / unit**2
    return beta / size, bounded & (moved < 1e-3 * longest)


def _step(Z: FloatArray, factor: Factor, first: FloatArray, second: FloatArray) -> FloatArray:
    """Newton's step of each group (groups, Q)."""
    # Rows far out may curve the wrong way; a floor, beside the group's others, shortens the step.
    most = np.maximum(factor.greatest(np.nan_to_num(second)), 1e-300)
    curvature = np.maximum(np.nan_to_num(second), 1e-3 * factor.gather(most))
    gradient = factor.scatter(np.nan_to_num(first)[:, None] * Z)
    information = factor.products(curvature[:, None] * Z, Z)
    inverse = np.linalg.pinv(information, rcond=1e-9, hermitian=True)
    return np.asarray((inverse @ gradient[..., None])[..., 0])


def _curved(Z: FloatArray, factor: Factor, second: FloatArray) -> FloatArray:
    """Return what the rows of each group know along the direction that they know least of.

    Directions in which no row lies don't count. Next to nothing: the maximum is at infinity.
    """
    values, vectors = np.linalg.eigh(factor.products(Z, Z))
    null = values <= 1e-12 * np.maximum(values[:, -1:], 1e-300)
    root = vectors * np.where(null, 0.0, np.where(null, 1.0, values) ** -0.5)[:, None]
    information = factor.products(np.nan_to_num(second)[:, None] * Z, Z)
    known = np.swapaxes(root, 1, 2) @ information @ root
    known += np.where(null, 1e6, 0.0)[..., None] * np.eye(Z.shape[1])
    return np.asarray(factor.counts() * np.linalg.eigvalsh(known)[:, 0])
