"""What least squares says of each group alone, and of all rows together.

Beside a fit: coefficients that do not vary over the grouping factor, offsets and the effects of
other factors are held at their posterior means, so that both ends of an arrow in a shrinkage plot
mean the same.
"""

from typing import TYPE_CHECKING

import numpy as np

from hiermix.design import Design
from hiermix.gram import SLICE
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

_NULL = 1e-9
"""A direction whose singular value is smaller, relative to the largest, carries no information."""


def per_group(tree: "xr.DataTree", design: Design, group: str) -> FloatArray:
    """Least-squares coefficients of each level alone, (level, effect); NaN if not estimable."""
    grouping = design.grouping(group)
    center = population_means(tree, grouping.effects)
    residual = _response(design) - posterior_mean(tree, design, without=group)
    order = np.argsort(grouping.codes, kind="stable")
    ends = np.cumsum(np.bincount(grouping.codes, minlength=len(grouping.levels)))
    Z, root = design.Z(group)[order], _roots(design)[order]
    Z, residual = Z * root[:, None], residual[order] * root
    pieces = zip(np.split(Z, ends[:-1]), np.split(residual, ends[:-1]), strict=True)
    return np.array([center + _least_squares(*piece) for piece in pieces])


def complete(design: Design) -> dict[str, float]:
    """Least-squares coefficients of all rows together, without groups, by term."""
    root = _roots(design)
    offset = 0.0 if design.offset is None else design.offset
    X, y = design.X() * root[:, None], (_response(design) - offset) * root
    size = np.linalg.norm(X, axis=0)
    b = np.linalg.lstsq(X / size, y, rcond=None)[0] / size
    return dict(zip(design.terms, b.tolist(), strict=True))


def posterior_mean(
    tree: "xr.DataTree", design: Design, *, without: str | None = None
) -> FloatArray:
    """Posterior mean of the linear predictor of the fitted rows, less one factor's effects."""
    eta = np.zeros(design.rows) if design.offset is None else design.offset.copy()
    b = population_means(tree, design.terms)
    for start in range(0, design.rows, SLICE):
        rows = slice(start, start + SLICE)
        eta[rows] += design.X(rows) @ b
        for each in design.groupings:
            if each.name != without:
                r = tree.posterior[f"r_{each.name}"].mean(("chain", "draw")).to_numpy()
                eta[rows] += np.sum(design.Z(each.name, rows) * r[each.codes[rows]], axis=1)
    return eta


def population_means(tree: "xr.DataTree", terms: tuple[str, ...]) -> FloatArray:
    """Posterior means of population coefficients; zero where a term is not in the population."""
    posterior = tree.posterior
    means = {"Intercept": float(posterior["Intercept"].mean())} if "Intercept" in posterior else {}
    if "b" in posterior:
        b = posterior["b"].mean(("chain", "draw"))
        means |= dict(zip(b["term"].to_numpy().tolist(), b.to_numpy().tolist(), strict=True))
    return np.array([means.get(term, 0.0) for term in terms])


def _response(design: Design) -> FloatArray:
    assert design.response is not None
    return design.response


def _roots(design: Design) -> FloatArray:
    return np.ones(design.rows) if design.weights is None else np.sqrt(design.weights)


def _least_squares(Z: FloatArray, y: FloatArray) -> FloatArray:
    """Coefficients of one group; NaN for those that its rows say nothing of."""
    size = np.linalg.norm(Z, axis=0)
    size[size == 0] = 1.0
    U, s, Vt = np.linalg.svd(Z / size, full_matrices=False)
    kept = s > _NULL * max(s.max(initial=0.0), np.finfo(float).tiny)
    b = Vt[kept].T @ ((U.T @ y)[kept] / s[kept]) / size
    # Estimable: its unit vector lies in the span of the rows.
    span = np.sum(Vt[kept] ** 2, axis=0)
    return np.where(span > 1 - 1e-6, b, np.nan)
