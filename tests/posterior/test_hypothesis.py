"""Probability statements: read from text, against the draws, and never run as Python."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.posterior.hypothesis import evaluate


@pytest.fixture(scope="module")
def radon() -> hm.Fit:
    frame = hm.load_dataset("radon")
    model = hm.Model("log_radon ~ floor + log_uranium + (1 + floor | county)", frame)
    return model.fit(seed=1, chains=2, draws=200, progress=False)


@pytest.fixture(scope="module")
def odd() -> hm.Fit:
    """Names that Python could not read."""
    rng = np.random.default_rng(1)
    levels = ["St. Louis [MN], floor", "x < 1", "Tōkyō"]
    frame = pd.DataFrame({"my group": np.repeat(levels, 12), "x": rng.normal(size=36)})
    frame = frame.assign(z=np.tile(["a", "b"], 18), year=np.tile([1, 2, 3], 12))
    frame["y"] = frame["x"] + rng.normal(size=36)
    model = hm.Model("y ~ x * z + np.log(year) + (1 | `my group`)", frame)
    return model.fit(seed=1, chains=1, draws=100, progress=False)


def holds(fit: hm.Fit, statement: str) -> np.ndarray:
    return evaluate(fit.posterior, statement)[1]


def values(fit: hm.Fit) -> dict[str, np.ndarray]:
    post = fit.data.posterior
    r = post["r_county"]
    slope = post["b"].sel(term="floor")
    found: dict[str, Any] = {
        "floor": slope,
        "uranium": post["b"].sel(term="log_uranium"),
        "sigma": post["sigma"],
        "sd": post["sd_county"].sel(county_effect="floor"),
        "cor": post["cor_county"].isel(county_pair=0),
        "aitkin": slope + r.sel(county="AITKIN", county_effect="floor"),
        "louis": slope + r.sel(county="ST LOUIS", county_effect="floor"),
    }
    return {name: array.to_numpy() for name, array in found.items()}


def test_statements_are_what_they_say(radon: hm.Fit) -> None:
    v = values(radon)
    cases = {
        "floor < -0.6": v["floor"] < -0.6,
        "b[floor] >= -.6": v["floor"] >= -0.6,
        "sd[county, floor] > 0.2": v["sd"] > 0.2,
        "sd[county,floor]>2e-1": v["sd"] > 0.2,
        "cor[county, Intercept, floor] > 0": v["cor"] > 0,
        "0 < cor[county, floor, Intercept]": v["cor"] > 0,
        "county[AITKIN, floor] < county[ST LOUIS, floor]": v["aitkin"] < v["louis"],
        "county['ST LOUIS', floor] <= -0.65": v["louis"] <= -0.65,
        "-0.65 < floor < -0.55": (v["floor"] > -0.65) & (v["floor"] < -0.55),
        "floor + 2 * log_uranium > exp(sigma) / 2 - 0.1": v["floor"] + 2 * v["uranium"]
        > np.exp(v["sigma"]) / 2 - 0.1,
        "abs(floor) > sqrt(sigma) * 0.7": np.abs(v["floor"]) > np.sqrt(v["sigma"]) * 0.7,
        "(floor) ** 2 < log(1.5)": v["floor"] ** 2 < np.log(1.5),
    }
    for statement, expected in cases.items():
        np.testing.assert_array_equal(holds(radon, statement), expected, err_msg=statement)
        assert 0 < expected.mean() < 1, f"{statement} can't tell"


def test_the_table_has_estimate_interval_and_probability(radon: hm.Fit) -> None:
    v = values(radon)
    table = radon.hypothesis("floor < log_uranium - 1.4", "-0.7 < floor < -0.5", prob=0.8)
    difference = v["floor"] - (v["uranium"] - 1.4)
    first, second = table.iloc[0], table.iloc[1]
    assert table.index.tolist() == ["floor < log_uranium - 1.4", "-0.7 < floor < -0.5"]
    assert first["estimate"] == pytest.approx(difference.mean())
    assert first["sd"] == pytest.approx(difference.std(ddof=1))
    assert first["q10"] == pytest.approx(np.quantile(difference, 0.1))
    assert first["probability"] == pytest.approx((difference < 0).mean())
    assert second["estimate"] == pytest.approx(v["floor"].mean())
    p = second["probability"]
    assert 0.3 < second["mcse"] / np.sqrt(p * (1 - p) / 400) < 3
    assert radon.hypothesis("floor < 5")["mcse"].item() == 0


def test_labels_may_hold_anything(odd: hm.Fit) -> None:
    post = odd.data.posterior
    whole = post["Intercept"] + post["r_my group"].isel({"my group_effect": 0})
    dim = whole.dims[-1]
    for level in ("St. Louis [MN], floor", "x < 1", "Tōkyō"):
        expected = whole.sel({dim: level}).to_numpy() < 0
        np.testing.assert_array_equal(holds(odd, f"my group[{level}] < 0"), expected)
        np.testing.assert_array_equal(holds(odd, f"my group[{level}, Intercept] < 0"), expected)
    for term in ("x", "z[T.b]", "x:z[T.b]", "np.log(year)"):
        expected = post["b"].sel(term=term).to_numpy() > 0.1
        np.testing.assert_array_equal(holds(odd, f"{term} > 0.1"), expected)
    both = post["b"].sel(term="x:z[T.b]") + post["b"].sel(term="x")
    np.testing.assert_array_equal(holds(odd, "x:z[T.b] + x > 1"), both.to_numpy() > 1)


def test_every_name_of_the_summary_is_read(radon: hm.Fit) -> None:
    with pytest.warns(hm.HiermixWarning, match="fewer than 400 effective draws"):
        table = radon.summary(prob=0.9)
    found = radon.hypothesis(*(f"{name} < 0" for name in table.index), prob=0.9)
    for column, of_summary in (("estimate", "mean"), ("sd", "sd"), ("q5", "q5"), ("q95", "q95")):
        np.testing.assert_allclose(found[column], table[of_summary], rtol=1e-9)


def test_group_effects_are_read_by_their_names(radon: hm.Fit) -> None:
    r = radon.data.posterior["r_county"].sel(county="ST LOUIS", county_effect="floor").to_numpy()
    np.testing.assert_array_equal(holds(radon, "r_county[ST LOUIS, floor] < 0"), r < 0)
    tables = radon.group_effects("county"), radon.coefficients("county")
    found = radon.hypothesis("r_county[AITKIN, floor] < 0", "county[AITKIN, floor] < 0")
    for row, table in zip(found.index, tables, strict=True):
        assert found.loc[row, "estimate"] == pytest.approx(table.loc[("AITKIN", "floor"), "mean"])
        assert found.loc[row, "q2.5"] == pytest.approx(table.loc[("AITKIN", "floor"), "q2.5"])


def test_slopes_of_categories_are_read() -> None:
    """Their names have brackets inside those of the level."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"y": rng.normal(size=60), "z": list("uvw") * 20})
    frame["g"] = np.repeat(["a", "b [x]", "c, d"], 20)
    fit = hm.Model("y ~ z + (z | g)", frame).fit(seed=1, chains=1, draws=60, adapt_delta=0.9)
    post = fit.data.posterior
    for level in ("a", "b [x]", "c, d"):
        r = post["r_g"].sel(g=level, g_effect="z[T.v]")
        whole = (post["b"].sel(term="z[T.v]") + r).to_numpy()
        np.testing.assert_array_equal(holds(fit, f"g[{level}, z[T.v]] > 0.1"), whole > 0.1)
        np.testing.assert_array_equal(holds(fit, f"0.1 < r_g[{level},z[T.v]]"), r.to_numpy() > 0.1)
    with pytest.raises(hm.ArgumentError, match=r"g\[e, z\[T.v\] names no level") as no:
        fit.hypothesis("g[e, z[T.v]] > 0")
    assert "_p" not in str(no.value)
    with pytest.raises(hm.ArgumentError, match=r"'f\(\s*z\[T.v\]\s*\)' is nothing"):
        fit.hypothesis("f(z[T.v]) > 0")


