"""Imports go one way and heavy ones wait; the public surface is a list kept here."""

import ast
import compileall
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np

import hiermix
from hiermix.families import table
from hiermix.stan import programs, variables

PACKAGE = Path(hiermix.__file__).parent

# A room is a folder, or a file at the top; it imports only from rooms to its left.
ORDER = (
    "errors",
    "optional",
    "options",
    "files",
    "table_files",
    "side_by_side",
    "memory",
    "typing",
    "keyed_streams",
    "version",
    "formula",
    "design",
    "families",
    "statistics",
    "tuning",
    "stan",
    "engines",
    "family_checks",
    "chain_starts",
    "mode_draws",
    "sampling",
    "expected_cost",
    "prepared_model",
    "posterior",
    "prediction",
    "plots",
    "answers",
    "forecasting",
    "checking",
    "fit",
    "model",
    "loading",
    "studies",
    "sklearn",
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
    "sklearn",
    "stanli",
    "tqdm",
    "xarray",
)
PUBLIC = {
    "ArgumentError",
    "Backtest",
    "CellSums",
    "CustomFamily",
    "DataError",
    "EngineError",
    "Fit",
    "Forecast",
    "FormulaError",
    "Group",
    "HiermixError",
    "HiermixWarning",
    "MergedRows",
    "Model",
    "PriorError",
    "SeriesSums",
    "Statistics",
    "center_within",
    "compare",
    "backtest",
    "datagrid",
    "fit_many",
    "load",
    "load_dataset",
    "pooling",
    "statistics",
}
LATE = {
    "hiermix.posterior.lazy_arrays",
    "hiermix.prediction.lazy_groups",
    "hiermix.sklearn",
    "hiermix.sklearn.encoder",
    "hiermix.sklearn.regressor",
}
"""Files that need a heavy import at the top, and are imported by functions that need them."""
FILES = sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    """Return the name under which a file is imported."""
    relative = path.relative_to(PACKAGE.parent).with_suffix("")
    return ".".join(part for part in relative.parts if part != "__init__")


MODULES = {dotted(path): path for path in FILES}


def room(path: Path) -> str:
    """Return the name under which a file stands in the order: its folder's, or its own."""
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def imported(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, int]]:
    """Yield every module imported, with its line: late imports and those for types included."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module, node.lineno


def ours(nodes: Iterable[ast.AST]) -> Iterator[tuple[Path, int]]:
    """Yield the files of hiermix that are imported; a name of the package's own is `__init__`."""
    for module, line in imported(nodes):
        if module.split(".")[0] == "hiermix":
            yield MODULES[module], line


