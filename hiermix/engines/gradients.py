"""Where gradients can be taken: stanli's are those of the one thread that loaded it.

Any other thread that asks for a gradient ends the process. What needs gradients there is done by
another process, which gives the same numbers. Sampling has threads of its own.
"""

import sys
import threading
from collections.abc import Callable
from typing import cast

from hiermix.engines import gradient_processes

_LOADING = threading.Lock()
_loader: threading.Thread | None = None
"""The thread, and not its number, which another one has when it has ended."""


def work_here() -> bool:
    """Load stanli, and say whether this thread is the one that did."""
    global _loader
    with _LOADING:
        if _loader is None:
            here = "stanli" not in sys.modules
            import stanli  # noqa: F401

            # Whoever loaded it before us was a script, in its main thread.
            _loader = threading.current_thread() if here else threading.main_thread()
    return threading.current_thread() is _loader


def where_they_work[T](task: Callable[[], T]) -> T:
    """Do what needs gradients in a thread that can take them.

    Parameters
    ----------
    task : callable
        Without arguments; it and its answer can be pickled.

    Raises
    ------
    EngineError
        The other process failed.
    """
    return task() if work_here() else cast(T, gradient_processes.ask(task))
