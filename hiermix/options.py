"""Options that many doors take, each checked in one place: words, counts, names, paths."""

import os
from collections.abc import Iterable, Sequence
from operator import index
from pathlib import Path
from typing import Any

import numpy as np

from hiermix.errors import ArgumentError, did_you_mean, quoted

LARGEST = 2_147_483_647


def one_of(name: str, value: Any, known: Sequence[str]) -> Any:
    """Return an option that is one of some words."""
    if not isinstance(value, str) or value not in known:
        near = did_you_mean(str(value), known)
        raise ArgumentError(f"{name} must be one of {', '.join(known)}, not {quoted(value)}.{near}")
    return value


def whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """Return an option that is a whole number, however it is stored."""
    try:
        fits = not isinstance(value, bool | np.bool_) and least <= index(value)
        fits = fits and index(value) <= (LARGEST if most is None else most)
    except TypeError:
        fits = False
    if not fits:
        upward = f"from {least} up" if most is None else f"from {least} to {most:,}"
        raise ArgumentError(f"{name} must be a whole number {upward}, not {quoted(value)}")
    return index(value)


def names(name: str, value: Any) -> tuple[Any, ...]:
    """Return an option that is one name or several."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable) or isinstance(value, bytes):
        raise ArgumentError(f"{name} takes a name or a list of names, not {quoted(value)}")
    return tuple(value)


def path(value: Any) -> Path:
    """Return the path of a file."""
    if not isinstance(value, str | os.PathLike):
        raise ArgumentError(f"a file is named by text or a path, not by {quoted(value)}")
    return Path(value)
