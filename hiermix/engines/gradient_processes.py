"""Processes that take gradients for threads that can't.

Each lasts from one task to the next, since to start one takes a second. It ends when nobody asks
for a while, and with this process, however that ends: then nobody holds the other end of its pipe.
"""

import atexit
import io
import os
import pickle
import queue
import site
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from hiermix.errors import EngineError

_IDLE = 60.0
"""Seconds that a process waits for the next task."""
_PATIENCE = 5.0
"""Seconds that one has to end when it is asked to."""
_SERVE = "from hiermix.engines import gradient_processes; gradient_processes.serve()"


def ask(task: Callable[[], Any]) -> Any:
    """Have a task done by another process; it and its answer can be pickled.

    Raises
    ------
    EngineError
        The process failed. What the task raises is raised here.
    """
    sent = pickle.dumps(task)
    pool = _pool
    with pool.turn:
        process = pool.take()
        try:
            done, found, lasting = process.ask(sent)
        except BaseException:
            pool.end(process)
            raise
        (pool.keep if lasting else pool.end)(process)
    if not done:
        raise found
    return found


# Here --------------------------------------------------------------------------------------------


class _Process:
    """A process, and the pipes to and from it."""

    def __init__(self, place: tuple[str, ...]) -> None:
        self.place = place
        """Where it finds modules: this process's path and folder when it started."""
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - it lasts as long as we do
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-c", _SERVE],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, bufsize=0,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(each or "." for each in sys.path)},
        )  # fmt: skip
        self._tasks = cast(io.RawIOBase, self._popen.stdin)
        self._answers = io.BufferedReader(cast(io.RawIOBase, self._popen.stdout))

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def ask(self, task: bytes) -> tuple[bool, Any, bool]:
        """Return whether the task was done, what it found or raised, and whether to ask again."""
        self._said.seek(0)
        self._said.truncate()
        try:
            self._send(pickle.dumps(task))
            answer = pickle.load(self._answers)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            self._popen.wait()
            self._said.seek(0)
            last = self._said.read().decode(errors="replace").strip().splitlines()[-1:]
            raise EngineError(f"a process that takes gradients failed: {' '.join(last)}") from error
        done, found, lasting = pickle.loads(answer)
        return done, found, lasting

    def _send(self, data: bytes) -> None:
        """Write without a buffer, which a fork would have as well and would write again."""
        left = memoryview(data)
        while left:
            left = left[self._tasks.write(left) :]

    def end(self) -> None:
        """Close the pipes, which ends it, and wait so that no zombie is left."""
        self.forget()
        try:
            self._popen.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def forget(self) -> None:
        """Close our ends of the pipes."""
        for file in (self._tasks, self._answers, self._said):
            file.close()

    def disown(self) -> None:
        """Leave it to the process that started it: we are a fork of that one."""
        self.forget()
        self._popen.returncode = 0


class _Pool:
    """The processes of this one."""

    def __init__(self) -> None:
        self.turn = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._lock = threading.Lock()
        self._all: set[_Process] = set()
        self._idle: dict[_Process, threading.Timer] = {}

    def take(self) -> _Process:
        """Return an idle process that finds the same modules, or a new one."""
        place = _place()
        while process := self._last_idle():
            if process.alive and process.place == place:
                return process
            self.end(process)
        with self._lock:
            process = _Process(place)
            self._all.add(process)
        return process

    def keep(self, process: _Process) -> None:
        """Let a process wait for the next task."""
        timer = threading.Timer(_IDLE, self._end_if_idle, [process])
        timer.daemon = True
        with self._lock:
            self._idle[process] = timer
            timer.start()

    def end(self, process: _Process) -> None:
        with self._lock:
            self._all.discard(process)
        process.end()

    def end_all(self) -> None:
        """End the idle ones."""
        while process := self._last_idle():
            self.end(process)

    def disown(self) -> None:
        """Leave all to the process that we are a fork of, whatever its threads were about."""
        for process in self._all:
            process.disown()

    def _last_idle(self) -> _Process | None:
        with self._lock:
            if not self._idle:
                return None
            process, timer = self._idle.popitem()
        timer.cancel()
        return process

    def _end_if_idle(self, process: _Process) -> None:
        with self._lock:
            if self._idle.pop(process, None) is None:
                return
        self.end(process)


def _place() -> tuple[str, ...]:
    folder = ""
    with suppress(OSError):  # it may be gone
        folder = os.getcwd()
    return folder, *map(str, sys.path)


_pool = _Pool()
atexit.register(lambda: _pool.end_all())


def _forked() -> None:
    global _pool
    _pool.disown()
    _pool = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

# There -------------------------------------------------------------------------------------------


def serve() -> None:
    """Do one task after the other, in the thread that has loaded stanli."""
    import stanli  # noqa: F401

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a task prints must not stand between the bytes of its answer
    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=[tasks], daemon=True).start()
    while True:
        task = pickle.loads(tasks.get())
        try:
            done, found = True, task()
        except Exception as error:
            done, found = False, error
        pickle.dump(pickle.dumps((done, found, _all_installed())), answers)
        answers.flush()


def _receive(tasks: "queue.SimpleQueue[bytes]") -> None:
    """Pass tasks on; end at once, even amidst one, when the process that asked is gone."""
    with suppress(EOFError, OSError, pickle.UnpicklingError), os.fdopen(os.dup(0), "rb") as sent:
        while True:
            tasks.put(pickle.load(sent))
    os._exit(0)


def _all_installed() -> bool:
    """Tell whether no module is somebody's own, which may be edited before the next task."""
    ours = str(Path(__file__).parents[1])
    places = (sys.prefix, sys.base_prefix, sys.exec_prefix, site.getusersitepackages(), ours)
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return all(file is None or file.startswith(places) for file in files)
