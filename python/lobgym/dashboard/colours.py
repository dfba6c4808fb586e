"""One colour a strategy, everywhere: the slots and colours of the HTML reports (agents/src/report/palette.rs and page.css)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

__all__ = ["ASK", "BID", "Palette", "colours", "label"]

#: Names known here have a slot each, in this order.
KNOWN = ("sl", "twap", "market", "twap-schedule", "vwap", "pov", "ac")
#: Slots for other names.
OTHERS = 5

#: After Okabe and Ito, told apart by all kinds of eyes: one a slot, for a light and a dark page.
_LIGHT = [
    "#0072b2",
    "#5a5a5a",
    "#d55e00",
    "#3fa7dc",
    "#009e73",
    "#c46699",
    "#dc9600",
    "#882255",
    "#8a8000",
    "#332288",
    "#6b4423",
    "#117733",
]
_DARK = [
    "#3f95d4",
    "#b8b8b8",
    "#f0823a",
    "#8fd6ff",
    "#1fc092",
    "#e29ac4",
    "#f2b836",
    "#c95f97",
    "#d8cd3a",
    "#9a8ff0",
    "#b98a62",
    "#62b878",
]

#: Names longer than this are shortened where that is clear.
_LONG = 28

#: The two sides of a book, on a light and on a dark page.
BID = {"light": "#4a7fb5", "dark": "#78a9d8"}
ASK = {"light": "#b3654a", "dark": "#dc9478"}


def colours(theme: str) -> list[str]:
    """The colours of the slots on a ``"light"`` or ``"dark"`` page."""
    return _DARK if theme == "dark" else _LIGHT


def label(name: str) -> str:
    """A strategy's name as the pages show it: a policy's is that of its run, wherever that lies."""
    if not name.startswith("policy:"):
        return name
    place, *settings = name.removeprefix("policy:").split(":")
    path = PurePath(place)
    known = path.parent.name if path.name == "policy.safetensors" else path.name
    return ":".join([known or place, *settings])


def _key(name: str) -> str:
    """What a colour goes by: a policy decides in one way or the other, and is the same policy."""
    if name.startswith("policy:"):
        return label(name).split(":")[0]
    return name


def _hash(name: str) -> int:
    """FNV-1a, folded, as in the reports."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return (value ^ (value >> 32)) & 0xFFFFFFFF


def _labels(names: Iterable[str]) -> dict[str, str]:
    full = {name: label(name) for name in names}
    families = [text.split(":")[0] for text in full.values()]
    return {
        name: family + ":\u2026" if len(text) > _LONG and families.count(family) == 1 else text
        for (name, text), family in zip(full.items(), families, strict=True)
    }


class Palette:
    """The colours of strategies that are shown together.

    Known names have their own slot. Another one's is a hash of it; only if two share one does the later by alphabet move on, in the end to
    the slots of known names that are not there. A run and its policy have one colour, on all pages.
    """

    def __init__(self, names: Iterable[str], theme: str = "light") -> None:
        """``names``: of all that are shown; ``theme``: ``"light"`` or ``"dark"``."""
        names = list(names)
        self._colours = colours(theme)
        self._labels = _labels(names)
        keys = sorted({_key(name) for name in names}, key=str.encode)
        self._slots = {name: KNOWN.index(name) for name in keys if name in KNOWN}
        taken = set(self._slots.values())
        for name in keys:
            if name in self._slots:
                continue
            wanted = _hash(name) % OTHERS
            own = [len(KNOWN) + (wanted + shift) % OTHERS for shift in range(OTHERS)]
            free = [slot for slot in [*own, *range(len(KNOWN))] if slot not in taken]
            self._slots[name] = free[0] if free else own[0]
            taken.add(self._slots[name])

    def slot(self, name: str) -> int:
        """Which of the colours it has."""
        return self._slots.get(_key(name), 0)

    def label(self, name: str) -> str:
        """What it is called in figures: without its parameters, where they are long and do not tell it from others."""
        return self._labels.get(name, label(name))

    def __getitem__(self, name: str) -> str:
        return self._colours[self.slot(name)]
