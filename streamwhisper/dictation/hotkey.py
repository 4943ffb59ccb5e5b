"""A key, or several held together, that is heard whichever window has the focus."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from streamwhisper.errors import StreamWhisperError

__all__ = ["Chord", "Hotkey", "HotkeyError", "HotkeyListener", "NoHotkeysError", "listen_for"]

MODIFIERS = ("ctrl", "alt", "shift", "cmd")
_ALIASES = {"control": "ctrl", "option": "alt", "super": "cmd", "win": "cmd", "meta": "cmd"}
_WAYLAND = (
    "Wayland lets no program listen to keys; set up a key in the desktop's settings that runs: "
    "streamwhisper mic toggle (or start, and stop)"
)


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


class HotkeyListener(Protocol):
    """Listens on a thread of its own."""

    def close(self) -> None:
        """Listen no more."""


class Chord:
    """Tells when keys are all held, and when no longer."""

    def __init__(self, keys: frozenset[Any], pressed: Callable[[], None], released: Any) -> None:
        self._keys, self._pressed, self._released = keys, pressed, released
        self._held: set[Any] = set()
        self._down = False

    def press(self, key: Any) -> None:
        """A key goes down, or repeats."""
        if key in self._keys:
            self._held.add(key)
        if not self._down and self._held == self._keys:
            self._down = True
            self._pressed()

    def release(self, key: Any) -> None:
        """A key goes up."""
        self._held.discard(key)
        if self._down and self._held != self._keys:
            self._down = False
            self._released()


def listen_for(
    hotkey: Hotkey,
    environment: Mapping[str, str],
    pressed: Callable[[], None],
    released: Callable[[], None],
) -> HotkeyListener:
    """Call `pressed` when the hotkey goes down and `released` when it goes up, on a thread.

    Args:
        environment: tells whether this is X11 or Wayland.

    Raises:
        NoHotkeysError: this desktop has none; the message says what to do.
        HotkeyError: it cannot be had.
    """
    if sys.platform in ("darwin", "win32"):
        return _PynputListener(hotkey, pressed, released)
    if environment.get("WAYLAND_DISPLAY"):
        raise NoHotkeysError(_WAYLAND)
    if not environment.get("DISPLAY"):
        raise NoHotkeysError("there is no desktop to listen for a hotkey on: DISPLAY is not set")
    try:
        from streamwhisper.dictation.hotkey_x11 import X11Listener
    except ImportError as error:
        raise HotkeyError(
            "a hotkey on X11 needs python-xlib; install it with: "
            "pip install 'streamwhisper[dictation]'"
        ) from error
    return X11Listener(hotkey, environment["DISPLAY"], pressed, released)


class _PynputListener:
    """macOS, which asks the person to allow it, and Windows."""

    def __init__(
        self, hotkey: Hotkey, pressed: Callable[[], None], released: Callable[[], None]
    ) -> None:
        try:
            from pynput import keyboard
        except ImportError as error:
            raise HotkeyError(
                "a hotkey needs pynput; install it with: pip install 'streamwhisper[dictation]'"
            ) from error
        names = [*hotkey.modifiers, hotkey.key]
        spelt = "+".join(name if len(name) == 1 else f"<{name}>" for name in names)
        try:
            keys = keyboard.HotKey.parse(spelt)
        except ValueError as error:
            raise HotkeyError(f"there is no key {hotkey.key!r}") from error
        chord = Chord(frozenset(keys), pressed, released)
        self._listener: Any = keyboard.Listener(
            on_press=lambda key: chord.press(self._listener.canonical(key)),
            on_release=lambda key: chord.release(self._listener.canonical(key)),
        )
        self._listener.start()

    def close(self) -> None:
        """Listen no more."""
        self._listener.stop()
