"""The keyboard interface, its error, and how long a window gets to fetch pasted text."""

from __future__ import annotations

from typing import Protocol

from streamwhisper.dictation.keyboards.paste_keys import Keys
from streamwhisper.errors import StreamWhisperError

__all__ = ["PASTE_SECONDS", "Keyboard", "KeyboardError"]

PASTE_SECONDS = 0.4
"""Seconds that a window gets to fetch pasted text where the system does not report the fetch."""


class KeyboardError(StreamWhisperError, OSError):
    """Text that could not be typed."""


class Keyboard(Protocol):
    """Typist for the focused window. Calls block; use it from one thread at a time.

    Attributes:
        name: name of the tool, for messages.
    """

    name: str

    def probe(self) -> None:
        """Check that the tool can type here, without pressing a key.

        Raises:
            KeyboardError: it cannot; the message has the reason.
        """

    def window_class(self) -> str | None:
        """Return the class of the focused window; None where the system does not report it."""

    def focus(self) -> str | None:
        """Return an identifier of the focused window; None where the system does not report it."""

    def type(self, text: str, window: str | None) -> int:
        """Type Unicode text while `window` has the focus; return the number of characters typed.

        A newline is the Return key.

        Raises:
            KeyboardError: the system refuses the input.
        """

    def erase(self, count: int, window: str | None) -> int:
        """Press Backspace `count` times while `window` has the focus; return how many it were.

        Raises:
            KeyboardError: the system refuses the input.
        """

    def paste(self, keys: Keys) -> None:
        """Press the keys that paste and wait until the window has fetched the text.

        macOS always pastes with Command+V.

        Raises:
            KeyboardError: the system refuses the input.
        """

    def close(self) -> None:
        """Restore the keyboard's state."""
