"""The engines keep to their protocol: shapes, seeds, interrupts, errors, progress."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from hiermix import engines
from hiermix.engines import draw_columns, progress
from hiermix.engines.compiled import to_json
from hiermix.engines.embedded import Embedded
from hiermix.engines.fake import Fake
from hiermix.engines.protocol import Settings, last_lines, trouble
from hiermix.errors import ArgumentError, EngineError
from hiermix.stan.programs import Program

NORMAL = """
data {
  int<lower=0> D;
  int<lower=0> E;
  vector[D] mu;
}
parameters {
  vector[D] raw;
}
transformed parameters {
  matrix[2, 3] m;
  vector[E] none;
  real first = raw[1];
  for (i in 1:2) {
    for (j in 1:3) {
      m[i, j] = 10 * i + j;
    }
  }
}
model {
  raw ~ normal(mu, [0.5, 2.0]');
}
"""
MU = np.array([1.0, -3.0])
DATA = {"D": 2, "E": 0, "mu": MU}


@pytest.fixture
def normal(tmp_path: Path) -> Program:
    return write(tmp_path, "normal", NORMAL)


def write(folder: Path, name: str, code: str) -> Program:
    path = folder / f"{name}.stan"
    path.write_text(code)
    return Program(name, path)


def quick(**options: object) -> Settings:
    return Settings(**({"seed": 1, "warmup": 300, "draws": 500, "progress": False} | options))


# The embedded engine.


def test_embedded_recovers_a_known_posterior(normal: Program) -> None:
    samples = Embedded().sample(normal, DATA, quick(draws=2000), keep=["raw"])
    raw = samples.draws["raw"]
    assert raw.shape == (4, 2000, 2)
    assert raw.dtype == np.float64
    flat = raw.reshape(-1, 2)
    np.testing.assert_allclose(flat.mean(axis=0), MU, atol=4 * 2.0 / np.sqrt(2000))
    np.testing.assert_allclose(flat.std(axis=0), [0.5, 2.0], rtol=0.08)


def test_embedded_returns_matrices_in_rows_and_columns(normal: Program) -> None:
    matrix = Embedded().sample(normal, DATA, quick(), keep=["m"]).draws["m"]
    assert matrix.shape == (4, 500, 2, 3)
    assert (matrix == [[11, 12, 13], [21, 22, 23]]).all()
    assert matrix.flags.c_contiguous


def test_embedded_keeps_what_is_asked_and_knows_size_zero(normal: Program) -> None:
    draws = Embedded().sample(normal, DATA, quick(), keep=["first", "none"]).draws
    assert list(draws) == ["first", "none"]
    assert draws["first"].shape == (4, 500)
    assert draws["none"].shape == (4, 500, 0)


def test_embedded_names_the_variable_that_is_not_there(normal: Program) -> None:
    with pytest.raises(EngineError, match=r"no variable 'frist'\. Did you mean 'first'\?"):
        Embedded().sample(normal, DATA, quick(), keep=["frist"])


def test_embedded_stats_have_arviz_names_and_types(normal: Program) -> None:
    stats = Embedded().sample(normal, DATA, quick(chains=2), keep=["raw"]).stats
    kinds = {name: values.dtype.kind for name, values in stats.items()}
    assert kinds == {
        "lp": "f",
        "acceptance_rate": "f",
        "step_size": "f",
        "tree_depth": "i",
        "n_steps": "i",
        "diverging": "b",
        "energy": "f",
    }
    assert {values.shape for values in stats.values()} == {(2, 500)}


def test_embedded_says_what_ran(normal: Program) -> None:
    samples = Embedded().sample(normal, DATA, quick(), keep=["raw"])
    assert samples.engine == "embedded"
    assert samples.version.startswith("stanli 0.")
    assert set(samples.seconds) == {"compile", "sampling"}
    assert all(value > 0 for value in samples.seconds.values())


def test_same_seed_same_draws_for_any_number_of_cores(normal: Program) -> None:
    one, two, auto = (
        Embedded().sample(normal, DATA, quick(cores=cores), keep=["raw"]).draws["raw"]
        for cores in (1, 2, None)
    )
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, auto)
    other = Embedded().sample(normal, DATA, quick(seed=2), keep=["raw"]).draws["raw"]
    assert not np.array_equal(one, other)


def test_chains_start_where_inits_say(tmp_path: Path) -> None:
    code = """data { int D; } parameters { vector[D] raw; }
    model { target += log_sum_exp(normal_lpdf(raw[1] | 1000, 1), normal_lpdf(raw[1] | -1000, 1)); }
    """
    valleys = write(tmp_path, "valleys", code)
    inits = np.array([[1000.0], [-1000.0], [1000.0]])
    settings = quick(chains=3, draws=50)
    raw = Embedded().sample(valleys, {"D": 1}, settings, keep=["raw"], inits=inits).draws["raw"]
    np.testing.assert_allclose(raw.mean(axis=1), inits, atol=2)


def test_log_density_and_gradient_are_the_programs(normal: Program) -> None:
    points = np.random.default_rng(1).normal(size=(5, 2))
    values, gradients = Embedded().log_density(normal, DATA, points)
    scale = np.array([0.5, 2.0])
    expected = -0.5 * (((points - MU) / scale) ** 2).sum(axis=1)
    np.testing.assert_allclose(values - values[0], expected - expected[0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(gradients, -(points - MU) / scale**2, rtol=1e-12)


def test_a_rejected_point_has_no_density(tmp_path: Path) -> None:
    code = """data { int D; } parameters { vector[D] raw; }
    model { if (raw[1] < 0) reject("negative"); target += -raw[1]; }"""
    points = np.array([[1.0], [-1.0]])
    values, gradients = Embedded().log_density(write(tmp_path, "r", code), {"D": 1}, points)
    np.testing.assert_array_equal(values, [-1.0, -np.inf])
    np.testing.assert_array_equal(gradients, [[-1.0], [np.nan]])


def test_a_program_that_does_not_compile_is_an_engine_error(tmp_path: Path) -> None:
    broken = write(tmp_path, "broken", "parameters { vector[2] raw } model { }")
    with pytest.raises(EngineError, match=r"(?s)program 'broken'.*error"):
        Embedded().sample(broken, {}, quick(), keep=["raw"])


def test_data_that_does_not_fit_is_an_engine_error(normal: Program) -> None:
    with pytest.raises(EngineError, match=r"(?s)embedded engine failed.*mu"):
        Embedded().sample(normal, {"D": 2, "E": 0}, quick(), keep=["raw"])


def test_a_density_that_is_nowhere_finite_is_an_engine_error(tmp_path: Path) -> None:
    code = "data { int D; } parameters { vector[D] raw; } model { target += -1 / (0 * raw[1]); }"
    hopeless = write(tmp_path, "hopeless", code)
    with pytest.raises(EngineError, match="program 'hopeless'"):
        Embedded().sample(hopeless, {"D": 1}, quick(), keep=["raw"])


def test_interrupt_stops_and_the_next_call_works(normal: Program) -> None:
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        Embedded().sample(normal, DATA, quick(draws=30_000_000 // 100), keep=["first"])
    assert time.perf_counter() - started < 5
    timer.join()
    assert Embedded().sample(normal, DATA, quick(), keep=["raw"]).draws["raw"].shape == (4, 500, 2)


def test_rejections_and_divergences_print_nothing_but_are_kept(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = """data { int D; } parameters { vector[D] raw; }
    model { if (raw[1] > 2) reject("too far"); raw ~ normal(0, raw[1]); }"""
    steep = write(tmp_path, "steep", code)
    said = Embedded().sample(steep, {"D": 1}, quick(draws=50), keep=["raw"]).messages
    assert capfd.readouterr() == ("", "")
    assert said[0].endswith("of 50 draws diverged.")


def test_json_reads_back_exactly() -> None:
    values = np.random.default_rng(1).normal(size=1000) * 10.0 ** np.arange(-300, 300, 0.6)
    read = json.loads(to_json({"x": values, "n": 3, "g": np.array([[1, 2]]), "a": 0.1}))
    np.testing.assert_array_equal(np.array(read["x"]), values)
    assert (read["n"], read["g"], read["a"]) == (3, [[1, 2]], 0.1)


def test_doubles_reach_the_program_exactly(tmp_path: Path) -> None:
    code = """data { int D; int N; vector[N] x; } parameters { vector[D] raw; }
    transformed parameters { vector[N] out = x; } model { raw ~ std_normal(); }"""
    x = np.array([0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0, 123456789.123456789])
    data = {"D": 1, "N": len(x), "x": x}
    echo = write(tmp_path, "echo", code)
    out = Embedded().sample(echo, data, quick(draws=1, chains=1), keep=["out"]).draws["out"]
    assert out[0, 0].tobytes() == x.tobytes()


# Columns.


def test_columns_are_read_in_both_spellings() -> None:
    brackets = ["lp", "m[1,1]", "m[2,1]", "m[1,2]", "m[2,2]", "m[1,3]", "m[2,3]", "v[1]"]
    dots = [name.replace("[", ".").replace(",", ".").replace("]", "") for name in brackets]
    expected = {"lp": (0, ()), "m": (1, (2, 3)), "v": (7, (1,))}
    assert draw_columns.places(brackets) == draw_columns.places(dots) == expected


def test_arrays_of_matrices_keep_their_axes(normal: Program) -> None:
    shape = (2, 3, 4)
    values = np.arange(24.0).reshape(shape)
    indices = [tuple(reversed(index)) for index in np.ndindex(*reversed(shape))]
    names = [f"m[{','.join(str(i + 1) for i in index)}]" for index in indices]
    flat = np.array([values[index] for index in indices])[None, None, :].repeat(3, axis=1)
    taken = draw_columns.take(flat, names, ["m"], normal)["m"]
    assert taken.shape == (1, 3, 2, 3, 4)
    np.testing.assert_array_equal(taken[0, 1], values)


def test_variables_are_copied_once_and_no_more(normal: Program) -> None:
    names = [f"r[{i},{j}]" for j in range(1, 3) for i in range(1, 1001)]
    flat = np.zeros((4, 100, len(names) + 2))
    tracemalloc.start()
    taken = draw_columns.take(flat, ["a", *names, "z"], ["r"], normal)["r"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken.shape == (4, 100, 1000, 2)
    assert taken.base is None
    assert peak < 1.2 * taken.nbytes


# Progress.


class RecordingBar:
    """Stands in for tqdm."""

    updates: list[int] = []  # noqa: RUF012

    def __init__(self, **options: object) -> None:
        assert options == {"total": 20, "desc": "sampling 2 chains", "leave": False}

    def __enter__(self) -> "RecordingBar":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, steps: int) -> None:
        self.updates.append(steps)


def test_reports_of_each_chain_move_one_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    import_module("tqdm.auto")
    monkeypatch.setattr("tqdm.auto.tqdm", RecordingBar)
    monkeypatch.setattr(RecordingBar, "updates", [])
    with progress.shown(quick(chains=2, warmup=4, draws=6, progress=True)) as report:
        report(1, 5)
        report(2, 7)
        report(1, 10)
    assert RecordingBar.updates == [5, 7, 5]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a minute last ten milliseconds."""
    monkeypatch.setattr(progress, "EVERY", 0.01)


@pytest.mark.usefixtures("hurried")
def test_without_a_bar_the_log_has_a_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level("INFO", logger="hiermix"),
        progress.shown(quick(chains=2, warmup=4, draws=6, progress=None)) as report,
    ):
        report(1, 5)
        time.sleep(0.1)
        report(2, 7)
        time.sleep(0.1)
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "sampling 2 chains: 25% of 20 iterations after 0 min"
    assert said[-1] == "sampling 2 chains: 60% of 20 iterations after 0 min"


