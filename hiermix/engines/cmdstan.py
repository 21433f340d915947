"""The CmdStan engine: cmdstanpy around executables that are built once a machine."""

from hiermix.engines.protocol import Engine
from hiermix.errors import EngineError


def is_usable() -> bool:
    """Return whether a CmdStan is installed that is new enough."""
    return False


def CmdStan() -> Engine:  # noqa: D103, N802
    raise EngineError("not here yet")
