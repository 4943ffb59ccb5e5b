"""Global hotkeys, which work whichever window has the focus."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from streamwhisper.dictation.hotkeys.hotkey import Hotkey, HotkeyError, NoHotkeysError

__all__ = ["Chord", "Hotkey", "HotkeyError", "HotkeyListener", "NoHotkeysError", "listen_for"]

_WAYLAND = (
    "Wayland does not let programs listen to keys; in the desktop's settings, bind a key to: "
    "streamwhisper mic toggle (or start, and stop)"
)


class HotkeyListener(Protocol):
    """Registered hotkey with its own thread."""

    def close(self) -> None:
        """Release the hotkey."""


class Chord:
    """Key combination: reports when all keys are held, and when no longer."""

    def __init__(self, keys: frozenset[Any], pressed: Callable[[], None], released: Any) -> None:
        self._keys, self._pressed, self._released = keys, pressed, released
        self._held: set[Any] = set()
        self._down = False

    def press(self, key: Any) -> None:
        """Handle a key that goes down or repeats."""
        if key in self._keys:
            self._held.add(key)
        if not self._down and self._held == self._keys:
            self._down = True
            self._pressed()

    def release(self, key: Any) -> None:
        """Handle a key that goes up."""
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
        hotkey: key combination.
        environment: environment variables, which identify X11 or Wayland.
        pressed: called when the hotkey goes down.
        released: called when it goes up.

    Raises:
        NoHotkeysError: this desktop has no global hotkeys; the message names an alternative.
        HotkeyError: the hotkey is not available.
    """
    if sys.platform in ("darwin", "win32"):
        return _PynputListener(hotkey, pressed, released)
    if environment.get("WAYLAND_DISPLAY"):
        raise NoHotkeysError(_WAYLAND)
    if not environment.get("DISPLAY"):
        raise NoHotkeysError("no desktop for a hotkey: DISPLAY is not set")
    try:
        from streamwhisper.dictation.hotkeys.x11 import X11Listener
    except ImportError as error:
        raise HotkeyError(
            "a hotkey on X11 needs python-xlib; install it with: "
            "pip install 'streamwhisper[dictation]'"
        ) from error
    return X11Listener(hotkey, environment["DISPLAY"], pressed, released)


class _PynputListener:
    """Hotkey on macOS, which asks for permission, and on Windows."""

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
            raise HotkeyError(f"unknown key {hotkey.key!r}") from error
        chord = Chord(frozenset(keys), pressed, released)
        self._listener: Any = keyboard.Listener(
            on_press=lambda key: chord.press(self._listener.canonical(key)),
            on_release=lambda key: chord.release(self._listener.canonical(key)),
        )
        self._listener.start()
        self._listener.wait()
        if not getattr(self._listener, "IS_TRUSTED", True):  # macOS then reports no keys
            self._listener.stop()
            raise NoHotkeysError(
                "this terminal may not observe keys; allow it under System Settings, Privacy & "
                "Security, Accessibility, or use: streamwhisper mic toggle"
            )

    def close(self) -> None:
        """Release the hotkey."""
        self._listener.stop()
