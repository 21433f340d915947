"""Complete, no and partial pooling against least squares."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.plots.poolings import verdict

FIT: dict[str, Any] = {"seed": 1, "chains": 2, "draws": 1000, "progress": False}


@pytest.fixture(scope="module")
def intercepts() -> Any:
    return hm.pooling("score ~ edu + (1 | classroom)", hm.load_dataset("scores"), **FIT)


@pytest.fixture(scope="module")
def slopes() -> Any:
    return hm.pooling("score ~ edu + (1 + edu | classroom)", hm.load_dataset("scores"), **FIT)


def test_slopes_of_the_three_poolings(intercepts: Any) -> None:
    """Published: 0.233 (all classes as one), 0.131 (a line a class, one slope), 0.131 (mixed)."""
    table = intercepts.table
    error = table["edu sd"] / np.sqrt(1000)
    for name, expected in {"complete": 0.233, "no": 0.131, "partial": 0.131}.items():
        assert table.loc[name, "edu"] == pytest.approx(expected, abs=4 * error[name] + 5e-4)


def test_slopes_of_each_class_without_pooling(slopes: Any) -> None:
    """Published: 0.129, 0.178, 0.056."""
    own = slopes.groups().query("effect == 'edu'").set_index("level")
    error = own["no sd"] / np.sqrt(1000)
    for level, expected in {"c0": 0.129, "c1": 0.178, "c2": 0.056}.items():
        assert own.loc[level, "no"] == pytest.approx(expected, abs=4 * error[level] + 1e-3)


def test_no_pooling_has_the_standard_errors_of_separate_lines(slopes: Any) -> None:
    """One residual sd, and nothing else, is shared."""
    frame = hm.load_dataset("scores")
    rss = 0.0
    inverses = {}
    for level, rows in frame.groupby("classroom"):
        X = np.column_stack([np.ones(len(rows)), rows["edu"]])
        _, square, *_ = np.linalg.lstsq(X, rows["score"], rcond=None)
        rss += float(square[0])
        inverses[level] = np.linalg.inv(X.T @ X)
    sigma = np.sqrt(rss / (len(frame) - 6))
    own = slopes.groups().set_index(["level", "effect"])["no sd"]
    for level, inverse in inverses.items():
        expected = sigma * np.sqrt(np.diag(inverse))
        np.testing.assert_allclose(own[level], expected, rtol=0.1)


def test_far_from_zero_the_intercept_follows_the_slope() -> None:
    """Years near 2010: a prior on intercepts at year 0 as tight as the data would hold slopes."""
    frame = hm.load_dataset("rainfall")
    frame = frame[frame["state"].isin(frame["state"].unique()[:6])]
    found = hm.pooling("rainfall ~ year + (1 + year | state)", frame, **FIT)
    own = found.groups().query("effect == 'year'").set_index("level")
    for state, rows in frame.groupby("state"):
        slope = np.polyfit(rows["year"] - 2015, rows["rainfall"], 1)[0]
        error = own.loc[state, "no sd"]
        assert own.loc[state, "no"] == pytest.approx(slope, abs=0.15 * error)


def test_partial_pooling_draws_groups_together(slopes: Any) -> None:
    data = slopes.groups().query("effect == 'edu'")
    assert data["partial"].std() < 0.8 * data["no"].std()
    assert (data["partial sd"] < data["no sd"]).all()
    np.testing.assert_allclose(data["complete"], slopes.table.loc["complete", "edu"])
    assert (data["no low"] < data["no"]).all()
    assert (data["partial"] < data["partial high"]).all()


def test_the_table_has_fit_and_prediction(intercepts: Any) -> None:
    table, frame = intercepts.table, hm.load_dataset("scores")
    line = np.polyfit(frame["edu"], frame["score"], 1)
    residual = frame["score"] - np.polyval(line, frame["edu"])
    assert table.loc["complete", "rmse"] == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-3)
    for name, fit in intercepts.fits.items():
        loo = fit.loo()
        assert table.loc[name, ["elpd", "se", "p"]].tolist() == [loo.elpd, loo.se, loo.p]
    assert table.loc["complete", "elpd"] < table.loc["no", "elpd"] - 20
    assert 2 < table.loc["complete", "p"] < 4 < table.loc["no", "p"] < 7
    assert "partial" in repr(intercepts)
    assert "<table" in intercepts._repr_html_()
    assert intercepts.compare().index[-1] == "complete"


def test_groups_that_tell_nothing_keep_their_wide_prior() -> None:
    """Where dummy variables would fail: one level of x in a group."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"g": np.repeat(list("abcdef"), 6), "x": np.tile([0.0, 1.0], 18)})
    frame.loc[frame["g"] == "a", "x"] = 0.0
    frame["y"] = frame["x"] + rng.normal(size=36)
    found = hm.pooling("y ~ x + (1 + x | g)", frame, **FIT)
    own = found.groups().query("effect == 'x'").set_index("level")
    assert own.loc["a", "no sd"] > 4 * own.loc["b", "no sd"]
    assert own.loc["a", "partial sd"] < own.loc["a", "no sd"] / 2


