"""One of several responses by itself: its draws, under the names that a model of it alone has.

What several responses say of one of them is a model of that one: its coefficients, its residual
sd, and what of the spread of the groups is its own. So everything that is asked of a fit of one
response can be asked of it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import numpy as np

from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.families.family import Family
from hiermix.families.prior import Prior
from hiermix.families.priors import PriorTable, b_name
from hiermix.families.residual_parameters import SDS
from hiermix.formula.equations import qualified
from hiermix.posterior import coefficients, draws, residual_labels
from hiermix.posterior.posterior import Posterior
from hiermix.tuning.bar_origins import Origins

if TYPE_CHECKING:
    import xarray as xr

_SIGMA = "sigma"
BESIDE = "beside_other_responses"
"""Attribute of the draws of one response of a fit of several."""


def check_alone(posterior: Posterior, what: str) -> None:
    """Raise for what takes the draws to know the rows of one response alone.

    Raises
    ------
    ArgumentError
        They are those of a fit of several responses.
    """
    if posterior.attrs.get(BESIDE):
        name = posterior.design.response_name
        raise ArgumentError(
            f"{what} leaves rows out, and the draws know those of {name!r} by the other responses "
            "too: ask the whole fit, whose loo() and kfold() leave out rows with all that they have"
        )


class Holder(Protocol):
    """A fit of several responses."""

    @property
    def posterior(self) -> Posterior:
        """The draws."""

    @property
    def data(self) -> "xr.DataTree":
        """Its tree."""

    @property
    def model(self) -> Any:
        """The model that was fitted."""


def response[F: Holder](self: F, name: str) -> F:
    """Return one of several responses as a fit of it alone, with the draws of this fit.

    For what is asked of one response: plots, forecasts, ranks. Of new rows it knows that response
    alone.

    Parameters
    ----------
    name : str
        The response, as in the summary.
    """
    make: Any = type(self)
    found: F = make(*view(self.posterior, self.data, self.model, name))
    return found


class Fitted(Protocol):
    """What a view needs of the model of all responses."""

    @property
    def priors(self) -> PriorTable:
        """Priors by name."""

    @property
    def origins(self) -> Origins:
        """Where those of varying effects hold."""


@dataclass(frozen=True, eq=False)
class OneResponse:
    """The part of a model of several responses that is about one of them."""

    design: Design
    family: Family
    priors: PriorTable
    origins: Origins
    statistics: None = None

    def refit(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: the response was fitted beside others."""
        raise ArgumentError(
            f"{self.design.response_name!r} was fitted beside other responses: refit the whole "
            "fit, or fit a model of this response alone"
        )

    on = of_rows = with_default_priors = assemble = fit = refit

    def __repr__(self) -> str:
        """Say which response it is."""
        return f"{self.design.formula}, fitted beside other responses"


def find(posterior: Posterior, name: object) -> int:
    """Return the place of a response.

    Raises
    ------
    ArgumentError
        There is none of this name, or the fit has one response.
    """
    known = posterior.responses
    if not known:
        raise ArgumentError(
            f"the fit has one response, {posterior.design.response_name!r}: ask it itself"
        )
    if name not in known:
        raise ArgumentError(
            f"{quoted(name)} is no response of this fit.{did_you_mean(str(name), known)} Known: "
            f"{', '.join(map(repr, known))}"
        )
    return known.index(str(name))


def of(posterior: Posterior, k: int) -> Posterior:
    """Return the posterior of a response alone, by its place."""
    design = posterior.design.parts[k]
    attrs = dict(posterior.attrs) | {"formula": str(design.formula), "responses": "[]", BESIDE: 1}
    return Posterior(_named(posterior, design), design, posterior.family, attrs)


def _named(posterior: Posterior, design: Design) -> "xr.Dataset":
    """Return the draws of a response under the names of a model of it alone."""
    import xarray as xr

    name, every = design.response_name, posterior.draws
    mine, plain = coefficients.names_of(name), coefficients.names_of()
    found = {plain_name: every[own] for own, plain_name in zip(mine[:2], plain[:2], strict=True)
             if own in every}  # fmt: skip
    if plain[1] in found:
        found[plain[1]] = found[plain[1]].rename({mine[2]: plain[2]})
    position = residual_labels.position_dim(posterior.design)
    found[_SIGMA] = every[SDS].sel({position: name}, drop=True)
    for each in design.groupings:
        found |= _of_factor(every, posterior.grouping(each.name), each, name)
    return xr.Dataset(found)


