"""100,000,000 rows in 1,000 groups from Parquet: written, summed, fitted and deleted again."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.streams import FORMULA, GROUPS, write

ROWS, FILES = 100_000_000, 40


def main() -> None:
    """Print one row: rows a second of processor time, time, memory, and the fit."""
    print(f"{ROWS:,} rows in {GROUPS:,} groups; {FORMULA}\n")
    print("| rows / s of a core | s | peak GB | fit, s |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), ROWS, FILES)
        code = f"from benchmarks.streams import report; report('parquet', {folder!r})"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        run.check_returncode()
        found = json.loads(run.stdout.splitlines()[-1])
        print(f"| {ROWS / found['processor']:,.0f} | {found['clock']:.0f} | {found['peak']:.2f} | "
              f"{found['fit']:.1f} |", flush=True)  # fmt: skip
