"""Scores of predictive draws, by the package scoringrules: CRPS, pinball loss, coverage."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hiermix.posterior.intervals import quantile_name, sorted_quantiles
from hiermix.typing import FloatArray

INTERVALS = (0.5, 0.8, 0.95)
LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""The median, and the ends of the intervals."""


def names(levels: Sequence[float] = LEVELS) -> list[str]:
    """Return the names of quantiles in tables: ``q2.5``."""
    return [quantile_name(level) for level in levels]


def scores(actual: FloatArray, draws: FloatArray) -> pd.DataFrame:
    """Score draws (n, S) of n values; a row each.

    Returns
    -------
    DataFrame
        ``crps``; ``pinball``, the mean over the quantiles of `LEVELS`; ``in_50``, ``in_80``,
        ``in_95``, whether the central intervals hold the value. Means of rows are the scores of
        a forecast. Smaller losses are better.
    """
    import scoringrules as sr

    ordered = np.sort(draws, axis=1)
    crps = sr.crps_ensemble(actual, ordered, estimator="qd", sorted_ensemble=True, backend="numpy")
    quantiles = sorted_quantiles(ordered, np.array(LEVELS))
    losses = [
        sr.quantile_score(actual, quantile, np.float64(level), backend="numpy")
        for quantile, level in zip(quantiles, LEVELS, strict=True)
    ]
    found = {"crps": np.asarray(crps), "pinball": np.mean(losses, axis=0)}
    for place, prob in enumerate(reversed(INTERVALS)):
        inside = (quantiles[place] <= actual) & (actual <= quantiles[-1 - place])
        found[f"in_{100 * prob:g}"] = inside
    return pd.DataFrame(
        {name: found[name] for name in ("crps", "pinball", "in_50", "in_80", "in_95")}
    )


def of_categories(actual: FloatArray, probability: FloatArray) -> pd.DataFrame:
    """Score probabilities (n, C) of categories counted from 1; a row each.

    Returns
    -------
    DataFrame
        ``log``, minus the logarithm of the probability of what happened, and ``brier``, the sum of
        squared errors of the probabilities (Gneiting and Raftery, 2007). Smaller is better.
    """
    happened = np.eye(probability.shape[1])[actual.astype(int) - 1]
    log = -np.log(np.sum(probability * happened, axis=1))
    return pd.DataFrame({"log": log, "brier": np.sum((probability - happened) ** 2, axis=1)})
