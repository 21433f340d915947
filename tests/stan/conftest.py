"""What tests of densities share."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import pytest

from hiermix.design.design import Design
from hiermix.typing import FloatArray


@pytest.fixture(scope="module", autouse=True)
def _matrices_once() -> Iterator[None]:
    """Work out the matrices of a design once: dense references ask for them at every point."""
    known: dict[tuple[object, ...], tuple[Design, FloatArray]] = {}

    def once(method: Callable[..., FloatArray]) -> Callable[..., FloatArray]:
        @wraps(method)
        def matrix(design: Design, *arguments: Any, **more: Any) -> FloatArray:
            if not all(isinstance(each, str | slice) for each in (*arguments, *more.values())):
                return method(design, *arguments, **more)
            asked = method.__name__, id(design), repr((arguments, more))
            if asked not in known:
                known[asked] = design, method(design, *arguments, **more)
            return known[asked][1].copy()

        return matrix

    with pytest.MonkeyPatch.context() as patched:
        for name in ("X", "Z"):
            patched.setattr(Design, name, once(getattr(Design, name)))
        yield
