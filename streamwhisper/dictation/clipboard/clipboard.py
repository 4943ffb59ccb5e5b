"""The clipboard interface, and text that is lent to it for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Protocol

from streamwhisper.errors import StreamWhisperError

__all__ = ["Clipboard", "ClipboardError", "Contents", "pasted"]

Contents = Mapping[str, bytes]
"""Content in each of its types, the best one first; empty: an empty clipboard."""
_TAKEN = 0.2  # seconds that a window gets to fetch the text; some fetch it more than once


class ClipboardError(StreamWhisperError, OSError):
    """No clipboard tool works here, or it failed."""


class Clipboard(Protocol):
    """Clipboard of a desktop. Calls block; use it from one thread at a time."""

    @property
    def name(self) -> str:
        """Name of the tool, for messages."""

    @property
    def primary(self) -> Clipboard | None:
        """Selection that terminals paste with Shift+Insert; None where there is none."""

    def probe(self) -> None:
        """Check that the clipboard works, without changing it.

        Raises:
            ClipboardError: it does not work; the message has the reason.
        """

    def get(self) -> Contents:
        """Return the content in all types that can be restored.

        Raises:
            ClipboardError: the tool failed.
        """

    def of(self, text: str) -> Contents:
        """Return the content for a text."""

    def put(self, contents: Contents, *, transient: bool = False) -> None:
        """Set or clear the clipboard, and wait until it is set.

        Args:
            contents: new content; empty clears the clipboard.
            transient: whether clipboard managers are asked not to keep it.

        Raises:
            ClipboardError: the tool failed.
        """


def pasted(
    clipboard: Clipboard, text: str, paste: Callable[[], None], *, primary: bool = False
) -> None:
    """Paste `text` into the focused window, then restore the clipboard.

    Args:
        clipboard: clipboard of this desktop.
        text: text to paste.
        paste: presses the keys and waits until the window has fetched the text.
        primary: whether to set the primary selection as well.
    """
    other = clipboard.primary if primary and _works(clipboard.primary) else None
    with _lent(clipboard, text), _lent(other, text) if other else nullcontext():
        paste()
        time.sleep(_TAKEN)


def _works(clipboard: Clipboard | None) -> bool:
    """Return whether there is a clipboard and it works, e.g. not where desktops lack a primary."""
    try:
        if clipboard is not None:
            clipboard.probe()
    except ClipboardError:
        return False
    return clipboard is not None


@contextmanager
def _lent(clipboard: Clipboard, text: str) -> Iterator[None]:
    """Hold `text` inside the context, then restore all types, unless the user copied meanwhile."""
    before, lent = clipboard.get(), clipboard.of(text)
    clipboard.put(lent, transient=True)
    try:
        yield
    finally:
        if not set(lent.values()).isdisjoint(clipboard.get().values()):
            clipboard.put(before)
