"""The demo command does its job, and does it where it is called."""

from pathlib import Path

import pytest

from hiermix.__main__ import main


def test_the_demo_prints_model_and_summary_and_writes_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    assert "log_radon ~ floor + log_uranium + (1 + floor | county)" in out
    assert "b[log_uranium]" in out
    assert "r_hat" in out
    for name in ("shrinkage", "forecast"):
        png = (tmp_path / "figures" / f"{name}.png").read_bytes()
        assert png.startswith(b"\x89PNG")
        assert len(png) > 20_000


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["demmo"])
    assert stop.value.code == 2
    assert "demmo" in capsys.readouterr().err
