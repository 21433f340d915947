"""How much memory is free, and how much of it draws may take."""

import os
import re
from pathlib import Path

from hiermix.errors import ArgumentError, quoted

SHARE = 4
"""Draws of effects take one part of so many of what is free."""
_UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "ki": 2**10, "mi": 2**20, "gi": 2**30,
          "ti": 2**40}  # fmt: skip
_UNKNOWN = 4 * 2**30
"""What is taken to be free where nobody says."""


def free() -> int:
    """Return how many bytes are free: of the machine, or of a control group with a limit."""
    found = [_of_machine()]
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes",
         "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):  # fmt: skip
        try:
            found.append(int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):  # no such group, or no limit: "max"
            continue
    return max(min(found), 0)


def _of_machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        kibibytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable"))
        return int(kibibytes) * 1024
    except (OSError, StopIteration):
        pass
    try:  # of what the machine has, a half
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN


def budget(given: int | float | str | None) -> int:
    """Return the option `memory` in bytes: a number, or text such as ``"2 GB"``."""
    if given is None:
        return free() // SHARE
    if isinstance(given, str):
        found = re.fullmatch(r"\s*(\d+\.?\d*)\s*([kmgt]?i?)b?\s*", given.lower())
        if found and found[2] in _UNITS:
            return int(float(found[1]) * _UNITS[found[2]])
    elif not isinstance(given, bool) and isinstance(given, int | float) and given >= 0:
        return int(min(given, 2**62))
    raise ArgumentError(
        f"memory takes a number of bytes, or text such as '2 GB', not {quoted(given)}"
    )


def written(size: float) -> str:
    """Return a number of bytes as people write it."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:,.3g} {unit}"
    return f"{size:,.0f} bytes"
