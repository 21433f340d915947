"""What rows cost that don't stand in memory: from Parquet files to statistics, then a fit."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import hiermix as hm
from benchmarks.scaling import _resident

ROWS, GROUPS, FILES = 20_000_000, 1_000, 8
FORMULA = "y ~ x + z + (1 | g)"
MANY_ROWS, MANY_GROUPS = 10_000_000, 1_000_000
SOURCES = ("parquet", "duckdb", "polars", "dask", "text labels", "poly(x, 2)")


def write(folder: Path, rows: int = ROWS, files: int = FILES) -> None:
    """Write a Parquet data set of two numeric columns, a response, and labels: numbers and text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    effects = np.random.default_rng(0).normal(size=GROUPS)
    names = pa.array([f"site {each:04}" for each in range(GROUPS)])
    for place in range(files):
        rng = np.random.default_rng(place + 1)
        n = rows // files
        g = rng.integers(0, GROUPS, n, dtype=np.int32)
        x, z = rng.normal(size=(2, n))
        y = 1 + x + 0.5 * z + effects[g] + rng.normal(size=n)
        table = pa.table({"y": y, "x": x, "z": z, "g": g, "site": names.take(pa.array(g))})
        pq.write_table(table, folder / f"part{place}.parquet")


def opened(name: str, folder: str) -> object:
    """Return a source of the files."""
    if name == "duckdb":
        return f"select * from '{folder}/*.parquet'"
    if name == "polars":
        import polars as pl

        return pl.scan_parquet(f"{folder}/*.parquet")
    if name == "dask":
        import dask.dataframe as dd

        return dd.read_parquet(folder)
    return folder


def report(name: str, folder: str) -> None:
    """Print processor time, time and memory of one source as JSON."""
    formula = {"text labels": FORMULA.replace("| g", "| site"),
               "poly(x, 2)": FORMULA.replace("x +", "poly(x, 2) +")}.get(name, FORMULA)  # fmt: skip
    small = pd.DataFrame({"y": [1.0, 2, 4, 3], "x": [1.0, 3, 2, 5], "z": [0.0, 1, 0, 2]})
    hm.statistics(formula, small.assign(g=[1, 1, 2, 2], site=["a", "a", "b", "b"]))  # imports
    source = opened(name, folder)
    processor, clock = time.process_time(), time.perf_counter()
    found = hm.statistics(formula, source)
    used = {"processor": time.process_time() - processor, "clock": time.perf_counter() - clock}
    peak = _resident() / 1024
    clock = time.perf_counter()
    hm.Model.from_statistics(found).fit(seed=1, progress=False)
    print(json.dumps({**used, "peak": peak, "fit": time.perf_counter() - clock}))


def write_many(folder: Path) -> None:
    """Write rows of very many groups, whose labels are text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    effects = np.random.default_rng(0).normal(size=MANY_GROUPS)
    for place in range(FILES):
        rng = np.random.default_rng(place + 1)
        n = MANY_ROWS // FILES
        g = rng.integers(0, MANY_GROUPS, n)
        x = rng.normal(size=n)
        y = 1 + x + effects[g] + rng.normal(size=n)
        names = pa.array(pd.Series(g).map("customer {:07}".format))
        pq.write_table(pa.table({"y": y, "x": x, "g": names}), folder / f"part{place}.parquet")


def steps(folder: str) -> Iterator[str]:
    """Sum rows of very many groups, fit, summarise, and write the table of effects."""
    found = hm.statistics("y ~ x + (1 | g)", folder)
    yield "sums"
    fit = hm.Model.from_statistics(found).fit(seed=1, progress=False, memory="1 GB")
    yield "fit"
    fit.summary()
    yield "summary"
    fit.group_effects("g", into=f"{folder}.parquet")
    yield "table of effects"


def report_many(folder: str) -> None:
    """Print processor time, time and peak of memory after each step as JSON."""
    processor, clock = time.process_time(), time.perf_counter()
    for step in steps(folder):
        now = time.process_time(), time.perf_counter()
        print(json.dumps({"step": step, "processor": now[0] - processor, "clock": now[1] - clock,
                          "peak": _resident() / 1024}), flush=True)  # fmt: skip
        processor, clock = now


def many_groups() -> None:
    """Print one row a step."""
    print(f"\n{MANY_ROWS:,} rows in {MANY_GROUPS:,} groups; y ~ x + (1 | g)\n")
    print("| step | s of a core | s | peak GB |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder, "rows")
        rows.mkdir()
        write_many(rows)
        code = f"from benchmarks.streams import report_many; report_many({str(rows)!r})"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        for line in run.stdout.splitlines():
            found = json.loads(line)
            print(f"| {found['step']} | {found['processor']:.0f} | {found['clock']:.0f} | "
                  f"{found['peak']:.2f} |", flush=True)  # fmt: skip
        run.check_returncode()


def main() -> None:
    """Print one row a source, then one a step with very many groups."""
    many_groups()
    print(f"{ROWS:,} rows in {GROUPS:,} groups; {FORMULA}\n")
    print("| source | rows / s of a core | s | peak GB | fit, s |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        for name in SOURCES:
            code = f"from benchmarks.streams import report; report({name!r}, {folder!r})"
            run = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            )
            found = json.loads(run.stdout.splitlines()[-1])
            print(f"| {name} | {ROWS / found['processor']:,.0f} | {found['clock']:.1f} | "
                  f"{found['peak']:.2f} | {found['fit']:.1f} |", flush=True)  # fmt: skip
