"""A progress bar over all chains, for terminals and notebooks; silent in a pipe."""

import io
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

from hiermix.errors import count

_ITERATION = re.compile(r"^Chain \[(\d+)\] Iteration:\s*(\d+) / \d+")
_REPEATED_ELSEWHERE = re.compile(
    r"^$|^(Chain \[\d+\] Elapsed Time:)?\s*[\d.]+ seconds \("
    r"|^Warning: \d+ of \d+ post-warmup transitions"
)


def wanted(progress: bool | None) -> bool:
    """Return whether to show a bar: as told, else where someone is watching."""
    if progress is not None:
        return progress
    return sys.stderr.isatty() or "ipykernel" in sys.modules


@contextmanager
def from_printed_lines(chains: int, iterations: int) -> Iterator[None]:
    """Turn the lines ``Chain [1] Iteration: 100 / 2000`` printed meanwhile into one bar.

    Reading what is printed keeps us to the engine's public face. Other lines pass through,
    but for timings and counts of trouble, which `Samples` carries anyway.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a notebook without ipywidgets gets the bar of a terminal
        from tqdm.auto import tqdm

    with tqdm(
        total=chains * iterations, desc=f"sampling {count(chains, 'chain')}", leave=False
    ) as bar:
        done = dict.fromkeys(range(1, chains + 1), 0)
        lock = threading.Lock()

        def advance(chain: int, iteration: int) -> None:
            with lock:
                bar.update(iteration - done.get(chain, 0))
                done[chain] = iteration

        lines = _Lines(sys.stdout, advance)
        with redirect_stdout(lines):
            yield
        lines.finish()


class _Lines(io.TextIOBase):
    """Reads printed lines; each thread has a buffer, because chains print at the same time."""

    def __init__(self, out: TextIO, advance: Callable[[int, int], None]) -> None:
        self._out = out
        self._advance = advance
        self._pending: dict[int, str] = {}

    def write(self, text: str) -> int:
        thread = threading.get_ident()
        *lines, rest = (self._pending.get(thread, "") + text).split("\n")
        self._pending[thread] = rest
        for line in lines:
            self._line(line)
        return len(text)

    def finish(self) -> None:
        """Hand on what was printed without an end of line."""
        self._out.write("".join(self._pending.values()))

    def _line(self, line: str) -> None:
        found = _ITERATION.match(line)
        if found:
            self._advance(int(found[1]), int(found[2]))
        elif not _REPEATED_ELSEWHERE.match(line):
            self._out.write(line + "\n")
