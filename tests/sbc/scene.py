"""Calibration of models beside those of `simulate`: a scene is a name, and ranks of each case.

``python tests/sbc/NAME.py`` adds the replicates that are missing to the stored ranks.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import pandas as pd
import simulate


@dataclass(frozen=True)
class Scene:
    """Cases, and the ranks of true values among the draws of one fit."""

    name: str
    replicates: int
    """That are stored of each case."""
    cases: Sequence[str]
    ranks: Callable[[str, int], dict[str, int]]
    """Of a case and a replicate."""

    def calibrate(self, case: str, replicates: Iterable[int]) -> pd.DataFrame:
        """Ranks of replicates, one row each."""
        return pd.DataFrame([{"replicate": each, **self.ranks(case, each)} for each in replicates])

    def add(self, case: str, start: int) -> str:
        """Add a batch of replicates, those that are not stored yet."""
        wanted = range(start, min(start + simulate.BATCH, self.replicates))
        simulate.complete(_file(case), self.name, wanted, partial(self.calibrate, case))
        return f"{case} {start}"

    def table(self) -> pd.DataFrame:
        """Tests of all stored ranks."""
        stored = {case: simulate.stored(_file(case), self.name) for case in self.cases}
        found = [simulate.summarise(case, self.name, ranks) for case, ranks in stored.items()]
        return pd.concat(found, ignore_index=True)

    def main(self) -> None:
        """Calibrate every case, some replicates at a time; print the table."""
        with ProcessPoolExecutor(int(os.environ.get("PROCESSES", "2"))) as pool:
            for start in range(0, self.replicates, simulate.BATCH):
                starts = [start] * len(self.cases)
                for done in pool.map(self.add, self.cases, starts):
                    print(done, flush=True)
        print(self.table().to_string(index=False))


def _file(case: str) -> str:
    return case.replace(" ", "_")
