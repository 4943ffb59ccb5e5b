"""Typing of dictated text into the focused window."""

from __future__ import annotations

from streamwhisper.control_characters import without_controls
from streamwhisper.dictation.keyboards import Keyboard, KeyboardError
from streamwhisper.dictation.sink import Notice, Sink
from streamwhisper.phrasing.edits import Edit

__all__ = ["TypingSink", "revision"]

_LONGEST_GUESS = 160  # characters of partial text that are typed and may have to be erased
_REMEMBERED = 2000  # characters that can be erased
_WINDOWS = 64  # windows whose last character is remembered


def revision(shown: str, wanted: str) -> Edit:
    """Return the smallest edit at the end of `shown` that turns it into `wanted`."""
    same = 0
    for one, other in zip(shown, wanted, strict=False):
        if one != other:
            break
        same += 1
    return Edit(len(shown) - same, wanted[same:])


class TypingSink:
    """Typist of committed text and, if wanted, of partial text, which it corrects.

    An utterance belongs to the window in which it began. When another window has the focus,
    typing stops and the rest of the utterance goes to `rest`. Only text that was typed into the
    same window since it got the focus is ever erased. A space separates an utterance from the one
    before it in the same window, even if others were typed elsewhere in between.
    """

    def __init__(
        self, keyboard: Keyboard, rest: Sink, notice: Notice, *, progressive: bool = False
    ) -> None:
        """Type with `keyboard`; text that cannot be typed goes to `rest`."""
        self._keyboard = keyboard
        self._rest = rest
        self._notice = notice
        self._progressive = progressive
        self._window: str | None = None  # of the utterance; None: unknown
        self._begun = False
        self._astray = False  # the rest of this utterance is not typed
        self._typed = ""  # committed text in the window that can be erased
        self._before = ""  # character before it; empty: unknown
        self._last: dict[str | None, str] = {}  # last character typed into each other window
        self._guess = ""  # partial text after it

    def edit(self, edit: Edit) -> None:
        """Type committed text and correct partial text that differs."""
        edit = Edit(edit.erase, without_controls(edit.text, keep="\n\t"))
        if self._ready():
            kept = max(0, len(self._typed) - edit.erase)
            if edit.erase > len(self._typed) + 1:  # a leading space may have been left out
                self._notice("cannot erase text that was not typed into this window")
            text = self._joined(edit.text, self._typed[:kept])
            known = not edit.erase and self._guess.startswith(text)
            left = self._guess[len(text) :] if known else ""
            shown = self._typed[kept:] + self._guess
            self._typed = (self._typed[:kept] + text)[-_REMEMBERED:]
            self._guess = left
            self._put(revision(shown, text + left), committed=True)
        elif edit.text or edit.erase:
            self._rest.edit(edit)

    def guess(self, text: str) -> None:
        """Type text that may still change, in progressive mode."""
        text = without_controls(text)
        if self._astray:
            self._rest.guess(text)
        elif self._progressive and self._ready():
            text = self._joined(text, self._typed)[:_LONGEST_GUESS]
            change = revision(self._guess, text)
            self._guess = text
            self._put(change, committed=False)

    def end(self) -> None:
        """End the utterance; the next one goes to the window that has the focus then."""
        if self._guess and not self._astray:
            change, self._guess = revision(self._guess, ""), ""
            self._put(change, committed=False)
        if self._astray:
            self._rest.end()
        self._begun = self._astray = False

    def close(self) -> None:
        """Release keyboard and terminal."""
        self.end()
        self._keyboard.close()
        self._rest.close()

    def _ready(self) -> bool:
        """Return whether this utterance is typed; find the window for a new one."""
        if not self._begun:
            self._begun = True
            try:
                window = self._keyboard.focus()
            except KeyboardError as error:
                self._stray(str(error))
                return False
            if window != self._window:
                self._switch_to(window)
        return not self._astray

    def _switch_to(self, window: str | None) -> None:
        """Remember the last character of the window so far, and recall that of `window`."""
        if last := (self._before + self._typed)[-1:]:
            self._last.pop(self._window, None)  # to the end of the order
            self._last[self._window] = last
            if len(self._last) > _WINDOWS:
                del self._last[next(iter(self._last))]
        self._window, self._typed = window, ""
        self._before = self._last.pop(window, "")

    def _joined(self, text: str, typed: str) -> str:
        """Return `text` for its place behind `typed`: at a start, it has no space in front."""
        before = (self._before + typed)[-1:]
        return text if before and before != "\n" else text.lstrip(" ")

    def _put(self, change: Edit, *, committed: bool) -> None:
        """Type a change; committed text that cannot be typed goes to `rest`."""
        erase, text = change.erase, change.text
        try:
            if erase:
                erase -= self._keyboard.erase(erase, self._window)
            if text and not erase:
                text = text[self._keyboard.type(text, self._window) :]
            if text or erase:
                raise KeyboardError("another window has the focus")
        except KeyboardError as error:
            left = text[: max(0, len(text) - len(self._guess))]
            wanted = self._typed + self._guess
            self._typed, self._guess = wanted[: len(wanted) - len(text)], ""
            self._stray(str(error))
            if committed and left:
                self._rest.edit(Edit(0, left))

    def _stray(self, why: str) -> None:
        self._astray = True
        self._switch_to(None)  # nothing in the window is erased any more
        self._notice(f"{why}; the rest of this utterance is not typed")
