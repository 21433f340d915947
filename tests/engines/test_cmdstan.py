"""The CmdStan engine: arguments, executables, CSV, errors and interrupts.

Most tests need no CmdStan: an installation that stands in for one has a makefile which "builds"
`standin_cmdstan.py`, and the real cmdstanpy, make and processes run on it. The tests marked
``cmdstan`` sample in earnest.
"""

import errno
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from hiermix import engines
from hiermix.__main__ import main
from hiermix.engines import cmdstan, executables
from hiermix.engines.cmdstan import CmdStan, is_usable, read_chains, read_csv
from hiermix.engines.embedded import Embedded
from hiermix.engines.protocol import Settings
from hiermix.errors import EngineError
from hiermix.stan import programs
from hiermix.stan.programs import Program
from hiermix.stan.variables import parameters
from hiermix.typing import FloatArray, StanData
from tests import test_categorical
from tests.stan.test_log_density import CASES, build

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


def running(folder: Path) -> list[int]:
    """Return the processes whose command line names the folder, by what the system lists."""
    listed = subprocess.run(
        ["ps", "-axww", "-o", "pid=,stat=,command="], capture_output=True, text=True
    )
    lines = [line.split(None, 2) for line in listed.stdout.splitlines()]
    return [
        int(process)
        for process, status, *command in lines
        if str(folder) in " ".join(command) and not status.startswith("Z")
        and int(process) != os.getpid()
    ]  # fmt: skip


def left_in(temporary: Path) -> list[Path]:
    return [path for path in temporary.iterdir() if "hiermix-" in path.name]


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


