"""Lines of a file that another program appends to: each is read once, and the last only when it is whole."""

from __future__ import annotations

import os
from pathlib import Path

from lobgym.dashboard.reading.files import Unreadable

__all__ = ["GrowingLines"]

#: How much of what was read last is compared with the file, to notice that it was written anew.
_TAIL = 256


class GrowingLines:
    """The lines of a file so far, which :meth:`update` brings up to date.

    A file that became shorter, or whose text before the place reached is another, was written anew: it is read from its start.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Nothing is read yet."""
        self.path = Path(path)
        self._offset = 0
        self._tail = b""
        #: How often it was read from the start.
        self.restarts = 0

    def update(self) -> tuple[bool, list[str]]:
        """Whether it had to begin anew (then what was read before does not count), and the whole lines that are new.

        Raises ``Unreadable``.
        """
        try:
            with self.path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                anew = size < self._offset
                if not anew and self._offset:
                    file.seek(self._offset - len(self._tail))
                    anew = file.read(len(self._tail)) != self._tail
                if anew:
                    self._offset, self._tail = 0, b""
                    self.restarts += 1
                file.seek(self._offset)
                text = file.read(size - self._offset)
        except OSError as error:
            raise Unreadable(self.path, error.strerror or str(error)) from error
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        self._tail = (self._tail + whole)[-_TAIL:]
        return anew, whole.decode("utf-8", errors="replace").splitlines()