def outer(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a module without what runs later or only for the type checker."""
    yield node
    for child in ast.iter_child_nodes(node):
        later = isinstance(child, ast.FunctionDef) or (
            isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
        )
        if not later:
            yield from outer(child)


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(parse(path)))


def wrong_imports(path: Path, nodes: Iterable[ast.AST]) -> list[str]:
    here = ORDER.index(room(path))
    return [
        f"{path.name}:{line} imports {dotted(target)}"
        for target, line in ours(nodes)
        if ORDER.index(room(target)) > here
    ]


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the nodes of every circle: those that reach themselves, by what they reach."""
    reach = {node: set(after) for node, after in graph.items()}
    for middle in graph:
        for after in reach.values():
            if middle in after:
                after |= reach[middle]
    round_about = {node: frozenset(reach[node]) for node in graph if node in reach[node]}
    return [
        sorted(node for node, theirs in round_about.items() if theirs == all_of)
        for all_of in sorted(set(round_about.values()), key=sorted)
    ]


def test_every_file_has_a_room_and_says_its_job_in_one_line() -> None:
    jobs = {path: (ast.get_docstring(parse(path)) or "").partition("\n")[0] for path in FILES}
    longest = 97  # a line with its quotes
    wrong = {path for path, job in jobs.items() if not job.endswith(".") or len(job) > longest}
    assert wrong == set()
    assert {room(path) for path in FILES} <= set(ORDER)


def test_imports_go_only_to_the_left() -> None:
    assert [each for path in FILES for each in wrong_imports(path, nodes(path))] == []


def test_an_import_to_the_right_would_be_seen() -> None:
    tree = ast.parse(
        "from hiermix.model import Model\n"
        "from hiermix import typing, __version__\n"
        "from hiermix.stan import programs\n"
        "def late():\n    from hiermix import fit\n"
        "if TYPE_CHECKING:\n    from hiermix.posterior.draw_arrays import Layout\n"
    )
    assert sorted(wrong_imports(PACKAGE / "design" / "checks.py", ast.walk(tree))) == [
        "checks.py:1 imports hiermix.model",
        "checks.py:2 imports hiermix",
        "checks.py:3 imports hiermix.stan.programs",
        "checks.py:5 imports hiermix.fit",
        "checks.py:7 imports hiermix.posterior.draw_arrays",
    ]


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {
        dotted(path): {dotted(target) for target, _ in ours(nodes(path))} - {dotted(path)}
        for path in FILES
    }
    assert circles(graph) == []


def test_a_circle_would_be_seen() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


def test_no_two_files_share_a_name() -> None:
    names = Counter(path.stem for path in FILES if path.stem != "__init__")
    assert [name for name, times in names.items() if times > 1] == []


def test_heavy_imports_wait_for_the_function_that_needs_them() -> None:
    heavy = {
        f"{path.name}:{line} imports {module}"
        for path in FILES
        if dotted(path) not in LATE
        for module, line in imported(outer(parse(path)))
        if module in LATE or module.split(".")[0] in HEAVY
    }
    assert heavy == set()


def test_a_heavy_import_at_the_top_would_be_seen() -> None:
    tree = ast.parse("import scipy.stats\ndef f():\n    import xarray\n")
    assert [module for module, _ in imported(outer(tree))] == ["scipy.stats"]


def test_only_the_engines_import_an_engine() -> None:
    users = {
        room(path)
        for path in FILES
        for module, _ in imported(nodes(path))
        if module.split(".")[0] in {"stanli", "cmdstanpy"}
    }
    assert users == {"engines"}


def test_formulaic_is_imported_for_terms_by_one_file_and_for_its_transforms_by_two() -> None:
    users: dict[str, set[str]] = {}
    for path in FILES:
        for module, _ in imported(nodes(path)):
            if module.split(".")[0] == "formulaic":
                users.setdefault(path.relative_to(PACKAGE).as_posix(), set()).add(module)
    transforms = {"formulaic", "formulaic.transforms", "formulaic.materializers.types"}
    assert users.pop("design/specs.py")
    assert users.keys() == {"formula/splines.py", "formula/levels.py"}
    assert set.union(*users.values()) <= transforms


def declared(block: str, code: str) -> set[str]:
    """Return the names that a block of a program declares."""
    code = re.sub(r"//.*", "", code)
    found = re.search(rf"^{block} {{(.*?)^}}", code, re.MULTILINE | re.DOTALL)
    assert found, block
    return {re.sub(r".*[\]>\s]", "", line.strip()) for line in found[1].split(";") if line.strip()}


@cache
def stan_names() -> set[str]:
    """Names of data, of unconstrained points and of the outputs that are kept."""
    texts = [programs.find(name).code for name in programs.names()]
    own = {each.name for family in table.FAMILIES.values() for each in family.own}
    inside = {name for text in texts for block in ("data", "parameters")
              for name in declared(block, text)}  # fmt: skip
    return inside | {*variables.kept([], {variables.EFFECTS: 1, "shrunk": 0})} - own


ORDINARY = {
    # Words and letters that are also other things: columns, options, codes of dtypes and periods.
    "B", "C", "D", "E", "J", "K", "L", "M", "N", "P", "Q", "R", "X", "Z", "b", "r", "y",
    "base", "block", "center", "column", "columns", "event", "extent", "groups", "hold", "inner",
    "known", "last", "level", "link", "order", "outer", "pairs", "rest", "scale", "sd", "share",
    "successes", "top", "trials", "weight", "above", "raw", "chosen", "anchor", "lkj",
    "cells",
}  # fmt: skip


def looked_up(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, int]]:
    """Yield the strings by which something is looked up: ``data["D"]``, ``"D" in data``."""
    for node in nodes:
        inside: list[ast.AST] = []
        if isinstance(node, ast.Subscript):
            inside = [node.slice]
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            inside = [node.left]
        for each in inside:
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                yield each.value, each.lineno


def names_of_stan(nodes: Collection[ast.AST], names: Collection[str]) -> list[tuple[str, int]]:
    """Return strings that name what is Stan's; ordinary words only where they look it up."""
    every = [(node.value, node.lineno) for node in nodes
             if isinstance(node, ast.Constant) and isinstance(node.value, str)]  # fmt: skip
    said = [each for each in every if each[0] in names and each[0] not in ORDINARY]
    letters = [each for each in looked_up(nodes) if each[0] in names and len(each[0]) == 1]
    return said + letters


