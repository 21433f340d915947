"""Finds CmdStan, and builds each program once: hash, lock, atomic rename."""

import hashlib
import logging
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hiermix.engines import progress
from hiermix.engines.children import ended_on_interrupt
from hiermix.engines.protocol import last_lines
from hiermix.errors import EngineError
from hiermix.programs import Program

MINIMUM = (2, 37)
_WAY_OUT = "Install one with `install_cmdstan`, or use engine='embedded', which needs no compiler."


@dataclass(frozen=True)
class Installation:
    """A CmdStan on this machine."""

    path: Path
    version: str

    @property
    def is_new_enough(self) -> bool:
        """Whether it knows the language that our programs are written in."""
        numbers = re.match(r"(\d+)\.(\d+)", self.version)
        return numbers is not None and (int(numbers[1]), int(numbers[2])) >= MINIMUM

    def flags(self) -> str:
        """Return the user's own compiler flags: an executable is built with them."""
        local = self.path / "make" / "local"
        return local.read_text(encoding="utf-8") if local.exists() else ""


def installation() -> Installation | None:
    """Return the CmdStan that cmdstanpy finds, if any.

    cmdstanpy looks at the variable CMDSTAN and into ~/.cmdstan. Where neither is there we
    spare ourselves its import, which takes half a second.
    """
    if not os.environ.get("CMDSTAN") and not Path("~/.cmdstan").expanduser().exists():
        return None
    import cmdstanpy

    try:
        path = Path(cmdstanpy.cmdstan_path())
    except ValueError:
        return None
    return Installation(path, _version(path))


def required_installation() -> Installation:
    """Return the CmdStan that cmdstanpy finds, or raise and say the way out."""
    found = installation()
    least = ".".join(map(str, MINIMUM))
    if found is None:
        raise EngineError(f"cmdstanpy finds no CmdStan. {_WAY_OUT}")
    if not found.is_new_enough:
        raise EngineError(
            f"CmdStan {found.version} in {found.path} is older than {least}. {_WAY_OUT}"
        )
    return found


def build(program: Program) -> Path:
    """Return the program's executable; build it if this machine has none yet."""
    target = cache_path(program, required_installation())
    if target.exists():
        return target
    from filelock import FileLock

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f"{target.name}.lock")):
            if not target.exists():  # another process may have built it while we waited
                _compile(program, target)
    except OSError as error:
        raise EngineError(
            f"can't write the executable of program {program.name!r} to {target.parent}: {error}"
        ) from error
    return target


def cache_path(program: Program, cmdstan: Installation) -> Path:
    """Return where the executable lies; whatever changes the executable changes the path."""
    from platformdirs import user_cache_path

    parts = (program.code, cmdstan.version, str(cmdstan.path), cmdstan.flags())
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
    suffix = ".exe" if sys.platform == "win32" else ""
    return user_cache_path("hiermix", appauthor=False) / "cmdstan" / f"{program.name}-{key}{suffix}"


def _compile(program: Program, target: Path) -> None:
    """Build in a folder beside the target, so that the rename is atomic."""
    import cmdstanpy

    _announce(program)
    with tempfile.TemporaryDirectory(dir=target.parent, ignore_cleanup_errors=True) as scratch:
        source = Path(scratch) / f"{program.name}.stan"
        source.write_text(program.code, encoding="utf-8")
        with cmdstanpy.disable_logging(), ended_on_interrupt(Path(scratch)):
            try:
                built = cmdstanpy.compile_stan_file(source)
            except (RuntimeError, ValueError) as error:
                raise EngineError(
                    f"CmdStan can't build program {program.name!r}:\n{last_lines(str(error))}"
                ) from error
        os.replace(built, target)


def _announce(program: Program) -> None:
    """Say why nothing moves for a minute, to the log and to whoever watches."""
    text = f"building program {program.name!r} with CmdStan, once on this machine"
    logging.getLogger("hiermix").info(text)
    if progress.wanted(None):
        print(f"{text} ...", file=sys.stderr, flush=True)


def _version(path: Path) -> str:
    found = re.search(r"^CMDSTAN_VERSION := (\S+)", (path / "makefile").read_text(), re.MULTILINE)
    return found[1] if found else "unknown"
