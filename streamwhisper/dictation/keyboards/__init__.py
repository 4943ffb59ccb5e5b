"""Ways to type into the focused window: what each has, and which one this machine takes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from typing import Protocol

from streamwhisper.errors import StreamWhisperError

__all__ = ["Keyboard", "KeyboardError", "choose_keyboard"]


ASKED = 0.4
"""Seconds that a window gets to ask for what is pasted, where it does not tell that it has."""


class KeyboardError(StreamWhisperError, OSError):
    """Nothing could be typed."""


class Keyboard(Protocol):
    """Types into the window that has the focus. Calls block; one thread at a time.

    Attributes:
        name: of the tool, for people.
    """

    name: str

    def focus(self) -> str | None:
        """What names the focused window; None where the system does not tell."""

    def type(self, text: str, window: str | None) -> int:
        """Type any Unicode text, for as long as `window` has the focus; how much was typed.

        A newline is the Return key. Raises `KeyboardError`.
        """

    def erase(self, count: int, window: str | None) -> int:
        """Press Backspace so often, likewise."""

    def paste(self) -> None:
        """Press the keys that paste, and wait until the window asked. Raises `KeyboardError`."""

    def close(self) -> None:
        """Leave the keyboard as it was."""


def choose_keyboard(environment: Mapping[str, str], *, paste: bool = False) -> Keyboard:
    """What can type on this desktop.

    Args:
        environment: tells whether it is X11 or Wayland.
        paste: put text into the clipboard and press the keys that paste it, for programs that
            do not take keys as they come.

    Raises:
        KeyboardError: nothing can; the message says what to install.
    """
    keyboard, must_paste = _choose(environment)
    if not (paste or must_paste):
        return keyboard
    from streamwhisper.dictation.clipboard import choose_clipboard
    from streamwhisper.dictation.keyboards.pasting import PastingKeyboard

    return PastingKeyboard(keyboard, choose_clipboard(environment))


def _choose(environment: Mapping[str, str]) -> tuple[Keyboard, bool]:
    """The keyboard, and whether it can do no more than to press keys."""
    if sys.platform == "darwin":
        from streamwhisper.dictation.keyboards.macos import MacKeyboard

        return MacKeyboard(), False
    if sys.platform == "win32":
        from streamwhisper.dictation.keyboards.windows import WindowsKeyboard

        return WindowsKeyboard(), False
    if environment.get("WAYLAND_DISPLAY"):
        from streamwhisper.dictation.keyboards.wayland import WtypeKeyboard, YdotoolKeyboard

        if shutil.which("wtype"):
            return WtypeKeyboard(environment), False
        if shutil.which("ydotool"):
            return YdotoolKeyboard(), True
        raise KeyboardError(
            "nothing here can type on Wayland; install wtype (wlroots desktops, KDE), or ydotool "
            "and wl-clipboard with the daemon ydotoold (all desktops, GNOME among them)"
        )
    if not environment.get("DISPLAY"):
        raise KeyboardError(
            "there is no window to type into: neither DISPLAY nor WAYLAND_DISPLAY is set; "
            "run it inside of the desktop session"
        )
    try:
        from streamwhisper.dictation.keyboards.x11 import X11Keyboard
    except ImportError as error:
        raise KeyboardError(
            "typing on X11 needs python-xlib; install it with: "
            "pip install 'streamwhisper[dictation]'"
        ) from error
    return X11Keyboard(environment["DISPLAY"]), False
