"""The Python blocks of the README run as they stand, one after the other."""

import re
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], list[str]]:
    """Run the blocks; return their variables, and what each printed."""
    names: dict[str, object] = {}
    printed = []
    with chdir(tmp_path_factory.mktemp("readme")):
        for block in blocks():
            with redirect_stdout(StringIO()) as out:
                exec(compile(block, str(README), "exec"), names)
            printed.append(out.getvalue())
    return names, printed


def test_the_readme_runs(ran: tuple[dict[str, object], list[str]]) -> None:
    assert "fit" in ran[0]


def test_the_output_is_what_the_code_prints(ran: tuple[dict[str, object], list[str]]) -> None:
    """Names to the letter; numbers within five Monte-Carlo errors of a difference of two runs.

    Those of a run are 0.007 at most of means and sds, and 0.015 of ends of intervals.
    """
    printed = table(ran[1][0])
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
