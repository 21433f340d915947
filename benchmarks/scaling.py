"""What rows and groups cost: sampling time, the pass over the rows, peak memory."""

import json
import subprocess
import sys

import pandas as pd

import hiermix as hm
from benchmarks.measure import timed, two_level

CASES = [(20_000, 1_000), (200_000, 1_000), (2_000_000, 1_000), (100_000, 10_000)]
FORMULA = "y ~ x + (1 + x | g)"


def case(rows: int, groups: int) -> dict[str, float]:
    """Fit one size in a fresh process, which reports its own times and memory."""
    code = f"from benchmarks.scaling import report; report({rows}, {groups})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def report(rows: int, groups: int) -> None:
    """Print times and memory of one fit as JSON."""
    hm.Model(FORMULA, two_level(500, 10)).fit(seed=1, chains=1, warmup=150, draws=10)  # imports
    data = two_level(rows, groups)
    frame = data.memory_usage(index=False).sum() / 2**20
    before = _resident(reset=True)
    building, model = timed(lambda: hm.Model(FORMULA, data))
    statistics, _ = timed(model.stan_data)
    prepared = _resident() - before
    fit = model.fit(seed=1, engine="embedded")
    seconds = json.loads(fit.data.attrs["seconds"])
    found = {
        "design": building, "statistics": statistics, "sampling": seconds["sampling"],
        "effects": seconds["effects"], "frame": frame, "prepared": prepared,
        "peak": _resident() - before,
    }  # fmt: skip
    print(json.dumps(found))


def _resident(*, reset: bool = False) -> float:
    """Peak resident memory in MB since the last reset; where Linux can reset it."""
    if reset:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file if ":" in line)
    return int(lines["VmHWM"].split()[0]) / 1024


def main() -> None:
    """Print one row a size."""
    rows = [{"rows": n, "groups": j, **case(n, j)} for n, j in CASES]
    table = pd.DataFrame(rows)
    table["rows / s"] = table["rows"] / (table["design"] + table["statistics"])
    base = table.loc[(table["rows"] == 20_000), "sampling"].item()
    table["sampling / 20,000 rows"] = table["sampling"] / base
    print("4 chains, default warmup and draws; seconds, and MB above the start\n")
    print("| " + " | ".join(table.columns) + " |")
    print("|" + " --- |" * len(table.columns))
    for row in table.itertuples(index=False):
        print("| " + " | ".join(f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"
                                for value in row) + " |")  # fmt: skip
