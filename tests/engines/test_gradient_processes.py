"""Gradients in threads: by processes that last, pass on what they find, and are never left over."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hiermix.engines import gradient_processes
from hiermix.engines.gradient_processes import ask
from hiermix.errors import DataError, EngineError

posix = pytest.mark.skipif(os.name != "posix", reason="signals and forks are those of POSIX")


@pytest.fixture(autouse=True, scope="module")
def _none_left() -> Iterator[None]:
    yield
    gradient_processes._pool.end_all()


def raising(text: str) -> Callable[[], Any]:
    """Return a task that raises; it finds no module of the tests where it is done."""
    return partial(exec, f"from hiermix.errors import DataError; raise {text}", {})


def gone(pid: int) -> bool:
    """Whether a process, of this one or of another, ends within a while; a zombie has not."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_one_process_does_what_is_asked_in_turn() -> None:
    first, second = ask(os.getpid), ask(os.getpid)
    assert first == second != os.getpid()


def test_numbers_come_back_to_the_last_bit() -> None:
    large = np.random.default_rng(1).normal(size=300_000)  # more than a pipe holds
    np.testing.assert_array_equal(ask(partial(np.negative, large)), -large)


def test_as_many_at_once_as_there_are_processors() -> None:
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        found = list(pool.map(ask, [partial(eval, "(__import__('time').sleep(0.1), pid())",
                                            {"pid": os.getpid})] * 6))  # fmt: skip
    assert 1 <= len(set(found)) <= (os.cpu_count() or 1)


@pytest.mark.parametrize("error", [ValueError("no"), DataError("column 'x': no\nnumbers")])
def test_what_a_task_raises_is_raised_here(error: Exception) -> None:
    before = ask(os.getpid)
    with pytest.raises(type(error)) as caught:
        ask(raising(repr(error)))
    assert str(caught.value) == str(error)
    assert ask(os.getpid) == before


def test_a_process_that_dies_is_an_error_and_the_next_one_another() -> None:
    before = ask(os.getpid)
    with pytest.raises(EngineError, match="takes gradients failed: the last words"):
        ask(partial(exec, "import os, sys; print('first\\nthe last words', file=sys.stderr,"
                    "flush=True); os._exit(3)", {}))  # fmt: skip
    assert ask(os.getpid) != before
    pid = ask(os.getpid)
    os.kill(pid, signal.SIGTERM)  # while it waits
    time.sleep(0.2)
    assert ask(os.getpid) != pid


def test_what_it_prints_is_not_its_answer() -> None:
    assert ask(partial(exec, "print('text', flush=True)", {})) is None


def test_a_task_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    sys.path.insert(0, str(tmp_path))
    try:
        (tmp_path / "gone_by_then.py").write_text("def task(): return 1")
        task = __import__("gone_by_then").task
        (tmp_path / "gone_by_then.py").unlink()
        with pytest.raises(EngineError, match="No module named 'gone_by_then'"):
            ask(task)
    finally:
        sys.path.remove(str(tmp_path))


def test_modules_of_somebodys_own_are_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "edited_law.py").write_text("def task(): return 1")
    task = __import__("edited_law").task
    assert ask(task) == 1
    (tmp_path / "edited_law.py").write_text("def task(): return 2")
    assert ask(task) == 2


def test_it_ends_when_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradient_processes, "_IDLE", 0.05)
    pid = ask(os.getpid)
    assert gone(pid)  # and has been waited for
    assert ask(os.getpid) != pid


@posix
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_has_its_own() -> None:
    mine = ask(os.getpid)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=lambda: queue.put(ask(os.getpid)))
    child.start()
    child.join()
    assert child.exitcode == 0
    theirs = queue.get()
    assert theirs != mine == ask(os.getpid)
    assert gone(theirs)


WAITS = "import os, time; print(os.getpid(), flush=True, file=open({file!r}, 'w')); time.sleep(60)"


@posix
@pytest.mark.parametrize(
    ("how", "busy"),
    [
        (signal.SIGKILL, True),
        (signal.SIGINT, False),
        *(pytest.param(how, busy, marks=pytest.mark.slow) for how, busy in (
            (signal.SIGKILL, False), (signal.SIGINT, True),
            (signal.SIGTERM, False), (signal.SIGTERM, True),
        )),
    ],
)  # fmt: skip
def test_it_never_outlives_who_asked(tmp_path: Path, how: signal.Signals, busy: bool) -> None:
    told = tmp_path / "pid"
    code = WAITS.format(file=str(told)) if busy else WAITS.format(file=str(told)).split("; time")[0]
    script = (
        "import time\nfrom functools import partial\nfrom hiermix.engines.gradient_processes "
        f"import ask\nask(partial(exec, {code!r}, {{}}))\ntime.sleep(60)"
    )
    path = os.pathsep.join(sys.path)
    with subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": path},
    ) as asking:  # fmt: skip
        while not (told.exists() and told.read_text().strip()):
            assert asking.poll() is None
            time.sleep(0.05)
        asking.send_signal(how)
        assert asking.wait(20) != 0
        assert gone(int(told.read_text()))


def test_an_interrupt_here_ends_it_there(monkeypatch: pytest.MonkeyPatch) -> None:
    pid = ask(os.getpid)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gradient_processes._Process, "ask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ask(os.getpid)
    assert gone(pid)


def test_a_thread_is_not_the_one_that_ended_before_it() -> None:
    """They have the same number, and stanli ends the process where it is asked by the second."""
    script = (
        "import threading\nfrom hiermix.engines.gradients import work_here\n"
        "for _ in range(3):\n"
        "    one = threading.Thread(target=lambda: print(work_here()))\n"
        "    one.start(); one.join()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert ended.stdout.split() == ["True", "False", "False"]


def test_threads_of_ours_are_few() -> None:
    ask(os.getpid)
    before = threading.active_count()
    for _ in range(20):
        ask(os.getpid)
    assert threading.active_count() <= before + 1
