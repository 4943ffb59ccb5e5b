"""Typing on Wayland through wtype or ydotool."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import Any

from streamwhisper.dictation.keyboards.keyboard import PASTE_SECONDS, KeyboardError

__all__ = ["WtypeKeyboard", "YdotoolKeyboard"]

_TIMEOUT = 30.0
_WTYPE = ("wtype", "-s", "50", "-d", "4")  # the pause lets programs load its layout
_BACKSPACE, _CONTROL, _V = 14, 29, 47  # key codes, linux/input-event-codes.h


class WtypeKeyboard:
    """Keyboard for desktops with the virtual-keyboard protocol (Sway, Hyprland, KDE and more)."""

    name = "wtype"

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Detect the desktop from its environment variables."""
        self._sway = bool(environment.get("SWAYSOCK")) and shutil.which("swaymsg") is not None
        self._hyprland = bool(environment.get("HYPRLAND_INSTANCE_SIGNATURE"))

    def focus(self) -> str | None:
        """Return the focused window's id on Sway and Hyprland; None on other desktops."""
        if self._sway:
            tree = json.loads(_run("swaymsg", "-r", "-t", "get_tree"))
            return next((str(node["id"]) for node in _nodes(tree) if node.get("focused")), None)
        if self._hyprland:
            return str(json.loads(_run("hyprctl", "-j", "activewindow")).get("address"))
        return None

    def type(self, text: str, window: str | None) -> int:
        """Type `text`; wtype uploads a layout with every character of it."""
        if self.focus() != window:
            return 0
        _run(*_WTYPE, "-", data=text)
        return len(text)

    def erase(self, count: int, window: str | None) -> int:
        """Press Backspace."""
        if self.focus() != window:
            return 0
        _run(*_WTYPE, *["-k", "BackSpace"] * count)
        return count

    def paste(self) -> None:
        """Press Ctrl+V."""
        _run("wtype", "-M", "ctrl", "-k", "v", "-m", "ctrl")
        time.sleep(PASTE_SECONDS)

    def close(self) -> None:
        """Do nothing: no state is left behind."""


class YdotoolKeyboard:
    """Keyboard for every desktop, through the kernel; it presses keys but knows no layout."""

    name = "ydotool"

    def focus(self) -> str | None:
        """Return None: the kernel does not know windows."""
        return None

    def type(self, text: str, window: str | None) -> int:
        """Raise KeyboardError: keys depend on the layout, so text must be pasted."""
        raise KeyboardError(
            f"ydotool cannot type {text!r}, because it knows no layout; use --paste"
        )

    def erase(self, count: int, window: str | None) -> int:
        """Press Backspace."""
        self._press(*[_BACKSPACE] * count)
        return count

    def paste(self) -> None:
        """Press Ctrl+V."""
        _run("ydotool", "key", f"{_CONTROL}:1", f"{_V}:1", f"{_V}:0", f"{_CONTROL}:0")
        time.sleep(PASTE_SECONDS)

    def close(self) -> None:
        """Do nothing: no state is left behind."""

    def _press(self, *keys: int) -> None:
        _run("ydotool", "key", *(f"{key}:{down}" for key in keys for down in (1, 0)))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in (*node.get("nodes", ()), *node.get("floating_nodes", ())):
        yield from _nodes(child)


def _run(*command: str, data: str = "") -> str:
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KeyboardError(f"{command[0]} failed: {error}") from error
    if done.returncode:
        reason = done.stderr.strip() or f"exit status {done.returncode}"
        raise KeyboardError(f"{command[0]} could not type: {reason}")
    return done.stdout
