"""The documentation is true: its code runs, its tables agree with the code, it builds unwarned.

Fences marked ``python`` are run, page by page; other languages are not.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

import hiermix as hm
from hiermix.errors import FormulaError
from hiermix.families.prior import DISTRIBUTIONS, TOGETHER
from hiermix.families.table import FAMILIES
from hiermix.formula.formula import parse
from hiermix.formula.names import TRANSFORMS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)


def text(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)


def cells(name: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its first two lines."""
    below = text(name).split(f"# {heading}\n", 1)[1]
    lines = re.search(r"(?:^\|.*\n)+", below, re.M)
    assert lines
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines[0].splitlines()[2:]]
    return [[cell.strip().replace(r"\|", "|") for cell in row] for row in rows]


def codes(cell: str) -> list[str]:
    """Return what stands in backticks; two of them can hold one."""
    return [code.strip() for _, code in re.findall(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", cell)]


def test_an_equation_has_a_number_of_its_own_and_code_names_equations_that_there_are() -> None:
    numbers = re.findall(r"\\tag\{(\d+)\}", text("how-it-samples"))
    assert sorted(map(int, numbers)) == list(range(1, len(numbers) + 1))
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "hiermix").rglob("*.py"))
    named = re.findall(
        r"((?:\(\d+\)(?:, | and | or |; )?)+) (?:of|in) docs/how-it-samples", sources
    )
    assert named
    assert set(re.findall(r"\d+", " ".join(named))) <= set(numbers)


RUN = [page for page in PAGES if blocks(page)]
pages = pytest.mark.parametrize("page", RUN, ids=[page.stem for page in RUN])


OF_DRAWS = {"new-groups", "scale"}
"""Pages that say something of their fits' numbers."""


def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have fits sample for a short while, whatever a page asks for."""
    fit, most = hm.Model.fit, {"chains": 2, "warmup": 100, "draws": 60}

    def short(model: hm.Model, **settings: Any) -> hm.Fit:
        few = {name: min(number, settings.get(name, number)) for name, number in most.items()}
        return fit(model, **(settings | few))

    monkeypatch.setattr(hm.Model, "fit", short)


@pages
def test_the_code_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if page.stem not in OF_DRAWS:
        few_draws(monkeypatch)
    run(page, tmp_path, monkeypatch)


@pages
@pytest.mark.slow
def test_the_code_runs_as_it_stands(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(page, tmp_path, monkeypatch)


def run(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    names: dict[str, object] = {"__name__": "docs"}
    for block in blocks(page):
        exec(compile(block, str(page), "exec"), names)
    plt.close("all")  # ArviZ's figures, which a page leaves open


@pytest.mark.parametrize("row", cells("formulas", "What is refused"), ids=lambda row: row[0])
def test_refused_formulas_are_refused(row: list[str]) -> None:
    with pytest.raises(FormulaError):
        parse(codes(row[0])[0])


def test_formulas_of_the_tables_are_read() -> None:
    found = [code for row in cells("formulas", "Population part") for code in codes(row[0])]
    bars = [code for row in cells("formulas", "Group terms") for code in codes(row[0])]
    found += [f"y ~ z + {code}" for code in bars if code != "t"]
    found += [codes(row[0])[0].replace("...", "x") for row in
              cells("formulas", "Beside the response, and offsets") if row[0]]  # fmt: skip
    assert len(found) > 20
    for formula in found:
        assert str(parse(str(parse(formula)))) == str(parse(formula))


def test_functions_of_the_table_are_those_of_formulas() -> None:
    rows = cells("formulas", "Functions")
    listed = {code.split("(")[0] for row in rows for code in codes(row[1])}
    listed = {code for code in listed if re.fullmatch(r"[\w.]+", code)}
    assert listed == {name for name in TRANSFORMS if not name.startswith("np.")}


def test_the_table_of_families_is_that_of_the_code() -> None:
    rows = cells("families", "Families")
    documented = [(row[0].strip("`"), re.sub(r" \(.*\)", "", row[1]), row[2]) for row in rows]
    assert documented == [
        (name, ", ".join(family.links), ", ".join(own.name for own in family.own))
        for name, family in FAMILIES.items()
    ]


def test_default_priors_of_the_families_are_those_of_the_code() -> None:
    rows = cells("priors", "Defaults")
    documented = {(name, row[1].strip()) for row in rows for name in codes(row[0])}
    for family in FAMILIES.values():
        for own in filter(lambda each: each.learned, family.own):
            if own.of_rows is not None:  # its numbers are the response's
                assert own.name in {name for name, _ in documented}
                continue
            # At a scale of 2, so that 1 / s and s show.
            prior = str(own.default(2.0)).replace("exponential(0.5)", "exponential(1 / $s$)")
            assert (own.name, prior) in documented


def test_distributions_of_the_table_are_those_of_priors() -> None:
    below = text("priors").split("| distribution | arguments |")[1].split("\n\n")[0]
    names = {code for line in below.splitlines() if line for code in codes(line.split("|")[1])}
    assert names == {*DISTRIBUTIONS, *TOGETHER}


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_names_in_the_text_exist(page: Path) -> None:
    words = page.read_text(encoding="utf-8")
    holders = {"hm": hm, "fit": hm.Fit, "model": hm.Model}
    own = words.split("## statsmodels")[0] if page.stem == "migration" else words
    for holder, name in re.findall(r"(?<![\w.])(hm|fit|model)\.(\w+)\(", own):
        assert hasattr(holders[holder], name), f"{holder}.{name}"


def test_the_migration_tables_name_what_is_there() -> None:
    for line in text("migration").splitlines():
        if not line.startswith("| ") or "---" in line:
            continue
        ours = re.split(r"(?<!\\)\|", line)[2]
        for name in re.findall(r"(?<![\w.])fit\.(\w+)\(", ours):
            assert hasattr(hm.Fit, name), name


def test_every_notebook_is_listed() -> None:
    listed = [codes(row[0])[0] for row in cells("notebooks", "Notebooks")]
    assert listed == sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


def inventory(folder: Path) -> set[str]:
    from sphinx.util.inventory import InventoryFile

    loaded = InventoryFile.loads((folder / "objects.inv").read_bytes(), uri="")
    return {name for kind, names in loaded.data.items() if kind.startswith("py:") for name in names}


def test_the_pages_build_without_a_warning_and_have_every_public_name(tmp_path: Path) -> None:
    built = tmp_path / "html"
    run = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(tmp_path / "trees"),
         str(DOCS), str(built)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    known = inventory(built)
    wanted = {f"hiermix.{name}" for name in hm.__all__}
    for each in (hm.Model, hm.Fit, hm.Forecast, hm.Backtest):
        wanted |= {f"hiermix.{each.__name__}.{name}" for name in vars(each)
                   if not name.startswith("_") and callable(getattr(each, name))}  # fmt: skip
    assert wanted - known == set()
