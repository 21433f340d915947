"""Random numbers belong to what they are for: order, company and pieces change none."""

import numpy as np
from scipy import stats

from hiermix.keyed_streams import Streams, generator


def test_a_purpose_has_its_numbers() -> None:
    first = generator(1, "effect", "county", 3).normal(size=5)
    np.testing.assert_array_equal(first, generator(1, "effect", "county", "3").normal(size=5))
    others = [(2, "effect", "county", 3), (1, "effect", "county", 4), (1, "effect", "county3")]
    for other in others:
        assert not np.isin(first, generator(*other).normal(size=5)).any()


def test_labels_have_the_same_numbers_in_any_order_and_company() -> None:
    streams = Streams(7, "row")
    both = streams.normals(["a", "b"], 2, 6)
    assert both.shape == (2, 2, 6)
    np.testing.assert_array_equal(streams.normals(["b"], 2, 6)[0], both[1])
    np.testing.assert_array_equal(Streams(7, "row").normals(["b", "a"], 2, 6)[::-1], both)
    assert streams.normals([], 2, 6).shape == (0, 2, 6)


def test_a_place_starts_anew_whatever_was_drawn_before() -> None:
    """Also after half of a pair of numbers, which a generator keeps for the next."""
    streams = Streams(7, "row")
    first = streams.at((3, 0)).standard_normal(4)
    streams.at((2, 1)).integers(0, 2, 3, dtype=np.uint32)
    np.testing.assert_array_equal(streams.at((3, 0)).standard_normal(4), first)
    assert not np.isin(first, streams.at((0, 3)).standard_normal(4)).any()


def test_streams_are_normal_and_independent() -> None:
    z = Streams(1, "check").normals(map(str, range(400)), 1, 25)[:, 0]
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-4
    assert stats.kstest(np.sqrt(25) * z.mean(axis=1), "norm").pvalue > 1e-4
    assert abs(np.corrcoef(z[:-1].ravel(), z[1:].ravel())[0, 1]) < 5 / 100
