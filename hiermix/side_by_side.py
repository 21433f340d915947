"""Runs tasks in turn, in processes, or on the workers of a Dask client: the same results."""

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hiermix import options
from hiermix.errors import ArgumentError, EngineError, collected_warnings, quoted, warn

type Task[T] = Callable[[], T]
"""It pickles, and so does what it returns."""


@dataclass(frozen=True)
class Workers:
    """Where tasks are run: here, one after the other, unless a client or a number is given."""

    client: Any = None
    """A ``distributed.Client``."""
    processes: int | None = None

    def __post_init__(self) -> None:
        if self.client is not None and self.processes is not None:
            raise ArgumentError("client= and processes= exclude each other")
        if self.processes is not None:
            options.whole("processes", self.processes, 1)
        if self.client is not None and not hasattr(self.client, "scatter"):
            raise ArgumentError(
                f"client must be a dask.distributed.Client, not {quoted(self.client)}"
            )

    @property
    def here(self) -> bool:
        """Whether tasks are run here, in turn."""
        return self.client is None and self.processes is None

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of fits that share the cores with others; draws are the same."""
        if self.here:
            return dict(given)
        share = 1 if self.processes is None else max(1, (os.cpu_count() or 1) // self.processes)
        own = {"cores": share, "progress": False}
        return dict(given) | {name: own[name] for name in own if given.get(name) is None}

    def run[T](self, tasks: Sequence[Task[T]]) -> list[T]:
        """Return what each task returns, and warn of what it warned of.

        An error of one ends the others, and so does Ctrl-C: no process is left.
        """
        if self.here:
            return [task() for task in tasks]
        results = self._on_client(tasks) if self.client is not None else self._in_processes(tasks)
        for _, warned in results:
            for message in warned:
                warn(message)
        return [result for result, _ in results]

    def _on_client[T](self, tasks: Sequence[Task[T]]) -> list[tuple[T, list[str]]]:
        sent = self.client.scatter(list(map(_Sent, tasks)), hash=False)
        futures = self.client.map(_called, sent, pure=False)
        try:
            found: list[tuple[T, list[str]]] = self.client.gather(futures)
        except BaseException:
            self.client.cancel(futures)
            raise
        return found

    def _in_processes[T](self, tasks: Sequence[Task[T]]) -> list[tuple[T, list[str]]]:
        from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor

        before = set(multiprocessing.active_children())
        # Not forked: threads of numpy's libraries don't survive that.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(self.processes, context)
        try:
            found = list(pool.map(_called, map(_Sent, tasks)))
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - before:
                child.terminate()
            if isinstance(error, BrokenProcessPool):
                raise EngineError(
                    "a process ended before its work was done, as where memory runs out: fewer "
                    "processes= take less of it. A script must have its work under "
                    "if __name__ == '__main__':"
                ) from error
            raise
        pool.shutdown()
        return found


@dataclass(frozen=True)
class _Sent:
    """A task on its way: Dask would look into a partial, and send its parts one by one."""

    task: Task[Any]


def _called(sent: _Sent) -> tuple[Any, list[str]]:
    """Return what a task returns, and what it warned of."""
    with collected_warnings() as warned:
        return sent.task(), warned
