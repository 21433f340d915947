"""How far the chains are: a bar where someone watches, else a line a minute in the log."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from hiermix.engines.protocol import Settings
from hiermix.errors import count, ignored_warnings

EVERY = 60.0
"""Seconds between two lines in the log."""

type Report = Callable[[int, int], None]
"""Told (chain, iteration), from any thread; chains count from 1."""

_log = logging.getLogger("hiermix")


def wanted(progress: bool | None) -> bool:
    """Return whether to show a bar: as told, else where someone is watching."""
    if progress is not None:
        return progress
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def tell(text: str, *, aloud: bool = True) -> None:
    """Log a line; where nobody has set up a log, write it to stderr."""
    _log.info(text)
    if aloud and not _log.hasHandlers():
        print(f"hiermix: {text}", file=sys.stderr, flush=True)


@contextmanager
def shown(settings: Settings) -> Iterator[Report]:
    """Show how far the chains are, by what is reported meanwhile."""
    total = settings.chains * (settings.warmup + settings.draws)
    way = _bar if wanted(settings.progress) else _lines
    with way(total, settings) as move:
        yield _Moves(move)


class _Moves:
    """Turns reports of each chain into steps of all: chains report at the same time."""

    def __init__(self, move: Callable[[int], None]) -> None:
        self._move = move
        self._done: dict[int, int] = {}
        self._lock = threading.Lock()

    def __call__(self, chain: int, iteration: int) -> None:
        with self._lock:
            self._move(iteration - self._done.get(chain, 0))
            self._done[chain] = iteration


def _bars() -> Any:
    """Return tqdm's bars; a notebook without ipywidgets gets those of a terminal, unasked."""
    if "tqdm.auto" not in sys.modules:
        with ignored_warnings():
            import_module("tqdm.auto")
    return sys.modules["tqdm.auto"].tqdm


@contextmanager
def _bar(total: int, settings: Settings) -> Iterator[Callable[[int], None]]:
    bars = _bars()
    with bars(total=total, desc=f"sampling {count(settings.chains, 'chain')}", leave=False) as bar:
        yield bar.update


@contextmanager
def _lines(total: int, settings: Settings) -> Iterator[Callable[[int], None]]:
    """Log a line a minute from a thread of our own: an iteration may take longer than that."""
    done, start, ended = [0], time.monotonic(), threading.Event()

    def add(steps: int) -> None:
        done[0] += steps

    def watch() -> None:
        while not ended.wait(EVERY):
            minutes = (time.monotonic() - start) / 60
            tell(
                f"sampling {count(settings.chains, 'chain')}: {done[0] / total:.0%} of {total:,} "
                f"iterations after {minutes:.0f} min",
                aloud=settings.progress is None,
            )

    thread = threading.Thread(target=watch, name="hiermix-progress", daemon=True)
    thread.start()
    try:
        yield add
    finally:
        ended.set()
        thread.join()
