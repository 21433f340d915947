"""Ctrl-C while a source is read: no file is left, no process, and the next call works."""

import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.design import sources
from hiermix.statistics.summing import Summing

FORMULA = "y ~ x + (1 | g)"
KINDS = ("frame", "files", "frames", "function", "iterator", "arrow", "polars", "duckdb", "dask")


def rows(number: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    g, x = rng.integers(0, 9, number), rng.normal(size=number)
    return pd.DataFrame({"y": x + g + rng.normal(size=number), "x": x, "g": g})


def opened(kind: str, folder: Path) -> Any:
    """The rows as a source of some kind, in parts of a hundred."""
    parts = [rows().iloc[start : start + 100] for start in (0, 100, 200)]
    folder.mkdir(exist_ok=True)
    for place, part in enumerate(parts):
        part.to_parquet(folder / f"{place}.parquet")
    files = str(folder / "*.parquet")
    if kind == "polars":
        return pytest.importorskip("polars").scan_parquet(files)
    if kind == "arrow":
        table = pytest.importorskip("pyarrow").Table.from_pandas(rows())
        return table.to_reader(max_chunksize=100)
    if kind == "dask":
        return pytest.importorskip("dask.dataframe").read_parquet(str(folder))
    if kind == "duckdb":
        pytest.importorskip("duckdb")
        return f"select * from '{files}'"
    each: dict[str, Any] = {
        "frame": rows(), "files": files, "frames": parts, "function": lambda: iter(parts),
        "iterator": iter(parts),
    }  # fmt: skip
    return each[kind]


def children() -> set[str]:
    """Processes that this one has started, but for those that have ended."""
    tasks = Path("/proc/self/task").glob("*/children")
    each = {child for task in tasks for child in task.read_text().split()}
    return {child for child in each if "Z" not in Path(f"/proc/{child}/stat").read_text().split()}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads Linux's list of processes")
@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_leaves_nothing(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "BATCH", 100)
    for where in ("temporary", "here"):
        (tmp_path / where).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path / "here")
    before, threads = children(), threading.active_count()
    source = opened(kind, tmp_path / "rows")
    add = Summing._add

    sent = threading.Lock()

    def interrupted(self: Summing, design: Any) -> None:
        add(self, design)
        if sent.acquire(blocking=False):  # once: threads of a pool would send one each, and late
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(0.2)

    monkeypatch.setattr(Summing, "_add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        hm.statistics(FORMULA, source)
    assert not os.listdir(tmp_path / "temporary")
    assert not os.listdir(tmp_path / "here")
    assert children() <= before
    if kind not in ("dask", "polars", "duckdb", "files", "arrow"):  # these keep pools of threads
        assert threading.active_count() <= threads
    monkeypatch.setattr(Summing, "_add", add)
    again = hm.statistics(FORMULA, opened(kind, tmp_path / "rows"))
    assert len(again) == 300
