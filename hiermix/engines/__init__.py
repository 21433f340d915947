"""Chooses the engine that samples, and says once which one it is."""

import logging
import os
from collections.abc import Callable
from functools import cache

from hiermix.engines.protocol import Engine, Samples, Settings
from hiermix.errors import ArgumentError, did_you_mean, quoted
from hiermix.stan.programs import Program

__all__ = ["Engine", "Samples", "Settings", "choose"]

_log = logging.getLogger("hiermix")


def choose(name: str | Engine = "auto", program: Program | None = None) -> Engine:
    """Return the engine of that name; what samples is one itself.

    ``"auto"`` takes the one that the variable HIERMIX_ENGINE names; without it CmdStan where one is
    installed that is new enough and has built the program, else the embedded engine: to build takes
    minutes, and nobody has asked for it.
    """
    if not isinstance(name, str) and hasattr(name, "sample"):
        return name
    asked = os.environ.get("HIERMIX_ENGINE", "auto") if name == "auto" else name
    if asked == "auto":
        engine = _auto(program)
    elif isinstance(asked, str) and asked in _ENGINES:
        engine = _ENGINES[asked]()
    else:
        names = ("auto", *_ENGINES)
        known = ", ".join(map(repr, names))
        where = " (from the variable HIERMIX_ENGINE)" if asked != name else ""
        raise ArgumentError(
            f"unknown engine {quoted(asked)}{where}.{did_you_mean(str(asked), names)} "
            f"Known: {known}."
        )
    _announce(engine.name, engine.version)
    return engine


def _auto(program: Program | None) -> Engine:
    from hiermix.engines import cmdstan

    return _cmdstan() if cmdstan.is_usable(program) else _embedded()


def _cmdstan() -> Engine:
    from hiermix.engines.cmdstan import CmdStan

    return CmdStan()


def _embedded() -> Engine:
    from hiermix.engines.embedded import Embedded

    return Embedded()


_ENGINES: dict[str, Callable[[], Engine]] = {
    "cmdstan": _cmdstan,
    "embedded": _embedded,
}


@cache
def _announce(name: str, version: str) -> None:
    _log.info("engine: %s (%s)", name, version)
