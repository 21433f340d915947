"""Finds CmdStan, and builds each program once: hash, lock, atomic rename."""

import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hiermix.engines import processes, progress
from hiermix.engines.protocol import first_error
from hiermix.errors import EngineError
from hiermix.stan.programs import Program

MINIMUM = (2, 37)
WAY_OUT = "engine='embedded' needs no compiler."
_INSTALL = (
    "Install one with `python -m cmdstanpy.install_cmdstan`, or use engine='embedded', which needs "
    "no compiler."
)
_DAY = 86_400
_BUILD = ".build"
"""Suffix of the folder of a build, which its lock protects."""


@dataclass(frozen=True)
class Installation:
    """A CmdStan on this machine."""

    path: Path
    version: str

    @property
    def trouble(self) -> str | None:
        """What is wrong with it, if anything."""
        numbers = re.match(r"(\d+)\.(\d+)", self.version)
        if numbers is None:
            return f"CmdStan in {self.path} has a makefile that says no version"
        least = ".".join(map(str, MINIMUM))
        if (int(numbers[1]), int(numbers[2])) < MINIMUM:
            return f"CmdStan {self.version} in {self.path} is older than {least}"
        return None

    def flags(self) -> str:
        """Return the user's own compiler flags: an executable is built with them."""
        local = self.path / "make" / "local"
        return local.read_text(encoding="utf-8") if local.exists() else ""


def installation() -> Installation | None:
    """Return the CmdStan that the variable CMDSTAN names, or the newest in ~/.cmdstan, if any.

    Raises
    ------
    EngineError
        CMDSTAN names something else.
    """
    named = os.environ.get("CMDSTAN")
    path = Path(named) if named else _newest(Path("~/.cmdstan").expanduser())
    if path is None:
        return None
    if not (path / "makefile").is_file():
        what = "has no makefile" if path.is_dir() else "is no folder"
        raise EngineError(f"the variable CMDSTAN names {str(path)!r}, which {what}. {_INSTALL}")
    return Installation(Path(os.path.normpath(path)), _version(path))


def _newest(folder: Path) -> Path | None:
    """Return the newest that cmdstanpy's installer has put there."""
    found = [path for path in folder.glob("cmdstan-*") if (path / "makefile").is_file()]
    return max(found, key=_numbers, default=None)


def _numbers(path: Path) -> tuple[list[int], bool]:
    """Numbers of a version; a candidate comes before what it became."""
    version = path.name.removeprefix("cmdstan-")
    return [int(number) for number in re.findall(r"\d+", version)][:3], "rc" not in version


def _version(path: Path) -> str:
    found = re.search(r"^CMDSTAN_VERSION := (\S+)", (path / "makefile").read_text(), re.MULTILINE)
    return found[1] if found else "unknown"


def required_installation() -> Installation:
    """Return the CmdStan of this machine, or raise and say the way out."""
    found = installation()
    if found is None:
        raise EngineError(f"cmdstanpy finds no CmdStan. {_INSTALL}")
    if found.trouble:
        raise EngineError(f"{found.trouble}. {_INSTALL}")
    return found


def cache_path(program: Program, cmdstan: Installation) -> Path:
    """Return where the executable lies; whatever changes the executable changes the path."""
    from platformdirs import user_cache_path

    parts = (program.code, cmdstan.version, str(cmdstan.path), cmdstan.flags())
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
    suffix = ".exe" if sys.platform == "win32" else ""
    return user_cache_path("hiermix", appauthor=False) / "cmdstan" / f"{program.name}-{key}{suffix}"


def build(program: Program) -> Path:
    """Return the program's executable; build it if this machine has none yet."""
    cmdstan = required_installation()
    target = cache_path(program, cmdstan)
    if target.exists():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target, program):
            _sweep(target.parent)
            if not target.exists():  # another process may have built it while we waited
                _compile(program, target, cmdstan)
    except OSError as error:
        raise EngineError(
            f"can't write the executable of program {program.name!r} to {target.parent}: {error}. "
            f"{WAY_OUT}"
        ) from error
    return target


@contextmanager
def _locked(target: Path, program: Program) -> Iterator[None]:
    """Wait for our turn, and say so where it is another process's."""
    from filelock import FileLock, Timeout

    lock = FileLock(_lock_of(target))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.tell(f"waiting for another process, which builds program {program.name!r}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _lock_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.lock")


def _sweep(cache: Path) -> None:
    """Remove the folders of builds that were killed: those that nobody has locked."""
    from filelock import FileLock, Timeout

    for folder in cache.glob(f"*{_BUILD}"):
        lock = FileLock(_lock_of(folder.with_suffix("")))
        with suppress(Timeout), lock.acquire(timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
    for folder in cache.glob("tmp*"):  # of version 0.1
        if folder.is_dir() and time.time() - folder.stat().st_mtime > _DAY:
            shutil.rmtree(folder, ignore_errors=True)


def _compile(program: Program, target: Path, cmdstan: Installation) -> None:
    """Build in a folder of our own, and rename the executable into its place."""
    progress.tell(
        f"building program {program.name!r} with CmdStan {cmdstan.version}, once on this machine: "
        f"it takes a minute or two. {WAY_OUT}"
    )
    folder = _without_blanks(target.with_name(f"{target.name}{_BUILD}"), cmdstan)
    shutil.rmtree(folder, ignore_errors=True)  # what a killed build has left
    folder.mkdir(parents=True)
    try:
        source = folder / f"{program.name}.stan"
        source.write_text(program.code, encoding="utf-8")
        built = source.with_suffix(target.suffix if sys.platform == "win32" else "")
        _make(program, built, cmdstan)
        part = target.with_name(f"{target.name}.part")
        shutil.move(built, part)  # may be a copy, from another disk
        os.replace(part, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _without_blanks(folder: Path, cmdstan: Installation) -> Path:
    """Return a folder that make can build in: its path may have no blanks.

    Nor has that of CmdStan, or it would not be there.
    """
    places = (folder.parent, Path(tempfile.gettempdir()), Path("/tmp"), cmdstan.path)
    for place in places:
        if not re.search(r"[\s~]", str(place)) and os.access(place, os.W_OK):
            return place / (folder.name if place == folder.parent else f"hiermix-{folder.name}")
    raise EngineError(
        f"make can't build in a path with blanks, such as {str(folder.parent)!r}: "
        f"let TMPDIR name a folder without. {WAY_OUT}"
    )


def _make(program: Program, built: Path, cmdstan: Installation) -> None:
    words = (
        os.environ.get("MAKE", "mingw32-make" if sys.platform == "win32" else "make"),
        f"STANCFLAGS+=--filename-in-msg={program.name}.stan",
        built.as_posix(),
    )
    said = built.with_name("make.txt")
    try:
        (code,) = processes.run([processes.Command(words, said, cmdstan.path)], at_once=1)
    except FileNotFoundError as error:
        raise EngineError(
            f"CmdStan needs {words[0]!r} to build, and none is here. {WAY_OUT}"
        ) from (error)
    if code != 0 or not built.exists():
        text = first_error(said.read_text(errors="replace")) or f"make {processes.outcome(code)}"
        raise EngineError(f"CmdStan can't build program {program.name!r}:\n{text}\n{WAY_OUT}")
