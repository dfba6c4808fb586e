"""The learners. Use ``lobgym.train``: it imports PyTorch first, whose libraries this extension needs."""

from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any, Final, SupportsIndex, TypedDict

class _Outcome(TypedDict):
    directory: PathLike[str]
    updates: int
    steps: int
    complete: bool
    mean_return: float | None
    policy: PathLike[str] | None
    evaluation: PathLike[str] | None

__version__: Final[str]

def train(
    config: Mapping[str, Any] | str | PathLike[str],
    overrides: dict[str, Any],
    *,
    out: str | PathLike[str] | None = None,
    resume: bool = False,
    device: str = "cpu",
    threads: SupportsIndex | None = None,
    begun: Callable[[PathLike[str]], object] | None = None,
    observer: Callable[[Any], object] | None = None,
) -> _Outcome:
    """Trains, or goes on training.

    ``config`` and ``overrides`` say what, ``out`` is the run's directory (by default ``runs/NAME-N``), ``threads`` are by default one a core.
    ``begun`` is called with the directory when the settings have been found legal, ``observer`` with a dictionary after each update; false
    from it ends training. Both are called on the caller's thread. Returns how it ended.
    """
