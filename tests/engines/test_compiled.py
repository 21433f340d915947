"""What the embedded engine keeps: programs compiled on this machine, and a thread's last model."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import stanli

from hiermix.engines import compiled
from hiermix.engines.embedded import Embedded
from hiermix.engines.protocol import Settings
from hiermix.stan.programs import Program

CODE = "data { real at; } parameters { vector[1] raw; } model { raw ~ normal(at, 2); }"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    (tmp_path / "kept.stan").write_text(CODE)
    return Program("kept", tmp_path / "kept.stan")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of the machine that is empty, and nothing in memory."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "cache")
    compiled.forget()
    compiled._compiled.cache_clear()
    yield tmp_path / "cache" / "embedded"
    compiled.forget()
    compiled._compiled.cache_clear()


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    codes: list[str] = []
    compile_ = stanli.stan_to_mir

    def counted(code: str) -> str:
        codes.append(code)
        return str(compile_(code))

    monkeypatch.setattr(stanli, "stan_to_mir", counted)
    return codes


def value(program: Program, at: float) -> float:
    """Log density at zero, but for a constant: -at^2 / 8."""
    return float(Embedded().log_density(program, {"at": at}, np.zeros((1, 1)))[0][0])


def in_another_process() -> None:
    """Forget what memory keeps."""
    compiled.forget()
    compiled._compiled.cache_clear()


def test_a_program_is_compiled_once_on_a_machine(
    cache: Path, compilations: list[str], program: Program
) -> None:
    first = value(program, 1.0)
    assert [each.suffixes for each in cache.iterdir()] == [[".mir", ".z"]]
    in_another_process()
    assert value(program, 1.0) == first
    assert compilations == [CODE]


@pytest.mark.parametrize("damage", ["cut", "empty", "other"])
def test_a_file_that_is_damaged_is_compiled_anew(
    cache: Path, compilations: list[str], program: Program, damage: str
) -> None:
    first = value(program, 1.0)
    (path,) = cache.iterdir()
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes({
        "cut": content[:-10], "empty": b"",
        "other": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
    }[damage])  # fmt: skip
    in_another_process()
    assert value(program, 1.0) == first
    assert len(compilations) == 2
    assert path.read_bytes() == content


def test_where_nothing_can_be_kept_it_is_compiled(
    cache: Path, compilations: list[str], program: Program
) -> None:
    cache.parent.write_text("a file, and no folder")
    np.testing.assert_allclose(value(program, 3.0) - value(program, 1.0), -1.0, rtol=1e-12)
    assert compilations == [CODE]


def test_another_version_has_another_file(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    before = compiled.cache_path(CODE)
    assert before.parent == cache
    monkeypatch.setattr(stanli, "__version__", "99")
    assert before != compiled.cache_path(CODE) != compiled.cache_path(CODE + " ")


def test_data_that_change_in_place_are_other_data(program: Program) -> None:
    data = {"at": np.array(0.0)}
    points = np.ones((1, 1))
    first = Embedded().log_density(program, data, points)[1]
    data["at"][...] = 5.0
    second = Embedded().log_density(program, data, points)[1]
    np.testing.assert_allclose((first[0, 0], second[0, 0]), (-1 / 4, 4 / 4), rtol=1e-14)


def test_one_model_serves_a_fit_and_is_let_go(program: Program) -> None:
    data = {"at": 1.0}
    model = compiled.model(program, data)
    assert compiled.model(program, dict(data)) is model
    settings = Settings(seed=1, warmup=50, draws=50, chains=2, progress=False)
    kept = Embedded().sample(program, data, settings, keep=["raw"]).draws["raw"]
    assert compiled.model(program, data) is not model
    compiled.forget()
    anew = Embedded().sample(program, data, settings, keep=["raw"]).draws["raw"]
    np.testing.assert_array_equal(kept, anew)


def test_large_data_are_not_kept(monkeypatch: pytest.MonkeyPatch, program: Program) -> None:
    monkeypatch.setattr(compiled, "_SMALL", 3)
    assert compiled.model(program, {"at": 1.0}) is not compiled.model(program, {"at": 1.0})


def test_a_thread_has_its_own(program: Program) -> None:
    mine, theirs = compiled.model(program, {"at": 1.0}), []
    thread = threading.Thread(target=lambda: theirs.append(compiled.model(program, {"at": 1.0})))
    thread.start()
    thread.join()
    assert theirs[0] is not mine
    assert compiled.model(program, {"at": 1.0}) is mine


def test_nothing_is_left_of_what_others_write(cache: Path, program: Program) -> None:
    value(program, 1.0)
    assert not [name for name in os.listdir(cache) if name.endswith(".part")]
