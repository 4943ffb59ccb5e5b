"""Keyboards that type into the focused window, and the choice among them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping

from streamwhisper.dictation.keyboards.keyboard import Keyboard, KeyboardError

__all__ = ["Keyboard", "KeyboardError", "choose_keyboard"]


def choose_keyboard(environment: Mapping[str, str], *, paste: bool = False) -> Keyboard:
    """Return a keyboard for this desktop.

    Args:
        environment: environment variables; they tell X11 from Wayland.
        paste: whether to paste text through the clipboard, for programs that lose typed keys.

    Raises:
        KeyboardError: no tool can type here; the message says what to install.
    """
    keyboard, must_paste = _choose(environment)
    if not (paste or must_paste):
        return keyboard
    from streamwhisper.dictation.clipboard import choose_clipboard
    from streamwhisper.dictation.keyboards.pasting import PastingKeyboard

    return PastingKeyboard(keyboard, choose_clipboard(environment))


def _choose(environment: Mapping[str, str]) -> tuple[Keyboard, bool]:
    """Return the keyboard, and whether it can only press keys, not type text."""
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
            "no tool to type on Wayland is installed; install wtype (wlroots desktops, KDE), or "
            "ydotool with its daemon ydotoold and wl-clipboard (every desktop, e.g. GNOME)"
        )
    if not environment.get("DISPLAY"):
        raise KeyboardError(
            "neither DISPLAY nor WAYLAND_DISPLAY is set, so there is no window to type into; "
            "run the command inside the desktop session"
        )
    try:
        from streamwhisper.dictation.keyboards.x11 import X11Keyboard
    except ImportError as error:
        raise KeyboardError(
            "typing on X11 needs python-xlib; install it with: "
            "pip install 'streamwhisper[dictation]'"
        ) from error
    return X11Keyboard(environment["DISPLAY"]), False