def test_only_one_room_knows_the_names_of_stan() -> None:
    names = stan_names() | {programs.INTERCEPT, programs.SLOPES, programs.NESTED}
    found = {
        f"{path.name}:{line} names {name!r}"
        for path in FILES
        if room(path) != "stan"
        for name, line in names_of_stan(nodes(path), names)
        if (path.stem, name) not in ALSO_OURS
    }
    assert found == set()


ALSO_OURS = {("diagnostics", "b"), ("forecasts", "y"), ("fits", "y")}
"""Files that look a letter up which is a variable of a posterior, or an axis of a figure."""


def test_a_name_of_stan_would_be_seen() -> None:
    tree = ast.parse('data["K"]; "z" in data; data.get("b_hat"); x = ("sd_bend", "weight")')
    found = names_of_stan([*ast.walk(tree)], stan_names())
    assert {name for name, _ in found} == {"K", "z", "b_hat", "sd_bend"}


def test_only_a_factor_knows_that_a_row_has_one_level() -> None:
    """Codes are read where they are made, handed to Stan, or may be those of new levels."""
    users = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        for node in nodes(path)
        if isinstance(node, ast.Attribute)
        and node.attr == "codes"
        and not ast.unparse(node).endswith(".cat.codes")
    }
    assert {user for user in users if not user.startswith("design/")} == {
        "prediction/given_responses.py",
        "prediction/group_densities.py",
        "prediction/level_clusters.py",
        "prediction/predictor.py",
        "prediction/update.py",
        "stan/level_data.py",
    }


def test_only_coefficients_knows_where_those_of_the_population_stand() -> None:
    users = {
        path.name
        for path in FILES
        if ORDER.index(room(path)) >= ORDER.index("posterior")
        for node in nodes(path)
        if isinstance(node, ast.Constant) and node.value in ("b", "term")
    }
    assert users == {"coefficients.py", "regression_tables.py"}  # there b is a column


def test_only_intervals_halves_what_an_interval_leaves_out() -> None:
    users = {
        path.name
        for path in FILES
        for node in nodes(path)
        if isinstance(node, ast.BinOp) and ast.unparse(node) in ("1 - prob", "1 + prob")
    }
    assert users == {"intervals.py"}


def test_only_errors_changes_the_filters_of_warnings() -> None:
    """They belong to the process; `errors.ignored_warnings` has threads take turns."""
    users = {
        room(path)
        for path in FILES
        for node in nodes(path)
        if isinstance(node, ast.Attribute)
        and node.attr in {"catch_warnings", "simplefilter", "filterwarnings"}
    }
    assert users == {"errors"}


AT_THE_FIRST_MODEL = ("hiermix.stan.assemble", "hiermix.tuning.penalised", "hiermix.sampling")
"""What puts programs together and samples them: a fifth of all files."""


def test_importing_hiermix_loads_nothing_heavy() -> None:
    names = (*HEAVY, *AT_THE_FIRST_MODEL)
    code = f"import sys, hiermix; print(sorted(set({names!r}) & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (answer.stdout.strip(), answer.stderr) == ("[]", "")


def test_importing_hiermix_takes_little_longer_than_importing_pandas() -> None:
    """In processor time, the least of up to twelve in turn: other work on the machine only adds.

    Compiled before, as whatever is installed is.
    """
    compileall.compile_dir(PACKAGE, quiet=2)
    pandas, ours = np.inf, np.inf
    for place in range(12):
        pandas, ours = min(pandas, seconds_of("pandas")), min(ours, seconds_of("hiermix"))
        if place > 1 and ours < 1.7 * pandas:
            break
    assert ours < 1.7 * pandas


def seconds_of(module: str) -> float:
    code = f"import {module}, time; print(time.process_time())"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return float(answer.stdout)


def test_the_public_names_are_these() -> None:
    assert set(hiermix.__all__) == PUBLIC
    assert all(hasattr(hiermix, name) for name in PUBLIC)


def test_functions_stay_short() -> None:
    lengths = {
        f"{path.name}:{node.name}": body_length(node)
        for path in FILES
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef)
    }
    ordered = sorted(lengths.values())
    assert {name: lines for name, lines in lengths.items() if lines > 60} == {}
    assert ordered[len(ordered) // 2] <= 6
    assert ordered[len(ordered) * 9 // 10] <= 20


def test_files_stay_short() -> None:
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


def body_length(function: ast.FunctionDef) -> int:
    """Return the lines of a function's body, its docstring left out."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0
