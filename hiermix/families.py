"""Families: one row a family, with everything that hiermix knows of it.

The program that samples it, its links, the rule its response must keep, its own parameters, and in
numpy its mean, a random draw and the pointwise log density.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from hiermix.design import Design
from hiermix.errors import ArgumentError, did_you_mean
from hiermix.priors import Prior
from hiermix.typing import FloatArray

type Own = Mapping[str, FloatArray]
"""Draws of the family's own parameters, shaped to broadcast against the linear predictor."""


@dataclass(frozen=True)
class OwnParameter:
    """A parameter that only this family has, and its default prior given the response's scale."""

    name: str
    default: Callable[[float], Prior]
    positive: bool = True


@dataclass(frozen=True)
class Family:
    """One row of the table."""

    name: str
    links: tuple[str, ...]
    """The first is the default."""
    program: str
    own: tuple[OwnParameter, ...]
    mean: Callable[[FloatArray, Own], FloatArray]
    """Linear predictor and own parameters to the mean of the response."""
    draw: Callable[[np.random.Generator, FloatArray, Own], FloatArray]
    """A random response for every element of the linear predictor."""
    log_density: Callable[[FloatArray, FloatArray, Own], FloatArray]
    """Response, linear predictor and own parameters to the pointwise log density."""
    scale: Callable[[Design], tuple[float, float]]
    """Location and spread of the linear predictor to expect, from the data: default priors."""
    integrates: bool = field(default=False)
    """Can its group effects be integrated out?"""


def _normal_log_density(y: FloatArray, eta: FloatArray, own: Own) -> FloatArray:
    sigma = own["sigma"]
    return -0.5 * (np.log(2 * np.pi) + ((y - eta) / sigma) ** 2) - np.log(sigma)


def _response_scale(design: Design) -> tuple[float, float]:
    """Mean and sd of the response, less its offset."""
    assert design.response is not None
    y = design.response if design.offset is None else design.response - design.offset
    return float(np.mean(y)), float(np.std(y))


FAMILIES: Mapping[str, Family] = {
    "gaussian": Family(
        name="gaussian",
        links=("identity",),
        program="gaussian",
        own=(OwnParameter("sigma", lambda scale: Prior("exponential", (1 / scale,))),),
        mean=lambda eta, own: eta,
        draw=lambda rng, eta, own: rng.normal(eta, own["sigma"]),
        log_density=_normal_log_density,
        scale=_response_scale,
        integrates=True,
    ),
}


def find(name: str) -> Family:
    """Return the row of a family.

    Raises
    ------
    ArgumentError
        No such family; names the nearest.
    """
    if name not in FAMILIES:
        near = did_you_mean(str(name), FAMILIES)
        raise ArgumentError(f"unknown family {name!r}.{near} Known: {', '.join(FAMILIES)}")
    return FAMILIES[name]


def check_link(family: Family, link: str | None) -> str:
    """Return the link to use.

    Raises
    ------
    ArgumentError
        The family has no such link.
    """
    if link is None:
        return family.links[0]
    if link not in family.links:
        near = did_you_mean(str(link), family.links)
        known = ", ".join(family.links)
        raise ArgumentError(f"unknown link {link!r} for family {family.name!r}.{near} Known: {known}")
    return link
