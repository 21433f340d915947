"""The script that says whether any number has moved between two commits."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import numbers

ONE = "weights"


def change(path: Path, what: str, by: float) -> None:
    with np.load(path) as file:
        kept = dict(file)
    kept[f"{ONE}/{what}"] = kept[f"{ONE}/{what}"] * (1 + by)
    np.savez(path, **kept)


@pytest.mark.filterwarnings("ignore::hiermix.HiermixWarning")  # of a hundred draws
def test_what_moved_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(numbers, "CASES", {ONE: numbers.CASES[ONE]})
    path = tmp_path / "numbers.npz"
    numbers.store(path)
    assert numbers.compare(path, 0.0) == 0
    altered = ["log density", "gradient", "draws b", "loo"]
    for what in altered:
        change(path, what, 1e-12)
    capsys.readouterr()
    assert numbers.compare(path, 1e-9) == 1  # the program's text is what it was
    lines = capsys.readouterr().out.splitlines()
    moved = [line.split(" moved")[0] for line in lines[:-1]]
    assert moved == [f"{ONE}: {what}" for what in altered]
    assert all("e-1" in line for line in lines[:-1]), lines


def test_a_gap_is_relative_to_the_largest_number() -> None:
    was, now = (
        np.array([100.0, 1.0, np.nan, np.inf]),
        np.array([100.0, 1.0 + 1e-10, np.nan, np.inf]),
    )
    assert not list(numbers.gap("x", was, was, 0.0))
    assert not list(numbers.gap("x", was, now, 2e-12))
    (line,) = numbers.gap("x", was, now, 0.0)
    assert line == "x moved in 1 of 4 numbers, by 1.0e-12 of the largest"
    assert list(numbers.gap("x", was, np.array([100.0, 1.0, 0.0, np.inf]), 1.0))
