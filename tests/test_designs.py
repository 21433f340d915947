"""The benchmark's random designs: every family comes up, and every one is a model."""

import pytest

import hiermix as hm
from benchmarks import designs
from hiermix.families.table import FAMILIES

LATER = range(designs.DESIGNS, designs.DESIGNS + len(FAMILIES))


@pytest.mark.filterwarnings("ignore:.*as many levels as rows")  # some layouts are so small
@pytest.mark.parametrize("seed", [*range(18), *LATER])
def test_every_seed_is_a_model_and_always_the_same(seed: int) -> None:
    drawn = designs.draw(seed)
    assert drawn.data.equals(designs.draw(seed).data)
    model = hm.Model(drawn.formula, drawn.data, family=drawn.family)
    assert model.design.rows == len(drawn.data)
    assert min(len(each.levels) for each in model.design.groupings) >= 3


def test_families_take_turns() -> None:
    assert {designs.draw(seed).family for seed in LATER} == {*FAMILIES}
