"""What tests of densities share."""

from collections.abc import Iterator

import pytest

from hiermix import chain_starts
from hiermix.chain_starts import Started


@pytest.fixture(scope="module")
def unclimbed() -> Iterator[None]:
    """Take the coordinates of the quick fit: a density is one in any, whatever its modes."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(chain_starts, "start", lambda assembled: Started(assembled(None), []))
        yield