@pytest.mark.parametrize(("made", "what"), [(False, "is no folder"), (True, "has no makefile")])
def test_a_variable_that_names_no_cmdstan_is_told(
    made: bool, what: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """By an error where CmdStan is asked for, in the log where it would have been taken."""
    folder = tmp_path / "not here"
    if made:
        folder.mkdir()
    monkeypatch.setenv("CMDSTAN", str(folder))
    monkeypatch.delenv("HIERMIX_ENGINE", raising=False)
    said = f"the variable CMDSTAN names {str(folder)!r}, which {what}. Install one with"
    with pytest.raises(EngineError, match=re.escape(said)):
        engines.choose("cmdstan")
    assert engines.choose().name == "embedded"
    warned = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [said in record.getMessage() for record in warned] == [True]


def test_the_newest_installation_is_taken_and_the_environment_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CMDSTAN", raising=False)
    for version in ("2.9.1", "2.38.0", "2.100.0-rc1", "2.39.0"):
        lay_out(tmp_path / ".cmdstan" / f"cmdstan-{version}", version)
    (tmp_path / ".cmdstan" / "cmdstan-2.200.0").mkdir()  # a download that broke off
    assert executables.required_installation().version == "2.100.0-rc1"
    lay_out(tmp_path / ".cmdstan" / "cmdstan-2.100.0", "2.100.0")
    assert executables.required_installation().version == "2.100.0"
    assert "CMDSTAN" not in os.environ


def test_auto_takes_cmdstan_once_it_has_built_the_program(
    installed: Path, program: Program, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.delenv("HIERMIX_ENGINE", raising=False)
    with caplog.at_level("INFO", logger="hiermix"):
        assert engines.choose("auto", program).name == "embedded"
    assert (
        "CmdStan 2.39.0 has not built program 'normal': the embedded engine samples" in caplog.text
    )
    assert builds(installed) == 0
    executables.build(program)
    assert engines.choose("auto", program).version == "CmdStan 2.39.0"
    assert engines.choose().version == "CmdStan 2.39.0"


def test_a_model_waits_for_no_build_that_nobody_asked_for(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HIERMIX_ENGINE", raising=False)
    data = hm.load_dataset("sleepstudy")
    fit = hm.Model("Reaction ~ Days + (1 | Subject)", data).fit(seed=1, chains=1, draws=10)
    assert fit.data.attrs["engine"] == "embedded"
    assert builds(installed) == 0


def test_a_version_that_can_not_be_read_is_not_called_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CMDSTAN", str(lay_out(tmp_path / "odd", "$(shell git describe)")))
    with pytest.raises(EngineError, match=r"CmdStan in .*odd has a makefile that says no version"):
        engines.choose("cmdstan")


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
    assert (executables.Installation(Path(), version).trouble is None) is enough


# Executables.


def test_a_program_is_built_once(installed: Path, cache: Path, program: Program) -> None:
    first, second = executables.build(program), executables.build(program)
    assert first == second
    assert builds(installed) == 1
    assert os.access(first, os.X_OK)
    left = {path.name for path in cache.iterdir()} - {first.name}
    assert left <= {f"{first.name}.lock"}


@pytest.mark.usefixtures("installed")
def test_a_build_is_announced_also_in_a_pipe(
    program: Program, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="hiermix"):
        executables.build(program)
        executables.build(program)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said == (
        "building program 'normal' with CmdStan 2.39.0, once on this machine: it takes a minute or "
        "two. engine='embedded' needs no compiler."
    )
    shutil.rmtree(cache)
    answer = subprocess.run(
        [sys.executable, "-c", build_script(cache, program)], capture_output=True, text=True
    )
    assert answer.stderr == f"hiermix: {said}\n"


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


def build_script(cache: Path, program: Program) -> str:
    return (
        "import platformdirs, sys; from pathlib import Path\n"
        f"platformdirs.user_cache_path = lambda *a, **k: Path({str(cache.parent)!r})\n"
        "from hiermix.engines import executables; from hiermix.stan.programs import Program\n"
        f"print(executables.build(Program('normal', Path({str(program.path)!r}))))"
    )


def test_two_processes_build_once_and_the_second_says_that_it_waits(
    installed: Path, cache: Path, program: Program
) -> None:
    slow_down(installed, "1.5")
    both = [
        subprocess.Popen(
            [sys.executable, "-c", build_script(cache, program)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    answers = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert answers[0][0] == answers[1][0]
    assert builds(installed) == 1
    said = sorted(err for _, err in answers)
    assert said[0].startswith("hiermix: building program 'normal'")
    assert said[1] == "hiermix: waiting for another process, which builds program 'normal'\n"


def slow_down(installation: Path, seconds: str) -> None:
    makefile = installation / "makefile"
    makefile.write_text(makefile.read_text().replace("sleep 0.3", f"sleep {seconds}"))


@pytest.mark.parametrize("temporary_too", [False, True])
def test_a_path_with_blanks_builds_elsewhere_and_an_interrupt_ends_it(
    temporary_too: bool, tmp_path: Path, installed: Path, program: Program,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    spaced = tmp_path / "my cache"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_a, **_k: spaced)
    plain = tmp_path / "tmp"
    plain.mkdir()
    if temporary_too:
        (tmp_path / "my tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "my tmp" if temporary_too else plain))
    slow_down(installed, "60; echo $@")
    elsewhere = Path("hiermix-normal-")  # in any folder without blanks
    with interrupt_once_running(elsewhere), pytest.raises(KeyboardInterrupt):
        executables.build(program)
    assert running(elsewhere) == []
    assert left_in(plain) == []
    makefile = installed / "makefile"
    makefile.write_text(makefile.read_text().replace("sleep 60; echo $@", "sleep 0"))
    target = executables.build(program)
    assert target.parent == spaced / "cmdstan"
    assert {path.suffix for path in target.parent.iterdir()} <= {"", ".lock"}
    assert left_in(plain) == []


def test_folders_of_killed_builds_are_cleared_by_the_next_one(
    installed: Path, cache: Path, program: Program, tmp_path: Path
) -> None:
    slow_down(installed, "60; echo $@")
    killed = subprocess.Popen(
        [sys.executable, "-c", build_script(cache, program)], stderr=subprocess.DEVNULL
    )
    wait_for(lambda: running(cache))
    killed.kill()
    killed.wait()
    for process in running(cache):
        os.kill(process, signal.SIGKILL)
    assert list(cache.glob("*.build"))
    makefile = installed / "makefile"
    makefile.write_text(makefile.read_text().replace("sleep 60; echo $@", "sleep 0"))
    executables.build(write(tmp_path, "other", CODE))
    assert list(cache.glob("*.build")) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminated_build_leaves_nothing(
    number: int, installed: Path, cache: Path, program: Program
) -> None:
    slow_down(installed, "60; echo $@")
    process = subprocess.Popen(
        [sys.executable, "-c", build_script(cache, program)], stderr=subprocess.DEVNULL
    )
    wait_for(lambda: running(cache))
    process.send_signal(number)
    assert process.wait(20) == 128 + number
    assert running(cache) == []
    assert [path.suffix for path in cache.iterdir()] in ([], [".lock"])


def test_an_error_of_a_build_is_its_first_and_a_full_disk_is_called_so(
    installed: Path, tmp_path: Path
) -> None:
    makefile = installed / "makefile"
    text = makefile.read_text()
    steps = [
        "Uncaught exception: Sys_error(\"x.hpp: No space left on device\")",
        "This should never happen. Please file a bug at https://github.com/stan-dev/stanc3/issues",
        *[f"line {i}" for i in range(20)],
    ]  # fmt: skip
    recipe = "".join(f"\t@echo '{line}'\n" for line in steps)
    makefile.write_text(text.replace("\tsleep 0.3\n", f"{recipe}\t@exit 2\n"))
    said = r"'full':\nUncaught exception: .*No space left on device.*\nengine='embedded' needs no"
    with pytest.raises(EngineError, match=said):
        executables.build(write(tmp_path, "full", CODE))
    steps = ["stanc", "model.hpp:7:3: error: no member named 'x'", *map(str, range(30))]
    recipe = "".join(f'\t@echo "{line}"\n' for line in steps)
    makefile.write_text(text.replace("\tsleep 0.3\n", f"{recipe}\t@exit 2\n"))
    said = r"'wrong':\nmodel\.hpp:7:3: error: no member named 'x'\n0\n(.*\n){8}engine='embedded'"
    with pytest.raises(EngineError, match=said):
        executables.build(write(tmp_path, "wrong", CODE))


@pytest.mark.usefixtures("installed")
def test_a_machine_without_make_says_so(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKE", "no-such-make")
    with pytest.raises(
        EngineError, match=r"needs 'no-such-make' to build, and none is here\. engine="
    ):
        executables.build(program)


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


def test_an_interrupted_build_leaves_nothing(
    installed: Path, cache: Path, program: Program
) -> None:
    makefile = installed / "makefile"
    makefile.write_text(makefile.read_text().replace("sleep 0.3", "sleep 60; echo $@"))
    with interrupt_once_running(cache), pytest.raises(KeyboardInterrupt):
        executables.build(program)
    assert running(cache) == []
    assert [path.suffix for path in cache.iterdir()] in ([], [".lock"])
    makefile.write_text(makefile.read_text().replace("sleep 60", "sleep 0"))
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
def test_messages_tell_chains_and_no_proposal_that_was_rejected(program: Program) -> None:
    """One complaint a chain, 4 in 800 iterations: the embedded engine says nothing of it either."""
    said = CmdStan().sample(program, DATA, quick(warmup=100, draws=100), keep=["raw"]).messages
    assert said == ("chain 2: 100 of 100 draws diverged.",)


@pytest.mark.usefixtures("installed")
def test_frequent_complaints_that_differ_in_values_are_told_once(program: Program) -> None:
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
    assert left_in(temporary) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("installed")
def test_the_engines_own_last_lines_are_in_the_error(
    program: Program, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANDIN", "fail")
    with pytest.raises(
        EngineError,
        match=r"(?s)'normal':\nInit.* failed after 100 attem.*\nchain \d ended with exit code 70",
    ):
        CmdStan().sample(program, DATA, quick(), keep=["raw"])
    assert left_in(temporary) == []


@pytest.mark.usefixtures("installed")
def test_f2_a_killed_engine_is_an_engine_error(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANDIN", "die")
    with pytest.raises(
        EngineError, match=r"on program 'normal':\nchain \d was ended by signal 9 \(SIGKILL\)"
    ):
        CmdStan().sample(program, DATA, quick(), keep=["raw"])


@pytest.mark.usefixtures("installed")
def test_f2_the_error_names_the_signal_after_the_last_words_of_a_killed_chain(
    program: Program,
) -> None:
    words = 'echo "Iteration: 100 / 2000"'
    wrap(program, f'{words}\n[ "$1" = id=2 ] && kill -9 $$\nexec "$0.real" "$@"')
    with pytest.raises(EngineError, match=r"100 / 2000\nchain 2 was ended by signal 9 \(SIGKILL\)"):
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
    assert left_in(temporary) == []
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "gone"))
    with pytest.raises(EngineError, match="needs a temporary folder"):
        CmdStan().sample(program, DATA, quick(), keep=["raw"])


@pytest.mark.usefixtures("installed")
def test_a_bar_can_be_asked_for(program: Program, capfd: pytest.CaptureFixture[str]) -> None:
    CmdStan().sample(program, DATA, quick(progress=True), keep=["raw"])
    out, err = capfd.readouterr()
    assert out == ""
    assert "sampling 4 chains" in err
    assert "chain 4" not in err


@pytest.mark.usefixtures("installed")
def test_f2_an_interrupt_ends_chains_queued_ones_too_and_the_next_call_works(
    program: Program, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executables.build(program)
    monkeypatch.setenv("STANDIN", "wait")
    with interrupt_once_running(temporary), pytest.raises(KeyboardInterrupt):
        CmdStan().sample(program, DATA, quick(cores=2), keep=["raw"])
    time.sleep(0.3)
    assert running(temporary) == []
    assert left_in(temporary) == []
    monkeypatch.delenv("STANDIN")
    raw = CmdStan().sample(program, DATA, quick(), keep=["raw"]).draws["raw"]
    assert raw.shape == (4, 30, 2)


@pytest.mark.usefixtures("installed")
def test_f2_an_interrupt_does_not_wait_for_the_bar(
    program: Program, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executables.build(program)
    monkeypatch.setenv("STANDIN", "wait")
    start = time.monotonic()
    with interrupt_once_running(temporary), pytest.raises(KeyboardInterrupt):
        CmdStan().sample(program, DATA, quick(progress=True), keep=["raw"])
    assert time.monotonic() - start < 20


@pytest.mark.usefixtures("installed")
def test_log_density_goes_point_by_point_and_knows_rejection(program: Program) -> None:
    points = np.array([[1.0, 2.0], [-1.0, 0.0], [0.1, 1 / 3]])
    values, gradients = CmdStan().log_density(program, DATA, points)
    np.testing.assert_array_equal(gradients[[0, 2]], -points[[0, 2]])
    assert np.isnan(gradients[1]).all()
    np.testing.assert_allclose(values, [-2.5, -np.inf, -0.5 * (0.01 + 1 / 9)], rtol=1e-15)


@pytest.mark.usefixtures("installed")
def test_the_command_line_is_cmdstanpys(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the order of files and what it leaves to CmdStan: how often a chain reports."""
    import cmdstanpy

    executable = executables.build(program)
    settings = quick(seed=7, warmup=40, draws=50, adapt_delta=0.9, max_treedepth=8)
    asked: list[list[str]] = []
    start = subprocess.Popen

    def record(command: Any, **options: Any) -> Any:
        asked.append(list(command))
        return start(command, **options)

    monkeypatch.setattr(subprocess, "Popen", record)
    with cmdstan._quiet():
        cmdstanpy.CmdStanModel(exe_file=str(executable)).sample(
            data=dict(DATA), chains=1, seed=7, iter_warmup=40, iter_sampling=50, adapt_delta=0.9,
            max_treedepth=8, sig_figs=17, output_dir=str(tmp_path), show_progress=False, refresh=1,
        )  # fmt: skip
    ours = cmdstan.words(executable, 1, "d", None, tmp_path, settings)
    theirs = next(each for each in asked if "method=sample" in each)
    assert without_files(ours) == without_files(theirs)


def without_files(words: list[str]) -> list[str]:
    return [word for word in words if not word.startswith("file=")]


@pytest.mark.usefixtures("installed")
def test_one_chain_that_fails_ends_the_others(
    program: Program, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap(program, '[ "$1" = id=2 ] || sleep 300\necho "no such thing"; exit 3')
    start = time.monotonic()
    with pytest.raises(EngineError, match=r"no such thing\nchain 2 ended with exit code 3\.$"):
        CmdStan().sample(program, DATA, quick(cores=4), keep=["raw"])
    assert time.monotonic() - start < 60
    assert running(temporary) == []


@pytest.mark.usefixtures("installed")
def test_a_terminated_process_leaves_no_chains_and_no_folder(
    program: Program, cache: Path, temporary: Path
) -> None:
    executables.build(program)
    script = (
        build_script(cache, program)
        + "\nimport numpy as np; from hiermix.engines.cmdstan import CmdStan\n"
        "from hiermix.engines.protocol import Settings\n"
        f"CmdStan().sample(Program('normal', Path({str(program.path)!r})), "
        "{'D': 2, 'mu': np.zeros(2)}, Settings(seed=1), keep=['raw'])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.DEVNULL,
        env=os.environ | {"STANDIN": "wait", "TMPDIR": str(temporary)},
    )  # fmt: skip
    wait_for(lambda: len(running(temporary)) >= 2)
    process.terminate()
    assert process.wait(20) == 128 + signal.SIGTERM
    assert running(temporary) == []
    assert left_in(temporary) == []


@pytest.mark.usefixtures("installed")
def test_signals_and_loggers_are_what_they_were(program: Program) -> None:
    """Also after fits in threads, which may not say what signals do."""
    import logging

    logger = logging.getLogger("cmdstanpy")
    before = (signal.getsignal(signal.SIGTERM), logger.disabled, logger.filters[:])
    executables.build(program)
    settings = quick(chains=2)
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(CmdStan().log_density, program, DATA, np.ones((1, 2))) for _ in range(4)
        ]
        jobs += [pool.submit(CmdStan().sample, program, DATA, settings, keep=["raw"])
                 for _ in range(4)]  # fmt: skip
        assert all(job.result() for job in jobs)
    assert (signal.getsignal(signal.SIGTERM), logger.disabled, logger.filters) == before


# CSV.


def test_a_chain_that_wrote_too_little_is_an_error(tmp_path: Path) -> None:
    """A full disk does not make CmdStan fail."""
    for chain, draws in enumerate([3, 2], start=1):
        rows = "\n".join(["lp__,raw.1", *["-1,2"] * draws])
        (tmp_path / f"chain-{chain}.csv").write_text(rows + "\n")
    files = [tmp_path / f"chain-{chain}.csv" for chain in (1, 2)]
    with pytest.raises(ValueError, match=r"chain 2 wrote 2 draws of 3: is there space left in"):
        read_chains(files, 3)
    (tmp_path / "chain-1.csv").write_text("# only comments\n")
    with pytest.raises(ValueError, match=r"chain 1 wrote 0 draws of 3"):
        read_chains(files, 3)


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


@functools.cache
def our_models() -> dict[str, hm.Model]:
    """Return models of real data, by their Gaussian programs."""
    radon, classrooms, penicillin = map(hm.load_dataset, ("radon", "classrooms", "penicillin"))
    inside = "y ~ x1 + (z2 | groups) + (1 + prior_test | groups:classroom)"
    crossed = "diameter ~ 1 + (1 | plate) + (1 | sample)"
    sleep = hm.load_dataset("sleepstudy")
    early = sleep[sleep["Days"] < 4]
    return {
        "random_intercept": hm.Model("log_radon ~ floor + (1 | county)", radon),
        "random_slope": hm.Model("log_radon ~ floor + (floor | county)", radon),
        "gaussian": hm.Model("log_radon ~ floor + (floor | county)", radon, effects="sampled"),
        "nested": hm.Model(inside, classrooms),
        "nested, crossed": hm.Model(crossed, penicillin, effects="integrated"),
        "crossed": hm.Model("y ~ x + (1 + x | g) + (1 | h)", of_crossed_factors()),
        "nested, a process": hm.Model("Reaction ~ hsgp(Days, k=6) + (1 | Subject)", sleep),
        "gaussian, a process": hm.Model(
            "Reaction ~ hsgp(Days, k=6) + s(Days, Subject, bs='fs', k=4)", sleep, effects="sampled"
        ),
        "strata": hm.Model(["Reaction ~ Days + (1 | Subject)", "sigma ~ C(Days)"], sleep),
        "strata_beside": hm.Model(
            ["Reaction ~ Days + (Days | Subject)", "sigma ~ 1 + (1 | Subject)"], sleep
        ),
        "strata_beside, a smooth": hm.Model(
            ["Reaction ~ s(Days, k=5) + (1 | Subject)", "sigma ~ 1 + (1 | Subject)"], sleep
        ),
        "autoregressive": hm.Model("Reaction ~ Days + ar(Days, by=Subject)", sleep),
        "autoregressive, strata": hm.Model(
            ["Reaction ~ Days + ar(Days, by=Subject)", "sigma ~ C(Days)"], sleep
        ),
        "unstructured": hm.Model("Reaction ~ Days + unstr(Days, by=Subject)", early),
        "unstructured, strata": hm.Model(
            ["Reaction ~ Days + unstr(Days, by=Subject)", "sigma ~ C(Days)"], early
        ),
        "unstructured, several responses": hm.Model(
            [f"{each} ~ Days + (Days | p | Subject)" for each in ("Reaction", "later")],
            sleep.assign(later=sleep["Reaction"].shift(-1)),
        ),
    }


def our_program(name: str) -> tuple[Program, StanData]:
    model = our_models()[name]
    return programs.find(model.program_name), model.stan_data()


def of_crossed_factors() -> pd.DataFrame:
    """Return rows of 60 levels by 20."""
    rng = np.random.default_rng(8)
    g, h = rng.integers(0, 60, 400), rng.integers(0, 20, 400)
    x = rng.normal(size=400)
    y = x + rng.normal(size=60)[g] + rng.normal(size=20)[h] + rng.normal(size=400)
    return pd.DataFrame({"y": y, "x": x, "g": g, "h": h})


def points_for(data: StanData) -> FloatArray:
    size = int(np.asarray(data["D"]) + np.asarray(data.get("K", 0)))
    return 0.5 * np.random.default_rng(1).normal(size=(10, size))


@pytest.mark.usefixtures("unclimbed")
def test_our_programs_are_called_by_their_names_and_have_a_density_at_their_points() -> None:
    for name in our_models():
        program, data = our_program(name)
        assert name.split(",")[0] == program.name
        values, gradients = Embedded().log_density(program, data, points_for(data))
        assert np.isfinite(values).all()
        assert np.isfinite(gradients).all()


@pytest.mark.cmdstan
@needs_cmdstan
@pytest.mark.parametrize(
    "name",
    [
        "random_intercept",
        "random_slope",
        "gaussian",
        "nested",
        "nested, crossed",
        "crossed",
        "nested, a process",
        "gaussian, a process",
        "strata",
        "strata_beside",
        "strata_beside, a smooth",
        "autoregressive",
        "autoregressive, strata",
        "unstructured",
        "unstructured, strata",
        "unstructured, several responses",
    ],
)
def test_both_engines_agree_on_our_programs(name: str) -> None:
    program, data = our_program(name)
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
    ours = {model.program_name for model in our_models().values()}
    of_users = {"custom", "custom_density"}  # theirs to compare
    assert names | ours | of_users == set(programs.names())


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


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class interrupt_once_running:  # noqa: N801
    """Sends this process, and no other, SIGINT once something works in the folder."""

    def __init__(self, folder: Path) -> None:
        self._thread = threading.Thread(target=self._interrupt, args=(folder,))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _interrupt(self, folder: Path) -> None:
        wait_for(lambda: running(folder))
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)


# python -m hiermix compile.


def test_compile_builds_every_program(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile"]) == 0
    assert builds(installed) == len(programs.names())
    lines = capsys.readouterr().out.splitlines()
    names = programs.names()
    assert lines[0] == f"CmdStan 2.39.0: {len(names)} programs to build, of {len(names)}"
    assert [line.split(" ...")[0] for line in lines[1:]] == [
        f"{name} ({left} to come)"
        for left, name in zip(reversed(range(len(names))), names, strict=True)
    ]
    assert main(["compile"]) == 0
    assert capsys.readouterr().out == f"CmdStan 2.39.0: 0 programs to build, of {len(names)}\n"


@pytest.mark.usefixtures("nowhere")
def test_compile_without_cmdstan_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile"]) == 1
    assert "error: cmdstanpy finds no CmdStan" in capsys.readouterr().err
