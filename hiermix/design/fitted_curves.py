"""The curves of a formula, of every kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from hiermix.design import cyclic_splines, hilbert_spaces, natural_splines, tensor_splines
from hiermix.design.curves import Curve
from hiermix.design.cyclic_splines import CyclicSpline
from hiermix.design.encoding import Encoding
from hiermix.errors import DataError
from hiermix.formula.formula import Formula
from hiermix.formula.terms.gaussian_processes import Process
from hiermix.formula.terms.smooths import Smooth
from hiermix.formula.terms.tensor_smooths import TensorSmooth


def curves_of(
    formula: Formula,
    encodings: Mapping[str, Encoding],
    encoded: pd.DataFrame,
    states: Mapping[str, Any] | None = None,
) -> tuple[Curve, ...]:
    """Return the curves of a formula, fitted to the rows of an encoded frame.

    With `states`, those of curves that were fitted before are taken as they are.
    """
    found: list[Curve] = []
    for term in formula.specials:
        if isinstance(term, Smooth) and term.period is not None:
            found += (
                cyclic_splines.fitted(term, encodings, encoded) if states is None
                else natural_splines.known(term, encodings, states, CyclicSpline)
            )  # fmt: skip
        elif isinstance(term, Smooth):
            found += (natural_splines.fitted(term, encodings, encoded) if states is None
                      else natural_splines.known(term, encodings, states))  # fmt: skip
        elif isinstance(term, Process):
            found += (hilbert_spaces.fitted(term, encodings, encoded) if states is None
                      else hilbert_spaces.known(term, encodings, states))  # fmt: skip
        elif isinstance(term, TensorSmooth):
            found += (tensor_splines.fitted(term, encoded) if states is None
                      else tensor_splines.known(term, states))  # fmt: skip
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{name} stands in the formula twice: keep one")
    return tuple(found)
