"""Keyboards that type into the focused window, and the choice among them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from streamwhisper.dictation.keyboards.keyboard import Keyboard, KeyboardError
from streamwhisper.dictation.keyboards.paste_keys import PASTE_KEYS, PasteKeys

__all__ = [
    "PASTE_KEYS",
    "Choice",
    "Keyboard",
    "KeyboardError",
    "PasteKeys",
    "choose_keyboard",
    "find_keyboard",
]

_YDOTOOL = "ydotool (with its daemon ydotoold running) and wl-clipboard"


@dataclass(frozen=True, slots=True)
class Choice:
    """Keyboard that works here.

    Attributes:
        keyboard: the keyboard.
        rejected: why each one that was tried before does not work.
    """

    keyboard: Keyboard
    rejected: Sequence[str] = ()


def choose_keyboard(
    environment: Mapping[str, str], *, paste: bool = False, paste_keys: PasteKeys = "auto"
) -> Keyboard:
    """Return a keyboard for this desktop: the first that works.

    Args:
        environment: environment variables; they tell X11 from Wayland.
        paste: whether to paste text through the clipboard, for programs that lose typed keys.
        paste_keys: keys that paste; "auto" chooses them by the focused window.

    Raises:
        KeyboardError: no tool can type here, or text must be pasted and no clipboard works. The
            message has the reasons and says what to install.
    """
    return find_keyboard(environment, paste=paste, paste_keys=paste_keys).keyboard


def find_keyboard(
    environment: Mapping[str, str], *, paste: bool = False, paste_keys: PasteKeys = "auto"
) -> Choice:
    """Return the first keyboard that works, and why others do not; see `choose_keyboard`."""
    candidates, advice = _candidates(environment)
    rejected: list[str] = []
    for make, must_paste in candidates:
        try:
            keyboard = make()
            keyboard.probe()
        except KeyboardError as error:
            rejected.append(str(error))
            continue
        if not (paste or must_paste):
            return Choice(keyboard, rejected)
        from streamwhisper.dictation.clipboard import ClipboardError, choose_clipboard
        from streamwhisper.dictation.keyboards.pasting import PastingKeyboard

        try:
            clipboard = choose_clipboard(environment)
        except ClipboardError as error:
            raise KeyboardError(", ".join([*rejected, str(error)])) from error
        return Choice(PastingKeyboard(keyboard, clipboard, paste_keys), rejected)
    raise KeyboardError("; ".join(filter(None, [", ".join(rejected), advice])))


Candidates = list[tuple[Callable[[], Keyboard], bool]]
"""Constructors of keyboards, and whether each can only press keys, not type text."""


def _candidates(environment: Mapping[str, str]) -> tuple[Candidates, str]:
    """Return the keyboards to try in order, and what to do if none works."""
    if sys.platform == "darwin":
        from streamwhisper.dictation.keyboards.macos import MacKeyboard

        return [(MacKeyboard, False)], ""
    if sys.platform == "win32":
        from streamwhisper.dictation.keyboards.windows import WindowsKeyboard

        return [(WindowsKeyboard, False)], ""
    if environment.get("WAYLAND_DISPLAY"):
        from streamwhisper.dictation.keyboards.wayland import WtypeKeyboard, YdotoolKeyboard

        wtype = (lambda: WtypeKeyboard(environment)), False
        return [wtype, (YdotoolKeyboard, True)], _wayland_advice(environment)
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
    return [((lambda: X11Keyboard(environment["DISPLAY"])), False)], ""


def _wayland_advice(environment: Mapping[str, str]) -> str:
    desktop = environment.get("XDG_CURRENT_DESKTOP", "").upper()
    name = next((each for each in ("GNOME", "KDE") if each in desktop), "")
    if name or shutil.which("wtype"):
        return f"on {name or 'this desktop'}, install {_YDOTOOL}, or use --to clipboard"
    return (
        "install wtype (Sway, Hyprland and others with the virtual-keyboard protocol), or "
        f"{_YDOTOOL} (every desktop)"
    )
