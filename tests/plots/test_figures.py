"""Figures of real panels: many levels, long names, dates, counts from none to thousands, trials."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import hiermix as hm
from hiermix.plots import predictive_check, style

SETTINGS: dict[str, Any] = {"seed": 1, "chains": 2, "warmup": 150, "draws": 100, "progress": False}
NAMES = [f"University Hospital of Saint Bartholomew, ward {k:02d}" for k in range(60)]


@pytest.fixture(scope="module")
def wards() -> hm.Fit:
    rng = np.random.default_rng(1)
    ward = np.repeat(np.arange(60), 10)
    mean = np.exp(3 + 1.6 * rng.normal(size=60))[ward]
    cases = rng.negative_binomial(0.7, 0.7 / (0.7 + mean))
    data = pd.DataFrame({"cases": cases, "ward": np.array(NAMES)[ward]})
    return hm.Model("cases ~ 1 + (1 | ward)", data, family="negative_binomial").fit(**SETTINGS)


@pytest.fixture(scope="module")
def weekly() -> hm.Fit:
    """The month is known from the week; sales follow the month alone."""
    rng = np.random.default_rng(2)
    weeks = pd.date_range("2022-01-03", periods=104, freq="W-MON")
    data = pd.DataFrame([(week, f"s{k}") for week in weeks for k in range(6)],
                        columns=["week", "store"])  # fmt: skip
    data = data.assign(month=data["week"].dt.month, t=(data["week"] - weeks[0]).dt.days // 7)
    data["sales"] = 3.0 * (data["month"] > 6) + 0.1 * rng.normal(size=len(data))
    return hm.Model("sales ~ t + C(month) + (1 | store)", data).fit(**SETTINGS)


def drawn(figure: Any) -> Any:
    figure.draw_without_rendering()  # which places everything
    return FigureCanvasAgg(figure).get_renderer()


def labels(axis: Any) -> list[Any]:
    """Return the labels of ticks that are drawn: those in view."""
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks()
            if low <= tick.get_loc() <= high and tick.label1.get_visible()]  # fmt: skip


def inside(figure: Any) -> bool:
    """Tell whether every title, label and tick stands inside of the figure."""
    renderer, edge = drawn(figure), figure.bbox
    texts = [figure._suptitle] if figure._suptitle else []
    for ax in figure.axes:
        if ax.get_visible():
            texts += [ax._left_title, ax.title, ax.xaxis.label, ax.yaxis.label]
            texts += [*labels(ax.xaxis), *labels(ax.yaxis)]
    boxes = [text.get_window_extent(renderer) for text in texts if text.get_text().strip()]
    return all(
        box.x0 >= -2 and box.x1 <= edge.x1 + 2 and box.y0 >= -2 and box.y1 <= edge.y1 + 2
        for box in boxes
    )


def apart(ax: Any) -> bool:
    """Tell whether labels along x stand apart."""
    renderer = drawn(ax.figure)
    boxes = sorted(
        (text.get_window_extent(renderer) for text in labels(ax.xaxis) if text.get_text()),
        key=lambda box: box.x0,
    )
    return all(one.x1 <= other.x0 + 1 for one, other in pairwise(boxes))


def test_every_level_of_sixty_has_its_label(wards: hm.Fit) -> None:
    for plot in (wards.plot_groups("ward"), wards.plot_check("ward"), wards.plot_shrinkage("ward")):
        ax = plot.figure.axes[0]
        names = [text.get_text() for text in labels(ax.xaxis)]
        assert len(names) == len(set(names)) == 60
        assert inside(plot.figure)
        assert apart(ax)


def test_a_forest_has_whole_names_from_low_to_high(wards: hm.Fit) -> None:
    plot = wards.plot_groups("ward", horizontal=True)
    ax = plot.figure.axes[0]
    names = [text.get_text() for text in labels(ax.yaxis)]
    assert names == plot.data["level"].tolist()
    assert set(names) == set(NAMES)
    np.testing.assert_allclose(
        np.concatenate([np.sort(line.get_xdata()) for line in ax.get_lines()[1:]]).sum(),
        plot.data["mean"].sum(),
    )
    assert inside(plot.figure)


def test_skewed_counts_fill_bins_of_equal_ratio(wards: hm.Fit) -> None:
    """Of bins of equal width, the first would hold nearly all rows."""
    cases = wards.design.response
    data = wards.plot_check().data
    assert data["observed"].sum() == 600
    assert (data["observed"] > 0).mean() > 0.7
    assert data["observed"].max() < 200
    for left, right, seen in data[["left", "right", "observed"]].to_numpy():
        assert seen == ((cases > left) & (cases < right)).sum()


def test_bins_by_hand() -> None:
    few = np.array([0.0, 1, 2, 3])
    assert predictive_check._edges(few, few[:, None]).tolist() == [-0.5, 0.5, 1.5, 2.5, 3.5]
    shares = np.array([0.0, 0.25, 0.5, 1.0])
    np.testing.assert_allclose(
        predictive_check._edges(shares, shares[:, None]),
        [-0.125, 0.125, 0.375, 0.625, 0.875, 1.125],
    )
    far = np.concatenate([np.geomspace(0.01, 1, 50), [1000.0]])
    ratios = np.diff(np.log(predictive_check._edges(far, far[:, None])))
    assert np.allclose(ratios, ratios[0])


def test_shares_of_trials_are_compared() -> None:
    """Rows of 5 and of 500 trials have one scale; a level's mean is that of all its trials."""
    rng = np.random.default_rng(3)
    trials = np.where(np.arange(200) % 2, 5, 500)
    data = pd.DataFrame({"k": rng.binomial(trials, 0.3), "n": trials, "g": np.arange(200) % 8})
    fit = hm.Model("k | trials(n) ~ 1 + (1 | g)", data, family="binomial").fit(**SETTINGS)
    assert fit.plot_check().data["right"].max() <= 1.1
    levels = fit.plot_check("g").data.set_index("level")["observed"]
    sums = data.groupby("g")[["k", "n"]].sum()
    np.testing.assert_allclose(levels.sort_index(), sums["k"] / sums["n"])