WRONG = [
    ("floor ^ 2 < 1", r"write a power as x \*\* 2"),
    ("floor", "is no comparison: write it as 'floor < 0'"),
    ("floor < 0 and floor > -1", "is no comparison"),
    ("0 < floor < 1 < sigma", "is no comparison"),
    ("floor <", "is no comparison"),
    ("floor == 0", "A single value has probability zero"),
    ("floor[T.True] < 0", r"'floor\[T.True\]' is nothing in this fit"),
    ("1 < b[flor]", r"'b\[flor\]' is nothing in this fit"),
    ("flor < 0", "'flor' is nothing in this fit. Did you mean 'floor'"),
    ("county[AITKEN, floor] < 0", "Did you mean 'AITKIN'"),
    ("county[AITKIN] < 0", r"of county. Write county\[level, effect\]; effects: Intercept; floor"),
    ("__import__('os').getcwd() < 0", "is nothing in this fit"),
    ("floor.real < 0", "is nothing in this fit"),
    ("(lambda: 0)() < 0", "is nothing in this fit"),
    ("[i for i in (1, 2)][0] < 0", "is nothing in this fit"),
    ("exp(floor, out=1) < 0", "is nothing in this fit"),
    ("exp < 0", "is nothing in this fit"),
    ("True < floor", "is nothing in this fit"),
    ("'a' < floor", "is nothing in this fit"),
    ("sqrt(floor) > 0", "is not a finite number in some draws"),
    ("floor < 9 ** 9 ** 9 ** 9", "is not a finite number in some draws"),
]


@pytest.mark.parametrize(("statement", "message"), WRONG)
def test_anything_else_is_refused(radon: hm.Fit, statement: str, message: str) -> None:
    with pytest.raises(hm.ArgumentError, match=message):
        radon.hypothesis(statement)


def test_nothing_and_non_text_are_refused(radon: hm.Fit) -> None:
    with pytest.raises(hm.ArgumentError, match="state a hypothesis"):
        radon.hypothesis()
    with pytest.raises(hm.ArgumentError, match="a hypothesis is text"):
        radon.hypothesis(0)  # type: ignore[arg-type]
    with pytest.raises(hm.ArgumentError, match="prob must be between 0 and 1"):
        radon.hypothesis("floor < 0", prob=1.0)
