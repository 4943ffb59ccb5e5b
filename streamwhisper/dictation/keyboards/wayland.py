"""Typing on Wayland, where only a tool of its own may do that."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import Any

from streamwhisper.dictation.keyboards import ASKED, KeyboardError

__all__ = ["WtypeKeyboard", "YdotoolKeyboard"]

_TIMEOUT = 30.0
_WTYPE = ("wtype", "-s", "50", "-d", "4")  # the pause lets programs take its layout in
_BACKSPACE, _CONTROL, _V = 14, 29, 47  # of the Linux kernel, linux/input-event-codes.h


class WtypeKeyboard:
    """wtype: desktops that have the virtual-keyboard protocol (Sway, Hyprland, KDE and more)."""

    name = "wtype"

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Type on the desktop of this environment."""
        self._sway = bool(environment.get("SWAYSOCK")) and shutil.which("swaymsg") is not None
        self._hyprland = bool(environment.get("HYPRLAND_INSTANCE_SIGNATURE"))

    def focus(self) -> str | None:
        """The focused window, on Sway and Hyprland; other desktops do not tell."""
        if self._sway:
            tree = json.loads(_run("swaymsg", "-r", "-t", "get_tree"))
            return next((str(node["id"]) for node in _nodes(tree) if node.get("focused")), None)
        if self._hyprland:
            return str(json.loads(_run("hyprctl", "-j", "activewindow")).get("address"))
        return None

    def type(self, text: str, window: str | None) -> int:
        """Type `text`; wtype brings a layout of its own with every sign in it."""
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
        """Press Ctrl and V."""
        _run("wtype", "-M", "ctrl", "-k", "v", "-m", "ctrl")
        time.sleep(ASKED)

    def close(self) -> None:
        """Nothing stays."""


class YdotoolKeyboard:
    """ydotool: every desktop, through the kernel; it presses keys but knows no layout."""

    name = "ydotool"

    def focus(self) -> str | None:
        """Not told."""
        return None

    def type(self, text: str, window: str | None) -> int:
        """Cannot be done: which sign a key is depends on the layout, so text is pasted."""
        raise KeyboardError(f"ydotool knows no layout and cannot type {text!r}; paste it")

    def erase(self, count: int, window: str | None) -> int:
        """Press Backspace."""
        self._press(*[_BACKSPACE] * count)
        return count

    def paste(self) -> None:
        """Press Ctrl and V."""
        _run("ydotool", "key", f"{_CONTROL}:1", f"{_V}:1", f"{_V}:0", f"{_CONTROL}:0")
        time.sleep(ASKED)

    def close(self) -> None:
        """Nothing stays."""

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
        raise KeyboardError(f"{command[0]} does not work: {error}") from error
    if done.returncode:
        said = done.stderr.strip() or f"it ended with {done.returncode}"
        raise KeyboardError(f"{command[0]} could not type: {said}")
    return done.stdout
