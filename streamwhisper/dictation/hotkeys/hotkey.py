"""A key with its modifiers, and the errors about it."""

from __future__ import annotations

from dataclasses import dataclass

from streamwhisper.errors import StreamWhisperError

__all__ = ["MODIFIERS", "Hotkey", "HotkeyError", "NoHotkeysError"]

MODIFIERS = ("ctrl", "alt", "shift", "cmd")
_ALIASES = {"control": "ctrl", "option": "alt", "super": "cmd", "win": "cmd", "meta": "cmd"}


class HotkeyError(StreamWhisperError, ValueError):
    """A hotkey that cannot be understood, or cannot be had."""


class NoHotkeysError(HotkeyError):
    """This desktop has none for programs like this one."""


@dataclass(frozen=True, slots=True)
class Hotkey:
    """A key and the modifiers that are held with it; names in lower case.

    Attributes:
        modifiers: of ``ctrl``, ``alt``, ``shift`` and ``cmd`` (Super, or the Windows key).
        key: a character, or a name such as ``space``, ``pause`` or ``f9``.
    """

    modifiers: frozenset[str]
    key: str

    @classmethod
    def parse(cls, text: str) -> Hotkey:
        """Read ``ctrl+alt+space``, in any case and with or without angle brackets.

        Raises:
            HotkeyError: it is something else.
        """
        names = [part.strip().strip("<>").lower() for part in text.split("+")]
        *before, key = [_ALIASES.get(name, name) for name in names]
        odd = [name for name in before if name not in MODIFIERS]
        if odd or not key or key in MODIFIERS:
            raise HotkeyError(
                f"hotkey is {text!r}; expected a key, after modifiers of {', '.join(MODIFIERS)}, "
                "such as ctrl+alt+space or f9"
            )
        return cls(frozenset(before), key)

    def __str__(self) -> str:
        return "+".join([*(name for name in MODIFIERS if name in self.modifiers), self.key])
