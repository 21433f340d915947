"""The Python blocks of the README run as they stand, one after the other."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.M | re.S)


def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert blocks()
    names: dict[str, object] = {}
    for block in blocks():
        exec(compile(block, str(README), "exec"), names)
    assert "fit" in names


def test_the_output_is_what_the_code_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names to the letter; numbers within five Monte-Carlo errors of a difference of two runs.

    Those of a run are 0.007 at most of means and sds, and 0.015 of ends of intervals.
    """
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks()[0], str(README), "exec"), {})
    printed = table(capsys.readouterr().out)
    shown = table(re.findall(r"^```text\n(.*?)^```$", README.read_text(), re.M | re.S)[0])
    assert [row[0] for row in printed] == [row[0] for row in shown]
    for mine, theirs in zip(printed, shown, strict=True):
        assert mine[1][:2] == pytest.approx(theirs[1][:2], abs=0.05), mine[0]
        assert mine[1][2:] == pytest.approx(theirs[1][2:], abs=0.1), mine[0]


def table(text: str) -> list[tuple[str, list[float]]]:
    """Rows of a printed frame: label and numbers."""
    rows = [re.split(r"\s{2,}|\s(?=-?\d)", line.strip()) for line in text.splitlines()[1:]]
    return [(label, [float(number) for number in numbers]) for label, *numbers in rows]


def test_the_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8"))
    missing = [
        target
        for target in targets
        if not target.startswith("https://") and not (README.parent / target).exists()
    ]
    assert missing == []
