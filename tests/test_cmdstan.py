"""The CmdStan engine: arguments, executables, CSV, errors and interrupts.

Most tests need no CmdStan: an installation that stands in for one has a makefile which "builds"
`standin_cmdstan.py`, and the real cmdstanpy, make and processes run on it. The tests marked
``cmdstan`` sample in earnest.
"""

import errno
import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hiermix as hm
import test_categorical
from hiermix import engines, programs
from hiermix.__main__ import main
from hiermix.engines import children, executables
from hiermix.engines.children import running
from hiermix.engines.cmdstan import CmdStan, is_usable, parameters, read_csv
from hiermix.engines.embedded import Embedded
from hiermix.engines.protocol import Settings
from hiermix.errors import EngineError
from hiermix.programs import Program
from hiermix.typing import FloatArray, StanData
from test_log_density import CASES, build

STANDIN = Path(__file__).with_name("standin_cmdstan.py")
CODE = """
data {
  int<lower=0> D;
  vector[D] mu;
}
parameters {
  vector[D] raw;
}
transformed parameters {
  matrix[2, 3] m;
  for (i in 1:2) {
    for (j in 1:3) {
      m[i, j] = 10 * i + j;
    }
  }
}
model {
  raw ~ normal(mu, 1);
}
"""
DATA = {"D": 2, "mu": np.array([1.0, -1.0])}


def quick(**options: Any) -> Settings:
    return Settings(**({"seed": 1, "warmup": 20, "draws": 30, "progress": False} | options))


def lay_out(folder: Path, version: str = "2.39.0") -> Path:
    """Write an installation that stands in for CmdStan; make "builds" by copying."""
    folder.mkdir(parents=True)
    (folder / "makefile").write_text(
        f"CMDSTAN_VERSION := {version}\n\n"
        "%: %.stan\n"
        f"\techo x >> {folder}/builds\n"
        "\t@if grep -q broken $<; then echo 'Semantic error in line 7'; exit 1; fi\n"
        "\tsleep 0.3\n"
        f"\t(echo '#!{sys.executable}'; cat '{STANDIN}') > $@ && chmod +x $@\n"
    )
    return folder


def builds(installation: Path) -> int:
    record = installation / "builds"
    return len(record.read_text().split()) if record.exists() else 0


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_a, **_k: tmp_path / "cache")
    return tmp_path / "cache" / "cmdstan"


@pytest.fixture
def installed(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = lay_out(tmp_path / "cmdstan-2.39.0")
    monkeypatch.setenv("CMDSTAN", str(folder))
    return folder


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CMDSTAN", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a temporary folder of its own, so that it sees what is left behind."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return write(tmp_path, "normal", CODE)


def write(folder: Path, name: str, code: str) -> Program:
    path = folder / f"{name}.stan"
    path.write_text(code)
    return Program(name, path)


def wrap(program: Program, script: str) -> None:
    """Let the program's executable run a shell script, wherein $0.real is what it was."""
    executable = executables.build(program)
    executable.rename(f"{executable}.real")
    executable.write_text(f'#!/bin/sh\n[ "$1" = info ] && exec "$0.real" "$@"\n{script}\n')
    executable.chmod(0o755)


# cmdstanpy forgets the pipe and the dead child of an interrupted call; Python collects them.
left_to_the_collector = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)


# Finding an installation.