@pytest.mark.usefixtures("hurried")
def test_a_short_fit_logs_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, normal: Program
) -> None:
    monkeypatch.setattr(progress, "EVERY", 60.0)
    with caplog.at_level("INFO", logger="hiermix"):
        Embedded().sample(normal, DATA, quick(progress=None), keep=["raw"])
    assert caplog.records == []


@pytest.mark.parametrize(
    ("set_up", "asked", "out", "err"),
    [
        ("", None, "", "hiermix: sampling 4 chains: "),
        ("", False, "", ""),
        ("logging.basicConfig(level='INFO', stream=sys.stdout)", None, "INFO:hiermix:samp", ""),
        ("logging.basicConfig(level='INFO', stream=sys.stdout)", False, "INFO:hiermix:samp", ""),
        ("logging.basicConfig(stream=sys.stdout)", None, "", ""),
    ],
)
def test_in_a_pipe_the_lines_come_where_the_log_is_or_to_stderr(
    set_up: str, asked: bool | None, out: str, err: str
) -> None:
    code = (
        "import logging, sys, time\n"
        "from hiermix.engines import progress\n"
        "from hiermix.engines.protocol import Settings\n"
        f"progress.EVERY = 0.05\n{set_up}\n"
        f"with progress.shown(Settings(seed=1, progress={asked})):\n    time.sleep(0.08)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.startswith(out)
    assert answer.stderr.startswith(err)
    assert (bool(answer.stdout), bool(answer.stderr)) == (bool(out), bool(err))


@pytest.mark.parametrize(
    ("asked", "terminal", "shown"),
    [(None, True, True), (None, False, False), (True, False, True), (False, True, False)],
)
def test_a_bar_is_shown_where_someone_watches(
    monkeypatch: pytest.MonkeyPatch, asked: bool | None, terminal: bool, shown: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert progress.wanted(asked) is shown


def test_the_bar_is_silent_in_a_pipe_and_can_be_forced(
    normal: Program, capfd: pytest.CaptureFixture[str]
) -> None:
    quiet = Embedded().sample(normal, DATA, quick(progress=None), keep=["raw"])
    assert capfd.readouterr() == ("", "")
    shown = Embedded().sample(normal, DATA, quick(progress=True), keep=["raw"])
    out, err = capfd.readouterr()
    assert out == ""
    assert "sampling 4 chains" in err
    np.testing.assert_array_equal(quiet.draws["raw"], shown.draws["raw"])


# Settings.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chains": 0}, r"chains must be a whole number from 1 up, not 0"),
        ({"chains": 1.5}, r"chains must be a whole number .* not 1\.5"),
        ({"chains": True}, r"chains must be a whole number .* not True"),
        ({"draws": -1}, r"draws must be a whole number from 1 .* not -1"),
        ({"warmup": 0}, r"warmup must be a whole number from 1 .* not 0"),
        ({"seed": "a"}, r"seed must be a whole number from 0 to 4,294,967,295, not 'a'"),
        ({"seed": -1}, r"seed must be a whole number from 0 .* not -1"),
        ({"seed": 2**32}, r"seed must be a whole number from 0 .* not 4294967296"),
        ({"cores": 0}, r"cores must be a whole number from 1 .* not 0"),
        ({"max_treedepth": 0}, r"max_treedepth must be a whole number from 1 .* not 0"),
        ({"adapt_delta": 1.5}, r"adapt_delta must be a number between 0 and 1, not 1\.5"),
        ({"adapt_delta": "high"}, r"adapt_delta must be a number between 0 and 1, not 'high'"),
        ({"progress": "loud"}, r"progress must be None .* not 'loud'"),
    ],
)
def test_row_52_options_outside_their_range(options: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        quick(**options)


def test_settings_take_numpy_numbers() -> None:
    assert quick(chains=np.int64(2), adapt_delta=np.float32(0.9)).chains == 2


def test_trouble_is_told_chain_by_chain() -> None:
    diverging = np.zeros((3, 5), dtype=bool)
    diverging[1, :2] = True
    depth = np.full((3, 5), 4)
    depth[2, 0] = 6
    stats = {"diverging": diverging, "tree_depth": depth}
    assert trouble(stats, quick(chains=3, draws=5, max_treedepth=6)) == (
        "chain 2: 2 of 5 draws diverged.",
        "chain 3: 1 of 5 draws reached max_treedepth=6.",
    )


def test_last_lines_are_the_end_without_gaps_and_dumps() -> None:
    text = "\n".join(["first", "", *map(str, range(9)), "  ", "x" * 1000, ""])
    lines = last_lines(text).splitlines()
    assert lines[:9] == list("012345678")
    assert lines[9] == "x" * 300 + " ..."


# The fake engine.


def test_fake_records_and_answers(normal: Program) -> None:
    given = {"raw": np.zeros((4, 500, 2))}
    fake = Fake(draws=given, shapes=lambda data: {"m": (int(data["D"]), 3)})
    samples = fake.sample(normal, DATA, quick(), keep=["raw", "m"])
    assert samples.draws["raw"] is given["raw"]
    assert samples.draws["m"].shape == (4, 500, 2, 3)
    assert abs(samples.draws["m"].mean()) < 0.1
    assert set(samples.stats) == set(Embedded().sample(normal, DATA, quick(), keep=[]).stats)
    assert fake.calls[0].keep == ("raw", "m")
    assert fake.calls[0].settings.seed == 1
    again = Fake().sample(normal, DATA, quick(), keep=["raw"])
    np.testing.assert_array_equal(
        again.draws["raw"], Fake().sample(normal, DATA, quick(), keep=["raw"]).draws["raw"]
    )


@pytest.mark.parametrize("error", [EngineError("out of disk"), KeyboardInterrupt()])
def test_fake_fails_when_told(normal: Program, error: BaseException) -> None:
    with pytest.raises(type(error)):
        Fake(raises=error).sample(normal, DATA, quick(), keep=["raw"])


def test_fake_gradient_is_that_of_its_density(normal: Program) -> None:
    point, step = np.array([[0.3, -0.7]]), 1e-6
    up, down = (Fake().log_density(normal, DATA, point + s)[0] for s in ([step, 0], [-step, 0]))
    gradient = Fake().log_density(normal, DATA, point)[1]
    np.testing.assert_allclose((up - down) / (2 * step), gradient[:, 0], rtol=1e-6)


# Choosing.


def test_choose_takes_a_name_or_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIERMIX_ENGINE", "embedded")
    assert engines.choose().name == "embedded"
    assert engines.choose("embedded").name == "embedded"
    monkeypatch.setenv("HIERMIX_ENGINE", "embeded")
    with pytest.raises(
        ArgumentError, match=r"'embeded' \(from the variable HIERMIX_ENGINE\)\. Did"
    ):
        engines.choose()


def test_an_unknown_engine_is_an_error_with_the_near_name() -> None:
    message = r"unknown engine 'cmdstn'\. Did you mean 'cmdstan'\? Known: 'auto', 'cmdstan', 'embe"
    with pytest.raises(ArgumentError, match=message):
        engines.choose("cmdstn")


def test_the_engine_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engines._announce.cache_clear()
    with caplog.at_level("INFO", logger="hiermix"):
        engines.choose("embedded")
        engines.choose("embedded")
    assert [record.getMessage() for record in caplog.records] == [
        f"engine: embedded ({Embedded().version})"
    ]
