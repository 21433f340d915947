"""Runs benchmarks and prints Markdown tables: ``python -m benchmarks [gaussian scaling ...]``.

``python -m benchmarks designs --only 3 17`` fits the designs of these seeds alone; ``python -m
benchmarks numbers store FILE`` and ``... numbers compare FILE`` say whether any number has moved.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

ALL = (
    "startup", "gaussian", "scaling", "streams", "nested", "sampled", "crossed", "predictions",
    "peers",
)  # fmt: skip
HOURS = ("designs",)
NAMED = (*HOURS, "encoders", "hundred_millions")
"""Run when they are named: they take hours, other packages, or 5 GB of disk."""


def main(names: Sequence[str], only: Sequence[int] = ()) -> None:
    """Run the benchmarks named, or all of them but those that take hours."""
    for name in names or ALL:
        print(f"\n## {name}\n", flush=True)
        module = importlib.import_module(f"benchmarks.{name}")
        if name in HOURS:
            module.main(only)
        else:
            module.main()


if __name__ == "__main__":
    if sys.argv[1:2] == ["numbers"]:
        importlib.import_module("benchmarks.numbers").main(sys.argv[2:])
        sys.exit()
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", choices=[[], *ALL, *NAMED], metavar="name")
    parser.add_argument("--only", nargs="+", type=int, default=(), metavar="SEED")
    given = parser.parse_args()
    main(given.names, given.only)
