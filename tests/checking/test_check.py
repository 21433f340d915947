"""`Fit.check`: it finds what is wrong, stays quiet where nothing is, and says what it can't see."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.checking.report import Check
from hiermix.engines.embedded import Embedded
from hiermix.errors import ArgumentError

J, N = 20, 8


class Shrinking(Embedded):
    """A sampler whose draws are too near to their mean."""

    def __init__(self, to: float) -> None:
        super().__init__()
        self.to = to

    def sample(self, *args: Any, **settings: Any) -> Any:
        found = super().sample(*args, **settings)
        shrunk = {name: each.mean((0, 1)) + self.to * (each - each.mean((0, 1)))
                  for name, each in found.draws.items()}  # fmt: skip
        return replace(found, draws=shrunk)


def grouped(seed: int, sd: float = 0.7) -> pd.DataFrame:
    """Rows of `J` groups with a predictor and a Gaussian response."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(J), N)
    frame = pd.DataFrame({"g": g, "x": rng.normal(size=J * N)})
    frame["eta"] = 0.5 * frame["x"] + sd * rng.normal(size=J)[g]
    return frame.assign(y=frame["eta"] + rng.normal(size=J * N))


def fitted(frame: pd.DataFrame, formula: str = "y ~ x + (1 | g)", **options: Any) -> hm.Fit:
    engine = options.pop("engine", "auto")
    draws = options.pop("draws", 500)
    model = hm.Model(formula, frame, **options)
    return model.fit(seed=1, draws=draws, progress=False, engine=engine)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return grouped(1)


@pytest.fixture(scope="module")
def right(data: pd.DataFrame) -> hm.Fit:
    return fitted(data)


@pytest.fixture(scope="module")
def report(right: hm.Fit) -> Check:
    return right.check(refits=20)


def doubts(check: Check) -> str:
    return "\n".join(each.text for each in check.findings if each.doubtful)


# What it finds -----------------------------------------------------------------------------------


def test_nothing_is_said_against_a_right_model(report: Check) -> None:
    assert report.ok, report
    assert report.verdict == (
        "Nothing doubtful was found; looked at: convergence, priors, pit, calibration."
    )
    assert report.sentences[-1] == (
        "Chance alone puts a doubt about pit or calibration into about one report of 500 of right "
        "models."
    )


def test_the_table_has_every_number_with_its_limit(report: Check) -> None:
    table = report.table()
    assert list(table) == ["part", "about", "measure", "value", "limit", "doubtful"]
    of = {part: set(rows["about"]) for part, rows in table.groupby("part")}
    parameters = {"Intercept", "b[x]", "sigma", "sd_g[Intercept]"}
    assert of["priors"] == of["calibration"] == parameters
    assert of["pit"] == {"rows", "levels of g"}
    # One in 500 is shared out over the parts that are tested, and in each over its tests.
    limits = table[table["measure"] == "p-value"].set_index(["part", "about"])["limit"]
    assert limits["pit", "rows"] == pytest.approx(0.002 / 2 / 2)
    assert limits["calibration", "sigma"] == pytest.approx(0.002 / 2 / 4)


def test_counts_that_vary_more_than_a_poisson_are_found(data: pd.DataFrame) -> None:
    rng = np.random.default_rng(2)
    counts = data.assign(n=rng.poisson(np.exp(1 + data["eta"]) * rng.gamma(1.0, 1.0, J * N)))
    check = fitted(counts, "n ~ x + (1 | g)", family="poisson").check("pit")
    assert not check.ok
    assert "responses vary more than the model says" in doubts(check)
    assert "Try family='negative_binomial'" in doubts(check)
    assert fitted(counts, "n ~ x + (1 | g)", family="negative_binomial").check("pit").ok


def test_outliers_under_a_gaussian_are_found() -> None:
    frame = grouped(3)
    heavy = frame.assign(y=frame["eta"] + np.random.default_rng(3).standard_t(1.2, J * N))
    check = fitted(heavy).check("pit")
    assert not check.ok
    assert "family='student_t' has heavier tails" in doubts(check)


def test_groups_that_are_not_normal_are_found_by_groups_alone() -> None:
    rng, many = np.random.default_rng(4), 60
    g = np.repeat(np.arange(many), 12)
    means = np.where(rng.random(many) < 0.1, 12.0, 0.0)
    frame = pd.DataFrame({"g": g, "y": means[g] + rng.normal(size=len(g))})
    check = fitted(frame, "y ~ 1 + (1 | g)").check("pit")
    table = check.table().set_index("about")["doubtful"]
    assert table.to_dict() == {"rows": False, "levels of g": True}


