"""Averages by a few rows that stand for many, beside those of all rows."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from hiermix.prediction import fewer_rows
from hiermix.prediction.estimands import OVER
from tests.combinations import thinned
from tests.invented import invented, panel

ROWS = 20_000


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    """Return rows with numbers of many values, few groups, and few labels."""
    rng = np.random.default_rng(8)
    some = panel().iloc[np.arange(ROWS) % 96].reset_index(drop=True)
    x = rng.uniform(0.5, 3, ROWS)
    return some.assign(x=x, z=np.sin(x) + rng.uniform(-1, 1, ROWS))


def both(monkeypatch: pytest.MonkeyPatch, ask: Any, *, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the draws of an answer by fewer rows, at most so many, and by all."""
    seen: list[int] = []
    fewer = fewer_rows.fewer

    def counted(*args: Any) -> Any:
        found = fewer(*args)
        seen.append(len(found[1].cell))
        return found

    monkeypatch.setattr("hiermix.prediction.averages.fewer", counted)
    monkeypatch.setattr(fewer_rows, "_WORTH", 0)
    few = ask().draws.to_numpy()
    assert max(seen) <= rows, seen
    monkeypatch.setattr(fewer_rows, "_WORTH", np.inf)
    return few, ask().draws.to_numpy()


CASES: dict[str, tuple[Any, ...]] = {
    "bernoulli": ("yes ~ x * treat + kind + (1 + x | g)", 900),
    "binomial": ("k | trials(size) ~ x + treat + (1 | g)", 900),
    "poisson": ("count ~ x + kind + offset(z) + (1 | h)", 2500),
    "ordinal": ("rating ~ poly(x, 2) + kind + (1 | g)", 900),
    "categorical": ("choice ~ x + treat + (1 | h)", 900),
    "gamma": ("positive ~ x + I(x**2) + mo(cask) + (1 | h)", 900),
    "zero_inflated_poisson": (["count ~ x + (1 | g)", "zi ~ treat + x"], 900),
}


@pytest.mark.parametrize(("family", "over"), thinned(4, CASES, OVER))
def test_sums_are_those_of_all_rows(
    family: str, over: str, many: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the families' functions are of the same kind: smooth in the linear predictor."""
    formula, rows = CASES[family]
    data = panel().assign(z=lambda frame: np.sin(frame["x"]))
    fit = invented(formula, data, family, sd=0.4, shape=(1, 4))
    few, all_ = both(
        monkeypatch, lambda: fit.predictions(many, by="treat", over=over, wts="w"), rows=rows
    )
    np.testing.assert_allclose(few, all_, rtol=1e-8)


def test_rows_stay_where_no_polynomial_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Splines have kinks in their derivatives; and each row of a few stands for itself."""
    rng = np.random.default_rng(5)
    data = panel()
    rows = pd.DataFrame({"x": rng.uniform(data["x"].min(), data["x"].max(), 4000)})
    curve = invented("yes ~ bs(x, df=12)", data, "bernoulli", sd=2.0, shape=(1, 4))
    few, all_ = both(monkeypatch, lambda: curve.predictions(rows, by=True), rows=len(rows))
    np.testing.assert_array_equal(few, all_)
