"""Which stream of random numbers a row has: by what it says, wherever it stands."""

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import kinds
from hiermix.design.design import Design
from hiermix.design.joint_design import Joint
from hiermix.typing import FloatArray

type Hashes = NDArray[np.uint64]


def row_hashes(design: Design) -> Hashes:
    """Return, per row, a hash of its predictors and labels, and which of its equals it is: (n, 2).

    Neither the place of a row, nor the index, nor the other columns matter. Rows that are alike
    are told apart by their order.
    """
    hashes = np.zeros(len(design.frame), dtype=np.uint64)
    for name in sorted(set(design.formula.predictors)):
        if name in design.frame:
            hashes = _mix(hashes) ^ _hash(design.frame[name])
    if design.offset is not None and not isinstance(design, Joint):
        hashes = _mix(hashes) ^ pd.util.hash_array(design.offset + 0.0)
    same = pd.Series(hashes).groupby(hashes, sort=False).cumcount()
    found = np.column_stack([hashes, same.to_numpy(dtype=np.uint64)])
    return found[design.units] if isinstance(design, Joint) else found


def _mix(hashes: Hashes) -> Hashes:
    """Spread the bits, so that equal values in two columns don't cancel."""
    return (hashes ^ (hashes >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9) + np.uint64(1)


def _hash(values: pd.Series) -> Hashes:
    """Hash by value: neither the width of numbers nor how labels are written matters."""
    if kinds.what(values) in ("dates", "durations"):
        return pd.util.hash_array(_nanoseconds(values))
    if kinds.is_numeric(values):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        return pd.util.hash_array(numbers + 0.0)
    codes, labels = pd.factorize(values)
    texts = [kinds.spelled(label) for label in labels]
    hashes = pd.util.hash_array(np.array([*texts, ""], dtype=object))
    whole = [place for place, text in enumerate(texts) if _WHOLE.fullmatch(text)]
    hashes[whole] = pd.util.hash_array(np.array([float(texts[place]) for place in whole]))
    return hashes[codes]


_WHOLE = re.compile(r"0|-?[1-9]\d{0,14}")


def _nanoseconds(values: pd.Series) -> FloatArray:
    """Return moments and durations in numbers, whatever their unit."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert("UTC")
    times = kinds.moments(values).to_numpy()
    unit, _ = np.datetime_data(times.dtype)
    return times.view(np.int64).astype(np.float64) * {"s": 1e9, "ms": 1e6, "us": 1e3}.get(unit, 1.0)
