"""Hotkeys: parsing and errors."""

from __future__ import annotations

from dataclasses import dataclass

from streamwhisper.errors import StreamWhisperError

__all__ = ["MODIFIERS", "Hotkey", "HotkeyError", "NoHotkeysError"]

MODIFIERS = ("ctrl", "alt", "shift", "cmd")
_ALIASES = {"control": "ctrl", "option": "alt", "super": "cmd", "win": "cmd", "meta": "cmd"}


class HotkeyError(StreamWhisperError, ValueError):
    """A hotkey that is invalid or not available."""


class NoHotkeysError(HotkeyError):
    """The desktop has no global hotkeys for programs."""


@dataclass(frozen=True, slots=True)
class Hotkey:
    """Key with modifiers; names in lower case.

    Attributes:
        modifiers: any of ``ctrl``, ``alt``, ``shift`` and ``cmd`` (Super, or the Windows key).
        key: a character, or a name, e.g. ``space``, ``pause`` or ``f9``.
    """

    modifiers: frozenset[str]
    key: str

    @classmethod
    def parse(cls, text: str) -> Hotkey:
        """Parse e.g. ``ctrl+alt+space``, in any case, with or without angle brackets.

        Raises:
            HotkeyError: the text is not a hotkey.
        """
        names = [part.strip().strip("<>").lower() for part in text.split("+")]
        *before, key = [_ALIASES.get(name, name) for name in names]
        odd = [name for name in before if name not in MODIFIERS]
        if odd or not key or key in MODIFIERS:
            raise HotkeyError(
                f"hotkey is {text!r}; expected modifiers ({', '.join(MODIFIERS)}) and a key, "
                "e.g. ctrl+alt+space or f9"
            )
        return cls(frozenset(before), key)

    def __str__(self) -> str:
        return "+".join([*(name for name in MODIFIERS if name in self.modifiers), self.key])