@pytest.mark.parametrize("prior", ["normal(-2, 0.1)", "normal(-2, 0.001)", "normal(0, 1, upper=0)"])
def test_a_prior_that_fights_the_data_is_found(data: pd.DataFrame, prior: str) -> None:
    check = fitted(data, priors={"b[x]": prior}).check("priors")
    bad = check.table().query("doubtful")
    assert list(bad["about"]) == ["b[x]"]
    assert f"the prior of b[x] fights the data (prior {prior}, the data say" in doubts(check)


def test_a_prior_with_heavy_tails_gives_way(data: pd.DataFrame) -> None:
    """As far out, it is next to flat where the data are, and the posterior is theirs."""
    fit = fitted(data, priors={"b[x]": "student_t(3, 9, 0.2)"})
    assert fit.check("priors").ok
    assert abs(float(fit["b[x]"].mean()) - 0.5) < 0.3


def test_a_prior_on_a_spread_that_fights_the_data_is_found(data: pd.DataFrame) -> None:
    check = fitted(data, priors={"sd[g, Intercept]": "exponential(60)"}).check("priors")
    assert list(check.table().query("doubtful")["about"]) == ["sd_g[Intercept]"]


@pytest.mark.parametrize(
    "priors",
    [{"b[x]": "normal(0.5, 0.05)"}, {"b": "normal(0, 1)", "sd": "exponential(1)"},
     {"sigma": "lognormal(0, 0.1)", "sd": "gamma(2, 3)"}],
)  # fmt: skip
def test_priors_that_agree_with_the_data_are_none(
    data: pd.DataFrame, priors: dict[str, str]
) -> None:
    assert fitted(data, priors=priors).check("priors").ok


def test_draws_that_are_too_near_to_each_other_are_found(data: pd.DataFrame) -> None:
    check = fitted(data, engine=Shrinking(0.5)).check("calibration", refits=20)
    table = check.table()
    widths = table[table["measure"] == "width beside another sampler"].set_index("about")
    assert widths["doubtful"].all()
    assert np.allclose(widths["value"], 0.5, atol=0.1)
    assert "are not those of the posterior: another sampler finds" in doubts(check)
    assert "times as spread" in doubts(check)


@pytest.mark.slow
def test_ranks_alone_find_a_sampler_whose_draws_are_too_near(data: pd.DataFrame) -> None:
    """Sampled by itself again: intervals don't hold the parameters that data came from."""
    broken = Shrinking(0.2)
    check = fitted(data, "y ~ x", engine=broken).check(
        "calibration", refits=25, algorithm="nuts", engine=broken
    )
    ranked = check.table().query("measure == 'p-value'").set_index("about")["doubtful"]
    assert ranked["b[x]"]
    assert "b[x] is not calibrated" in doubts(check)
    assert "intervals are too narrow" in doubts(check)


def test_chains_that_disagree_are_doubtful(right: hm.Fit) -> None:
    tree = right.data.copy(deep=True)
    tree["posterior"]["sigma"][0] += 1.0
    check = hm.Fit(right.model, tree).check("convergence")
    assert not check.ok
    assert "sigma" in doubts(check)


# What it can't see -------------------------------------------------------------------------------


def skipped(fit: hm.Fit, **options: Any) -> dict[str, str]:
    check = fit.check(refits=20, **options)
    for part, reason in check.skipped.items():
        assert f"{part}: not looked at: {reason}." in check.sentences
    return check.skipped


def test_a_fit_of_the_prior_is_not_judged_by_data(data: pd.DataFrame) -> None:
    fit = hm.Model("y ~ x + (1 | g)", data).fit(seed=1, draws=200, prior_only=True, progress=False)
    check = fit.check()
    assert set(check.skipped.values()) == {"the fit is of the prior alone"}
    assert check.verdict == "Nothing doubtful was found; looked at: convergence."


def test_of_sums_there_are_no_rows_to_look_at(data: pd.DataFrame) -> None:
    model = hm.Model.from_statistics(hm.statistics("y ~ x + (1 | g)", data))
    found = skipped(model.fit(seed=1, draws=500, progress=False), what=["priors", "pit"])
    assert found == dict.fromkeys(
        ["priors", "pit"], "the rows are not here, only what was added up of them"
    )


@pytest.mark.slow
def test_of_sums_other_sums_are_simulated(data: pd.DataFrame) -> None:
    """Also of a smaller formula than theirs; the ranks find a sampler that shrinks its draws."""
    sums = hm.statistics("y ~ x + (1 + x | g)", data)
    model = hm.Model.from_statistics(sums, "y ~ x + (1 | g)")
    right = model.fit(seed=1, progress=False).check("calibration", refits=20)
    assert right.ok, right
    broken = Shrinking(0.2)
    shrunk = model.fit(seed=1, progress=False, engine=broken)
    found = shrunk.check("calibration", refits=25, algorithm="nuts", engine=broken)
    assert "is not calibrated" in doubts(found)


