"""Where the command ``lobgym`` is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["find_program"]


def find_program(given: str | os.PathLike[str] | None = None) -> str | None:
    """The command's absolute path: ``given`` and nothing else if it is not ``None``; otherwise ``$LOBGYM_BINARY`` (which the command itself sets
    for what it hands over to Python), the release build below the working directory, or ``lobgym`` on the path. ``None`` if there is none.
    """
    candidates = [given] if given is not None else [os.environ.get("LOBGYM_BINARY"), "target/release/lobgym"]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK) and Path(candidate).is_file():
            return str(Path(candidate).absolute())
    found = shutil.which("lobgym") if given is None else None
    return None if found is None else str(Path(found).absolute())
