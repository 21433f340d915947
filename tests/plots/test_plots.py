"""Plots: the numbers drawn against independent computation, and labels that don't overlap."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import hiermix as hm
from hiermix.families.table import find
from hiermix.plots import residuals, shrinkage, style
from hiermix.plots.replicates import replicates
from hiermix.posterior import no_pooling
from hiermix.posterior.posterior import Posterior


def fitted(formula: str, data: pd.DataFrame, **options: Any) -> hm.Fit:
    return hm.Model(formula, data, **options).fit(seed=1, chains=2, draws=300, progress=False)


@pytest.fixture(scope="module")
def radon() -> hm.Fit:
    return fitted(
        "log_radon ~ floor + log_uranium + (1 + floor | county)", hm.load_dataset("radon")
    )


@pytest.fixture(scope="module")
def sleep() -> hm.Fit:
    return fitted("Reaction ~ Days + (1 + Days | Subject)", hm.load_dataset("sleepstudy"))


@pytest.fixture(scope="module")
def simulated() -> hm.Fit:
    """60 groups of 1 to 12 rows, drawn from the model that is fitted."""
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(60), rng.integers(1, 13, 60))
    effects = rng.normal(0, [2, 1], (60, 2))
    x = rng.normal(size=len(group))
    y = 3 + x + effects[group, 0] + effects[group, 1] * x + rng.normal(0, 1.5, len(group))
    frame = pd.DataFrame({"y": y, "x": x, "g": [f"group {each}" for each in group]})
    return fitted("y ~ x + (1 + x | g)", frame)


@pytest.fixture(autouse=True)
def _nothing_is_left_with_pyplot() -> Iterator[None]:
    yield
    import matplotlib.pyplot as plt

    assert plt.get_fignums() == []


def flat(array: Any) -> np.ndarray:
    return array.to_numpy().reshape(-1, *array.shape[2:])


def test_no_pooling_is_each_subjects_own_line(sleep: hm.Fit) -> None:
    data = sleep.plot_shrinkage("Subject").data
    for subject, rows in hm.load_dataset("sleepstudy").groupby("Subject"):
        slope, intercept = np.polyfit(rows["Days"], rows["Reaction"], 1)
        own = data[data["level"] == subject].set_index("effect")["no_pooling"]
        assert own["Intercept"] == pytest.approx(intercept, rel=1e-9)
        assert own["Days"] == pytest.approx(slope, rel=1e-9)


def test_no_pooling_holds_what_does_not_vary_at_its_posterior_mean(radon: hm.Fit) -> None:
    """And has no slope where a county has houses on one floor only."""
    frame = hm.load_dataset("radon")
    slope = float(radon.data.posterior["b"].sel(term="log_uranium").mean())
    data = radon.plot_shrinkage("county").data.set_index(["level", "effect"])["no_pooling"]
    for county, rows in frame.groupby("county"):
        y = rows["log_radon"] - slope * rows["log_uranium"]
        if rows["floor"].nunique() == 2:
            expected = np.polyfit(rows["floor"], y, 1)[::-1]
        elif (rows["floor"] == 0).all():
            expected = np.array([y.mean(), np.nan])
        else:
            expected = np.array([np.nan, np.nan])
        np.testing.assert_allclose(data[county].to_numpy(), expected, rtol=1e-8)
    assert data.isna().sum() == 25


def test_shrinkage_numbers_are_those_of_the_posterior(radon: hm.Fit) -> None:
    posterior = radon.data.posterior
    data = radon.plot_shrinkage("county", prob=0.8).data.set_index(["level", "effect"])
    draws = flat(posterior["b"].sel(term="floor")) + flat(
        posterior["r_county"].sel(county="ST LOUIS", county_effect="floor")
    )
    row = data.loc[("ST LOUIS", "floor")]
    assert row["mean"] == pytest.approx(draws.mean())
    assert (row["low"], row["high"]) == pytest.approx(tuple(np.quantile(draws, [0.1, 0.9])))
    assert row["population"] == pytest.approx(float(posterior["b"].sel(term="floor").mean()))
    assert row["rows"] == 116
    frame = hm.load_dataset("radon")
    X = np.column_stack([np.ones(len(frame)), frame["floor"], frame["log_uranium"]])
    pooled = np.linalg.lstsq(X, frame["log_radon"], rcond=None)[0]
    assert row["complete_pooling"] == pytest.approx(pooled[1])


def test_shrinkage_is_ordered_by_rows_and_draws_its_numbers(radon: hm.Fit) -> None:
    plot = radon.plot_shrinkage("county", effects="floor")
    assert plot.data["rows"].is_monotonic_increasing
    assert set(plot.data["effect"]) == {"floor"}
    (ax,) = plot.figure.axes
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(lines["partial pooling"].get_ydata(), plot.data["mean"])
    np.testing.assert_array_equal(lines["no pooling"].get_ydata(), plot.data["no_pooling"])
    (arrows,) = [each for each in ax.collections if hasattr(each, "U")]
    known = plot.data.dropna()
    np.testing.assert_allclose(np.asarray(arrows.V), known["mean"] - known["no_pooling"])
    assert "25 groups" in " ".join(text.get_text() for text in ax.texts)


def test_two_effects_stand_against_each_other(sleep: hm.Fit) -> None:
    plot = sleep.plot_shrinkage("Subject")
    (ax,) = plot.figure.axes
    lines = {line.get_label(): line for line in ax.lines}
    x, y = lines["partial pooling"].get_data()
    np.testing.assert_array_equal(x, plot.data["mean"][plot.data["effect"] == "Intercept"])
    np.testing.assert_array_equal(y, plot.data["mean"][plot.data["effect"] == "Days"])
    outline = np.column_stack(lines["90 % of groups, as fitted"].get_data())
    sd = flat(sleep.data.posterior["sd_Subject"])
    # The ellipse reaches as far along an axis as the normal's radius times that sd.
    reach = np.sqrt(4.605170) * np.median(sd, axis=0)
    np.testing.assert_allclose(np.ptp(outline, axis=0) / 2, reach, rtol=1e-3)


def test_an_ellipse_holds_its_share_of_a_normal() -> None:
    from matplotlib.path import Path

    covariance = np.array([[2.0, -0.9], [-0.9, 0.5]])
    center = np.array([1.0, -3.0])
    points = np.random.default_rng(1).multivariate_normal(center, covariance, 20_000)
    for prob in (0.5, 0.9):
        inside = Path(shrinkage.ellipse(center, covariance, prob)).contains_points(points).mean()
        assert inside == pytest.approx(prob, abs=4 * np.sqrt(prob * (1 - prob) / 20_000) + 1e-3)


def test_offsets_and_weights_enter_the_estimates_alone() -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"g": np.repeat(list("abcdef"), 8), "o": rng.normal(0, 9, 48)})
    frame["w"] = rng.uniform(0.5, 2, 48)
    frame["y"] = frame["o"] + rng.normal(4, 1, 48)
    fit = fitted("y ~ 1 + offset(o) + (1 | g)", frame, weights="w")
    data = fit.plot_shrinkage("g").data
    own = (frame["y"] - frame["o"]).groupby(frame["g"])
    expected = own.apply(lambda y: np.average(y, weights=frame["w"][y.index]))
    np.testing.assert_allclose(data.set_index("level")["no_pooling"][expected.index], expected)
    pooled = np.average(frame["y"] - frame["o"], weights=frame["w"])
    assert data["complete_pooling"].unique() == pytest.approx([pooled])


def test_no_pooling_of_other_families_is_maximum_likelihood() -> None:
    """A group without a single success has its maximum at infinity: no circle."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(1)
    group, x = np.repeat(np.arange(12), 30), rng.normal(size=360)
    p = 1 / (1 + np.exp(-(0.3 + rng.normal(size=12)[group] + x)))
    y = np.where(group == 0, 0, rng.binomial(1, p))
    fit = fitted("y ~ x + (1 + x | g)", pd.DataFrame({"y": y, "x": x, "g": group}),
                 family="bernoulli")  # fmt: skip
    data = fit.plot_shrinkage("g").data.set_index(["level", "effect"])

    def best(rows: np.ndarray) -> np.ndarray:
        def loss(b: np.ndarray) -> float:
            eta = b[0] + b[1] * x[rows]
            return float(np.sum(np.logaddexp(0, eta) - y[rows] * eta))

        return np.asarray(minimize(loss, np.zeros(2), tol=1e-10).x)

    for level in range(1, 12):
        np.testing.assert_allclose(data["no_pooling"][level], best(group == level), rtol=1e-4)
    assert data["no_pooling"][0].isna().all()
    np.testing.assert_allclose(data["complete_pooling"][0], best(group >= 0), rtol=1e-4)


