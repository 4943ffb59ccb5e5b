"""The clipboard, through the system's own tools: read, set, and put back as it was."""

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
_TAKEN = 0.2  # seconds that a window gets for what it has asked for; some ask more than once
_TEXT = ("UTF8_STRING", "text/plain;charset=utf-8", "text/plain", "STRING")  # best first
_OF_THE_OWNER = {"TARGETS", "TIMESTAMP", "MULTIPLE", "SAVE_TARGETS", "DELETE"}


class ClipboardError(StreamWhisperError, OSError):
    """There is no tool for the clipboard, or it failed."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a clipboard holds: bytes, of a type that only the tool knows."""

    type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Clipboard:
    """Commands of one tool; a ``{}`` in them stands for the type.

    Attributes:
        types: lists what there is; empty: there is text alone.
        text: the type of a text.
    """

    read: tuple[str, ...]
    write: tuple[str, ...]
    types: tuple[str, ...] = ()
    text: str = ""
    encoding: str = "utf-8"

    def get(self) -> Content | None:
        """What it holds; None where that is nothing."""
        offered = self._offered()
        if offered is not None and not offered:
            return None
        type = _best(offered) if offered else self.text
        data = self._read(type)
        return Content(type, data) if data else None

    def of(self, text: str) -> Content:
        """A text as it holds it."""
        return Content(self.text, text.encode(self.encoding))

    def put(self, content: Content) -> None:
        """Have it hold this."""
        if _run(_filled(self.write, content.type), content.data).returncode:
            raise ClipboardError(f"{self.write[0]} could not set the clipboard")
        # A tool that stays to serve it says that it is done a moment before it is.
        until = time.monotonic() + _TIMEOUT
        while self.types and self._read(content.type) != content.data:
            if time.monotonic() > until:
                raise ClipboardError(f"{self.write[0]} set the clipboard, but it was set again")
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
    """The clipboard of this desktop; raises `ClipboardError`, which says what to install."""
    if sys.platform == "darwin":
        return _TOOLS["pbcopy"]
    if sys.platform == "win32":
        return _TOOLS["clip"]
    if environment.get("WAYLAND_DISPLAY"):
        wanted, package = ["wl-copy"], "wl-clipboard"
    elif environment.get("DISPLAY"):
        wanted, package = ["xclip", "xsel"], "xclip"
    else:
        raise ClipboardError("there is no clipboard: neither DISPLAY nor WAYLAND_DISPLAY is set")
    for name in wanted:
        if shutil.which(name):
            return _TOOLS[name]
    raise ClipboardError(f"nothing here can set the clipboard; install {package}")


def pasted(clipboard: Clipboard, text: str, paste: Callable[[], None]) -> None:
    """Paste `text` into the focused window; then the clipboard holds what it held before.

    Args:
        paste: presses the keys for it, and waits until the window has asked for the text.
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
    """Has the clipboard hold the last utterance."""

    def __init__(self, clipboard: Clipboard, notice: Notice) -> None:
        super().__init__(notice)
        self._clipboard = clipboard

    def put(self, line: str) -> None:
        """Put an utterance there; one that cannot be is told."""
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
        # A tool that stays to serve the clipboard would hold a pipe open for ever.
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
        raise ClipboardError(f"{command[0]} does not work: {error}") from error
