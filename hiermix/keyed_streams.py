"""Random numbers that belong to what they are for: a seed, a purpose, a label or a row.

Streams are counter-based (Philox; Salmon et al., 2011) and keyed by a hash, so that a level or a
row gets the same numbers whatever stands beside it, in whatever order and pieces they are drawn.
"""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

from hiermix.typing import FloatArray


def _hashed(text: str) -> np.ndarray:
    return np.frombuffer(blake2b(text.encode(), digest_size=16).digest(), dtype=np.uint64)


def _key(seed: int, *purpose: object) -> np.ndarray:
    # Labels that print alike are one label everywhere in hiermix, so text is enough.
    return _hashed("\x1f".join([str(int(seed)), *map(str, purpose)]))


def generator(seed: int, *purpose: object) -> np.random.Generator:
    """Return the generator of a purpose, such as ``("effect", "county", "AITKIN")``."""
    return np.random.Generator(np.random.Philox(key=_key(seed, *purpose)))


class Streams:
    """One generator that is set to one stream of many; not to be shared by threads."""

    def __init__(self, seed: int, *purpose: object) -> None:
        self._bits = np.random.Philox(key=_key(seed, *purpose))
        self._rng = np.random.Generator(self._bits)
        self._state = self._bits.state

    def at(self, place: tuple[int, int]) -> np.random.Generator:
        """Return the generator at the start of the stream of two numbers, as a row has them."""
        self._state["state"]["counter"][:] = (0, 0, *place)
        self._bits.state = self._state
        return self._rng

    def normals(self, labels: Iterable[str], number: int, draws: int) -> FloatArray:
        """Return standard normal numbers (labels, number, draws), a stream a label."""
        each = [self.at(tuple(_hashed(label).tolist())).standard_normal((number, draws))
                for label in labels]  # fmt: skip
        return np.array(each).reshape(len(each), number, draws)
