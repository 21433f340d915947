"""Finds the static Stan programs: their files, and their text with includes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hiermix.errors import ArgumentError, HiermixError, did_you_mean

_INCLUDE = re.compile(r"^[ \t]*#include[ \t]+[<\"]?(?P<part>[^>\"\s]+)[>\"]?[ \t]*$", re.MULTILINE)


INTERCEPT, SLOPES, NESTED = "random_intercept", "random_slope", "nested"
"""Programs that integrate the effects of a grouping factor out, or of factors in each other."""
CROSSED = "crossed"
"""The one that integrates out the factor of most levels, and samples those crossed with it."""
STRATA, SERIES, POSITIONS = PATTERNED = "strata", "autoregressive", "unstructured"
"""Those that integrate them out where residuals are not independent with one sd."""
STRATA_BESIDE = "strata_beside"
"""The one that does so beside effects of log sigma, which it samples."""


@dataclass(frozen=True)
class Program:
    """One Stan program as it lies on disk."""

    name: str
    path: Path
    parts: tuple[tuple[str, str], ...] = ()
    """Parts, by the names that are included, whose text is another than that on disk."""

    @property
    def code(self) -> str:
        """The text, with every ``#include`` replaced by the part it names."""
        return _resolve(self.path.read_text(encoding="utf-8"), self.path.parent, dict(self.parts))


def folder() -> Path:
    """Return the folder of the programs: inside the wheel, or one up from a checkout's package."""
    package = Path(__file__).parents[1]
    for place in (package / "stan_models", package.parent / "stan_models"):
        if place.is_dir():
            return place
    raise HiermixError(f"the folder stan_models is missing beside {package}: reinstall hiermix.")


def names() -> tuple[str, ...]:
    """Return the names of all programs, sorted."""
    return tuple(sorted(path.stem for path in folder().glob("*.stan")))


def integrates(name: str) -> bool:
    """Whether a program integrates group effects out; the others sample them."""
    return name in (INTERCEPT, SLOPES, NESTED, *PATTERNED)


def find(name: str) -> Program:
    """Return the program of that name."""
    path = folder() / f"{name}.stan"
    if name not in names():
        known = ", ".join(names())
        raise ArgumentError(
            f"there is no program {name!r}.{did_you_mean(name, names())} Known: {known}."
        )
    return Program(name, path)


def _resolve(text: str, root: Path, others: Mapping[str, str]) -> str:
    """Return a text; parts are looked up from ``root``, as ``--include-paths`` does."""

    def part(match: re.Match[str]) -> str:
        name = match["part"]
        inside = others.get(name) or (root / name).read_text(encoding="utf-8")
        return _resolve(inside, root, others).rstrip("\n")

    return _INCLUDE.sub(part, text)
