"""Factors nested in each other: effects integrated out against sampled, and what rows cost.

Seconds are those of the processor, from formula to result, with one core: comparisons hold beside
other work.
"""

import time

import numpy as np
import pandas as pd

import hiermix as hm
from benchmarks.measure import Run, by_hiermix, table

SLOPES = "y ~ x + (1 | school) + (1 + x | school:child)"
SETTINGS = {"seed": 1, "chains": 2, "warmup": 300, "draws": 500, "engine": "embedded", "cores": 1}


def schools(rows: int, outer: int, inner: int, seed: int = 1) -> pd.DataFrame:
    """Simulate children in schools, with slopes that vary over children: y, x, school, child."""
    rng = np.random.default_rng(seed)
    child = np.arange(rows) % inner
    school, x = child % outer, rng.normal(size=rows)
    effects = rng.normal(size=(inner, 2)) * [0.7, 0.3]
    y = 1 + 0.5 * x + rng.normal(size=outer)[school] + effects[child, 0] + effects[child, 1] * x
    return pd.DataFrame({"y": y + rng.normal(size=rows), "x": x, "school": school, "child": child})


def run(formula: str, data: pd.DataFrame, effects: str) -> Run:
    """Fit from formula to result, in seconds of the processor."""
    start = time.process_time()
    fit = hm.Model(formula, data, effects=effects).fit(**SETTINGS)
    seconds = time.process_time() - start
    found = by_hiermix(fit, effects)
    return Run(found.name, seconds, found.ess, found.steps)


def main() -> None:
    """Three levels both ways, a large one, and rows from 20,000 to 2,000,000."""
    run(SLOPES, schools(500, 5, 50), "integrated")  # imports
    print("9,000 rows x 60 schools x 1,800 children with slopes; 2 chains, 300 + 500\n")
    small = schools(9_000, 60, 1_800)
    print(table([run(SLOPES, small, effects) for effects in ("integrated", "sampled")]), flush=True)
    print(
        "\nformula to result, integrated\n\n| rows | schools | children | seconds | smallest ESS |"
    )
    print("| --- | --- | --- | --- | --- |")
    for rows, outer, inner in [(100_000, 200, 10_000), (20_000, 60, 1_800), (2_000_000, 60, 1_800)]:
        one = run(SLOPES, schools(rows, outer, inner), "integrated")
        print(f"| {rows:,} | {outer} | {inner:,} | {one.seconds:.1f} | {one.ess:.0f} |", flush=True)
