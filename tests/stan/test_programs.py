"""The Stan programs: found, resolved, hashed; they pass stanc and keep to 80 columns."""

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

from hiermix.errors import ArgumentError
from hiermix.stan import programs
from hiermix.stan.programs import Program

FILES = sorted(programs.folder().rglob("*.stan*"))


def stanc() -> Path:
    """Return the real Stan compiler, which the httpstan wheel carries."""
    found = importlib.util.find_spec("httpstan")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "stanc"


@pytest.mark.parametrize("name", programs.names())
def test_stanc_accepts_the_program_without_a_warning(name: str, tmp_path: Path) -> None:
    program = programs.find(name)
    command = [
        str(stanc()),
        f"--include-paths={programs.folder()}",
        f"--o={tmp_path / 'model.hpp'}",
        str(program.path),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


@pytest.mark.parametrize("name", programs.names())
def test_stanc_accepts_the_resolved_text_as_one_file(name: str, tmp_path: Path) -> None:
    source = tmp_path / f"{name}.stan"
    source.write_text(programs.find(name).code)
    command = [str(stanc()), f"--o={tmp_path / 'model.hpp'}", str(source)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_keep_to_80_columns_and_two_spaces(path: Path) -> None:
    brackets = 0
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        where = f"{path.name}:{number}"
        assert len(line) <= 80, where
        assert "\t" not in line, where
        assert line == line.rstrip(), where
        indent = len(line) - len(line.lstrip())
        free = brackets > 0 or line.lstrip().startswith("*")  # a continued line, a comment's star
        assert indent % 2 == 0 or free, where
        brackets += sum(map(line.count, "([")) - sum(map(line.count, ")]"))


FUNCTIONS = [path for path in FILES if path.suffix == ".stanfunctions"]


@pytest.mark.parametrize("path", FUNCTIONS, ids=lambda path: path.stem)
def test_stanc_accepts_files_of_functions_alone(path: Path) -> None:
    command = [str(stanc()), f"--include-paths={programs.folder()}", "--auto-format", str(path)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")
    functions = re.findall(r"^(?:\w+(?:\[,*\])? )+(\w+)\(", answer.stdout, re.MULTILINE)
    assert functions


def test_every_part_is_included() -> None:
    used = {name for path in FILES for name in re.findall(r"#include (\S+)", path.read_text())}
    parts = {path.relative_to(programs.folder()).as_posix() for path in FILES}
    assert used == {part for part in parts if part.startswith("parts/")}


def test_every_program_has_a_row_in_the_readme() -> None:
    readme = (programs.folder() / "README.md").read_text()
    missing = [name for name in programs.names() if f"`{name}.stan`" not in readme]
    assert missing == []


def test_find_knows_every_name() -> None:
    assert set(programs.names()) >= {"random_intercept", "random_slope", "gaussian"}
    for name in programs.names():
        program = programs.find(name)
        assert program.name == name
        assert program.path.is_file()
        assert "#include" not in program.code


def test_an_unknown_program_is_an_error_with_the_near_name() -> None:
    with pytest.raises(ArgumentError, match=r"'random_slop'\. Did you mean 'random_slope'\?"):
        programs.find("random_slop")


def test_includes_are_resolved_one_inside_the_other(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "outer.stan").write_text("  // outer\n  #include parts/inner.stan\n")
    (parts / "inner.stan").write_text("  real x;\n")
    path = tmp_path / "p.stan"
    path.write_text("parameters {\n#include parts/outer.stan\n}\n// not an #include\n")
    program = Program("p", path)
    expected = "parameters {\n  // outer\n  real x;\n}\n// not an #include\n"
    assert program.code == expected


def test_the_text_sees_a_changed_part(tmp_path: Path) -> None:
    part = tmp_path / "part.stan"
    part.write_text("real x;\n")
    path = tmp_path / "p.stan"
    path.write_text("parameters {\n#include part.stan\n}\n")
    assert Program("p", path).code == "parameters {\nreal x;\n}\n"
    part.write_text("real y;\n")
    assert Program("p", path).code == "parameters {\nreal y;\n}\n"
