"""Hotkeys on X11: a grab of one key; no other key is observed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import product
from select import select
from typing import Protocol

from Xlib import XK, X, error
from Xlib.display import Display

from streamwhisper.dictation.hotkeys.hotkey import Hotkey, HotkeyError

__all__ = ["X11Listener"]

_MASKS = {"ctrl": X.ControlMask, "alt": X.Mod1Mask, "shift": X.ShiftMask, "cmd": X.Mod4Mask}
_LOCKS = (X.LockMask, X.Mod2Mask)  # Caps Lock and Num Lock, which are ignored
_NAMES = {
    "enter": "Return",
    "esc": "Escape",
    "page_up": "Prior",
    "page_down": "Next",
    "caps_lock": "Caps_Lock",
    "scroll_lock": "Scroll_Lock",
}


class KeyEvent(Protocol):
    """Key event that a display reports."""

    type: int
    time: int


class X11Listener:
    """Grab of a hotkey, with its own thread."""

    def __init__(
        self,
        hotkey: Hotkey,
        display: str,
        pressed: Callable[[], None],
        released: Callable[[], None],
    ) -> None:
        """Grab the key.

        Raises:
            HotkeyError: the key does not exist, or another program has the hotkey.
        """
        try:
            self._display = Display(display)
        except (error.DisplayError, error.XauthError, OSError) as failure:
            raise HotkeyError(f"cannot connect to the X display: {failure}") from failure
        self._pressed, self._released = pressed, released
        self._down = False
        self._release_time: int | None = None  # of the last release, in the display's milliseconds
        try:
            self._key = self._grab(hotkey)
        except HotkeyError:
            self._display.close()
            raise
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="hotkey", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Release the key."""
        self._ended.set()
        with suppress(error.ConnectionClosedError, OSError):
            self._thread.join()
            self._display.close()

    def _grab(self, hotkey: Hotkey) -> int:
        """Grab the hotkey; return its key code."""
        key = int(self._display.keysym_to_keycode(_keysym(hotkey.key)))
        if not key:
            raise HotkeyError(f"this keyboard has no key {hotkey.key!r}")
        root = self._display.screen().root
        wanted = sum(_MASKS[name] for name in hotkey.modifiers)
        taken = error.CatchError(error.BadAccess)
        for locks in product(*((0, lock) for lock in _LOCKS)):
            mask = wanted | sum(locks)
            root.grab_key(key, mask, False, X.GrabModeAsync, X.GrabModeAsync, onerror=taken)
        self._display.sync()
        if taken.get_error():
            raise HotkeyError(f"another program has the hotkey {hotkey}; choose another one")
        return key

    def _listen(self) -> None:
        # The timeout lets the thread notice `close`.
        with suppress(error.ConnectionClosedError, OSError):  # the desktop has ended
            while not self._ended.is_set():
                while self._display.pending_events():
                    self._take(self._display.next_event())
                select([self._display], [], [], 0.2)

    def _take(self, event: KeyEvent) -> None:
        """Report a press or a release, but no repetition of a key that is held.

        A repetition is a release and a press of one moment. A busy machine may read it after the
        key was released: then its press is recognized by that moment.
        """
        if event.type == X.KeyRelease:
            self._release_time = event.time
            if self._down and not self._held():
                self._down = False
                self._released()
        elif event.type == X.KeyPress and not self._down and event.time != self._release_time:
            self._down = True
            self._pressed()

    def _held(self) -> bool:
        """Return whether the key is still down: a repeating key also reports releases."""
        keys = self._display.query_keymap()
        return bool(keys[self._key // 8] >> self._key % 8 & 1)


def _keysym(name: str) -> int:
    spellings = (_NAMES.get(name, name), name, name.capitalize(), name.upper())
    found = next((sign for each in spellings if (sign := XK.string_to_keysym(each))), 0)
    if not found and len(name) == 1:
        found = ord(name)
    if not found:
        raise HotkeyError(f"unknown key {name!r}; expected an X key name, e.g. f9 or pause")
    return int(found)
