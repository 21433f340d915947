"""From a fresh process: importing hiermix, and radon to its printed summary, with no compiler."""

import subprocess
import sys
import time

IMPORT = "import time; t = time.perf_counter(); import hiermix; print(time.perf_counter() - t)"
RADON = """
import hiermix as hm
radon = hm.load_dataset("radon")
fit = hm.Model("log_radon ~ floor + log_uranium + (1 + floor | county)", radon).fit(
    seed=1, engine="embedded"
)
print(fit.summary())
"""
REPEATS = 5


def run(code: str) -> tuple[float, str]:
    """Seconds of a fresh interpreter with an empty PATH, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PATH": ""}
    )
    return time.perf_counter() - start, done.stdout


def main() -> None:
    """Print the best and the worst of some repeats."""
    imports = [float(run(IMPORT)[1]) for _ in range(REPEATS)]
    radon = [run(RADON)[0] for _ in range(REPEATS)]
    print("| what | best | worst |\n| --- | --- | --- |")
    print(f"| import hiermix | {min(imports):.2f} s | {max(imports):.2f} s |")
    print(f"| radon, fresh process to printed summary | {min(radon):.2f} s | {max(radon):.2f} s |")