def test_labels_have_no_order_to_be_below_in(data: pd.DataFrame) -> None:
    labels = np.random.default_rng(5).choice(["a", "b", "c"], J * N)
    fit = fitted(data.assign(kind=labels), "kind ~ x", family="categorical")
    assert skipped(fit, what="pit") == {
        "pit": "responses are categories, of which none is below another"
    }


def test_single_rows_of_zero_and_one_say_nothing(data: pd.DataFrame) -> None:
    coins = data.assign(z=(np.random.default_rng(6).random(J * N) < 0.4).astype(int))
    assert "0 and 1" in skipped(fitted(coins, "z ~ x", family="bernoulli"), what="pit")["pit"]
    groups = fitted(coins, "z ~ x + (1 | g)", family="bernoulli").check("pit")
    assert [each.about for each in groups.findings] == ["levels of g"]


def test_levels_that_cannot_be_left_out_are_said(data: pd.DataFrame) -> None:
    check = fitted(data, "y ~ x + (1 | gr(g, dist='student'))").check("pit")
    assert check.ok
    assert [each.about for each in check.pits if len(each.u)] == ["rows"]
    assert any("levels of g: not looked at: leave-one-group-out" in each
               for each in check.sentences)  # fmt: skip


def test_weighted_rows_are_not_simulated(data: pd.DataFrame) -> None:
    fit = fitted(data.assign(w=2.0), weights="w")
    assert skipped(fit, what="calibration") == {
        "simulated data": "rows have weights, with which no response can be simulated"
    }


def test_rows_whose_residuals_go_together_are_not_looked_at_one_by_one() -> None:
    """Rows that are simulated beside them would be in the same series, at the same times."""
    rng = np.random.default_rng(7)
    g = np.repeat(np.arange(J), N)
    frame = pd.DataFrame({"g": g, "t": np.tile(np.arange(N), J), "y": rng.normal(size=J * N)})
    fit = fitted(frame, "y ~ 1 + ar(t, by=g)")
    reason = "residuals of rows go together: no row can be looked at by itself"
    assert skipped(fit) == {"pit": reason, "simulated data": reason}
    stubborn = fitted(frame, "y ~ 1 + ar(t, by=g)", priors={"Intercept": "normal(3, 0.1)"})
    assert list(stubborn.check("priors").table().query("doubtful")["about"]) == ["Intercept"]


def test_few_draws_are_not_judged(data: pd.DataFrame) -> None:
    fit = hm.Model("y ~ x + (1 | g)", data).fit(seed=1, chains=1, draws=50, progress=False)
    assert skipped(fit, what="pit") == {"pit": "there are fewer than 100 draws"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"what": "chains"}, "what must be one of convergence, priors, pit, calibration"),
        ({"refits": 5}, "refits must be a whole number from 20"),
        ({"algorithm": "laplace"}, "algorithm must be one of importance, nuts"),
        ({"seed": -1}, "seed must be a whole number from 0"),
    ],
)
def test_options_are_named_words_and_counts(
    right: hm.Fit, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ArgumentError, match=said):
        right.check(**options)


# How it is shown ---------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_report(right: hm.Fit, report: Check, tmp_path: Path) -> None:
    """Of a fit that was saved and loaded, too."""
    right.save(tmp_path / "fit.nc")
    again = hm.load(tmp_path / "fit.nc").check(["priors", "pit"])
    expected = report.table().query("part in ('priors', 'pit')").reset_index(drop=True)
    # Fewer tests share the chance of an error.
    pd.testing.assert_frame_equal(
        again.table().drop(columns="limit"), expected.drop(columns="limit"), rtol=1e-6
    )


def test_the_figure_has_a_panel_for_each_question(report: Check) -> None:
    plot = report.plot()
    panels = [ax for ax in plot.figure.axes if ax.get_visible()]
    assert [ax.get_title(loc="left").split(",")[0] for ax in panels] == [
        "Responses", "Groups", "Parameters in refits to simulated data",
        "What priors and data weigh",
    ]  # fmt: skip
    assert set(plot.data["panel"].unique()) > {"priors"}
    curve = plot.data[plot.data["name"] == "rows"]
    assert (curve["low"] <= curve["high"]).all()
    assert curve["gap"].iloc[[0, -1]].tolist() == [0, 0]


def test_a_part_is_drawn_alone(right: hm.Fit) -> None:
    assert len(right.check("pit").plot().figure.axes) == 2
    with pytest.raises(ArgumentError, match="nothing to draw"):
        right.check("convergence").plot()


