"""The state directory: names from requests become files in it, and nowhere else."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

from lobgym.serve.errors import ServeError

__all__ = ["LEGAL_NAME", "NAME", "Places", "checked_name"]

#: Of everything that a request can call by name.
NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"
LEGAL_NAME = "1 to 64 of a-z, 0-9, _ and -, the first a letter or a digit"

_DIRECTORIES = ("runs", "stores", "bars", "trades", "logs")
_FILES = ("jobs.sqlite", "server.lock")
_BARS = (".csv", ".parquet")


def checked_name(name: str, what: str) -> str:
    """The name, if it is one.

    Raises:
        ServeError: If it is not.

    """
    if not re.fullmatch(NAME[1:-1], name):
        raise ServeError(what, name, LEGAL_NAME)
    return name


class Places:
    """Where things are in a state directory."""

    def __init__(self, root: Path) -> None:
        """Makes what is not there yet.

        Raises:
            ServeError: If the directory cannot be used.

        """
        self.root = root.absolute()
        try:
            # What it holds is nobody else's business: requests, what was traded, and what was said to the logs.
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._close_to_others()
            for name in _DIRECTORIES:
                (self.root / name).mkdir(exist_ok=True)
        except OSError as error:
            raise ServeError("state", str(root), f"a directory that can be written ({error.strerror})") from error
        self._lock: int | None = None

    def _close_to_others(self) -> None:
        """Only its owner may look into it, also if it was there before. One that has other things in it is not touched, but refused."""
        found = self.root.stat()
        if found.st_uid != os.geteuid():
            raise ServeError("state", str(self.root), "a directory of the user who runs the server")
        if found.st_mode & 0o077:
            own = all(entry.name in _DIRECTORIES or entry.name.startswith(_FILES) for entry in os.scandir(self.root))
            if not own:
                legal = f"a directory that only its owner may enter, as it is after `chmod 700 {self.root}`, or an empty one"
                raise ServeError("state", str(self.root), legal)
            self.root.chmod(0o700)

    def hold(self) -> None:
        """Takes the directory for this process.

        Raises:
            ServeError: If another server has it.

        """
        handle = os.open(self.root / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise ServeError(
                "state", str(self.root), "a directory that no other server has: it is held by one that runs"
            ) from error
        self._lock = handle

    def release(self) -> None:
        """Gives it back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def inside(self, directory: str, name: str, suffix: str = "") -> Path:
        """The path of a thing, which need not exist. Links that lead out of the directory are refused.

        Raises:
            ServeError: If the name is none, or leads elsewhere.

        """
        home = self.root / directory
        path = home / f"{checked_name(name, directory)}{suffix}"
        if not path.resolve().is_relative_to(home.resolve()):
            raise ServeError(directory, name, "a name whose file is in the state directory, not a link out of it")
        return path

    def bars(self, name: str) -> Path | None:
        """The file with these bars, if there is one."""
        files = (self.inside("bars", name, suffix) for suffix in _BARS)
        return next((file for file in files if file.is_file()), None)

    def store(self, name: str) -> Path:
        """The file of this store, which need not exist."""
        return self.inside("stores", name, ".duckdb")

    def names(self, directory: str, suffixes: tuple[str, ...] = ("",)) -> list[str]:
        """What there is, by name, in order; what has no legal name is none of the server's."""
        found = set()
        for entry in os.scandir(self.root / directory):
            for suffix in suffixes:
                stem = entry.name.removesuffix(suffix)
                if entry.name.endswith(suffix) and re.fullmatch(NAME[1:-1], stem):
                    found.add(stem)
        return sorted(found)

    def bar_names(self) -> list[str]:
        """All files of bars."""
        return self.names("bars", _BARS)

    def log(self, job: str) -> Path:
        """What the job's process said."""
        return self.inside("logs", job, ".log")

    def private(self, text: str) -> str:
        """The text without the way to the state directory."""
        return text.replace(f"{self.root}{os.sep}", "")
