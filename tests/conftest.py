"""What all tests share: the engine they sample with, how hypothesis searches."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from hiermix import chain_starts
from hiermix.chain_starts import Started

# Tests of the CmdStan engine name it themselves; the others must not compile where it is there.
os.environ.setdefault("HIERMIX_ENGINE", "embedded")

# The quick suite searches the same examples everywhere; what a free search has found stands beside
# its test as an example. Speed differs between machines, so no test has a deadline.
settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# A shell that starts the suite in the background has it ignore the signals that some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="module")
def unclimbed() -> Iterator[None]:
    """Take the coordinates of the quick fit: a density is one in any, whatever its modes."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(chain_starts, "start", lambda assembled: Started(assembled(None), []))
        yield
