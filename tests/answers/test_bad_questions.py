"""Questions that can't be answered are refused with what is wrong and a way out."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.prediction import estimands
from tests.invented import invented, panel


@pytest.fixture(scope="module")
def fit() -> hm.Fit:
    return invented("y ~ x + treat + kind + (1 + x | g) + (1 | h)", panel())


@pytest.fixture(scope="module")
def choice() -> hm.Fit:
    return invented("choice ~ x + (1 | g)", panel(), "categorical")


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("comparisons", {"variables": "xx"}, "variables names 'xx', no column .* Known: 'x', 'treat'"),
    ("comparisons", {"variables": "w"}, "variables names 'w', a column that the model does not"),
    ("comparisons", {"variables": []}, "variables names nothing"),
    ("comparisons", {"variables": {"x": "pairwise"}}, "'x' has 96 different values: name those"),
    ("comparisons", {"variables": {"x": "sdd"}}, "'x' changes by a number, .* not 'sdd'"),
    ("comparisons", {"variables": {"x": [1]}}, "'x' needs two values to compare"),
    ("comparisons", {"variables": {"kind": "sd"}}, "'kind' holds levels in the fit, not numbers"),
    ("comparisons", {"variables": {"kind": ["a", "z"]}}, "'kind' has a level .*'z'|z"),
    ("comparisons", {"variables": "g", "over": "population"}, "'g', which is a group: groups are"),
    ("comparisons", {"by": "regio"}, "by names 'regio', no column .* Did you mean 'region'"),
    ("comparisons", {"by": 3}, "by takes a name or a list of names, not 3"),
    ("comparisons", {"over": "populations"}, "over must be one of these groups, .* Did you mean"),
    ("comparisons", {"scale": "odds"}, "scale must be one of response, linear, .* not 'odds'"),
    ("comparisons", {"scale": "odds ratio"}, "odds ratio' is for probabilities: family 'gaussian'"),
    ("predictions", {"scale": "ratio"}, "scale='ratio' compares two numbers"),
    ("predictions", {"conf_level": 95}, "conf_level must be between 0 and 1, not 95"),
    ("predictions", {"wts": "weight"}, "wts names 'weight', no column of the rows"),
    ("predictions", {"wts": [1.0, 2.0]}, "wts has 2 values for 96 rows"),
    ("predictions", {"wts": -np.ones(96)}, "wts has 96 values that are negative .*rows 0, 1, 2"),
    ("predictions", {"wts": "kind"}, "column 'kind' holds no numbers"),
    ("predictions", {"wts": np.zeros(96), "by": True}, "wts are zero in all rows: there is"),
    ("predictions", {"newdata": "balance"}, "newdata is a frame.* Did you mean 'balanced'"),
    ("predictions", {"newdata": pd.DataFrame({"x": []})}, "newdata has no rows"),
    ("predictions", {"newdata": hm.datagrid(xx=1)}, "datagrid names 'xx', no column of the data"),
    ("predictions", {"newdata": hm.datagrid(kind="z")}, "kind"),
    ("predictions", {"newdata": hm.datagrid(x=[])}, "no values are named for 'x'"),
    ("predictions", {"by": True, "hypothesis": "pairwise"}, "compares rows, and there is one"),
    ("predictions", {"by": "kind", "hypothesis": "b3 - b0"}, "'b3' names no row.* b0, b1, b2"),
    ("predictions", {"by": "kind", "hypothesis": "1 - 2"}, "names no row: rows are b0 to b2"),
    ("predictions", {"by": "kind", "hypothesis": "b0 <"}, "write an expression of rows"),
    ("predictions", {"by": "kind", "hypothesis": "b0 = b1 = b2"}, "one equation"),
    ("predictions", {"by": "kind", "hypothesis": "b0 -"}, "is no expression of rows"),
    ("predictions", {"by": "kind", "hypothesis": "pairwise | x"}, "within 'x', no column of the"),
    ("predictions", {"by": "kind", "hypothesis": [1.0, -1.0]}, "or 3 weights, one a row"),
    ("predictions", {"by": "kind", "hypothesis": 3}, "or 3 weights, one a row; not 3"),
    ("predictions", {"hypothesis": "__import__('os').getcwd()"}, "names no row"),
    ("slopes", {"variables": "kind"}, "'kind' holds levels in the fit, not numbers"),
    ("slopes", {"variables": "x", "scale": "ratio"}, "slopes have scale='response' or 'linear'"),
    ("slopes", {"variables": {"x": [0, 1]}}, "slopes take names of variables"),
    ("means", {"by": "w"}, "'w', which no predictor of the formula is. newdata=None averages"),
    ("means", {"by": "knd"}, "by names 'knd', no column of the rows. Did you mean 'kind'"),
    ("means", {"by": 3}, "by takes a name or a list of names, not 3"),
    ("means", {"by": "x"}, "'x' has 96 different values: name those"),
    ("means", {"by": "kind", "wts": "cell"}, "Did you mean 'cells'"),
]


@pytest.mark.parametrize(("door", "asked", "message"), BAD)
def test_what_cannot_be_answered(
    fit: hm.Fit, door: str, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(hm.HiermixError, match=message):
        getattr(fit, door)(**asked)


def test_these_groups_are_those_of_the_fit(fit: hm.Fit) -> None:
    rows = panel().iloc[:3]
    with pytest.raises(
        hm.DataError, match=r"1 label of 'g' was not in the fit: 'new'.*population'"
    ):
        fit.predictions(rows.assign(g="new"))
    with pytest.raises(hm.DataError, match=r"'g' has 1 missing label \(row 0\).*population'"):
        fit.predictions(rows.assign(g=[None, "g1", "g2"]))
    with pytest.raises(hm.DataError, match="newdata has no column 'h', and over='these groups'"):
        fit.predictions(rows.drop(columns="h"))
    with pytest.raises(hm.DataError, match="no fitted row has g='new'"):
        fit.predictions(hm.datagrid(g="new"))
    for over in ("population", "typical group", "new group"):
        known = fit.predictions(rows, over=over).draws
        for other in (rows.assign(g="new"), rows.drop(columns=["g", "h"])):
            np.testing.assert_array_equal(fit.predictions(other, over=over).draws, known)


def test_a_grid_in_very_many_groups_is_refused(
    fit: hm.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = hm.datagrid(x=np.linspace(0, 1, 50))
    pairs = len(panel()[["g", "h"]].drop_duplicates())
    monkeypatch.setattr(estimands, "_MOST", 50 * pairs - 1)
    with pytest.raises(hm.ArgumentError, match=f"50 rows of a grid.* make {50 * pairs:,} rows"):
        fit.predictions(grid)
    assert len(fit.predictions(grid, over="population")) == 50


def test_dates_are_compared_between_two_of_them() -> None:
    data = panel().assign(day=pd.date_range("2024-01-01", periods=96))
    fit = invented("y ~ trend(day) + x + (1 | g)", data)
    assert fit.comparisons(by=True).labels["term"].tolist() == ["x"]
    days = [data["day"][0], data["day"][50]]
    table = fit.comparisons({"day": days}, by=True).table()
    assert table["contrast"].tolist() == ["2024-02-20 - 2024-01-01"]
    for door in (fit.slopes, fit.comparisons):
        with pytest.raises(hm.ArgumentError, match=r"holds dates in the fit.*\[one, other\]"):
            door("day")


def test_categories_without_an_order_have_no_mean(choice: hm.Fit) -> None:
    with pytest.raises(hm.ArgumentError, match="scale='mean' is for numbers"):
        choice.predictions(scale="mean")


def test_a_grid_needs_a_fit_or_names() -> None:
    with pytest.raises(hm.ArgumentError, match="datagrid takes a fit first"):
        hm.datagrid({"x": [0, 1]})  # type: ignore[arg-type]
    with pytest.raises(hm.ArgumentError, match="grid_type must be one of"):
        hm.datagrid(grid_type="mean", x=1)


def test_a_column_of_a_tables_own_name_is_refused() -> None:
    fit = invented("y ~ estimate + (1 | g)", panel().rename(columns={"x": "estimate"}))
    assert len(fit.comparisons(by=True)) == 1
    with pytest.raises(hm.ArgumentError, match="a column 'estimate' of their own"):
        fit.predictions()


def test_an_answer_that_does_not_fit_in_memory_is_refused() -> None:
    rows = pd.concat([panel()] * 1_100, ignore_index=True)
    fit = invented("y ~ x + (1 | g)", rows, shape=(4, 2_500))
    with pytest.raises(hm.ArgumentError, match=r"1,056,000,000 numbers.*by=True"):
        fit.predictions()
    assert len(fit.predictions(by="kind")) == 3
