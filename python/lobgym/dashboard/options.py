"""What the command line says, handed to the pages through the environment: Streamlit runs them anew at every click."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field

__all__ = ["Options", "is_loopback"]

#: Where the command leaves its options for the pages.
VARIABLE = "LOBGYM_DASHBOARD"


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    return host in {"localhost", "::1"} or host.startswith("127.")


@dataclass(frozen=True)
class Options:
    """Where things are, and whether the pages may start and stop programs."""

    #: Directories with runs of trainings; new ones go into the first.
    runs: list[str] = field(default_factory=lambda: ["runs", "lobgym-data/runs"])
    #: Directories or files with JSON results; new ones go into the first directory.
    results: list[str] = field(default_factory=lambda: ["out"])
    #: Ledgers of paper brokers; a new one is the first that there is not.
    ledgers: list[str] = field(default_factory=lambda: ["paper.db"])
    #: Directories of traders, or with such directories in them; new ones go into the first.
    trades: list[str] = field(default_factory=lambda: ["trades", "lobgym-data/trades"])
    #: False where others than this machine's users can open the page: nobody asks them for a password.
    controls: bool = True

    @classmethod
    def of_environment(cls) -> Options:
        """Those of the command that started this process; its defaults without one."""
        text = os.environ.get(VARIABLE)
        return cls(**json.loads(text)) if text else cls()

    def to_environment(self) -> None:
        """Leaves them for the pages."""
        os.environ[VARIABLE] = json.dumps(asdict(self))
