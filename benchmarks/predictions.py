"""Time and peak memory of predictions: 4,000 draws of new rows to quantiles, to a file, averaged.

Run: python -m benchmarks.predictions
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import hiermix as hm

DRAWS = 1000
CHAINS = 4
GROUPS = 500


def frame(rows: int, seed: int) -> pd.DataFrame:
    """Return a panel with intercepts and slopes that vary over 500 groups; yes is y above 1."""
    rng = np.random.default_rng(seed)
    group = rng.integers(GROUPS, size=rows)
    x = rng.standard_normal(rows)
    r = np.random.default_rng(0).standard_normal((GROUPS, 2)) * [1.0, 0.5]
    y = 1 + r[group, 0] + (0.5 + r[group, 1]) * x + rng.standard_normal(rows)
    return pd.DataFrame({"y": y, "yes": y > 1, "x": x, "g": [f"g{k:03d}" for k in group]})


def one(what: str, rows: int) -> None:
    """Fit, predict once, and print seconds and the peak memory of the process."""
    binary = what.startswith("logit")
    formula = f"{'yes' if binary else 'y'} ~ x + (1 + x | g)"
    model = hm.Model(formula, frame(20_000, 1), family="bernoulli" if binary else "gaussian")
    fit = model.fit(seed=1, chains=CHAINS, draws=DRAWS, warmup=300, progress=False)
    new = frame(rows, 2)
    before = peak()
    start, cpu = time.perf_counter(), time.process_time()
    kind, _, way = what.partition(" to ")
    if way == "average":
        fit.comparisons("x", newdata=new, by=True)
    elif way == "quantiles":
        fit.predict(new, kind=kind, quantiles=[0.05, 0.5, 0.95])
    else:
        with tempfile.TemporaryDirectory() as folder:
            fit.predict(new, kind=kind, into=Path(folder) / "draws.nc").close()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(
        f"{what:24} {rows:9,} rows {seconds:7.1f} s, {cpu:5.1f} s of CPU   "
        f"peak {peak():6.0f} MB ({before:.0f} before)"
    )


def peak() -> float:
    """Return the most memory this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure each case in a process of its own."""
    cases = [("mean to quantiles", 100_000), ("response to quantiles", 100_000),
             ("mean to file", 25_000), ("mean to file", 100_000),
             ("gaussian to average", 1_000_000), ("logit to average", 1_000_000)]  # fmt: skip
    for what, rows in cases:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.predictions", what, str(rows)], check=True
        )


if __name__ == "__main__":
    one(sys.argv[1], int(sys.argv[2])) if len(sys.argv) > 1 else main()
