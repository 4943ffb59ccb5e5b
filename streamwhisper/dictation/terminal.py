"""Dictated text in the terminal: committed text, dim partial text, state and level."""

from __future__ import annotations

from rich.console import Console

from streamwhisper.console import GrowingText
from streamwhisper.control_characters import without_controls
from streamwhisper.dictation.level import bar
from streamwhisper.phrasing.edits import Edit

__all__ = ["TerminalSink"]


_REMEMBERED = 2000  # characters


class TerminalSink:
    """Live line at the bottom of a terminal; plain committed text elsewhere."""

    def __init__(self, *, stderr: bool = False) -> None:
        """Write to standard output, or to standard error with `stderr`."""
        self._console = Console(stderr=stderr, highlight=False, soft_wrap=True)
        self._text = GrowingText(self._console)
        self._state = ("○", "dim")
        self._level = " "
        self._out = ""  # text that can be erased
        self._begun = False

    def begin(self) -> None:
        """Show the live line; before this, only notices are shown."""
        self._text.__enter__()
        self._begun = True
        self._mark()

    def edit(self, edit: Edit) -> None:
        """Change the line; text that has scrolled up cannot be erased and is reported."""
        edit = Edit(edit.erase, without_controls(edit.text, keep="\n\t"))
        kept = max(0, len(self._out) - edit.erase)
        reached = self._text.erase(edit.erase)
        if beyond := self._out[kept : len(self._out) - len(reached)].strip():
            self.say(f"erased: {beyond}")
        self._out = (self._out[:kept] + edit.text)[-_REMEMBERED:]
        if edit.text:
            self._text.append(edit.text)

    def guess(self, text: str) -> None:
        """Show text that may still change, dim."""
        self._text.guess(without_controls(text))

    def end(self) -> None:
        """End the line."""
        self._text.end_line()

    def close(self) -> None:
        """Restore the terminal."""
        if self._begun:
            self._begun = False
            self._text.__exit__()

    def say(self, text: str) -> None:
        """Print a notice on standard error, above the line."""
        self._text.notice(text)

    def listening(self, on: bool) -> None:
        """Show whether dictation listens."""
        if self._console.is_terminal:
            self._state = ("●", "red") if on else ("○", "dim")
            self._mark()
        else:
            self.say("listening" if on else "paused")

    def level(self, decibels: float) -> None:
        """Show the level, in dBFS."""
        if (shown := bar(decibels)) != self._level:
            self._level = shown
            self._mark()

    def _mark(self) -> None:
        sign, style = self._state
        if self._begun and self._console.is_terminal:
            self._text.mark(f"{sign}{self._level} ", style)
