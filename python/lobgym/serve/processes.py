"""Processes as they are recorded: a number that the system may use again, and what tells one user of it from the next."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
from pathlib import Path

__all__ = ["identity", "is_alive", "signal_group"]

_PROC = Path("/proc")


@functools.cache
def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "-"


def identity(pid: int) -> str | None:
    """What no other process with this number has: the boot and the time of its start. ``None`` if it is gone, or has ended unnoticed."""
    if _PROC.joinpath("self/stat").exists():
        try:
            stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        # After the name, which may have spaces and brackets: the state is field 3, the start field 22.
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else f"{_boot()}:{fields[19]}"
    done = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True)
    state, _, started = done.stdout.strip().partition(" ")
    return None if done.returncode or state.startswith("Z") else started.strip()


def is_alive(pid: int | None, recorded: str | None) -> bool:
    """Whether the very process that was recorded still runs."""
    return pid is not None and recorded is not None and identity(pid) == recorded


def signal_group(pid: int | None, recorded: str | None, number: int) -> None:
    """Sends a signal to the process and all that it started, unless it is another by now."""
    if pid is not None and is_alive(pid, recorded):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, number)
