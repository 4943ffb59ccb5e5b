"""Clipboards of desktops, and the choice among them."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from streamwhisper.dictation.clipboard.clipboard import (
    Clipboard,
    ClipboardError,
    Contents,
    pasted,
)
from streamwhisper.dictation.clipboard.sink import ClipboardSink

__all__ = [
    "Clipboard",
    "ClipboardError",
    "ClipboardSink",
    "Contents",
    "choose_clipboard",
    "pasted",
]


def choose_clipboard(environment: Mapping[str, str]) -> Clipboard:
    """Return the first clipboard that works on this desktop.

    Args:
        environment: environment variables; they tell X11 from Wayland.

    Raises:
        ClipboardError: none works; the message has the reasons and what to install.
    """
    candidates, advice = _candidates(environment)
    reasons = []
    for clipboard in candidates:
        try:
            clipboard.probe()
        except ClipboardError as error:
            reasons.append(str(error))
        else:
            return clipboard
    raise ClipboardError(f"{', '.join(reasons)}; {advice}")


def _candidates(environment: Mapping[str, str]) -> tuple[list[Clipboard], str]:
    """Return the clipboards to try in order, and what to install if none works."""
    if sys.platform == "win32":
        from streamwhisper.dictation.clipboard.windows import WindowsClipboard

        return [WindowsClipboard()], "run the command inside the desktop session"
    from streamwhisper.dictation.clipboard.tools import pbcopy, wl_copy, xclip, xsel

    if sys.platform == "darwin":
        from streamwhisper.dictation.clipboard.macos import MacClipboard

        return [MacClipboard(), pbcopy()], "pip install 'streamwhisper[dictation]'"
    if environment.get("WAYLAND_DISPLAY"):
        return [wl_copy()], "install wl-clipboard"
    if environment.get("DISPLAY"):
        return [xclip(), xsel()], "install xclip"
    raise ClipboardError("no clipboard: neither DISPLAY nor WAYLAND_DISPLAY is set")
