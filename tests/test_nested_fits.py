"""Fits whose nested and crossed effects are integrated out: as sampled ones, through every door."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hiermix as hm

FORMULA = "y ~ x + (x | school/child) + (1 | rater)"
NEW = pd.DataFrame({
    "x": [0.0, 1.0, 0.0], "school": [0, 0, 99], "child": [0, 77, 1], "rater": [0, 1, 2],
    "w": 1.0, "y": [3.0, 2.5, 1.0],
})  # fmt: skip


def frame(rows: int = 240) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    school, child, rater = (rng.integers(0, n, rows) for n in (8, 4, 5))
    x = rng.normal(size=rows)
    y = 1 + x + rng.normal(size=8)[school] + rng.normal(size=(8, 4))[school, child]
    y += 0.5 * rng.normal(size=5)[rater] + 0.5 * rng.normal(size=rows)
    return pd.DataFrame({"y": y, "x": x, "school": school, "child": child, "rater": rater,
                         "w": rng.uniform(0.5, 2, rows)})  # fmt: skip


@pytest.fixture(scope="module")
def fits() -> dict[str, hm.Fit]:
    return {
        effects: hm.Model(FORMULA, frame(), weights="w", effects=effects).fit(
            seed=1, warmup=300, draws=500, adapt_delta=0.9
        )
        for effects in ("integrated", "sampled")
    }


def compare(one: np.ndarray, other: np.ndarray) -> None:
    """Means of draws (chain, draw, ...) agree within 4.5 of their Monte-Carlo errors."""
    from arviz_stats import mcse

    flat = [values.reshape(*values.shape[:2], -1) for values in (one, other)]
    for i in range(flat[0].shape[2]):
        first, second = (values[:, :, i] for values in flat)
        error = np.hypot(*(float(mcse(each, method="mean")) for each in (first, second)))
        assert abs(first.mean() - second.mean()) < 4.5 * error, i


def test_one_posterior_integrated_and_sampled(fits: dict[str, hm.Fit]) -> None:
    one, other = (fits[effects].data.posterior for effects in ("integrated", "sampled"))
    assert fits["integrated"].data.attrs["program"] == "nested"
    assert fits["sampled"].data.attrs["program"] == "gaussian"
    for name in one.data_vars:
        compare(one[name].to_numpy(), other[name].to_numpy())


@pytest.mark.parametrize("policy", ["sample", "population", "update"])
def test_predictions_for_a_new_child_of_a_known_school(
    fits: dict[str, hm.Fit], policy: str
) -> None:
    drawn = [fit.predict(NEW, new_groups=policy, seed=3) for fit in fits.values()]
    compare(*(each.transpose("chain", "draw", ...).to_numpy() for each in drawn))


def test_variance_names_every_factor(fits: dict[str, hm.Fit]) -> None:
    found = fits["integrated"].variance()
    factors = ["school", "school:child", "rater"]
    assert sorted(map(str, found["factor"].to_numpy())) == sorted(factors)


def test_leave_one_out_agrees(fits: dict[str, hm.Fit]) -> None:
    one, other = (fit.loo() for fit in fits.values())
    assert one.elpd == pytest.approx(other.elpd, abs=5)


def test_saved_fits_predict_the_same(fits: dict[str, hm.Fit], tmp_path: Path) -> None:
    fit = fits["integrated"]
    fit.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc")
    assert again.model.program_name == "nested"
    ours, theirs = (each.predict(NEW, new_groups="sample", seed=4) for each in (fit, again))
    np.testing.assert_array_equal(ours, theirs)


def test_levels_without_rows_have_effects_from_the_fitted_spread() -> None:
    data = frame()
    rows = np.flatnonzero((data["school"] != 3) & (data["rater"] != 1))
    model = hm.Model(FORMULA, data, effects="integrated").of_rows(rows)
    posterior = model.fit(seed=2, chains=2, warmup=300, draws=500).data.posterior
    for name, level in (("school", 3), ("rater", 1)):
        r = posterior[f"r_{name}"].sel({name: level}).to_numpy()[..., 0]
        spread = posterior[f"sd_{name}"].to_numpy()[..., 0]
        z = (r / spread).ravel()
        assert abs(z.mean()) < 4.5 / np.sqrt(len(z))
        assert abs(z.var() - 1) < 4.5 * np.sqrt(2 / len(z))


def test_what_is_integrated_out_is_said_with_the_reason() -> None:
    data = frame()
    assert "integrated out: exact, each factor nested" in repr(
        hm.Model("y ~ x + (1 | school/child)", data)
    )
    assert "integrated out: exact, with 5 effects" in repr(
        hm.Model("y ~ x + (1 | school) + (1 | rater)", data)
    )
    assert "sampled: that costs less" in repr(
        hm.Model("y ~ x + (1 | school:child) + (1 | x)", data.assign(x=np.arange(240) % 60))
    )
    assert 'sampled: effects="sampled"' in repr(hm.Model(FORMULA, data, effects="sampled"))
    assert "sampled: no closed form with family 'student_t'" in repr(
        hm.Model(FORMULA, data, family="student_t")
    )
