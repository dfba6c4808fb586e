"""Where the command ``lobgym`` and the trainings that come with it are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lobgym.serve.errors import ServeError
from lobgym.serve.settings import Settings

__all__ = ["find_binary", "find_presets", "preset_names"]


def find_binary(settings: Settings) -> str:
    """The command: the one of the settings, else ``target/release/lobgym`` here, else the one on PATH.

    Raises:
        ServeError: 503, if there is none.

    """
    given = settings.lobgym_binary
    places = [given] if given is not None else [Path("target/release/lobgym")]
    for place in places:
        if place.is_file() and os.access(place, os.X_OK):
            return str(place.absolute())
    found = None if given is not None else shutil.which("lobgym")
    if found is None:
        legal = "the command: make torch, or the setting lobgym_binary (LOBGYM_LOBGYM_BINARY)"
        raise ServeError("there is no command lobgym", given and str(given), legal, status=503, retry_after=60)
    return str(Path(found).absolute())


def find_presets(settings: Settings) -> Path | None:
    """The directory of trainings: the one of the settings, else ``config/train`` here or in the repository that this package lies in."""
    if settings.presets is not None:
        return settings.presets.absolute()
    places = (Path("config/train"), Path(__file__).parents[3] / "config" / "train")
    return next((place.absolute() for place in places if place.is_dir()), None)


def preset_names(directory: Path | None) -> list[str]:
    """The trainings of a directory."""
    return [] if directory is None else sorted(path.stem for path in directory.glob("*.yaml"))
