"""Simulation-based calibration: the stored table, and fresh replicates as a slow test.

``make sbc`` fills the table anew.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hiermix import programs

SBC = Path(__file__).parent / "sbc"
sys.path.insert(0, str(SBC))

import simulate  # noqa: E402

TABLE = pd.read_csv(SBC / "table.csv")


def test_every_program_is_calibrated() -> None:
    assert set(TABLE["program"]) == set(simulate.CASES)
    assert {name.split(" (")[0] for name in simulate.CASES} == set(programs.names())
    assert (TABLE["replicates"] >= simulate.REPLICATES).all()


def test_stored_ranks_are_uniform() -> None:
    bins = TABLE.filter(regex=r"^bin \d$")
    assert (bins.sum(axis=1) == TABLE["replicates"]).all()
    # The smallest p of so many tests of uniform ranks is below this once in a hundred tables.
    assert TABLE["p"].min() > 0.01 / len(TABLE)
    error = np.sqrt(1 / 12 / TABLE["replicates"])
    assert (np.abs(TABLE["mean rank"] - 0.5) < 4.5 * error).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", simulate.CASES)
def test_fresh_ranks_are_uniform(name: str) -> None:
    found = simulate.calibrate(name, replicates=25)
    for quantity, each in found.groupby("quantity"):
        off = (each["rank"].mean() / simulate.DRAWS - 0.5) / np.sqrt(1 / 12 / len(each))
        assert abs(off) < 4.5, quantity