def _of_factor(
    every: "xr.Dataset", whole: Grouping, own: Grouping, response: str
) -> "dict[str, xr.DataArray]":
    """Return sds, correlations and effects of a factor that enter one response."""
    labels = [qualified(effect, response) for effect in own.effects]
    dim, pair = f"{own.name}_effect", f"{own.name}_pair"
    found = {}
    for variable in (f"sd_{own.name}", f"r_{own.name}"):
        if variable in every:
            part = every[variable].sel({dim: labels})
            found[variable] = part.assign_coords({dim: list(own.effects)})
    if own.pairs:
        place = {frozenset((whole.effects[i], whole.effects[j])): at
                 for at, (i, j) in enumerate(whole.pairs)}  # fmt: skip
        at = [place[frozenset((labels[i], labels[j]))] for i, j in own.pairs]
        names = [f"{own.effects[i]}, {own.effects[j]}" for i, j in own.pairs]
        found[f"cor_{own.name}"] = every[f"cor_{own.name}"][..., at].assign_coords({pair: names})
    return found


def view(
    posterior: Posterior, tree: "xr.DataTree", model: Fitted, name: str
) -> "tuple[OneResponse, xr.DataTree]":
    """Return what a fit of one response is made of: its model, and its tree."""
    import xarray as xr

    k = find(posterior, name)
    found = of(posterior, k)
    priors = _priors(posterior, found.design, model.priors)
    origins = {each.name: _origin(posterior, each, found.design, model.origins)
               for each in found.design.groupings}  # fmt: skip
    response = found.design.response
    assert response is not None
    attrs = dict(tree.attrs) | {
        "formula": str(found.design.formula),
        "responses": "[]",
        BESIDE: 1,
        "priors": json.dumps({name: prior.exact for name, prior in priors.items()}),
        "default_priors": json.dumps([name for name, prior in priors.items() if not prior.given]),
        "origins": json.dumps({name: each.tolist() for name, each in origins.items()}),
    }
    out = xr.DataTree.from_dict({
        "posterior": found.draws,
        "sample_stats": tree["sample_stats"].to_dataset(),
        "observed_data": xr.Dataset({found.design.response_name: (("row",), response)}),
        "constant_data": draws.columns(found.design),
    })  # fmt: skip
    out.attrs.update(attrs)
    return OneResponse(found.design, posterior.family, priors, origins), out


def _priors(posterior: Posterior, own: Design, table: PriorTable) -> PriorTable:
    """Return the priors under the names of a model of one response."""
    name = own.response_name
    found = {b_name(term): table[b_name(term, name)] for term in own.terms}
    found[_SIGMA] = table[f"{SDS}[{name}]"]
    for each in own.groupings:
        for names, effect in zip(each.sd_names, each.effects, strict=True):
            found[names[0]] = table[f"sd[{each.name}, {qualified(effect, name)}]"]
        if each.pairs:
            cor = f"cor[{each.name}]"
            found[cor] = _marginal(table[cor], posterior.grouping(each.name), each)
    return found


def _marginal(prior: Prior, whole: Grouping, own: Grouping) -> Prior:
    """Return the prior of some of the correlations of a block.

    Of K effects with an LKJ prior, k have one whose shape is greater by (K - k) / 2 (Lewandowski,
    Kurowicka and Joe, 2009).
    """
    lost = max(whole.blocks) - max(own.blocks)
    return replace(prior, arguments=(prior.arguments[0] + lost / 2,))


def _origin(
    posterior: Posterior, own: Grouping, design: Design, origins: Mapping[str, np.ndarray]
) -> np.ndarray:
    whole = posterior.grouping(own.name).effects
    labels = [qualified(effect, design.response_name) for effect in own.effects]
    return origins[own.name][[whole.index(label) for label in labels]]
