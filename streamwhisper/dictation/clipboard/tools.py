"""Clipboards through programs: xclip, xsel, wl-clipboard and pbcopy."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamwhisper.dictation.clipboard.clipboard import Clipboard, ClipboardError, Contents
from streamwhisper.dictation.clipboard.owner import packed
from streamwhisper.dictation.tools import Result, ToolError, run_tool

__all__ = ["Commands", "ToolClipboard", "pbcopy", "wl_copy", "xclip", "xsel"]

_SET_SECONDS = 5.0  # for a tool that returns before the content is set
_READ_SECONDS = 5.0  # for all types of a content
_MOST = 64 << 20  # bytes of a content that is restored; types beyond are left out
_TEXT = ("text/plain;charset=utf-8", "UTF8_STRING", "text/plain", "STRING")  # best first
_EMPTY = re.compile("not available|nothing is copied|no selection", re.IGNORECASE)
_HINT = {"x-kde-passwordManagerHint": b"secret"}
"""Type by which clipboard managers (Klipper, GPaste, CopyQ) know what not to keep."""


@dataclass(frozen=True, slots=True)
class Commands:
    """Commands of a tool; ``{}`` stands for the content type.

    Attributes:
        read: prints the content.
        write: sets the content from standard input.
        types: lists the content types; empty: the tool supports only text.
        clear: clears the clipboard; empty: an empty content is written.
        check: fails when `write` cannot run, and changes nothing; empty: `read` tells.
        hide: flag that hides the content from clipboard managers; newer tools have it.
    """

    read: tuple[str, ...]
    write: tuple[str, ...]
    types: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()
    check: tuple[str, ...] = ()
    hide: str = ""


@dataclass(slots=True)
class ToolClipboard:
    """Clipboard through a tool.

    Attributes:
        commands: commands of the tool.
        owner: arguments of a Python program that sets several types at once, as the tool cannot;
            empty: there is none, or it does not work here.
        primary: selection that terminals paste with Shift+Insert.
    """

    commands: Commands
    owner: tuple[str, ...] = ()
    primary: Clipboard | None = None

    @property
    def name(self) -> str:
        """Name of the tool."""
        return self.commands.write[0]

    def probe(self) -> None:
        """Check that the clipboard can be read; raise `ClipboardError` if not."""
        if self.commands.check:
            self._do(self.commands.check)
        done = _run(_filled(self.commands.types or self.commands.read, _TEXT[0]))
        if done.status and not _EMPTY.search(done.reason):
            raise ClipboardError(f"{self.name} does not work here ({done.reason})")

    def get(self) -> Contents:
        """Return the content in all types that can be restored."""
        until, room = time.monotonic() + _READ_SECONDS, _MOST
        contents: dict[str, bytes] = {}
        for type in self._offered():
            if time.monotonic() < until and (data := self._read(type)) and len(data) <= room:
                contents[type] = data
                room -= len(data)
        return contents

    def of(self, text: str) -> Contents:
        """Return the content for a text."""
        return dict.fromkeys(_TEXT[:3] if self.commands.types else _TEXT[:1], text.encode())

    def put(self, contents: Contents, *, transient: bool = False) -> None:
        """Set or clear the clipboard, and wait until it is set."""
        if self.owner:
            # -P: no module of the working directory is imported.
            command = [sys.executable, "-P", "-m", *self.owner]
            if not _run(command, packed({**contents, **_HINT} if transient else contents)).status:
                return
            self.owner = ()  # e.g. a compositor without the protocol
        if contents or not self.commands.clear:
            self._write(contents, transient=transient)
        else:
            self._do(self.commands.clear)

    def _write(self, contents: Contents, *, transient: bool) -> None:
        """Set the best type."""
        type = next((type for type in (*_TEXT, *contents) if type in contents), _TEXT[0])
        data = contents.get(type, b"")
        command = _filled(self.commands.write, type)
        hidden = transient and self.commands.hide and [*command, self.commands.hide]
        if not (hidden and not _run(hidden, data).status):
            self._do(command, data)
        until = time.monotonic() + _SET_SECONDS
        while data and self.commands.types and self._read(type) != data:
            if time.monotonic() > until:
                raise ClipboardError(
                    f"{self.name} set the clipboard, but another program changed it"
                )
            time.sleep(0.01)

    def _offered(self) -> list[str]:
        """Return the types of the content: text first, images last, as they may be large."""
        if not self.commands.types:
            return [_TEXT[0]]
        names = _output(self.commands.types).decode(errors="replace").split("\n")
        kept = {name for name in names if name in _TEXT or name.startswith("x-") or "/" in name}
        return sorted(kept, key=lambda name: (name not in _TEXT, name.startswith("image/"), name))

    def _read(self, type: str) -> bytes:
        """Return the content of a type; empty if its owner does not deliver it."""
        return _output(_filled(self.commands.read, type))

    def _do(self, command: Sequence[str], data: bytes = b"") -> None:
        if (done := _run(command, data)).status:
            raise ClipboardError(f"{self.name} failed ({done.reason})")


def xclip(selection: str = "clipboard") -> ToolClipboard:
    """Return the clipboard of X11 through xclip."""
    tool = ("xclip", "-selection", selection)
    read, write = (*tool, "-o", "-t", "{}"), (*tool, "-t", "{}")
    commands = Commands(read, write, types=(*tool, "-o", "-t", "TARGETS"))
    return ToolClipboard(commands, _owner("x11_owner", selection), _primary(selection, xclip))


def xsel(selection: str = "clipboard") -> ToolClipboard:
    """Return the clipboard of X11 through xsel, which supports only text."""
    tool = ("xsel", f"--{selection}")
    commands = Commands((*tool, "-o"), (*tool, "-i"), clear=(*tool, "-c"))
    return ToolClipboard(commands, _owner("x11_owner", selection), _primary(selection, xsel))


def wl_copy(selection: str = "clipboard") -> ToolClipboard:
    """Return the clipboard of Wayland through wl-clipboard."""
    primary = ("--primary",) if selection == "primary" else ()
    commands = Commands(
        read=("wl-paste", *primary, "--no-newline", "--type", "{}"),
        write=("wl-copy", *primary, "--type", "{}"),
        types=("wl-paste", *primary, "--list-types"),
        clear=("wl-copy", *primary, "--clear"),
        check=("wl-copy", "--version"),
        hide="--sensitive",
    )
    return ToolClipboard(commands, _owner("wayland_owner", selection), _primary(selection, wl_copy))


def pbcopy() -> ToolClipboard:
    """Return the clipboard of macOS through pbcopy, which supports only text."""
    return ToolClipboard(Commands(("pbpaste",), ("pbcopy",)))


def _owner(module: str, selection: str) -> tuple[str, ...]:
    return f"streamwhisper.dictation.clipboard.{module}", selection.upper()


def _primary(selection: str, tool: Callable[[str], ToolClipboard]) -> Clipboard | None:
    return tool("primary") if selection == "clipboard" else None


def _filled(command: Sequence[str], type: str) -> list[str]:
    return [word.replace("{}", type) for word in command]


def _output(command: Sequence[str]) -> bytes:
    """Return the output of a command; empty if it fails, or the content's owner hangs."""
    try:
        done = _run(command)
    except ClipboardError:
        return b""
    return b"" if done.status else done.out


def _run(command: Sequence[str], data: bytes = b"") -> Result:
    try:
        return run_tool(command, data)
    except ToolError as error:
        raise ClipboardError(str(error)) from error
