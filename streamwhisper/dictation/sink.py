"""Where dictated text goes to: what every such place has, and the plain ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TextIO

from streamwhisper.errors import StreamWhisperError
from streamwhisper.phrasing.edits import Edit

__all__ = ["CommandSink", "FileSink", "LineSink", "Notice", "Sink"]

Notice = Callable[[str], None]
"""Told what a person should know."""
_PATIENCE = 30.0  # seconds that a program may take for an utterance


class Sink(Protocol):
    """Takes dictated text. Calls may block: they are made on a thread, one after the other."""

    def edit(self, edit: Edit) -> None:
        """Take back, and put out, text that is committed."""

    def guess(self, text: str) -> None:
        """What may follow it, in place of the last guess."""

    def end(self) -> None:
        """The utterance is over."""

    def close(self) -> None:
        """No more comes."""


class LineSink:
    """Writes committed text alone, a line for each utterance, as for a pipe.

    What is taken back within an utterance is never written. A line that is out stays.
    """

    def __init__(self, notice: Notice, out: TextIO | None = None) -> None:
        """Write to `out`, by default to standard output."""
        self._notice = notice
        self._out = out or sys.stdout
        self._line = ""

    def edit(self, edit: Edit) -> None:
        """Change the line that is not out yet."""
        if edit.erase > len(self._line):
            self._notice("what should be taken back was handed on already")
        kept = self._line[: max(0, len(self._line) - edit.erase)]
        self._line = kept + edit.text

    def guess(self, text: str) -> None:
        """Nothing: it is not committed."""

    def end(self) -> None:
        """Write the line, unless it is empty."""
        line, self._line = self._line.strip(), ""
        if line:
            self.put(line)

    def put(self, line: str) -> None:
        """Hand on a line that is finished."""
        self._out.write(f"{line}\n")
        self._out.flush()

    def close(self) -> None:
        """Write what is left."""
        self.end()


class CommandSink(LineSink):
    """Runs a program for every utterance, which it finds on its standard input."""

    def __init__(self, command: Sequence[str], notice: Notice) -> None:
        """Say what to run; no shell is used."""
        super().__init__(notice)
        self._command = list(command)

    def put(self, line: str) -> None:
        """Run it, and wait for it; what goes wrong is said, with the text."""
        problem = ""
        try:
            done = subprocess.run(
                self._command, input=f"{line}\n", text=True, timeout=_PATIENCE, check=False
            )
            if done.returncode:
                problem = f"ended with {done.returncode}"
        except subprocess.TimeoutExpired:
            problem = f"took more than {_PATIENCE:g} s and was ended"
        except OSError as error:
            problem = f"cannot be run ({error.strerror})"
        if problem:
            self._notice(f"{self._command[0]} {problem}; it was given: {line}")


class FileSink:
    """Appends committed text to a file, as it comes; what is taken back is cut off again."""

    def __init__(self, path: Path, notice: Notice) -> None:
        """Open the file; raises `StreamWhisperError` where it cannot be written."""
        try:
            self._file = path.open("ab")
        except OSError as error:
            raise StreamWhisperError(f"cannot write {path}: {error.strerror}") from error
        self._notice = notice
        self._written = ""  # of what can be taken back

    def edit(self, edit: Edit) -> None:
        """Cut off, and append."""
        if edit.erase > len(self._written):
            self._notice("what should be taken back is not at the end of the file")
        kept = max(0, len(self._written) - edit.erase)
        if kept < len(self._written):
            end = self._file.seek(0, 2)
            self._file.truncate(end - len(self._written[kept:].encode()))
        self._file.write(edit.text.encode())
        self._file.flush()
        self._written = (self._written[:kept] + edit.text)[-_REMEMBERED:]

    def guess(self, text: str) -> None:
        """Nothing: it is not committed."""

    def end(self) -> None:
        """Nothing: the next utterance begins with its own space."""

    def close(self) -> None:
        """End the last line."""
        if self._written and not self._written.endswith("\n"):
            self._file.write(b"\n")
        self._file.close()


_REMEMBERED = 10_000  # characters that can be taken back
