"""Whether draws are those of the posterior: beside another sampler's, and on data of their own.

Posterior simulation-based calibration (Säilynoja et al., 2025): parameters are taken from the
draws, new responses are simulated from them for the same rows and groups (where there are sums
alone, sums are simulated), and the model is fitted to the old and the new ones together. If sampler
and model are what they claim to be, the parameters rank uniformly among the draws of these fits,
given the data at hand.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from hiermix.checking import doubled, uniformity
from hiermix.checking.findings import (
    Finding,
    NotLookedAtError,
    listed,
    quantities,
)
from hiermix.checking.refits import Refittable, posterior_of, refit
from hiermix.engines import Engine
from hiermix.errors import count
from hiermix.posterior.posterior import Posterior
from hiermix.typing import FloatArray

PART = "calibration"
_APART = 0.25
"""Of two samplers: difference of medians in spreads, or of the log of these, that matters."""
_ERRORS = 5.0
"""Standard errors that it must have beside."""
_FEWEST = 15
"""Refits that can be ranked in."""
_NORMAL = 1.2815515594457831
"""The 90 % quantile of a standard normal."""


class Ranked(NamedTuple):
    """Ranks of one parameter, as shares between 0 and 1, a refit each."""

    about: str
    u: FloatArray


# Beside another sampler --------------------------------------------------------------------------


class Beside(NamedTuple):
    """How far draws are from those of another sampler of the same posterior."""

    about: str
    shift: float
    """Of the median, in spreads."""
    width: float
    """Ratio of the spreads."""
    doubtful: bool


def beside_another(
    posterior: Posterior, model: Refittable, seed: int, engine: str | Engine
) -> list[Beside]:
    """Compare draws with weighted ones around the modes, or with chains where there are none."""
    tree = refit(model, seed, 1000)
    if tree is None:
        tree = refit(model, seed + 1, 1000, algorithm="nuts", engine=engine)
    if tree is None:
        return []
    other = posterior_of(tree, model)
    mine, theirs = quantities(posterior.draws), quantities(other.draws)
    sizes, their_sizes = _effective(posterior), _effective(other)
    return [_beside(name, mine[name], theirs[name], sizes[name], their_sizes[name])
            for name in mine if name in theirs]  # fmt: skip


def _effective(posterior: Posterior) -> dict[str, float]:
    """Effective draws of each parameter; of weighted ones at most what the weights leave."""
    from arviz_stats.base import array_stats

    every = quantities(posterior.draws)
    stacked = np.stack([each.reshape(posterior.shape) for each in every.values()], axis=-1)
    with np.errstate(all="ignore"):
        found = np.asarray(array_stats.ess(stacked, chain_axis=0, draw_axis=1))
    most = float(posterior.attrs.get("effective_draws", posterior.size))
    sizes = np.clip(np.nan_to_num(found, nan=1.0), 1.0, most)
    return dict(zip(every, sizes.tolist(), strict=True))


def _beside(
    name: str, mine: FloatArray, theirs: FloatArray, size: float, their_size: float
) -> Beside:
    """Compare medians, and distances of the outer tenths: tails may be long."""
    low, middle, high = np.quantile(mine, [0.1, 0.5, 0.9])
    their_low, their_middle, their_high = np.quantile(theirs, [0.1, 0.5, 0.9])
    scale = max(their_high - their_low, 1e-300)
    shift, width = 2 * _NORMAL * (middle - their_middle) / scale, (high - low) / scale
    # Of normal draws both have errors of about 1.25 and 0.9 over the root of their number.
    error = 1.25 * np.sqrt(1 / size + 1 / their_size)
    limit = max(_APART, _ERRORS * error)
    doubtful = abs(shift) > limit or abs(np.log(max(width, 1e-300))) > limit
    return Beside(name, float(shift), float(width), bool(doubtful))


# On data of their own ----------------------------------------------------------------------------


def ranks(
    posterior: Posterior, model: Refittable, refits: int, seed: int, again: Mapping[str, Any]
) -> list[Ranked]:
    """Return the ranks of every parameter in refits to data simulated from it.

    `again` is how they are sampled: algorithm and engine.
    """
    places = np.linspace(0, posterior.size - 1, refits).astype(np.intp)
    truths = {name: values[places] for name, values in quantities(posterior.draws).items()}
    found: dict[str, list[float]] = {name: [] for name in truths}
    failed = 0
    for number, other in enumerate(doubled.models(posterior, model, places, seed)):
        tree = refit(other, seed + number, **again)
        if tree is None:
            failed += 1
            continue
        rng = np.random.default_rng([seed, number])
        for name, values in quantities(tree["posterior"].to_dataset()).items():
            if name in found:
                found[name].append(_rank(truths[name][number], values, rng))
    if refits - failed < _FEWEST:
        raise NotLookedAtError(
            f"importance weights can't be trusted in {count(failed, 'refit')} of {refits}: "
            "check(algorithm='nuts') samples instead, which takes longer"
        )
    return [Ranked(name, np.array(each)) for name, each in found.items() if each]


def _rank(truth: float, values: FloatArray, rng: np.random.Generator) -> float:
    """Share of draws below, and of equal ones a random part."""
    below, equal = np.count_nonzero(values < truth), np.count_nonzero(values == truth)
    return float((below + rng.random() * (equal + 1)) / (len(values) + 1))


# What they say -----------------------------------------------------------------------------------


def findings(
    found: list[Ranked], others: list[Beside], limit: float, *, same_sampler: bool
) -> list[Finding]:
    """Return both; a p-value of ranks below the limit is doubtful.

    Another sampler than that of the fit is trusted where they differ.
    """
    beside = [
        Finding(PART, each.about, "width beside another sampler", each.width, np.nan, each.doubtful)
        for each in others
    ]
    apart = [each for each in others if each.doubtful]
    if apart:
        worst = max(apart, key=lambda each: abs(np.log(each.width)) + abs(each.shift))
        beside[others.index(apart[0])] = beside[others.index(apart[0])]._replace(text=(
            f"draws of {listed(each.about for each in apart)} are not those of the posterior: "
            f"another sampler finds {_otherwise(worst)}. Fit again; if it stays, the sampler is "
            "broken for this model."
        ))  # fmt: skip
    return [*beside, *(_finding(each, limit / len(found), same_sampler) for each in found)]


def _otherwise(worst: Beside) -> str:
    if abs(worst.shift) > abs(np.log(worst.width)):
        return f"a median of {worst.about} {abs(worst.shift):.1f} sds away"
    more = worst.width < 1
    times = 1 / worst.width if more else worst.width
    return f"{worst.about} {times:.1f} times as {'spread' if more else 'concentrated'}"


_OF_DRAWS = {
    "wide": "the draws are too spread", "narrow": "the draws are too concentrated",
    "high": "the draws are too high", "low": "the draws are too low",
    "other": "the draws are distributed otherwise",
}  # fmt: skip
_OF_INTERVALS = {
    "wide": "intervals are too narrow", "narrow": "intervals are too wide",
    "high": "intervals are too low", "low": "intervals are too high",
    "other": "intervals don't hold what they ought to",
}  # fmt: skip


def _finding(each: Ranked, limit: float, same_sampler: bool) -> Finding:
    p = uniformity.p_value(each.u)
    doubtful = p < limit
    said = (_OF_INTERVALS if same_sampler else _OF_DRAWS)[uniformity.shape(each.u)]
    text = "" if not doubtful else (
        f"{each.about} is not calibrated: beside refits to data that were simulated from the fit, "
        f"{said} (p {p:.1g}, {len(each.u)} refits). Don't trust its intervals."
    )  # fmt: skip
    return Finding(PART, each.about, "p-value", p, limit, doubtful, text)
