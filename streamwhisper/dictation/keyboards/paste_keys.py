"""Keys that paste, which depend on the program: terminals do not paste with Ctrl+V."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["PASTE_KEYS", "Keys", "PasteKeys", "paste_keys_for"]

Keys = Literal["ctrl+v", "ctrl+shift+v", "shift+insert"]
PasteKeys = Literal["auto", "ctrl+v", "ctrl+shift+v", "shift+insert"]
PASTE_KEYS: tuple[PasteKeys, ...] = get_args(PasteKeys)

_TERMINALS = {
    "alacritty", "blackbox", "console", "contour", "foot", "footclient", "ghostty", "guake",
    "hyper", "kgx", "kitty", "konsole", "mintty", "ptyxis", "putty", "rio", "rxvt", "sakura",
    "st", "st-256color", "tabby", "tilda", "tilix", "urxvt", "virtualconsoleclass", "warp",
    "yakuake",
}  # fmt: skip
"""Terminals without "term" in their names."""
_EDITORS = {"emacs", "gvim"}  # Ctrl+V is another command


def paste_keys_for(window_class: str | None) -> Keys:
    """Return the keys that paste in a window of this class.

    Args:
        window_class: class or application id, e.g. ``"XTerm"`` or ``"org.kde.konsole"``; empty
            if the window has none, None if the desktop does not report it.

    Shift+Insert pastes in terminals and in most other programs: in some the clipboard, in others
    the primary selection, so both need to be set. It depends on no keyboard layout.
    """
    if window_class is None:
        return "shift+insert"
    name = window_class.lower().rsplit(".", 1)[-1]
    if "term" in name or name in _TERMINALS or name in _EDITORS:
        return "shift+insert"
    return "ctrl+v"
