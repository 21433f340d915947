"""Predictions of rows whose response is missing, as groups of a fit's tree.

What is assumed: that responses are missing at random given what the model has of their rows. Then
the rows without say nothing of the parameters, and what they would have said is the posterior
predictive distribution, given the same effects of their groups.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hiermix.design.design import Design
from hiermix.families.family import Family
from hiermix.posterior import draws as trees
from hiermix.posterior.posterior import Posterior
from hiermix.prediction import predict

if TYPE_CHECKING:
    import xarray as xr


def groups(
    draws: "xr.Dataset", design: Design, family: Family, attrs: Mapping[str, Any]
) -> dict[str, "xr.Dataset"]:
    """Return ArviZ's ``predictions`` and ``predictions_constant_data``, if there are such rows."""
    aside = design.unanswered
    if aside is None:
        return {}
    posterior = Posterior(draws, design, family, attrs)
    source = predict.of_rows(
        posterior,
        aside.to_pandas(),
        kind="response",
        new_groups="sample",
        group_effects="all",
        offset=None,
        seed=None,
    )
    found = predict.result(posterior, source, "response").astype(family.kind_of_response(design))
    name = posterior.design.response_name
    columns = trees.columns(source.design).assign_coords(found["row"].coords)
    return {
        "predictions": found.to_dataset(name=name),
        "predictions_constant_data": columns,
    }