@pytest.mark.usefixtures("nowhere")
def test_without_cmdstan_auto_is_embedded_and_cmdstanpy_stays_out() -> None:
    code = (
        "import sys; from hiermix import engines\n"
        "assert engines.choose().name == 'embedded'\n"
        "assert 'cmdstanpy' not in sys.modules"
    )
    environment = {k: v for k, v in os.environ.items() if k != "HIERMIX_ENGINE"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


@pytest.mark.usefixtures("nowhere")
def test_without_cmdstan_asking_for_it_says_the_way_out() -> None:
    with pytest.raises(EngineError, match=r"finds no CmdStan\. Install one .* engine='embedded'"):
        engines.choose("cmdstan")


def test_a_variable_that_points_nowhere_is_no_installation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CMDSTAN", str(tmp_path / "gone"))
    assert executables.installation() is None


def test_auto_takes_an_installation_that_is_new_enough(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HIERMIX_ENGINE", raising=False)
    assert engines.choose().version == "CmdStan 2.39.0"


def test_auto_passes_over_an_old_one_and_names_it_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CMDSTAN", str(lay_out(tmp_path / "old", "2.36.0")))
    monkeypatch.delenv("HIERMIX_ENGINE", raising=False)
    assert not is_usable()
    assert engines.choose().name == "embedded"
    assert "CmdStan 2.36.0" in caplog.text
    assert "older than 2.37" in caplog.text
    with pytest.raises(EngineError, match=r"CmdStan 2\.36\.0 in .* is older than 2\.37"):
        engines.choose("cmdstan")


@pytest.mark.parametrize(
    ("version", "enough"),
    [("2.37.0", True), ("2.100.1", True), ("3.0.0-rc1", True), ("2.9.0", False), ("x", False)],
)
def test_versions_compare_as_numbers(version: str, enough: bool) -> None:
    assert executables.Installation(Path(), version).is_new_enough is enough


# Executables.


def test_a_program_is_built_once(installed: Path, cache: Path, program: Program) -> None:
    first, second = executables.build(program), executables.build(program)
    assert first == second
    assert builds(installed) == 1
    assert os.access(first, os.X_OK)
    left = {path.name for path in cache.iterdir()} - {first.name}
    assert left <= {f"{first.name}.lock"}


def test_a_build_is_announced_where_someone_watches(
    installed: Path, program: Program, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    executables.build(program)
    executables.build(program)
    said = capsys.readouterr().err
    assert said.count("building program 'normal' with CmdStan, once on this machine") == 1


def test_whatever_changes_the_executable_changes_its_path(
    installed: Path, cache: Path, program: Program, tmp_path: Path
) -> None:
    here = executables.required_installation()
    paths = [executables.cache_path(program, here)]
    (installed / "make").mkdir()
    (installed / "make" / "local").write_text("STAN_THREADS=true\n")
    paths.append(executables.cache_path(program, here))
    paths.append(executables.cache_path(program, executables.Installation(here.path, "2.40.0")))
    paths.append(executables.cache_path(program, executables.Installation(tmp_path, "2.39.0")))
    program.path.write_text(CODE + "// changed")
    paths.append(executables.cache_path(program, here))
    assert len(set(paths)) == len(paths)
    assert {path.parent for path in paths} == {cache}


def test_a_changed_part_changes_the_executables_path(
    installed: Path, cache: Path, tmp_path: Path
) -> None:
    part = tmp_path / "parts" / "prior.stan"
    part.parent.mkdir()
    part.write_text("raw ~ normal(0, 1);\n")
    code = "parameters {\n  vector[2] raw;\n}\nmodel {\n  #include parts/prior.stan\n}\n"
    whole = write(tmp_path, "whole", code)
    here = executables.required_installation()
    before = executables.cache_path(whole, here)
    part.write_text("raw ~ normal(0, 2);\n")
    assert executables.cache_path(whole, here) != before


def test_two_processes_build_once(installed: Path, cache: Path, program: Program) -> None:
    code = (
        "import platformdirs, sys; from pathlib import Path\n"
        f"platformdirs.user_cache_path = lambda *a, **k: Path({str(cache.parent)!r})\n"
        "from hiermix.engines import executables; from hiermix.programs import Program\n"
        f"print(executables.build(Program('normal', Path({str(program.path)!r}))))"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert answers[0] == answers[1]
    assert builds(installed) == 1


def test_a_failed_build_shows_the_compilers_words_and_leaves_nothing(
    installed: Path, cache: Path, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=r"(?s)can't build program 'broken'.*Semantic error in"):
        executables.build(write(tmp_path, "broken", CODE + "// broken"))
    assert [path.suffix for path in cache.iterdir()] in ([], [".lock"])


def test_a_cache_that_is_no_folder_is_an_engine_error(
    installed: Path, cache: Path, program: Program
) -> None:
    cache.parent.write_text("a file where the folder should be")
    with pytest.raises(EngineError, match=r"can't write the executable of program 'normal' to "):
        executables.build(program)


@left_to_the_collector
def test_an_interrupted_build_leaves_nothing(
    installed: Path, cache: Path, program: Program
) -> None:
    makefile = installed / "makefile"
    makefile.write_text(makefile.read_text().replace("sleep 0.3", "sleep 300; echo $@"))
    with interrupt_once_running(cache), pytest.raises(KeyboardInterrupt):
        executables.build(program)
    gc.collect()
    assert running(cache) == []
    assert [path.suffix for path in cache.iterdir()] in ([], [".lock"])
    makefile.write_text(makefile.read_text().replace("sleep 300", "sleep 0"))
    assert executables.build(program).exists()


# Sampling, through cmdstanpy, with executables that stand in.


@pytest.mark.usefixtures("installed")
def test_samples_have_the_protocols_shapes_and_types(program: Program) -> None:
    samples = CmdStan().sample(program, DATA, quick(), keep=["raw", "m"])
    assert samples.draws["raw"].shape == (4, 30, 2)
    assert (samples.draws["m"] == [[11, 12, 13], [21, 22, 23]]).all()
    assert {values.dtype for values in samples.draws.values()} == {np.dtype(np.float64)}
    embedded = Embedded().sample(program, DATA, quick(), keep=["raw", "m"])
    assert {name: values.dtype for name, values in samples.stats.items()} == {
        name: values.dtype for name, values in embedded.stats.items()
    }
    assert {name: values.shape for name, values in samples.draws.items()} == {
        name: values.shape for name, values in embedded.draws.items()
    }
    assert (samples.engine, samples.version) == ("cmdstan", "CmdStan 2.39.0")


@pytest.mark.usefixtures("installed")
def test_messages_tell_chains_and_what_stan_said(program: Program) -> None:
    said = CmdStan().sample(program, DATA, quick(), keep=["raw"]).messages
    assert said == (
        "chain 2: 30 of 30 draws diverged.",
        "Exception: normal_lpdf: Scale parameter is 0, but must be positive! (4 times)",
    )


@pytest.mark.usefixtures("installed")
def test_complaints_that_differ_in_values_are_told_once(program: Program) -> None:
    where = "(in 'normal.stan', line {}, column 2)"
    values = ["0.5", "-1e-07", "nan", "-inf"]
    said = [f"Exception: f: x[{i}] is {x} {where.format(4)}" for i, x in enumerate(values)]
    said += [f"Exception: f: x[1] is 2 {where.format(5)}", f"Exception: g: x[1] is 2 {where}"]
    wrap(program, '"$0.real" "$@"\n' + "\n".join(f'echo "{line}"' for line in said))
    told = CmdStan().sample(program, DATA, quick(chains=1), keep=["raw"]).messages
    assert told == (
        "Exception: normal_lpdf: Scale parameter is 0, but must be positive! (1 times)",
        f"{said[0]} (4 times)",
        f"{said[4]} (1 times)",
        f"{said[5]} (1 times)",
    )


@pytest.mark.usefixtures("installed")
def test_same_seed_same_draws_for_any_number_of_cores(program: Program) -> None:
    one, two = (
        CmdStan().sample(program, DATA, quick(cores=cores), keep=["raw"]).draws["raw"]
        for cores in (1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert len({chain.tobytes() for chain in one}) == 4


@pytest.mark.usefixtures("installed")
def test_each_chain_gets_its_own_inits(program: Program) -> None:
    inits = np.array([[100.0, 0.0], [0.0, 200.0]])
    raw = CmdStan().sample(program, DATA, quick(chains=2), keep=["raw"], inits=inits).draws["raw"]
    np.testing.assert_allclose(raw.mean(axis=1), inits, atol=2)


def test_points_are_split_as_our_programs_declare_them() -> None:
    points = np.arange(10.0).reshape(2, 5)
    alone = parameters({"D": 5}, points)
    assert [list(point) for point in alone] == [["raw"], ["raw"]]
    np.testing.assert_array_equal(alone[1]["raw"], points[1])
    split = parameters({"D": 2, "K": 3}, points)
    np.testing.assert_array_equal(split[0]["raw"], [0, 1])
    np.testing.assert_array_equal(split[1]["z"], [7, 8, 9])


@pytest.mark.usefixtures("installed")
def test_nothing_is_left_and_nothing_is_said(
    program: Program, temporary: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    CmdStan().sample(program, DATA, quick(), keep=["raw"])
    assert [path for path in temporary.iterdir() if path.name.startswith("hiermix-")] == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("installed")
def test_the_engines_own_last_lines_are_in_the_error(
    program: Program, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANDIN", "fail")
    with pytest.raises(EngineError, match=r"(?s)program 'normal':\nInit.* failed after 100 attem"):
        CmdStan().sample(program, DATA, quick(), keep=["raw"])
    assert [path for path in temporary.iterdir() if path.name.startswith("hiermix-")] == []


@pytest.mark.usefixtures("installed")
def test_f2_a_killed_engine_is_an_engine_error(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANDIN", "die")
    with pytest.raises(EngineError, match=r"on program 'normal':\nchain 1 was ended by signal 9"):
        CmdStan().sample(program, DATA, quick(), keep=["raw"])


@pytest.mark.usefixtures("installed")
def test_f2_the_error_names_the_signal_after_the_last_words_of_a_killed_chain(
    program: Program,
) -> None:
    words = 'echo "Iteration: 100 / 2000"'
    wrap(program, f'{words}\n[ "$1" = id=2 ] && kill -9 $$\nexec "$0.real" "$@"')
    with pytest.raises(EngineError, match=r"100 / 2000\nchain 2 was ended by signal 9\.$"):
        CmdStan().sample(program, DATA, quick(), keep=["raw"])


@pytest.mark.usefixtures("installed")
def test_f2_a_full_disk_is_an_engine_error(
    program: Program, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("cmdstanpy.write_stan_json", full)
        with pytest.raises(EngineError, match="No space left on device"):
            CmdStan().sample(program, DATA, quick(), keep=["raw"])
    assert [path for path in temporary.iterdir() if path.name.startswith("hiermix-")] == []
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "gone"))
    with pytest.raises(EngineError, match="needs a temporary folder"):
        CmdStan().sample(program, DATA, quick(), keep=["raw"])


@pytest.mark.usefixtures("installed")
def test_a_bar_can_be_asked_for(program: Program, capfd: pytest.CaptureFixture[str]) -> None:
    CmdStan().sample(program, DATA, quick(progress=True), keep=["raw"])
    assert "chain 4" in capfd.readouterr().err


@left_to_the_collector
@pytest.mark.usefixtures("installed")
def test_f2_an_interrupt_ends_chains_queued_ones_too_and_the_next_call_works(
    program: Program, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executables.build(program)
    monkeypatch.setenv("STANDIN", "wait")
    with interrupt_once_running(temporary), pytest.raises(KeyboardInterrupt):
        CmdStan().sample(program, DATA, quick(cores=2), keep=["raw"])
    gc.collect()
    time.sleep(0.3)
    assert running(temporary) == []
    assert [path for path in temporary.iterdir() if path.name.startswith("hiermix-")] == []
    monkeypatch.delenv("STANDIN")
    raw = CmdStan().sample(program, DATA, quick(), keep=["raw"]).draws["raw"]
    assert raw.shape == (4, 30, 2)


@left_to_the_collector
@pytest.mark.usefixtures("installed")
def test_f2_an_interrupt_does_not_wait_for_the_bar(
    program: Program, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executables.build(program)
    monkeypatch.setenv("STANDIN", "wait")
    start = time.monotonic()
    with interrupt_once_running(temporary), pytest.raises(KeyboardInterrupt):
        CmdStan().sample(program, DATA, quick(progress=True), keep=["raw"])
    gc.collect()
    assert time.monotonic() - start < children._PATIENCE / 2


def test_a_thread_counts_as_working_though_its_join_was_interrupted() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        thread.join()
    assert thread in children._working()
    stop.set()


@pytest.mark.usefixtures("installed")
def test_log_density_goes_point_by_point_and_knows_rejection(program: Program) -> None:
    points = np.array([[1.0, 2.0], [-1.0, 0.0], [0.1, 1 / 3]])
    values, gradients = CmdStan().log_density(program, DATA, points)
    np.testing.assert_array_equal(gradients[[0, 2]], -points[[0, 2]])
    assert np.isnan(gradients[1]).all()
    np.testing.assert_allclose(values, [-2.5, -np.inf, -0.5 * (0.01 + 1 / 9)], rtol=1e-15)


class RecordingModel:
    """Stands in for cmdstanpy.CmdStanModel."""

    asked: dict[str, Any]

    def __init__(self, exe_file: str) -> None:
        self.exe_file = exe_file

    def sample(self, **options: Any) -> Any:
        type(self).asked = options | {"exists": Path(options["output_dir"]).is_dir()}
        raise RuntimeError("recorded")


@pytest.mark.usefixtures("installed")
def test_every_setting_reaches_cmdstanpy(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmdstanpy.CmdStanModel", RecordingModel)
    settings = Settings(
        seed=7, chains=3, warmup=40, draws=50, adapt_delta=0.9, max_treedepth=8, cores=2
    )
    with pytest.raises(EngineError, match="recorded"):
        CmdStan().sample(program, DATA, settings, keep=["raw"])
    asked = RecordingModel.asked
    folder = Path(asked["output_dir"])
    assert Path(asked.pop("data")) == folder / "data.json"
    assert asked.pop("exists")
    assert not folder.exists()
    del asked["output_dir"]
    assert asked == {
        "chains": 3,
        "parallel_chains": 2,
        "seed": 7,
        "inits": None,
        "iter_warmup": 40,
        "iter_sampling": 50,
        "adapt_delta": 0.9,
        "max_treedepth": 8,
        "sig_figs": 17,
        "show_progress": False,
        "show_console": False,
    }


# CSV.


def test_csv_is_read_exactly_past_its_comments(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(5, 3)) * [1e-300, 1, 1e300]
    lines = [",".join(f"{value:.17g}" for value in row) for row in values]
    lines[2:2] = ["# Adaptation terminated", "# Step size = 0.5", "# 1, 1, 1"]
    path = tmp_path / "chain.csv"
    path.write_text("\n".join(["# model = x", "lp__,raw.1,m.2.1", *lines, "#", "# Elapsed"]) + "\n")
    names, read = read_csv(path)
    assert names == ["lp__", "raw.1", "m.2.1"]
    assert read.tobytes() == values.tobytes()


def test_csv_of_one_draw_keeps_its_axes_and_its_nan(tmp_path: Path) -> None:
    path = tmp_path / "chain.csv"
    path.write_text("lp__,raw.1\n-1.5,nan\n# Elapsed\n")
    np.testing.assert_array_equal(read_csv(path)[1], [[-1.5, np.nan]])


# With a real CmdStan.


def missing_cmdstan() -> str | None:
    if executables.installation() is None:
        return "cmdstanpy.cmdstan_path() finds no CmdStan"
    return None if shutil.which("make") else "no make"


needs_cmdstan = pytest.mark.skipif(missing_cmdstan() is not None, reason=str(missing_cmdstan()))


@pytest.mark.cmdstan
@needs_cmdstan
def test_both_engines_have_the_same_log_density(program: Program) -> None:
    points = np.random.default_rng(1).normal(size=(10, 2))
    ours, gradients = CmdStan().log_density(program, DATA, points)
    theirs, expected = Embedded().log_density(program, DATA, points)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)
    np.testing.assert_allclose(gradients, expected, rtol=1e-8)


def our_programs() -> dict[str, tuple[Program, StanData]]:
    """Return the Gaussian programs with real data."""
    radon = hm.load_dataset("radon")
    models = [
        hm.Model("log_radon ~ floor + (1 | county)", radon),
        hm.Model("log_radon ~ floor + (1 + floor | county)", radon),
        hm.Model("log_radon ~ floor + (1 + floor | county)", radon, effects="sampled"),
    ]
    found = {model.program_name: model.stan_data() for model in models}
    return {name: (programs.find(name), data) for name, data in found.items()}


def points_for(data: StanData) -> FloatArray:
    size = int(np.asarray(data["D"]) + np.asarray(data.get("K", 0)))
    return 0.5 * np.random.default_rng(1).normal(size=(10, size))


def test_our_programs_are_three_and_have_a_density_at_their_points() -> None:
    assert set(our_programs()) == {"random_intercept", "random_slope", "gaussian"}
    for program, data in our_programs().values():
        values, gradients = Embedded().log_density(program, data, points_for(data))
        assert np.isfinite(values).all()
        assert np.isfinite(gradients).all()


@pytest.mark.cmdstan
@needs_cmdstan
@pytest.mark.parametrize("name", ["random_intercept", "random_slope", "gaussian"])
def test_both_engines_agree_on_our_programs(name: str) -> None:
    program, data = our_programs()[name]
    ours = CmdStan().log_density(program, data, points_for(data))
    theirs = Embedded().log_density(program, data, points_for(data))
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-8)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-6, atol=1e-8)


SAMPLED = {f"{case.family}-{case.link}": case for case in CASES}
"""Every family and link whose rows share a linear predictor."""


def sampled_model(name: str) -> hm.Model:
    if name == "categorical-logit":
        return hm.Model(test_categorical.FORMULA, test_categorical.frame(), family="categorical")
    return build(SAMPLED[name])[0]


def test_every_program_is_compared_on_both_engines() -> None:
    names = {sampled_model(name).program_name for name in (*SAMPLED, "categorical-logit")}
    assert names | set(our_programs()) == set(programs.names())


@pytest.mark.slow
@pytest.mark.cmdstan
@needs_cmdstan
@pytest.mark.parametrize("name", [*SAMPLED, "categorical-logit"])
def test_both_engines_agree_on_every_family(name: str) -> None:
    model = sampled_model(name)
    program, data = programs.find(model.program_name), model.stan_data()
    ours = CmdStan().log_density(program, data, points_for(data))
    theirs = Embedded().log_density(program, data, points_for(data))
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-10)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-6, atol=1e-8)


@pytest.mark.cmdstan
@needs_cmdstan
def test_both_engines_have_the_same_posterior(program: Program) -> None:
    settings = quick(warmup=500, draws=2000)
    for engine in (CmdStan(), Embedded()):
        raw = engine.sample(program, DATA, settings, keep=["raw"]).draws["raw"].reshape(-1, 2)
        np.testing.assert_allclose(raw.mean(axis=0), DATA["mu"], atol=0.1)
        np.testing.assert_allclose(raw.std(axis=0), 1, atol=0.1)


class interrupt_once_running:  # noqa: N801
    """Sends this process, and no other, SIGINT once something works in the folder."""

    def __init__(self, folder: Path) -> None:
        self._thread = threading.Thread(target=self._interrupt, args=(folder,))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _interrupt(self, folder: Path) -> None:
        deadline = time.monotonic() + 20
        while not running(folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)


# python -m hiermix compile.


def test_compile_builds_every_program(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile"]) == 0
    assert builds(installed) == len(programs.names())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "CmdStan 2.39.0"
    assert [line.split()[0] for line in lines[1:]] == list(programs.names())


@pytest.mark.usefixtures("nowhere")
def test_compile_without_cmdstan_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile"]) == 1
    assert "error: cmdstanpy finds no CmdStan" in capsys.readouterr().err
