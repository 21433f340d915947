"""Responses that are missing are left out of the fit, and drawn by it."""

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix.errors import ArgumentError, DataError, FormulaError

OPTIONS = {"seed": 3, "chains": 2, "warmup": 300, "draws": 500, "progress": False}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    frame = hm.load_dataset("sleepstudy").set_index(np.arange(180) + 1_000)
    frame.loc[[1_003, 1_004, 1_090], "Reaction"] = np.nan
    frame.loc[frame["Subject"] == frame["Subject"].iloc[-1], "Reaction"] = np.nan  # a whole level
    return frame


@pytest.fixture(scope="module")
def fit(data: pd.DataFrame) -> hm.Fit:
    return hm.Model("Reaction ~ Days + (Days | Subject)", data, missing="predict").fit(**OPTIONS)


def test_the_fit_is_that_of_the_rows_with_a_response(data: pd.DataFrame, fit: hm.Fit) -> None:
    known = data.dropna()
    other = hm.Model("Reaction ~ Days + (Days | Subject)", known).fit(**OPTIONS)
    np.testing.assert_array_equal(fit.data["posterior"]["b"], other.data["posterior"]["b"])
    assert "167 rows" in str(fit) or "167" in str(fit.model)
    assert "13 without a response, to be predicted" in str(fit.model)
    expected = other.predict(data[data["Reaction"].isna()], kind="response", new_groups="sample")
    found = fit.data["predictions"]["Reaction"]
    assert found.dims == ("chain", "draw", "row")
    np.testing.assert_array_equal(found["row"], data.index[data["Reaction"].isna()])
    np.testing.assert_array_equal(found, expected)
    beside = fit.data["predictions_constant_data"]
    np.testing.assert_array_equal(beside["Days"], data.loc[data["Reaction"].isna(), "Days"])


def test_predictions_are_right(data: pd.DataFrame, fit: hm.Fit) -> None:
    # Rows 1003 and 1004 lie on the line of their subject: mean and sd by the draws' own law.
    draws = fit.data["posterior"]
    subject = data.loc[1_003, "Subject"]
    lines = fit.predict(data.loc[[1_003]], kind="linear")[..., 0].to_numpy().ravel()
    found = fit.data["predictions"]["Reaction"].sel(row=1_003).to_numpy().ravel()
    assert subject == data.loc[1_004, "Subject"]
    spread = np.sqrt(lines.var() + (draws["sigma"].to_numpy() ** 2).mean())
    # 1,000 draws: six errors.
    assert abs(found.mean() - lines.mean()) < 6 * spread / np.sqrt(1_000)
    assert abs(np.log(found.std() / spread)) < 6 / np.sqrt(2_000)
    # Of a level that the fit never saw they spread much further, together.
    unseen = fit.data["predictions"]["Reaction"][..., -2:].to_numpy().reshape(-1, 2)
    assert unseen.std(axis=0).min() > 1.3 * spread
    assert np.corrcoef(unseen.T)[0, 1] > 0.5


def test_files(fit: hm.Fit, tmp_path: object) -> None:
    fit.save(f"{tmp_path}/fit.nc")
    again = hm.load(f"{tmp_path}/fit.nc")
    np.testing.assert_array_equal(
        again.data["predictions"]["Reaction"], fit.data["predictions"]["Reaction"]
    )


def test_counts_with_offset_weights_and_other_frames() -> None:
    import polars as pl

    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=60), "g": np.arange(60) % 6, "t": 2.0, "w": 1.0})
    frame["n"] = rng.poisson(2 * np.exp(0.5 * frame["x"])).astype(float)
    frame.loc[[5, 7], "n"] = np.nan
    model = hm.Model(
        "n ~ x + offset(log(t)) + (1 | g)", pl.from_pandas(frame), family="poisson",
        weights="w", missing="predict",
    )  # fmt: skip
    assert model.design.rows == 58
    found = model.fit(**OPTIONS | {"draws": 100}).data["predictions"]["n"]
    assert found.sizes["row"] == 2
    assert np.issubdtype(found.dtype, np.integer)


def test_other_gaps_are_errors(data: pd.DataFrame) -> None:
    formula = "Reaction ~ Days + (Days | Subject)"
    both = data.copy()
    both.loc[1_003, "Days"] = np.nan
    for broken in (both, data.assign(Days=data["Days"].where(data.index != 1_020))):
        with pytest.raises(DataError, match="'Days' has 1 missing value"):
            hm.Model(formula, broken, missing="predict")
    with pytest.raises(DataError, match="no row has a response"):
        hm.Model(formula, data.assign(Reaction=np.nan), missing="predict")
    with pytest.raises(ArgumentError, match="missing='predict'"):
        hm.Model(formula, data, missing="guess")
    with pytest.raises(ArgumentError, match="sums have none to predict"):
        hm.statistics(formula, data, missing="predict")


def test_without_gaps_nothing_is_predicted() -> None:
    model = hm.Model("Reaction ~ Days", hm.load_dataset("sleepstudy"), missing="predict")
    assert "predictions" not in model.fit(**OPTIONS | {"draws": 50}).data.children


def test_not_with_residuals_that_go_together(data: pd.DataFrame) -> None:
    with pytest.raises(FormulaError, match="missing='predict'"):
        hm.Model("Reaction ~ Days + ar(Days, by=Subject)", data, missing="predict")


def test_an_end_is_missing_only_where_there_is_an_interval(data: pd.DataFrame) -> None:
    frame = data.dropna().assign(to=np.nan, how="none")
    frame.loc[1_005, ["to", "how"]] = [900.0, "interval"]
    frame.loc[1_006, "Reaction"] = np.nan
    formula = "Reaction | cens(how, to) ~ Days + (1 | Subject)"
    model = hm.Model(formula, frame, missing="predict")
    assert model.design.rows == len(frame) - 1
    with pytest.raises(DataError, match="'to' has 1 missing value"):
        hm.Model(formula, frame.assign(to=np.nan), missing="predict")
