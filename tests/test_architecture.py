"""Imports go one way and heavy ones wait; the public surface is a list kept here."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import hiermix

PACKAGE = Path(hiermix.__file__).parent

# A room imports only from rooms to its left.
ORDER = (
    "typing",
    "errors",
    "foreign",
    "formula",
    "transforms",
    "frames",
    "kinds",
    "expressions",
    "splines",
    "checks",
    "cells",
    "partitions",
    "design",
    "priors",
    "numerics",
    "distributions",
    "residue",
    "response_rules",
    "linear_scale",
    "thresholds",
    "families",
    "categories",
    "gram",
    "within",
    "spreads",
    "origins",
    "nested",
    "population",
    "standardise",
    "effects",
    "points",
    "problem",
    "own_parameters",
    "penalised",
    "common",
    "tuning",
    "guesses",
    "repeats",
    "stan_data",
    "programs",
    "assemble",
    "engines",
    "starts",
    "draws",
    "diagnostics",
    "intervals",
    "summary",
    "describe",
    "group_tables",
    "storage",
    "no_pooling",
    "streams",
    "layout",
    "new_groups",
    "weighing",
    "predictor",
    "importance",
    "update",
    "streamed",
    "row_labels",
    "predict",
    "variance",
    "hypothesis",
    "held_out",
    "psis",
    "comparison",
    "log_prior",
    "on_demand",
    "scores",
    "calendars",
    "panel",
    "times",
    "horizon",
    "plots",
    "forecast",
    "fit",
    "model",
    "pooling",
    "backtest",
    "datasets",
    "__init__",
    "__main__",
)
HEAVY = (
    "arviz",
    "arviz_base",
    "arviz_plots",
    "arviz_stats",
    "cmdstanpy",
    "dask",
    "formulaic",
    "matplotlib",
    "narwhals",
    "netCDF4",
    "scipy",
    "stanli",
    "tqdm",
    "xarray",
)
PUBLIC = {
    "ArgumentError",
    "Backtest",
    "DataError",
    "EngineError",
    "Fit",
    "Forecast",
    "FormulaError",
    "Group",
    "HiermixError",
    "HiermixWarning",
    "Model",
    "PriorError",
    "compare",
    "backtest",
    "load",
    "load_dataset",
    "pooling",
}
LATE = {"on_demand"}
"""Files that need a heavy import at the top, and are imported by functions that need them."""
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """Return the name under which a file stands in the order: its folder's, or its own."""
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield every module imported, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            if node.module == "hiermix":
                yield from ((f"hiermix.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield node.module, node.lineno


def outer(tree: ast.Module) -> ast.Module:
    """Return the module without what runs later or only for the type checker."""

    class Outer(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        def visit_If(self, node: ast.If) -> ast.If | None:
            return None if ast.unparse(node.test).endswith("TYPE_CHECKING") else node

    return Outer().visit(tree)


def without_types(tree: ast.Module) -> ast.Module:
    """Return the module without what is only for the type checker."""

    class Running(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.If | None:
            return None if ast.unparse(node.test).endswith("TYPE_CHECKING") else node

    return Running().visit(tree)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def wrong_imports(path: Path, tree: ast.Module) -> list[str]:
    here = ORDER.index(room(path))
    found = []
    for module, line in imported(without_types(tree)):
        if module.split(".")[0] != "hiermix":
            continue
        target = module.split(".")[1] if "." in module else "__init__"
        if target in ORDER and ORDER.index(target) > here:
            found.append(f"{path.name}:{line} imports {module}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_file_has_a_room_and_says_its_job_in_one_line(path: Path) -> None:
    assert room(path) in ORDER
    job = ast.get_docstring(parse(path))
    assert job, "no docstring"
    first = job.splitlines()[0]
    assert first.endswith("."), first
    assert len(first) <= 97, first  # a line with its quotes


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_only_to_the_left(path: Path) -> None:
    assert wrong_imports(path, parse(path)) == []


def test_an_import_to_the_right_would_be_seen() -> None:
    tree = ast.parse("from hiermix.model import Model\nfrom hiermix import typing, design\n")
    assert wrong_imports(PACKAGE / "checks.py", tree) == [
        "checks.py:1 imports hiermix.model",
        "checks.py:2 imports hiermix.design",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_imports_wait_for_the_function_that_needs_them(path: Path) -> None:
    modules = {module for module, _ in imported(outer(parse(path)))}
    assert modules & {f"hiermix.{name}" for name in LATE} == set()
    if path.stem not in LATE:
        assert {module.split(".")[0] for module in modules} & set(HEAVY) == set()


def test_a_heavy_import_at_the_top_would_be_seen() -> None:
    tree = ast.parse("import scipy.stats\ndef f():\n    import xarray\n")
    assert [module for module, _ in imported(outer(tree))] == ["scipy.stats"]


def test_only_the_engines_import_an_engine() -> None:
    users = {
        room(path)
        for path in FILES
        for module, _ in imported(parse(path))
        if module.split(".")[0] in {"stanli", "cmdstanpy"}
    }
    assert users == {"engines"}


def test_only_design_and_splines_import_formulaic() -> None:
    users = {
        room(path)
        for path in FILES
        for module, _ in imported(parse(path))
        if module.split(".")[0] == "formulaic"
    }
    assert users == {"design", "splines"}


def test_only_errors_changes_the_filters_of_warnings() -> None:
    """They belong to the process; `errors.filtered_warnings` has threads take turns."""
    users = {
        room(path)
        for path in FILES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute)
        and node.attr in {"catch_warnings", "simplefilter", "filterwarnings"}
    }
    assert users == {"errors"}


def test_importing_hiermix_loads_nothing_heavy() -> None:
    code = f"import sys, hiermix; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (answer.stdout.strip(), answer.stderr) == ("[]", "")


def test_importing_hiermix_takes_little_longer_than_importing_pandas(tmp_path: Path) -> None:
    """In processor time, the least of six, taken in turn: other work on the machine only adds.

    Compiled before, as whatever is installed is.
    """
    seconds_of("pandas", tmp_path)
    seconds_of("hiermix", tmp_path)
    names = ("pandas", "hiermix")
    seconds = [[seconds_of(name, tmp_path) for name in names] for _ in range(6)]
    pandas, ours = np.min(seconds, axis=0)
    assert ours < 1.7 * pandas


def seconds_of(module: str, compiled: Path) -> float:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    code = f"import {module}, time; print(time.process_time())"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=kept | {"PYTHONPYCACHEPREFIX": str(compiled)},
    )  # fmt: skip
    return float(answer.stdout)


def test_the_public_names_are_these() -> None:
    assert set(hiermix.__all__) == PUBLIC
    assert all(hasattr(hiermix, name) for name in PUBLIC)


def test_functions_stay_short() -> None:
    lengths = {
        f"{path.name}:{node.name}": body_length(node)
        for path in FILES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef)
    }
    assert {name: lines for name, lines in lengths.items() if lines > 60} == {}
    assert sorted(lengths.values())[len(lengths) // 2] <= 8


def body_length(function: ast.FunctionDef) -> int:
    """Return the lines of a function's body, its docstring left out."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0
