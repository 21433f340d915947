"""Takes Stan variables out of flat draws: first index fastest, sizes of zero, one copy."""

import re
from collections.abc import Sequence

import numpy as np

from hiermix.errors import EngineError, did_you_mean
from hiermix.stan.programs import Program
from hiermix.typing import FloatArray

type Place = tuple[int, tuple[int, ...]]
"""Where a variable starts among the columns, and its shape."""


def take(
    flat: FloatArray, names: Sequence[str], keep: Sequence[str], program: Program
) -> dict[str, FloatArray]:
    """Return variable -> (chain, draw, *shape), copied out of (chain, draw, column).

    ``names`` are flat: ``r[2,1]`` or ``r.2.1``.
    """
    known = places(names)
    return {name: _one(flat, known.get(name), name, program) for name in keep}


def places(names: Sequence[str]) -> dict[str, Place]:
    """Return where each variable lies, read off its first and its last column."""
    first: dict[str, int] = {}
    last: dict[str, str] = {}
    for position, name in enumerate(names):
        base = re.split(r"[.\[]", name, maxsplit=1)[0]
        first.setdefault(base, position)
        last[base] = name
    return {base: (start, _shape(last[base])) for base, start in first.items()}


def _shape(last_name: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"[.\[,](\d+)", last_name))


def _one(flat: FloatArray, place: Place | None, name: str, program: Program) -> FloatArray:
    if place is None:
        _check_declared(name, program)
        return np.empty((*flat.shape[:2], 0))  # a variable of size zero has no columns
    start, shape = place
    size = int(np.prod(shape))
    # Stan writes the first index fastest: reversed axes in memory, turned round without a copy.
    view = flat[:, :, start : start + size].reshape(*flat.shape[:2], *reversed(shape))
    backwards = range(view.ndim - 1, 1, -1)
    return np.array(view.transpose(0, 1, *backwards), dtype=np.float64, order="C")


def _check_declared(name: str, program: Program) -> None:
    words = set(re.findall(r"\w+", program.code))
    if name not in words:
        raise EngineError(
            f"program {program.name!r} has no variable {name!r}.{did_you_mean(name, words)}"
        )
