"""Names for the types that pass between the rooms of the package."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

type FloatArray = NDArray[np.float64]
type IntArray = NDArray[np.int64]
type StanData = dict[str, int | float | FloatArray | IntArray]
"""What an engine is handed: Python ints and floats, int64 and float64 arrays, nothing else."""


type FamilyName = Literal[
    "gaussian", "student_t", "skew_normal", "exgaussian", "lognormal", "shifted_lognormal",
    "gamma", "hurdle_gamma", "tweedie", "hurdle_lognormal", "beta", "zero_inflated_beta",
    "zero_one_inflated_beta", "weibull", "inverse_gaussian", "exponential", "von_mises",
    "bernoulli", "binomial", "beta_binomial", "zero_inflated_binomial", "poisson",
    "negative_binomial", "geometric", "zero_inflated_poisson", "zero_inflated_negative_binomial",
    "hurdle_poisson", "hurdle_negative_binomial", "ordinal", "sratio", "cratio", "acat",
    "categorical", "multinomial",
]  # fmt: skip
type LinkName = Literal["identity", "log", "logit", "probit", "cloglog", "tan_half"]
type Missing = Literal["error", "drop", "predict"]
type EffectsChoice = Literal["auto", "integrated", "sampled"]
type Parameterisation = Literal["auto", "centered", "noncentered"]
type Algorithm = Literal["nuts", "importance", "laplace", "auto"]
type Kind = Literal["linear", "mean", "response", "probability"]
type ForecastKind = Literal["response", "probability"]
type NewGroups = Literal["error", "population", "sample", "update"]
type CheckPart = Literal["convergence", "priors", "pit", "calibration"]


class Drawn(NamedTuple):
    """Draws of a program's parameters, each (chain, draw, ...), whatever it calls them."""

    b: FloatArray
    """Population coefficients (P,), of centred columns."""
    sd: FloatArray
    """(E,) of all factors."""
    L: FloatArray
    """(E, E) Cholesky factor of the correlations."""
    own: Mapping[str, FloatArray]
    """The family's own parameters."""
    r: FloatArray | None = None
    """Effects, factor after factor, effect after effect, level by level; None: integrated out."""
    shrunk: "Shrunk | None" = None
    """Prior sds of slopes, where these are shrunk."""
    df: FloatArray | None = None
    """Degrees of freedom of the factors whose effects have Student's t distribution, if any."""
    spread: FloatArray | None = None
    """(S,) spreads that sds are made of, where there are lengthscales among them."""
    gaps: FloatArray | None = None
    """Missing values of predictors, less those that X has in their place."""


class Shrunk(NamedTuple):
    """Draws (chain, draw, ...) of the prior sds of slopes that are shrunk."""

    kind: str
    places: Sequence[int]
    """(n,) of the slopes among the population coefficients."""
    sds: FloatArray
    """(n,)"""
    overall: FloatArray
    """The global parameters that they follow from."""
