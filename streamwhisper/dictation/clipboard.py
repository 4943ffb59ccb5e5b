"""Clipboard access through the system's tools: read, set and restore."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from streamwhisper.dictation.sink import LineSink, Notice
from streamwhisper.errors import StreamWhisperError

__all__ = ["Clipboard", "ClipboardError", "ClipboardSink", "Content", "choose_clipboard", "pasted"]

_TIMEOUT = 5.0
_TAKEN = 0.2  # seconds that a window gets to fetch the text; some fetch it more than once
_TEXT = ("UTF8_STRING", "text/plain;charset=utf-8", "text/plain", "STRING")  # best first
_OF_THE_OWNER = {"TARGETS", "TIMESTAMP", "MULTIPLE", "SAVE_TARGETS", "DELETE"}


class ClipboardError(StreamWhisperError, OSError):
    """No clipboard tool is available, or it failed."""


@dataclass(frozen=True, slots=True)
class Content:
    """Content of the clipboard: bytes of a type that the tool names."""

    type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Clipboard:
    """Clipboard tool; ``{}`` in a command stands for the content type.

    Attributes:
        read: command that prints the content.
        write: command that sets the content from standard input.
        types: command that lists content types; empty: the tool supports only text.
        text: content type of text.
        encoding: encoding of text.
    """

    read: tuple[str, ...]
    write: tuple[str, ...]
    types: tuple[str, ...] = ()
    text: str = ""
    encoding: str = "utf-8"

    def get(self) -> Content | None:
        """Return the content; None if the clipboard is empty."""
        offered = self._offered()
        if offered is not None and not offered:
            return None
        type = _best(offered) if offered else self.text
        data = self._read(type)
        return Content(type, data) if data else None

    def of(self, text: str) -> Content:
        """Return the content for a text."""
        return Content(self.text, text.encode(self.encoding))

    def put(self, content: Content) -> None:
        """Set the content and wait until it is set."""
        if _run(_filled(self.write, content.type), content.data).returncode:
            raise ClipboardError(f"{self.write[0]} could not set the clipboard")
        # A tool that keeps serving the clipboard returns a moment before the content is set.
        until = time.monotonic() + _TIMEOUT
        while self.types and self._read(content.type) != content.data:
            if time.monotonic() > until:
                raise ClipboardError(
                    f"{self.write[0]} set the clipboard, but another program changed it"
                )
            time.sleep(0.01)

    def _read(self, type: str) -> bytes:
        done = _run(_filled(self.read, type))
        return b"" if done.returncode else done.stdout

    def _offered(self) -> list[str] | None:
        if not self.types:
            return None
        done = _run(self.types)
        names = done.stdout.decode(errors="replace").split("\n") if not done.returncode else []
        return [name for name in names if name and name not in _OF_THE_OWNER]


_XCLIP = ("xclip", "-selection", "clipboard")
_TOOLS: dict[str, Clipboard] = {
    "wl-copy": Clipboard(
        read=("wl-paste", "--no-newline", "--type", "{}"),
        write=("wl-copy", "--type", "{}"),
        types=("wl-paste", "--list-types"),
        text="text/plain;charset=utf-8",
    ),
    "xclip": Clipboard(
        read=(*_XCLIP, "-o", "-t", "{}"),
        write=(*_XCLIP, "-t", "{}"),
        types=(*_XCLIP, "-o", "-t", "TARGETS"),
        text="UTF8_STRING",
    ),
    "xsel": Clipboard(read=("xsel", "-b", "-o"), write=("xsel", "-b", "-i")),
    "pbcopy": Clipboard(read=("pbpaste",), write=("pbcopy",)),
    "clip": Clipboard(
        read=("powershell", "-NoProfile", "-Command", "Get-Clipboard -Raw"),
        write=("clip",),
        encoding="utf-16-le",
    ),
}


def choose_clipboard(environment: Mapping[str, str]) -> Clipboard:
    """Return the tool of this desktop; raise `ClipboardError` with what to install."""
    if sys.platform == "darwin":
        return _TOOLS["pbcopy"]
    if sys.platform == "win32":
        return _TOOLS["clip"]
    if environment.get("WAYLAND_DISPLAY"):
        wanted, package = ["wl-copy"], "wl-clipboard"
    elif environment.get("DISPLAY"):
        wanted, package = ["xclip", "xsel"], "xclip"
    else:
        raise ClipboardError("no clipboard: neither DISPLAY nor WAYLAND_DISPLAY is set")
    for name in wanted:
        if shutil.which(name):
            return _TOOLS[name]
    raise ClipboardError(f"no clipboard tool found; install {package}")


def pasted(clipboard: Clipboard, text: str, paste: Callable[[], None]) -> None:
    """Paste `text` into the focused window, then restore the clipboard.

    Args:
        clipboard: tool of this desktop.
        text: text to paste.
        paste: presses the keys and waits until the window has fetched the text.
    """
    before = clipboard.get()
    clipboard.put(clipboard.of(text))
    try:
        paste()
        time.sleep(_TAKEN)
    finally:
        if before is not None:
            clipboard.put(before)


class ClipboardSink(LineSink):
    """Output that puts each utterance on the clipboard."""

    def __init__(self, clipboard: Clipboard, notice: Notice) -> None:
        super().__init__(notice)
        self._clipboard = clipboard

    def put(self, line: str) -> None:
        """Set the clipboard to an utterance; a failure is reported with the text."""
        try:
            self._clipboard.put(self._clipboard.of(line))
        except ClipboardError as error:
            self._notice(f"{error}; the text was: {line}")


def _best(offered: Sequence[str]) -> str:
    return next((type for type in _TEXT if type in offered), offered[0])


def _filled(command: Sequence[str], type: str) -> list[str]:
    return [word.replace("{}", type) for word in command]


def _run(command: Sequence[str], data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        # A tool that keeps serving the clipboard would hold a pipe open forever.
        out = subprocess.DEVNULL if data else subprocess.PIPE
        return subprocess.run(
            command,
            input=data,
            stdout=out,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClipboardError(f"{command[0]} failed: {error}") from error
