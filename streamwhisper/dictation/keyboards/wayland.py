"""Typing on Wayland through wtype or ydotool."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from typing import Any

from streamwhisper.dictation.keyboards.keyboard import PASTE_SECONDS, KeyboardError
from streamwhisper.dictation.keyboards.paste_keys import Keys
from streamwhisper.dictation.tools import Result, ToolError, run_tool

__all__ = ["WtypeKeyboard", "YdotoolKeyboard"]

_TIMEOUT = 30.0  # seconds to type a text
_WTYPE = ("wtype", "-s", "50", "-d", "4")  # the pause lets programs load its layout
_WTYPE_PASTE: Mapping[Keys, str] = {
    "ctrl+v": "-M ctrl -k v -m ctrl",
    "ctrl+shift+v": "-M ctrl -M shift -k v -m shift -m ctrl",
    "shift+insert": "-M shift -k Insert -m shift",
}
_BACKSPACE = 14  # key codes, linux/input-event-codes.h
_CODES = {"ctrl": 29, "shift": 42, "v": 47, "insert": 110}


class WtypeKeyboard:
    """Keyboard for desktops with the virtual-keyboard protocol, e.g. Sway and Hyprland."""

    name = "wtype"

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Detect the desktop from its environment variables."""
        self._sway = bool(environment.get("SWAYSOCK")) and shutil.which("swaymsg") is not None
        self._hyprland = (
            bool(environment.get("HYPRLAND_INSTANCE_SIGNATURE"))
            and shutil.which("hyprctl") is not None
        )

    def probe(self) -> None:
        """Let wtype connect to the compositor and press nothing."""
        _run("wtype", "-s", "1")  # a pause of 1 ms
        try:
            self._window()
        except KeyboardError:  # typing works, but the desktop does not report its windows
            self._sway = self._hyprland = False

    def focus(self) -> str | None:
        """Return the focused window's id on Sway and Hyprland; None on other desktops."""
        window = self._window() or {}
        found = window.get("id", window.get("address"))
        return None if found is None else str(found)

    def window_class(self) -> str | None:
        """Return the focused window's application id or class on Sway and Hyprland."""
        window = self._window()
        if window is None:
            return None
        x11 = window.get("window_properties") or {}  # of a window of XWayland
        return str(window.get("app_id") or x11.get("class") or window.get("class") or "")

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

    def paste(self, keys: Keys) -> None:
        """Press the keys that paste."""
        _run(*_WTYPE, *_WTYPE_PASTE[keys].split())
        time.sleep(PASTE_SECONDS)

    def close(self) -> None:
        """Do nothing: no state is left behind."""

    def _window(self) -> dict[str, Any] | None:
        """Return what the desktop reports about the focused window; None: it reports nothing."""
        if self._sway:
            tree = _object(_run("swaymsg", "-r", "-t", "get_tree"))
            return next((node for node in _nodes(tree) if node.get("focused")), {})
        if self._hyprland:
            return _object(_run("hyprctl", "-j", "activewindow"))
        return None


class YdotoolKeyboard:
    """Keyboard for every desktop, through the kernel; it presses keys but knows no layout."""

    name = "ydotool"

    def __init__(self) -> None:
        self._by_name = False  # whether this is a version before 1.0, which knows no key codes

    def probe(self) -> None:
        """Let ydotool connect to its daemon, or open the kernel's device, and press nothing."""
        try:
            done = run_tool(["ydotool", "key", "--help"])
        except ToolError as error:
            raise KeyboardError(str(error)) from error
        self._by_name = "key sequence" in done.reason or b"key sequence" in done.out
        if done.status and not self._by_name:
            raise KeyboardError(f"ydotool cannot type here ({done.reason})")

    def focus(self) -> str | None:
        """Return None: the kernel does not know windows."""
        return None

    def window_class(self) -> str | None:
        """Return None: the kernel does not know windows."""
        return None

    def type(self, text: str, window: str | None) -> int:
        """Raise KeyboardError: keys depend on the layout, so text must be pasted."""
        raise KeyboardError(
            f"ydotool cannot type {text!r}, because it knows no layout; use --paste"
        )

    def erase(self, count: int, window: str | None) -> int:
        """Press Backspace."""
        if self._by_name:
            _run("ydotool", "key", "--repeat", str(count), "backspace")
        else:
            _run("ydotool", "key", *[f"{_BACKSPACE}:1", f"{_BACKSPACE}:0"] * count)
        return count

    def paste(self, keys: Keys) -> None:
        """Press the keys that paste; V is the key that has this letter on a US keyboard."""
        codes = [_CODES[name] for name in keys.split("+")]
        presses = [f"{code}:1" for code in codes] + [f"{code}:0" for code in reversed(codes)]
        _run("ydotool", "key", *([keys] if self._by_name else presses))
        time.sleep(PASTE_SECONDS)

    def close(self) -> None:
        """Do nothing: no state is left behind."""


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in (*node.get("nodes", ()), *node.get("floating_nodes", ())):
        yield from _nodes(child)


def _object(result: Result) -> dict[str, Any]:
    try:
        found = json.loads(result.out)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise KeyboardError("the desktop does not report its focused window")
    return found


def _run(*command: str, data: str = "") -> Result:
    try:
        done = run_tool(command, data.encode(), timeout=_TIMEOUT)
    except ToolError as error:
        raise KeyboardError(str(error)) from error
    if done.status:
        raise KeyboardError(f"{command[0]} cannot type here ({done.reason})")
    return done
