"""The program `lobgym`: where it is, and short commands of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from lobgym.program import find_program as find

__all__ = ["ProgramError", "ask", "find", "throw_kill_switch"]


class ProgramError(Exception):
    """What a program said when it failed, or why there is none."""


def ask(*arguments: str, timeout: float = 10.0) -> Any:
    """The JSON that a command prints, within so many seconds.

    Raises ``ProgramError`` with the program's words.
    """
    program = find()
    if program is None:
        raise ProgramError(
            "there is no program lobgym: build it with `cargo build --release`, or name it in LOBGYM_BINARY"
        )
    try:
        done = subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProgramError(f"{program}: {error}") from error
    if done.returncode != 0:
        words = done.stderr.strip().splitlines() or [f"it ended with exit code {done.returncode}"]
        raise ProgramError(f"lobgym {' '.join(arguments[:2])}: {words[0]}")
    try:
        return json.loads(done.stdout) if done.stdout.strip() else None
    except json.JSONDecodeError as error:
        raise ProgramError(f"lobgym {' '.join(arguments[:2])} printed no JSON: {error}") from error


def throw_kill_switch(kind: str, place: Path) -> str:
    """Throws the kill switch of a broker's ledger (``"paper"``) or of a trader's directory (``"trade"``); says how.

    The program does it where there is one. If it cannot, the file that the switch consists of is made here: it must work.
    Raises ``OSError`` if that fails, too.
    """
    arguments = ["paper", "kill", "--db", str(place)] if kind == "paper" else ["trade", "kill", str(place)]
    switch = Path(f"{place}.kill") if kind == "paper" else place / "kill"
    program = find()
    if program is not None:
        try:
            done = subprocess.run([program, *arguments], capture_output=True, timeout=10, stdin=subprocess.DEVNULL)
            if done.returncode == 0 and switch.exists():
                return f"lobgym {' '.join(arguments)}"
        except (OSError, subprocess.TimeoutExpired):
            pass
    switch.touch()
    return f"made {switch}"