def test_ratings_have_their_names() -> None:
    rng = np.random.default_rng(4)
    names = ["very unlikely", "unlikely", "likely"]
    rating = pd.Categorical.from_codes(rng.integers(0, 3, 200), names, ordered=True)
    data = pd.DataFrame({"rating": rating, "g": np.arange(200) % 8})
    fit = hm.Model("rating ~ 1 + (1 | g)", data, family="ordinal").fit(**SETTINGS)
    axes = fit.plot_check().figure.axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == names


@pytest.mark.parametrize("x", ["t", "week"])
def test_what_time_determines_moves_with_it(weekly: hm.Fit, x: str) -> None:
    """The month held at its most frequent, the curve would be flat."""
    plot = weekly.plot_fit(x, by="store", levels=["s1", "s4"])
    mine = plot.data[plot.data["level"] == "s1"]
    weeks = pd.date_range("2022-01-03", periods=104, freq="W-MON")
    assert len(mine) == 104
    # A month's mean of 6 x 8 rows of sd 0.1, the store's of 104: five standard errors.
    error = 5 * 0.1 * np.sqrt(1 / 48 + 1 / 104)
    np.testing.assert_allclose(mine["mean"], 3.0 * (weeks.month > 6), atol=error)
    assert inside(plot.figure)
    if x == "week":
        assert apart(plot.figure.axes[0])


def test_a_groups_own_column_moves_along_its_own_line() -> None:
    """Age rises with the year within everybody; people are of other ages in one year."""
    rng = np.random.default_rng(5)
    born = rng.integers(1950, 2000, 12)
    rows = [(f"p{k}", year + 0.5 * (k % 2), year - born[k])
            for k in range(12) for year in range(2010, 2018)]  # fmt: skip
    data = pd.DataFrame(rows, columns=["who", "year", "age"])
    data["y"] = 0.5 * data["age"] + 0.1 * rng.normal(size=len(data))
    fit = hm.Model("y ~ year + age + (1 | who)", data).fit(**SETTINGS)
    curve = fit.plot_fit("year", by="who", levels=["p3"]).data
    slope = np.polyfit(curve["year"], curve["mean"], 1)[0]
    assert slope == pytest.approx(0.5, abs=0.05)


def test_panels_share_a_scale_unless_it_flattens_them() -> None:
    assert style.share_scale(np.array([0.0, 1.0]), np.array([5.0, 9.0]))
    assert not style.share_scale(np.zeros(20), np.array([100.0, *[1.0] * 19]))


def test_dates_in_small_panels_stand_apart(weekly: hm.Fit) -> None:
    weeks = pd.date_range("2024-01-01", periods=8, freq="7D")
    later = pd.DataFrame([(week, f"s{k}") for week in weeks for k in range(6)],
                         columns=["week", "store"])  # fmt: skip
    later = later.assign(month=later["week"].dt.month, t=np.repeat(np.arange(104, 112), 6))
    forecast = weekly.forecast(later, time="week")
    observed = forecast.plot().data["observed"].notna()
    assert observed.sum() == 6 * 40  # five times the eight weeks ahead
    for history, times in (("all", 104), ("70D", 9)):
        plot = forecast.plot(history=history)
        assert plot.data["observed"].notna().sum() == 6 * times
        assert inside(plot.figure)
        assert all(apart(ax) for ax in plot.figure.axes)
    with pytest.raises(hm.ArgumentError, match="history must be a number of times, a duration"):
        forecast.plot(history=-1)
    assert inside(weekly.plot_residuals(against="week").figure)
