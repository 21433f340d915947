"""Runs benchmarks and prints Markdown tables: ``python -m benchmarks [gaussian scaling ...]``."""

import importlib
import sys

ALL = ("startup", "gaussian", "scaling", "sampled", "crossed", "predictions", "peers")


def main(names: list[str]) -> None:
    """Run the benchmarks named, or all of them."""
    for name in names or ALL:
        print(f"\n## {name}\n", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
