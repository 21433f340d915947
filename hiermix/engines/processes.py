"""Runs commands in processes, and leaves none behind when we are interrupted or terminated."""

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

_PATIENCE = 5.0
"""Seconds that a process has to end when it is asked to."""
_PAUSE = 0.05


@dataclass(frozen=True)
class Command:
    """What to run, where, and the file that what it says is written to."""

    words: Sequence[str]
    said: Path
    folder: Path | None = None


def run(
    commands: Sequence[Command], *, at_once: int, watch: Callable[[], None] = lambda: None
) -> list[int | None]:
    """Run commands; one that fails ends the others.

    Parameters
    ----------
    commands : sequence of Command
        What to run.
    at_once : int
        How many run at the same time.
    watch : callable, optional
        Called again and again meanwhile.

    Returns
    -------
    list of int
        Exit codes; minus a signal's number; None of what was ended, or never started.
    """
    waiting = deque(range(len(commands)))
    running: dict[int, subprocess.Popen[bytes]] = {}
    codes: list[int | None] = [None] * len(commands)
    with _signals_raise(), _none_left(running):
        while waiting or running:
            while waiting and len(running) < at_once:
                place = waiting.popleft()
                running[place] = _start(commands[place])
            for place, process in list(running.items()):
                codes[place] = process.poll()
                if codes[place] is not None:
                    del running[place]
            if any(codes):
                return codes
            watch()
            time.sleep(_PAUSE)
    return codes


def _start(command: Command) -> subprocess.Popen[bytes]:
    """Start in a group of its own: what it starts ends with it, and Ctrl-C reaches us first."""
    group: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {}
    with command.said.open("wb") as said:
        return subprocess.Popen(
            command.words, cwd=command.folder, stdin=subprocess.DEVNULL, stdout=said,
            stderr=subprocess.STDOUT, **group,
        )  # fmt: skip


@contextmanager
def _none_left(running: dict[int, "subprocess.Popen[bytes]"]) -> Iterator[None]:
    try:
        yield
    finally:
        for process in running.values():
            _send(process, signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE
        for process in running.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _send(process, getattr(signal, "SIGKILL", signal.SIGTERM))
                process.wait()


def _send(process: "subprocess.Popen[bytes]", number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Turn the signals that would end us at once into SystemExit, so that we can tidy up.

    Only the main thread may, and only where nobody else has said what they do.
    """
    names = ("SIGTERM", "SIGHUP") if threading.current_thread() is threading.main_thread() else ()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _exit)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)  # as a shell tells of a process that a signal ended


def outcome(code: int | None) -> str:
    """Say in words how a process ended."""
    if code is None:
        return "was not run"
    if code >= 0:
        return f"ended with exit code {code}"
    with suppress(ValueError):
        name = signal.Signals(-code).name
        memory = ": is there enough memory?" if name == "SIGKILL" else ""
        return f"was ended by signal {-code} ({name}){memory}"
    return f"was ended by signal {-code}"
