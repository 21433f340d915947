"""Ranks along an axis: pandas' own."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.posterior.ranks import ranks


@pytest.mark.parametrize("order", ["highest", "lowest"])
def test_ranks_are_those_of_pandas(order: str) -> None:
    values = np.random.default_rng(1).normal(size=(6, 3, 4))
    found = ranks(values, order)
    expected = pd.DataFrame(values.reshape(6, -1)).rank(ascending=order == "lowest")
    np.testing.assert_array_equal(found.reshape(6, -1), expected)


def test_equal_ones_share_the_ranks_in_their_order() -> None:
    assert ranks(np.array([2.0, 5.0, 2.0, 5.0]), "highest").tolist() == [3, 1, 4, 2]
    assert ranks(np.array([2.0, 5.0, 2.0, 5.0]), "lowest").tolist() == [1, 3, 2, 4]


def test_there_are_two_orders() -> None:
    with pytest.raises(hm.ArgumentError, match="order must be one of highest, lowest, not 'best'"):
        ranks(np.ones(2), "best")