def test_the_plot_shows_the_numbers_of_the_groups(slopes: Any) -> None:
    plot = slopes.plot(effects="edu", prob=0.8)
    panel, densities = plot.figure.axes
    expected = slopes.groups(prob=0.8).query("effect == 'edu'").reset_index(drop=True)
    pd.testing.assert_frame_equal(plot.data, expected)
    lines = {line.get_label(): line for line in panel.lines}
    np.testing.assert_array_equal(lines["no pooling, 80 % interval"].get_ydata(), expected["no"])
    best = slopes.table["elpd"].max()
    drawn = sorted(float(line.get_xdata()[0]) for line in densities.lines)
    np.testing.assert_allclose(drawn, np.sort(slopes.table["elpd"] - best))


def test_the_verdict_needs_two_standard_errors() -> None:
    rows = np.zeros(100)
    worse = np.random.default_rng(1).normal(-0.05, 1, 100)
    far = rows - 1
    elpd = {"complete": (-100.0, far), "no": (worse.sum(), worse), "partial": (0.0, rows)}
    assert verdict(elpd) == "No and partial pooling predict unseen rows about equally well"
    elpd["no"] = (-50.0, rows - 0.5)
    assert verdict(elpd) == "Partial pooling predicts unseen rows best"


def test_priors_and_options_go_to_all_three() -> None:
    frame = hm.load_dataset("scores").assign(w=2.0)
    priors = {"b[edu]": "normal(0, 0.5)", "sd": "exponential(1)", "sigma": "exponential(2)"}
    found = hm.pooling(
        "score ~ edu + (1 | classroom)", frame, priors=priors, weights="w",
        seed=1, chains=1, draws=100, progress=False,
    )  # fmt: skip
    for fit in found.fits.values():
        assert str(fit.model.priors["b[edu]"]) == "normal(0, 0.5)"
        assert str(fit.model.priors["sigma"]) == "exponential(2)"
        np.testing.assert_array_equal(fit.design.weights, 2.0)
    assert str(found.partial.model.priors["sd[classroom, Intercept]"]) == "exponential(1)"
    assert found.no.model.priors["sd[classroom, Intercept]"].distribution == "normal"


def test_missing_rows_are_left_out_of_all_three() -> None:
    frame = hm.load_dataset("scores")
    frame["classroom"] = frame["classroom"].astype(object)
    frame.loc[3, "classroom"] = None
    found = hm.pooling(
        "score ~ edu + (1 | classroom)", frame, missing="drop",
        seed=1, chains=1, draws=100, progress=False,
    )  # fmt: skip
    assert {fit.design.rows for fit in found.fits.values()} == {59}


@pytest.fixture(scope="module")
def samples() -> Any:
    """Every one of six samples of penicillin on every one of 24 plates."""
    return hm.pooling(
        "diameter ~ 1 + (1 | plate) + (1 | sample)", hm.load_dataset("penicillin"), by="sample",
        priors={"sd[plate]": "exponential(1)", "sd[sample]": "exponential(0.5)"}, **FIT,
    )  # fmt: skip


