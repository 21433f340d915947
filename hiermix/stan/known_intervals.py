"""Censored responses and bounds of truncation, in the form that programs read them.

Both are log probabilities of intervals, with the weight of the row or with minus that. They are
sorted by whether they have an upper end, a lower one, or both.
"""

import numpy as np

from hiermix.design.design import Design
from hiermix.families.family import Family, row_values
from hiermix.families.known_ends import moved
from hiermix.families.links import unchanged
from hiermix.statistics.repeated_rows import Repeats
from hiermix.typing import FloatArray, StanData


def intervals(design: Design, family: Family, weight: FloatArray, repeats: Repeats) -> StanData:
    """Build the intervals of all rows; equal ones of rows that are handed over as one are one."""
    row, low, high, of_each = _merged(design, family, weight, repeats).T
    bounded = np.isfinite(low), np.isfinite(high)
    data: StanData = {}
    for name, some in {
        "below": ~bounded[0] & bounded[1],
        "above": bounded[0] & ~bounded[1],
        "between": bounded[0] & bounded[1],
    }.items():
        data[f"N_{name}"] = int(some.sum())
        data[f"row_{name}"] = row[some].astype(np.int64) + 1
        data[f"weight_{name}"] = of_each[some]
        data |= {
            "below": {"end_below": high[some]},
            "above": {"end_above": low[some]},
            "between": {"low_between": low[some], "high_between": high[some]},
        }[name]
    return data


def _merged(design: Design, family: Family, weight: FloatArray, repeats: Repeats) -> FloatArray:
    """Return (n, 4): row of the program, lower and upper end, and weight of each interval."""
    if not len(repeats.first):  # the prior alone
        return np.empty((0, 4))
    # As the program reads responses: logarithms, where these are normal.
    to = family.additive if family.form == "additive" else unchanged
    ends = moved(row_values(design, family), to)
    kind = np.arange(design.rows) if repeats.kind is None else repeats.kind
    each = [
        np.column_stack([kind, ends[low], ends[high], sign * weight])
        for low, high, sign in (("low", "high", 1.0), ("least", "most", -1.0))
        if low in ends
    ]
    found = np.concatenate([np.empty((0, 4)), *each])
    found = found[~np.isnan(found[:, 1]) & (found[:, 3] != 0)]
    different, place = np.unique(found[:, :3], axis=0, return_inverse=True)
    total = np.bincount(place.ravel(), found[:, 3], len(different))
    return np.column_stack([different, total])
