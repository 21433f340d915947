"""Fits of the same model once more: to other responses, or with other priors."""

from typing import TYPE_CHECKING, Any, Protocol

from hiermix.design.design import Design
from hiermix.engines import Engine
from hiermix.errors import EngineError, HiermixWarning, ignored_warnings
from hiermix.families.family import Family
from hiermix.families.priors import PriorTable
from hiermix.posterior.posterior import Posterior
from hiermix.tuning.bar_origins import Origins
from hiermix.typing import Algorithm, FloatArray, IntArray

if TYPE_CHECKING:
    import xarray as xr

RELIABLE = 0.7
"""Pareto k up to which weighted draws stand for those of a posterior."""


class Refittable(Protocol):
    """What a check needs of a model: `hm.Model` has it."""

    design: Design
    family: Family
    priors: PriorTable
    origins: Origins

    statistics: Any
    """What it was fitted to, in the place of rows."""

    def from_statistics(self, statistics: Any, formula: str | None = None) -> Any:
        """Return a model of rows that were added up."""
        ...

    def of_rows(self, rows: IntArray, response: FloatArray | None = None) -> Any:
        """Return the model for rows of it, each any number of times, with responses."""
        ...

    def with_default_priors(self) -> Any:
        """Return the model as if no prior had been given."""
        ...

    def fit(
        self,
        *,
        seed: int | None = None,
        draws: int = 1000,
        engine: str | Engine = "auto",
        algorithm: Algorithm = "nuts",
        progress: bool | None = None,
    ) -> Any:
        """Sample the posterior."""
        ...


def refit(
    model: Refittable,
    seed: int,
    draws: int = 250,
    *,
    algorithm: Algorithm = "importance",
    engine: str | Engine = "auto",
) -> "xr.DataTree | None":
    """Return four times so many draws of a model's posterior; None where they can't be trusted."""
    if model.design.imputed:  # which proposals around modes know nothing of
        algorithm = "nuts"
    with ignored_warnings(HiermixWarning):
        try:
            tree: xr.DataTree = model.fit(
                seed=seed, draws=draws, engine=engine, algorithm=algorithm, progress=False
            ).data
        except EngineError:
            return None
    return tree if float(tree.attrs.get("pareto_k", 0.0)) <= RELIABLE else None


def posterior_of(tree: "xr.DataTree", model: Refittable) -> Posterior:
    """Return the posterior in the tree of a model's fit."""
    return Posterior.of(tree, model.design, model.family)
