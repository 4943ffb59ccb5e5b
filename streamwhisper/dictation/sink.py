"""Outputs of dictated text: the interface, and plain ones for pipes, files and programs."""

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
"""Receives messages for the user."""
_PATIENCE = 30.0  # seconds that a program may run per utterance


class Sink(Protocol):
    """Output of dictated text. Calls may block; they come in order from one thread."""

    def edit(self, edit: Edit) -> None:
        """Erase and append committed text."""

    def guess(self, text: str) -> None:
        """Replace the text that may still change."""

    def end(self) -> None:
        """End the utterance."""

    def close(self) -> None:
        """Release the output."""


class LineSink:
    """Writer of committed text, one line per utterance, e.g. for a pipe.

    Text that is erased within its utterance is never written. A written line stays.
    """

    def __init__(self, notice: Notice, out: TextIO | None = None) -> None:
        """Write to `out`, by default to standard output."""
        self._notice = notice
        self._out = out or sys.stdout
        self._line = ""

    def edit(self, edit: Edit) -> None:
        """Change the line that is not written yet."""
        if edit.erase > len(self._line):
            self._notice("cannot erase text of an earlier utterance: it was already written")
        kept = self._line[: max(0, len(self._line) - edit.erase)]
        self._line = kept + edit.text

    def guess(self, text: str) -> None:
        """Ignore text that is not committed."""

    def end(self) -> None:
        """Write the line, unless it is empty."""
        line, self._line = self._line.strip(), ""
        if line:
            self.put(line)

    def put(self, line: str) -> None:
        """Write a finished line."""
        self._out.write(f"{line}\n")
        self._out.flush()

    def close(self) -> None:
        """Write the last line."""
        self.end()


class CommandSink(LineSink):
    """Program that runs for each utterance, with the text on its standard input, in UTF-8."""

    def __init__(self, command: Sequence[str], notice: Notice) -> None:
        """Run `command`, without a shell."""
        super().__init__(notice)
        self._command = list(command)

    def put(self, line: str) -> None:
        """Run the program and wait for it; a failure is reported with the text."""
        problem = ""
        try:
            done = subprocess.run(
                self._command, input=f"{line}\n".encode(), timeout=_PATIENCE, check=False
            )
            if done.returncode:
                problem = f"exited with status {done.returncode}"
        except subprocess.TimeoutExpired:
            problem = f"ran for more than {_PATIENCE:g} s and was stopped"
        except OSError as error:
            problem = f"cannot run ({error.strerror})"
        if problem:
            self._notice(f"{self._command[0]} {problem}; its input was: {line}")


class FileSink:
    """Text file that grows with committed text; erased text is cut off again."""

    def __init__(self, path: Path, notice: Notice) -> None:
        """Open the file; raise `StreamWhisperError` if it cannot be written."""
        try:
            self._file = path.open("ab")
        except OSError as error:
            raise StreamWhisperError(f"cannot write {path}: {error.strerror}") from error
        self._notice = notice
        self._written = ""  # text that can be erased

    def edit(self, edit: Edit) -> None:
        """Erase and append."""
        if edit.erase > len(self._written):
            self._notice("cannot erase text that is no longer at the end of the file")
        kept = max(0, len(self._written) - edit.erase)
        if kept < len(self._written):
            end = self._file.seek(0, 2)
            self._file.truncate(end - len(self._written[kept:].encode()))
        self._file.write(edit.text.encode())
        self._file.flush()
        self._written = (self._written[:kept] + edit.text)[-_REMEMBERED:]

    def guess(self, text: str) -> None:
        """Ignore text that is not committed."""

    def end(self) -> None:
        """Do nothing: the next utterance begins with its own space."""

    def close(self) -> None:
        """End the last line and close the file."""
        if self._written and not self._written.endswith("\n"):
            self._file.write(b"\n")
        self._file.close()


_REMEMBERED = 10_000  # characters that can be erased
