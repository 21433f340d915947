"""Programs compiled for the embedded engine, once on this machine, and the model of a fit."""

import atexit
import json
import threading
import zlib
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hiermix import files
from hiermix.errors import DataError
from hiermix.stan.programs import Program
from hiermix.typing import StanData

if TYPE_CHECKING:
    import stanli

_SMALL = 10_000_000
"""Letters of data as text, up to which a model of them is kept."""
_kept = threading.local()
"""The last model of each thread: gradients, starts and chains of one fit are those of one model."""


def model(program: Program, data: StanData) -> "stanli.Model":
    """Return the program with its data bound."""
    import stanli

    asked = program.code, to_json(data)
    known, last = getattr(_kept, "last", (None, None))
    if known == asked:
        return last
    forget()
    made = stanli.Model(mir=_compiled(program.code), data=asked[1])
    if len(asked[1]) < _SMALL:
        _kept.last = asked, made
    return made


def forget() -> None:
    """Let go of this thread's model."""
    _kept.last = None, None


atexit.register(forget)  # stanli's models can't end after its module


def to_json(data: StanData) -> str:
    """Return the data as JSON; Python writes the shortest text that reads back exactly."""

    def plain(value: Any) -> Any:
        return value.tolist()

    return json.dumps(data, default=plain)


@lru_cache(maxsize=32)
def _compiled(code: str) -> str:
    import stanli

    path = cache_path(code)
    # What was cut short has another checksum at its end.
    with suppress(OSError, zlib.error):
        return zlib.decompress(path.read_bytes()).decode()
    mir: str = stanli.stan_to_mir(code)
    with suppress(OSError, DataError):  # of a machine that lets nothing be kept
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as part:
            part.write_bytes(zlib.compress(mir.encode(), 1))
    return mir


def cache_path(code: str) -> Path:
    """Return where a compiled program lies; whatever changes what is compiled changes the path."""
    import stanli
    from platformdirs import user_cache_path

    parts = stanli.__version__, stanli.build_id(), code
    key = sha256("\0".join(parts).encode()).hexdigest()[:20]
    return user_cache_path("hiermix", appauthor=False) / "embedded" / f"{key}.mir.z"
