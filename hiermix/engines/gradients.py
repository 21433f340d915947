"""Where gradients can be taken: stanli's are those of the one thread that loaded it.

Any other thread that asks for a gradient ends the process. What needs gradients there is done by a
fresh Python, which costs a second and gives the same numbers. Sampling has threads of its own.
"""

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import cast

from hiermix.errors import EngineError

_LOADING = threading.Lock()
_loader: int | None = None
# What the task prints must not stand between the bytes of its answer.
_FRESH = """
import os, pickle, sys
answer = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
task = pickle.load(sys.stdin.buffer)
try:
    found = True, task()
except Exception as error:
    found = False, error
pickle.dump(found, answer)
"""


def work_here() -> bool:
    """Load stanli, and say whether this thread is the one that did."""
    global _loader
    with _LOADING:
        if _loader is None:
            here = "stanli" not in sys.modules
            import stanli  # noqa: F401

            # Whoever loaded it before us was a script, in its main thread.
            main = threading.main_thread().ident
            _loader = threading.get_ident() if here else main
    return threading.get_ident() == _loader


def where_they_work[T](task: Callable[[], T]) -> T:
    """Do what needs gradients in a thread that can take them.

    Parameters
    ----------
    task : callable
        Without arguments; it and its answer can be pickled.

    Raises
    ------
    EngineError
        The fresh process failed.
    """
    if work_here():
        return task()
    ended = subprocess.run(
        [sys.executable, "-c", _FRESH],
        input=pickle.dumps(task),
        capture_output=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    if ended.returncode:
        last = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise EngineError(f"a process that looks for starting points failed: {' '.join(last)}")
    done, found = pickle.loads(ended.stdout)
    if not done:
        raise found
    return cast(T, found)
