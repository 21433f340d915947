"""Groups of a fit's tree that are worked out when somebody reads them. Imported late: by `Fit`.

``posterior_predictive``, ``log_likelihood`` and ``log_prior`` are what functions of ArviZ ask a
tree for. The first two have rows x draws numbers. As xarray's own lazy arrays, which else stand for
files that are not read yet, they take no memory; what is read is not kept, unless
`Fit.log_likelihood` or one of its sisters keeps it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from hiermix.families.priors import PriorTable
from hiermix.posterior.log_prior import log_prior
from hiermix.posterior.posterior import Posterior
from hiermix.posterior.storage import ON_DEMAND
from hiermix.prediction import predict
from hiermix.prediction.pieces import draw_matrix
from hiermix.tuning.bar_origins import Origins
from hiermix.typing import FloatArray


@dataclass(frozen=True, eq=False)
class Source:
    """What the groups are made of."""

    posterior: Posterior
    """Not the tree: no circle, so that memory is free as soon as the fit is."""
    priors: PriorTable
    origins: Origins

    def log_likelihood(self, rows: slice) -> FloatArray:
        """Log density of some rows, (chain, draw, row)."""
        source = predict.predictor(self.posterior)
        return self._by_draw(source.piece("log_density", rows)[1])

    def posterior_predictive(self, rows: slice) -> FloatArray:
        """Responses that the model draws for some rows, (chain, draw, row)."""
        source = predict.predictor(self.posterior)
        if rows.stop - rows.start == source.design.rows:
            return self._by_draw(draw_matrix(source, "response"))
        return self._by_draw(source.piece("response", rows)[1])

    def log_prior(self, name: str, last: slice) -> FloatArray:
        """Log prior density of one variable, or of a part of its last axis."""
        found = log_prior(self.posterior, self.priors, self.origins)
        return np.asarray(found[name])[..., last]

    def _by_draw(self, flat: FloatArray) -> FloatArray:
        return predict.labelled(self.posterior, "y", flat, np.arange(len(flat))).to_numpy()


@dataclass(eq=False)
class _Made(BackendArray):
    """An array of which the part of the last axis that is read is made."""

    make: Callable[[slice], FloatArray]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        basic = indexing.IndexingSupport.BASIC
        return indexing.explicit_indexing_adapter(key, self.shape, basic, self._read)

    def _read(self, key: tuple[int | slice, ...]) -> Any:
        *first, last = key
        places = np.arange(self.shape[-1])[last]
        low, high = (int(np.min(places)), int(np.max(places)) + 1) if np.size(places) else (0, 0)
        values = self.make(slice(low, high)).astype(self.dtype, copy=False)
        return values[..., places - low][tuple(first)]


def add(tree: xr.DataTree, posterior: Posterior, priors: PriorTable, origins: Origins) -> None:
    """Add the groups to a tree, but for those that it has."""
    source = Source(posterior, priors, origins)
    groups = {"log_prior": _priors(source)}
    if posterior.design.response is not None and not posterior.design.merged:
        groups["log_likelihood"] = _rows(source, source.log_likelihood, np.dtype(np.float64))
        kind = posterior.family.kind_of_response(posterior.design)
        groups["posterior_predictive"] = _rows(source, source.posterior_predictive, kind)
    for name, found in groups.items():
        if name not in tree.children:
            tree[name] = xr.DataTree(found.assign_attrs({ON_DEMAND: 1}))


def _rows(source: Source, make: Callable[[slice], FloatArray], kind: "np.dtype[Any]") -> xr.Dataset:
    posterior, rows = source.posterior.draws, source.posterior.design.rows
    array = _Made(make, (*source.posterior.shape, rows), kind)
    coords = {"chain": posterior["chain"], "draw": posterior["draw"], "row": np.arange(rows)}
    name = source.posterior.design.response_name
    return xr.Dataset({name: (("chain", "draw", "row"), _lazy(array))}, coords=coords)


def _priors(source: Source) -> xr.Dataset:
    """Variables of the posterior; one density of all correlations of a factor."""
    posterior = source.posterior.draws
    parts = {}
    for name, values in posterior.data_vars.items():
        if not str(name).startswith("r_"):
            like = values if not str(name).startswith("cor_") else values.isel({values.dims[-1]: 0})
            array = _Made(partial(source.log_prior, str(name)), like.shape, np.dtype(np.float64))
            parts[str(name)] = (like.dims, _lazy(array))
    used = {dim for dims, _ in parts.values() for dim in dims}
    coords = {name: values for name, values in posterior.coords.items() if name in used}
    return xr.Dataset(parts, coords=coords)


def _lazy(array: _Made) -> indexing.LazilyIndexedArray:
    return indexing.LazilyIndexedArray(array)