def own_estimates(
    frame: pd.DataFrame, family: str, at: dict[str, float], formula: str = "y ~ 1 + (1 | g)"
) -> np.ndarray:
    """Estimates of each group alone (group, effect), beside a posterior of one draw."""
    import xarray as xr

    design = hm.Model(formula, frame, family=family).design
    grouping, every = design.groupings[0], ("chain", "draw")
    Q = len(grouping.effects)
    variables: dict[str, Any] = {name: (every, [[value]]) for name, value in at.items()}
    variables["r_g"] = ((*every, "g", "g_effect"), np.zeros((1, 1, len(grouping.levels), Q)))
    if len(design.terms) > 1:
        variables["b"] = ((*every, "term"), np.zeros((1, 1, len(design.terms) - 1)))
    coords = {"g": grouping.levels.tolist(), "g_effect": list(grouping.effects),
              "term": list(design.terms[1:])}  # fmt: skip
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(variables, coords=coords)})
    return no_pooling.per_group(Posterior.of(tree, design, find(family)), "g")


COUNTS = [0.0, 0.3, 4.0, 1e3, 1e6, 1e8]


@pytest.mark.parametrize(
    ("family", "own"),
    [("poisson", {}), ("negative_binomial", {"shape": 2.0}), ("gamma", {"shape": 3.0})],
)
def test_groups_far_from_each_other_have_their_own_estimates(
    family: str, own: dict[str, float]
) -> None:
    """The log of the mean; a group without a single event has its maximum at infinity."""
    rng = np.random.default_rng(5)
    y = np.concatenate([rng.poisson(mean, 20) for mean in COUNTS]).astype(float)
    if family == "gamma":
        y = np.concatenate([rng.gamma(3, max(mean, 1e-7), 20) for mean in COUNTS])
    frame = pd.DataFrame({"y": y, "g": np.repeat(list("abcdef"), 20)})
    found = own_estimates(frame, family, {"Intercept": 2.0, **own})[:, 0]
    with np.errstate(divide="ignore"):
        expected = np.log(frame.groupby("g")["y"].mean().to_numpy())
    expected[np.isinf(expected)] = np.nan
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_lines_far_from_the_population_have_their_own_estimates() -> None:
    """Poisson lines by scipy; the last group has not a single event."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(6)
    x = np.tile(np.arange(20.0), 4)
    eta = np.concatenate([0 * x[:20], 0.5 * x[:20], 5 - 0.8 * x[:20], np.full(20, -30)])
    frame = pd.DataFrame({"y": rng.poisson(np.exp(eta)), "x": x, "g": np.repeat(list("abcd"), 20)})
    found = own_estimates(frame, "poisson", {"Intercept": 0.5}, "y ~ x + (x | g)")
    for place in range(3):
        rows = frame.iloc[20 * place : 20 * place + 20]
        X, y = np.column_stack([np.ones(20), rows["x"]]), rows["y"].to_numpy()
        best = minimize(
            lambda b, X=X, y=y: np.sum(np.exp(X @ b) - y * (X @ b)), np.zeros(2),
            jac=lambda b, X=X, y=y: X.T @ (np.exp(X @ b) - y), method="BFGS", tol=1e-8,
        )  # fmt: skip
        np.testing.assert_allclose(found[place], best.x, atol=1e-3)
    assert np.isnan(found[3]).all()


def test_students_own_estimates_in_any_units() -> None:
    from scipy import optimize, stats

    rng = np.random.default_rng(7)
    y = np.concatenate([center + rng.standard_t(3, 30) for center in (0.0, 400.0, -3.0)])
    frame = pd.DataFrame({"y": y * 1e6, "g": np.repeat(list("abc"), 30)})
    found = own_estimates(frame, "student_t", {"Intercept": 0.0, "sigma": 1e6, "nu": 3.0})[:, 0]
    for place, (_, rows) in enumerate(frame.groupby("g")["y"]):
        center = rows.median()
        best = optimize.minimize_scalar(
            lambda m, rows=rows: -stats.t.logpdf(rows, 3, m, 1e6).sum(),
            bounds=(center - 2e6, center + 2e6), method="bounded", options={"xatol": 10.0},
        )  # fmt: skip
        assert found[place] == pytest.approx(best.x, abs=2e3)


def test_successes_are_drawn_as_shares_of_their_trials() -> None:
    frame = hm.load_dataset("cbpp")
    fit = fitted("incidence | trials(size) ~ 1 + (1 | herd)", frame, family="binomial")
    plot = fit.plot_fit("size", by="herd", levels=["1"])
    eta = flat(fit.data.posterior["Intercept"]) + flat(
        fit.data.posterior["r_herd"].sel(herd="1", herd_effect="Intercept")
    )
    np.testing.assert_allclose(plot.data["mean"], np.mean(1 / (1 + np.exp(-eta))))
    own = frame[frame["herd"] == "1"]
    points = next(line for line in plot.figure.axes[0].lines if line.get_label() == "observed")
    np.testing.assert_allclose(points.get_ydata(), own["incidence"] / own["size"])


def test_groups_run_from_low_to_high(sleep: hm.Fit) -> None:
    data = sleep.plot_groups("Subject", effects="Days", prob=0.5).data
    assert data["mean"].is_monotonic_increasing
    r = sleep.data.posterior["r_Subject"].sel(Subject="308", Subject_effect="Days").to_numpy()
    row = data.set_index("level").loc["308"]
    low, high = np.quantile(r, [0.25, 0.75])
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((r.mean(), low, high))
    assert row["differs"] == (low > 0 or high < 0)
    of_levels = sleep.plot_groups("Subject", effects="Days", kind="coefficients").data
    mean = float(sleep.data.posterior["b"].sel(term="Days").mean())
    moved = of_levels.set_index("level")["mean"] - data.set_index("level")["mean"]
    np.testing.assert_allclose(moved, mean)


def test_fitted_lines_are_the_definition(radon: hm.Fit) -> None:
    plot = radon.plot_fit("floor", by="county", levels=["ANOKA", "ST LOUIS"], prob=0.9)
    posterior = radon.data.posterior
    own = hm.load_dataset("radon").query("county == 'ANOKA'")
    r = posterior["r_county"].sel(county="ANOKA")
    population = flat(posterior["Intercept"]) + own["log_uranium"].mean() * flat(
        posterior["b"].sel(term="log_uranium")
    )
    for floor in (0, 1):
        slope = flat(posterior["b"].sel(term="floor")) + flat(r.sel(county_effect="floor"))
        line = population + flat(r.sel(county_effect="Intercept")) + floor * slope
        (row,) = plot.data.query("level == 'ANOKA' and floor == @floor").to_dict("records")
        assert row["mean"] == pytest.approx(line.mean())
        assert row["low"] == pytest.approx(np.quantile(line, 0.05))
        none = population + floor * flat(posterior["b"].sel(term="floor"))
        assert row["population"] == pytest.approx(none.mean())
    assert len([ax for ax in plot.figure.axes if ax.get_visible()]) == 2


def test_fitted_lines_say_how_many_groups_they_leave_out(radon: hm.Fit) -> None:
    plot = radon.plot_fit("floor", by="county")
    assert plot.data["level"].nunique() == 20
    assert "20 of 85 groups" in plot.figure.get_suptitle()
    shown = hm.load_dataset("radon")["county"].value_counts()[plot.data["level"].unique()]
    assert (shown.iloc[0], shown.iloc[-1]) == (1, 116)


def test_fitted_lines_over_labels_and_crossed_factors() -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({
        "t": pd.Categorical(np.tile(["low", "high"], 40), ["low", "high"]),
        "g": np.repeat(list("abcde"), 16), "h": np.tile(list("xyzw"), 20), "n": 3,
    })  # fmt: skip
    frame["y"] = rng.normal(0, 1, 80) + (frame["t"] == "high") * 2.0
    fit = fitted("y ~ t + (1 | g) + (1 | h)", frame)
    data = fit.plot_fit("t", by="g").data
    assert (len(data), set(data["t"])) == (10, {"low", "high"})
    effect = fit.data.posterior["b"].sel(term="t[T.high]").mean()
    step = data.pivot_table(index="level", columns="t", values="mean", observed=True)
    np.testing.assert_allclose(step["high"] - step["low"], float(effect))


def test_checks_count_every_row(radon: hm.Fit) -> None:
    data = radon.plot_check().data
    assert data["observed"].sum() == 919
    y = radon.design.response
    assert y is not None
    for row in data.iloc[:-1].itertuples():
        assert row.observed == np.sum((y >= row.left) & (y < row.right))
    assert ((data["low"] <= data["mean"]) & (data["mean"] <= data["high"])).mean() > 0.9


def test_checks_by_group_compare_each_level(radon: hm.Fit) -> None:
    data = radon.plot_check("county", statistic="sd").data
    own = hm.load_dataset("radon").groupby("county")["log_radon"]
    expected = own.std()[own.size() > 1]
    np.testing.assert_allclose(
        data.set_index("level")["observed"].sort_index(), expected.sort_index()
    )


def test_a_true_model_passes_its_checks_and_a_false_one_does_not(simulated: hm.Fit) -> None:
    by_group = simulated.plot_check("g", statistic="sd").data
    inside = (by_group["observed"] >= by_group["low"]) & (by_group["observed"] <= by_group["high"])
    assert inside.mean() > 0.75
    frame = simulated.design.frame.copy()
    frame.loc[frame["g"].isin(frame["g"].unique()[:15]), "y"] *= 6
    spoiled = fitted("y ~ x + (1 + x | g)", frame).plot_check("g", statistic="sd").data
    outside = (spoiled["observed"] < spoiled["low"]) | (spoiled["observed"] > spoiled["high"])
    assert outside.mean() > 0.25


def test_residuals_of_a_true_model_behave_as_errors(simulated: hm.Fit) -> None:
    """Those around the posterior mean would be too small, and tilted along the fit."""
    data = simulated.plot_residuals().data
    n = len(data)
    assert data["residual"].std() == pytest.approx(1, abs=4 / np.sqrt(2 * n))
    slope = np.corrcoef(data["x"], data["residual"])[0, 1]
    assert abs(slope) < 4 / np.sqrt(n)
    assert ((data["sorted"] >= data["low"]) & (data["sorted"] <= data["high"])).mean() > 0.9
    seen = replicates(simulated.posterior)
    assert (seen.y - seen.mean.mean(axis=1)).std() < 0.92 * 1.5


def test_residuals_against_a_column(sleep: hm.Fit) -> None:
    data = sleep.plot_residuals(against="Days").data
    np.testing.assert_array_equal(data["x"], hm.load_dataset("sleepstudy")["Days"])
    trend = residuals.running_mean(np.repeat([1.0, 2.0], 4), np.arange(8.0))
    sd = np.std([0, 1, 2, 3], ddof=1)
    np.testing.assert_allclose(trend, [[1, 1.5, sd / 2], [2, 5.5, sd / 2]])


def test_many_rows_are_thinned_and_it_is_said(
    sleep: hm.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hiermix.plots.replicates.ROWS", 50)
    plot = sleep.plot_residuals()
    assert len(plot.data) == 50
    assert "50 rows of 180" in " ".join(text.get_text() for text in plot.figure.axes[0].texts)
    assert sleep.plot_residuals().data.equals(plot.data)


@pytest.mark.parametrize("number", [3, 18, 85, 500])
@pytest.mark.parametrize("length", [2, 14])
def test_labels_of_levels_do_not_overlap(number: int, length: int) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    ax = style.axes(None, (style.WIDTH, 4.0))
    style.label_levels(ax, ["m" * length] * number)
    figure = style.figure_of(ax)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    boxes = [label.get_window_extent(renderer) for label in ax.get_xticklabels()]
    assert len(boxes) >= min(number, 30)
    for left, right in pairwise(boxes):
        assert left.x1 < right.x0
    assert all(label.get_fontsize() >= 7 for label in ax.get_xticklabels())


def test_limits_hold_all_that_matters_and_leave_out_the_wild() -> None:
    far = np.array([-0.5, 0.1, 0.4, 0.5, 0.6, 1.2, 400.0, np.nan])
    low, high = style.limits(np.array([0.0, 1.0]), far)
    assert -0.8 < low < -0.5
    assert 1.2 < high < 2


def test_a_plot_saves_and_shows_itself(sleep: hm.Fit, tmp_path: Any) -> None:
    plot = sleep.plot_groups("Subject", effects="Days")
    plot.save(tmp_path / "groups.svg")
    assert (tmp_path / "groups.svg").read_text().lstrip().startswith("<?xml")
    png, size = plot._repr_png_()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert size == {"width": 576, "height": 288}
    assert repr(plot) == "Plot(18 x 7 numbers drawn)"


def test_a_plot_can_be_drawn_into_given_axes(sleep: hm.Fit) -> None:
    from matplotlib.figure import Figure

    left, right = Figure(figsize=(9, 4)).subplots(1, 2)
    assert sleep.plot_shrinkage("Subject", ax=left).figure is left.figure
    sleep.plot_groups("Subject", effects="Days", ax=right)
    assert left.get_xlabel() == "Intercept"
    assert right.get_ylabel() == "Days"
    with pytest.raises(hm.ArgumentError, match="2 panels don't fit into one ax"):
        sleep.plot_groups("Subject", ax=right)


WRONG: list[tuple[Callable[[hm.Fit], object], str]] = [
    (lambda fit: fit.plot_shrinkage("Subjekt"), "Did you mean 'Subject'"),
    (lambda fit: fit.plot_shrinkage("Subject", effects="Dais"), "Did you mean 'Days'"),
    (lambda fit: fit.plot_shrinkage("Subject", prob=90), "prob must be between 0 and 1, not 90"),
    (lambda fit: fit.plot_groups("Subject", kind="effect"), "Did you mean 'effects'"),
    (lambda fit: fit.plot_fit("Day", by="Subject"), "Did you mean 'Days'"),
    (lambda fit: fit.plot_fit("Days", by="subject"), "Did you mean 'Subject'"),
    (lambda fit: fit.plot_fit("Days", by="Subject", levels=["3008"]), "Did you mean '308'"),
    (lambda fit: fit.plot_check("Days"), "'Days' is no grouping factor"),
    (lambda fit: fit.plot_check(statistic="median"), "statistic must be one of mean, sd"),
    (lambda fit: fit.plot_residuals(against="day"), "'day' is no column"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_wrong_names_are_answered_with_near_ones(
    sleep: hm.Fit, call: Callable[[hm.Fit], object], message: str
) -> None:
    with pytest.raises(hm.ArgumentError, match=message):
        call(sleep)


@pytest.mark.parametrize("days", [0.001, 0.02, 0.3, 1.9, 20, 45, 61, 200, 371, 700, 4000])
@pytest.mark.parametrize("width", [0.6, 1.2, 1.8, 4.0])
def test_dates_find_a_step_in_panels_of_any_width(days: float, width: float) -> None:
    """Matplotlib's own steps end too early for few ticks, and then it warns."""
    figure = Figure(figsize=(width, 2))
    axes = figure.add_subplot()
    start = pd.Timestamp("2023-12-30 11:59")
    axes.plot([start, start + pd.Timedelta(days, "D")], [0, 1])
    style.date_ticks(axes, width)
    figure.canvas.draw()
    assert 1 <= len(axes.get_xticks()) <= max(3, int(width / 0.5) + 1)
