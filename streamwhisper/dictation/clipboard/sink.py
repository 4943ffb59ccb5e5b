"""Output to the clipboard."""

from __future__ import annotations

from streamwhisper.dictation.clipboard.clipboard import Clipboard, ClipboardError
from streamwhisper.dictation.sink import LineSink, Notice

__all__ = ["ClipboardSink"]


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
