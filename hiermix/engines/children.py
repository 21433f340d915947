"""Ends the processes that a cmdstanpy call leaves behind when it is interrupted."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PATIENCE = 10.0
"""Seconds after which we stop waiting for processes to end."""


@contextmanager
def ended_on_interrupt(folder: Path) -> Iterator[None]:
    """End whatever works in ``folder`` when Ctrl-C comes.

    cmdstanpy runs chains from threads of its own, which an interrupt of the main thread does not
    reach; a terminal interrupts the chains itself, a notebook does not. Every process it starts
    names our temporary folder on its command line, and that is how we know them.
    """
    before = _working()
    try:
        yield
    except KeyboardInterrupt:
        _end(folder, before)
        raise


def _working() -> set[threading.Thread]:
    """Return the threads that end by themselves; a progress bar's monitor, a daemon, never does.

    Not those that are alive: Python 3.12 takes a thread for dead once its join was interrupted.
    """
    return {thread for thread in threading.enumerate() if not thread.daemon}


def _end(folder: Path, others: set[threading.Thread]) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # a chain still in the queue can't start without it
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        left = running(folder)
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
        if not left and not _working() - others:
            return
        time.sleep(0.05)


def running(folder: Path) -> list[int]:
    """Return the processes whose command line names the folder."""
    return [
        process
        for process, command in _commands()
        if str(folder) in command and process != os.getpid()
    ]


def _commands() -> Iterator[tuple[int, str]]:
    if Path("/proc/self/cmdline").exists():
        yield from _commands_from_proc()
    elif os.name == "posix":
        yield from _commands_from_ps()
    # Windows interrupts every process of a console itself.


def _commands_from_proc() -> Iterator[tuple[int, str]]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # the process has ended meanwhile
            yield int(path.parent.name), path.read_bytes().decode(errors="replace")


def _commands_from_ps() -> Iterator[tuple[int, str]]:
    listed = subprocess.run(
        ["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=False
    )
    for line in listed.stdout.splitlines():
        process, _, command = line.strip().partition(" ")
        yield int(process), command
