"""Groups of a fit's tree that are worked out when somebody reads them. Imported late: by `Fit`.

``posterior_predictive``, ``log_likelihood`` and ``log_prior`` are what functions of ArviZ ask a
tree for. The first two have rows x draws numbers: they take no memory, and what is read is not
kept, unless `Fit.log_likelihood` or one of its sisters keeps it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from hiermix.families.priors import PriorTable
from hiermix.posterior import shrunk_slopes, summary
from hiermix.posterior.draws import counted
from hiermix.posterior.lazy_arrays import lazy
from hiermix.posterior.log_prior import log_prior
from hiermix.posterior.on_demand import ON_DEMAND
from hiermix.posterior.one_response import BESIDE
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import predict
from hiermix.prediction.joint_predictions import JointPredictor, by_unit
from hiermix.prediction.pieces import draw_matrix
from hiermix.prediction.predictor import Predictor
from hiermix.tuning.bar_origins import Origins
from hiermix.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Source:
    """What the groups are made of."""

    posterior: Posterior
    """Not the tree: no circle, so that memory is free as soon as the fit is."""
    priors: PriorTable
    origins: Origins

    def log_likelihood(self, rows: slice) -> FloatArray:
        """Log density of some rows, (chain, draw, row)."""
        return self._by_draw(_source(self.posterior).piece("log_density", rows)[1])

    def posterior_predictive(self, rows: slice) -> FloatArray:
        """Responses that the model draws for some rows, (chain, draw, row)."""
        source = _source(self.posterior)
        if rows.stop - rows.start == source.design.rows:
            return self._by_draw(draw_matrix(source, "response"))
        return self._by_draw(source.piece("response", rows)[1])

    def response(self, k: int, rows: slice) -> FloatArray:
        """Draws of one of several responses, (chain, draw, row)."""
        return self.posterior_predictive(rows)[..., k]

    def log_prior(self, name: str, last: slice) -> FloatArray:
        """Log prior density of one variable, or of a part of its last axis."""
        found = log_prior(self.posterior, self.priors, self.origins)
        return np.asarray(found[name])[..., last]

    def _by_draw(self, flat: FloatArray) -> FloatArray:
        by_chain = flat.reshape(len(flat), *self.posterior.shape, *flat.shape[2:])
        return np.moveaxis(by_chain, 0, 2)


def add(tree: xr.DataTree, posterior: Posterior, priors: PriorTable, origins: Origins) -> None:
    """Add the groups to a tree, but for those that it has."""
    source = Source(posterior, priors, origins)
    groups = {"log_prior": _priors(source)}
    if posterior.design.response is not None and not posterior.design.merged:
        if not posterior.attrs.get(BESIDE):  # nobody is to leave rows of one response out
            groups["log_likelihood"] = _rows(source, source.log_likelihood, np.dtype(np.float64))
        groups["posterior_predictive"] = _predictive(source)
    for name, found in groups.items():
        if name not in tree.children:
            tree[name] = xr.DataTree(found.assign_attrs({ON_DEMAND: 1}))


def _source(posterior: Posterior) -> Predictor | JointPredictor:
    """Return what predicts the fitted rows: of several responses, all that each row has."""
    source = predict.predictor(posterior)
    return JointPredictor(source) if posterior.responses else source


def _predictive(source: Source) -> xr.Dataset:
    """Return draws of each response."""
    posterior = source.posterior
    kind = posterior.family.kind_of_response(posterior.design)
    if not posterior.responses:
        several = counted(posterior.design)
        return _rows(source, source.posterior_predictive, kind, several=several)
    each = [
        _rows(source, partial(source.response, k), kind, name)
        for k, name in enumerate(posterior.responses)
    ]
    return xr.merge(each)


def _rows(
    source: Source,
    make: Callable[[slice], FloatArray],
    kind: "np.dtype[Any]",
    name: str = "",
    several: dict[str, list[str]] | None = None,
) -> xr.Dataset:
    posterior, rows = source.posterior.draws, by_unit(source.posterior.design).rows
    last = several or {}
    shape = (*source.posterior.shape, rows, *map(len, last.values()))
    array = lazy(partial(_of_slice, make, axis=2), 2, shape, kind)
    coords: dict[Any, Any] = {
        "chain": posterior["chain"], "draw": posterior["draw"], "row": np.arange(rows)
    }  # fmt: skip
    name = name or source.posterior.design.response_name
    return xr.Dataset({name: (("chain", "draw", "row", *last), array)}, coords=coords | last)


def _priors(source: Source) -> xr.Dataset:
    """Variables of the posterior; one density of all correlations of a factor, or of all shares."""
    posterior = source.posterior.draws
    shares = [each.names[1] for each in source.posterior.design.steps]
    parts = {}
    for name, values in posterior.data_vars.items():
        if name in summary.names(posterior) and name != shrunk_slopes.NAME:
            together = str(name).startswith("cor_") or name in shares
            like = values.isel({values.dims[-1]: 0}) if together else values
            make = partial(_of_slice, partial(source.log_prior, str(name)))
            parts[str(name)] = (like.dims, lazy(make, like.ndim - 1, like.shape))
    used = {dim for dims, _ in parts.values() for dim in dims}
    coords = {name: values for name, values in posterior.coords.items() if name in used}
    return xr.Dataset(parts, coords=coords)


def _of_slice(make: Callable[[slice], FloatArray], places: IntArray, axis: int = -1) -> FloatArray:
    """Make the places of an axis between the first and the last one, and choose."""
    low, high = (int(places.min()), int(places.max()) + 1) if len(places) else (0, 0)
    return np.take(make(slice(low, high)), places - low, axis)