def test_a_notebook_shows_sentences_and_table(report: Check) -> None:
    html = report._repr_html_()
    assert report.verdict in html
    assert html.count("<tr") == len(report.table()) + 1


# Of right models ---------------------------------------------------------------------------------


def counts(frame: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    return rng.poisson(np.exp(frame["eta"]))


def shares(frame: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    p = 1 / (1 + np.exp(-frame["eta"]))
    return np.clip(rng.beta(6 * p, 6 * (1 - p)), 1e-6, 1 - 1e-6)


def coins(frame: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    return (rng.random(len(frame)) < 1 / (1 + np.exp(-frame["eta"]))).astype(int)


type Draw = Callable[[pd.DataFrame, np.random.Generator], Any]
RIGHT: dict[str, tuple[str, str, Draw]] = {
    "gaussian": ("y ~ x + (1 | g)", "gaussian", lambda d, r: d["eta"] + r.normal(size=len(d))),
    "slope": ("y ~ x + (x | g)", "gaussian", lambda d, r: d["eta"] + r.normal(size=len(d))),
    "few groups": ("y ~ x + (1 | few)", "gaussian", lambda d, r: 0.5 * d["x"] + r.normal(size=4)[
        d["few"]] + r.normal(size=len(d))),
    "nested": ("y ~ x + (1 | few/g)", "gaussian", lambda d, r: d["eta"] + r.normal(size=4)[
        d["few"]] + r.normal(size=len(d))),
    "crossed": ("y ~ x + (1 | g) + (1 | h)", "gaussian", lambda d, r: d["eta"] + 0.5 * r.normal(
        size=8)[d["h"]] + r.normal(size=len(d))),
    "no groups": ("y ~ x", "gaussian", lambda d, r: 0.5 * d["x"] + r.normal(size=len(d))),
    "student": ("y ~ x + (1 | g)", "student_t", lambda d, r: d["eta"] + r.standard_t(4, len(d))),
    "lognormal": ("y ~ x + (1 | g)", "lognormal", lambda d, r: np.exp(d["eta"] + 0.7 * r.normal(
        size=len(d)))),
    "gamma": ("y ~ x + (1 | g)", "gamma", lambda d, r: np.exp(d["eta"]) * r.gamma(2, 0.5, len(d))),
    "weibull": ("y ~ x + (1 | g)", "weibull", lambda d, r: np.exp(d["eta"]) * r.weibull(
        1.5, len(d))),
    "exponential": ("y ~ x + (1 | g)", "exponential", lambda d, r: np.exp(d["eta"])
                    * r.exponential(size=len(d))),
    "beta": ("y ~ x + (1 | g)", "beta", shares),
    "poisson": ("y ~ x + (1 | g)", "poisson", counts),
    "negative binomial": ("y ~ x + (1 | g)", "negative_binomial", lambda d, r: r.poisson(
        np.exp(d["eta"]) * r.gamma(2, 0.5, len(d)))),
    "zeros": ("y ~ x + (1 | g)", "zero_inflated_poisson", lambda d, r: counts(d, r)
              * (r.random(len(d)) > 0.25)),
    "bernoulli": ("y ~ x + (1 | g)", "bernoulli", coins),
    "binomial": ("y | trials(8) ~ x + (1 | g)", "binomial", lambda d, r: r.binomial(
        8, 1 / (1 + np.exp(-d["eta"])))),
    "ordinal": ("y ~ x + (1 | g)", "ordinal", lambda d, r: 1 + np.digitize(
        d["eta"] + r.logistic(size=len(d)), [-1, 0.5, 2])),
    "many rows": ("y ~ x + (1 | g)", "gaussian", lambda d, r: d["eta"] + r.normal(size=len(d))),
    "category": ("y ~ C(few) + (1 | g)", "gaussian", lambda d, r: d["eta"] + r.normal(
        size=len(d))),
}  # fmt: skip


@pytest.mark.slow
def test_twenty_right_models_are_left_alone() -> None:
    """One false alarm in 25 such runs is expected, and three in one of 90,000."""
    by_chance, at_once = {}, {}
    for seed, (name, (formula, family, draw)) in enumerate(RIGHT.items()):
        frame = grouped(100 + seed)
        if name == "many rows":
            frame = pd.concat([frame] * 8, ignore_index=True)
        frame = frame.assign(few=frame["g"] // 5, h=np.arange(len(frame)) % 8)
        frame["y"] = draw(frame, np.random.default_rng(seed))
        check = fitted(frame, formula, family=family, draws=1000).check(refits=40)
        for each in (each for each in check.findings if each.doubtful):
            found = by_chance if each.part in ("pit", "calibration") else at_once
            found[name] = each.text
    assert not at_once
    assert len(by_chance) < 3, by_chance
