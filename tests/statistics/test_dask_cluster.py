"""Dask works on statistics where the rows are; a worker that is lost changes nothing."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm

dd = pytest.importorskip("dask.dataframe")
distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of Dask, about ports and lost workers
]
FORMULA = "y ~ x + word + (1 + x | g)"


def rows(part: int, wait: float = 0.0) -> pd.DataFrame:
    time.sleep(wait)
    rng = np.random.default_rng(part)
    g = rng.integers(0, 20, 2_000)
    x = rng.normal(size=len(g))
    word = rng.choice(["a", "b"], len(g)) if part < 11 else np.full(len(g), "late")
    return pd.DataFrame({"y": x + g + rng.normal(size=len(g)), "x": x, "g": g, "word": word})


@pytest.fixture
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as found,
    ):
        yield found


def test_a_worker_that_is_killed_in_the_middle_changes_nothing(client: Any) -> None:
    expected = hm.statistics(FORMULA, [rows(part) for part in range(12)])
    frame = dd.from_map(rows, range(12), wait=0.5, meta=rows(0).iloc[:0])
    victims = list(client.run(os.getpid).values())
    killer = threading.Timer(2.5, lambda: os.kill(victims[0], signal.SIGKILL))
    killer.start()
    found = hm.statistics(FORMULA, frame)
    killer.join()
    assert victims[0] not in client.run(os.getpid).values()
    assert (len(found), found.levels.tolist()) == (24_000, list(range(20)))
    np.testing.assert_allclose(found.sums.XtX, expected.sums.XtX, rtol=1e-12, atol=1e-8)
    np.testing.assert_allclose(found.sums.ZtZ, expected.sums.ZtZ, rtol=1e-12, atol=1e-8)
    assert found.sums.ete == pytest.approx(expected.sums.ete, rel=1e-12)
