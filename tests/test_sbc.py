"""Simulation-based calibration: the stored ranks, and fresh replicates as a slow test.

``make sbc`` adds what is missing to the stored ranks.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hiermix.stan import programs

SBC = Path(__file__).parent / "sbc"
sys.path.insert(0, str(SBC))

import categories  # noqa: E402
import curve_kinds  # noqa: E402
import equations  # noqa: E402
import missing_values  # noqa: E402
import pair_sums  # noqa: E402
import residual_patterns  # noqa: E402
import responses  # noqa: E402
import shared_parts  # noqa: E402
import shrunk  # noqa: E402
import simulate  # noqa: E402
import smooth_series  # noqa: E402
import steps_and_items  # noqa: E402

FURTHER = {
    each.name: each
    for each in (
        categories.SCENE,
        curve_kinds.SCENE,
        equations.SCENE,
        missing_values.SCENE,
        pair_sums.SCENE,
        residual_patterns.SCENE,
        responses.SCENE,
        shared_parts.SCENE,
        shrunk.SCENE,
        steps_and_items.SCENE,
        smooth_series.SCENE,
    )
}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    every = [simulate.table(), *(scene.table() for scene in FURTHER.values())]
    return pd.concat(every, ignore_index=True)


BEGUN = {
    "skew_normal", "exgaussian", "hurdle_gamma", "hurdle_lognormal", "zero_inflated_beta",
    "zero_one_inflated_beta", "zero_inflated_binomial", "geometric",
    "inverse_gaussian", "von_mises", "sratio", "cratio", "acat", "shifted_lognormal", "tweedie",
    "categorical (multinomial)",
}  # fmt: skip
"""Programs that have `FEWER` replicates yet."""
FEWER = 50
OF_USERS = {"custom", "custom_density"}
"""Programs whose likelihood is the user's."""


def test_every_program_is_calibrated(table: pd.DataFrame) -> None:
    ranked = {name.split(" (")[0] for name in simulate.CASES}
    ranked |= {case.split()[0] for case in (*residual_patterns.CASES, *pair_sums.CASES)}
    assert not ranked & OF_USERS
    assert ranked | OF_USERS == set(programs.names())
    many = {name: scene.replicates for name, scene in simulate.SCENES.items()}
    many |= {name: scene.replicates for name, scene in FURTHER.items()}
    wanted = table["scene"].map(many).mask(table["program"].isin(BEGUN), FEWER)
    assert (table["replicates"] >= wanted).all()
    stored = set(zip(table["program"], table["scene"], strict=True))
    expected = {(name, scene) for name in simulate.CASES for scene in simulate.SCENES}
    expected |= {(case, scene.name) for scene in FURTHER.values() for case in scene.cases}
    # Equations of some later programs' parameters are those of others, but for where they stand.
    later = {(name, scene) for name, scene in expected
             if scene == "equations" and name.split()[0] in BEGUN}  # fmt: skip
    assert expected - later <= stored <= expected


def test_stored_ranks_are_uniform(table: pd.DataFrame) -> None:
    # The smallest p of so many tests of uniform ranks is below this once in a hundred tables.
    worst = table.loc[table["p"].idxmin()]
    assert worst["p"] > 0.01 / len(table), worst
    error = np.sqrt(1 / 12 / table["replicates"])
    assert (np.abs(table["mean rank"] - 0.5) < 4.5 * error).all()


@pytest.mark.slow
@pytest.mark.parametrize("scene", simulate.SCENES)
@pytest.mark.parametrize("name", simulate.CASES)
def test_fresh_ranks_are_uniform(name: str, scene: str) -> None:
    found = simulate.calibrate(name, scene, range(10_000, 10_025))
    for quantity in found.columns.drop("replicate"):
        off = (found[quantity].mean() / simulate.DRAWS - 0.5) / np.sqrt(1 / 12 / len(found))
        assert abs(off) < 4.5, quantity


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scene", "case"),
    [(name, case) for name, scene in FURTHER.items() for case in scene.cases],
)
def test_fresh_ranks_of_further_scenes_are_uniform(scene: str, case: str) -> None:
    found = FURTHER[scene].calibrate(case, range(10_000, 10_025))
    for quantity in found.columns.drop("replicate"):
        off = (found[quantity].mean() / simulate.DRAWS - 0.5) / np.sqrt(1 / 12 / len(found))
        assert abs(off) < 4.5, quantity
