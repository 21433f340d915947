"""Rows that repeat are merged across batches: the model is that of the rows themselves."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hiermix as hm
from hiermix.engines import embedded
from hiermix.stan.chart import Chart
from hiermix.statistics import merged
from hiermix.statistics.merged import MergedRows

N = 1_200
FAST: dict[str, Any] = {"seed": 3, "chains": 2, "warmup": 100, "draws": 60, "progress": False}


def rows(seed: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "g": rng.choice(["north", "south", "east"], N),
            "word": pd.Categorical(rng.choice(["low", "mid", "top"], N), ["low", "mid", "top"]),
            "k": rng.integers(0, 4, N),
            "size": rng.choice([1.0, 2.0], N),
            "n": rng.integers(1, 4, N),
            "w": rng.choice([0.5, 1.0, 2.0], N),
        }
    )
    data["count"] = rng.poisson(np.exp(0.2 * data["k"]) * data["size"])
    data["yes"] = rng.random(N) < 0.3
    data["hits"] = rng.binomial(data["n"], 0.4)
    data["stars"] = pd.Categorical(data["word"], ["low", "mid", "top"], ordered=True)
    return data


MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "poisson": ("count ~ word + scale(k) + (1 | g)", {"family": "poisson", "offset": "size"}),
    "bernoulli": ("yes ~ word * k + (1 | g)", {"family": "bernoulli"}),
    "weighted": ("yes ~ word + (k | g)", {"family": "bernoulli", "weights": "w"}),
    "link": ("yes ~ word + (1 | g)", {"family": "bernoulli", "link": "probit"}),
    "success": ("g ~ word", {"family": "bernoulli", "success": "north"}),
    "trials": ("hits | trials(n) ~ poly(k, 2) + (1 | g)", {"family": "binomial"}),
    "ordinal": ("stars ~ k + (1 | g)", {"family": "ordinal"}),
    "categorical": ("g ~ k", {"family": "categorical"}),
    "equations": (["count ~ k + (1 | g)", "zi ~ word"], {"family": "zero_inflated_poisson"}),
    "two factors": ("count ~ k + (1 | g) + (1 | word)", {"family": "negative_binomial"}),
}


def pieces(data: pd.DataFrame) -> Iterator[pd.DataFrame]:
    yield from (data.iloc[place : place + 130] for place in range(0, len(data), 130))


def build(name: str, source: Any, **options: Any) -> MergedRows:
    formula, own = MODELS[name]
    found = hm.statistics(formula, source, **{**own, **options})
    assert isinstance(found, MergedRows)
    return found


def frame_of(name: str) -> pd.DataFrame:
    data = rows()
    return data[data["g"] != "east"] if name == "success" else data


@pytest.mark.parametrize("name", MODELS)
def test_the_model_is_that_of_the_rows(name: str) -> None:
    """Same priors and density: at points of the program that was tuned to the rows themselves."""
    data = frame_of(name)
    formula, own = MODELS[name]
    found = build(name, lambda: pieces(data))
    assert (len(found), found.frame["(seen)"].sum()) == (len(data), len(data))
    assert len(found.frame) < len(data) / 2
    expected, model = hm.Model(formula, data, **own), hm.Model.from_statistics(found)
    assert model.design.terms == expected.design.terms
    for prior, theirs in zip(model.priors.values(), expected.priors.values(), strict=True):
        np.testing.assert_allclose(prior.arguments, theirs.arguments, rtol=1e-9, atol=1e-9)
    ready, other = expected._posterior, model._posterior
    mine = {k: v for k, v in other.data.items() if k not in ready.data or np.size(v) > 0}
    assert mine.keys() == {k for k, v in ready.data.items() if np.size(v) > 0}
    # The rows of one in the coordinates of the other.
    rowwise = ("N", "X", "known", "level", "Z", "weight", "y", "top", "reached", "trials",
               "successes", "base", "exposure", "chosen", "C", "anchor")  # fmt: skip
    swapped = {**ready.data, **{k: other.data[k] for k in rowwise if k in other.data}}
    density, again = (embedded.density(ready.program, each) for each in (ready.data, swapped))
    rng = np.random.default_rng(1)
    for at in 0.5 * rng.standard_normal((4, Chart(ready.data).size)):
        assert again(at)[0] == pytest.approx(density(at)[0], rel=1e-9)


@settings(max_examples=15)
@given(
    name=st.sampled_from(sorted(set(MODELS) - {"success"})),
    cuts=st.lists(st.integers(2, N - 2), max_size=3, unique=True),
    seed=st.integers(0, 9),
)
def test_any_split_adds_up(name: str, cuts: list[int], seed: int) -> None:
    data = rows().sample(frac=1, random_state=seed)
    whole = build(name, data)
    ends = [0, *sorted(cuts), N]
    parts = [
        build(name, data.iloc[low:high], like=whole)
        for low, high in pairwise(ends)
        if high - low > 1
    ]
    if sum(map(len, parts)) == N:
        assert_same(sum(parts), whole)
        assert_same(sum(parts[1:], parts[0]) + parts[0] - parts[0], whole)


def assert_same(found: MergedRows, expected: MergedRows) -> None:
    names = [name for name in expected.frame if not str(name).startswith("(")]
    mine, theirs = (
        each.frame.sort_values(names).reset_index(drop=True) for each in (found, expected)
    )
    pd.testing.assert_frame_equal(mine, theirs, rtol=1e-12)


def test_too_many_different_rows_say_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merged, "_MOST", 100)
    data = rows().assign(x=np.arange(N) / 7)
    with pytest.raises(hm.DataError, match=r"1,200 different rows remain of 1,200.*bin numeric"):
        hm.statistics("count ~ x", lambda: pieces(data), family="poisson")


def test_what_does_not_add_up_is_told() -> None:
    data = rows()
    one, two = build("poisson", data), build("poisson", data[:600])
    with pytest.raises(hm.DataError, match=re.escape("what scale(k) knows of its rows differs")):
        _ = one + two
    some = build("bernoulli", data[:600])
    with pytest.raises(hm.DataError, match="family poisson, and of yes"):
        _ = one + some
    with pytest.raises(hm.DataError, match="rows that these don't have: subtract what was added"):
        _ = build("bernoulli", data[600:]) - some
    with pytest.raises(hm.DataError, match="no rows are left"):
        _ = some - some
    with pytest.raises(hm.ArgumentError, match="like= must be statistics of the same family"):
        build("poisson", data, like=some)
    with pytest.raises(hm.DataError, match="names 'size', not a column"):
        hm.Model.from_statistics(some, "yes ~ size")
    with pytest.raises(hm.DataError, match="another response than the rows, which are of 'yes ~"):
        hm.Model.from_statistics(some, "k ~ word")
    with pytest.raises(hm.DataError, match=r"poly\(k, 2\) was not in the formula of the stat"):
        hm.Model.from_statistics(one, "count ~ poly(k, 2) + (1 | g)")


def test_other_formulas_of_the_same_columns_are_those_of_the_rows() -> None:
    data, text = rows(), "yes ~ k + (word | g)"
    found = hm.Model.from_statistics(build("bernoulli", data), text)
    expected = hm.Model(text, data, family="bernoulli")
    assert found.design.rows == len(data[["yes", "word", "k", "g"]].drop_duplicates())
    assert repr(found) == repr(expected)
    assert found.design.weights is not None
    assert found.design.weights.sum() == len(data)


@pytest.mark.parametrize("name", ["poisson", "trials", "ordinal"])
def test_merged_rows_and_their_fits_are_saved_and_loaded(name: str, tmp_path: Path) -> None:
    found = build(name, rows())
    found.save(tmp_path / "rows.nc")
    again = MergedRows.load(tmp_path / "rows.nc")
    assert repr(again) == repr(found)
    assert_same(again, found)
    fit = hm.Model.from_statistics(again).fit(**FAST)
    assert "1,200 rows" in repr(fit)
    fit.save(tmp_path / "fit.nc")
    new = rows(9).iloc[:6]
    loaded = hm.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(loaded.predict(new), fit.predict(new))
    for door in (fit.loo, fit.kfold, fit.predict, fit.plot_check, fit.variance):
        with pytest.raises(hm.HiermixError, match="statistics hold rows that were merged"):
            door()
    assert "posterior_predictive" not in fit.data.children
