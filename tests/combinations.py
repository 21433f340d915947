"""Combinations of parameters: some of them in the quick suite, all of them in the slow one."""

import itertools
from collections.abc import Iterable
from typing import Any

import pytest


def thinned(every: int, *columns: Iterable[Any]) -> list[Any]:
    """Return all combinations; but one in `every`, with each value among them, they are slow."""
    lists = [list(column) for column in columns]
    places = list(itertools.product(*(range(len(each)) for each in lists)))
    quick = {at for at in places if sum(at) % every == 0}
    seen = [{at[k] for at in quick} for k in range(len(lists))]
    assert all(len(met) == len(each) for met, each in zip(seen, lists, strict=True)), "too few"
    return [
        pytest.param(*(each[i] for each, i in zip(lists, at, strict=True)),
                     marks=() if at in quick else pytest.mark.slow)
        for at in places
    ]  # fmt: skip
