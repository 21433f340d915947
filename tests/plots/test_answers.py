"""Figures of answers: they show the numbers of the tables, whole labels, and the rows beside."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from tests.invented import invented, panel
from tests.plots.test_figures import inside, labels


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return invented("y ~ x * kind + treat + (1 + x | g)", panel())


@pytest.fixture(scope="module")
def rated() -> hm.Fit:
    return invented("rating ~ x + kind + (1 | g)", panel(), "ordinal")


def drawn_lines(ax: Any, name: str) -> Any:
    return next(line for line in ax.get_lines() if line.get_label() == name)


def test_curves_are_marginal_means(fit: hm.Fit) -> None:
    plot = fit.plot_effects("x", by="kind", prob=0.8)
    (ax,) = plot.figure.axes
    xs = np.unique(plot.data["x"])
    assert len(xs) == 60
    grid = hm.datagrid(x=[xs[0], xs[30]], kind=["a", "b", "c"], grid_type="balanced")
    table = fit.means(["x", "kind"], newdata=grid, conf_level=0.8).table()
    for row in table.itertuples():
        own = plot.data[(plot.data["x"] == row.x) & (plot.data["kind"] == row.kind)].iloc[0]
        assert own["estimate"] == pytest.approx(row.estimate, rel=1e-9)
        assert (own["low"], own["high"]) == pytest.approx((row.conf_low, row.conf_high), rel=1e-9)
    line = drawn_lines(ax, "kind b")
    np.testing.assert_array_equal(
        line.get_ydata(), plot.data.loc[plot.data["kind"] == "b", "estimate"]
    )
    assert "over the population" in ax.get_title("left")
    assert "80 % intervals" in " ".join(each.get_text() for each in ax.texts)
    assert inside(plot.figure)


def test_every_row_is_beside_the_curve_of_its_level(fit: hm.Fit) -> None:
    data = panel()
    (ax,) = fit.plot_effects("x", by="kind").figure.axes
    dots = [line for line in ax.get_lines() if line.get_marker() == "o" and len(line.get_xdata())]
    seen = [np.sort(line.get_ydata()) for line in dots]
    for each, (_, rows) in zip(seen, data.groupby("kind"), strict=True):
        np.testing.assert_allclose(each, np.sort(rows["y"]))
    (bare,) = fit.plot_effects("x", by="kind", data=False).figure.axes
    assert len(bare.get_lines()) == 3


def test_levels_have_means_with_intervals(fit: hm.Fit) -> None:
    plot = fit.plot_effects("kind")
    (ax,) = plot.figure.axes
    assert [text.get_text() for text in labels(ax.xaxis)] == ["a", "b", "c"]
    assert plot.data["estimate"].tolist() == fit.means("kind").table()["estimate"].tolist()
    assert inside(plot.figure)


def test_shares_are_averaged_where_rows_are_yes_or_no() -> None:
    data = panel()
    fit = invented("yes ~ x + kind + (1 | g)", data, "bernoulli")
    (ax,) = fit.plot_effects("kind").figure.axes
    diamonds = [
        line for line in ax.get_lines() if line.get_marker() == "D" and len(line.get_xdata())
    ]
    np.testing.assert_allclose(diamonds[0].get_ydata(), data.groupby("kind")["yes"].mean())
    fit = invented("k | trials(size) ~ kind + (1 | g)", data, "binomial")
    (ax,) = fit.plot_effects("kind").figure.axes
    diamonds = [
        line for line in ax.get_lines() if line.get_marker() == "D" and len(line.get_xdata())
    ]
    sums = data.groupby("kind")[["k", "size"]].sum()
    np.testing.assert_allclose(diamonds[0].get_ydata(), sums["k"] / sums["size"])


def test_categories_have_a_panel_for_each_level(rated: hm.Fit) -> None:
    plot = rated.plot_effects("x", by="kind")
    assert len(plot.figure.axes) == 3
    assert set(plot.data["category"]) == {"1", "2", "3", "4"}
    total = plot.data.groupby(["x", "kind"], observed=True)["estimate"].sum()
    np.testing.assert_allclose(total, 1.0)
    assert inside(plot.figure)
    (ax,) = rated.plot_effects("x", scale="mean").figure.axes
    assert ax.get_ylabel() == "rating"


def test_a_column_beside_the_formula_averages_rows(fit: hm.Fit) -> None:
    plot = fit.plot_effects("region")
    table = fit.predictions(by="region", over="population").table()
    assert plot.data["estimate"].tolist() == table["estimate"].tolist()
    assert "averages of the fitted rows" in plot.figure.axes[0].texts[0].get_text()


def test_groups_are_these_groups(fit: hm.Fit) -> None:
    plot = fit.plot_effects("x", by="g")
    assert "over these groups" in plot.figure.axes[0].get_title("left")
    assert len(plot.data) == 6 * 60


def test_dates_and_numbers_with_many_values() -> None:
    data = panel().assign(day=pd.date_range("2024-01-01", periods=96, freq="D"))
    fit = invented("y ~ trend(day) + x + (1 | g)", data)
    plot = fit.plot_effects("day", by="x")
    assert len(plot.data["x"].unique()) == 3
    assert inside(plot.figure)


def test_what_cannot_be_drawn(fit: hm.Fit) -> None:
    data = panel()
    with pytest.raises(hm.ArgumentError, match="x names 'xx', no column of the data"):
        fit.plot_effects("xx")
    with pytest.raises(hm.ArgumentError, match=r"by names 'knd', .* Did you mean 'kind'"):
        fit.plot_effects("x", by="knd")
    with pytest.raises(hm.ArgumentError, match="x and by are both 'x'"):
        fit.plot_effects("x", by="x")
    with pytest.raises(hm.ArgumentError, match="scale must be one of response, linear, mean"):
        fit.plot_effects("x", scale="ratio")
    with pytest.raises(hm.ArgumentError, match="prob must be between 0 and 1"):
        fit.plot_effects("x", prob=90)
    many = pd.concat([data] * 5, ignore_index=True)
    many["z"] = np.arange(len(many)) * 1.0
    wide = invented("y ~ x + (1 | g)", many)
    with pytest.raises(hm.ArgumentError, match="'z' is not in the model and has 480 different"):
        wide.plot_effects("z")


def test_intervals_are_drawn_as_the_table_has_them(fit: hm.Fit) -> None:
    answer = fit.comparisons(by="kind")
    plot = answer.plot()
    (ax,) = plot.figure.axes
    pd.testing.assert_frame_equal(plot.data, answer.table())
    (dots,) = [line for line in ax.get_lines() if line.get_marker() == "o"]
    np.testing.assert_array_equal(dots.get_xdata(), plot.data["estimate"])
    names = [text.get_text() for text in labels(ax.yaxis)]
    assert len(set(names)) == len(answer)
    assert inside(plot.figure)
    rows = fit.predictions()
    assert len(rows.plot().data) == 96
    with pytest.raises(hm.ArgumentError, match="can't be read in one figure"):
        fit.predictions(pd.concat([panel()] * 3)).plot()


def test_ranks_are_drawn_as_the_table_has_them(fit: hm.Fit) -> None:
    plot = fit.plot_ranks("g", best=2, prob=0.8)
    left, right = plot.figure.axes
    pd.testing.assert_frame_equal(plot.data, fit.ranks("g", best=2, conf_level=0.8).table())
    (dots,) = [line for line in left.get_lines() if line.get_marker() == "o"]
    np.testing.assert_array_equal(dots.get_xdata(), plot.data["rank"])
    assert [bar.get_width() for bar in right.patches] == plot.data["probability"].tolist()
    assert inside(plot.figure)


def test_titles_and_legends_stay_within_the_figure() -> None:
    """At 600 pixels, with names of fifty letters."""
    data = panel(120)
    names = {"a": "a very long treatment name, 200 mg twice a day", "b": "placebo",
             "c": "standard of care, unblinded, as the site has it"}  # fmt: skip
    fit = invented("y ~ x * kind + (1 | g)", data.assign(kind=data["kind"].map(names)))
    size = (6.0, 4.0)
    for plot in (
        fit.plot_effects("x", by="kind", figsize=size),
        fit.comparisons("x", by="kind").plot(figsize=size),
        fit.means("kind", hypothesis="pairwise").plot(figsize=size),
    ):
        plot.figure.canvas.draw()
        whole = plot.figure.bbox
        texts = [*plot.figure.axes[0].texts, plot.figure.axes[0]._left_title]
        legends = [text for each in plot.figure.legends for text in each.get_texts()]
        for text in (*texts, *legends):
            box = text.get_window_extent()
            assert box.x0 >= -1, text.get_text()
            assert box.x1 <= whole.x1 + 1, text.get_text()
