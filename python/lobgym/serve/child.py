"""Runs a command for the server and leaves word of how it ended, whether the server is there then or not.

Started as a file (``python -I child.py PLACE ATTEMPT COMMAND...``), as importing the package would take a second of every job. It holds
``PLACE.lock`` while it lives, so that a job never runs twice; ``PLACE.pid`` says who runs it, ``PLACE.ATTEMPT.exit`` how it ended.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from types import FrameType

#: Somebody else runs this job; nothing is left behind.
ALREADY_RUNNING = 75
_CANNOT_START = 127
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def _write(path: str, content: dict[str, object]) -> None:
    unfinished = f"{path}.{os.getpid()}.tmp"
    with open(unfinished, "w", encoding="utf-8") as stream:
        json.dump(content, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(unfinished, path)


def _lock(path: str) -> int | None:
    import fcntl

    # Not inherited by the command: it is this process that is waited for.
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def run(place: str, attempt: int, command: list[str]) -> int:
    """Runs the command to its end. Returns its exit code, negative for a signal."""
    early: list[int] = []
    begun: list[subprocess.Popen[bytes]] = []

    def note(number: int, _frame: FrameType | None) -> None:
        # The whole group is told, and this process must outlive the command.
        if not begun:
            early.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, note)
    lock = _lock(f"{place}.lock")
    if lock is None:
        return ALREADY_RUNNING
    _write(f"{place}.pid", {"pid": os.getpid(), "attempt": attempt})
    try:
        process = subprocess.Popen(command, preexec_fn=_die_with_parent)
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        code = _CANNOT_START
    else:
        begun.append(process)
        for missed in early:
            process.send_signal(missed)
        code = process.wait()
    _write(f"{place}.{attempt}.exit", {"code": code, "ended": time.time()})
    return code


if __name__ == "__main__":
    ended = run(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
    sys.exit(ended if ended >= 0 else 128 - ended)
