"""Where the command ``lobgym`` and the trainings that come with it are."""

from __future__ import annotations

from pathlib import Path

from lobgym.program import find_program
from lobgym.serve.errors import ServeError
from lobgym.serve.settings import Settings

__all__ = ["find_binary", "find_presets", "preset_names"]


def find_binary(settings: Settings) -> str:
    """The command: the one of the settings, else what :func:`lobgym.program.find_program` finds.

    Raises:
        ServeError: 503, if there is none.

    """
    given = settings.lobgym_binary
    found = find_program(given)
    if found is None:
        legal = "the command: make torch, or the setting lobgym_binary (LOBGYM_LOBGYM_BINARY)"
        raise ServeError("there is no command lobgym", given and str(given), legal, status=503, retry_after=60)
    return found


def find_presets(settings: Settings) -> Path | None:
    """The directory of trainings: the one of the settings, else ``config/train`` here or in the repository that this package lies in."""
    if settings.presets is not None:
        return settings.presets.absolute()
    places = (Path("config/train"), Path(__file__).parents[3] / "config" / "train")
    return next((place.absolute() for place in places if place.is_dir()), None)


def preset_names(directory: Path | None) -> list[str]:
    """The trainings of a directory."""
    return [] if directory is None else sorted(path.stem for path in directory.glob("*.yaml"))
