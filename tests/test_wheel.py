"""The wheel stands alone: built, installed elsewhere, it finds its programs and fits."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hiermix.stan import programs

ROOT = Path(__file__).parent.parent
FIT = """
import hiermix as hm
from hiermix.stan import programs
from pathlib import Path
import os

home = Path(os.environ["PYTHONPATH"])
assert Path(hm.__file__).is_relative_to(home), hm.__file__
assert programs.folder().is_relative_to(home), programs.folder()
frame = hm.load_dataset("sleepstudy")
model = hm.Model("Reaction ~ Days + (1 + Days | Subject)", frame)
fit = model.fit(seed=1, engine="embedded", chains=2, draws=200, progress=False)
print(float(fit.data.posterior["b"].sel(term="Days").mean()))
"""


def run(*command: str, **options: object) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert answer.returncode == 0, answer.stderr
    return str(answer.stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    run(*pip, "--disable-pip-version-check", "--wheel-dir", str(folder), str(ROOT))
    return next(folder.glob("hiermix-*.whl"))


def test_the_wheel_holds_programs_data_and_types(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    stan = {path.relative_to(ROOT).as_posix() for path in (ROOT / "stan_models").rglob("*.stan*")}
    assert {f"hiermix/{path}" for path in stan} <= inside
    assert {"hiermix/data/radon.csv", "hiermix/data/README.md", "hiermix/py.typed"} <= inside
    assert [name for name in inside if name.startswith("tests/")] == []
    assert any(name.endswith("licenses/LICENSE") for name in inside)
    assert len(stan) > len(programs.names()) > 0


def test_the_installed_wheel_fits_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    elsewhere.mkdir()
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index")
    run(*pip, "--disable-pip-version-check", "--target", str(home), str(wheel))
    environment = os.environ | {"PYTHONPATH": str(home)}
    days = run(sys.executable, "-W", "error", "-c", FIT, cwd=elsewhere, env=environment)
    assert 8 < float(days) < 13  # lme4: 10.47 with a standard error of 1.55
