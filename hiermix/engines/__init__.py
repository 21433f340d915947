"""Chooses the engine that samples, and says once which one it is."""

import logging
import os
from collections.abc import Callable
from functools import cache

from hiermix.engines.protocol import Engine, Samples, Settings
from hiermix.errors import ArgumentError, did_you_mean

__all__ = ["Engine", "Samples", "Settings", "choose"]

_log = logging.getLogger("hiermix")


def choose(name: str = "auto") -> Engine:
    """Return the engine of that name.

    ``"auto"`` takes the one that the variable HIERMIX_ENGINE names; without it CmdStan where
    one is installed that is new enough, else the embedded engine.
    """
    asked = os.environ.get("HIERMIX_ENGINE", "auto") if name == "auto" else name
    if asked not in _ENGINES:
        known = ", ".join(map(repr, _ENGINES))
        where = " (from the variable HIERMIX_ENGINE)" if asked != name else ""
        raise ArgumentError(
            f"unknown engine {asked!r}{where}.{did_you_mean(str(asked), _ENGINES)} Known: {known}."
        )
    engine = _ENGINES[asked]()
    _announce(engine.name, engine.version)
    return engine


def _auto() -> Engine:
    from hiermix.engines import cmdstan

    return _cmdstan() if cmdstan.is_usable() else _embedded()


def _cmdstan() -> Engine:
    from hiermix.engines.cmdstan import CmdStan

    return CmdStan()


def _embedded() -> Engine:
    from hiermix.engines.embedded import Embedded

    return Embedded()


_ENGINES: dict[str, Callable[[], Engine]] = {
    "auto": _auto,
    "cmdstan": _cmdstan,
    "embedded": _embedded,
}


@cache
def _announce(name: str, version: str) -> None:
    _log.info("engine: %s (%s)", name, version)