def test_one_of_several_factors_is_compared_beside_the_others(samples: Any) -> None:
    """Samples as fixed effects in a balanced table: their means, and errors of a contrast."""
    frame = hm.load_dataset("penicillin")
    own = samples.groups().set_index("level")
    means = frame.groupby("sample")["diameter"].mean()
    # Priors are some 4 mm wide around a mean that is known to a quarter of one.
    error = 5 * own["no sd"] / np.sqrt(400)
    assert ((own["no"] - means).abs() < error + 0.01).all()
    draws = samples.no.coefficients("sample").droplevel("effect")
    assert draws.index.tolist() == means.index.tolist()
    r = samples.no.data.posterior["r_sample"].sel(sample_effect="Intercept")
    contrast = r.sel(sample="A") - r.sel(sample="B")
    residual = frame["diameter"] - means[frame["sample"]].to_numpy()
    residual -= residual.groupby(frame["plate"]).transform("mean")
    sigma = np.sqrt((residual**2).sum() / (144 - 24 - 5))
    assert float(contrast.std()) == pytest.approx(sigma * np.sqrt(2 / 24), rel=0.12)


def test_the_other_factors_stay_as_they_are(samples: Any) -> None:
    assert [each.name for each in samples.complete.design.groupings] == ["plate"]
    for fit in samples.fits.values():
        assert str(fit.model.priors["sd[plate, Intercept]"]) == "exponential(1)"
    assert str(samples.partial.model.priors["sd[sample, Intercept]"]) == "exponential(0.5)"
    assert samples.no.model.priors["sd[sample, Intercept]"].distribution == "normal"
    spread = {name: float(fit.data.posterior["sd_plate"].mean())
              for name, fit in samples.fits.items()}  # fmt: skip
    assert spread["no"] == pytest.approx(spread["partial"], rel=0.1)
    table = samples.table
    assert (table.loc["complete", "elpd"] < table.loc[["no", "partial"], "elpd"] - 50).all()
    assert set(samples.plot().data["level"]) == set("ABCDEF")


def test_factors_with_slopes_or_inside_each_other() -> None:
    frame = hm.load_dataset("pastes").rename(columns=str)
    frame["z"] = np.arange(len(frame)) % 2
    quick: dict[str, Any] = {"seed": 1, "chains": 1, "warmup": 200, "draws": 50, "progress": False}
    nested = hm.pooling("strength ~ 1 + (1 | batch/cask)", frame, by="batch:cask", **quick)
    assert len(nested.groups()) == 30
    assert [each.name for each in nested.complete.design.groupings] == ["batch"]
    priors = {"sd": "exponential(0.3)", "cor": "lkj(3)", "sd[cask,Intercept]": "exponential(0.2)"}
    crossed = hm.pooling(
        "strength ~ z + (1 + z | batch) + (1 + z | cask)", frame, by="cask", priors=priors, **quick
    )
    kept = crossed.no.model.priors
    assert str(kept["cor[batch]"]) == "lkj(3)"
    assert str(kept["sd[batch, z]"]) == "exponential(0.3)"
    assert "cor[cask]" not in kept
    wide = hm.pooling(
        "strength ~ z + (1 + z | batch) + (1 + z | cask)", frame, by="cask", **quick
    ).no.model.priors
    assert str(kept["sd[cask, z]"]) == str(wide["sd[cask, z]"])


def test_one_grouping_factor_is_asked_for() -> None:
    frame = hm.load_dataset("scores")
    with pytest.raises(hm.ArgumentError, match="groups of a factor; 'score ~ edu' has none"):
        hm.pooling("score ~ edu", frame)
    frame["half"] = np.tile(["a", "b"], 30)
    two = "score ~ edu + (1 | classroom) + (1 | half)"
    with pytest.raises(hm.ArgumentError, match=r"has 2: say which, by='classroom'"):
        hm.pooling(two, frame)
    with pytest.raises(hm.ArgumentError, match=r"not a grouping factor\. Did you mean 'half'"):
        hm.pooling(two, frame, by="hal")
