"""Models of large crossed factors: one integrated out, the others sampled, by every door."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from tests.test_reference import moments

FORMULA = "y ~ x + (1 + x | g) + (1 | h)"


def rows(number: int = 400, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g, h, x = rng.integers(0, 60, number), rng.integers(0, 20, number), rng.normal(size=number)
    of_g, of_h = rng.normal(size=(60, 2)) * [0.8, 0.4], 0.6 * rng.normal(size=20)
    y = 1 + 0.5 * x + of_g[g, 0] + of_g[g, 1] * x + of_h[h] + rng.normal(size=number)
    return pd.DataFrame({"y": y, "x": x, "g": [f"g{i}" for i in g], "h": [f"h{i}" for i in h]})


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return hm.Model(FORMULA, rows()).fit(seed=1, chains=2, warmup=200, draws=400)


def test_a_model_says_which_factor_is_integrated_and_why() -> None:
    model = hm.Model(FORMULA, rows())
    lines = str(model).splitlines()
    assert model.program_name == "crossed"
    assert "program  crossed.stan (effects of 'g' integrated out, others sampled)" in lines
    at = lines.index("group    h: 20 levels; Intercept")
    assert (
        lines[at + 1].strip()
        == "sampled: that costs less than a block of 20 effects of crossed factors"
    )
    assert lines[at + 3].strip().startswith("integrated out: exact, with many levels")
    assert hm.Model(FORMULA, rows(), effects="sampled").program_name == "gaussian"


def test_integrated_and_sampled_programs_have_one_posterior(fit: hm.Fit) -> None:
    other = hm.Model(FORMULA, rows(), effects="sampled").fit(
        seed=2, chains=2, warmup=200, draws=400
    )
    assert (fit.data.attrs["program"], other.data.attrs["program"]) == ("crossed", "gaussian")
    for name in fit.data.posterior.data_vars:
        labelled = [each.data.posterior[name] for each in (fit, other)]
        labelled[1] = labelled[1].reindex_like(labelled[0]).transpose(*labelled[0].dims)
        flat = [each.to_numpy().reshape(2, 400, -1) for each in labelled]
        for i in range(flat[0].shape[2]):
            (m, m_error, s, s_error), (n, n_error, t, t_error) = (moments(f[..., i]) for f in flat)
            assert abs(m - n) < 5 * np.hypot(m_error, n_error), (name, i)
            assert abs(s - t) < 5.5 * np.hypot(s_error, t_error), (name, i)


def test_effects_do_not_depend_on_the_order_of_rows_or_factors(fit: hm.Fit) -> None:
    mixed = rows().sample(frac=1, random_state=1)
    other = hm.Model("y ~ x + (1 | h) + (1 + x | g)", mixed)
    assert [each.name for each in other.design.groupings] == ["h", "g"]
    assert [each.name for each in fit.model.design.groupings] == ["h", "g"]


def test_every_door(fit: hm.Fit, tmp_path: Path) -> None:
    data = rows()
    new = data.head(5).assign(g=["g1", "new", "g2", "g3", "g4"])
    at_rows = fit.predictions(data.head(5)).table()
    assert np.isfinite(at_rows["estimate"]).all()
    assert np.isfinite(fit.predict(new, new_groups="population")).all()
    loo = fit.loo()
    assert np.isfinite(loo.elpd)
    path = tmp_path / "fit.nc"
    fit.save(path)
    loaded = hm.load(path)
    assert loaded.model.program_name == "crossed"
    for name in fit.data.posterior.data_vars:
        np.testing.assert_array_equal(loaded.data.posterior[name], fit.data.posterior[name])
    again = hm.Model(FORMULA, data).fit(seed=1, chains=2, warmup=200, draws=400)
    np.testing.assert_array_equal(again.data.posterior["r_g"], fit.data.posterior["r_g"])


def test_what_has_no_closed_form_of_pairs_is_sampled() -> None:
    data = rows().assign(arm="a")
    data.loc[data["x"] > 0, "arm"] = "b"
    for formula in ("y ~ x + (1 | gr(g, dist='student')) + (1 | h)",
                    "y ~ s(x) + (1 | g) + (1 | h)"):  # fmt: skip
        assert hm.Model(formula, data).program_name != "crossed"
    few = data[data["g"].isin([f"g{i}" for i in range(40)])]
    assert hm.Model(FORMULA, few).program_name != "crossed"


def test_the_prior_has_no_rows() -> None:
    prior = hm.Model(FORMULA, rows(), priors={"sd": "exponential(2)"}).fit(
        seed=4, chains=2, warmup=200, draws=300, prior_only=True
    )
    sd = prior.data.posterior["sd_g"].to_numpy()
    assert prior.data.posterior["r_g"].shape[2:] == (60, 2)
    assert sd.mean() == pytest.approx(0.5, abs=0.1)
