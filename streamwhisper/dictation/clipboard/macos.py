"""The clipboard of macOS, through AppKit's pasteboard, which pynput's dependencies include."""

from __future__ import annotations

from typing import Any

from streamwhisper.dictation.clipboard.clipboard import Clipboard, ClipboardError, Contents

__all__ = ["MacClipboard"]

_TEXT = "public.utf8-plain-text"
_TRANSIENT = "org.nspasteboard.TransientType"  # by which clipboard managers know what not to keep


class MacClipboard:
    """General pasteboard in all its types."""

    name = "NSPasteboard"
    primary: Clipboard | None = None

    def probe(self) -> None:
        """Check that AppKit is installed; raise `ClipboardError` if not."""
        self._board()

    def get(self) -> Contents:
        """Return the content in all its types."""
        board = self._board()
        found = ((str(type), board.dataForType_(type)) for type in board.types() or ())
        return {type: bytes(data) for type, data in found if data is not None}

    def of(self, text: str) -> Contents:
        """Return the content for a text."""
        return {_TEXT: text.encode()}

    def put(self, contents: Contents, *, transient: bool = False) -> None:
        """Set or clear the pasteboard."""
        board = self._board()
        board.clearContents()
        for type, data in {**contents, **({_TRANSIENT: b""} if transient else {})}.items():
            if not board.setData_forType_(data, type):
                raise ClipboardError(f"{self.name} did not take {type}")

    def _board(self) -> Any:
        try:
            from AppKit import NSPasteboard
        except ImportError as error:
            raise ClipboardError("AppKit is not installed") from error
        return NSPasteboard.generalPasteboard()
