"""The data sets have the rows, groups and types that their README says."""

import pandas as pd
import pytest

from hiermix.datasets import load_dataset
from hiermix.errors import ArgumentError

# name: rows, the groups and their number, one known number from the published data
SIZES = {
    "radon": (919, {"county": 85}),
    "sleepstudy": (180, {"Subject": 18}),
    "scores": (60, {"classroom": 3}),
    "rainfall": (510, {"state": 51}),
    "classrooms": (1600, {"groups": 100, "school_class": 400}),
    "penicillin": (144, {"plate": 24, "sample": 6}),
    "pastes": (60, {"batch": 10, "sample": 30}),
    "cbpp": (56, {"herd": 15, "period": 4}),
    "epilepsy": (236, {"patient": 59}),
    "inhaler": (572, {"subject": 286}),
    "orthodont": (108, {"Subject": 27}),
    "insteval": (73421, {"s": 2972, "d": 1128, "dept": 14}),
}


@pytest.mark.parametrize(("name", "size"), SIZES.items(), ids=list(SIZES))
def test_rows_and_groups(name: str, size: tuple[int, dict[str, int]]) -> None:
    rows, groups = size
    frame = load_dataset(name)
    assert len(frame) == rows
    assert {column: frame[column].nunique() for column in groups} == groups


# Means of the responses as R prints them: mean(sleepstudy$Reaction) and so on.
@pytest.mark.parametrize(
    ("name", "column", "mean"),
    [
        ("sleepstudy", "Reaction", 298.5079),
        ("penicillin", "diameter", 22.97222),
        ("pastes", "strength", 60.05333),
        ("orthodont", "distance", 24.02315),
    ],
)
def test_responses_are_the_published_ones(name: str, column: str, mean: float) -> None:
    assert load_dataset(name)[column].mean() == pytest.approx(mean, abs=5e-5)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("radon", "county"),
        ("sleepstudy", "Subject"),
        ("cbpp", "herd"),
        ("rainfall", "state"),
        ("epilepsy", "patient"),
        ("insteval", "d"),
    ],
)
def test_labels_are_text(name: str, column: str) -> None:
    assert pd.api.types.is_string_dtype(load_dataset(name)[column])


@pytest.mark.parametrize(
    ("name", "column", "levels"),
    [
        ("cbpp", "period", ["1", "2", "3", "4"]),
        ("epilepsy", "Trt", ["0", "1"]),
        ("insteval", "service", ["0", "1"]),
    ],
)
def test_coded_predictors_are_categories(name: str, column: str, levels: list[str]) -> None:
    assert load_dataset(name)[column].cat.categories.tolist() == levels


def test_numbers_are_numbers_and_gaps_are_missing() -> None:
    radon = load_dataset("radon")
    assert radon["log_radon"].dtype == float
    assert radon["floor"].dtype.kind == "i"
    assert radon["basement"].isna().sum() == 41


def test_every_call_gives_a_fresh_frame() -> None:
    changed = load_dataset("pastes")
    changed["strength"] = 0.0
    assert load_dataset("pastes")["strength"].min() > 50


def test_an_unknown_name_is_an_error_with_the_near_one_and_the_list() -> None:
    with pytest.raises(ArgumentError, match=r"'radom'\. Did you mean 'radon'\? Known: cbpp, class"):
        load_dataset("radom")
