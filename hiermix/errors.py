"""The errors hiermix raises, and the helpers that phrase rows and near names.

    HiermixError
    ├── ArgumentError    an option outside its range (also a ValueError)
    ├── FormulaError     text that is no formula, or one that may not be run
    ├── DataError        a frame that can't be modelled as asked
    │   └── UnseenError  rows of which the fit knows nothing; carries their positions
    ├── PriorError       a prior for nothing, or one that is no distribution
    └── EngineError      the engine failed; carries the engine's own last lines

A message says what is wrong, where, how often and the first three places, then the way out.
"""

import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd


class HiermixError(Exception):
    """Base of every error that hiermix raises on purpose."""


class ArgumentError(HiermixError, ValueError):
    """An option has a value outside its range."""


class FormulaError(HiermixError):
    """A formula can't be read, or asks for something a formula may not do."""


class DataError(HiermixError):
    """The data can't be modelled as asked."""


class UnseenError(DataError):
    """Rows have levels, or combinations of them, that the fit never saw.

    Attributes
    ----------
    rows : array
        Positions of these rows.
    """

    def __init__(self, message: str, rows: np.ndarray) -> None:
        super().__init__(message)
        self.rows = rows

    def __reduce__(self) -> tuple[type, tuple[str, np.ndarray]]:
        """Travel between processes with both arguments."""
        return type(self), (str(self), self.rows)


class PriorError(HiermixError):
    """A prior names nothing in the model, or is not a proper distribution."""


class EngineError(HiermixError):
    """The engine that samples could not be found, or failed."""


class HiermixWarning(UserWarning):
    """Something the user should know; the answer stands."""


_FILTERS = threading.RLock()
_PACKAGE = str(Path(__file__).parent)


@contextmanager
def ignored_warnings(category: type[Warning] = Warning) -> Iterator[None]:
    """Ignore warnings of a category meanwhile.

    Filters belong to the process: threads that change them take turns, or what the last one puts
    back is what another one had set.
    """
    ours = issubclass(HiermixWarning, category)
    with _FILTERS, warnings.catch_warnings(), collected_warnings() if ours else nullcontext():
        warnings.simplefilter("ignore", category)
        yield


_COLLECTED: ContextVar[list[str] | None] = ContextVar("collected", default=None)


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Yield a list that takes the warnings of this thread, instead of its user."""
    found: list[str] = []
    token = _COLLECTED.set(found)
    try:
        yield found
    finally:
        _COLLECTED.reset(token)


def warn(message: str) -> None:
    """Warn, pointing at the first caller outside the package."""
    collected = _COLLECTED.get()
    if collected is not None:
        collected.append(message)
    else:
        warnings.warn(message, HiermixWarning, skip_file_prefixes=(_PACKAGE,))


def count(number: int, noun: str) -> str:
    """Return ``"1 row"``, ``"2 rows"``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def quoted(item: object) -> str:
    """Return a value as its user would write it: numpy's numbers are plain, long lists are cut."""
    if isinstance(item, np.generic):
        item = item.item()
    if isinstance(item, np.ndarray | pd.Series | pd.Index | pd.DataFrame):
        return f"an array of {' x '.join(map(str, item.shape))} values"
    if isinstance(item, list):
        return f"[{first_three(item)}]"
    return repr(item)


def first_three(items: Iterable[object]) -> str:
    """Return up to three items, quoted if text, with ``...`` where more follow."""
    shown = list(items)
    return ", ".join(quoted(item) for item in shown[:3]) + (", ..." if len(shown) > 3 else "")


def at_rows(positions: Sequence[int] | np.ndarray, index: pd.Index | None = None) -> str:
    """Return ``"(row 3)"`` or ``"(rows 3, 5, 8, ...)"``.

    Positions count from 0. Index labels follow where they differ from the positions.
    """
    some = [int(position) for position in positions[:3]]
    more = ", ..." if len(positions) > 3 else ""
    text = ", ".join(map(str, some)) + more
    if index is not None:
        labels = [index[position] for position in some]
        if labels != some:
            text += f"; index {', '.join(map(quoted, labels))}{more}"
    return f"({'row' if len(positions) == 1 else 'rows'} {text})"


def did_you_mean(name: str, known: Iterable[object]) -> str:
    """Return ``" Did you mean 'x'?"``, or nothing where no known name is near."""
    near = get_close_matches(name, [str(item) for item in known], n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def caret(text: str, position: int) -> str:
    """Return the formula on a line of its own, and a caret under the place."""
    line = "".join(" " if character.isspace() else character for character in text)
    return f"\n    {line}\n    {' ' * position}^"
